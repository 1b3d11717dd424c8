/** One control connection, as the LNS that answers it sees it (RFC 2661 sections 5.1 and 7.2). */

import type { Millis } from '../machine.ts'
import { Calls, type TunnelIdentity } from './calls.ts'
import { Channel, type Departure, type Parcel } from './channel.ts'
import { hello, type Outcome, sccrp, stopCcn } from './compose.ts'
import {
  AvpType,
  DEFAULT_PEER_WINDOW,
  EMPTY_TUNNEL_LIMIT,
  HALF_OPEN_LIMIT,
  MAX_UNACKNOWLEDGED,
  MessageType,
  PROTOCOL_VERSION,
  RETRANSMISSION_CYCLE,
  StopResult,
} from './constants.ts'
import type { Context } from './context.ts'
import type { L2tpEffect, TunnelRefusal } from './effects.ts'
import { L2tpError } from './error.ts'
import { type ControlPacket, emitControl } from './header.ts'
import { describeResult, type Message, parseMessage, textOf, u16Of } from './message.ts'
import { Presence } from './presence.ts'
import { messageRules } from './rules.ts'
import { type SessionSnapshot, snapshotSession } from './session.ts'

export type TunnelState =
  /** Made for an SCCRQ that is about to be read. */
  | { readonly kind: 'idle' }
  /** SCCRP was sent. */
  | { readonly kind: 'waitControlConnection'; readonly until: Millis }
  | { readonly kind: 'established'; readonly emptyUntil: Millis | undefined }
  /** Ended, and kept only to acknowledge what the peer says again, and to repeat our StopCCN. */
  | { readonly kind: 'closed'; readonly until: Millis; readonly stoppedByPeer: boolean }

export interface Opening {
  readonly peer: number
  /** SPI of the SA that the SCCRQ came through. */
  readonly sa: number
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly remotePort: number
  readonly localPort: number
  /** The template of the peer's address range; undefined where it is in none, and is refused. */
  readonly template: number | undefined
  /** Whether the peer was heard in another of its tunnels after `since`. */
  readonly heardElsewhere: (since: Millis) => boolean
}

/** Where a message came from. */
export type Origin = Pick<Opening, 'sa' | 'remotePort' | 'localPort'>

export interface TunnelSnapshot {
  readonly peer: number
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly hostName: string
  readonly vendor: string
  readonly state: TunnelState['kind']
  readonly since: Millis
  readonly ns: number
  readonly nr: number
  readonly sessions: readonly SessionSnapshot[]
}

export class Tunnel implements TunnelIdentity {
  readonly peer: number
  readonly sa: number
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly template: number
  readonly since: Millis
  remotePort: number
  localPort: number
  hostName = ''
  vendor = ''
  state: TunnelState = { kind: 'idle' }
  /** Nothing is left to do: the endpoint may forget the tunnel. */
  finished = false
  readonly calls: Calls
  readonly presence: Presence
  private readonly authorised: boolean
  private readonly heardElsewhere: Opening['heardElsewhere']
  private readonly context: Context
  private readonly receiveWindow: number
  private readonly channel: Channel

  constructor(opening: Opening, context: Context, now: Millis) {
    this.peer = opening.peer
    this.sa = opening.sa
    this.localTunnelId = opening.localTunnelId
    this.remoteTunnelId = opening.remoteTunnelId
    this.remotePort = opening.remotePort
    this.localPort = opening.localPort
    this.authorised = opening.template !== undefined
    this.template = opening.template ?? 0
    this.heardElsewhere = opening.heardElsewhere
    this.since = now
    this.presence = new Presence(opening.sa, now)
    this.context = context
    this.receiveWindow = Math.max(1, context.config.receiveWindow)
    this.channel = new Channel(this.receiveWindow)
    this.calls = new Calls(this, context, this.channel)
  }

