/** The stage that puts the PPP header before IPv4 packets (RFC 1661 sections 2, 6.5 and 6.6). */

import type { Batch } from '../packet/batch.ts'
import { DropReason, Verdict } from '../packet/verdict.ts'
import { ALL_STATIONS, PppProtocol, UNNUMBERED_INFORMATION } from './constants.ts'
import type { PppTable } from './table.ts'
import { LinkFlag } from './table.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const { Up: UP, CompressAddress: COMPRESS_ADDRESS, CompressProtocol: COMPRESS_PROTOCOL } = LinkFlag
const COMPRESS = COMPRESS_ADDRESS | COMPRESS_PROTOCOL
/** Both fields in full. */
const UNCOMPRESSED_IPV4 = (ALL_STATIONS << 24) | (UNNUMBERED_INFORMATION << 16) | PppProtocol.Ipv4
const UNCOMPRESSED = 4

/**
 * For each packet to be forwarded, which is IPv4 and knows its session: writes FF 03 00 21 into the headroom, without
 * FF 03 where the peer takes ACFC and without 00 where it takes PFC. A link that is not up gets nothing: NoRoute.
 */
export function encapsulate(batch: Batch, table: PppTable): void {
  const { view, offset, length, session, verdict, count } = batch
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== FORWARD) continue
    const flags = table.flags[session[i]!]!
    if ((flags & (UP | COMPRESS)) !== UP) {
      shorten(batch, i, flags)
      continue
    }
    const at = offset[i]! - UNCOMPRESSED
    view.setInt32(at, UNCOMPRESSED_IPV4)
    offset[i] = at
    length[i]! += UNCOMPRESSED
  }
}

/** What leaves out a part of it, or is not up. */
function shorten(batch: Batch, i: number, flags: number): void {
  const { bytes, offset, length } = batch
  if (!(flags & UP)) {
    batch.verdict[i] = Verdict.Drop
    batch.reason[i] = DropReason.NoRoute
    return
  }
  const end = offset[i]! + length[i]!
  let at = offset[i]!
  bytes[--at] = PppProtocol.Ipv4
  if (!(flags & COMPRESS_PROTOCOL)) bytes[--at] = 0
  if (!(flags & COMPRESS_ADDRESS)) {
    bytes[--at] = UNNUMBERED_INFORMATION
    bytes[--at] = ALL_STATIONS
  }
  offset[i] = at
  length[i] = end - at
}
