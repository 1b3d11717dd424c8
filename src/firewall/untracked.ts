/** What was sent lately where nothing is tracked, so that each packet of one stream is not taken for the first. */

import { MAX_SESSIONS } from '../packet/table.ts'
import type { Headers } from './headers.ts'

/** Streams that are remembered of a session; one more takes the place of the oldest. */
const WAYS = 8
/** The newest, most often the two ways of one stream, stand apart: many sessions' fit into the caches. */
const NEWEST = 2
const OLDER = WAYS - NEWEST

export class Untracked {
  private readonly newest = new Int32Array(MAX_SESSIONS * NEWEST)
  private readonly older = new Int32Array(MAX_SESSIONS * OLDER)

  /** Looks at what is remembered of a session, and at nothing in it; for filter.ts. */
  glance(session: number): number {
    return this.newest[session * NEWEST]!
  }

  /** Whether the packet is of another stream than those that are remembered; it is from now on. */
  isNew(session: number, h: Headers): boolean {
    const { newest, older } = this
    const ends = Math.imul(h.source, 0x85ebca6b) ^ Math.imul(h.destination, 0xc2b2ae35)
    const key = Math.imul(ends ^ ((h.sourcePort << 16) | (h.destinationPort & 0xffff)) ^ h.protocol, 0x9e3779b1)
    const at = session * NEWEST
    if (newest[at] === key || newest[at + 1] === key) return false
    const first = session * OLDER
    for (let i = first; i < first + OLDER; i++) if (older[i] === key) return false
    // The oldest makes way: so the two ways of one stream never drive one another out.
    older.copyWithin(first + 1, first, first + OLDER - 1)
    older[first] = newest[at + 1]!
    newest[at + 1] = newest[at]!
    newest[at] = key
    return true
  }
}
