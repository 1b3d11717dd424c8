/**
 * The firewall stage, both directions: sound IPv4, no false sources, the policy with its connection tracking, and the
 * link's size. It only looks at packets that are still to be forwarded, and never allocates, throws or reads a clock.
 *
 * Steps for each packet:
 *   1. read its headers; a malformed one is dropped
 *   2. in: the source is the address that was assigned; out: the destination finds the session
 *   2a. in: what is broadcast to the DHCP server is control's
 *   2b. out: a global address that we translate for finds its way inside
 *   3. the zones it goes between give the base rule; a flow, a rule or that base rule decides
 *   4. out: a packet, or what a super-segment is to be cut into, larger than the link is split or answered
 *   5. a SYN's MSS is lowered to what the link carries
 */

import type { Millis } from '../machine.ts'
import type { Batch } from '../packet/batch.ts'
import { headersOf, packetsIn } from '../packet/cut.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { admit } from './connect.ts'
import { IcmpType, TcpFlag } from './constants.ts'
import type { Headers } from './headers.ts'
import { Owner } from './likeness.ts'
import { clampMss } from './mss.ts'
import { isGlobal, redirect, resolve } from './nat.ts'
import { narrow, replyTooBig, split } from './oversize.ts'
import type { Passage } from './passage.ts'
import { rewrite } from './rewrite.ts'
import { isBroadcast, policyBetween, Zone, zoneOfAddress } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'
import { watch } from './watch.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const { Inward: INWARD, Outward: OUTWARD } = Owner

/** At most ten ICMP errors a second about one session's packets (RFC 1812 section 4.3.2.8 asks for a limit). */
const REPLY_INTERVAL: Millis = 100

/** 255.255.255.255, signed as the headers are. */
const LIMITED_BROADCAST = -1
const DHCP_SERVER_PORT = 67
/** Where the destination stands in an IP header. */
const DESTINATION = 16

/** Filters packets that came from clients: `session` is set, and the bytes begin with the inner IP header. */
export function filterIn(batch: Batch, tables: FirewallTables, now: Millis): void {
  tables.flows.sweep(now)
  fetchSessions(batch, tables, INWARD)
  const { likeness, trace } = tables
  const { session, verdict, count } = batch
  for (let i = 0; i < count; i++) {
    if (verdict[i] === FORWARD && (trace.on || !likeness.covers(batch, i, (session[i]! | 0) + INWARD)))
      judge(batch, i, tables, now)
  }
}

function judge(batch: Batch, i: number, tables: FirewallTables, now: Millis): void {
  const { trace, likeness, headers } = tables
  if (trace.on) trace.look(batch, i)
  tables.passedFreely = false
  const reason = receive(batch, i, tables, now)
  if (trace.on) trace.record(tables, tables.inward, reason, now)
  if (reason === DropReason.Policy && isForDhcpServer(headers)) {
    tables.decidedBy = 0
    punt(batch, i, PuntReason.Dhcp)
    return
  }
  if (isOfInterest(tables, reason)) note(batch.bytes, tables, tables.inward, true, reason, now)
  if (reason !== DropReason.None) drop(batch, i, reason)
  else if (tables.passedFreely) likeness.remember(batch, batch.session[i]! + INWARD, headers)
}

/**
 * Filters packets on their way to clients, as read from the TUN device: sets `session` and `peer`. It may append rows, for
 * fragments, and fills `tables.replies`.
 */
export function filterOut(batch: Batch, tables: FirewallTables, now: Millis): void {
  tables.flows.sweep(now)
  findSessions(batch, tables)
  tables.bound(batch, now)
  fetchSessions(batch, tables, OUTWARD)
  tables.replies.clear()
  // Rows that splitting adds are done already.
  const { verdict, count } = batch
  for (let i = 0; i < count; i++) {
    if (verdict[i] === FORWARD && (tables.trace.on || !goesLike(batch, i, tables))) judgeOut(batch, i, tables, now)
  }
}

/** Lets a packet go to its session where it is like one before it and fits the link. */
function goesLike(batch: Batch, i: number, tables: FirewallTables): boolean {
  const { likeness, sessions } = tables
  const session = batch.session[i]! | 0
  if (!likeness.covers(batch, i, session + OUTWARD)) return false
  if (lengthOf(batch, i) > sessions.mtu[session]!) return false
  batch.peer[i] = sessions.peer[session]!
  return true
}

