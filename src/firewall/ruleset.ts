/** The firewall policy compiled into flat tables that the data path reads without a search by name. */

import type { Millis } from '../machine.ts'
import { IpProtocol, type Ipv4, maskPrefix } from '../packet/ip.ts'
import { Timeout } from './constants.ts'
import type { Headers } from './headers.ts'
import type { AddressRange, Firewall, FirewallPolicy, FirewallRule, PortRange } from './policy.ts'
import { dynamicInterface, interfaceOfUser, type Relation, relate, SELF, sameName } from './zones.ts'

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

export interface CompiledRule {
  readonly number: number
  readonly allow: boolean
  readonly protocol: number
  /** The private side's address is the packet's source (rule on a private interface) or destination (on a public one). */
  readonly privateIsSource: boolean
  readonly privateFirst: Ipv4
  readonly privateLast: Ipv4
  readonly remoteFirst: Ipv4
  readonly remoteLast: Ipv4
  readonly ports: boolean
  readonly destinationFirst: number
  readonly destinationLast: number
  readonly sourceFirst: number
  readonly sourceLast: number
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
  readonly rules: readonly (readonly CompiledRule[])[]
  /** Timeouts in milliseconds by policy. */
  readonly tcpTimeouts: Float64Array
  readonly udpTimeouts: Float64Array
  readonly otherTimeouts: Float64Array
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
  const outside = firewall.policies.flatMap(p => p.interfaces).find(i => i.type === 'public' && !isDynamic(i.name))
  return {
    enabled: firewall.enabled && firewall.policies.length > 0,
    zones,
    firewall,
    kinds,
    policies,
    rules: firewall.policies.flatMap(p => zones.map(zone => compileRules(p, zone))),
    tcpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.tcpTimeoutSeconds)),
    udpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.udpTimeoutSeconds)),
    otherTimeouts: Float64Array.from(firewall.policies, p => timeout(p.otherTimeoutSeconds)),
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
export function matchRule(ruleset: Ruleset, policy: number, zone: number, h: Headers): CompiledRule | undefined {
  const rules = ruleset.rules[policy * ruleset.zones.length + zone]!
  for (let i = 0; i < rules.length; i++) if (matches(rules[i]!, h)) return rules[i]
  return undefined
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

function isDynamic(name: string): boolean {
  return /^dyn-/i.test(name)
}

/** A timeout of 0 minutes means 30 seconds. */
function timeout(seconds: number): Millis {
  return seconds > 0 ? seconds * 1000 : Timeout.zero
}

/**
 * The rules for packets that enter by one interface. Those with ENCAPSULATION=IPSEC are about packets that IPsec itself
 * delivered, which is L2TP; what a session carries comes out of PPP, and only rules without it apply.
 */
function compileRules(policy: FirewallPolicy, zone: string): CompiledRule[] {
  const entrance = policy.interfaces.find(i => sameName(i.name, zone))
  if (!entrance) return []
  return policy.rules
    .filter(r => sameName(r.interface, zone) && r.encapsulation !== 'ipsec')
    .sort((a, b) => a.number - b.number)
    .map(r => compileRule(r, entrance.type === 'private'))
}

/**
 * IP is the address on the private side, REMOTEIP the far host's, PORT the destination's and SOURCEPORT the source's. The
 * worker sees packets behind the kernel's translation: where a rule gives global values alone, they are the private ones.
 */
function compileRule(r: FirewallRule, privateIsSource: boolean): CompiledRule {
  const inner: AddressRange | undefined = r.ip ?? (privateIsSource ? undefined : r.globalIp)
  const port: PortRange | undefined = r.port ?? (privateIsSource ? undefined : r.globalPort)
  return {
    number: r.number,
    allow: r.action !== 'deny',
    protocol: r.protocol ?? -1,
    privateIsSource,
    privateFirst: inner?.first ?? 0,
    privateLast: inner?.last ?? 0xffffffff,
    remoteFirst: r.remoteIp?.first ?? 0,
    remoteLast: r.remoteIp?.last ?? 0xffffffff,
    ports: port !== undefined || r.sourcePort !== undefined,
    destinationFirst: port?.first ?? 0,
    destinationLast: port?.last ?? 0xffff,
    sourceFirst: r.sourcePort?.first ?? 0,
    sourceLast: r.sourcePort?.last ?? 0xffff,
  }
}

function matches(r: CompiledRule, h: Headers): boolean {
  if (r.protocol >= 0 && r.protocol !== h.protocol) return false
  const inner = (r.privateIsSource ? h.source : h.destination) >>> 0
  if (inner < r.privateFirst || inner > r.privateLast) return false
  const remote = (r.privateIsSource ? h.destination : h.source) >>> 0
  if (remote < r.remoteFirst || remote > r.remoteLast) return false
  if (!r.ports) return true
  if (h.protocol !== IpProtocol.Tcp && h.protocol !== IpProtocol.Udp) return false
  return (
    h.destinationPort >= r.destinationFirst &&
    h.destinationPort <= r.destinationLast &&
    h.sourcePort >= r.sourceFirst &&
    h.sourcePort <= r.sourceLast
  )
}
