/**
 * Finds the first of many rules without trying each. For every field the values are cut where any rule's range begins or
 * ends; each piece has one bit for each rule that takes it (Lakshman and Stiliadis, SIGCOMM 1998). A packet's pieces are
 * found by halving, their bits combined a word at a time, and the lowest bit that is left is the first candidate.
 */

/** A field's range in one rule, both ends included. */
export interface FieldRange {
  readonly first: number
  readonly last: number
}

/** Plain data, so that it can travel to a worker. */
export interface FieldIndex {
  /** Where each piece begins, ascending from 0. */
  readonly starts: Float64Array
  /** Of each piece, a bit by rule. */
  readonly bits: Int32Array
  readonly words: number
}

/** `ranges` by rule, in the rules' order. */
export function indexField(ranges: readonly FieldRange[]): FieldIndex {
  const words = Math.ceil(ranges.length / 32)
  const starts = Float64Array.from(new Set([0, ...ranges.flatMap(r => [r.first, r.last + 1])])).sort()
  const bits = new Int32Array(starts.length * words)
  const index: FieldIndex = { starts, bits, words }
  ranges.forEach((r, rule) => {
    const mask = 1 << (rule & 31)
    for (let at = pieceOf(index, r.first); at < starts.length && starts[at]! <= r.last; at++) {
      bits[at * words + (rule >>> 5)]! |= mask
    }
  })
  return index
}

/** The piece that holds a value. */
export function pieceOf(index: FieldIndex, value: number): number {
  const { starts } = index
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (starts[middle]! <= value) low = middle
    else high = middle - 1
  }
  return low
}
