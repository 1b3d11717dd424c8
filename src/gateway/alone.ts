/**
 * Whether the next packet is likely to come alone, as those of a game, a call or a terminal do: then one is asked for, and not
 * another time only to hear that there is none. Where more had come after all the poller tells of it at once.
 */

/** So many came alone, one after the other, before that is expected of the next. */
const ENOUGH = 16
/** What was waited for no longer may have been there before, and others with it. */
const APART_MICROS = 100
/** So many later all are asked for once: a thread that had no processor waits, too, while packets gather. */
const AGAIN = 2 * ENOUGH

export class Alone {
  private row = 0

  /** `micros`: how long it was waited for. */
  isLikely(micros: number): boolean {
    return this.row >= ENOUGH && micros > APART_MICROS
  }

  /** So many came the last time. */
  feel(packets: number): void {
    if (packets !== 1) this.row = 0
    else if (++this.row === AGAIN) this.row = ENOUGH - 1
  }
}
