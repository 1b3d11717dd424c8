/**
 * Which datagrams' first fragments were let through lately (RFC 791 section 3.2): later fragments bear no ports, so they
 * pass where their first one did, and are dropped where it did not or has not come yet.
 */

import type { Millis } from '../machine.ts'
import { Timeout } from './constants.ts'
import type { Headers } from './headers.ts'

const WAYS = 4
const SETS = 512
const ROWS = WAYS * SETS

export class FragmentTable {
  private readonly source = new Int32Array(ROWS)
  private readonly destination = new Int32Array(ROWS)
  /** Identification and protocol; with the addresses they name one datagram. */
  private readonly datagram = new Uint32Array(ROWS)
  private readonly expires = new Float64Array(ROWS).fill(Number.NEGATIVE_INFINITY)

  /** Remembers a first fragment that passed; the oldest of its set makes room. */
  record(h: Headers, now: Millis): void {
    const base = setOf(h)
    let row = base
    for (let i = base; i < base + WAYS; i++) {
      if (this.matches(i, h)) {
        row = i
        break
      }
      if (this.expires[i]! < this.expires[row]!) row = i
    }
    this.source[row] = h.source
    this.destination[row] = h.destination
    this.datagram[row] = (h.identification << 8) | h.protocol
    this.expires[row] = now + Timeout.fragment
  }

  /** Whether the first fragment of this one's datagram passed. */
  passed(h: Headers, now: Millis): boolean {
    const base = setOf(h)
    for (let i = base; i < base + WAYS; i++) if (this.expires[i]! > now && this.matches(i, h)) return true
    return false
  }

  private matches(row: number, h: Headers): boolean {
    return (
      this.datagram[row] === ((h.identification << 8) | h.protocol) &&
      this.source[row] === h.source &&
      this.destination[row] === h.destination
    )
  }
}

function setOf(h: Headers): number {
  const mixed = Math.imul(h.source ^ Math.imul(h.destination, 0x85ebca6b) ^ h.identification, 0x9e3779b1)
  return ((mixed >>> 16) & (SETS - 1)) * WAYS
}
