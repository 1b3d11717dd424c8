/** A growing emitter of big-endian fields; a length field is patched by the closure that wrote what it counts. */

export class Writer {
  private buffer: Uint8Array
  length = 0

  constructor(capacity = 64) {
    this.buffer = new Uint8Array(capacity)
  }

  private room(length: number): number {
    const at = this.length
    const need = at + length
    if (need > this.buffer.length) {
      const grown = new Uint8Array(Math.max(need, this.buffer.length * 2))
      grown.set(this.buffer.subarray(0, at))
      this.buffer = grown
    }
    this.length = need
    return at
  }

  u8(value: number): this {
    const at = this.room(1)
    this.buffer[at] = value
    return this
  }

  u16(value: number): this {
    this.setU16(this.room(2), value)
    return this
  }

  u32(value: number): this {
    const at = this.room(4)
    const b = this.buffer
    b[at] = value >>> 24
    b[at + 1] = value >>> 16
    b[at + 2] = value >>> 8
    b[at + 3] = value
    return this
  }

  put(bytes: Uint8Array): this {
    const at = this.room(bytes.length)
    this.buffer.set(bytes, at)
    return this
  }

  zeros(count: number): this {
    const at = this.room(count)
    this.buffer.fill(0, at, at + count)
    return this
  }

  /** Overwrites two bytes at `at`. */
  setU16(at: number, value: number): void {
    this.buffer[at] = value >>> 8
    this.buffer[at + 1] = value
  }

  setU8(at: number, value: number): void {
    this.buffer[at] = value
  }

  setU32(at: number, value: number): void {
    this.setU16(at, value >>> 16)
    this.setU16(at + 2, value & 0xffff)
  }

  /**
   * Writes a 16-bit length field, then what `body` writes, then patches the field with the number of bytes from
   * `extra` bytes before the field to the end: `extra` counts those written earlier that the length includes.
   */
  counted16(extra: number, body: (w: this) => void): this {
    const at = this.room(2)
    body(this)
    this.setU16(at, this.length - at + extra)
    return this
  }

  /** What was written, as an array of its own: the last call to a writer, which keeps no claim on it. */
  bytes(): Uint8Array {
    return this.length === this.buffer.length ? this.buffer : this.buffer.slice(0, this.length)
  }
}

/** All parts, one behind the other, in a new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const p of parts) length += p.length
  const out = new Uint8Array(length)
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
