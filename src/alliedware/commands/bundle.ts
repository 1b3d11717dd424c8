/** The STRING of a bundle specification: which SA specifications are offered, in order of preference. */

import type { ValueType } from '../value.ts'

export interface BundleString {
  readonly string: string
  readonly alternatives: readonly (readonly number[])[]
}

/** At most so many protocols applied together, and so many alternatives that one string can stand for. */
const MAX_TOGETHER = 3
const MAX_ALTERNATIVES = 256

/**
 * `1 OR 2 AND 3, 4`: a comma parts whole alternatives, AND joins what is applied together, OR gives a choice for one
 * place of it. OR binds closest, so that this one reads (1 or 2) with 3, else 4: [[1, 3], [2, 3], [4]].
 */
export const bundleString: ValueType<BundleString> = {
  expected: 'up to 100 characters of SA specification numbers with AND, OR and commas between',
  parse: string => {
    if (string.length > 100) return undefined
    const alternatives: number[][] = []
    for (const alternative of string.split(',')) {
      const groups = alternative
        .trim()
        .split(/\s+and\s+/i)
        .map(choices)
      if (groups.length > MAX_TOGETHER) return undefined
      let together: number[][] = [[]]
      for (const group of groups) {
        if (group === undefined) return undefined
        together = together.flatMap(head => group.map(number => [...head, number]))
        if (together.length > MAX_ALTERNATIVES) return undefined
      }
      if (together.some(numbers => new Set(numbers).size < numbers.length)) return undefined
      alternatives.push(...together)
    }
    return { string, alternatives }
  },
}

function choices(group: string): number[] | undefined {
  const words = group.split(/\s+or\s+/i)
  if (!words.every(word => /^\d{1,3}$/.test(word) && Number(word) <= 255)) return undefined
  return words.map(Number)
}
