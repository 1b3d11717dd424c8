/** Watching a quiet link with LCP Echo-Requests (RFC 1661 section 5.8). */

import type { Millis } from '../machine.ts'
import { MAX_MISSED_ECHOES } from './constants.ts'

/** What a link has to do when the watch's time has come. */
export type EchoAction = 'nothing' | 'ask' | 'dead'

/**
 * Each period without a sign of life asks once. When MAX_MISSED_ECHOES periods in a row have asked in vain, the peer is
 * dead at the end of the last one: with 30 seconds, 150 seconds after it was heard last, at most 180.
 */
export class EchoWatch {
  deadline: Millis | undefined
  /** Echo-Requests since the last sign of life. */
  missed = 0
  private heard = false
  private readonly periodMillis: number | undefined

  /** `seconds` undefined (or not positive): never asks. */
  constructor(seconds: number | undefined) {
    this.periodMillis = seconds !== undefined && seconds > 0 ? seconds * 1000 : undefined
  }

  start(now: Millis): void {
    this.missed = 0
    this.heard = false
    this.deadline = this.periodMillis === undefined ? undefined : now + this.periodMillis
  }

  stop(): void {
    this.deadline = undefined
  }

  /** Anything at all came from the peer. */
  alive(): void {
    this.heard = true
    this.missed = 0
  }

  expire(now: Millis): EchoAction {
    this.deadline = this.periodMillis === undefined ? undefined : now + this.periodMillis
    if (this.heard) {
      this.heard = false
      return 'nothing'
    }
    if (this.missed >= MAX_MISSED_ECHOES) return 'dead'
    this.missed++
    return 'ask'
  }
}
