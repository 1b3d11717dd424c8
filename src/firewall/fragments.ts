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

  /** Remembers a first fragment that passed; the oldest of its set makes room. Answers its row. */
  record(h: Headers, now: Millis): number {
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
    this.destination[row] = h.originalDestination
    this.datagram[row] = (h.identification << 8) | h.protocol
    this.expires[row] = now + Timeout.fragment
    this.translated[row] = 0
    return row
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
