/** How often something may be noted: a rate for all together, and one for each session, so that none takes all of it. */

import type { Millis } from '../machine.ts'
import { MAX_SESSIONS } from '../packet/table.ts'

export interface FairRate {
  /** A second, in the long run, of all and of one session; and how many at once. */
  readonly rate: number
  readonly burst: number
  readonly sessionRate: number
  readonly sessionBurst: number
}

export class FairTokens {
  private readonly rate: FairRate
  private tokens: number
  private filledAt: Millis | undefined = undefined
  private readonly sessionTokens: Float32Array
  private readonly sessionFilledAt = new Float64Array(MAX_SESSIONS)

  constructor(rate: FairRate) {
    this.rate = rate
    this.tokens = rate.burst
    this.sessionTokens = new Float32Array(MAX_SESSIONS).fill(rate.sessionBurst)
  }

  /** Takes one, where both there are some. */
  spend(session: number, now: Millis): boolean {
    const { rate, burst, sessionRate, sessionBurst } = this.rate
    this.tokens = Math.min(burst, this.tokens + ((now - (this.filledAt ?? now)) * rate) / 1000)
    this.filledAt = now
    const elapsed = now - this.sessionFilledAt[session]!
    const own = Math.min(sessionBurst, this.sessionTokens[session]! + (elapsed * sessionRate) / 1000)
    this.sessionFilledAt[session] = now
    const enough = this.tokens >= 1 && own >= 1
    this.sessionTokens[session] = enough ? own - 1 : own
    if (enough) this.tokens--
    return enough
  }
}
