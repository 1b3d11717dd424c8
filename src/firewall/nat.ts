/**
 * Address translation for sessions (RFC 2663, RFC 3022): which address and port a new flow gets, and where packets to the
 * addresses that the worker owns belong. What comes back is let in only from where the flow went (endpoint-dependent
 * filtering, RFC 4787 section 5), since a flow's row has both ends.
 */

import type { Millis } from '../machine.ts'
import { IpProtocol } from '../packet/ip.ts'
import { NAT_DRAWS, NAT_STEPS } from './constants.ts'
import type { FlowTable } from './flow.ts'
import { FlowState, Hook } from './flow-columns.ts'
import type { Headers } from './headers.ts'
import { quotedRow } from './nat-error.ts'
import type { CompiledPair } from './nat-plan.ts'
import { portOfWorker, portsOfWorker } from './nat-ports.ts'
import { type CompiledRule, isForwardedBy, matches, RuleNat } from './rules.ts'
import { zoneOfAddress } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'

/** Whether the workers own an address (signed, as in Headers). */
export function isGlobal(globals: Float64Array, address: number): boolean {
  for (let i = 0; i < globals.length; i += 2) {
    if (address >>> 0 >= globals[i]! && address >>> 0 <= globals[i + 1]!) return true
  }
  return false
}

/**
 * Finds out where a packet to one of our global addresses goes, and sets the headers' destination to that. Answers false
 * where nobody is meant: then it must not pass. `from` is the zone it comes from.
 */
export function resolve(bytes: Uint8Array, tables: FirewallTables, h: Headers, from: number, now: Millis): boolean {
  const { flows, fragments } = tables
  if (h.fragmentOffset !== 0) {
    const row = fragments.find(h, now)
    if (row < 0 || !fragments.isTranslated(row)) return false
    h.destination = fragments.toDestination[row]!
    return true
  }
  const known = h.isIcmpError
    ? quotedRow(bytes, tables, h, Hook.Out, now)
    : flows.findTranslated(Hook.Out, h.source, h.sourcePort, h.destination, h.destinationPort, h.protocol, now)
  if (known >= 0) {
    h.destination = flows.source[flows.mate[known]!]!
    if (!h.isIcmpError) h.destinationPort = flows.sourcePort[flows.mate[known]!]!
    return true
  }
  if (h.isIcmpError) return false
  const expected = tables.ftp.find(h, now)
  if (expected >= 0) {
    h.destination = tables.ftp.client[expected]!
    h.destinationPort = tables.ftp.clientPort[expected]!
    return true
  }
  if (forward(tables, h, from) || toOneToOne(tables, h)) return true
  // A client that calls a service by its global address is served like those outside.
  const outside = zoneOfAddress(tables.ruleset, h.destination)
  return outside !== from && forward(tables, h, outside)
}

/** By a rule for the packet's global values, in the order of their numbers. */
function forward(tables: FirewallTables, h: Headers, from: number): boolean {
  const { ruleset } = tables
  const zones = ruleset.zones.length
  for (let policy = 0; policy * zones < ruleset.rules.length; policy++) {
    const { rules } = ruleset.rules[policy * zones + from]!
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!
      if (!isForwardedBy(rule, h)) continue
      const target = targetOf(tables, rule, h)
      if (target === 0) continue
      h.destination = target
      if (rule.targetPort >= 0) h.destinationPort = rule.targetPort + (h.originalPort - rule.originalPortFirst)
      return true
    }
  }
  return false
}

/** The rule's own address, or that of the session whose user it names; 0 where there is none. */
function targetOf(tables: FirewallTables, rule: CompiledRule, h: Headers): number {
  if (rule.targetAddress !== 0) {
    const one = rule.privateFirst === rule.privateLast
    return (rule.targetAddress + (one ? 0 : (h.originalDestination >>> 0) - rule.originalFirst)) | 0
  }
  const session = tables.sessionOf(rule.audience)
  return session === 0 ? 0 : tables.sessions.address[session]! | 0
}

