/** What was sent lately where nothing is tracked, so that each packet of one stream is not taken for the first. */

import { MAX_SESSIONS } from '../packet/table.ts'
import type { Headers } from './headers.ts'

/** Streams that are remembered of a session; one more takes the place of an older one. */
const WAYS = 8
const WAY_SHIFT = 32 - Math.log2(WAYS)

export class Untracked {
  private readonly seen = new Int32Array(MAX_SESSIONS * WAYS)

  /** Whether the packet is of another stream than those that are remembered; it is from now on. */
  isNew(session: number, h: Headers): boolean {
    const ends = Math.imul(h.source, 0x85ebca6b) ^ Math.imul(h.destination, 0xc2b2ae35)
    const key = Math.imul(ends ^ ((h.sourcePort << 16) | (h.destinationPort & 0xffff)) ^ h.protocol, 0x9e3779b1)
    const i = session * WAYS + (key >>> WAY_SHIFT)
    if (this.seen[i] === key) return false
    this.seen[i] = key
    return true
  }
}
