/** The ISAKMP message: a 28-byte header and a chain of payloads (RFC 2408 sections 3.1 and 3.2). */

import { Reader, Truncated } from '../packet/reader.ts'
import { Writer } from '../packet/writer.ts'
import { COOKIE_LENGTH, Flag, HEADER_LENGTH, ISAKMP_VERSION, Notify, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'

/** The header's fields without those that follow from the message: next payload and length. */
export interface Header {
  readonly initiatorCookie: Uint8Array
  /** All zero in the first message of phase 1. */
  readonly responderCookie: Uint8Array
  readonly exchange: number
  readonly flags: number
  readonly messageId: number
}

export interface ParsedHeader extends Header {
  readonly version: number
  readonly nextPayload: number
}

/** One payload without its generic header. */
export interface Payload {
  readonly type: number
  readonly body: Uint8Array
}

/** A message in clear. */
export interface Message {
  readonly header: Header
  readonly payloads: readonly Payload[]
}

const GENERIC_HEADER = 4
/** RFC 2408 section 3 wants messages of whole multiples of so many bytes; libreswan fills its own up, clear ones too. */
const ALIGNMENT = 4

/** Reads the header alone. Throws IkeError where the bytes are not as long as the header says. */
export function parseHeader(bytes: Uint8Array): ParsedHeader {
  if (bytes.length < HEADER_LENGTH) throw new IkeError('short-datagram')
  const r = new Reader(bytes)
  const initiatorCookie = r.copy(COOKIE_LENGTH)
  const responderCookie = r.copy(COOKIE_LENGTH)
  const nextPayload = r.u8()
  const version = r.u8()
  const exchange = r.u8()
  const flags = r.u8()
  const messageId = r.u32()
  const length = r.u32()
  if (length !== bytes.length) throw new IkeError('length-mismatch', Notify.UnequalPayloadLengths)
  return { initiatorCookie, responderCookie, nextPayload, version, exchange, flags, messageId }
}

/**
 * Follows the chain that begins with a payload of type `first`; long bodies are views of `bytes`. `length` tells where
 * it ended: what lies behind is padding, of which a clear message has as little as aligns it. Throws IkeError on a
 * broken chain.
 */
export function parsePayloads(first: number, bytes: Uint8Array): { payloads: Payload[]; length: number } {
  const r = new Reader(bytes)
  const payloads: Payload[] = []
  let type = first
  try {
    while (type !== PayloadType.None) {
      const next = r.u8()
      // RFC 2408 section 3.2: must be zero. It is also the first thing to fail when a key is wrong.
      if (r.u8() !== 0) throw malformed('reserved field of a payload header is not zero')
      const length = r.u16()
      if (length < GENERIC_HEADER) throw malformed('payload length below 4')
      payloads.push({ type, body: r.part(length - GENERIC_HEADER) })
      type = next
    }
  } catch (e) {
    throw asIkeError(e)
  }
  return { payloads, length: r.offset }
}

/** Reads a whole message that is not encrypted, whose header may have been read already. Throws IkeError. */
export function parseMessage(bytes: Uint8Array, header = parseHeader(bytes)): Message {
  if (header.version !== ISAKMP_VERSION) throw new IkeError('version', Notify.InvalidMajorVersion)
  if (header.flags & Flag.Encryption) throw new IkeError('encrypted-too-early', Notify.InvalidFlags)
  const { payloads, length } = parsePayloads(header.nextPayload, bytes.subarray(HEADER_LENGTH))
  if (!isAlignment(bytes, HEADER_LENGTH + length)) throw malformed('bytes behind the last payload')
  return { header, payloads }
}

/** Whether what lies behind `end` is no more than the zeros that align the message, or nothing at all. */
function isAlignment(bytes: Uint8Array, end: number): boolean {
  const { length } = bytes
  if (length === end) return true
  return length % ALIGNMENT === 0 && length - end < ALIGNMENT && bytes.subarray(end).every(b => b === 0)
}

/** The chain of payloads, each behind its generic header. */
export function emitPayloads(payloads: readonly Payload[]): Uint8Array {
  const w = new Writer(chainLength(payloads))
  putPayloads(w, payloads)
  return w.bytes()
}

/** Bytes of a chain of payloads. */
export function chainLength(payloads: readonly Payload[]): number {
  let length = 0
  for (const p of payloads) length += GENERIC_HEADER + p.body.length
  return length
}

/** Writes the chain of payloads, each behind its generic header. */
export function putPayloads(w: Writer, payloads: readonly Payload[]): void {
  for (let i = 0; i < payloads.length; i++) {
    const { body } = payloads[i]!
    w.u8(payloads[i + 1]?.type ?? PayloadType.None)
      .u8(0)
      .u16(body.length + GENERIC_HEADER)
      .put(body)
  }
}

/** A header of a message whose chain starts with `nextPayload` and is `bodyLength` bytes long, in clear or not. */
export function emitHeader(header: Header, nextPayload: number, bodyLength: number): Uint8Array {
  return putHeader(new Writer(HEADER_LENGTH), header, nextPayload, bodyLength).bytes()
}

/** Writes the same, with other flags where they are given. */
export function putHeader(
  w: Writer,
  header: Header,
  nextPayload: number,
  bodyLength: number,
  flags = header.flags,
): Writer {
  return w
    .put(header.initiatorCookie)
    .put(header.responderCookie)
    .u8(nextPayload)
    .u8(ISAKMP_VERSION)
    .u8(header.exchange)
    .u8(flags)
    .u32(header.messageId)
    .u32(HEADER_LENGTH + bodyLength)
}

/** A message in clear. */
export function emitMessage({ header, payloads }: Message): Uint8Array {
  const length = chainLength(payloads)
  const w = new Writer(HEADER_LENGTH + length)
  putHeader(w, header, payloads[0]?.type ?? PayloadType.None, length)
  putPayloads(w, payloads)
  return w.bytes()
}

/** The bodies of all payloads of one type, in order. */
export function bodies(payloads: readonly Payload[], type: number): Uint8Array[] {
  const found: Uint8Array[] = []
  for (const p of payloads) if (p.type === type) found.push(p.body)
  return found
}

/** The body of the first payload of one type. */
export function body(payloads: readonly Payload[], type: number): Uint8Array | undefined {
  return payloads.find(p => p.type === type)?.body
}

export function malformed(detail: string): IkeError {
  return new IkeError('malformed', Notify.PayloadMalformed, detail)
}

/** Turns the reader's Truncated into this room's error; leaves everything else alone. */
export function asIkeError(e: unknown): unknown {
  return e instanceof Truncated ? malformed(`truncated: ${e.message}`) : e
}
