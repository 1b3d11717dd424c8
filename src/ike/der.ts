/** A strict reader of DER, as much of it as certificates and revocation lists need (X.690 sections 8 and 10). */

import { toHex } from '../packet/bytes.ts'
import { Reader, Truncated } from '../packet/reader.ts'

/** Identifier octets. */
export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Oid: 0x06,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
  Set: 0x31,
} as const

/** The tag of a context-specific element: of a constructed one where `constructed` says so. */
export const context = (number: number, constructed = true): number => 0x80 | (constructed ? 0x20 : 0) | number

/** The bytes are not DER, or not of the shape that was asked for. */
export class DerError extends Error {
  override readonly name = 'DerError'
}

export interface Element {
  readonly tag: number
  /** What it holds. */
  readonly content: Uint8Array
  /** Identifier and length as well. */
  readonly whole: Uint8Array
}

/** Elements one after the other. Each method throws DerError; none looks deeper than its own level, so depth costs nothing. */
export class Elements {
  private readonly reader: Reader

  constructor(bytes: Uint8Array) {
    this.reader = new Reader(bytes)
  }

  get empty(): boolean {
    return this.reader.left === 0
  }

  /** The tag of the next element, or undefined at the end. */
  get tag(): number | undefined {
    return this.reader.left === 0 ? undefined : this.reader.bytes[this.reader.offset]
  }

  next(): Element {
    const r = this.reader
    const start = r.offset
    try {
      const tag = r.u8()
      if ((tag & 0x1f) === 0x1f) throw new DerError('long tag')
      const length = this.length()
      const content = r.view(length)
      return { tag, content, whole: r.bytes.subarray(start, r.offset) }
    } catch (e) {
      throw e instanceof Truncated ? new DerError('truncated') : e
    }
  }

  /** The next element, which must bear this tag. */
  take(tag: number): Element {
    if (this.tag !== tag) throw new DerError(`tag ${this.tag ?? 'missing'} where ${tag} belongs`)
    return this.next()
  }

  /** The next element where it bears this tag. */
  optional(tag: number): Element | undefined {
    return this.tag === tag ? this.next() : undefined
  }

  /** What is inside the next element, which must bear this tag. */
  into(tag: number): Elements {
    return new Elements(this.take(tag).content)
  }

  /** Throws where something is left. */
  end(): void {
    if (!this.empty) throw new DerError('bytes behind the end')
  }

  *[Symbol.iterator](): Iterator<Element> {
    while (!this.empty) yield this.next()
  }

  private length(): number {
    const first = this.reader.u8()
    if (first < 0x80) return first
    const octets = first & 0x7f
    if (octets === 0 || octets > 3) throw new DerError('length')
    let length = 0
    for (let i = 0; i < octets; i++) length = length * 256 + this.reader.u8()
    if (length < 0x80 || (octets > 1 && length < 256 ** (octets - 1))) throw new DerError('length is not the shortest')
    return length
  }
}

/** The one element that `bytes` are. Throws DerError. */
export function single(bytes: Uint8Array, tag: number): Elements {
  const outer = new Elements(bytes)
  const inner = outer.into(tag)
  outer.end()
  return inner
}

/** An object identifier in dotted form. Throws DerError. */
export function oid(e: Element): string {
  if (e.tag !== Tag.Oid || e.content.length === 0 || e.content.length > 32) throw new DerError('object identifier')
  const arcs: number[] = []
  let value = 0
  for (const [i, octet] of e.content.entries()) {
    if (value > 2 ** 40) throw new DerError('object identifier')
    value = value * 128 + (octet & 0x7f)
    if (octet & 0x80) {
      if (i === e.content.length - 1) throw new DerError('object identifier')
      continue
    }
    arcs.push(value)
    value = 0
  }
  const top = Math.min(2, Math.floor(arcs[0]! / 40))
  return [top, arcs[0]! - top * 40, ...arcs.slice(1)].join('.')
}

/** An integer's bytes as hexadecimal, without leading zeros: what serial numbers are compared by. Throws DerError. */
export function integerHex(e: Element): string {
  if (e.tag !== Tag.Integer || e.content.length === 0) throw new DerError('integer')
  return toHex(e.content).replace(/^(00)+(?=..)/, '')
}

/** A small number that is not negative. Throws DerError. */
export function smallInteger(e: Element): number {
  if (e.tag !== Tag.Integer || e.content.length === 0 || e.content.length > 4 || e.content[0]! & 0x80)
    throw new DerError('integer')
  return e.content.reduce((n, octet) => n * 256 + octet, 0)
}

/** Throws DerError. */
export function boolean(e: Element): boolean {
  if (e.tag !== Tag.Boolean || e.content.length !== 1) throw new DerError('boolean')
  return e.content[0] !== 0
}

/** The bits of a bit string, the first one first. Throws DerError. */
export function bits(e: Element): boolean[] {
  const unused = e.content[0] ?? 8
  if (e.tag !== Tag.BitString || unused > 7 || e.content.length > 16) throw new DerError('bit string')
  const all = [...e.content.subarray(1)].flatMap(octet => [7, 6, 5, 4, 3, 2, 1, 0].map(i => ((octet >> i) & 1) === 1))
  return all.slice(0, all.length - unused)
}

/** The content of a bit string that is whole octets: a signature. Throws DerError. */
export function octets(e: Element): Uint8Array {
  if (e.tag !== Tag.BitString || e.content[0] !== 0) throw new DerError('bit string')
  return e.content.subarray(1)
}

/** A UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 restricts them, in milliseconds since 1970. Throws DerError. */
export function time(e: Element): number {
  const text = String.fromCharCode(...e.content.subarray(0, 16))
  const m = /^(\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  const general = e.tag === Tag.GeneralizedTime
  if (!m || (!general && e.tag !== Tag.UtcTime) || (m[1] !== undefined) !== general) throw new DerError('time')
  const [short, month, day, hour, minute, second] = m.slice(2).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const year = general ? Number(m[1]) * 100 + short : short + (short < 50 ? 2000 : 1900)
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
    throw new DerError('time')
  return (daysSince1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000
}

/** Years begin in March here, so that the leap day is the last one. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1
  const yearDays = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + yearDays - 719_468
}