function toOneToOne(tables: FirewallTables, h: Headers): boolean {
  const { pairs } = tables.ruleset.nat
  const destination = h.destination >>> 0
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    const offset = destination - pair.globalFirst
    if (pair.kind !== RuleNat.Standard || offset < 0 || offset >= pair.globalCount) continue
    const holder = pair.pool ? tables.sessions.address[tables.pools[i]![offset]!]! : pair.first + offset
    if (holder === 0) return false
    h.destination = holder | 0
    return true
  }
  return false
}

/** REVERSE, outward: a far host by the name it has inside. Sets the headers' destination to the true one. */
export function redirect(tables: FirewallTables, h: Headers, from: number, session: number): void {
  const { ruleset } = tables
  const { pairs } = ruleset.nat
  const zones = ruleset.zones.length
  for (let policy = 0; policy * zones < ruleset.rules.length; policy++) {
    const { rules } = ruleset.rules[policy * zones + from]!
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!
      if (rule.nat !== RuleNat.Reverse || !rule.original) continue
      const offset = (h.originalDestination >>> 0) - rule.originalFirst
      if (offset < 0 || h.originalDestination >>> 0 > rule.originalLast) continue
      h.destination = (rule.remoteFirst + offset) | 0
      if (matches(rule, h, session, tables.members)) return
      h.destination = h.originalDestination
    }
  }
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    const offset = (h.destination >>> 0) - pair.first
    if (pair.kind !== RuleNat.Reverse || pair.from !== from || offset < 0 || h.destination >>> 0 > pair.last) continue
    h.destination = (pair.globalFirst + offset) | 0
    return
  }
}

/** REVERSE, inward: the name that a far host has inside, or its own address. */
export function nameInside(tables: FirewallTables, h: Headers, rule: CompiledRule | undefined, to: number): number {
  const source = h.source >>> 0
  if (rule !== undefined && rule.nat === RuleNat.Reverse && rule.insideFirst !== 0) {
    return (rule.insideFirst + (source - rule.remoteFirst)) | 0
  }
  const { pairs } = tables.ruleset.nat
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    const offset = source - pair.globalFirst
    if (pair.kind !== RuleNat.Reverse || pair.from !== to || offset < 0 || offset >= pair.globalCount) continue
    if (pair.first + offset <= pair.last) return (pair.first + offset) | 0
  }
  return h.source
}

/** No address is left in a pool. */
export const NO_GLOBAL = -1
/** What bears no port cannot leave by an address that several workers share: its answers would find none of them. */
export const NOT_SHARED = -2

/**
 * The address that a session's new flow gets outside, or 0 where it keeps its own. NO_GLOBAL or NOT_SHARED where it must not
 * pass. Sets `tables.keepsPort`.
 */
export function chooseGlobal(
  tables: FirewallTables,
  h: Headers,
  rule: CompiledRule | undefined,
  from: number,
  to: number,
  session: number,
): number {
  const source = h.source >>> 0
  tables.keepsPort = false
  if (rule !== undefined && rule.globalCount === 0 && rule.nat !== RuleNat.Unsaid && rule.nat !== RuleNat.Reverse) {
    // Not at all, or by nftables.
    return 0
  }
  if (rule !== undefined && rule.globalCount > 0) {
    tables.keepsPort = rule.nat === RuleNat.Standard
    if (!tables.keepsPort && !mayShare(tables, h)) return NOT_SHARED
    const offset = tables.keepsPort ? source - rule.privateFirst : spread(source, rule.globalCount)
    return (rule.globalFirst + offset) | 0
  }
  const { pairs } = tables.ruleset.nat
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    if (pair.kind === RuleNat.Reverse || pair.from !== from || pair.to !== to) continue
    if (source < pair.first || source > pair.last) continue
    if (pair.kind === RuleNat.Enhanced && !mayShare(tables, h)) return NOT_SHARED
    if (pair.kind === RuleNat.Enhanced) return (pair.globalFirst + spread(source, pair.globalCount)) | 0
    tables.keepsPort = true
    return pair.pool ? fromPool(tables.pools[i]!, pair, session) : (pair.globalFirst + (source - pair.first)) | 0
  }
  return 0
}

function mayShare(tables: FirewallTables, h: Headers): boolean {
  return tables.ruleset.nat.workers === 1 || hasPort(h)
}

