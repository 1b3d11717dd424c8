/**
 * Whether the policy lets one packet pass: its flow or its translated flow, or a new one where a rule or the base rule allows
 * it; what is translated leaves with its other addresses.
 */

import type { Millis } from '../machine.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason } from '../packet/verdict.ts'
import { IcmpType, TcpFlag } from './constants.ts'
import type { Tuple } from './flow.ts'
import { FlowState, Hook } from './flow-columns.ts'
import { FTP_PORT, refuseSack, shiftAcknowledgement } from './ftp.ts'
import { followFtp } from './ftp-follow.ts'
import type { Headers } from './headers.ts'
import { chooseGlobal, NO_GLOBAL, NOT_SHARED, nameInside, openInward, openOutward } from './nat.ts'
import { quotedRow, rewriteError } from './nat-error.ts'
import type { Passage } from './passage.ts'
import { reidentify, rewrite } from './rewrite.ts'
import type { CompiledRule } from './rules.ts'
import { Kind, kindOf, matchRule, policyOf, Zone } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'
import { track } from './track.ts'
import { Seen } from './untracked.ts'
import { answered } from './watch.ts'

/** Bits of ICMP_KINDS by message type. */
const icmpBits = new Uint8Array(256)
for (const [bit, types] of [
  [IcmpType.ParameterProblem],
  [IcmpType.Echo, IcmpType.EchoReply],
  [IcmpType.SourceQuench],
  [IcmpType.TimeExceeded],
  [IcmpType.Timestamp, IcmpType.TimestampReply],
  [IcmpType.DestinationUnreachable],
].entries()) {
  for (const type of types) icmpBits[type] = 1 << bit
}

/** Answers DropReason.None where the packet passes; its bytes may have been rewritten then. */
export function admit(bytes: Uint8Array, tables: FirewallTables, h: Headers, p: Passage, now: Millis): DropReason {
  const { ruleset, flows } = tables
  if (!ruleset.enabled) {
    tables.passedFreely = true
    return DropReason.None
  }
  const kind = kindOf(ruleset, p.from, p.to)
  if (kind === Kind.None) return refuse(tables, 0)
  const policy = policyOf(ruleset, p.from, p.to)
  if (kind !== Kind.Free && !optionsPass(tables, h, policy)) return refuse(tables, 0)
  if (h.fragmentOffset !== 0) return laterFragment(bytes, tables, h, kind, now)
  if (h.moreFragments && tables.fragments.overlaps(h, now)) return overlap(tables)
  if (h.isIcmpError) return error(bytes, tables, h, p, kind, now)

  const hook = p.fromClient ? Hook.In : Hook.Out
  const { source, sourcePort, originalDestination, originalPort, protocol } = h
  const row = flows.findTranslated(hook, source, sourcePort, originalDestination, originalPort, protocol, now)
  if (row >= 0 && !beginsAnew(tables, row, h)) return goOn(bytes, tables, h, row, p.fromClient, policy, now)
  if (kind === Kind.Free && !isMoved(h)) return passFreely(tables, h, p, now)
  const reason = connect(bytes, tables, h, p, kind, policy, now)
  if (reason === DropReason.None && h.moreFragments && !tables.wasTranslated) tables.fragments.record(h, now)
  return reason
}

/** Between two sides that are free to speak nothing is tracked, and what opens something, or answers that, is only noted. */
function passFreely(tables: FirewallTables, h: Headers, p: Passage, now: Millis): DropReason {
  // By another name that a packet bears it may be another one's.
  tables.passedFreely = !tables.ruleset.nat.reverses
  if (h.moreFragments) tables.fragments.record(h, now)
  if (h.protocol === IpProtocol.Tcp) {
    tables.opened = h.opensTcp
    const accepts = TcpFlag.Syn | TcpFlag.Ack
    if ((h.tcpFlags & accepts) === accepts) answered(tables, h.protocol, p.session, !p.fromClient)
    return DropReason.None
  }
  const seen = tables.untracked.look(p.session, h)
  tables.opened = seen === Seen.New
  if (seen === Seen.Answer) answered(tables, h.protocol, p.session, !p.fromClient)
  return DropReason.None
}

/** A fragment that says again, and otherwise, what another one said of its datagram (RFC 1858 section 4). */
function overlap(tables: FirewallTables): DropReason {
  tables.overlapped = true
  return DropReason.Policy
}

/** Whether the packet already has another destination than it bears. */
function isMoved(h: Headers): boolean {
  return h.destination !== h.originalDestination || h.destinationPort !== h.originalPort
}

/** IP options, fragments and ICMP messages that the policy does not forward. */
function optionsPass(tables: FirewallTables, h: Headers, policy: number): boolean {
  const { ruleset } = tables
  if ((h.options & ~ruleset.options[policy]!) !== 0) return false
  if (h.moreFragments || h.fragmentOffset !== 0) {
    const bit = h.protocol === IpProtocol.Icmp ? 1 : h.protocol === IpProtocol.Udp ? 2 : 4
    if ((ruleset.fragments[policy]! & bit) === 0) return false
  }
  if (h.protocol !== IpProtocol.Icmp || h.fragmentOffset !== 0) return true
  return (icmpBits[h.icmpType]! & ruleset.icmp[policy]!) !== 0
}

