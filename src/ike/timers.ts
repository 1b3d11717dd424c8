/** Things to do at a time, as an indexed binary heap: an exchange that ends takes its timer with it, so floods leave nothing behind. */

import type { Millis } from '../machine.ts'

export interface Timer {
  readonly at: Millis
  readonly run: () => void
  /** Its place in the heap; -1 when it is not there any more. */
  index: number
}

export class Timers {
  private readonly heap: Timer[] = []

  get size(): number {
    return this.heap.length
  }

  /** When the earliest timer is due. */
  get next(): Millis | undefined {
    return this.heap[0]?.at
  }

  set(at: Millis, run: () => void): Timer {
    const timer = { at, run, index: this.heap.length }
    this.heap.push(timer)
    this.up(timer)
    return timer
  }

  /** Takes a timer out; harmless where it is out already. */
  cancel(timer: Timer | undefined): void {
    if (timer === undefined || timer.index < 0) return
    const last = this.heap.pop()!
    if (last !== timer) {
      last.index = timer.index
      this.heap[last.index] = last
      this.up(last)
      this.down(last)
    }
    timer.index = -1
  }

  /** Runs what is due, earliest first; what a timer sets anew for a time already reached runs too. */
  runDue(now: Millis): void {
    for (let first = this.heap[0]; first !== undefined && first.at <= now; first = this.heap[0]) {
      this.cancel(first)
      first.run()
    }
  }

  private up(timer: Timer): void {
    while (timer.index > 0) {
      const parent = this.heap[(timer.index - 1) >> 1]!
      if (parent.at <= timer.at) return
      this.swap(parent, timer)
    }
  }

  private down(timer: Timer): void {
    for (;;) {
      const left = this.heap[2 * timer.index + 1]
      const right = this.heap[2 * timer.index + 2]
      const child = right && left && right.at < left.at ? right : left
      if (child === undefined || child.at >= timer.at) return
      this.swap(timer, child)
    }
  }

  private swap(upper: Timer, lower: Timer): void {
    const at = upper.index
    upper.index = lower.index
    lower.index = at
    this.heap[upper.index] = upper
    this.heap[lower.index] = lower
  }
}
