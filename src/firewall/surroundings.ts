/** The addresses around the gateway, as the firewall is told of them. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AddressRange } from './policy.ts'

/** An AlliedWare interface with an address, as the configuration and the site's mapping of devices say. */
export interface LocalInterface {
  /** AlliedWare's name. */
  readonly name: string
  /** The Linux device, where the site maps one. */
  readonly device?: string
  /** The gateway's own address there; 0 where it is not known (yet). */
  readonly address: Ipv4
  readonly mask: Ipv4
}

/** A network behind an interface that is not its own subnet. */
export interface Route {
  readonly interface: string
  readonly network: Ipv4
  readonly mask: Ipv4
}

/** What the gateway knows about the addresses around it. */
export interface Surroundings {
  readonly interfaces: readonly LocalInterface[]
  readonly routes?: readonly Route[]
  /** Addresses of the gateway beside those of its interfaces, such as its end of the PPP links. */
  readonly own?: readonly Ipv4[]
  /** Where sessions have their addresses: the pools', and users' own. */
  readonly sessions?: readonly AddressRange[]
  /** How many workers there are; absent: one. */
  readonly workers?: number
  /** Ports on which the gateway or its host listens, beside those that no translation takes anyway. */
  readonly ports?: readonly number[]
}
