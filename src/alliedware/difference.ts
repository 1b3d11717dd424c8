/** What one configuration has and another has not, as the commands of their written scripts; secrets are masked. */

import type { Configuration } from './config.ts'
import { maskSecrets } from './parse.ts'
import { writeScript } from './write.ts'

export interface Difference {
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

/** Tables larger than this are not filled: then what has only moved is not told. */
const LARGEST_TABLE = 4_000_000

export function difference(before: Configuration, after: Configuration): Difference {
  const [removed, added] = differing(commandsOf(before), commandsOf(after))
  return { removed: removed.map(shownLine), added: added.map(shownLine) }
}

/** A line of a script as it may be shown: as it stands where it holds no secret. One that cannot be read may hold one. */
export function shownLine(line: string): string {
  if (/^\s*(\*?#|$)/.test(line)) return line
  const masked = maskSecrets(line)
  return masked === '***' || masked.includes('=***') ? masked : line
}

function commandsOf(c: Configuration): string[] {
  return writeScript(c)
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
}

type Pair = readonly [removed: string[], added: string[]]

/** Without what both have in the same order. */
function differing(before: readonly string[], after: readonly string[]): Pair {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let ends = 0
  while (
    ends < before.length - start &&
    ends < after.length - start &&
    before[before.length - 1 - ends] === after[after.length - 1 - ends]
  )
    ends++
  const a = before.slice(start, before.length - ends)
  const b = after.slice(start, after.length - ends)
  return a.length * b.length > LARGEST_TABLE ? asSets(a, b) : inOrder(a, b)
}

/** By the longest common subsequence. */
function inOrder(a: readonly string[], b: readonly string[]): Pair {
  const width = b.length + 1
  const longest = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1]! + 1
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!)
  const pair: Pair = [[], []]
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++
      j++
    } else if (j === b.length || (i < a.length && longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!))
      pair[0].push(a[i++]!)
    else pair[1].push(b[j++]!)
  }
  return pair
}

function asSets(a: readonly string[], b: readonly string[]): Pair {
  const [inA, inB] = [new Set(a), new Set(b)]
  return [a.filter(line => !inB.has(line)), b.filter(line => !inA.has(line))]
}
