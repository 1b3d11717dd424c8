/** Rows by small integers: every data-path table is one, so that a lookup is an index and nothing allocates. */

/** How many peers one gateway can hold at once. Row 0 means none. */
export const MAX_PEERS = 16384
/** How many sessions one gateway can hold at once. Row 0 means none. */
export const MAX_SESSIONS = 16384

/** Hands out the smallest free integers from 1 to `size - 1`, the longest-freed first, so that a row rests before reuse. */
export class RowNumbers {
  private readonly free: number[] = []
  private next = 1
  private readonly size: number

  constructor(size: number) {
    this.size = size
  }

  /** A free number, or undefined where all are taken. */
  take(): number | undefined {
    if (this.next < this.size) return this.next++
    return this.free.shift()
  }

  give(n: number): void {
    this.free.push(n)
  }
}