  /** Whether the peer cannot mean this tunnel any more: it ended it, or has acknowledged that we did. */
  get settled(): boolean {
    return this.state.kind === 'closed' && (this.state.stoppedByPeer || this.channel.unacknowledged === 0)
  }

  get deadline(): Millis | undefined {
    const { state, channel } = this
    let first = channel.deadline ?? Number.POSITIVE_INFINITY
    if (state.kind === 'waitControlConnection' || state.kind === 'closed') first = Math.min(first, state.until)
    if (state.kind === 'established') {
      first = Math.min(
        first,
        state.emptyUntil ?? Number.POSITIVE_INFINITY,
        this.calls.deadline ?? Number.POSITIVE_INFINITY,
        this.helloAt ?? Number.POSITIVE_INFINITY,
      )
    }
    return first === Number.POSITIVE_INFINITY ? undefined : first
  }

  /** A control message whose header names this tunnel; the ports of `from` are where its answer goes. */
  receive(p: ControlPacket, from: Origin, now: Millis, effects: L2tpEffect[]): void {
    const { counters } = this.context
    this.remotePort = from.remotePort
    this.localPort = from.localPort
    this.presence.heard(now, from.sa)
    const ready: Parcel[] = []
    const arrival = this.channel.receive(p, now, ready)
    if (arrival === 'acknowledgement') counters.zlbReceived++
    else if (arrival === 'duplicate') counters.duplicates++
    else if (arrival === 'early') counters.outOfOrder++
    else if (arrival === 'outside') counters.outsideWindow++
    // The SCCRQ again: the answer was lost, or is slow. There is one tunnel; it is told once more.
    if (arrival === 'duplicate' && this.state.kind === 'waitControlConnection') {
      this.channel.resend(packet => this.emit(packet, effects))
    }
    for (const parcel of ready) this.take(parcel, now, effects)
    if (this.channel.unacknowledged > MAX_UNACKNOWLEDGED) return this.die('the peer acknowledges nothing', effects)
    this.watchEmptiness(now)
    this.flush(now, effects)
  }

  tick(now: Millis, effects: L2tpEffect[]): void {
    const { state } = this
    const alive = this.channel.tick(now, this.presence.hasData(now, this.context.config.helloSeconds))
    if (state.kind === 'closed') {
      this.finished ||= !alive || now >= state.until
      if (!this.finished) this.flush(now, effects)
      return
    }
    if (!alive) {
      this.context.counters.tunnelsDead++
      return this.die('the peer stopped answering', effects)
    }
    const cleared = { resultCode: StopResult.General }
    if (state.kind === 'waitControlConnection' && now >= state.until) {
      return this.stop(cleared, 'no SCCCN came', now, effects)
    }
    if (state.kind === 'established') {
      this.calls.expire(now, effects)
      this.watchEmptiness(now)
      if (state.emptyUntil !== undefined && now >= state.emptyUntil) {
        return this.stop(cleared, 'there was no call in it', now, effects)
      }
      if (this.helloAt !== undefined && now >= this.helloAt) {
        this.channel.send({ sessionId: 0, body: hello() })
        this.context.counters.hellosSent++
      }
    }
    this.flush(now, effects)
  }

  /** Ends one of the calls with a CDN, and the tunnel with a StopCCN when it was the last one. */
  closeSession(session: number, resultCode: number, reason: string, now: Millis, effects: L2tpEffect[]): void {
    for (const call of this.calls.sessions.values()) {
      if (call.session !== session) continue
      this.calls.clear(call, { resultCode }, reason, effects)
      if (this.calls.sessions.size > 0) return this.flush(now, effects)
      return this.stop({ resultCode: StopResult.General }, 'its last call was ended', now, effects)
    }
  }

  /** Ends the tunnel and its calls with a StopCCN. */
  stop(outcome: Outcome, reason: string, now: Millis, effects: L2tpEffect[]): void {
    if (this.state.kind === 'closed') return
    this.close(now, reason, false, effects)
    this.channel.send({ sessionId: 0, body: stopCcn(this.localTunnelId, outcome) })
    this.flush(now, effects)
  }

