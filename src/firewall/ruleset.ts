/** The firewall policy compiled into flat tables that the data path reads without a search by name. */

import type { Millis } from '../machine.ts'
import { type Ipv4, maskPrefix } from '../packet/ip.ts'
import { compileTriggers, outsideZones, zonePolicies } from './attack-rules.ts'
import { Timeout } from './constants.ts'
import type { Headers } from './headers.ts'
import { type CompiledLimit, compileLimits } from './limits.ts'
import { type NatPlan, ownedRanges, owns, planNat } from './nat-plan.ts'
import {
  type AddressRange,
  type Firewall,
  type FirewallPolicy,
  FRAGMENT_KINDS,
  ICMP_KINDS,
  IP_OPTION_KINDS,
} from './policy.ts'
import {
  type Audience,
  type CompiledRule,
  compileRules,
  firstMatch,
  type Members,
  type RuleContext,
  type RuleList,
} from './rules.ts'
import { dynamicInterface, interfaceOfUser, isDynamic, type Relation, relate, SELF, sameName, takes } from './zones.ts'

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

/** The zone of everything that is in no policy, and of the gateway itself. Interfaces follow. */
export const Zone = { None: 0, Self: 1 } as const

export const Kind = { None: 0, Free: 1, Outward: 2, Inward: 3 } as const
const kindOfRelation: Record<Relation, number> = {
  none: Kind.None,
  free: Kind.Free,
  outward: Kind.Outward,
  inward: Kind.Inward,
}

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

export function buildRuleset(firewall: Firewall, surroundings: Surroundings): Ruleset {
  const zones = zoneNames(firewall, surroundings)
  const n = zones.length
  const kinds = new Uint8Array(n * n)
  const policies = new Uint16Array(n * n)
  for (let from = 1; from < n; from++) {
    for (let to = 1; to < n; to++) {
      const base = relate(firewall, zones[from]!, zones[to]!)
      kinds[from * n + to] = kindOfRelation[base.relation]
      policies[from * n + to] = base.policy ? firewall.policies.indexOf(base.policy) : 0
    }
  }
  const interfaces = surroundings.interfaces.filter(i => i.address !== 0)
  const networks = [
    ...interfaces.map(i => ({ network: i.address, mask: i.mask, zone: zoneOf(zones, i.name) })),
    ...(surroundings.routes ?? []).map(r => ({ ...r, zone: zoneOf(zones, r.interface) })),
  ].sort((a, b) => (maskPrefix(b.mask) ?? 0) - (maskPrefix(a.mask) ?? 0))
  const owned = ownedRanges(firewall, surroundings)
  const slots: { policy: string; rule: number }[] = []
  const audiences: Audience[] = []
  const context: RuleContext = {
    owns: address => owns(owned, address),
    slot: (policy, rule) => slots.push({ policy, rule }) - 1,
    audience: a => {
      const known = audiences.findIndex(b => a.user === b.user && a.group === b.group && a.policy === b.policy)
      return known >= 0 ? known : audiences.push(a) - 1
    },
  }
  const outside = firewall.policies.flatMap(p => p.interfaces).find(i => i.type === 'public' && !isDynamic(i.name))
  return {
    enabled: firewall.enabled && firewall.policies.length > 0,
    zones,
    firewall,
    kinds,
    policies,
    rules: firewall.policies.flatMap(p => zones.map(zone => rulesOfZone(p, zone, context))),
    slots,
    audiences,
    nat: planNat(firewall, surroundings, owned, name => zoneOf(zones, name)),
    tcpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.tcpTimeoutSeconds)),
    udpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.udpTimeoutSeconds)),
    otherTimeouts: Float64Array.from(firewall.policies, p => timeout(p.otherTimeoutSeconds)),
    icmpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.icmpTimeoutSeconds)),
    espTimeouts: Float64Array.from(firewall.policies, p => timeout(p.espTimeoutSeconds ?? p.otherTimeoutSeconds)),
    udpPortTimeouts: firewall.policies.map(
      p => new Map(p.udpPortTimeouts.map(u => [u.port, timeout(u.seconds ?? p.udpTimeoutSeconds)])),
    ),
    icmp: Uint8Array.from(firewall.policies, p => bits(ICMP_KINDS, p.icmpForwarding)),
    options: Uint8Array.from(firewall.policies, p => bits(IP_OPTION_KINDS, p.ipOptions)),
    fragments: Uint8Array.from(firewall.policies, p => bits(FRAGMENT_KINDS, p.fragments)),
    ping: Uint8Array.from(firewall.policies, p => (p.ping ? 1 : 0)),
    ftp: Uint8Array.from(firewall.policies, p => (p.ftpDataPort === undefined ? 0 : p.ftpDataPort === 'rfc' ? 1 : 2)),
    limits: compileLimits(firewall.policies, name => zoneOf(zones, name)),
    accounting: Uint8Array.from(firewall.policies, p => (p.accounting ? 1 : 0)),
    triggers: compileTriggers(firewall.policies),
    zonePolicies: zonePolicies(firewall, zones),
    outside: outsideZones(firewall, zones),
    own: Int32Array.from([...interfaces.map(i => i.address), ...(surroundings.own ?? [])]),
    networks: Int32Array.from(networks, x => x.network & x.mask),
    masks: Int32Array.from(networks, x => x.mask),
    networkZones: Uint16Array.from(networks, x => x.zone),
    elsewhere: outside ? zoneOf(zones, outside.name) : Zone.None,
  }
}

/** What a worker goes by before control has told it anything: nothing passes. */
export function closedRuleset(): Ruleset {
  return { ...buildRuleset({ enabled: true, policies: [] }, { interfaces: [] }), enabled: true }
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

function bits<T>(all: readonly T[], kept: readonly T[]): number {
  return all.reduce((sum, kind, i) => sum | (kept.includes(kind) ? 1 << i : 0), 0)
}

function zoneOf(zones: readonly string[], name: string): number {
  const zone = zones.findIndex(z => sameName(z, name))
  return zone < 0 ? Zone.None : zone
}

function zoneNames(firewall: Firewall, surroundings: Surroundings): string[] {
  const names = ['', SELF]
  const add = (name: string) => {
    if (!names.some(n => sameName(n, name))) names.push(name)
  }
  for (const p of firewall.policies) {
    for (const i of p.interfaces) add(i.name)
    for (const d of p.dynamics) add(dynamicInterface(d.name))
  }
  for (const i of surroundings.interfaces) add(i.name)
  return names
}

/** A timeout of 0 minutes means 30 seconds. */
function timeout(seconds: number): Millis {
  return seconds > 0 ? seconds * 1000 : Timeout.zero
}

function rulesOfZone(policy: FirewallPolicy, zone: string, context: RuleContext): RuleList {
  const entrance = policy.interfaces.find(i => sameName(i.name, zone))
  if (!entrance) return { rules: [], fields: undefined }
  const rules = policy.rules.filter(r => sameName(r.interface, zone))
  return compileRules(policy, rules, entrance.type === 'private', context)
}