function hasPort({ protocol }: Headers): boolean {
  return protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp || protocol === IpProtocol.Icmp
}

/** One private address always has the same global one (RFC 4787, REQ-2). */
function spread(address: number, count: number): number {
  return count === 1 ? 0 : (Math.imul(address, 0x9e3779b1) >>> 8) % count
}

function fromPool(holders: Uint32Array, pair: CompiledPair, session: number): number {
  let free = -1
  for (let i = 0; i < holders.length; i++) {
    if (holders[i] === session) return (pair.globalFirst + i) | 0
    if (free < 0 && holders[i] === 0) free = i
  }
  if (free < 0) return NO_GLOBAL
  holders[free] = session
  return (pair.globalFirst + free) | 0
}

/**
 * Makes a new flow of a session's packet that goes out as `global` (0: as itself) to where the headers say. Answers its row,
 * or -1 where no port or no room is left.
 */
export function openOutward(tables: FirewallTables, h: Headers, session: number, global: number, now: Millis): number {
  const { flows, tuple, answer } = tables
  begin(tables, h)
  answer.destination = global === 0 ? h.source : global
  answer.destinationPort = h.sourcePort
  if (global !== 0 && hasPort(h) && !tables.keepsPort) {
    if (!drawPort(tables, h.protocol, now)) return -1
  } else if (isTaken(tables, h.protocol, now)) return -1
  return flows.insertTranslated(Hook.In, tuple, answer, h.protocol, session, now)
}

/** The first packet as it came, and where its answers will come from. */
function begin(tables: FirewallTables, h: Headers): void {
  const { tuple, answer } = tables
  tuple.source = h.source
  tuple.sourcePort = h.sourcePort
  tuple.destination = h.originalDestination
  tuple.destinationPort = h.originalPort
  answer.source = h.destination
  answer.sourcePort = h.destinationPort
}

/**
 * Draws `answer.destinationPort` from this worker's own; the same port may serve other far ends, since those are told
 * apart.
 */
export function drawPort(tables: FirewallTables, protocol: number, now: Millis): boolean {
  const { answer, draws, reserved, worker, ruleset } = tables
  const { workers } = ruleset.nat
  const own = workers === 1 ? 0 : worker
  const count = portsOfWorker(own, workers)
  let index = 0
  for (let i = 0; i < NAT_DRAWS + NAT_STEPS; i++) {
    index = i < NAT_DRAWS ? draws.next() % count : (index + 1) % count
    const port = portOfWorker(index, own, workers)
    answer.destinationPort = port
    if (reserved[port] === 0 && !isTaken(tables, protocol, now)) return true
  }
  return false
}

function isTaken(tables: FirewallTables, protocol: number, now: Millis): boolean {
  const { source, sourcePort, destination, destinationPort } = tables.answer
  return tables.flows.findTranslated(Hook.Out, source, sourcePort, destination, destinationPort, protocol, now) >= 0
}

/** Makes a new flow of a packet to a session, sent to one of our addresses or by a host that has another name inside. */
export function openInward(tables: FirewallTables, h: Headers, session: number, source: number, now: Millis): number {
  const { flows, tuple, answer } = tables
  begin(tables, h)
  answer.destination = source
  answer.destinationPort = h.sourcePort
  // The session may have a flow of its own between the same ends.
  const { destination: d, destinationPort: p } = answer
  const translated = flows.findTranslated(Hook.In, answer.source, answer.sourcePort, d, p, h.protocol, now)
  if (!makesWay(flows, translated, h)) return -1
  if (!makesWay(flows, flows.find(answer.source, answer.sourcePort, d, p, h.protocol, now), h)) return -1
  return flows.insertTranslated(Hook.Out, tuple, answer, h.protocol, session, now)
}

/** A connection that is over gives its ends to a new one: an FTP server calls the same port again. */
function makesWay(flows: FlowTable, row: number, h: Headers): boolean {
  if (row < 0) return true
  if (h.protocol !== IpProtocol.Tcp || !h.opensTcp || flows.state[row] !== FlowState.Closing) return false
  flows.remove(row)
  return true
}
