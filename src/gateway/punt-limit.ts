/** A bound on what one peer may send to the control thread, so that a flood from one cannot starve the others. */

import type { Millis } from '../machine.ts'
import { MAX_PEERS } from '../packet/table.ts'

/** Punts a second that one peer may make; a connecting client needs about twenty. */
const PER_SECOND = 200
/** For everybody whose row is not known, together: where sockets cannot be steered, all of IKE on port 4500 comes so. */
const NOBODY_PER_SECOND = 5000
/** Packets under SPIs that nobody has: after a restart a few of each client's would do, and anyone can send them. */
const STRAYS_PER_SECOND = 50

export class PuntLimit {
  private readonly used = new Uint16Array(MAX_PEERS)
  private strays = 0
  private windowStart: Millis = 0

  /** Whether `peer` may punt one more packet in this second. */
  allows(peer: number, now: Millis): boolean {
    this.turn(now)
    if (this.used[peer]! >= (peer === 0 ? NOBODY_PER_SECOND : PER_SECOND)) return false
    this.used[peer]!++
    return true
  }

  /** Whether control may be told of one more packet under an SPI that nobody has. */
  allowsStray(now: Millis): boolean {
    this.turn(now)
    return this.strays++ < STRAYS_PER_SECOND
  }

  private turn(now: Millis): void {
    if (now - this.windowStart < 1000) return
    this.used.fill(0)
    this.strays = 0
    this.windowStart = now
  }
}
