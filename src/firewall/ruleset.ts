/** The firewall policy as flat tables, which the data path reads without a search by name; compile.ts makes them. */

import type { Millis } from '../machine.ts'
import type { Headers } from './headers.ts'
import type { CompiledLimit } from './limits.ts'
import type { NatPlan } from './nat-plan.ts'
import type { Firewall } from './policy.ts'
import { type Audience, type CompiledRule, firstMatch, type Members, type RuleList } from './rules.ts'
import { interfaceOfUser, sameName, takes } from './zones.ts'

/** The zone of everything that is in no policy, and of the gateway itself. Interfaces follow. */
export const Zone = { None: 0, Self: 1 } as const

export const Kind = { None: 0, Free: 1, Outward: 2, Inward: 3 } as const
/** Plain data: control builds it, and it travels to the workers by message. */
export interface Ruleset {
  /** False: everything passes (but a false inner source address). */
  readonly enabled: boolean
  /** Names of the zones by number. */
  readonly zones: readonly string[]
  readonly firewall: Firewall
  /** Kind and policy by zone entered and zone left. */
  readonly kinds: Uint8Array
  readonly policies: Uint16Array
  /** By policy and zone entered, in the order of their numbers. */
  readonly rules: readonly RuleList[]
  /** Whose counter each slot is. */
  readonly slots: readonly { readonly policy: string; readonly rule: number }[]
  readonly audiences: readonly Audience[]
  readonly nat: NatPlan
  /** Timeouts in milliseconds by policy. */
  readonly tcpTimeouts: Float64Array
  readonly udpTimeouts: Float64Array
  readonly otherTimeouts: Float64Array
  readonly icmpTimeouts: Float64Array
  readonly espTimeouts: Float64Array
  /** By policy: timeouts of single ports of UDP on the public side. */
  readonly udpPortTimeouts: readonly ReadonlyMap<number, Millis>[]
  /** By policy: a bit for each of ICMP_KINDS, IP_OPTION_KINDS and FRAGMENT_KINDS that passes, and whether PING does. */
  readonly icmp: Uint8Array
  readonly options: Uint8Array
  readonly fragments: Uint8Array
  readonly ping: Uint8Array
  /** By policy, whether FTP's active mode is followed: 1 for data from port 20, 2 for data from any. */
  readonly ftp: Uint8Array
  readonly limits: readonly CompiledLimit[]
  /** By policy, whether connections are accounted for. */
  readonly accounting: Uint8Array
  /** See attack-rules.ts. */
  readonly triggers: Uint32Array
  readonly zonePolicies: Int16Array
  readonly outside: Uint8Array
  /** The gateway's own addresses. */
  readonly own: Int32Array
  /** Known networks, the longest first; signed like the addresses they are compared with. */
  readonly networks: Int32Array
  readonly masks: Int32Array
  readonly networkZones: Uint16Array
  /** The zone of addresses that lie in no known network. */
  readonly elsewhere: number
}

/** The zone of a session whose user authenticated by this name, or as nobody (''). */
export function zoneOfUser(ruleset: Ruleset, user: string): number {
  const name = interfaceOfUser(ruleset.firewall, user)
  return name === undefined ? Zone.None : zoneOf(ruleset.zones, name)
}

/** Where an address (signed, as in Headers) lies that no session holds: the gateway itself, the longest network that has it, or outside. */
export function zoneOfAddress(ruleset: Ruleset, address: number): number {
  const { own, networks, masks } = ruleset
  for (let i = 0; i < own.length; i++) if (own[i] === address) return Zone.Self
  for (let i = 0; i < networks.length; i++) {
    if ((address & masks[i]!) === networks[i]) return ruleset.networkZones[i]!
  }
  return ruleset.elsewhere
}

/** What may pass from zone to zone: one of Kind. */
export function kindOf(ruleset: Ruleset, from: number, to: number): number {
  return ruleset.kinds[from * ruleset.zones.length + to]!
}

/** The policy that joins two zones; means something only where their kind is not None. */
export function policyOf(ruleset: Ruleset, from: number, to: number): number {
  return ruleset.policies[from * ruleset.zones.length + to]!
}

/** The policy that two zones are under, or either of them alone; -1 for none. */
export function policyBetween(ruleset: Ruleset, from: number, to: number): number {
  if (kindOf(ruleset, from, to) !== Kind.None) return policyOf(ruleset, from, to)
  const entered = ruleset.zonePolicies[from]!
  return entered >= 0 ? entered : ruleset.zonePolicies[to]!
}

export function nameOfPolicy(ruleset: Ruleset, from: number, to: number): string {
  return ruleset.firewall.policies[policyBetween(ruleset, from, to)]?.name ?? ''
}

/** Whether an address means everybody: in a network that we know, or on the link. */
export function isBroadcast(ruleset: Ruleset, address: number): boolean {
  if (address === -1) return true
  const { networks, masks } = ruleset
  for (let i = 0; i < networks.length; i++) {
    const mask = masks[i]!
    // Networks of one or two addresses have none (RFC 3021).
    if ((address & mask) === networks[i] && (address | mask) === -1 && mask < -2) return true
  }
  return false
}

/** The first rule of the policy, by number, for a packet that enters by `zone`; undefined where none matches. */
export function matchRule(
  ruleset: Ruleset,
  policy: number,
  zone: number,
  h: Headers,
  subject: number,
  members: Members,
): CompiledRule | undefined {
  return firstMatch(ruleset.rules[policy * ruleset.zones.length + zone]!, h, subject, members)
}

/** Whether a session's user (in lower case, '' for nobody) belongs to an audience. */
export function isInAudience(ruleset: Ruleset, audience: Audience, user: string): boolean {
  if (audience.user !== undefined && audience.user !== user) return false
  if (audience.group === undefined) return true
  const policy = ruleset.firewall.policies.find(p => p.name === audience.policy)
  return policy?.dynamics.some(d => d.name === audience.group && takes(d, user)) ?? false
}

/** A zone's number by its name; None where it has none. */
export function zoneOf(zones: readonly string[], name: string): number {
  const zone = zones.findIndex(z => sameName(z, name))
  return zone < 0 ? Zone.None : zone
}
