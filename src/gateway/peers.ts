/** The IKE side of control: carries out the IKE endpoint's effects and keeps what is known of each peer. */

import { chooseSpi } from '../esp/spi.ts'
import { suiteName } from '../esp/suites.ts'
import type { ChildSa, IkeEffect, IkeEvent } from '../ike/effects.ts'
import type { Phase1Suite } from '../ike/policy.ts'
import type { Dice, Millis } from '../machine.ts'
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4 } from '../packet/ip.ts'
import { concat } from '../packet/writer.ts'
import type { Attempts } from './attempts.ts'
import { type Log, Severity } from './log.ts'
import type { SaMessage } from './messages.ts'
import type { DataPath, IkeSockets } from './ports.ts'
import { addTraffic, NO_TRAFFIC, type Stats, type TrafficCounts } from './stats.ts'

/** Share of a byte limit after which the SA says that it will end. */
const SOFT_SHARE = 0.9
/** A peer that moves more often than this is logged no more often: one that has the key can do it with every packet. */
const MOVE_LOG_MILLIS = 10_000

export interface PeerSa {
  readonly sa: ChildSa
  readonly installed: Millis
  /** Quick Mode is complete: we seal with it. */
  outbound: boolean
}

export interface Peer {
  readonly peer: number
  readonly worker: number
  local: Ipv4
  remote: Endpoint
  identity: string
  /** The ISAKMP policy. */
  policy: string
  /** The IPsec policy that its SAs came under. */
  ipsecPolicy: string
  client: string
  nat: string
  phase1: Phase1Suite | undefined
  /** When its last move was logged. */
  moveLogged: Millis | undefined
  /** How many packets had come when we last looked. */
  packetsSeen: number
  /** It began anew over the SA with this inbound SPI, and is not up yet. */
  anew: number | undefined
  /** By inbound SPI, oldest first. */
  readonly sas: Map<number, PeerSa>
}

export class Peers {
  readonly all = new Map<number, Peer>()
  readonly spis = new Set<number>()
  /** What the SAs of peers that are gone have carried, by IPsec policy. */
  private readonly bygone = new Map<string, TrafficCounts>()
  private readonly clients = new Map<number, string>()

  private readonly to: {
    readonly sockets: IkeSockets
    readonly data: DataPath
    readonly stats: Stats
    readonly log: Log
    readonly attempts: Attempts
    readonly now: () => Millis
    readonly wall: () => Date
    /** The peer's L2TP tunnels are dead: it is gone or began anew. */
    readonly peerGone: (peer: number, reason: string) => void
  }

  constructor(to: Peers['to']) {
    this.to = to
  }

  workerOf(peer: number): number {
    return peer % this.to.data.workers
  }

  /** An inbound SPI that names the peer's worker. */
  chooseSpi(peer: number, dice: Dice): number {
    return chooseSpi(dice, this.workerOf(peer), this.to.data.workers, spi => this.spis.has(spi))
  }

  carryOut(effect: IkeEffect): void {
    const { sockets, data } = this.to
    switch (effect.kind) {
      case 'send':
        return sockets.send(effect.local, effect.remote, effect.bytes)
      case 'keepalive':
        return sockets.keepalive(effect.local, effect.remote)
      case 'peerUp':
        return this.up(effect)
      case 'peerMoved':
        return this.moved(effect.peer, effect.local.address, effect.remote)
      case 'peerRestarted':
        this.to.attempts.restarted(effect.peer, this.to.now(), this.to.wall())
        return this.to.peerGone(effect.peer, 'the client started anew')
      case 'installInbound':
        return this.installInbound(effect.sa)
      case 'installOutbound':
        return this.installOutbound(effect.sa)
      case 'removeSa': {
        this.spis.delete(effect.inboundSpi)
        this.all.get(effect.peer)?.sas.delete(effect.inboundSpi)
        return data.post(this.workerOf(effect.peer), {
          kind: 'removeSa',
          peer: effect.peer,
          inboundSpi: effect.inboundSpi,
          outboundSpi: effect.outboundSpi,
        })
      }
      case 'peerDown':
        // It made no attempt: it renewed what it had.
        if (effect.joined !== undefined) this.to.attempts.forget(effect.peer)
        return this.down(effect.peer, effect.reason)
      case 'event':
        return this.event(effect.event)
    }
  }

  /** Whether packets of the peer have come in ESP since this was last asked: it lives. */
  hears(p: Peer): boolean {
    const { packetsIn } = this.to.stats.peer(p.peer)
    const heard = packetsIn !== p.packetsSeen
    p.packetsSeen = packetsIn
    return heard
  }

