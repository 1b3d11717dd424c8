/** A policy's numbered rules, compiled for the packets that enter by one zone, and the search for the first that matches. */

import { IpProtocol, type Ipv4 } from '../packet/ip.ts'
import { type FieldIndex, indexField, pieceOf } from './classifier.ts'
import type { Headers } from './headers.ts'
import type { AddressRange, FirewallPolicy, FirewallRule, PortRange } from './policy.ts'
import { inTable, rangeTable } from './ranges.ts'

/** What a rule says about translation. */
export const RuleNat = { Unsaid: 0, Never: 1, Enhanced: 2, Standard: 3, Reverse: 4 } as const

export interface CompiledRule {
  readonly number: number
  /** Where its hits are counted. */
  readonly slot: number
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
  /** Against the destination before translation. */
  readonly original: boolean
  readonly originalFirst: Ipv4
  readonly originalLast: Ipv4
  readonly originalPortFirst: number
  readonly originalPortLast: number
  /** The far host is in one of these ranges, first and last by turns; undefined: wherever it is. */
  readonly list: Float64Array | undefined
  /** Whose session it must be: an index into Ruleset.audiences, or -1. */
  readonly audience: number
  readonly nat: number
  /** Enhanced and standard: the first of the addresses that the workers own, and how many; 0 where nftables translates. */
  readonly globalFirst: Ipv4
  readonly globalCount: number
  /** On a public interface: where packets to the global values go; 0 and -1 leave them as they are. */
  readonly targetAddress: Ipv4
  readonly targetPort: number
  readonly forwards: boolean
  /** On a public interface with REVERSE: what the first of the far hosts is called inside; 0: as outside. */
  readonly insideFirst: Ipv4
}

export interface RuleList {
  readonly rules: readonly CompiledRule[]
  /** Protocol, private address, remote address and destination port; absent where trying each rule is faster. */
  readonly fields: readonly FieldIndex[] | undefined
}

/** Sessions that a rule with USER or GROUP is about. */
export interface Audience {
  readonly user: string | undefined
  readonly group: string | undefined
  readonly policy: string
}

export interface RuleContext {
  /** Answers the index of an audience. */
  audience(audience: Audience): number
  /** Answers the slot of a rule's counter. */
  slot(policy: string, rule: number): number
  /** Whether the workers translate to and from an address. */
  owns(address: Ipv4): boolean
}

/** Up to here trying each rule is as fast. */
const FEW_RULES = 12
const ANY = 0xffffffff

/**
 * Those with ENCAPSULATION=IPSEC are about packets that IPsec itself delivered, which is L2TP; what a session carries comes
 * out of PPP, and only rules without it apply. `rules` are those of one interface.
 */
export function compileRules(
  policy: FirewallPolicy,
  rules: readonly FirewallRule[],
  privateIsSource: boolean,
  context: RuleContext,
): RuleList {
  const compiled = rules
    .filter(r => r.encapsulation !== 'ipsec')
    .sort((a, b) => a.number - b.number)
    .map(r => compileRule(policy, r, privateIsSource, context))
  return { rules: compiled, fields: compiled.length > FEW_RULES ? indexRules(compiled) : undefined }
}

function indexRules(rules: readonly CompiledRule[]): FieldIndex[] {
  return [
    indexField(rules.map(r => (r.protocol < 0 ? { first: 0, last: 255 } : { first: r.protocol, last: r.protocol }))),
    indexField(rules.map(r => ({ first: r.privateFirst, last: r.privateLast }))),
    indexField(rules.map(r => ({ first: r.remoteFirst, last: r.remoteLast }))),
    indexField(
      rules.map(r => (r.ports ? { first: r.destinationFirst, last: r.destinationLast } : { first: 0, last: ANY })),
    ),
  ]
}

