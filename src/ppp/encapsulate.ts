/** The stage that puts the PPP header before IPv4 packets (RFC 1661 sections 2, 6.5 and 6.6). */

import type { Batch } from '../packet/batch.ts'
import { DropReason, Verdict } from '../packet/verdict.ts'
import { ALL_STATIONS, PppProtocol, UNNUMBERED_INFORMATION } from './constants.ts'
import type { PppTable } from './table.ts'
import { LinkFlag } from './table.ts'

/**
 * For each packet to be forwarded, which is IPv4 and knows its session: writes FF 03 00 21 into the headroom, without
 * FF 03 where the peer takes ACFC and without 00 where it takes PFC. A link that is not up gets nothing: NoRoute.
 */
export function encapsulate(batch: Batch, table: PppTable): void {
  const { bytes, offset, length, session, verdict, reason, count } = batch
  for (let i = 0; i < count; i++) {
    if (verdict[i] !== Verdict.Forward) continue
    const flags = table.flags[session[i]!]!
    const end = offset[i]! + length[i]!
    if (!(flags & LinkFlag.Up)) {
      verdict[i] = Verdict.Drop
      reason[i] = DropReason.NoRoute
      continue
    }
    let at = offset[i]!
    bytes[--at] = PppProtocol.Ipv4
    if (!(flags & LinkFlag.CompressProtocol)) bytes[--at] = 0
    if (!(flags & LinkFlag.CompressAddress)) {
      bytes[--at] = UNNUMBERED_INFORMATION
      bytes[--at] = ALL_STATIONS
    }
    offset[i] = at
    length[i] = end - at
  }
}
