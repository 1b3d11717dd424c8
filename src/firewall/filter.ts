/**
 * The firewall stage, both directions: sound IPv4, no false sources, the policy with its connection tracking, and the
 * link's size. It only looks at packets that are still to be forwarded, and never allocates, throws or reads a clock.
 *
 * Steps for each packet:
 *   1. read its headers; a malformed one is dropped
 *   2. in: the source is the address that was assigned; out: the destination finds the session
 *   2a. in: what is broadcast to the DHCP server is control's
 *   3. the zones it goes between give the base rule; a flow, a rule or that base rule decides
 *   4. out: a packet larger than the link is split or answered
 *   5. a SYN's MSS is lowered to what the link carries
 */

import type { Millis } from '../machine.ts'
import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { TcpFlag } from './constants.ts'
import { FlowState } from './flow.ts'
import type { Headers } from './headers.ts'
import { clampMss } from './mss.ts'
import { replyTooBig, split } from './oversize.ts'
import { Kind, kindOf, matchRule, policyOf, zoneOfAddress } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'
import { track } from './track.ts'

/** At most ten ICMP errors a second about one session's packets (RFC 1812 section 4.3.2.8 asks for a limit). */
const REPLY_INTERVAL: Millis = 100

/** 255.255.255.255, signed as the headers are. */
const LIMITED_BROADCAST = -1
const DHCP_SERVER_PORT = 67

/** Filters packets that came from clients: `session` is set, and the bytes begin with the inner IP header. */
export function filterIn(batch: Batch, tables: FirewallTables, now: Millis): void {
  tables.flows.sweep(now)
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] !== Verdict.Forward) continue
    const reason = receive(batch, i, tables, now)
    if (reason === DropReason.None) continue
    if (reason === DropReason.Policy && isForDhcpServer(tables.headers)) punt(batch, i, PuntReason.Dhcp)
    else drop(batch, i, reason)
  }
}

/**
 * Filters packets on their way to clients, as read from the TUN device: sets `session` and `peer`. It may append rows, for
 * fragments, and fills `tables.replies`.
 */
export function filterOut(batch: Batch, tables: FirewallTables, now: Millis): void {
  tables.flows.sweep(now)
  tables.replies.clear()
  // Rows that splitting adds are done already.
  const count = batch.count
  for (let i = 0; i < count; i++) {
    if (batch.verdict[i] !== Verdict.Forward) continue
    const reason = deliver(batch, i, tables, now)
    if (reason !== DropReason.None) drop(batch, i, reason)
  }
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
  const sound = h.read(batch.bytes, batch.offset[i]!, batch.length[i]!)
  if (sound !== DropReason.None) return sound
  // Ethernet-minded peers pad short packets.
  batch.length[i] = h.totalLength

  const { sessions, ruleset } = tables
  const session = batch.session[i]!
  const assigned = sessions.address[session]! | 0
  if (!assigned) return DropReason.UnknownSession
  if (h.source !== assigned) return DropReason.Spoofed
  if (h.destination === assigned || !forwardable(h.destination)) return DropReason.Policy

  const other = sessions.ofAddress(h.destination)
  const to = other !== 0 ? sessions.zone[other]! : zoneOfAddress(ruleset, h.destination)
  const reason = admit(batch.bytes, tables, h, session, true, sessions.zone[session]!, to, now)
  if (reason === DropReason.None) clamp(batch.bytes, h, sessions.maximumSegment[session]!)
  return reason
}

function deliver(batch: Batch, i: number, tables: FirewallTables, now: Millis): DropReason {
  const h = tables.headers
  const sound = h.read(batch.bytes, batch.offset[i]!, batch.length[i]!)
  if (sound !== DropReason.None) return sound
  batch.length[i] = h.totalLength

  const { sessions, ruleset } = tables
  const session = sessions.ofAddress(h.destination)
  const peer = sessions.peer[session]!
  if (session === 0 || peer === 0) return DropReason.NoRoute
  batch.session[i] = session
  batch.peer[i] = peer
  if (h.source === h.destination || !forwardable(h.source)) return DropReason.Spoofed

  const other = sessions.ofAddress(h.source)
  const from = other !== 0 ? sessions.zone[other]! : zoneOfAddress(ruleset, h.source)
  const reason = admit(batch.bytes, tables, h, session, false, from, sessions.zone[session]!, now)
  if (reason !== DropReason.None) return reason
  clamp(batch.bytes, h, sessions.maximumSegment[session]!)
  return h.totalLength > sessions.mtu[session]! ? oversize(batch, i, tables, h, session, now) : DropReason.None
}

