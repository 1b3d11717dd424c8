/** A dial-in client's half of L2TP (a LAC, RFC 2661), for conversations and simulated clients: no socket, no clock. */

import { type Avp, avp, avpU16, avpU32 } from '../../src/l2tp/avp.ts'
import { Channel, type Parcel } from '../../src/l2tp/channel.ts'
import { AvpType, HeaderFlag, L2TP_VERSION, MessageType } from '../../src/l2tp/constants.ts'
import { emitControl, parseControl } from '../../src/l2tp/header.ts'
import { describeResult, emitMessage, parseMessage, u16Of } from '../../src/l2tp/message.ts'
import type { DeadlineInput, Machine, Millis } from '../../src/machine.ts'
import { encodeText, fromHex } from '../../src/packet/bytes.ts'
import { Writer } from '../../src/packet/writer.ts'

export type LacInput =
  /** Opens the tunnel. */
  | { readonly kind: 'connect' }
  /** Places a call; before the tunnel is up it waits for it. */
  | { readonly kind: 'call' }
  | { readonly kind: 'hello' }
  /** Ends one call with a CDN. */
  | { readonly kind: 'hangUp'; readonly localSessionId: number }
  /** Ends the tunnel with a StopCCN. */
  | { readonly kind: 'disconnect' }
  /** A control message from the LNS, from the L2TP header on. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array }

export type LacEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'tunnelUp'; readonly localTunnelId: number; readonly remoteTunnelId: number }
  /** ICCN goes out: PPP may start. */
  | { readonly kind: 'callUp'; readonly localSessionId: number; readonly remoteSessionId: number }
  | { readonly kind: 'callDown'; readonly localSessionId: number; readonly reason: string }
  | { readonly kind: 'tunnelDown'; readonly reason: string; readonly dead: boolean }

/** What a kind of client puts into its messages. */
export interface LacProfile {
  readonly receiveWindow: number
  sccrq(hostName: string, assignedTunnelId: number): readonly Avp[]
  icrq(assignedSessionId: number, serial: number): readonly Avp[]
  iccn(): readonly Avp[]
  /** Whether data messages bear the L bit. */
  readonly lengthBit: boolean
  /** After how long it sends Hello; absent: never. */
  readonly helloMillis?: Millis
  /** False: it does not even acknowledge a Hello. */
  readonly answersHello?: boolean
  /** False: it ends the tunnel without a CDN before. */
  readonly hangsUp?: boolean
  /** Result Code of its StopCCN; absent: 1, as Windows has it. */
  readonly stopResult?: number
}

function windowsSccrq(firmware: number) {
  return (hostName: string, assignedTunnelId: number) => [
    avpU16(AvpType.ProtocolVersion, 0x0100),
    avpU32(AvpType.FramingCapabilities, 1),
    avpU32(AvpType.BearerCapabilities, 0, false),
    avpU16(AvpType.FirmwareRevision, firmware, false),
    avp(AvpType.HostName, encodeText(hostName)),
    avp(AvpType.VendorName, encodeText('Microsoft'), false),
    avpU16(AvpType.AssignedTunnelId, assignedTunnelId),
    avpU16(AvpType.ReceiveWindowSize, 8),
  ]
}

const windowsIcrq = (assignedSessionId: number) => [
  avpU16(AvpType.AssignedSessionId, assignedSessionId),
  avpU32(AvpType.CallSerialNumber, 0),
  avpU32(AvpType.BearerType, 2, false),
]

const windowsIccn = () => [
  avpU32(AvpType.TxConnectSpeed, 100_000_000),
  avpU32(AvpType.FramingType, 1),
  avpU16(AvpType.ProxyAuthenType, 4, false),
]

export const xp: LacProfile = {
  receiveWindow: 8,
  helloMillis: 60_000,
  sccrq: windowsSccrq(0x0500),
  icrq: windowsIcrq,
  iccn: windowsIccn,
  lengthBit: false,
}

