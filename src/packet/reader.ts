/** A checked cursor over bytes: each call returns exactly what was asked for or throws Truncated. Big-endian throughout. */

import { NOTHING } from './bytes.ts'

/** Fewer bytes were there than the format promises. */
export class Truncated extends Error {
  override readonly name = 'Truncated'
  constructor(wanted: number, left: number) {
    super(`wanted ${wanted} bytes, ${left} left`)
  }
}

/** Bytes that the runtime keeps in its heap: longer arrays it allocates outside, and a view moves its array there. */
const CHEAP_COPY = 64

export class Reader {
  readonly bytes: Uint8Array
  /** Index of the next byte to read. */
  offset: number
  /** Index behind the last readable byte. */
  readonly end: number

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  get left(): number {
    return this.end - this.offset
  }

  /** Moves past `length` bytes and returns where they began. */
  private take(length: number): number {
    const at = this.offset
    if (length < 0 || length > this.end - at) throw new Truncated(length, this.end - at)
    this.offset = at + length
    return at
  }

  u8(): number {
    return this.bytes[this.take(1)]!
  }

  u16(): number {
    const at = this.take(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  u32(): number {
    const at = this.take(4)
    const b = this.bytes
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0
  }

  /** A copy of the next `length` bytes. */
  copy(length: number): Uint8Array {
    const at = this.take(length)
    return length === 0 ? NOTHING : this.bytes.slice(at, at + length)
  }

  /** A view of the next `length` bytes; valid only while the underlying buffer is. */
  view(length: number): Uint8Array {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** A view of the next `length` bytes where they are many, a copy where that is the cheaper. */
  part(length: number): Uint8Array {
    return length > CHEAP_COPY ? this.view(length) : this.copy(length)
  }

  /** The next `length` bytes for a short while, of what is itself a part: a view of a long array, a copy of a short one. */
  piece(length: number): Uint8Array {
    return this.bytes.length > CHEAP_COPY ? this.view(length) : this.copy(length)
  }

  /** A reader over the next `length` bytes, which this one moves past. */
  sub(length: number): Reader {
    const at = this.take(length)
    return new Reader(this.bytes, at, at + length)
  }

  /** A copy of everything that is left. */
  rest(): Uint8Array {
    return this.copy(this.left)
  }

  skip(length: number): void {
    this.take(length)
  }
}