function laterFragment(bytes: Uint8Array, tables: FirewallTables, h: Headers, kind: number, now: Millis): DropReason {
  const { fragments, tuple } = tables
  const row = fragments.find(h, now)
  if (row < 0) return kind === Kind.Free && !isMoved(h) ? DropReason.None : DropReason.Policy
  if (!fragments.cover(row, h)) return overlap(tables)
  if (!fragments.isTranslated(row)) return DropReason.None
  tuple.source = fragments.toSource[row]!
  tuple.destination = fragments.toDestination[row]!
  rewrite(bytes, h, tuple)
  reidentify(bytes, h, fragments.toIdentification[row]!)
  return DropReason.None
}

/** An ICMP error passes to the host whose packet of a live flow it quotes (RFC 5508 section 4). */
function error(
  bytes: Uint8Array,
  tables: FirewallTables,
  h: Headers,
  p: Passage,
  kind: number,
  now: Millis,
): DropReason {
  const row = quotedRow(bytes, tables, h, p.fromClient ? Hook.In : Hook.Out, now)
  if (row >= 0) return rewriteError(bytes, tables, h, row) ? DropReason.None : DropReason.Policy
  if (isMoved(h)) return DropReason.Policy
  if (kind === Kind.Free) return DropReason.None
  const q = tables.quoted
  if (!q.readQuoted(bytes, h) || q.source !== h.destination) return DropReason.Policy
  const known = tables.flows.find(q.source, q.sourcePort, q.destination, q.destinationPort, q.protocol, now)
  if (known < 0) return DropReason.Policy
  if (h.moreFragments) tables.fragments.record(h, now)
  return DropReason.None
}

/** One more packet of a translated flow. */
function goOn(
  bytes: Uint8Array,
  tables: FirewallTables,
  h: Headers,
  row: number,
  fromClient: boolean,
  policy: number,
  now: Millis,
): DropReason {
  const { flows } = tables
  const reversed = flows.isAnswer[row] === 1
  const first = reversed ? flows.mate[row]! : row
  // The far end of a connection that is over asks for a new one by the same ports: that is no answer.
  if (reversed && h.protocol === IpProtocol.Tcp && h.opensTcp && flows.state[first] === FlowState.Closing)
    return DropReason.Policy
  const ftp = h.protocol === IpProtocol.Tcp && tables.ruleset.ftp[policy] !== 0
  if (ftp && reversed) shiftAcknowledgement(bytes, flows, first, h)
  const opening = flows.state[first] === FlowState.Opening
  if (!track(flows, first, reversed, bytes, h, tables.ruleset, policy, now)) return DropReason.Policy
  if (opening) settle(tables, h, first, reversed !== fromClient)
  if (ftp && !reversed && fromClient && !followFtp(bytes, tables, h, first, policy, now)) return DropReason.Policy
  leaveTranslated(bytes, tables, h, row, now)
  return DropReason.None
}

/** What opened the flow was meant, where it is answered now. */
function settle(tables: FirewallTables, h: Headers, row: number, byClient: boolean): void {
  const { flows } = tables
  if (flows.state[row] === FlowState.Established) answered(tables, h.protocol, flows.session[row]!, byClient)
}

/** Gives the packet the addresses that its flow has on the other side. */
function leaveTranslated(bytes: Uint8Array, tables: FirewallTables, h: Headers, row: number, now: Millis): void {
  const { flows, fragments, tuple } = tables
  reverseOf(tables, flows.mate[row]!, tuple)
  rewrite(bytes, h, tuple)
  if (!h.moreFragments) return
  const identification = tables.draws.next()
  fragments.translate(fragments.record(h, now), tuple, identification)
  reidentify(bytes, h, identification)
}

function reverseOf(tables: FirewallTables, row: number, out: Tuple): void {
  const { flows } = tables
  out.source = flows.destination[row]!
  out.sourcePort = flows.destinationPort[row]!
  out.destination = flows.source[row]!
  out.destinationPort = flows.sourcePort[row]!
}

