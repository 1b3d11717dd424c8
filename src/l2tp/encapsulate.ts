/** The stage from PPP to UDP: puts the L2TP and the inner UDP header in front (RFC 2661 section 3.1). */

import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason, Verdict } from '../packet/verdict.ts'
import { HEAD_SHIFT, Head, type L2tpTable, SEQUENCED } from './table.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const UDP = IpProtocol.Udp
const { Peer: PEER, Ports: PORTS, Tunnel: TUNNEL, Call: CALL } = Head
const SHIFT = HEAD_SHIFT
const NUMBERED = SEQUENCED
/** UDP header, flags, tunnel ID, session ID. */
const PLAIN = 14
/** Ns and Nr. */
const SEQUENCE = 4

/**
 * In: packets at their PPP frame, `session` set, with headroom in front. Out: at the UDP header, `peer` and `protocol`
 * set for sealing. Any PPP frame will do, whether it comes from the TUN device or from the control thread.
 *
 * Without the L bit: UDP already tells the length, and two bytes in every packet are two bytes of MTU. Never with O or P:
 * Windows drops such packets. Sequence numbers only where the peer asked for them. The UDP checksum is 0, "none": a
 * right one would have to know the addresses on the far side of a NAT, and ESP's integrity covers the packet.
 */
export function encapsulate(batch: Batch, table: L2tpTable): void {
  const { view, count, offset: offsets, length: lengths, verdict, session, peer, protocol } = batch
  const { heads } = table
  // Of the packet before: its session's row, and what its header has of it.
  let row = 0
  let owner = 0
  let ports = 0
  let tunnel = 0
  let call = 0
  let sequenced = false
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== FORWARD) continue
    if (session[i] !== row || row === 0) {
      row = session[i]!
      const head = row << SHIFT
      owner = heads[head + PEER]!
      if (!owner) {
        row = 0
        drop(batch, i, DropReason.UnknownSession)
        continue
      }
      ports = heads[head + PORTS]!
      tunnel = heads[head + TUNNEL]!
      call = heads[head + CALL]!
      sequenced = (tunnel & NUMBERED) !== 0
    }
    const header = sequenced ? PLAIN + SEQUENCE : PLAIN
    const length = lengths[i]! + header
    const at = offsets[i]! - header
    if (at < 0 || length > 0xffff) {
      drop(batch, i, DropReason.TooBig)
      continue
    }
    view.setInt32(at, ports)
    // No checksum.
    view.setInt32(at + 4, length << 16)
    view.setInt32(at + 8, tunnel)
    if (sequenced) {
      // Uint16Array wraps at 65,536 as sequence numbers do. Nr means nothing in data messages.
      view.setInt32(at + 12, call | table.ns[row]!++)
      view.setInt16(at + 16, 0)
    } else view.setInt16(at + 12, call >>> 16)
    offsets[i] = at
    lengths[i] = length
    peer[i] = owner
    protocol[i] = UDP
  }
}

function drop(batch: Batch, i: number, reason: DropReason): void {
  batch.verdict[i] = Verdict.Drop
  batch.reason[i] = reason
}