function judgeOut(batch: Batch, i: number, tables: FirewallTables, now: Millis): void {
  // The kernel looks for IPv6 routers on every device: that is nobody's malformed packet.
  if (batch.length[i]! > 0 && batch.bytes[batch.offset[i]!]! >>> 4 === 6) return drop(batch, i, DropReason.BadIp)
  const { trace, likeness, headers, outward, ruleset } = tables
  if (trace.on) trace.look(batch, i)
  tables.passedFreely = false
  const reason = deliver(batch, i, tables, now)
  if (trace.on) trace.record(tables, outward, reason, now)
  // What a session sent was looked at when it came.
  if (isOfInterest(tables, reason)) note(batch.bytes, tables, outward, outward.sender === 0, reason, now)
  if (reason !== DropReason.None) drop(batch, i, reason)
  else if (tables.passedFreely && !isGlobal(ruleset.nat.globals, headers.destination))
    likeness.remember(batch, batch.session[i]! + OUTWARD, headers)
}

/**
 * Looks at the rows of all sessions in the batch, one right after the other: of many sessions' rows most are in no near cache,
 * and a processor that waits for them one packet at a time waits 64 times. The sum has it look.
 */
function fetchSessions(batch: Batch, tables: FirewallTables, way: number): void {
  const { session, count } = batch
  let sum = 0
  let before = 0
  for (let i = 0; i < count; i++) {
    if (session[i] === before) continue
    before = session[i]! | 0
    sum += fetchSession(tables, before, way)
  }
  tables.fetched = sum | 0
}

/** Whose the addresses are that packets are for. */
function findSessions(batch: Batch, tables: FirewallTables): void {
  const { view, offset, length, session, count } = batch
  let before = 0
  let whose = 0
  for (let i = 0; i < count; i++) {
    const destination = length[i]! < 20 ? 0 : view.getInt32(offset[i]! + DESTINATION)
    if (destination !== before) {
      before = destination
      whose = tables.sessions.ofAddress(destination)
    }
    session[i] = whose
  }
}

function fetchSession(tables: FirewallTables, session: number, way: number): number {
  const { likeness, sessions, untracked } = tables
  if (likeness.knows(session + way)) return 0
  return sessions.address[session]! + sessions.zone[session]! + sessions.mtu[session]! + untracked.glance(session)
}

/** Whether it is refused, opens something, or is a ping: the rest costs no more time. */
function isOfInterest(tables: FirewallTables, reason: DropReason): boolean {
  return reason !== DropReason.None || tables.opened || tables.headers.protocol === IpProtocol.Icmp
}

function note(
  bytes: Uint8Array,
  tables: FirewallTables,
  p: Passage,
  watched: boolean,
  reason: DropReason,
  now: Millis,
): void {
  const { headers: h, opened, decidedBy, overlapped } = tables
  h.bytes = bytes
  // Of what passed freely it may have put something out of mind.
  if (opened) tables.likeness.forget()
  // For the next packet: most have nothing of it.
  tables.opened = false
  tables.decidedBy = 0
  tables.overlapped = false
  // That a packet is too large says nothing about anybody.
  if (reason === DropReason.TooBig) return
  const policy = policyBetween(tables.ruleset, p.from, p.to)
  const column = (tables.ruleset.outside[p.from] === 1 ? 0 : 2) + (reason === DropReason.None ? 0 : 1)
  if (policy >= 0 && (reason !== DropReason.None || (opened && watched))) tables.counts[policy * 4 + column]!++
  if (reason !== DropReason.None) tables.events.record(h, p, false, decidedBy, reason, now)
  if (watched) watch(tables, h, p, policy, reason, opened, overlapped, now)
}

function drop(batch: Batch, i: number, reason: DropReason): void {
  batch.verdict[i] = Verdict.Drop
  batch.reason[i] = reason
}

function punt(batch: Batch, i: number, reason: PuntReason): void {
  batch.verdict[i] = Verdict.Punt
  batch.reason[i] = reason
}

/** Windows' DHCPINFORM: no policy forwards a broadcast, so only what the policy refused has to be looked at. */
function isForDhcpServer(h: Headers): boolean {
  return h.destination === LIMITED_BROADCAST && h.protocol === IpProtocol.Udp && h.destinationPort === DHCP_SERVER_PORT
}

function receive(batch: Batch, i: number, tables: FirewallTables, now: Millis): DropReason {
  const h = tables.headers
  const { sessions, ruleset, inward } = tables
  const session = batch.session[i]!
  inward.session = session
  inward.from = sessions.zone[session]!
  inward.to = Zone.None
  const sound = h.read(batch.bytes, batch.offset[i]!, batch.length[i]!)
  if (sound !== DropReason.None) return sound
  // Ethernet-minded peers pad short packets.
  batch.length[i] = h.totalLength

  const assigned = sessions.address[session]! | 0
  if (!assigned) return DropReason.UnknownSession
  if (h.source !== assigned) return DropReason.Spoofed
  if (h.destination === assigned || !forwardable(h.destination)) return DropReason.Policy

  if (pingsAll(tables, h)) return DropReason.Policy

  inward.subject = session
  if (ruleset.nat.reverses) redirect(tables, h, inward.from, session)
  const other = sessions.ofAddress(h.destination)
  inward.to = other !== 0 ? sessions.zone[other]! : zoneOfAddress(ruleset, h.destination)
  const reason = admit(batch.bytes, tables, h, inward, now)
  if (reason !== DropReason.None) return reason
  clamp(batch.bytes, h, sessions.maximumSegment(session))
  // A command of FTP may have another length now.
  batch.length[i] = h.totalLength
  return reason
}

