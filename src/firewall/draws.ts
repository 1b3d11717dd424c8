/** Random numbers for ports and identifications, drawn without allocating: bytes are filled in by the thousand. */

export class Draws {
  private readonly bytes = new Uint8Array(1024)
  private at = this.bytes.length
  private readonly fill: (bytes: Uint8Array) => void

  /** `fill` writes unpredictable bytes: who can guess a translated port can send to it. */
  constructor(fill: (bytes: Uint8Array) => void) {
    this.fill = fill
  }

  /** A number from 0 to 65535. */
  next(): number {
    if (this.at === this.bytes.length) {
      this.fill(this.bytes)
      this.at = 0
    }
    const value = (this.bytes[this.at]! << 8) | this.bytes[this.at + 1]!
    this.at += 2
    return value
  }
}

/** For tests and benches: the same numbers for the same seed (xorshift32). */
export function seededFill(seed: number): (bytes: Uint8Array) => void {
  let x = seed | 1
  return bytes => {
    for (let i = 0; i < bytes.length; i++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      bytes[i] = x >>> 11
    }
  }
}
