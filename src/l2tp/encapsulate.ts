/** The stage from PPP to UDP: puts the L2TP and the inner UDP header in front (RFC 2661 section 3.1). */

import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason, Verdict } from '../packet/verdict.ts'
import { HeaderFlag, L2TP_VERSION } from './constants.ts'
import type { L2tpTable } from './table.ts'

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
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== Verdict.Forward) continue
    const row = session[i]!
    if (!table.has(row)) {
      drop(batch, i, DropReason.UnknownSession)
      continue
    }
    const sequenced = table.sequencing[row] === 1
    const header = sequenced ? PLAIN + SEQUENCE : PLAIN
    const length = lengths[i]! + header
    const offset = offsets[i]!
    if (offset < header || length > 0xffff) {
      drop(batch, i, DropReason.TooBig)
      continue
    }
    const at = offset - header
    view.setUint32(at, (table.localPort[row]! << 16) | table.remotePort[row]!)
    // No checksum.
    view.setUint32(at + 4, length << 16)
    view.setUint16(at + 8, sequenced ? HeaderFlag.Sequence | L2TP_VERSION : L2TP_VERSION)
    view.setUint32(at + 10, (table.remoteTunnelId[row]! << 16) | table.remoteSessionId[row]!)
    if (sequenced) {
      // Uint16Array wraps at 65,536 as sequence numbers do. Nr means nothing in data messages.
      view.setUint32(at + 14, table.ns[row]!++ << 16)
    }
    offsets[i] = at
    lengths[i] = length
    peer[i] = table.peer[row]!
    protocol[i] = IpProtocol.Udp
  }
}

function drop(batch: Batch, i: number, reason: DropReason): void {
  batch.verdict[i] = Verdict.Drop
  batch.reason[i] = reason
}