/** Vista SP1 and later put a GUID into ICRQ, in an AVP of Microsoft's own (vendor 311) that may be ignored. */
export const vista: LacProfile = {
  receiveWindow: 8,
  helloMillis: 60_000,
  sccrq: windowsSccrq(0x0600),
  icrq: assignedSessionId => [
    ...windowsIcrq(assignedSessionId),
    {
      mandatory: false,
      hidden: false,
      reserved: 0,
      vendor: 311,
      type: 1,
      value: fromHex('00112233445566778899aabbccddeeff'),
    },
  ],
  iccn: windowsIccn,
  lengthBit: false,
}

export const server2003: LacProfile = { ...xp, sccrq: windowsSccrq(0x0502) }

/** Later ones put their version into the firmware revision. */
export const windows7: LacProfile = { ...vista, sccrq: windowsSccrq(0x0601) }
export const windows8: LacProfile = { ...vista, sccrq: windowsSccrq(0x0603) }
export const windows10: LacProfile = { ...vista, sccrq: windowsSccrq(0x0a00) }

/** The free software client: counted serials, a window of four, lengths in data messages. */
export const xl2tpd: LacProfile = {
  receiveWindow: 4,
  sccrq: (hostName, assignedTunnelId) => [
    avpU16(AvpType.ProtocolVersion, 0x0100),
    avpU32(AvpType.FramingCapabilities, 3),
    avpU32(AvpType.BearerCapabilities, 0),
    avpU16(AvpType.FirmwareRevision, 0x0690, false),
    avp(AvpType.HostName, encodeText(hostName)),
    avp(AvpType.VendorName, encodeText('xelerance.com'), false),
    avpU16(AvpType.AssignedTunnelId, assignedTunnelId),
    avpU16(AvpType.ReceiveWindowSize, 4),
  ],
  icrq: (assignedSessionId, serial) => [
    avpU16(AvpType.AssignedSessionId, assignedSessionId),
    avpU32(AvpType.CallSerialNumber, serial),
    avpU32(AvpType.BearerType, 0),
  ],
  iccn: () => [
    avpU32(AvpType.TxConnectSpeed, 10_000_000),
    avpU32(AvpType.FramingType, 1),
    avpU32(AvpType.RxConnectSpeed, 10_000_000, false),
  ],
  lengthBit: true,
  helloMillis: 60_000,
}

/** mtpd of Android: one message at a time, a random serial, no CDN; it was seen to leave HELLOs unanswered. */
export const android: LacProfile = {
  receiveWindow: 1,
  answersHello: false,
  hangsUp: false,
  stopResult: 6,
  sccrq: (_, assignedTunnelId) => [
    avpU16(AvpType.ProtocolVersion, 0x0100),
    avp(AvpType.HostName, encodeText('anonymous')),
    avpU32(AvpType.FramingCapabilities, 3),
    avpU16(AvpType.AssignedTunnelId, assignedTunnelId),
    avpU16(AvpType.ReceiveWindowSize, 1),
  ],
  icrq: (assignedSessionId, serial) => [
    avpU16(AvpType.AssignedSessionId, assignedSessionId),
    avpU32(AvpType.CallSerialNumber, serial * 0x1234567),
  ],
  iccn: () => [avpU32(AvpType.TxConnectSpeed, 100_000_000), avpU32(AvpType.FramingType, 3)],
  lengthBit: false,
}

/** Apple's l2tp plug-in of pppd. */
export const apple: LacProfile = {
  receiveWindow: 4,
  sccrq: (hostName, assignedTunnelId) => [
    avpU16(AvpType.ProtocolVersion, 0x0100),
    avpU32(AvpType.FramingCapabilities, 3),
    avp(AvpType.HostName, encodeText(hostName)),
    avpU16(AvpType.AssignedTunnelId, assignedTunnelId),
    avpU16(AvpType.ReceiveWindowSize, 4),
  ],
  icrq: (assignedSessionId, serial) => [
    avpU16(AvpType.AssignedSessionId, assignedSessionId),
    avpU32(AvpType.CallSerialNumber, serial),
  ],
  iccn: () => [avpU32(AvpType.TxConnectSpeed, 1_000_000), avpU32(AvpType.FramingType, 1)],
  lengthBit: true,
}

