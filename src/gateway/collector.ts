/**
 * V8's garbage collector, so that packets wait little for it: what a worker leaves behind is swept up early, in small parts, and
 * by the worker itself. By default other threads of the process help, and the one that has garbage waits until each of them got
 * a processor, which may be milliseconds where all are busy; there is little to do that could be shared.
 */

import { setFlagsFromString } from 'node:v8'
import type { ResourceLimits } from 'node:worker_threads'

/** Its young space takes a third of this until it is collected. */
export const workerLimits: ResourceLimits = { maxYoungGenerationSizeMb: 3 }

/** For the whole process; before there are workers. */
export function collectWithoutHelp(): void {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--no-concurrent-array-buffer-sweeping')
}
