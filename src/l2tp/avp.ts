/** Attribute-value pairs: their header, and nothing of their meaning (RFC 2661 section 4.1). */

import type { Reader } from '../packet/reader.ts'
import { Writer } from '../packet/writer.ts'
import { ErrorCode } from './constants.ts'
import { L2tpError } from './error.ts'

/** M, H, four reserved bits and the length; vendor; attribute type. */
export const AVP_HEADER_LENGTH = 6
/** The length field has ten bits. */
export const MAX_AVP_VALUE = 0x3ff - AVP_HEADER_LENGTH

export interface Avp {
  /** Whoever does not recognise it must end the call or the tunnel. */
  readonly mandatory: boolean
  /** The value is encrypted under the tunnel's shared secret (RFC 2661 section 4.3). */
  readonly hidden: boolean
  /** Four bits that are 0 today; anything else makes the AVP an unrecognised one. */
  readonly reserved: number
  /** SMI enterprise number; 0 for the IETF's own attributes. */
  readonly vendor: number
  readonly type: number
  readonly value: Uint8Array
}

/** An AVP of RFC 2661 itself, as we send them: never hidden. */
export function avp(type: number, value: Uint8Array, mandatory = true): Avp {
  return { mandatory, hidden: false, reserved: 0, vendor: 0, type, value }
}

export function avpU16(type: number, value: number, mandatory = true): Avp {
  return avp(type, new Writer(2).u16(value).bytes(), mandatory)
}

export function avpU32(type: number, value: number, mandatory = true): Avp {
  return avp(type, new Writer(4).u32(value).bytes(), mandatory)
}

/**
 * Reads AVPs up to the end of the message. Here alone are lengths of AVPs checked: a value never reaches beyond the
 * message, and no byte is left over. Throws L2tpError. Values are copies.
 */
export function parseAvps(r: Reader): Avp[] {
  const avps: Avp[] = []
  while (r.left > 0) {
    if (r.left < AVP_HEADER_LENGTH) throw new L2tpError('bytes left over behind the last AVP', ErrorCode.BadLength)
    const word = r.u16()
    const vendor = r.u16()
    const type = r.u16()
    const length = (word & 0x3ff) - AVP_HEADER_LENGTH
    if (length < 0) throw new L2tpError(`AVP ${type} is shorter than its header`, ErrorCode.BadLength)
    if (length > r.left) throw new L2tpError(`AVP ${type} reaches beyond the message`, ErrorCode.BadLength)
    avps.push({
      mandatory: (word & 0x8000) !== 0,
      hidden: (word & 0x4000) !== 0,
      reserved: (word >>> 10) & 0x0f,
      vendor,
      type,
      value: r.copy(length),
    })
  }
  return avps
}

/** The AVPs one behind the other. Throws RangeError for a value that no length field can tell: a caller's mistake. */
export function emitAvps(avps: readonly Avp[]): Uint8Array {
  let room = 0
  for (const a of avps) room += AVP_HEADER_LENGTH + a.value.length
  const w = new Writer(room)
  for (const a of avps) {
    if (a.value.length > MAX_AVP_VALUE) throw new RangeError(`AVP ${a.type} is too long: ${a.value.length}`)
    const flags = (a.mandatory ? 0x8000 : 0) | (a.hidden ? 0x4000 : 0) | ((a.reserved & 0x0f) << 10)
    w.u16(flags | (AVP_HEADER_LENGTH + a.value.length))
      .u16(a.vendor)
      .u16(a.type)
      .put(a.value)
  }
  return w.bytes()
}
