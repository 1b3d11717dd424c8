/** A binary heap of what is due, in which the earliest stands first. */

import type { Millis } from './machine.ts'

export interface Due {
  readonly at: Millis
}

export class Heap<T extends Due> {
  private readonly entries: T[] = []
  private readonly earlier: (a: T, b: T) => boolean

  constructor(earlier: (a: T, b: T) => boolean = (a, b) => a.at < b.at) {
    this.earlier = earlier
  }

  get first(): T | undefined {
    return this.entries[0]
  }

  push(entry: T): void {
    const { entries } = this
    let i = entries.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.earlier(entry, entries[parent]!)) break
      entries[i] = entries[parent]!
      i = parent
    }
    entries[i] = entry
  }

  /** Takes the first out. */
  pop(): T | undefined {
    const { entries } = this
    const [first] = entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && this.earlier(entries[child + 1]!, entries[child]!)) child++
      if (!this.earlier(entries[child]!, last)) break
      entries[i] = entries[child]!
      i = child
    }
    entries[i] = last
    return first
  }

  clear(): void {
    this.entries.length = 0
  }
}
