/**
 * The workers before whatever else the host does, since a packet that waits for a processor is late; and control before the
 * workers: where all processors are busy with packets, who connects or asks is answered all the same.
 */

import { getPriority, setPriority } from 'node:os'

/** Steps of niceness by which each of them is raised. */
export const Steps = { worker: 10, control: 20 } as const
const HIGHEST = -20

/**
 * Raises the thread that calls, which Linux keeps a niceness for each; threads that it has started already stay as they
 * are. Answers whether it may.
 */
export function raiseThisThread(steps: number): boolean {
  try {
    setPriority(0, Math.max(HIGHEST, getPriority(0) - steps))
    return true
  } catch {
    return false
  }
}
