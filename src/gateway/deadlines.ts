/** One timer for all machines: a binary heap of deadlines, where an entry that was set anew leaves a stale one behind. */

import { Heap } from '../heap.ts'
import type { Millis } from '../machine.ts'

export interface Clock {
  now(): Millis
  /** Calls `then` once after `delay` milliseconds; answers how to cancel. */
  after(delay: Millis, then: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint() / 1_000_000n),
  after(delay, then) {
    const timer = setTimeout(then, delay)
    return () => clearTimeout(timer)
  },
}

interface Entry {
  readonly at: Millis
  readonly key: object
  run: () => void
}

export class Deadlines {
  private readonly clock: Clock
  private readonly heap = new Heap<Entry>()
  private readonly current = new Map<object, Entry>()
  private armed: Millis | undefined
  private cancel: (() => void) | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Sets, moves or (with undefined) clears the deadline of `key`. `run` is called once when it has come. */
  set(key: object, at: Millis | undefined, run: () => void): void {
    const before = this.current.get(key)
    if (at === undefined) {
      if (before) this.current.delete(key)
      return
    }
    if (before?.at === at) {
      before.run = run
      return
    }
    const entry = { at, key, run }
    this.current.set(key, entry)
    this.heap.push(entry)
    this.arm()
  }

  /** Forgets every deadline and cancels the timer. */
  clear(): void {
    this.heap.clear()
    this.current.clear()
    this.cancel?.()
    this.cancel = undefined
    this.armed = undefined
  }

  private arm(): void {
    const first = this.heap.first
    if (!first || (this.armed !== undefined && this.armed <= first.at)) return
    this.cancel?.()
    this.armed = first.at
    this.cancel = this.clock.after(Math.max(0, first.at - this.clock.now()), () => this.fire())
  }

  private fire(): void {
    this.armed = undefined
    this.cancel = undefined
    const now = this.clock.now()
    try {
      for (let first = this.heap.first; first && first.at <= now; first = this.heap.first) {
        this.heap.pop()
        if (this.current.get(first.key) !== first) continue
        this.current.delete(first.key)
        first.run()
      }
    } finally {
      // Whatever one of them throws, the others still have their time.
      this.arm()
    }
  }
}