function deliver(batch: Batch, i: number, tables: FirewallTables, now: Millis): DropReason {
  const h = tables.headers
  const { sessions, ruleset, outward } = tables
  outward.session = 0
  outward.to = Zone.None
  const sound = h.read(batch.bytes, batch.offset[i]!, batch.length[i]!)
  const other = sessions.ofAddress(h.source)
  const from = other !== 0 ? sessions.zone[other]! : zoneOfAddress(ruleset, h.source)
  outward.from = from
  outward.sender = other
  if (sound !== DropReason.None) return sound
  batch.length[i] = h.totalLength
  const segment = batch.segment[i]!
  if (segment !== 0) h.packets = packetsIn(batch, i)

  if (isGlobal(ruleset.nat.globals, h.destination)) {
    // Two clients may speak to one another by the one address that both have outside.
    if (!resolve(batch.bytes, tables, h, from, now)) return DropReason.Policy
  } else if (h.source === h.destination) {
    // Not the session's own doing: it sends to others alone.
    outward.session = other
    outward.sender = 0
    return DropReason.Spoofed
  }
  const session = sessions.ofAddress(h.destination)
  const peer = sessions.peer[session]!
  if (session === 0 || peer === 0) return DropReason.NoRoute
  batch.session[i] = session
  batch.peer[i] = peer
  outward.session = session
  if (!forwardable(h.source) || comesFromAll(tables, h)) return DropReason.Spoofed

  outward.subject = other !== 0 ? other : session
  outward.to = sessions.zone[session]!
  const reason = admit(batch.bytes, tables, h, outward, now)
  if (reason !== DropReason.None) return reason
  clamp(batch.bytes, h, sessions.maximumSegment(session))
  return lengthOf(batch, i) > sessions.mtu[session]! ? oversize(batch, i, tables, h, session, now) : DropReason.None
}

/** Of the packet, or of what a super-segment is to be cut into. */
function lengthOf(batch: Batch, i: number): number {
  const segment = batch.segment[i]!
  return segment === 0 ? batch.length[i]! : headersOf(batch, i) + segment
}

/** A ping to a network's broadcast address has every host there answer, whom the client names (RFC 2644). */
function pingsAll(tables: FirewallTables, h: Headers): boolean {
  const echo = h.protocol === IpProtocol.Icmp && h.icmpType === IcmpType.Echo
  return echo && isBroadcast(tables.ruleset, h.destination)
}

/** A message whose answer would go to a broadcast address. */
function comesFromAll(tables: FirewallTables, h: Headers): boolean {
  return h.protocol === IpProtocol.Icmp && isBroadcast(tables.ruleset, h.source)
}

/** Unicast addresses that a router forwards: neither this-network, loopback, link-local, multicast nor class E. */
export function forwardable(address: number): boolean {
  const first = address >>> 24
  return first !== 0 && first !== 127 && first < 224 && address >>> 16 !== 0xa9fe
}

function clamp(bytes: Uint8Array, h: Headers, maximum: number): void {
  if (h.protocol === IpProtocol.Tcp && (h.tcpFlags & TcpFlag.Syn) !== 0) {
    clampMss(bytes, h.transport, h.transportLength, maximum)
  }
}

function oversize(
  batch: Batch,
  i: number,
  tables: FirewallTables,
  h: Headers,
  session: number,
  now: Millis,
): DropReason {
  const mtu = tables.sessions.mtu[session]!
  if (!h.dontFragment) {
    const fits = batch.segment[i] === 0 ? split(batch, i, h, mtu) : narrow(batch, i, h, mtu)
    return fits ? DropReason.None : DropReason.TooBig
  }
  if (!tables.sessions.mayReply(session, now, REPLY_INTERVAL)) return DropReason.TooBig
  if (tables.flows.translated > 0) {
    // Its sender knows the packet as it came.
    const { tuple } = tables
    tuple.source = h.source
    tuple.sourcePort = h.sourcePort
    tuple.destination = h.originalDestination
    tuple.destinationPort = h.originalPort
    rewrite(batch.bytes, h, tuple)
    h.destination = h.originalDestination
  }
  replyTooBig(tables.replies, batch.bytes, h, mtu)
  return DropReason.TooBig
}
