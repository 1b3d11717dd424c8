/** Arrays of a moment, cut from long ones: each by itself would cost the runtime an allocation outside its heap. */

const CHUNK = 65_536
/** Longer ones get their own. */
const LONGEST = 8_192

/** Nothing is ever handed out twice. Who keeps one keeps its whole chunk, and who posts one posts that: copy before. */
export class Arena {
  private chunk = new Uint8Array(0)
  private used = 0

  take(length: number): Uint8Array {
    if (length > LONGEST) return new Uint8Array(length)
    if (this.used + length > this.chunk.length) {
      this.chunk = new Uint8Array(CHUNK)
      this.used = 0
    }
    const at = this.used
    this.used += length
    return this.chunk.subarray(at, at + length)
  }
}
