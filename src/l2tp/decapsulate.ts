/** The stage from UDP to PPP: takes the inner UDP and the L2TP header off (RFC 2661 section 3.1, RFC 3948 section 3.1.2). */

import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { HeaderFlag, L2TP_PORT, L2TP_VERSION, VERSION_MASK } from './constants.ts'
import type { L2tpTable } from './table.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const UDP = IpProtocol.Udp
const PORT = L2TP_PORT
const VERSION = L2TP_VERSION
const { Length: LENGTH, Sequence: SEQUENCE } = HeaderFlag
const UDP_HEADER_LENGTH = 8
/** From the UDP header on: where the flags word ends, and bytes without which there can be no message. */
const FLAGS_END = UDP_HEADER_LENGTH + 2
const LEAST = FLAGS_END + 4
/** What of the flags word tells a plain data message. */
const TELLING = HeaderFlag.Type | HeaderFlag.Offset | VERSION_MASK

/**
 * In: packets as ESP was opened, from the inner transport header on, with `peer` and `protocol` set. Out: data messages
 * stand at their PPP frame with `session` set; control messages are punted from the UDP header on; the rest is dropped.
 *
 * A sound data message without an offset is dealt with here, in few steps; most are of one session with the one before.
 */
export function decapsulate(batch: Batch, table: L2tpTable): void {
  const { view, offset, length, peer, protocol, session, verdict, count } = batch
  // Of the message before: whose it was, its IDs, and their row.
  let sender = 0
  let ids = 0
  let row = 0
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== FORWARD) continue
    const udp = offset[i]!
    const received = length[i]!
    if (received > LEAST && protocol[i] === UDP && view.getUint16(udp + 2) === PORT) {
      const flags = view.getUint16(udp + UDP_HEADER_LENGTH)
      const idsAt = FLAGS_END + ((flags & LENGTH) !== 0 ? 2 : 0)
      const size = idsAt + 4 + ((flags & SEQUENCE) !== 0 ? 4 : 0)
      const udpLength = view.getUint16(udp + 4)
      const end = idsAt === FLAGS_END ? udpLength : UDP_HEADER_LENGTH + view.getUint16(udp + FLAGS_END)
      if ((flags & TELLING) === VERSION && size < end && end <= udpLength && udpLength <= received) {
        const theirs = view.getInt32(udp + idsAt)
        if (peer[i] !== sender || theirs !== ids) {
          sender = peer[i]!
          ids = theirs
          row = table.find(sender, ids >>> 16, ids & 0xffff)
        }
        if (row !== 0) {
          session[i] = row
          offset[i] = udp + size
          length[i] = end - size
          continue
        }
      }
    }
    decapsulateOne(batch, table, i)
  }
}

/**
 * Steps:
 * 1. the UDP header: lengths, and port 1701. Its checksum covers addresses that NAT has changed; ESP's integrity stands
 *    for it;
 * 2. the flags word: version 2; the T bit tells control;
 * 3. the fields that L, S and O announce. Priority and reserved bits say nothing; sequence numbers are not looked at,
 *    since ESP's replay window has dropped duplicates and PPP over IP bears what is out of order;
 * 4. the session, which must be this peer's.
 */
function decapsulateOne(batch: Batch, table: L2tpTable, i: number): void {
  const b = batch.bytes
  const udp = batch.offset[i]!
  const received = batch.length[i]!
  if (batch.protocol[i] !== IpProtocol.Udp) return drop(batch, i, DropReason.NotL2tp)
  if (received < UDP_HEADER_LENGTH) return drop(batch, i, DropReason.Truncated)
  const udpLength = (b[udp + 4]! << 8) | b[udp + 5]!
  if (udpLength < UDP_HEADER_LENGTH || udpLength > received) return drop(batch, i, DropReason.Truncated)
  if (((b[udp + 2]! << 8) | b[udp + 3]!) !== L2TP_PORT) return drop(batch, i, DropReason.NotL2tp)

  const start = udp + UDP_HEADER_LENGTH
  let end = udp + udpLength
  if (end - start < 6) return drop(batch, i, DropReason.Truncated)
  const flags = (b[start]! << 8) | b[start + 1]!
  if ((flags & VERSION_MASK) !== L2TP_VERSION) return drop(batch, i, DropReason.BadL2tp)
  if (flags & HeaderFlag.Type) {
    batch.length[i] = udpLength
    batch.verdict[i] = Verdict.Punt
    batch.reason[i] = PuntReason.L2tpControl
    return
  }

  let at = start + 2
  const fixed = 4 + (flags & HeaderFlag.Length ? 2 : 0) + (flags & HeaderFlag.Sequence ? 4 : 0)
  if (end - at < fixed) return drop(batch, i, DropReason.Truncated)
  if (flags & HeaderFlag.Length) {
    const length = (b[at]! << 8) | b[at + 1]!
    if (length > end - start) return drop(batch, i, DropReason.Truncated)
    end = start + length
    at += 2
  }
  const tunnel = (b[at]! << 8) | b[at + 1]!
  const session = (b[at + 2]! << 8) | b[at + 3]!
  at += 4
  if (flags & HeaderFlag.Sequence) at += 4
  if (flags & HeaderFlag.Offset) {
    if (end - at < 2) return drop(batch, i, DropReason.Truncated)
    at += 2 + ((b[at]! << 8) | b[at + 1]!)
  }
  // No PPP frame is empty; and a length or an offset that reaches beyond the packet ends here, too.
  if (at >= end) return drop(batch, i, DropReason.Truncated)

  const row = table.find(batch.peer[i]!, tunnel, session)
  if (row === 0) return drop(batch, i, DropReason.UnknownSession)
  batch.session[i] = row
  batch.offset[i] = at
  batch.length[i] = end - at
}

function drop(batch: Batch, i: number, reason: DropReason): void {
  batch.verdict[i] = Verdict.Drop
  batch.reason[i] = reason
}
