/** The AR450S firewall model: policies, their interfaces, dynamic templates, NAT definitions and numbered rules. */

import type { Ipv4 } from '../packet/ip.ts'

export interface AddressRange {
  readonly first: Ipv4
  readonly last: Ipv4
}
export interface PortRange {
  readonly first: number
  readonly last: number
}

export interface FirewallInterface {
  /** AlliedWare's name: `eth0`, `vlan1`, or `dyn-NAME` for the sessions that template NAME matches. */
  readonly name: string
  readonly type: 'private' | 'public'
  readonly method: 'dynamic' | 'passall'
}

/** CREATE FIREWALL POLICY DYNAMIC=name, and the users it matches. */
export interface DynamicTemplate {
  readonly name: string
  /** User names in lower case; `any`: every authenticated user; `none`: sessions without authentication. */
  readonly users: readonly string[]
  readonly any: boolean
  readonly none: boolean
}

export interface FirewallNat {
  readonly kind: 'standard' | 'enhanced' | 'reverse'
  /** The private side. */
  readonly interface: string
  readonly ip: AddressRange | undefined
  readonly globalInterface: string
  readonly globalIp: AddressRange | undefined
}

export interface FirewallRule {
  readonly number: number
  readonly action: 'allow' | 'deny' | 'nat' | 'nonat'
  /** Where the packet enters. */
  readonly interface: string
  /** IP protocol number, or undefined for all. */
  readonly protocol: number | undefined
  readonly ip: AddressRange | undefined
  readonly port: PortRange | undefined
  readonly globalIp: AddressRange | undefined
  readonly globalPort: PortRange | undefined
  readonly remoteIp: AddressRange | undefined
  readonly sourcePort: PortRange | undefined
  /** `ipsec`: only packets that our own IPsec decapsulated. */
  readonly encapsulation: 'none' | 'ipsec' | undefined
}

export interface FirewallPolicy {
  readonly name: string
  readonly interfaces: readonly FirewallInterface[]
  readonly dynamics: readonly DynamicTemplate[]
  readonly nats: readonly FirewallNat[]
  /** By number. */
  readonly rules: readonly FirewallRule[]
  readonly tcpTimeoutSeconds: number
  readonly udpTimeoutSeconds: number
  readonly otherTimeoutSeconds: number
}

export interface Firewall {
  readonly enabled: boolean
  readonly policies: readonly FirewallPolicy[]
}

export const FIREWALL_DEFAULTS = {
  tcpTimeoutSeconds: 3600,
  udpTimeoutSeconds: 1200,
  otherTimeoutSeconds: 1200,
} as const
