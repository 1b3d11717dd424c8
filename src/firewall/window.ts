/**
 * Follows a TCP connection's sequence numbers just far enough to tell a true RST from a forged one: true is what lies in the
 * window that its receiver offered (RFC 9293 section 3.10.7.4, RFC 5961 section 3). Who forges one blindly would have to
 * guess where that is.
 */

import { IpProtocol } from '../packet/ip.ts'
import { TcpFlag, TcpOption } from './constants.ts'
import type { FlowTable } from './flow.ts'
import type { Headers } from './headers.ts'

/**
 * Bits of the column `seenTcp`: what is known of the sender of each direction; one place further left of the way back. Whole:
 * the connection was seen from its SYN on.
 */
const Known = { Sent: 1, Edge: 4, Scale: 16, Whole: 64 } as const
/** The largest shift (RFC 7323 section 2.3). */
const MAX_SCALE = 14

/** Whether a RST by the sender of this direction may be true; where nothing is known of its peer's window, it may. */
export function isResetPlausible(flows: FlowTable, row: number, reversed: boolean, h: Headers): boolean {
  const d = reversed ? 1 : 0
  const known = flows.seenTcp[row]!
  if ((known & (Known.Edge << d)) !== 0) {
    const low = flows.acknowledged[row * 2 + d]!
    const high = flows.edge[row * 2 + d]!
    return ((h.sequence - low) | 0) >= 0 && ((high - h.sequence) | 0) >= 0
  }
  // The answer to a SYN that nobody wanted: its proof is the acknowledgement.
  if (!reversed || (known & Known.Sent) === 0) return true
  return (h.tcpFlags & TcpFlag.Ack) !== 0 && h.acknowledgement === flows.sent[row * 2]!
}

/** Takes a segment that is no RST into account. One that cannot be its sender's changes nothing. */
export function follow(flows: FlowTable, row: number, reversed: boolean, h: Headers, bytes: Uint8Array): void {
  const d = reversed ? 1 : 0
  const mine = row * 2 + d
  const theirs = row * 2 + 1 - d
  let known = flows.seenTcp[row]!
  const syn = (h.tcpFlags & TcpFlag.Syn) !== 0
  if (syn) {
    const scale = windowScale(bytes, h)
    flows.scale[mine] = Math.max(scale, 0)
    known = scale < 0 ? known & ~(Known.Scale << d) : known | (Known.Scale << d)
  }
  const end = (h.sequence + h.dataLength + (syn ? 1 : 0) + ((h.tcpFlags & TcpFlag.Fin) !== 0 ? 1 : 0)) | 0
  if (syn && !reversed && (h.tcpFlags & TcpFlag.Ack) === 0) {
    // A connection begins, perhaps on the ports of one that was.
    known &= Known.Scale << d
    flows.sent[mine] = end
    flows.seenTcp[row] = known | (Known.Sent << d) | Known.Whole
    return
  }
  if ((known & (Known.Sent << d)) === 0) {
    flows.sent[mine] = end
    known |= Known.Sent << d
  } else if (
    isAhead(end, flows.sent[mine]!) &&
    ((known & (Known.Edge << d)) === 0 || !isAhead(h.sequence, flows.edge[mine]!))
  ) {
    flows.sent[mine] = end
  }
  if ((h.tcpFlags & TcpFlag.Ack) !== 0) known = acknowledge(flows, mine, theirs, d, known, syn, h)
  flows.seenTcp[row] = known
}

/** What the sender of direction `d` says it has received, and how much more it will take. */
function acknowledge(
  flows: FlowTable,
  mine: number,
  theirs: number,
  d: number,
  known: number,
  syn: boolean,
  h: Headers,
): number {
  const other = 1 - d
  // Nobody can have received what was not sent.
  if ((known & (Known.Sent << other)) !== 0 && isAhead(h.acknowledgement, flows.sent[theirs]!)) return known
  const both = (Known.Scale << 0) | (Known.Scale << 1)
  // Whose SYN nobody saw may scale its windows by as much as it likes.
  const agreed = (known & both) === both ? flows.scale[mine]! : 0
  const scale = syn ? 0 : (known & Known.Whole) === 0 ? MAX_SCALE : agreed
  const edge = (h.acknowledgement + (h.window << scale)) | 0
  const fresh = (known & (Known.Edge << other)) === 0
  if (fresh || isAhead(h.acknowledgement, flows.acknowledged[theirs]!)) flows.acknowledged[theirs] = h.acknowledgement
  if (fresh || isAhead(edge, flows.edge[theirs]!)) flows.edge[theirs] = edge
  return known | (Known.Edge << other)
}

function isAhead(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}

/** The shift in a SYN's options, or -1. */
function windowScale(bytes: Uint8Array, h: Headers): number {
  if (h.protocol !== IpProtocol.Tcp) return -1
  const end = h.transport + h.transportLength - h.dataLength
  let at = h.transport + 20
  while (at < end) {
    const kind = bytes[at]!
    if (kind === TcpOption.End) return -1
    if (kind === TcpOption.NoOperation) {
      at++
      continue
    }
    const size = at + 1 < end ? bytes[at + 1]! : 0
    if (size < 2 || at + size > end) return -1
    if (kind === TcpOption.WindowScale && size === 3) return Math.min(bytes[at + 2]!, MAX_SCALE)
    at += size
  }
  return -1
}
