/** A bound on how often something may be done: so many at once, and so many a second from then on. */

import type { Millis } from '../machine.ts'

export class Allowance {
  private tokens: number
  private at: Millis = 0
  private readonly burst: number
  private readonly perSecond: number

  constructor(burst: number, perSecond: number) {
    this.burst = burst
    this.perSecond = perSecond
    this.tokens = burst
  }

  /** Whether it may be done once more. */
  take(now: Millis): boolean {
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.at) / 1000) * this.perSecond)
    this.at = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}
