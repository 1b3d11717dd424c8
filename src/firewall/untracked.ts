/** What was sent lately where nothing is tracked, so that each packet of one stream is not taken for the first. */

import { MAX_SESSIONS } from '../packet/table.ts'
import type { Headers } from './headers.ts'

/** Streams that are remembered of a session; one more takes the place of the oldest. */
const WAYS = 8

export class Untracked {
  private readonly seen = new Int32Array(MAX_SESSIONS * WAYS)

  /** Looks at what is remembered of a session, and at nothing in it; for filter.ts. */
  glance(session: number): number {
    return this.seen[session * WAYS]!
  }

  /** Whether the packet is of another stream than those that are remembered; it is from now on. */
  isNew(session: number, h: Headers): boolean {
    const ends = Math.imul(h.source, 0x85ebca6b) ^ Math.imul(h.destination, 0xc2b2ae35)
    const key = Math.imul(ends ^ ((h.sourcePort << 16) | (h.destinationPort & 0xffff)) ^ h.protocol, 0x9e3779b1)
    const first = session * WAYS
    for (let i = first; i < first + WAYS; i++) if (this.seen[i] === key) return false
    // The oldest makes way: so the two ways of one stream never drive one another out.
    this.seen.copyWithin(first + 1, first, first + WAYS - 1)
    this.seen[first] = key
    return true
  }
}