  /** The SA that seals for the peer now. */
  current(peer: number): ChildSa | undefined {
    return this.newest(peer)?.sa
  }

  /** The peer's address without its port, and the names by which it came: one client's have the same. */
  clientOf(peer: number): string | undefined {
    const p = this.all.get(peer)
    return p && `${p.remote.address} ${p.policy} ${p.identity}`
  }

  startedAnew(peer: number, spi: number): void {
    const p = this.all.get(peer)
    if (p) p.anew = spi
  }

  /** The SA that the peer began anew over, told once. */
  takeAnew(peer: number): number | undefined {
    const p = this.all.get(peer)
    const spi = p?.anew
    if (p) p.anew = undefined
    return spi
  }

  /** The SPI of the inbound SA that the peer uses now, if that is older than `since`: what came after, it carried. */
  settledSa(peer: number, since: Millis): number | undefined {
    const newest = this.newest(peer)
    return newest !== undefined && newest.installed <= since ? newest.sa.inboundSpi : undefined
  }

  /** What an IPsec policy has carried, with the peers that are gone. */
  policyTraffic(policy: string): TrafficCounts {
    let sum = this.bygone.get(policy) ?? NO_TRAFFIC
    for (const p of this.all.values()) if (p.ipsecPolicy === policy) sum = addTraffic(sum, this.to.stats.peer(p.peer))
    return sum
  }

  /** What every peer has carried, those that are gone among them, in parts. */
  allTraffic(): TrafficCounts[] {
    return [...this.bygone.values(), ...[...this.all.keys()].map(peer => this.to.stats.peer(peer))]
  }

  /** What the IPsec policies have carried counts from zero again: what live peers have counted is taken off it. */
  clearTraffic(): void {
    this.bygone.clear()
    for (const p of this.all.values()) {
      const { ipsecPolicy: policy } = p
      this.bygone.set(policy, addTraffic(this.bygone.get(policy) ?? NO_TRAFFIC, this.to.stats.peer(p.peer), -1))
    }
  }

  private newest(peer: number): PeerSa | undefined {
    return [...(this.all.get(peer)?.sas.values() ?? [])].findLast(s => s.outbound)
  }

  private up(e: Extract<IkeEffect, { kind: 'peerUp' }>): void {
    const known = this.all.get(e.peer)
    if (known) {
      known.identity = e.identity
      known.policy = e.policy
      return this.moved(e.peer, e.local.address, e.remote)
    }
    this.to.stats.clearPeer(e.peer)
    this.all.set(e.peer, {
      peer: e.peer,
      worker: this.workerOf(e.peer),
      local: e.local.address,
      remote: e.remote,
      identity: e.identity,
      policy: e.policy,
      ipsecPolicy: '',
      client: '',
      nat: '',
      phase1: undefined,
      moveLogged: undefined,
      packetsSeen: 0,
      anew: undefined,
      sas: new Map(),
    })
  }

  /** An authenticated packet came from elsewhere, or to another address of ours: what we send follows it. */
  moved(peer: number, local: Ipv4, remote: Endpoint): void {
    const p = this.all.get(peer)
    if (!p) return
    const elsewhere = p.remote.address !== remote.address || p.remote.port !== remote.port
    const follow = p.sas.size > 0 && (elsewhere || p.local !== local)
    p.local = local
    p.remote = remote
    if (follow) this.setPath(p)
    const now = this.to.now()
    if (!follow || !elsewhere || now - (p.moveLogged ?? Number.NEGATIVE_INFINITY) < MOVE_LOG_MILLIS) return
    p.moveLogged = now
    this.to.log.add({
      severity: Severity.Notice,
      module: 'ISAK',
      text: `Peer moved to ${formatEndpoint(remote)}`,
      fields: { peer },
    })
  }

  private setPath(p: Peer): void {
    const newest = [...p.sas.values()].at(-1)
    if (!newest) return
    this.to.data.post(p.worker, {
      kind: 'setPath',
      peer: p.peer,
      local: p.local,
      remote: p.remote.address,
      port: newest.sa.udpEncapsulated ? p.remote.port : 0,
    })
  }

  private installInbound(sa: ChildSa): void {
    const p = this.all.get(sa.peer)
    if (!p) return
    p.ipsecPolicy = sa.policy
    this.spis.add(sa.inboundSpi)
    p.sas.set(sa.inboundSpi, { sa, installed: this.to.now(), outbound: false })
    this.setPath(p)
    this.to.data.post(p.worker, { kind: 'installInbound', sa: message(sa, 'inbound') })
  }