/** Whether a rule on a public interface sends what it allows to another address or port than the packet has. */
export function isForward(r: FirewallRule): boolean {
  if (r.action === 'deny' || r.action === 'nonat' || r.natType === 'reverse' || r.globalIp === undefined) return false
  if (r.ip === undefined) return r.user !== undefined
  return (
    !sameRange(r.ip, r.globalIp) ||
    (r.port !== undefined && r.globalPort !== undefined && !sameRange(r.port, r.globalPort))
  )
}

export function sameRange(a: PortRange, b: PortRange): boolean {
  return a.first === b.first && a.last === b.last
}

/**
 * IP is the address on the private side, REMOTEIP the far host's, PORT the destination's and SOURCEPORT the source's. What
 * nftables translates the workers see behind that: there, global values that stand alone are the private ones.
 */
function compileRule(
  policy: FirewallPolicy,
  r: FirewallRule,
  privateIsSource: boolean,
  context: RuleContext,
): CompiledRule {
  const owned = r.globalIp !== undefined && context.owns(r.globalIp.first)
  const reverse = r.natType === 'reverse'
  const forwards = !privateIsSource && owned && isForward(r)
  const global = !privateIsSource && owned
  const inner: AddressRange | undefined = r.ip ?? (privateIsSource || owned || isForward(r) ? undefined : r.globalIp)
  const port: PortRange | undefined = r.port ?? (privateIsSource || owned ? undefined : r.globalPort)
  // Inside, the far hosts have the names of REMOTEIP; behind translation they have those of GBLREMOTEIP.
  const remote = reverse ? r.globalRemoteIp : r.remoteIp
  const original = reverse && privateIsSource ? r.remoteIp : global ? r.globalIp : undefined
  const originalPort = global ? r.globalPort : undefined
  const list = r.list === undefined ? undefined : policy.lists.find(l => l.name === r.list)
  const spoken = r.user !== undefined || r.group !== undefined
  const translates = privateIsSource && owned && r.action === 'nat'
  return {
    number: r.number,
    slot: context.slot(policy.name, r.number),
    allow: r.action !== 'deny',
    protocol: r.protocol ?? -1,
    privateIsSource,
    privateFirst: inner?.first ?? 0,
    privateLast: inner?.last ?? ANY,
    remoteFirst: remote?.first ?? 0,
    remoteLast: remote?.last ?? ANY,
    ports: isLimited(port) || isLimited(r.sourcePort) || isLimited(originalPort),
    destinationFirst: port?.first ?? 0,
    destinationLast: port?.last ?? 0xffff,
    sourceFirst: r.sourcePort?.first ?? 0,
    sourceLast: r.sourcePort?.last ?? 0xffff,
    original: original !== undefined || originalPort !== undefined,
    originalFirst: original?.first ?? 0,
    originalLast: original?.last ?? ANY,
    originalPortFirst: originalPort?.first ?? 0,
    originalPortLast: originalPort?.last ?? 0xffff,
    list: r.list === undefined ? undefined : rangeTable(list?.addresses ?? []),
    audience: spoken ? context.audience({ user: r.user, group: r.group, policy: policy.name }) : -1,
    nat: natOf(r, privateIsSource),
    globalFirst: translates ? r.globalIp!.first : 0,
    globalCount: translates ? r.globalIp!.last - r.globalIp!.first + 1 : 0,
    forwards,
    insideFirst: reverse && !privateIsSource ? (r.remoteIp?.first ?? 0) : 0,
    targetAddress: forwards ? (r.ip?.first ?? 0) : 0,
    targetPort: forwards && r.port !== undefined && r.globalPort !== undefined ? r.port.first : -1,
  }
}

function natOf(r: FirewallRule, privateIsSource: boolean): number {
  if (r.action === 'nonat') return RuleNat.Never
  if (r.action !== 'nat') return RuleNat.Unsaid
  if (r.natType === 'reverse') return RuleNat.Reverse
  if (!privateIsSource || r.globalIp === undefined) return RuleNat.Unsaid
  return r.natType === 'standard' ? RuleNat.Standard : RuleNat.Enhanced
}

