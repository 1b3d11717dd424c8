/** A heap of tunnels by deadline, so that thousands of tunnels cost nothing while they wait. */

import { Heap } from '../heap.ts'
import type { Millis } from '../machine.ts'

/** Entries are never moved: a deadline that came nearer gets a second entry, one that went away is found stale when due. */
export class Deadlines<T> {
  private readonly heap = new Heap<{ readonly at: Millis; readonly item: T }>()
  /** The earliest entry of each item that is in the heap. */
  private readonly scheduled = new Map<T, Millis>()

  /** The earliest entry, which may be too early for its item, but never too late. */
  get next(): Millis | undefined {
    return this.heap.first?.at
  }

  /** To be called whenever an item's deadline may have changed. */
  schedule(item: T, at: Millis | undefined): void {
    if (at === undefined) return
    const before = this.scheduled.get(item)
    if (before !== undefined && before <= at) return
    this.scheduled.set(item, at)
    this.heap.push({ at, item })
  }

  /** Takes out one item whose entry is due, or undefined; the caller asks it for its deadline and schedules it anew. */
  takeDue(now: Millis): T | undefined {
    for (let first = this.heap.first; first && first.at <= now; first = this.heap.first) {
      const { at, item } = first
      this.heap.pop()
      if (this.scheduled.get(item) !== at) continue
      this.scheduled.delete(item)
      return item
    }
    return undefined
  }

  /** Forgets an item; its entries go when they are due. */
  remove(item: T): void {
    this.scheduled.delete(item)
  }
}
