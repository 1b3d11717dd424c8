/** Rounds through thousands of things, a few at a time: nobody's message waits until all have been looked at. */

import type { Clock, Deadlines } from './deadlines.ts'

const AT_ONCE = 256
const BREATH_MILLIS = 2

/** Does `each` with everything in `all`, which may change meanwhile, and `done` behind the last. */
export function goRound<T>(
  to: { readonly clock: Clock; readonly deadlines: Deadlines },
  all: Iterable<T>,
  each: (one: T) => void,
  done: () => void,
): void {
  const rest = all[Symbol.iterator]()
  const key = {}
  const some = () => {
    for (let i = 0; i < AT_ONCE; i++) {
      const next = rest.next()
      if (next.done) return done()
      each(next.value)
    }
    to.deadlines.set(key, to.clock.now() + BREATH_MILLIS, some)
  }
  some()
}