/** Unicast addresses that a router forwards: neither this-network, loopback, link-local, multicast nor class E. */
function forwardable(address: number): boolean {
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
  if (!h.dontFragment) return split(batch, i, h, mtu) ? DropReason.None : DropReason.TooBig
  if (tables.sessions.mayReply(session, now, REPLY_INTERVAL)) replyTooBig(tables.replies, batch.bytes, h, mtu)
  return DropReason.TooBig
}

/** Whether the policy lets a packet pass from zone to zone. */
function admit(
  bytes: Uint8Array,
  tables: FirewallTables,
  h: Headers,
  session: number,
  fromClient: boolean,
  from: number,
  to: number,
  now: Millis,
): DropReason {
  const { ruleset } = tables
  if (!ruleset.enabled) return DropReason.None
  const kind = kindOf(ruleset, from, to)
  if (kind === Kind.Free) return DropReason.None
  let reason: DropReason
  if (kind === Kind.None) reason = refuse(tables, h, session, fromClient, 0, now)
  else if (h.fragmentOffset !== 0) {
    reason = tables.fragments.passed(h, now) ? DropReason.None : DropReason.Policy
  } else if (h.isIcmpError) {
    reason = related(bytes, tables, h, now) ? DropReason.None : DropReason.Policy
  } else {
    reason = connect(tables, h, session, fromClient, kind, policyOf(ruleset, from, to), from, now)
  }
  if (reason === DropReason.None && h.moreFragments && h.fragmentOffset === 0) tables.fragments.record(h, now)
  return reason
}

/** An ICMP error passes to the host whose packet of a live flow it quotes (RFC 5508 section 4). */
function related(bytes: Uint8Array, tables: FirewallTables, h: Headers, now: Millis): boolean {
  const q = tables.quoted
  if (!q.readQuoted(bytes, h) || q.source !== h.destination) return false
  return tables.flows.find(q.source, q.sourcePort, q.destination, q.destinationPort, q.protocol, now) >= 0
}

/** Finds the packet's flow, or makes one where a rule or the base rule allows it. */
function connect(
  tables: FirewallTables,
  h: Headers,
  session: number,
  fromClient: boolean,
  kind: number,
  policy: number,
  from: number,
  now: Millis,
): DropReason {
  const { flows, ruleset } = tables
  const known = flows.find(h.source, h.sourcePort, h.destination, h.destinationPort, h.protocol, now)
  if (known >= 0) {
    const reversed = flows.reversed
    // The far end of a connection that is over asks for a new one by the same ports: that is no answer.
    const reopened = reversed && h.protocol === IpProtocol.Tcp && h.opensTcp && flows.state[known] === FlowState.Closing
    if (!reopened) {
      track(flows, known, reversed, h, ruleset, policy, now)
      return DropReason.None
    }
    flows.remove(known)
  }

  const rule = matchRule(ruleset, policy, from, h)
  const allowed = rule ? rule.allow : kind === Kind.Outward
  const number = rule ? rule.number : 0
  if (!allowed) return refuse(tables, h, session, fromClient, number, now)
  if (h.protocol === IpProtocol.Tcp && !h.opensTcp) {
    // Outward, a connection may be older than we are. What only ends one needs no flow.
    if (kind !== Kind.Outward) return refuse(tables, h, session, fromClient, number, now)
    if ((h.tcpFlags & (TcpFlag.Ack | TcpFlag.Rst | TcpFlag.Fin | TcpFlag.Syn)) !== TcpFlag.Ack) return DropReason.None
  }
  // Answers without a question, redirects and the like.
  if (h.protocol === IpProtocol.Icmp && !h.isIcmpQuery) return refuse(tables, h, session, fromClient, number, now)

  const row = flows.insert(h.source, h.sourcePort, h.destination, h.destinationPort, h.protocol, session, now)
  if (row < 0) return DropReason.FlowTableFull
  track(flows, row, false, h, ruleset, policy, now)
  tables.events.record(h, session, fromClient, true, number, now)
  return DropReason.None
}

function refuse(
  tables: FirewallTables,
  h: Headers,
  session: number,
  fromClient: boolean,
  rule: number,
  now: Millis,
): DropReason {
  tables.events.record(h, session, fromClient, false, rule, now)
  return DropReason.Policy
}
