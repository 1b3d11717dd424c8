/** Random bytes from the operating system, fetched by the page: a set-up takes a dozen small ones. */

import { randomFillSync } from 'node:crypto'
import type { Dice } from '../machine.ts'

const PAGE = 4096

/** Every byte is given out once, and not kept. */
export function systemDice(): Dice {
  const page = new Uint8Array(PAGE)
  let used = PAGE
  return length => {
    if (length > PAGE) return randomFillSync(new Uint8Array(length))
    if (used + length > PAGE) {
      randomFillSync(page)
      used = 0
    }
    const bytes = page.slice(used, used + length)
    page.fill(0, used, (used += length))
    return bytes
  }
}
