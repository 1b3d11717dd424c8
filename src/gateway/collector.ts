/**
 * V8's garbage collector, so that packets wait little for it: what a worker leaves behind is swept up early, in small parts, and
 * by the worker itself. By default other threads of the process help, and the one that has garbage waits until each of them got
 * a processor, which may be milliseconds where all are busy; there is little to do that could be shared.
 */

import { setFlagsFromString } from 'node:v8'
import type { ResourceLimits } from 'node:worker_threads'

/** Its young space takes a third of this until it is collected. */
export const workerLimits: ResourceLimits = { maxYoungGenerationSizeMb: 3 }

/**
 * What a worker keeps may grow to so many megabytes until V8 looks through it as a whole, which takes milliseconds and waits for
 * other threads. By itself V8 does so at some eight, although next to nothing comes to stay.
 */
const OLD_SPACE = 64

/** For the whole process, the last for threads that are yet to start alone; before there are workers. */
export function collectWithoutHelp(): void {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--no-concurrent-array-buffer-sweeping')
  setFlagsFromString(`--initial-old-space-size=${OLD_SPACE}`)
}
