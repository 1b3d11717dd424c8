/** Small things that every room does with byte strings. */

/** No bytes: an array of none is dearer to make than a short one. */
export const NOTHING = new Uint8Array(0)

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (let i = 0; i < bytes.length; i++) hex += hexBytes[bytes[i]!]
  return hex
}

/** Bytes of a hexadecimal string; white space is allowed. Throws RangeError on anything else. */
export function fromHex(hex: string): Uint8Array {
  const clean = hex.replace(/\s+/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(clean)) throw new RangeError('not a hexadecimal string')
  return new Uint8Array(Buffer.from(clean, 'hex'))
}

/** Plain equality, for public values. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.length < start.length) return false
  for (let i = 0; i < start.length; i++) if (bytes[i] !== start[i]) return false
  return true
}

/** Equality whose time tells nothing but the lengths, for every MAC, hash and password. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

const utf8 = new TextEncoder()

export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return utf8.encode(text)
    bytes[i] = code
  }
  return bytes
}

/** Text a peer sent, safe for a log: control and non-ASCII characters become `?`, a trailing NUL goes. */
export function printable(bytes: Uint8Array, limit = 128): string {
  let end = Math.min(bytes.length, limit)
  while (end > 0 && bytes[end - 1] === 0) end--
  let text = ''
  for (let i = 0; i < end; i++) text += bytes[i]! < 0x20 || bytes[i]! > 0x7e ? '?' : String.fromCharCode(bytes[i]!)
  return text
}

/** Bytes that no log, error or JSON ever shows. */
export class Secret {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  static fromText(text: string): Secret {
    return new Secret(encodeText(text))
  }

  /** The bytes themselves: every call of this is a place to review. */
  reveal(): Uint8Array {
    return this.#bytes
  }

  toString(): string {
    return '<secret>'
  }

  toJSON(): string {
    return '<secret>'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '<secret>'
  }
}