  private installOutbound(sa: ChildSa): void {
    const p = this.all.get(sa.peer)
    const installed = p?.sas.get(sa.inboundSpi)
    if (!p || !installed) return
    installed.outbound = true
    this.to.data.post(p.worker, { kind: 'installOutbound', sa: message(sa, 'outbound') })
  }

  private down(peer: number, reason: string): void {
    const p = this.all.get(peer)
    this.to.peerGone(peer, reason)
    this.to.data.post(this.workerOf(peer), { kind: 'removePeer', peer })
    this.to.attempts.peerDown(peer, reason)
    if (!p) return
    for (const spi of p.sas.keys()) this.spis.delete(spi)
    const policy = p.ipsecPolicy
    this.bygone.set(policy, addTraffic(this.bygone.get(policy) ?? NO_TRAFFIC, this.to.stats.peer(peer)))
    this.all.delete(peer)
    this.to.log.add({
      severity: Severity.Info,
      module: 'ISAK',
      text: `Peer ${formatIpv4(p.remote.address)} is gone: ${reason}`,
      fields: { peer, remote: formatEndpoint(p.remote), identity: p.identity },
    })
  }

  private event(e: IkeEvent): void {
    this.to.attempts.ike(e, this.to.now(), this.to.wall())
    const where = formatIpv4(e.remote.address)
    switch (e.kind) {
      case 'phase1Started':
        this.clients.set(e.exchange, e.client)
        if (this.clients.size > 1000) this.clients.delete(this.clients.keys().next().value!)
        return this.isakmp(e, Severity.Info, `ISAKMP MAIN Phase 1 (resp) started with peer ${where}`, {
          exchange: e.exchange,
          client: e.client,
        })
      case 'phase1Completed': {
        const p = this.all.get(e.peer)
        if (p) {
          p.phase1 = e.suite
          p.nat = e.nat
          p.client = this.clients.get(e.exchange) ?? ''
        }
        const suite = `${e.suite.cipher}-${e.suite.hash}-group${e.suite.group}`
        return this.isakmp(e, Severity.Info, `Exch ${e.exchange}: Completed`, {
          peer: e.peer,
          identity: e.identity,
          suite,
          nat: e.nat,
        })
      }
      case 'phase2Started':
        return this.isakmp(e, Severity.Info, `ISAKMP QUICK Phase 2 (resp) started with peer ${where}`, {
          exchange: e.exchange,
          peer: e.peer,
        })
      case 'phase2Completed':
        return this.isakmp(e, Severity.Info, `Exch ${e.exchange}: Completed`, {
          peer: e.peer,
          suite: suiteName(e.suite),
        })
      case 'failed':
        this.isakmp(e, Severity.Notice, `Exch ${e.exchange}: Failed`, { peer: e.peer, cause: e.cause })
        return this.isakmp(e, Severity.Notice, `Phase ${e.phase} with ${where} failed: ${e.detail}`, {
          remedy: e.remedy,
        })
      case 'suspected':
        return this.isakmp(e, Severity.Notice, `Suspicion about ${where}: ${e.detail}`, {
          peer: e.peer,
          remedy: e.remedy,
        })
      case 'notified':
        return this.isakmp(e, Severity.Info, `Peer ${where} says: ${e.text}`, { peer: e.peer })
      case 'discarded':
        return this.isakmp(e, Severity.Detail, `Discarded a datagram from ${formatEndpoint(e.remote)}: ${e.reason}`, {})
    }
  }

  /** Logs an event of IKE's, with where it came from behind its other fields. */
  private isakmp(e: IkeEvent, severity: number, text: string, fields: Record<string, string | number | undefined>) {
    fields.remote = formatEndpoint(e.remote)
    this.to.log.add({ severity, module: 'ISAK', text, fields })
  }
}

/** One direction of a pair, with copies of its keys, which the worker zeroes. */
function message(sa: ChildSa, direction: 'inbound' | 'outbound'): SaMessage {
  const keys = direction === 'inbound' ? sa.inboundKeys : sa.outboundKeys
  const hardBytes = (sa.lifetimeKilobytes ?? 0) * 1024
  return {
    spi: direction === 'inbound' ? sa.inboundSpi : sa.outboundSpi,
    peer: sa.peer,
    suite: sa.suite,
    keys: concat(keys.encryption.reveal(), keys.integrity.reveal()),
    replayWindow: sa.replayWindow,
    softBytes: Math.floor(hardBytes * SOFT_SHARE),
    hardBytes,
  }
}
