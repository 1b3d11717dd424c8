/**
 * Clamps the Maximum Segment Size in SYN segments (RFC 9293 section 3.7.1), because many networks swallow the ICMP
 * messages that path MTU discovery needs, and then large transfers hang.
 */

import { update16 } from '../packet/checksum.ts'
import { TcpOption } from './constants.ts'

/**
 * Lowers the MSS option of the TCP segment at `at` to `maximum` where it is larger, and sets its checksum right by what
 * changed alone. A segment without the option promises 536 bytes and is left alone. `length` is the segment's; the
 * caller has checked that the TCP header lies within it. Answers whether anything changed.
 */
export function clampMss(bytes: Uint8Array, at: number, length: number, maximum: number): boolean {
  const end = at + Math.min((bytes[at + 12]! >>> 4) * 4, length)
  let option = at + 20
  while (option < end) {
    const kind = bytes[option]!
    if (kind === TcpOption.End) return false
    if (kind === TcpOption.NoOperation) {
      option++
      continue
    }
    const size = option + 1 < end ? bytes[option + 1]! : 0
    if (size < 2 || option + size > end) return false
    if (kind === TcpOption.MaximumSegmentSize && size === 4) return lower(bytes, at, option + 2, maximum)
    option += size
  }
  return false
}

function lower(bytes: Uint8Array, segment: number, at: number, maximum: number): boolean {
  const before = (bytes[at]! << 8) | bytes[at + 1]!
  if (before <= maximum) return false
  bytes[at] = maximum >>> 8
  bytes[at + 1] = maximum
  const check = (bytes[segment + 16]! << 8) | bytes[segment + 17]!
  // At an odd place the value straddles two words of the sum, which comes to the same as its bytes exchanged.
  const odd = ((at - segment) & 1) === 1
  const updated = odd ? update16(check, swap(before), swap(maximum)) : update16(check, before, maximum)
  bytes[segment + 16] = updated >>> 8
  bytes[segment + 17] = updated
  return true
}

function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}
