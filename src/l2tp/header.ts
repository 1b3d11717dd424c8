/** The header of a control message (RFC 2661 section 3.1): T, L and S set, version 2, twelve bytes. */

import { Writer } from '../packet/writer.ts'
import { CONTROL_HEADER_LENGTH, ErrorCode, HeaderFlag, L2TP_VERSION, VERSION_MASK } from './constants.ts'
import { L2tpError } from './error.ts'

export interface ControlPacket {
  /** The receiver's tunnel ID; 0 before the sender knows it. */
  readonly tunnelId: number
  /** The receiver's session ID; 0 for messages of the tunnel itself. */
  readonly sessionId: number
  readonly ns: number
  readonly nr: number
  /** The AVPs, unread; empty in a zero-length-body message (ZLB), which only acknowledges. */
  readonly body: Uint8Array
}

/**
 * Reads a control message from its first byte. Reserved bits are ignored as the RFC asks, bytes behind the Length are
 * padding. Throws L2tpError on anything that must be discarded unread: other versions, data, a length that lies.
 */
export function parseControl(bytes: Uint8Array): ControlPacket {
  if (bytes.length < CONTROL_HEADER_LENGTH) throw new L2tpError('shorter than a control header', ErrorCode.BadLength)
  const flags = u16(bytes, 0)
  if ((flags & VERSION_MASK) !== L2TP_VERSION) throw new L2tpError(`version ${flags & VERSION_MASK}`)
  const wanted = HeaderFlag.Type | HeaderFlag.Length | HeaderFlag.Sequence
  if ((flags & wanted) !== wanted) throw new L2tpError('a control message without T, L or S')
  // With an Offset field every later field would stand elsewhere; in control messages it must not be there.
  if (flags & HeaderFlag.Offset) throw new L2tpError('a control message with an offset')
  const length = u16(bytes, 2)
  if (length < CONTROL_HEADER_LENGTH || length > bytes.length) {
    throw new L2tpError(`length ${length} of ${bytes.length}`, ErrorCode.BadLength)
  }
  return {
    tunnelId: u16(bytes, 4),
    sessionId: u16(bytes, 6),
    ns: u16(bytes, 8),
    nr: u16(bytes, 10),
    body: bytes.slice(CONTROL_HEADER_LENGTH, length),
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

export function emitControl(p: ControlPacket): Uint8Array {
  return new Writer(CONTROL_HEADER_LENGTH + p.body.length)
    .u16(HeaderFlag.Type | HeaderFlag.Length | HeaderFlag.Sequence | L2TP_VERSION)
    .u16(CONTROL_HEADER_LENGTH + p.body.length)
    .u16(p.tunnelId)
    .u16(p.sessionId)
    .u16(p.ns)
    .u16(p.nr)
    .put(p.body)
    .bytes()
}
