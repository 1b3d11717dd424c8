/** How many answers to nonsense a link may send: a burst, refilled with time. */

import type { Millis } from '../machine.ts'

export class Allowance {
  private left: number
  private since: Millis | undefined
  private readonly burst: number
  private readonly refillMillis: number

  constructor(burst: number, refillMillis: number) {
    this.burst = burst
    this.left = burst
    this.refillMillis = refillMillis
  }

  /** Takes one, where one is left. */
  take(now: Millis): boolean {
    this.since ??= now
    const gained = Math.floor((now - this.since) / this.refillMillis)
    if (gained > 0) {
      this.left = Math.min(this.burst, this.left + gained)
      this.since += gained * this.refillMillis
    }
    if (this.left === 0) return false
    this.left--
    return true
  }
}