interface Call {
  readonly localSessionId: number
  remoteSessionId: number
  state: 'waitTunnel' | 'waitReply' | 'established'
}

export class Lac implements Machine<LacInput, LacEffect> {
  readonly profile: LacProfile
  readonly hostName: string
  readonly localTunnelId: number
  remoteTunnelId = 0
  state: 'idle' | 'waitReply' | 'established' | 'closed' = 'idle'
  readonly calls = new Map<number, Call>()
  readonly channel: Channel
  private nextSessionId: number
  /** The tunnel was given up: nobody is there any more to acknowledge anything. */
  private forgotten = false

  /** Windows counts its tunnels from 1 since it started, and its first session ID is 1. */
  constructor(options: { profile?: LacProfile; hostName?: string; tunnelId?: number; firstSessionId?: number } = {}) {
    this.profile = options.profile ?? xp
    this.hostName = options.hostName ?? 'XPCLIENT'
    this.localTunnelId = options.tunnelId ?? 1
    this.nextSessionId = options.firstSessionId ?? 1
    this.channel = new Channel(this.profile.receiveWindow)
  }

  get deadline(): Millis | undefined {
    return this.channel.deadline
  }

  handle(input: LacInput | DeadlineInput, now: Millis, effects: LacEffect[]): void {
    switch (input.kind) {
      case 'connect':
        this.state = 'waitReply'
        this.say(0, MessageType.Sccrq, this.profile.sccrq(this.hostName, this.localTunnelId))
        break
      case 'call': {
        const localSessionId = this.nextSessionId++
        const call: Call = { localSessionId, remoteSessionId: 0, state: 'waitTunnel' }
        this.calls.set(localSessionId, call)
        if (this.state === 'established') this.place(call)
        break
      }
      case 'hello':
        this.say(0, MessageType.Hello)
        break
      case 'hangUp': {
        const call = this.calls.get(input.localSessionId)
        if (call) this.hangUp(call, effects)
        break
      }
      case 'disconnect':
        this.say(0, MessageType.StopCcn, [
          avpU16(AvpType.AssignedTunnelId, this.localTunnelId),
          avp(AvpType.ResultCode, Uint8Array.of(0, this.profile.stopResult ?? 1, 0, 0)),
        ])
        this.close('the user disconnected', false, effects)
        break
      case 'message':
        this.receive(input.bytes, now, effects)
        break
      case 'deadline':
        if (!this.channel.tick(now)) {
          this.channel.abandon()
          this.forgotten = true
          this.close('the server stopped answering', true, effects)
        }
        break
    }
    this.flush(now, effects)
  }

  /** A data message of an established call, from the L2TP header on. */
  data(localSessionId: number, frame: Uint8Array): Uint8Array {
    const call = this.calls.get(localSessionId)
    if (call?.state !== 'established') throw new Error(`no call ${localSessionId}`)
    const w = new Writer()
    if (this.profile.lengthBit) w.u16(HeaderFlag.Length | L2TP_VERSION).u16(8 + frame.length)
    else w.u16(L2TP_VERSION)
    return w.u16(this.remoteTunnelId).u16(call.remoteSessionId).put(frame).bytes()
  }

  /** The frame and the session of a data message, as strictly as Windows reads it: any bit but T, L and S is refused. */
  readData(bytes: Uint8Array): { localSessionId: number; frame: Uint8Array } | undefined {
    const u16 = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!
    const flags = u16(0)
    const allowed = HeaderFlag.Length | HeaderFlag.Sequence
    if ((flags & ~allowed) !== L2TP_VERSION) return undefined
    const at = flags & HeaderFlag.Length ? 4 : 2
    const start = at + 4 + (flags & HeaderFlag.Sequence ? 4 : 0)
    if (u16(at) !== this.localTunnelId || start > bytes.length) return undefined
    return { localSessionId: u16(at + 2), frame: bytes.slice(start, flags & HeaderFlag.Length ? u16(2) : undefined) }
  }