/** Finds the packet's flow, or makes one where a rule or the base rule allows it. */
function connect(
  bytes: Uint8Array,
  tables: FirewallTables,
  h: Headers,
  p: Passage,
  kind: number,
  policy: number,
  now: Millis,
): DropReason {
  const { flows, ruleset } = tables
  tables.wasTranslated = false
  const moved = isMoved(h)
  const known = moved ? -1 : flows.find(h.source, h.sourcePort, h.destination, h.destinationPort, h.protocol, now)
  if (known >= 0) {
    const reversed = flows.reversed
    // The far end of a connection that is over asks for a new one by the same ports: that is no answer.
    const reopened = reversed && h.protocol === IpProtocol.Tcp && h.opensTcp && flows.state[known] === FlowState.Closing
    if (!reopened && !beginsAnew(tables, known, h)) {
      const opening = flows.state[known] === FlowState.Opening
      if (!track(flows, known, reversed, bytes, h, ruleset, policy, now)) return DropReason.Policy
      if (opening) settle(tables, h, known, reversed !== p.fromClient)
      const ftp = p.fromClient && !reversed && ruleset.ftp[policy] !== 0
      return ftp && !followFtp(bytes, tables, h, known, policy, now) ? DropReason.Policy : DropReason.None
    }
    if (reopened) flows.remove(known)
  }

  const rule = kind === Kind.Free ? undefined : matchRule(ruleset, policy, p.from, h, p.subject, tables.members)
  if (rule !== undefined) tables.hits[rule.slot]!++
  const number = rule ? rule.number : 0
  const expected = p.fromClient || ruleset.ftp[policy] === 0 ? -1 : tables.ftp.find(h, now)
  if (expected < 0 && !isAllowed(tables, h, rule, kind, policy, p.to)) return refuse(tables, number)
  // Answers without a question, redirects and the like.
  if (h.protocol === IpProtocol.Icmp && !h.isIcmpQuery) return refuse(tables, number)

  let row: number
  const other = p.fromClient
    ? kind === Kind.Free
      ? 0
      : chooseGlobal(tables, h, rule, p.from, p.to, p.session)
    : ruleset.nat.reverses
      ? nameInside(tables, h, rule, p.to)
      : h.source
  const translated = moved || (p.fromClient ? other !== 0 : other !== h.source)
  if (h.protocol === IpProtocol.Tcp && !h.opensTcp) {
    // Outward, a connection may be older than we are; but the far end never knew it by an address that is only drawn now.
    if (kind !== Kind.Outward || translated) return refuse(tables, number)
    // What only ends one needs no flow.
    if ((h.tcpFlags & (TcpFlag.Ack | TcpFlag.Rst | TcpFlag.Fin | TcpFlag.Syn)) !== TcpFlag.Ack) return DropReason.None
  }
  if (kind !== Kind.Free && !withinLimits(tables, h, p, policy)) return DropReason.SessionLimit
  if (!translated) {
    row = flows.insert(h.source, h.sourcePort, h.destination, h.destinationPort, h.protocol, p.session, now)
  } else if (p.fromClient) {
    if (other === NOT_SHARED) return refuse(tables, number)
    row = other === NO_GLOBAL ? -1 : openOutward(tables, h, p.session, other, now)
  } else {
    row = openInward(tables, h, p.session, other, now)
  }
  if (row < 0) return DropReason.FlowTableFull
  if (expected >= 0) tables.ftp.done(expected)
  flows.fromOutside[row] = ruleset.outside[p.from]!
  if (kind !== Kind.Free) tables.limits.begin(row, h.source)
  track(flows, row, false, bytes, h, ruleset, policy, now)
  if (translated && p.fromClient && ruleset.ftp[policy] !== 0 && h.destinationPort === FTP_PORT) refuseSack(bytes, h)
  tables.opened = true
  tables.decidedBy = number
  h.bytes = bytes
  tables.events.record(h, p, true, number, DropReason.None, now)
  if (translated) {
    leaveTranslated(bytes, tables, h, row, now)
    tables.wasTranslated = true
  }
  return DropReason.None
}

/** Whether no limit rule is against one more connection of who begins it. */
function withinLimits(tables: FirewallTables, h: Headers, p: Passage, policy: number): boolean {
  const { limits } = tables
  if (!limits.active) return true
  const inward = tables.ruleset.outside[p.from] === 1
  const inside = inward ? h.destination : h.source
  const outside = inward ? h.source : h.destination
  if (limits.allows(policy, p.from, p.to, h.source, inside, outside)) return true
  tables.decidedBy = limits.refusedBy
  return false
}

/**
 * The client uses its port again: where flows are counted that is another one, which the rules are asked about. Frees the row
 * of the one before.
 */
function beginsAnew(tables: FirewallTables, row: number, h: Headers): boolean {
  const { flows } = tables
  if (flows.observer === undefined || h.protocol !== IpProtocol.Tcp || !h.opensTcp) return false
  if (flows.isAnswer[row] === 1 || flows.state[row] !== FlowState.Closing) return false
  flows.remove(row)
  return true
}

function isAllowed(
  tables: FirewallTables,
  h: Headers,
  rule: CompiledRule | undefined,
  kind: number,
  policy: number,
  to: number,
): boolean {
  if (rule !== undefined) return rule.allow
  if (kind !== Kind.Inward) return true
  return (
    to === Zone.Self &&
    tables.ruleset.ping[policy] === 1 &&
    h.protocol === IpProtocol.Icmp &&
    h.icmpType === IcmpType.Echo
  )
}

function refuse(tables: FirewallTables, rule: number): DropReason {
  tables.decidedBy = rule
  return DropReason.Policy
}
