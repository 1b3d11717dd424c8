/**
 * The SA payload: proposals, transforms and their attributes (RFC 2408 sections 3.3 to 3.6, RFC 2407 section 4.6.1).
 * Attribute bytes are kept as they came, since a responder must return the chosen transform unchanged.
 */

import { Reader } from '../packet/reader.ts'
import { Writer } from '../packet/writer.ts'
import { DOI_IPSEC, Notify, PayloadType, SITUATION_IDENTITY_ONLY } from './constants.ts'
import { IkeError } from './error.ts'
import { asIkeError, malformed } from './message.ts'

export interface Transform {
  readonly number: number
  readonly id: number
  /** The attributes, verbatim. */
  readonly attributes: Uint8Array
}

/** Several proposals of one number are offered together: all of them or none. */
export interface Proposal {
  readonly number: number
  readonly protocol: number
  readonly spi: Uint8Array
  readonly transforms: readonly Transform[]
}

export interface Attribute {
  readonly type: number
  /** A basic (type/value) attribute's 16 bits, or a variable one's value where it fits in 48 bits. */
  readonly value: number | undefined
  /** The variable form's bytes; undefined for the basic form. */
  readonly bytes: Uint8Array | undefined
}

/** Bit 15 of an attribute's type: the value stands in the length field (RFC 2408 section 3.3). */
const BASIC = 0x8000

/** Reads the body of an SA payload, of which parts of the answer are views. Throws IkeError. */
export function parseSa(bytes: Uint8Array): Proposal[] {
  const r = new Reader(bytes)
  try {
    if (r.u32() !== DOI_IPSEC) throw new IkeError('doi', Notify.DoiNotSupported)
    if (r.u32() !== SITUATION_IDENTITY_ONLY) throw new IkeError('situation', Notify.SituationNotSupported)
    const proposals = chain(r, PayloadType.Proposal, proposal)
    if (proposals.length === 0 || r.left !== 0) throw syntax('SA payload without proposals or with bytes behind them')
    return proposals
  } catch (e) {
    throw asIkeError(e)
  }
}

function proposal(r: Reader): Proposal {
  const number = r.u8()
  const protocol = r.u8()
  const spiSize = r.u8()
  const count = r.u8()
  const spi = r.piece(spiSize)
  const transforms = chain(r, PayloadType.Transform, transform)
  if (transforms.length !== count || r.left !== 0) throw syntax('proposal does not hold as many transforms as it says')
  return { number, protocol, spi, transforms }
}

function transform(r: Reader): Transform {
  const number = r.u8()
  const id = r.u8()
  r.u16()
  return { number, id, attributes: r.piece(r.left) }
}

/** Reads a chain of substructures, each behind a generic header whose first byte says whether another one follows. */
function chain<T>(r: Reader, type: number, read: (r: Reader) => T): T[] {
  const items: T[] = []
  if (r.left === 0) return items
  for (;;) {
    const next = r.u8()
    if (r.u8() !== 0) throw malformed('reserved field of a proposal or transform is not zero')
    const length = r.u16()
    if (length < 8) throw malformed('proposal or transform shorter than its header')
    items.push(read(r.sub(length - 4)))
    if (next === PayloadType.None) return items
    if (next !== type) throw syntax('unexpected substructure in an SA payload')
  }
}

/** Reads a transform's attributes; their bytes are views. Throws IkeError. */
export function parseAttributes(bytes: Uint8Array): Attribute[] {
  const r = new Reader(bytes)
  const attributes: Attribute[] = []
  try {
    while (r.left > 0) {
      const head = r.u16()
      const type = head & ~BASIC
      if (head & BASIC) {
        attributes.push({ type, value: r.u16(), bytes: undefined })
        continue
      }
      const length = r.u16()
      const at = r.offset
      attributes.push({ type, value: number(r, length), bytes: bytes.subarray(at, at + length) })
    }
  } catch (e) {
    throw asIkeError(e)
  }
  return attributes
}

/** What `attributeNumbers` has for a value that is no number. */
export const NO_NUMBER = -1

/**
 * Types and values of a transform's attributes in turn, for those who want nothing else of them; in the place of what
 * stands in `numbers`. Throws IkeError.
 */
export function attributeNumbers(bytes: Uint8Array, numbers: number[] = []): number[] {
  const r = new Reader(bytes)
  let count = 0
  try {
    while (r.left > 0) {
      const head = r.u16()
      const word = r.u16()
      numbers[count++] = head & ~BASIC
      numbers[count++] = head & BASIC ? word : (number(r, word) ?? NO_NUMBER)
    }
  } catch (e) {
    throw asIkeError(e)
  }
  // Mostly there are as many as in the offer before.
  if (numbers.length !== count) numbers.length = count
  return numbers
}

/** The number in the next `length` bytes, or undefined where they hold none or one of more than 48 bits. */
function number(r: Reader, length: number): number | undefined {
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + r.u8()
  return length > 0 && value < 2 ** 48 ? value : undefined
}

export function emitAttributes(attributes: readonly Attribute[]): Uint8Array {
  const w = new Writer()
  for (const a of attributes) {
    if (a.bytes === undefined) w.u16(BASIC | a.type).u16(a.value ?? 0)
    else w.u16(a.type).u16(a.bytes.length).put(a.bytes)
  }
  return w.bytes()
}

/** A basic attribute: 16 bits of value. */
export function basic(type: number, value: number): Attribute {
  return { type, value, bytes: undefined }
}

/** A variable attribute of four bytes, the form in which Windows sends life durations. */
export function variable32(type: number, value: number): Attribute {
  return { type, value, bytes: new Writer(4).u32(value).bytes() }
}

/** The proposal that answers one: its own SPI, and of the transforms the chosen one. */
export function answering({ number, protocol }: Proposal, spi: Uint8Array, transform: Transform): Proposal {
  return { number, protocol, spi, transforms: [transform] }
}

/** The body of an SA payload. */
export function emitSa(proposals: readonly Proposal[]): Uint8Array {
  const w = new Writer(8 + lengthOf(proposals, proposalLength))
  w.u32(DOI_IPSEC).u32(SITUATION_IDENTITY_ONLY)
  proposals.forEach((p, i) => {
    w.u8(i + 1 < proposals.length ? PayloadType.Proposal : PayloadType.None).u8(0)
    w.u16(proposalLength(p)).u8(p.number).u8(p.protocol).u8(p.spi.length).u8(p.transforms.length).put(p.spi)
    p.transforms.forEach((t, j) => {
      w.u8(j + 1 < p.transforms.length ? PayloadType.Transform : PayloadType.None).u8(0)
      w.u16(transformLength(t)).u8(t.number).u8(t.id).u16(0).put(t.attributes)
    })
  })
  return w.bytes()
}

function proposalLength(p: Proposal): number {
  return 8 + p.spi.length + lengthOf(p.transforms, transformLength)
}

function transformLength(t: Transform): number {
  return 8 + t.attributes.length
}

function lengthOf<T>(items: readonly T[], length: (item: T) => number): number {
  return items.reduce((sum, item) => sum + length(item), 0)
}

function syntax(detail: string): IkeError {
  return new IkeError('bad-proposal', Notify.BadProposalSyntax, detail)
}
