/** The gateway's surroundings in virtual time. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Clock } from '../../src/gateway/deadlines.ts'
import type { Millis } from '../../src/machine.ts'

interface Timer {
  readonly at: Millis
  readonly then: () => void
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  time: Millis
  private readonly timers = new Set<Timer>()

  constructor(start: Millis = 1000) {
    this.time = start
  }

  now(): Millis {
    return this.time
  }

  after(delay: Millis, then: () => void): () => void {
    const timer = { at: this.time + delay, then }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size
  }

  /** When the next timer is due. */
  get next(): Millis | undefined {
    return this.timers.size === 0 ? undefined : Math.min(...[...this.timers].map(t => t.at))
  }

  /** Time passes; every timer on the way goes off at its time. */
  advance(milliseconds: Millis): void {
    const end = this.time + milliseconds
    for (;;) {
      const due = [...this.timers].filter(t => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!due) break
      this.timers.delete(due)
      this.time = Math.max(this.time, due.at)
      due.then()
    }
    this.time = end
  }
}

/** A directory that is gone when the test is. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'floatgate-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