  /** Ends the tunnel and its calls without a word. */
  drop(reason: string, effects: L2tpEffect[]): void {
    this.end(reason, false, effects)
    this.finished = true
  }

  snapshot(): TunnelSnapshot {
    const { peer, localTunnelId, remoteTunnelId, hostName, vendor, since } = this
    const { ns, nr } = this.channel
    const sessions = [...this.calls.sessions.values()].map(snapshotSession)
    return { peer, localTunnelId, remoteTunnelId, hostName, vendor, state: this.state.kind, since, ns, nr, sessions }
  }

  /** When to ask whether the peer is there; while a message waits for its acknowledgement, that message asks. */
  private get helloAt(): Millis | undefined {
    const { helloSeconds } = this.context.config
    if (helloSeconds === 0 || this.channel.unacknowledged > 0) return undefined
    return this.presence.heardAt + helloSeconds * 1000
  }

  /** A message whose turn has come. */
  private take(parcel: Parcel, now: Millis, effects: L2tpEffect[]): void {
    let m: Message | undefined
    try {
      m = parseMessage(parcel.body)
    } catch (error) {
      if (!(error instanceof L2tpError)) throw error
      this.context.counters.badBody++
      return this.stopFor(error, 'bad message', now, effects)
    }
    if (!m) {
      this.context.counters.ignored++
      return
    }
    if (m.type === MessageType.StopCcn) return this.stopped(m, now, effects)
    if (this.state.kind === 'closed') return
    const rule = messageRules[m.type]
    if (rule.scope === 'call') {
      // In order, a call's message before SCCCN cannot come from a peer that keeps the rules.
      if (this.state.kind !== 'established') return this.outOfPlace(rule.name, now, effects)
      return this.calls.take(m, parcel.sessionId, now, effects)
    }
    if (m.fault) return this.stopFor(m.fault, rule.name, now, effects)
    if (m.type === MessageType.Hello) {
      this.context.counters.hellosReceived++
      return
    }
    if (m.type === MessageType.Sccrq && this.state.kind === 'idle') return this.requested(m, now, effects)
    if (m.type === MessageType.Scccn && this.state.kind === 'waitControlConnection') return this.connected(now, effects)
    this.outOfPlace(rule.name, now, effects)
  }

  /** SCCRQ: answered with SCCRP, or refused with StopCCN. */
  private requested(m: Message, now: Millis, effects: L2tpEffect[]): void {
    this.hostName = textOf(m, AvpType.HostName)
    this.vendor = textOf(m, AvpType.VendorName)
    this.channel.setPeerWindow(u16Of(m, AvpType.ReceiveWindowSize) ?? DEFAULT_PEER_WINDOW)
    if (!this.authorised) {
      const outcome = { resultCode: StopResult.NotAuthorised }
      return this.refuse(outcome, 'no-range', 'its address is in no L2TP range', now, effects)
    }
    if (u16Of(m, AvpType.ProtocolVersion)! >>> 8 !== PROTOCOL_VERSION >>> 8) {
      const outcome = { resultCode: StopResult.UnsupportedVersion, errorCode: PROTOCOL_VERSION }
      return this.refuse(outcome, 'version', 'it speaks another version', now, effects)
    }
    // It wants a proof that we know a secret which nobody configured: without the right response it would end the tunnel
    // itself, less clearly (RFC 2661 section 5.1.1). IPsec has authenticated both sides already.
    if (m.values.has(AvpType.Challenge)) {
      const outcome = { resultCode: StopResult.NotAuthorised }
      const reason = 'it asks for tunnel authentication, for which there is no secret'
      return this.refuse(outcome, 'challenge', reason, now, effects)
    }
    const { hostName } = this.context.config
    this.state = { kind: 'waitControlConnection', until: now + HALF_OPEN_LIMIT }
    this.context.counters.tunnelsOpened++
    const { localTunnelId: assignedTunnelId, receiveWindow } = this
    this.channel.send({ sessionId: 0, body: sccrp({ hostName, assignedTunnelId, receiveWindow }) })
  }

