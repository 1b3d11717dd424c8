/** A control message's body: its type, and the values of the AVPs that are recognised (RFC 2661 sections 3.2, 4.1, 6). */

import { printable } from '../packet/bytes.ts'
import { Reader } from '../packet/reader.ts'
import { type Avp, avpU16, emitAvps, parseAvps } from './avp.ts'
import { AvpType, ErrorCode, type MessageType } from './constants.ts'
import { L2tpError } from './error.ts'
import { avpLengths, isMessageType, messageRules } from './rules.ts'

export interface Message {
  readonly type: MessageType
  /** The first value of each recognised AVP; lengths are as the table of lengths says. */
  readonly values: ReadonlyMap<number, Uint8Array>
  /**
   * Why the message may not be obeyed: an unknown AVP with the M bit, a length or an AVP that is amiss. It is kept here
   * and not thrown, so that the call it belongs to can still be told from `values`.
   */
  readonly fault: L2tpError | undefined
}

/**
 * Steps:
 * 1. read the AVPs;
 * 2. the first must be a plain Message Type: an unknown type is ignored (undefined) or, with the M bit, an error;
 * 3. of the others take those that are recognised; the rest matters only with the M bit;
 * 4. check that what the message means nothing without is there.
 * Throws L2tpError where not even the type can be told: the tunnel must be cleared.
 */
export function parseMessage(body: Uint8Array): Message | undefined {
  const avps = parseAvps(new Reader(body))
  const first = avps[0]
  if (first?.vendor !== 0 || first.type !== AvpType.MessageType || first.hidden || first.reserved !== 0) {
    throw new L2tpError('the first AVP is not a Message Type')
  }
  if (first.value.length !== 2) throw new L2tpError('Message Type is not two bytes', ErrorCode.BadLength)
  const type = (first.value[0]! << 8) | first.value[1]!
  if (!isMessageType(type)) {
    if (!first.mandatory) return undefined
    throw new L2tpError(`unknown message type ${type}`, ErrorCode.UnknownMandatoryAvp)
  }

  const values = new Map<number, Uint8Array>()
  let fault: L2tpError | undefined
  for (let i = 1; i < avps.length; i++) {
    const a = avps[i]!
    if (isRead(a)) {
      if (!values.has(a.type)) values.set(a.type, a.value)
    } else if (a.mandatory) fault ??= why(a)
  }
  for (const must of messageRules[type].must) {
    if (!values.has(must)) fault ??= new L2tpError(`${messageRules[type].name} without AVP ${must}`)
  }
  return { type, values, fault }
}

/** Whether an AVP is one to read. */
function isRead(a: Avp): boolean {
  return a.vendor === 0 && a.reserved === 0 && !a.hidden && fits(a)
}

function fits(a: Avp): boolean {
  const length = avpLengths.get(a.type)
  return length !== undefined && a.value.length >= length.least && a.value.length <= length.most
}

/** Why it is not. An error is made, with its stack, for those alone of which the peer is told. */
function why(a: Avp): L2tpError {
  const unknown = (what: string) => new L2tpError(`${what} AVP ${a.vendor}/${a.type}`, ErrorCode.UnknownMandatoryAvp)
  if (a.vendor !== 0) return unknown("another vendor's")
  if (a.reserved !== 0) return unknown('reserved bits in')
  if (!avpLengths.has(a.type)) return unknown('unknown')
  // There is no shared secret to reveal it with, so that it is as good as unknown (RFC 2661 section 4.3).
  if (a.hidden) return unknown('hidden')
  return new L2tpError(`AVP ${a.type} of ${a.value.length} bytes`, ErrorCode.BadLength)
}

/** A body: the Message Type first, as it must be, then the others. */
export function emitMessage(type: MessageType, avps: readonly Avp[] = []): Uint8Array {
  return emitAvps([avpU16(AvpType.MessageType, type), ...avps])
}

/** The value of a two-byte AVP, or undefined where it is not there. */
export function u16Of(m: Message, type: AvpType): number | undefined {
  const v = m.values.get(type)
  return v && (v[0]! << 8) | v[1]!
}

/** The value of a four-byte AVP, or undefined where it is not there. */
export function u32Of(m: Message, type: AvpType): number | undefined {
  const v = m.values.get(type)
  return v && ((v[0]! << 24) | (v[1]! << 16) | (v[2]! << 8) | v[3]!) >>> 0
}

/** A name, safe for a log; empty where it is not there. Some Windows versions end theirs with a NUL: it is taken off. */
export function textOf(m: Message, type: AvpType): string {
  const v = m.values.get(type)
  return v ? printable(v) : ''
}

/** Result and error code with the peer's words, for the log: "result 2 error 8 (text)"; undefined where not there. */
export function describeResult(m: Message): string | undefined {
  const v = m.values.get(AvpType.ResultCode)
  if (!v) return undefined
  const error = v.length >= 4 ? ` error ${(v[2]! << 8) | v[3]!}` : ''
  const text = v.length > 4 ? ` (${printable(v.subarray(4))})` : ''
  return `result ${(v[0]! << 8) | v[1]!}${error}${text}`
}