/** PORT=ALL is no limit, and a protocol without ports must not be asked for them. */
export function isLimited(r: PortRange | undefined): r is PortRange {
  return r !== undefined && (r.first > 0 || r.last < 65535)
}

/** Which sessions belong to an audience: a byte by session. */
export type Members = readonly Uint8Array[]

/** The first rule that matches, or undefined. `subject` is the session that rules with USER or GROUP ask about, or 0. */
export function firstMatch(list: RuleList, h: Headers, subject: number, members: Members): CompiledRule | undefined {
  const { rules, fields } = list
  if (fields === undefined) {
    for (let i = 0; i < rules.length; i++) if (matches(rules[i]!, h, subject, members)) return rules[i]
    return undefined
  }
  if (rules.length === 0) return undefined
  const inward = !rules[0]!.privateIsSource
  const near = (inward ? h.destination : h.source) >>> 0
  const far = (inward ? h.source : h.destination) >>> 0
  const [protocols, nears, fars, ports] = fields as [FieldIndex, FieldIndex, FieldIndex, FieldIndex]
  const words = protocols.words
  const a = pieceOf(protocols, h.protocol) * words
  const b = pieceOf(nears, near) * words
  const c = pieceOf(fars, far) * words
  const d = pieceOf(ports, h.destinationPort) * words
  for (let w = 0; w < words; w++) {
    let bits = protocols.bits[a + w]! & nears.bits[b + w]! & fars.bits[c + w]! & ports.bits[d + w]!
    while (bits !== 0) {
      const rule = rules[w * 32 + 31 - Math.clz32(bits & -bits)]!
      if (matches(rule, h, subject, members)) return rule
      bits &= bits - 1
    }
  }
  return undefined
}

export function matches(r: CompiledRule, h: Headers, subject: number, members: Members): boolean {
  if (r.protocol >= 0 && r.protocol !== h.protocol) return false
  const inner = (r.privateIsSource ? h.source : h.destination) >>> 0
  if (inner < r.privateFirst || inner > r.privateLast) return false
  const remote = (r.privateIsSource ? h.destination : h.source) >>> 0
  if (remote < r.remoteFirst || remote > r.remoteLast) return false
  if (r.audience >= 0 && members[r.audience]![subject] !== 1) return false
  if (r.list !== undefined && !inTable(r.list, remote)) return false
  return matchesPorts(r, h) && (!r.original || matchesOriginal(r, h))
}

function matchesPorts(r: CompiledRule, h: Headers): boolean {
  if (!r.ports) return true
  return (
    hasPorts(h) &&
    h.destinationPort >= r.destinationFirst &&
    h.destinationPort <= r.destinationLast &&
    h.sourcePort >= r.sourceFirst &&
    h.sourcePort <= r.sourceLast
  )
}

function matchesOriginal(r: CompiledRule, h: Headers): boolean {
  const address = h.originalDestination >>> 0
  if (address < r.originalFirst || address > r.originalLast) return false
  if (!r.ports) return true
  return h.originalPort >= r.originalPortFirst && h.originalPort <= r.originalPortLast
}

/** Whether a forwarding rule is meant by a packet to its global values; nothing but those values is as it will be. */
export function isForwardedBy(r: CompiledRule, h: Headers): boolean {
  if (!r.forwards || (r.protocol >= 0 && r.protocol !== h.protocol)) return false
  const remote = h.source >>> 0
  if (remote < r.remoteFirst || remote > r.remoteLast) return false
  if (r.list !== undefined && !inTable(r.list, remote)) return false
  if (r.ports && !(hasPorts(h) && h.sourcePort >= r.sourceFirst && h.sourcePort <= r.sourceLast)) return false
  if (!matchesOriginal(r, h)) return false
  // Without GBLPORT the packet's own port is the private one.
  return !r.ports || r.targetPort >= 0 || matchesPorts(r, h)
}

function hasPorts(h: Headers): boolean {
  return h.protocol === IpProtocol.Tcp || h.protocol === IpProtocol.Udp
}