  private receive(bytes: Uint8Array, now: Millis, effects: LacEffect[]): void {
    const p = parseControl(bytes)
    if (p.tunnelId !== this.localTunnelId || this.forgotten) return
    const hello = p.body.length > 0 && parseMessage(p.body)?.type === MessageType.Hello
    if (hello && this.profile.answersHello === false) return
    const ready: Parcel[] = []
    this.channel.receive(p, now, ready)
    for (const parcel of ready) this.take(parcel, effects)
  }

  private take(parcel: Parcel, effects: LacEffect[]): void {
    const m = parseMessage(parcel.body)
    if (!m) return
    if (m.fault) throw m.fault
    switch (m.type) {
      case MessageType.Sccrp:
        if (this.state !== 'waitReply') return
        this.remoteTunnelId = u16Of(m, AvpType.AssignedTunnelId)!
        this.channel.setPeerWindow(u16Of(m, AvpType.ReceiveWindowSize) ?? 4)
        this.state = 'established'
        this.say(0, MessageType.Scccn)
        effects.push({
          kind: 'tunnelUp',
          localTunnelId: this.localTunnelId,
          remoteTunnelId: this.remoteTunnelId,
        })
        for (const call of this.calls.values()) this.place(call)
        return
      case MessageType.Icrp: {
        const call = this.calls.get(parcel.sessionId)
        if (call?.state !== 'waitReply') return
        call.remoteSessionId = u16Of(m, AvpType.AssignedSessionId)!
        call.state = 'established'
        this.say(call.remoteSessionId, MessageType.Iccn, this.profile.iccn())
        const { localSessionId, remoteSessionId } = call
        effects.push({ kind: 'callUp', localSessionId, remoteSessionId })
        return
      }
      case MessageType.Cdn:
        if (this.calls.delete(parcel.sessionId)) {
          const reason = describeResult(m) ?? ''
          effects.push({ kind: 'callDown', localSessionId: parcel.sessionId, reason })
        }
        return
      case MessageType.StopCcn:
        this.remoteTunnelId ||= u16Of(m, AvpType.AssignedTunnelId) ?? 0
        this.channel.abandon()
        this.close(describeResult(m) ?? '', false, effects)
        return
      default:
    }
  }

  private place(call: Call): void {
    call.state = 'waitReply'
    this.say(0, MessageType.Icrq, this.profile.icrq(call.localSessionId, call.localSessionId))
  }

  private hangUp(call: Call, effects: LacEffect[]): void {
    this.calls.delete(call.localSessionId)
    effects.push({ kind: 'callDown', localSessionId: call.localSessionId, reason: 'the user hung up' })
    this.say(call.remoteSessionId, MessageType.Cdn, [
      avpU16(AvpType.AssignedSessionId, call.localSessionId),
      avp(AvpType.ResultCode, fromHex('00030000')),
    ])
  }

  private close(reason: string, dead: boolean, effects: LacEffect[]): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    for (const localSessionId of this.calls.keys()) effects.push({ kind: 'callDown', localSessionId, reason })
    this.calls.clear()
    effects.push({ kind: 'tunnelDown', reason, dead })
  }

  private say(sessionId: number, type: MessageType, avps: readonly Avp[] = []): void {
    this.channel.send({ sessionId, body: emitMessage(type, avps) })
  }

  private flush(now: Millis, effects: LacEffect[]): void {
    this.channel.flush(now, ({ sessionId, ns, nr, body }) => {
      effects.push({ kind: 'send', bytes: emitControl({ tunnelId: this.remoteTunnelId, sessionId, ns, nr, body }) })
    })
  }
}
