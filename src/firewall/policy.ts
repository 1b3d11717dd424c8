/** The AR450S firewall model: policies, their interfaces, dynamic templates, NAT definitions and numbered rules. */

import type { Ipv4 } from '../packet/ip.ts'
import type { Attack, AttackTrigger } from './attack-kinds.ts'

export interface AddressRange {
  readonly first: Ipv4
  readonly last: Ipv4
}
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** Days of the week, from Sunday: 0 to 6. */
export type Day = 0 | 1 | 2 | 3 | 4 | 5 | 6

/** What the policy may let pass or not beside its rules, in the words of ICMP_FORWARDING, OPTIONS and FRAGMENT. */
export const ICMP_KINDS = ['parameter', 'ping', 'sourcequench', 'timeexceeded', 'timestamp', 'unreachable'] as const
export type IcmpKind = (typeof ICMP_KINDS)[number]
export const IP_OPTION_KINDS = ['record_route', 'security', 'timestamp', 'router_alert'] as const
export type IpOptionKind = (typeof IP_OPTION_KINDS)[number]
export const FRAGMENT_KINDS = ['icmp', 'udp', 'other'] as const
export type FragmentKind = (typeof FRAGMENT_KINDS)[number]

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
  /** Files of flash with more user names. */
  readonly files?: readonly { readonly file: string; readonly users: readonly string[] }[]
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
  /** How REMOTEIP's hosts are called outside: with NATTYPE=REVERSE. */
  readonly globalRemoteIp: AddressRange | undefined
  /** How a rule with ACTION=NAT translates; undefined: as ENHANCED. */
  readonly natType: 'standard' | 'enhanced' | 'reverse' | undefined
  /** Name of one of the policy's lists, which must have the far host's address. */
  readonly list: string | undefined
  /** The days on which the rule is in force, in order; undefined for all. */
  readonly days: readonly Day[] | undefined
  /** Minutes since midnight, local time: in force from AFTER on, and before BEFORE; over midnight where that is less. */
  readonly afterMinute: number | undefined
  readonly beforeMinute: number | undefined
  /** How long the rule lives from when it was given; it is never saved. */
  readonly ttlSeconds: number | undefined
  /** In lower case: the session's user; on a public interface with other global values, whom the service belongs to. */
  readonly user: string | undefined
  /** Name of a dynamic template, which must name or take the session's user. */
  readonly group: string | undefined
  /** `ipsec`: only packets that our own IPsec decapsulated. */
  readonly encapsulation: 'none' | 'ipsec' | undefined
}

/** ADD FIREWALL POLICY LIMITRULE: how many sessions each device may begin that are up at a time. */
export interface LimitRule {
  readonly number: number
  readonly sessions: number
  /** Which interface they must pass, either way; undefined: any. */
  readonly interface: string | undefined
  /** The private end and the public one. */
  readonly ip: AddressRange | undefined
  readonly globalRemoteIp: AddressRange | undefined
}

/** ADD FIREWALL POLICY LIST=name: by IP=..., or out of a file of flash. It is never empty. */
export interface AddressList {
  readonly name: string
  readonly addresses: readonly AddressRange[]
  /** The file that all of it is from; absent: none. */
  readonly file?: string
  /** Ethernet addresses of senders instead, with colons; sessions have none. */
  readonly hardware?: readonly string[]
}

/** ADD FIREWALL POLICY UDPPORTTIMEOUT=port: how long UDP to this port of the public side is remembered, from its first packet on. */
export interface UdpPortTimeout {
  readonly port: number
  /** Undefined: as long as UDPTIMEOUT says. */
  readonly seconds: number | undefined
}

export interface FirewallPolicy {
  readonly name: string
  readonly interfaces: readonly FirewallInterface[]
  readonly dynamics: readonly DynamicTemplate[]
  readonly nats: readonly FirewallNat[]
  /** By number. */
  readonly rules: readonly FirewallRule[]
  /** By number. */
  readonly limitRules: readonly LimitRule[]
  readonly tcpTimeoutSeconds: number
  readonly udpTimeoutSeconds: number
  readonly otherTimeoutSeconds: number
  readonly icmpTimeoutSeconds: number
  /** ESP of others that passes through; undefined: as other protocols. */
  readonly espTimeoutSeconds: number | undefined
  /** By port. */
  readonly udpPortTimeouts: readonly UdpPortTimeout[]
  readonly lists: readonly AddressList[]
  /** Sessions reach no other session. */
  readonly isolation: boolean
  /** Who comes by a public interface may ping the gateway. */
  readonly ping: boolean
  /** What passes, where a rule or the base rule lets it. */
  readonly icmpForwarding: readonly IcmpKind[]
  readonly ipOptions: readonly IpOptionKind[]
  readonly fragments: readonly FragmentKind[]
  /** Follow FTP's active mode: data connections from port 20 alone, or from any. Undefined: not at all. */
  readonly ftpDataPort: 'rfc' | 'any' | undefined
  /** Triggers that are not the usual ones (ATTACK_DEFAULTS). */
  readonly attacks: Readonly<Partial<Record<Attack, AttackTrigger>>>
  /** Which events are logged, in the words of LOG; attacks always are. */
  readonly log: readonly string[]
  /** What each connection carried is noted when it is over. */
  readonly accounting: boolean
}

export interface Firewall {
  readonly enabled: boolean
  readonly policies: readonly FirewallPolicy[]
  /** Attacks are told on the terminals of managers; absent: they are. */
  readonly notifyManagers?: boolean
  /** Fragments of one datagram that pass; absent: MOST_FRAGMENTS. */
  readonly maxFragments?: number
}

/** What a policy has that CREATE makes. */
export const FIREWALL_DEFAULTS = {
  tcpTimeoutSeconds: 3600,
  udpTimeoutSeconds: 1200,
  otherTimeoutSeconds: 1200,
  icmpTimeoutSeconds: 60,
  espTimeoutSeconds: undefined,
  udpPortTimeouts: [],
  lists: [],
  isolation: false,
  ping: false,
  icmpForwarding: ICMP_KINDS,
  ipOptions: IP_OPTION_KINDS,
  fragments: FRAGMENT_KINDS,
  ftpDataPort: undefined,
  attacks: {},
  log: [],
  limitRules: [],
  accounting: false,
} as const satisfies Partial<FirewallPolicy>

/** What a rule says where it says nothing. */
export const RULE_DEFAULTS = {
  protocol: undefined,
  ip: undefined,
  port: undefined,
  globalIp: undefined,
  globalPort: undefined,
  remoteIp: undefined,
  sourcePort: undefined,
  globalRemoteIp: undefined,
  natType: undefined,
  list: undefined,
  days: undefined,
  afterMinute: undefined,
  beforeMinute: undefined,
  ttlSeconds: undefined,
  user: undefined,
  group: undefined,
  encapsulation: undefined,
} as const satisfies Partial<FirewallRule>
