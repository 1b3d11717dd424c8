/** Which AVPs each message must have, and how long each AVP's value is: RFC 2661 sections 6 and 4.4 as two tables. */

import { AvpType, MessageType } from './constants.ts'

const A = AvpType

/** Least and greatest length of a value in bytes; attributes that are not here are not recognised. */
export const avpLengths: ReadonlyMap<number, { readonly least: number; readonly most: number }> = new Map(
  (
    [
      [A.MessageType, 2, 2],
      [A.ResultCode, 2, 1017],
      [A.ProtocolVersion, 2, 2],
      [A.FramingCapabilities, 4, 4],
      [A.BearerCapabilities, 4, 4],
      [A.TieBreaker, 8, 8],
      [A.FirmwareRevision, 2, 2],
      [A.HostName, 0, 1017], // at least one byte by the RFC; nothing here depends on it
      [A.VendorName, 0, 1017],
      [A.AssignedTunnelId, 2, 2],
      [A.ReceiveWindowSize, 2, 2],
      [A.Challenge, 1, 1017],
      [A.Q931CauseCode, 3, 1017],
      [A.ChallengeResponse, 16, 16],
      [A.AssignedSessionId, 2, 2],
      [A.CallSerialNumber, 4, 4],
      [A.MinimumBps, 4, 4],
      [A.MaximumBps, 4, 4],
      [A.BearerType, 4, 4],
      [A.FramingType, 4, 4],
      [A.CalledNumber, 0, 1017],
      [A.CallingNumber, 0, 1017],
      [A.SubAddress, 0, 1017],
      [A.TxConnectSpeed, 4, 4],
      [A.PhysicalChannelId, 4, 4],
      [A.InitialLcpConfReq, 0, 1017],
      [A.LastSentLcpConfReq, 0, 1017],
      [A.LastReceivedLcpConfReq, 0, 1017],
      [A.ProxyAuthenType, 2, 2],
      [A.ProxyAuthenName, 0, 1017],
      [A.ProxyAuthenChallenge, 0, 1017],
      [A.ProxyAuthenId, 2, 2],
      [A.ProxyAuthenResponse, 0, 1017],
      [A.CallErrors, 26, 26],
      [A.Accm, 10, 10],
      [A.RandomVector, 0, 1017],
      [A.PrivateGroupId, 0, 1017],
      [A.RxConnectSpeed, 4, 4],
      [A.SequencingRequired, 0, 0],
    ] as const
  ).map(([type, least, most]) => [type, { least, most }]),
)

export interface MessageRule {
  readonly name: string
  /** Whether an error in it ends its call only, or the whole tunnel (RFC 2661 section 4.1, M bit). */
  readonly scope: 'tunnel' | 'call'
  /** The message means nothing without these. */
  readonly must: readonly AvpType[]
  /** The RFC asks for these, too; clients leave some out, and nothing here depends on them. */
  readonly should: readonly AvpType[]
}

export const messageRules: Readonly<Record<MessageType, MessageRule>> = {
  [MessageType.Sccrq]: {
    name: 'SCCRQ',
    scope: 'tunnel',
    must: [A.ProtocolVersion, A.AssignedTunnelId],
    should: [A.HostName, A.FramingCapabilities],
  },
  [MessageType.Sccrp]: {
    name: 'SCCRP',
    scope: 'tunnel',
    must: [A.ProtocolVersion, A.AssignedTunnelId],
    should: [A.FramingCapabilities, A.HostName],
  },
  [MessageType.Scccn]: { name: 'SCCCN', scope: 'tunnel', must: [], should: [] },
  // Both IDs come wrong, or not at all, from some clients: the header and the peer say what is meant.
  [MessageType.StopCcn]: { name: 'StopCCN', scope: 'tunnel', must: [], should: [A.AssignedTunnelId, A.ResultCode] },
  [MessageType.Hello]: { name: 'HELLO', scope: 'tunnel', must: [], should: [] },
  [MessageType.Ocrq]: {
    name: 'OCRQ',
    scope: 'call',
    must: [A.AssignedSessionId],
    should: [A.CallSerialNumber, A.MinimumBps, A.MaximumBps, A.BearerType, A.FramingType, A.CalledNumber],
  },
  [MessageType.Ocrp]: { name: 'OCRP', scope: 'call', must: [A.AssignedSessionId], should: [] },
  [MessageType.Occn]: { name: 'OCCN', scope: 'call', must: [], should: [A.TxConnectSpeed, A.FramingType] },
  [MessageType.Icrq]: { name: 'ICRQ', scope: 'call', must: [A.AssignedSessionId], should: [A.CallSerialNumber] },
  [MessageType.Icrp]: { name: 'ICRP', scope: 'call', must: [A.AssignedSessionId], should: [] },
  [MessageType.Iccn]: { name: 'ICCN', scope: 'call', must: [], should: [A.TxConnectSpeed, A.FramingType] },
  [MessageType.Cdn]: { name: 'CDN', scope: 'call', must: [], should: [A.ResultCode, A.AssignedSessionId] },
  [MessageType.Wen]: { name: 'WEN', scope: 'call', must: [], should: [A.CallErrors] },
  [MessageType.Sli]: { name: 'SLI', scope: 'call', must: [], should: [A.Accm] },
}

export function isMessageType(type: number): type is MessageType {
  return Object.hasOwn(messageRules, type)
}
