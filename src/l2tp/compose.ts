/** The bodies of the messages that an LNS sends (RFC 2661 section 6). All AVPs are of those that Windows expects. */

import { encodeText } from '../packet/bytes.ts'
import { Writer } from '../packet/writer.ts'
import { type Avp, avp, avpU16, avpU32 } from './avp.ts'
import { AvpType, Framing, MessageType, PROTOCOL_VERSION } from './constants.ts'
import { emitMessage } from './message.ts'

/** What a Result Code AVP says. */
export interface Outcome {
  readonly resultCode: number
  /** 0 or undefined where the result says it all. */
  readonly errorCode?: number
  /** Words for the peer's log, sent only with an error code, as RFC 2661 section 4.4.2 has it. */
  readonly text?: string
}

export function sccrp(p: { hostName: string; assignedTunnelId: number; receiveWindow: number }): Uint8Array {
  return emitMessage(MessageType.Sccrp, [
    avpU16(AvpType.ProtocolVersion, PROTOCOL_VERSION),
    avpU32(AvpType.FramingCapabilities, Framing.Synchronous | Framing.Asynchronous),
    avpU32(AvpType.BearerCapabilities, 0, false),
    avp(AvpType.HostName, encodeText(p.hostName || 'lns').subarray(0, 255)),
    avp(AvpType.VendorName, encodeText('Floatgate'), false),
    avpU16(AvpType.AssignedTunnelId, p.assignedTunnelId),
    avpU16(AvpType.ReceiveWindowSize, p.receiveWindow),
  ])
}

export function icrp(assignedSessionId: number): Uint8Array {
  return emitMessage(MessageType.Icrp, [avpU16(AvpType.AssignedSessionId, assignedSessionId)])
}

export function stopCcn(assignedTunnelId: number, outcome: Outcome): Uint8Array {
  return emitMessage(MessageType.StopCcn, [avpU16(AvpType.AssignedTunnelId, assignedTunnelId), resultCode(outcome)])
}

export function cdn(assignedSessionId: number, outcome: Outcome): Uint8Array {
  return emitMessage(MessageType.Cdn, [resultCode(outcome), avpU16(AvpType.AssignedSessionId, assignedSessionId)])
}

export function hello(): Uint8Array {
  return emitMessage(MessageType.Hello)
}

/** Always with the error code, though it is optional: Windows sends it so, and older parsers expect the four bytes. */
function resultCode(o: Outcome): Avp {
  const w = new Writer().u16(o.resultCode).u16(o.errorCode ?? 0)
  if (o.errorCode && o.text) w.put(encodeText(o.text).subarray(0, 200))
  return avp(AvpType.ResultCode, w.bytes())
}
