/** Ranges of addresses, joined and in order, so that one is found by halving. */

import type { AddressRange } from './policy.ts'

/** The same addresses in as few ranges as may be, from the lowest on. */
export function joinRanges(list: readonly AddressRange[]): AddressRange[] {
  const joined: { first: number; last: number }[] = []
  for (const r of [...list].sort((a, b) => a.first - b.first)) {
    const before = joined.at(-1)
    if (before && r.first <= before.last + 1) before.last = Math.max(before.last, r.last)
    else joined.push({ ...r })
  }
  return joined
}

/** First and last by turns, of joined ranges: plain data that travels to a worker. */
export function rangeTable(list: readonly AddressRange[]): Float64Array {
  return Float64Array.from(joinRanges(list).flatMap(r => [r.first, r.last]))
}

/** Whether an address is in one of the table's ranges. */
export function inTable(table: Float64Array, address: number): boolean {
  let low = 0
  let high = table.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (table[2 * middle + 1]! < address) low = middle + 1
    else high = middle
  }
  return 2 * low < table.length && table[2 * low]! <= address
}
