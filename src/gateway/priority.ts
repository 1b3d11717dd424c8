/** Control before the workers: where all processors are busy with packets, who connects or asks is answered all the same. */

import { getPriority, setPriority } from 'node:os'

/** Steps of niceness between control and its workers. */
const STEPS = 10
const HIGHEST = -20

/**
 * Raises the thread that calls, which Linux keeps a niceness for each; threads that it has started already stay as they
 * are. Answers whether it may.
 */
export function raiseThisThread(): boolean {
  try {
    setPriority(0, Math.max(HIGHEST, getPriority(0) - STEPS))
    return true
  } catch {
    return false
  }
}
