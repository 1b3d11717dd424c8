/** A heap of tunnels by deadline, so that thousands of tunnels cost nothing while they wait. */

import type { Millis } from '../machine.ts'

/** Entries are never moved: a deadline that came nearer gets a second entry, one that went away is found stale when due. */
export class Deadlines<T> {
  private readonly heap: { readonly at: Millis; readonly item: T }[] = []
  /** The earliest entry of each item that is in the heap. */
  private readonly scheduled = new Map<T, Millis>()

  /** The earliest entry, which may be too early for its item, but never too late. */
  get next(): Millis | undefined {
    return this.heap[0]?.at
  }

  /** To be called whenever an item's deadline may have changed. */
  schedule(item: T, at: Millis | undefined): void {
    if (at === undefined) return
    const before = this.scheduled.get(item)
    if (before !== undefined && before <= at) return
    this.scheduled.set(item, at)
    this.push(at, item)
  }

  /** Takes out one item whose entry is due, or undefined; the caller asks it for its deadline and schedules it anew. */
  takeDue(now: Millis): T | undefined {
    while (this.heap.length > 0 && this.heap[0]!.at <= now) {
      const { at, item } = this.pop()
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

  private push(at: Millis, item: T): void {
    const { heap } = this
    let i = heap.length
    heap.push({ at, item })
    while (i > 0) {
      const parent = (i - 1) >>> 1
      if (heap[parent]!.at <= at) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = { at, item }
  }

  private pop(): { readonly at: Millis; readonly item: T } {
    const { heap } = this
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++
      if (heap[child]!.at >= last.at) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
    return top
  }
}
