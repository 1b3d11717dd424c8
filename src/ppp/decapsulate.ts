/** The stage that takes the PPP header off (RFC 1661 section 2): IPv4 goes on, what control must see is punted. */

import type { Batch } from '../packet/batch.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { ALL_STATIONS, PppProtocol, UNNUMBERED_INFORMATION } from './constants.ts'
import type { PppTable } from './table.ts'
import { LinkFlag } from './table.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const UP = LinkFlag.Up
/** Both fields in full, signed. */
const UNCOMPRESSED_IPV4 = (ALL_STATIONS << 24) | (UNNUMBERED_INFORMATION << 16) | PppProtocol.Ipv4

/**
 * For each packet to be forwarded, which starts at its PPP frame and knows its session:
 *  1. FF 03 is skipped where it is there, and the protocol read as one byte (odd) or two, whatever was agreed;
 *  2. IPv4 on a link that is up moves to its IP header;
 *  3. IPv4 on any other link is dropped (RFC 1332 section 2: not before IPCP is opened), like a frame without a
 *     protocol, with an even one, which no sender may make, or with an empty IP packet;
 *  4. the rest goes to control, from the frame's first byte on.
 */
export function decapsulate(batch: Batch, table: PppTable): void {
  const { flags } = table
  const { bytes, view, offset, length, session, verdict, reason, count } = batch
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== FORWARD) continue
    const start = offset[i]!
    // As nearly all come.
    if (length[i]! > 4 && view.getInt32(start) === UNCOMPRESSED_IPV4 && flags[session[i]!]! & UP) {
      offset[i] = start + 4
      length[i] = length[i]! - 4
      continue
    }
    const end = start + length[i]!
    let at = start
    if (end - at >= 2 && bytes[at] === ALL_STATIONS && bytes[at + 1] === UNNUMBERED_INFORMATION) at += 2
    let protocol = at < end ? bytes[at++]! : 0
    if ((protocol & 1) === 0) protocol = at < end ? (protocol << 8) | bytes[at++]! : 0
    const isIpv4 = protocol === PppProtocol.Ipv4
    if ((protocol & 1) === 0 || (isIpv4 && (at === end || !(table.flags[session[i]!]! & LinkFlag.Up)))) {
      verdict[i] = Verdict.Drop
      reason[i] = DropReason.BadPpp
    } else if (isIpv4) {
      offset[i] = at
      length[i] = end - at
    } else {
      verdict[i] = Verdict.Punt
      reason[i] = PuntReason.PppControl
    }
  }
}
