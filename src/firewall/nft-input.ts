/** What the nftables table is made from. */

import type { Ipv4 } from '../packet/ip.ts'
import type { IpsecPolicyList } from './ipsec-policy.ts'
import type { AddressRange, Firewall } from './policy.ts'
import type { LocalInterface } from './surroundings.ts'

/** A session in the network phase. */
export interface NftSession {
  readonly address: Ipv4
  /** In lower case; '' for nobody. */
  readonly user: string
}

export interface NftablesInput {
  readonly firewall: Firewall
  /** The IPsec policies that judge the clear packets of an interface. */
  readonly ipsec?: readonly IpsecPolicyList[]
  /** The table's name, without its family: letters, digits and `_`. */
  readonly tableName: string
  /** Linux devices by AlliedWare's interface name. An interface without one is left out. */
  readonly devices: Readonly<Record<string, string>>
  readonly interfaces: readonly LocalInterface[]
  /** The device that the sessions' packets go through. */
  readonly tunDevice: string
  /** Its number in the kernel, which costs a tenth of what a name costs to compare. It is our own, and does not go and come again. */
  readonly tunIndex?: number | undefined
  /** Those that are up, the latest last. */
  readonly sessions?: readonly NftSession[]
  /** Global addresses that the workers translate to and from themselves (see nat-plan.ts). */
  readonly owned?: readonly AddressRange[]
  /** nfnetlink_log's group that is told of packets; absent: nobody is. */
  readonly logGroup?: number | undefined
  /** UDP ports on which this gateway listens: 500 and 4500. */
  readonly ports: readonly number[]
}
