/**
 * Which datagrams' first fragments were let through lately (RFC 791 section 3.2): later fragments bear no ports, so they
 * pass where their first one did, and are dropped where it did not or has not come yet.
 */

import type { Millis } from '../machine.ts'
import { Timeout } from './constants.ts'
import type { Tuple } from './flow.ts'
import type { Headers } from './headers.ts'

const WAYS = 4
const SETS = 512
const ROWS = WAYS * SETS
/** Fragments of one datagram that MAXFRAGMENTS may allow at most, and where it says nothing: 64 kB in packets of 1400 bytes. */
const ROOM = 50
export const MOST_FRAGMENTS = 48

export class FragmentTable {
  private readonly source = new Int32Array(ROWS)
  private readonly destination = new Int32Array(ROWS)
  /** Identification and protocol; with the addresses they name one datagram. */
  private readonly datagram = new Uint32Array(ROWS)
  /** How the datagram goes on: other addresses and another identification, where its first fragment was translated. */
  readonly toSource = new Int32Array(ROWS)
  readonly toDestination = new Int32Array(ROWS)
  readonly toIdentification = new Uint16Array(ROWS)
  private readonly translated = new Uint8Array(ROWS)
  private readonly expires = new Float64Array(ROWS).fill(Number.NEGATIVE_INFINITY)
  /** What has come of each datagram: its fragments' beginnings and ends, their bytes, and where its end is once that is known. */
  private readonly pieces = new Uint8Array(ROWS)
  private readonly starts = new Uint16Array(ROWS * ROOM)
  private readonly ends = new Uint16Array(ROWS * ROOM)
  private readonly bytes = new Uint32Array(ROWS)
  private readonly whole = new Uint32Array(ROWS)
  private limit = MOST_FRAGMENTS

  /** How many fragments of one datagram may pass, from now on. */
  allow(most: number): void {
    this.limit = Math.min(most, ROOM)
  }

  /** Remembers a first fragment that passed; the oldest of its set makes room. Answers its row. */
  record(h: Headers, now: Millis): number {
    const base = setOf(h)
    let row = base
    for (let i = base; i < base + WAYS; i++) {
      if (this.matches(i, h)) {
        row = i
        if (this.expires[i]! > now) {
          this.expires[row] = now + Timeout.fragment
          this.translated[row] = 0
          this.cover(row, h)
          return row
        }
        break
      }
      if (this.expires[i]! < this.expires[row]!) row = i
    }
    this.source[row] = h.source
    this.destination[row] = h.originalDestination
    this.datagram[row] = (h.identification << 8) | h.protocol
    this.expires[row] = now + Timeout.fragment
    this.translated[row] = 0
    this.restart(row)
    this.cover(row, h)
    return row
  }

  /** Whether a first fragment says otherwise what came of its datagram before. */
  overlaps(h: Headers, now: Millis): boolean {
    const row = this.find(h, now)
    return row >= 0 && !this.fits(row, h.fragmentOffset, h.fragmentOffset + h.transportLength)
  }

  /**
   * Takes in one more fragment. Answers false where it overlaps another one, or where there are too many: it must not pass.
   * One that came twice passes twice.
   */
  cover(row: number, h: Headers): boolean {
    const start = h.fragmentOffset
    const end = start + h.transportLength
    if (!this.fits(row, start, end)) return false
    const base = row * ROOM
    const n = this.pieces[row]!
    for (let i = base; i < base + n; i++) if (this.starts[i] === start && this.ends[i] === end) return true
    if (n >= this.limit) return false
    this.starts[base + n] = start
    this.ends[base + n] = end
    this.pieces[row] = n + 1
    this.bytes[row]! += h.transportLength
    if (!h.moreFragments) this.whole[row] = end
    // All is there: the next one of this identification is another datagram.
    if (this.whole[row] === this.bytes[row]) this.restart(row)
    return true
  }

  private fits(row: number, start: number, end: number): boolean {
    const base = row * ROOM
    for (let i = base; i < base + this.pieces[row]!; i++) {
      const same = this.starts[i] === start && this.ends[i] === end
      if (!same && start < this.ends[i]! && end > this.starts[i]!) return false
    }
    return true
  }

  private restart(row: number): void {
    this.pieces[row] = 0
    this.bytes[row] = 0
    this.whole[row] = 0
  }

  /** Says that the datagram in `row` goes on under other addresses. */
  translate(row: number, to: Tuple, identification: number): void {
    this.translated[row] = 1
    this.toSource[row] = to.source
    this.toDestination[row] = to.destination
    this.toIdentification[row] = identification
  }

  /** The row of this one's datagram, whose first fragment passed; or -1. */
  find(h: Headers, now: Millis): number {
    const base = setOf(h)
    for (let i = base; i < base + WAYS; i++) if (this.expires[i]! > now && this.matches(i, h)) return i
    return -1
  }

  isTranslated(row: number): boolean {
    return this.translated[row] === 1
  }

  private matches(row: number, h: Headers): boolean {
    return (
      this.datagram[row] === ((h.identification << 8) | h.protocol) &&
      this.source[row] === h.source &&
      this.destination[row] === h.originalDestination
    )
  }
}

function setOf(h: Headers): number {
  const mixed = Math.imul(h.source ^ Math.imul(h.originalDestination, 0x85ebca6b) ^ h.identification, 0x9e3779b1)
  return ((mixed >>> 16) & (SETS - 1)) * WAYS
}
