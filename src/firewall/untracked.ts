/** What was sent lately where nothing is tracked, so that each packet of one stream is not taken for the first. */

import { MAX_SESSIONS } from '../packet/table.ts'
import type { Headers } from './headers.ts'

/** What a packet is to the streams that are remembered. */
export const Seen = { New: 0, Answer: 1, Known: 2 } as const
export type Seen = (typeof Seen)[keyof typeof Seen]

/** Streams that are remembered of a session, whichever way they go; one more takes the place of the oldest. */
const WAYS = 8
/** The newest stand apart: many sessions' fit into the caches. */
const NEWEST = 2
const OLDER = WAYS - NEWEST
/** In the place of a stream's hash's last bits: which of its ends began, and whether the other one was heard. */
const BEGAN = 1
const ANSWERED = 2
const STREAM = ~(BEGAN | ANSWERED)

export class Untracked {
  private readonly newest = new Int32Array(MAX_SESSIONS * NEWEST)
  private readonly older = new Int32Array(MAX_SESSIONS * OLDER)

  /** Looks at what is remembered of a session, and at nothing in it; for filter.ts. */
  glance(session: number): number {
    return this.newest[session * NEWEST]!
  }

  /** Whether the packet is of another stream than those that are remembered, or the first one back; it is known from now on. */
  look(session: number, h: Headers): Seen {
    const { newest, older } = this
    const from = Math.imul(h.source ^ Math.imul(h.sourcePort, 0xc2b2ae35), 0x85ebca6b)
    const to = Math.imul(h.destination ^ Math.imul(h.destinationPort, 0xc2b2ae35), 0x85ebca6b)
    const stream = Math.imul((from + to) ^ h.protocol, 0x9e3779b1) & STREAM
    const end = from < to ? BEGAN : 0
    const at = session * NEWEST
    for (let i = at; i < at + NEWEST; i++) if ((newest[i]! & STREAM) === stream) return goOn(newest, i, end)
    const first = session * OLDER
    for (let i = first; i < first + OLDER; i++) if ((older[i]! & STREAM) === stream) return goOn(older, i, end)
    older.copyWithin(first + 1, first, first + OLDER - 1)
    older[first] = newest[at + 1]!
    newest[at + 1] = newest[at]!
    newest[at] = stream | end
    return Seen.New
  }
}

/** One more packet of a stream, by that end. */
function goOn(streams: Int32Array, i: number, end: number): Seen {
  const known = streams[i]!
  if ((known & BEGAN) === end || (known & ANSWERED) !== 0) return Seen.Known
  streams[i] = known | ANSWERED
  return Seen.Answer
}
