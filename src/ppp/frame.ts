/** PPP frames, the packets of control protocols and their option lists (RFC 1661 sections 2, 5 and 6). */

import { NOTHING } from '../packet/bytes.ts'
import { Writer } from '../packet/writer.ts'
import { ALL_STATIONS, UNNUMBERED_INFORMATION } from './constants.ts'
import { PppError } from './error.ts'

export interface PppFrame {
  readonly protocol: number
  readonly payload: Uint8Array
}

/** Code, identifier and length. */
const PACKET_HEADER = 4

/** A packet of LCP, an NCP or CHAP: they share one shape. */
export interface ControlPacket {
  readonly code: number
  readonly id: number
  readonly data: Uint8Array
}

export interface PppOption {
  readonly type: number
  readonly data: Uint8Array
}

/**
 * A frame with FF 03 before it or not, and a protocol field of two bytes or of one, whatever was agreed: senders may
 * leave these out late or early, and the first odd byte tells where the field ends. Throws PppError.
 */
export function parseFrame(bytes: Uint8Array): PppFrame {
  let at = bytes[0] === ALL_STATIONS && bytes[1] === UNNUMBERED_INFORMATION ? 2 : 0
  const first = bytes[at++]
  if (first === undefined) throw new PppError('frame without a protocol')
  if (first & 1) return { protocol: first, payload: bytes.slice(at) }
  const second = bytes[at++]
  if (second === undefined) throw new PppError('frame ends within its protocol')
  return { protocol: (first << 8) | second, payload: bytes.slice(at) }
}

/** A frame in full: FF 03 and two bytes of protocol, which every peer takes and LCP requires (RFC 1661 section 6.6). */
export function emitFrame(protocol: number, payload: Uint8Array): Uint8Array {
  return frameHead(protocol, payload.length).put(payload).bytes()
}

/** A control packet in its frame. */
export function emitPacketFrame(protocol: number, p: ControlPacket): Uint8Array {
  return putPacket(frameHead(protocol, PACKET_HEADER + p.data.length), p).bytes()
}

function frameHead(protocol: number, length: number): Writer {
  return new Writer(4 + length).u8(ALL_STATIONS).u8(UNNUMBERED_INFORMATION).u16(protocol)
}

/** A control packet; what lies behind its length is padding. Throws PppError. */
export function parsePacket(bytes: Uint8Array): ControlPacket {
  if (bytes.length < PACKET_HEADER) throw new PppError('control packet shorter than its header')
  const length = (bytes[2]! << 8) | bytes[3]!
  if (length < PACKET_HEADER || length > bytes.length) throw new PppError('control packet with a wrong length')
  return { code: bytes[0]!, id: bytes[1]!, data: bytes.slice(PACKET_HEADER, length) }
}

export function emitPacket(p: ControlPacket): Uint8Array {
  return putPacket(new Writer(PACKET_HEADER + p.data.length), p).bytes()
}

function putPacket(w: Writer, p: ControlPacket): Writer {
  return w
    .u8(p.code)
    .u8(p.id)
    .u16(PACKET_HEADER + p.data.length)
    .put(p.data)
}

/** An option list that fills `data` to the last byte. Throws PppError. */
export function parseOptions(data: Uint8Array): PppOption[] {
  const options: PppOption[] = []
  for (let at = 0; at < data.length; ) {
    const length = data[at + 1]
    if (length === undefined || length < 2 || at + length > data.length)
      throw new PppError('option with a wrong length')
    options.push({ type: data[at]!, data: length === 2 ? NOTHING : data.slice(at + 2, at + length) })
    at += length
  }
  return options
}

export function emitOptions(options: readonly PppOption[]): Uint8Array {
  let length = 0
  for (const o of options) length += 2 + o.data.length
  const w = new Writer(length)
  for (const o of options)
    w.u8(o.type)
      .u8(2 + o.data.length)
      .put(o.data)
  return w.bytes()
}

export function option16(type: number, value: number): PppOption {
  return { type, data: Uint8Array.of(value >>> 8, value) }
}

export function option32(type: number, value: number): PppOption {
  return { type, data: Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value) }
}

/** The number in an option of two or four bytes, or undefined where it has another length. */
export function optionNumber(o: PppOption, length: 2 | 4): number | undefined {
  if (o.data.length !== length) return undefined
  let value = 0
  for (const byte of o.data) value = value * 256 + byte
  return value
}
