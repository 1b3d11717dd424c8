/**
 * The anti-replay window of 32-bit sequence numbers (RFC 4303 section 3.4.3); native/replay.h does the same.
 *
 * Checking is apart from advancing: a sequence number counts as seen only once its packet has proved to be authentic.
 */

/** Window sizes in packets; 0 switches the check off. */
export const REPLAY_WINDOWS: readonly number[] = [0, 64, 128, 256]

export class ReplayWindow {
  readonly size: number
  /** The highest sequence number that was accepted; 0 before the first. */
  highest = 0
  /** One flag for each of the `size` numbers up to `highest`, at its number modulo `size`. */
  private readonly seen: Uint8Array

  /** Throws RangeError on a size that is not in REPLAY_WINDOWS. */
  constructor(size: number) {
    if (!REPLAY_WINDOWS.includes(size)) throw new RangeError(`replay window of ${size} packets`)
    this.size = size
    this.seen = new Uint8Array(size)
  }

  /** Whether a packet with this sequence number may still be accepted. 0 is never sent, so it never may. */
  check(sequence: number): boolean {
    if (this.size === 0) return true
    if (sequence === 0) return false
    if (sequence > this.highest) return true
    if (this.highest - sequence >= this.size) return false
    return this.seen[sequence % this.size] === 0
  }

  /** Marks the number of an authentic packet that `check` let pass. */
  advance(sequence: number): void {
    const { size, seen } = this
    if (sequence > this.highest) {
      // Numbers skipped are not seen, and their places still hold what stood there a window ago.
      if (sequence - this.highest >= size) seen.fill(0)
      else for (let s = this.highest + 1; s < sequence; s++) seen[s % size] = 0
      this.highest = sequence
    }
    if (size > 0) seen[sequence % size] = 1
  }
}
