/** The calls of one tunnel: incoming calls are taken, outgoing ones refused (RFC 2661 sections 7.4 and 7.5). */

import type { Millis } from '../machine.ts'
import type { Channel } from './channel.ts'
import { cdn, icrp, type Outcome } from './compose.ts'
import { AvpType, CallResult, ErrorCode, HALF_OPEN_LIMIT, MessageType } from './constants.ts'
import { type Context, freshId } from './context.ts'
import type { L2tpEffect } from './effects.ts'
import { describeResult, type Message, u16Of, u32Of } from './message.ts'
import { messageRules } from './rules.ts'
import type { Session } from './session.ts'

/** What a call must know of the tunnel it is in. */
export interface TunnelIdentity {
  readonly peer: number
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly remotePort: number
  readonly localPort: number
  readonly template: number
  readonly hostName: string
}

export class Calls {
  /** By our session ID. */
  readonly sessions = new Map<number, Session>()
  private readonly tunnel: TunnelIdentity
  private readonly context: Context
  private readonly channel: Channel

  constructor(tunnel: TunnelIdentity, context: Context, channel: Channel) {
    this.tunnel = tunnel
    this.context = context
    this.channel = channel
  }

  /** When the first call that waits for its ICCN has waited long enough. */
  get deadline(): Millis | undefined {
    let first: Millis | undefined
    for (const { state } of this.sessions.values()) {
      if (state.kind === 'waitConnect' && (first === undefined || state.until < first)) first = state.until
    }
    return first
  }

  /** Takes a message of call scope; `headerId` is the session ID of its header. */
  take(m: Message, headerId: number, now: Millis, effects: L2tpEffect[]): void {
    const { counters } = this.context
    const session = this.sessions.get(headerId)
    // CDN is obeyed however it is spoilt: it can only end what the peer has ended.
    if (m.fault && m.type !== MessageType.Cdn) return this.amiss(m, session, effects)
    switch (m.type) {
      case MessageType.Icrq:
        return this.incoming(m, now, effects)
      case MessageType.Iccn:
        if (!session) counters.unknownSession++
        else if (session.state.kind === 'established') counters.unexpected++
        else this.connected(session, m, effects)
        return
      case MessageType.Cdn: {
        const ended = session ?? this.byRemoteId(u16Of(m, AvpType.AssignedSessionId))
        if (ended) this.end(ended, `the peer ended the call: ${describeResult(m) ?? 'no result code'}`, effects)
        else counters.unknownSession++
        return
      }
      case MessageType.Wen:
      case MessageType.Sli:
        counters.ignored++
        return
      case MessageType.Ocrq:
        // We are no LAC: nothing here dials out.
        return this.refuse(u16Of(m, AvpType.AssignedSessionId) ?? 0, { resultCode: CallResult.NoFacilities })
      default:
        // Answers to calls that we never make.
        counters.unexpected++
        if (session) {
          const outcome = { resultCode: CallResult.Error, errorCode: ErrorCode.BadValue, text: 'unexpected message' }
          this.clear(session, outcome, `unexpected ${messageRules[m.type].name}`, effects)
        }
    }
  }

  /** Ends one call with a CDN. */
  clear(session: Session, outcome: Outcome, reason: string, effects: L2tpEffect[]): void {
    this.end(session, reason, effects)
    this.channel.send({ sessionId: session.remoteSessionId, body: cdn(session.localSessionId, outcome) })
  }

  /** Ends every call without a word: the tunnel ends, and says so itself. */
  endAll(reason: string, effects: L2tpEffect[]): void {
    for (const session of [...this.sessions.values()]) this.end(session, reason, effects)
  }

  /** Clears the calls that waited too long for their ICCN. */
  expire(now: Millis, effects: L2tpEffect[]): void {
    for (const session of [...this.sessions.values()]) {
      if (session.state.kind === 'waitConnect' && session.state.until <= now) {
        this.clear(session, { resultCode: CallResult.Timeout }, 'no ICCN came', effects)
      }
    }
  }

  private incoming(m: Message, now: Millis, effects: L2tpEffect[]): void {
    const remoteSessionId = u16Of(m, AvpType.AssignedSessionId) ?? 0
    if (remoteSessionId === 0) {
      return this.refuse(0, { resultCode: CallResult.Error, errorCode: ErrorCode.BadValue, text: 'session ID 0' })
    }
    // Messages come once and in order: the same ID anew means that the peer has forgotten the call that bore it.
    const before = this.byRemoteId(remoteSessionId)
    if (before) this.end(before, 'the peer gave its session ID to a new call', effects)

    const room = this.sessions.size < this.context.config.maxSessionsPerTunnel
    const row = room ? this.context.rows.take() : undefined
    if (row === undefined) return this.refuse(remoteSessionId, { resultCode: CallResult.NoFacilitiesNow })

    const localSessionId = this.freshSessionId()
    const { peer, localTunnelId, remoteTunnelId, remotePort, localPort, template, hostName } = this.tunnel
    this.sessions.set(localSessionId, {
      session: row,
      localSessionId,
      remoteSessionId,
      serial: u32Of(m, AvpType.CallSerialNumber),
      since: now,
      state: { kind: 'waitConnect', until: now + HALF_OPEN_LIMIT },
    })
    this.context.counters.callsAccepted++
    // Before the ICRP: Windows sends its first PPP frame in one burst with ICCN, or before it.
    effects.push({
      kind: 'sessionUp',
      ids: {
        session: row,
        peer,
        localTunnelId,
        remoteTunnelId,
        localSessionId,
        remoteSessionId,
        remotePort,
        localPort,
        template,
        hostName,
        sequencing: false,
      },
    })
    this.channel.send({ sessionId: remoteSessionId, body: icrp(localSessionId) })
  }

  private connected(session: Session, m: Message, effects: L2tpEffect[]): void {
    session.state = { kind: 'established' }
    this.context.counters.callsConnected++
    effects.push({
      kind: 'sessionConnected',
      session: session.session,
      connectSpeed: u32Of(m, AvpType.TxConnectSpeed),
      sequencing: m.values.has(AvpType.SequencingRequired),
    })
  }

  /** An AVP that may not be ignored ends the call it belongs to, and no other (RFC 2661 section 4.1). */
  private amiss(m: Message, session: Session | undefined, effects: L2tpEffect[]): void {
    const { resultCode, errorCode, message: text } = m.fault!
    const outcome = { resultCode, errorCode, text }
    if (session) return this.clear(session, outcome, `${messageRules[m.type].name}: ${text}`, effects)
    if (m.type === MessageType.Icrq || m.type === MessageType.Ocrq) {
      return this.refuse(u16Of(m, AvpType.AssignedSessionId) ?? 0, outcome)
    }
    this.context.counters.unknownSession++
  }

  /** A CDN for a call that we never gave an ID: it bears one that is none of the others'. */
  private refuse(remoteSessionId: number, outcome: Outcome): void {
    this.context.counters.callsRefused++
    this.channel.send({ sessionId: remoteSessionId, body: cdn(this.freshSessionId(), outcome) })
  }

  private end(session: Session, reason: string, effects: L2tpEffect[]): void {
    this.sessions.delete(session.localSessionId)
    this.context.rows.give(session.session)
    effects.push({ kind: 'sessionDown', session: session.session, peer: this.tunnel.peer, reason })
  }

  private byRemoteId(id: number | undefined): Session | undefined {
    for (const session of this.sessions.values()) if (session.remoteSessionId === id) return session
    return undefined
  }

  private freshSessionId(): number {
    return freshId(this.context.dice, id => this.sessions.has(id))
  }
}
