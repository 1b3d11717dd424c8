/** The L2TP network server: every peer's tunnels, each behind the peer it belongs to (RFC 2661, RFC 3193). */

import type { DeadlineInput, Dice, Machine, Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { RowNumbers } from '../packet/table.ts'
import { AvpType, MAX_CLOSED_PER_PEER, MAX_UNIQUE_IDS, MessageType, StopResult } from './constants.ts'
import { type Context, type CounterName, freshId, newCounters } from './context.ts'
import { Deadlines } from './deadlines.ts'
import type { L2tpConfig, L2tpEffect, L2tpInput, TunnelRefusal } from './effects.ts'
import { L2tpError } from './error.ts'
import { type ControlPacket, parseControl } from './header.ts'
import { type Message, parseMessage, u16Of } from './message.ts'
import { Tunnel, type TunnelSnapshot } from './tunnel.ts'

type MessageInput = Extract<L2tpInput, { kind: 'message' }>

export interface L2tpSnapshot {
  /** Closed ones are among them as long as they acknowledge. */
  readonly tunnels: readonly TunnelSnapshot[]
  readonly counters: Readonly<Record<string, number>>
}

/**
 * Tunnels are known by the peer and our tunnel ID, never by address or port: two clients behind one NAT, with the same
 * inner address, port 1701 and tunnel ID 1, are two peers, and cannot meet here.
 */
export class L2tpEndpoint implements Machine<L2tpInput, L2tpEffect> {
  /** By peer, then by our tunnel ID, oldest first. */
  private readonly peers = new Map<number, Map<number, Tunnel>>()
  /** Our tunnel IDs that are in use: nothing but an operator's commands names a tunnel without its peer. */
  private readonly localIds = new Set<number>()
  /** By the session's row number. */
  private readonly bySession = new Map<number, Tunnel>()
  private readonly deadlines = new Deadlines<Tunnel>()
  private readonly context: Context

  /** `rows` hands out session numbers, `dice` tunnel and session IDs. */
  constructor(options: { config: L2tpConfig; dice: Dice; rows: RowNumbers }) {
    const { config, dice, rows } = options
    this.context = { config, dice, rows, counters: newCounters() }
  }

  /** Takes a new configuration; tunnels that exist go on. */
  configure(config: L2tpConfig): void {
    this.context.config = config
    for (const of of this.peers.values()) for (const t of of.values()) this.settle(t)
  }

  clearCounters(): void {
    Object.assign(this.context.counters, newCounters())
  }

  get deadline(): Millis | undefined {
    return this.deadlines.next
  }

  handle(input: L2tpInput | DeadlineInput, now: Millis, effects: L2tpEffect[]): void {
    const from = effects.length
    switch (input.kind) {
      case 'message':
        this.message(input, now, effects)
        break
      case 'deadline':
        for (let t = this.deadlines.takeDue(now); t; t = this.deadlines.takeDue(now)) {
          if ((t.deadline ?? Number.POSITIVE_INFINITY) <= now) t.tick(now, effects)
          this.settle(t)
        }
        break
      case 'peerGone':
        for (const t of this.tunnelsOf(input.peer)) {
          t.drop(input.reason, effects)
          this.settle(t)
        }
        break
      case 'closeSession': {
        const t = this.bySession.get(input.session)
        t?.closeSession(input.session, input.resultCode, input.reason, now, effects)
        if (t) this.settle(t)
        break
      }
      case 'closeTunnel': {
        const t = this.peers.get(input.peer)?.get(input.localTunnelId)
        t?.stop({ resultCode: StopResult.General }, input.reason, now, effects)
        if (t) this.settle(t)
        break
      }
      case 'heard':
        this.bySession.get(input.session)?.presence.heardData(now, input.sa)
        break
      case 'shutdown':
        for (const peer of [...this.peers.keys()]) {
          for (const t of this.tunnelsOf(peer)) {
            t.stop({ resultCode: StopResult.ShuttingDown }, 'the gateway shuts down', now, effects)
            this.settle(t)
          }
        }
        break
    }
    this.indexSessions(effects, from)
  }

  snapshot(): L2tpSnapshot {
    const tunnels = [...this.peers.values()].flatMap(of => [...of.values()].map(t => t.snapshot()))
    return { tunnels, counters: { ...this.context.counters } }
  }

  /** One peer's tunnels alone. */
  tunnels(peer: number): TunnelSnapshot[] {
    return [...(this.peers.get(peer)?.values() ?? [])].map(t => t.snapshot())
  }

  /** Steps: read the header; find the tunnel it names; without a tunnel ID it opens one, or ends one it was never told. */
  private message(input: MessageInput, now: Millis, effects: L2tpEffect[]): void {
    this.context.counters.messagesReceived++
    let p: ControlPacket
    let m: Message | undefined
    try {
      p = parseControl(input.bytes)
    } catch (error) {
      return this.discard(input, 'badHeader', error, effects)
    }
    const known = this.peers.get(input.peer)?.get(p.tunnelId)
    if (known) return this.deliver(known, p, input, now, effects)

    try {
      m = p.body.length > 0 ? parseMessage(p.body) : undefined
    } catch (error) {
      return this.discard(input, 'badBody', error, effects)
    }
    if (m?.type === MessageType.Sccrq && p.tunnelId === 0) return this.open(m, p, input, now, effects)
    if (m?.type === MessageType.StopCcn) {
      // Sent before our SCCRP arrived, or with a wrong ID in the header: the peer's own ID tells the tunnel.
      const meant = this.byRemoteId(input.peer, u16Of(m, AvpType.AssignedTunnelId))
      if (meant) return this.deliver(meant, p, input, now, effects)
    }
    // The ID may well be another peer's: it is no ID of this one's.
    this.discard(input, 'unknownTunnel', new L2tpError(`this peer has no tunnel ${p.tunnelId}`), effects)
  }

  /** SCCRQ: of a tunnel that exists, or for a new one. */
  private open(m: Message, p: ControlPacket, input: MessageInput, now: Millis, effects: L2tpEffect[]): void {
    const { config, dice } = this.context
    const remoteTunnelId = u16Of(m, AvpType.AssignedTunnelId) ?? 0
    if (remoteTunnelId === 0 || p.ns !== 0) {
      return this.discard(input, 'badBody', new L2tpError('an SCCRQ that cannot be answered'), effects)
    }
    const before = this.byRemoteId(input.peer, remoteTunnelId)
    if (before) {
      // Not established: nothing has happened in it but this message, so that it can begin anew as it stands.
      const begun = before.state.kind === 'established' || before.state.kind === 'closed'
      if (!begun || (before.sa === input.sa && !before.settled)) return this.deliver(before, p, input, now, effects)
      this.supersede(before, input.sa, effects)
    }
    const live = this.tunnelsOf(input.peer).filter(t => t.state.kind !== 'closed')
    // An SA that none of them was heard on: made by one who has forgotten them all. Two at once share an SA.
    if (!live.some(t => t.presence.isOn(input.sa))) for (const t of live) this.supersede(t, input.sa, effects)
    if (!config.enabled) return this.discard(input, 'ignored', new L2tpError('L2TP is disabled'), effects, 'disabled')

    this.makeRoom(input.peer, now, effects)
    const tunnels = this.peers.get(input.peer) ?? new Map<number, Tunnel>()
    const { peer, sa, remotePort, localPort, remote } = input
    const unique = this.localIds.size < MAX_UNIQUE_IDS
    const localTunnelId = freshId(dice, id => (unique ? this.localIds.has(id) : tunnels.has(id)))
    const template = templateOf(config, remote)
    const tunnel = new Tunnel(
      {
        peer,
        sa,
        localTunnelId,
        remoteTunnelId,
        remotePort,
        localPort,
        template,
        heardElsewhere: since => this.isHeard(peer, localTunnelId, since),
      },
      this.context,
      now,
    )
    tunnels.set(localTunnelId, tunnel)
    this.localIds.add(localTunnelId)
    this.peers.set(peer, tunnels)
    this.deliver(tunnel, p, input, now, effects)
  }

  /** Ends what the peer was before it started anew. Without StopCCN: the ID in it may be that of its new tunnel. */
  private supersede(t: Tunnel, sa: number, effects: L2tpEffect[]): void {
    const { state, peer } = t
    t.drop('the client started anew', effects)
    this.settle(t)
    if (state.kind !== 'established') return
    this.context.counters.tunnelsSuperseded++
    if (!t.presence.isOn(sa)) effects.push({ kind: 'startedAnew', peer, sa })
  }

  private deliver(t: Tunnel, p: ControlPacket, input: MessageInput, now: Millis, effects: L2tpEffect[]): void {
    t.receive(p, input, now, effects)
    this.settle(t)
  }

  /** Before a new tunnel: a peer has few live ones and few closed ones, and the oldest go first. */
  private makeRoom(peer: number, now: Millis, effects: L2tpEffect[]): void {
    const live = this.tunnelsOf(peer).filter(t => t.state.kind !== 'closed')
    for (const t of live.slice(0, Math.max(0, live.length + 1 - this.context.config.maxTunnelsPerPeer))) {
      t.stop({ resultCode: StopResult.General }, 'the peer opened too many tunnels', now, effects)
      this.settle(t)
    }
    const closed = this.tunnelsOf(peer).filter(t => t.state.kind === 'closed')
    for (const t of closed.slice(0, Math.max(0, closed.length + 1 - MAX_CLOSED_PER_PEER))) this.forget(t)
  }

  /** After anything that happened to a tunnel. */
  private settle(t: Tunnel): void {
    if (t.finished) this.forget(t)
    else this.deadlines.schedule(t, t.deadline)
  }

  private forget(t: Tunnel): void {
    this.deadlines.remove(t)
    const tunnels = this.peers.get(t.peer)
    if (tunnels?.delete(t.localTunnelId)) this.localIds.delete(t.localTunnelId)
    if (tunnels?.size === 0) this.peers.delete(t.peer)
  }

  /** Follows which session is in which tunnel, by what was just told to the driver. */
  private indexSessions(effects: readonly L2tpEffect[], from: number): void {
    for (let i = from; i < effects.length; i++) {
      const e = effects[i]!
      if (e.kind === 'sessionDown') this.bySession.delete(e.session)
      if (e.kind === 'sessionUp') {
        const t = this.peers.get(e.ids.peer)?.get(e.ids.localTunnelId)
        if (t) this.bySession.set(e.ids.session, t)
      }
    }
  }

  /** Whether the peer was heard after `since` in a tunnel other than this. */
  private isHeard(peer: number, otherThan: number, since: Millis): boolean {
    const others = this.tunnelsOf(peer).filter(t => t.localTunnelId !== otherThan && t.state.kind !== 'closed')
    return others.some(t => t.presence.heardAt > since)
  }

  private tunnelsOf(peer: number): Tunnel[] {
    return [...(this.peers.get(peer)?.values() ?? [])]
  }

  private byRemoteId(peer: number, id: number | undefined): Tunnel | undefined {
    for (const t of this.peers.get(peer)?.values() ?? []) if (t.remoteTunnelId === id) return t
    return undefined
  }

  private discard(
    input: MessageInput,
    counter: CounterName,
    error: unknown,
    effects: L2tpEffect[],
    refusal?: TunnelRefusal,
  ): void {
    if (!(error instanceof L2tpError)) throw error
    this.context.counters[counter]++
    effects.push({ kind: 'discarded', peer: input.peer, reason: error.message, refusal })
  }
}

/** The PPP template of the first range that holds the address. */
function templateOf(config: L2tpConfig, remote: Ipv4): number | undefined {
  return config.ranges.find(r => r.first <= remote && remote <= r.last)?.template
}