  private connected(now: Millis, effects: L2tpEffect[]): void {
    this.state = { kind: 'established', emptyUntil: now + EMPTY_TUNNEL_LIMIT }
    this.context.counters.tunnelsEstablished++
    const { peer, localTunnelId, hostName } = this
    effects.push({ kind: 'tunnelUp', peer, localTunnelId, hostName })
  }

  /** StopCCN ends everything, whatever IDs and codes it bears; all it gets is acknowledgements. */
  private stopped(m: Message, now: Millis, effects: L2tpEffect[]): void {
    this.close(now, `the peer ended the tunnel: ${describeResult(m) ?? 'no result code'}`, true, effects)
    this.channel.abandon()
  }

  private refuse(outcome: Outcome, refusal: TunnelRefusal, why: string, now: Millis, effects: L2tpEffect[]): void {
    this.context.counters.tunnelsRefused++
    effects.push({ kind: 'discarded', peer: this.peer, reason: `tunnel of ${this.hostName} refused: ${why}`, refusal })
    this.stop(outcome, why, now, effects)
  }

  private outOfPlace(name: string, now: Millis, effects: L2tpEffect[]): void {
    this.context.counters.unexpected++
    this.stop({ resultCode: StopResult.StateMachine }, `${name} out of place`, now, effects)
  }

  private stopFor(error: L2tpError, what: string, now: Millis, effects: L2tpEffect[]): void {
    const { resultCode, errorCode, message: text } = error
    const reason = `${what}: ${text}`
    if (this.state.kind === 'idle') effects.push({ kind: 'discarded', peer: this.peer, reason, refusal: 'malformed' })
    this.stop({ resultCode, errorCode, text }, reason, now, effects)
  }

  /** A program that was started anew knows nothing of this tunnel, and has another: its peer is not dead. */
  private die(reason: string, effects: L2tpEffect[]): void {
    this.end(reason, !this.heardElsewhere(this.presence.heardAt), effects)
    this.finished = true
  }

  private close(now: Millis, reason: string, stoppedByPeer: boolean, effects: L2tpEffect[]): void {
    const until = this.state.kind === 'closed' ? this.state.until : now + RETRANSMISSION_CYCLE
    this.end(reason, false, effects)
    this.state = { kind: 'closed', until, stoppedByPeer }
  }

  /** Calls first, then the tunnel; what was never up says nothing. */
  private end(reason: string, dead: boolean, effects: L2tpEffect[]): void {
    this.calls.endAll(reason, effects)
    const { peer, localTunnelId } = this
    if (this.state.kind === 'established') effects.push({ kind: 'tunnelDown', peer, localTunnelId, reason, dead })
  }

  /** Starts the clock of a tunnel without calls, or stops it. */
  private watchEmptiness(now: Millis): void {
    if (this.state.kind !== 'established') return
    const empty = this.calls.sessions.size === 0
    if (empty !== (this.state.emptyUntil !== undefined)) {
      this.state = { kind: 'established', emptyUntil: empty ? now + EMPTY_TUNNEL_LIMIT : undefined }
    }
  }

  private flush(now: Millis, effects: L2tpEffect[]): void {
    this.channel.flush(now, packet => this.emit(packet, effects))
  }

  private emit(packet: Departure, effects: L2tpEffect[]): void {
    const { counters } = this.context
    if (packet.body.length > 0) counters.messagesSent++
    else counters.zlbSent++
    if (packet.again) counters.retransmissions++
    const { peer, localPort, remotePort, remoteTunnelId } = this
    const { sessionId, ns, nr, body } = packet
    const bytes = emitControl({ tunnelId: remoteTunnelId, sessionId, ns, nr, body })
    effects.push({ kind: 'send', peer, localPort, remotePort, bytes })
  }
}
