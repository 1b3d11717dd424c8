/**
 * Peers and what they own: ISAKMP SAs and pairs of ESP SAs. A peer is not an address: two clients behind one NAT are
 * two peers, and a client that negotiates anew from the same place under the same name stays the peer it was.
 */

import { Secret, toHex } from '../packet/bytes.ts'
import { Allowance } from './allowance.ts'
import type { Context } from './context.ts'
import { emitInformational, espDeletion, isakmpDeletion } from './informational.ts'
import { armKeepalive } from './keepalive.ts'
import { Liveness } from './liveness.ts'
import type { Payload } from './message.ts'
import { formatIdentity, type Identification } from './payload.ts'
import type { QuickAccepted } from './quick-mode.ts'
import { type Child, cookieKey, type EstablishedPhase1, type Peer, type Place, placeKey } from './state.ts'

/** A peer without ESP SA must leave its row to a new one after this long, when rows are short. */
const CHILDLESS_MILLIS = 300_000
/** More pairs than this at once no honest client has; the oldest goes. */
const MAX_CHILDREN = 32
const MAX_ISAKMP_SAS = 8
/** Events of one peer: this many at once, and this many a second from then on. */
const EVENT_BURST = 40
const EVENTS_PER_SECOND = 1
/** An ISAKMP SA with less life than this left, the client may have given up already. */
const EXPIRY_MARGIN_MILLIS = 60_000

export class Peers {
  readonly byId = new Map<number, Peer>()
  /** Who is at each place, the longest there first. Several: one that has the key can spoof another's place. */
  private readonly byPlace = new Map<string, Set<Peer>>()
  private readonly byInboundSpi = new Map<number, { readonly peer: Peer; readonly child: Child }>()
  readonly liveness: Liveness
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
    this.liveness = new Liveness(
      context,
      (phase1, question) => this.informBy(phase1, question),
      peer => this.close(peer, 'dead peer: it answers no liveness check', true),
    )
  }

  /**
   * The peer that authenticated: the one that lives at this place under this identity and policy, or a new one. A neighbour at
   * another port of the same address is never touched; whoever was at this very place under another name is gone, since
   * its NAT has given the mapping to someone else. Undefined where there is no room.
   */
  admit(place: Place, identification: Identification, policy: string): Peer | undefined {
    const identityKey = `${identification.type}:${toHex(identification.data)}`
    const there = [...(this.byPlace.get(placeKey(place)) ?? [])]
    // Under another policy's key anyone of that group can bear the same name.
    const known = there.find(p => p.identityKey === identityKey && p.policy === policy)
    if (known) return known
    for (const p of there) this.close(p, 'another client took its place behind the NAT', false)
    const id = this.takeRow()
    if (id === undefined) return undefined
    const identity = formatIdentity(identification)
    const peer: Peer = {
      id,
      identityKey,
      identity,
      policy,
      place,
      phase1s: new Set(),
      children: new Map(),
      childlessSince: this.context.now,
      events: new Allowance(EVENT_BURST, EVENTS_PER_SECOND),
      keepalive: undefined,
      heard: this.context.now,
      asked: 0,
      liveness: undefined,
    }
    this.byId.set(id, peer)
    this.occupy(peer)
    this.context.effect({ kind: 'peerUp', peer: id, local: place.local, remote: place.remote, identity, policy })
    return peer
  }

  private takeRow(): number | undefined {
    const row = this.byId.size < this.context.config.maxPeers ? this.context.rows.take() : undefined
    if (row !== undefined) return row
    let longest: Peer | undefined
    for (const p of this.byId.values())
      if (p.childlessSince !== undefined && p.childlessSince < (longest?.childlessSince ?? Number.POSITIVE_INFINITY))
        longest = p
    if (longest === undefined || this.context.now - longest.childlessSince! < CHILDLESS_MILLIS) return undefined
    this.close(longest, 'idle, and its row was needed', true)
    return this.context.rows.take()
  }

  /** Gives a peer its new ISAKMP SA. */
  addPhase1(phase1: EstablishedPhase1): void {
    const { peer, expires } = phase1.state.sa
    peer.phase1s.add(phase1)
    for (const p of peer.phase1s) if (p.state.sa.retired) this.forgetPhase1(p)
    for (const oldest of peer.phase1s) {
      if (peer.phase1s.size <= MAX_ISAKMP_SAS) break
      this.removePhase1(oldest, 'too many', true)
    }
    phase1.timer = this.context.timers.set(expires, () => this.expirePhase1(phase1))
    armKeepalive(this.context, peer)
    this.liveness.watch(peer)
  }

  /**
   * Whether Vid-Initial-Contact tells of a restart. Windows sends it when it has no ISAKMP SA with us, be it that it
   * booted or that the old one ran out; only the first means that its ESP SAs are gone. So it is believed while an
   * older ISAKMP SA lives that the client, had it not restarted, would still have.
   */
  provesRestart(peer: Peer): boolean {
    for (const p of peer.phase1s) if (p.state.sa.expires - this.context.now > EXPIRY_MARGIN_MILLIS) return true
    return false
  }

  /**
   * INITIAL-CONTACT: everything of this peer that `current` did not make is dead. `tell`: DELETEs go out, since what spoke
   * of a restart may have meant less: a client that still has its ESP SAs shall not go on with what we have forgotten.
   */
  restart(peer: Peer, current: EstablishedPhase1 | undefined, tell = false): void {
    let stale = false
    for (const p of peer.phase1s) {
      if (p === current) continue
      stale = true
      this.forgetPhase1(p)
    }
    for (const child of peer.children.values()) {
      if (child.phase1 === current?.id) continue
      stale = true
      this.removeChild(peer, child, 'the peer restarted', tell)
    }
    if (stale) this.context.effect({ kind: 'peerRestarted', peer: peer.id })
  }

  /**
   * Ends what is older than the pair with this inbound SPI, for a peer that started anew without INITIAL-CONTACT. DELETEs
   * go out all the same: where it lives on after all, it shall not go on with SAs that we have forgotten.
   */
  supersede(peer: Peer, inboundSpi: number): void {
    const current = peer.children.get(inboundSpi)
    if (current === undefined) return
    for (const child of [...peer.children.values()]) {
      if (child === current) break
      this.removeChild(peer, child, 'the client started anew', true)
    }
    const sas = [...peer.phase1s]
    // Where the one that made the pair has run out, nothing tells which are older.
    const made = sas.findIndex(p => p.id === current.phase1)
    for (const p of sas.slice(0, Math.max(0, made))) this.removePhase1(p, 'the client started anew', true)
  }

  /** An authenticated message came from `place`: its SAs follow. */
  move(peer: Peer, place: Place): boolean {
    if (placeKey(peer.place) === placeKey(place)) {
      // Our own address may have changed, where a NAT in front of us leads to the new one.
      const readdressed = peer.place.local.address !== place.local.address
      peer.place = place
      return readdressed
    }
    this.vacate(peer)
    peer.place = place
    this.occupy(peer)
    this.context.count('peer-moved')
    this.join(peer)
    return true
  }

  /**
   * A client renewed its phase 1 from a new mapping of its NAT, which made it another peer, and now the one that it was comes
   * from there too: it is one, and what it negotiates under the new phase 1 belongs to its tunnel. Only the peer whose
   * packets have come there takes the other in: the other way round, one who has the group's key and forges his source
   * could make himself a part of anybody.
   */
  private join(peer: Peer): void {
    for (const twin of this.at(peer.place)) {
      const same = twin.identityKey === peer.identityKey && twin.policy === peer.policy
      if (twin === peer || !same || twin.children.size > 0 || peer.children.size === 0) continue
      const all = [...peer.phase1s, ...twin.phase1s].sort((a, b) => a.state.sa.established - b.state.sa.established)
      twin.phase1s.clear()
      peer.phase1s.clear()
      for (const p of all) {
        p.state.sa.peer = peer
        peer.phase1s.add(p)
      }
      this.settle(twin, `it is peer ${peer.id} at another port of its NAT`, peer.id)
      armKeepalive(this.context, peer)
      this.liveness.watch(peer)
      this.context.count('peer-joined')
      return
    }
  }

  private occupy(peer: Peer): void {
    const key = placeKey(peer.place)
    const there = this.byPlace.get(key)
    if (there) there.add(peer)
    else this.byPlace.set(key, new Set([peer]))
  }

  private vacate(peer: Peer): void {
    const key = placeKey(peer.place)
    const there = this.byPlace.get(key)
    if (there?.delete(peer) && there.size === 0) this.byPlace.delete(key)
  }

  addChild(phase1: EstablishedPhase1, accepted: QuickAccepted, local: number): Child {
    const { peer } = phase1.state.sa
    const { context } = this
    const { policy } = phase1.start
    const secret = (k: { encryption: Uint8Array; integrity: Uint8Array }) => ({
      encryption: new Secret(k.encryption),
      integrity: new Secret(k.integrity),
    })
    const child: Child = {
      sa: {
        peer: peer.id,
        inboundSpi: accepted.inboundSpi,
        outboundSpi: accepted.outboundSpi,
        suite: accepted.choice.suite,
        inboundKeys: secret(accepted.inboundKeys),
        outboundKeys: secret(accepted.outboundKeys),
        lifetimeSeconds: accepted.lifetimeSeconds,
        lifetimeKilobytes: accepted.lifetimeKilobytes,
        udpEncapsulated: accepted.choice.udpEncapsulated,
        local,
        remote: peer.place.remote,
        policy: accepted.policy.name,
        replayWindow: accepted.policy.replayWindow,
      },
      phase1: phase1.id,
      established: context.now,
      expires: context.now + accepted.lifetimeSeconds * 1000,
      sendDeletes: policy.sendDeletes,
      quickMode: undefined,
      timer: undefined,
    }
    peer.children.set(accepted.inboundSpi, child)
    peer.childlessSince = undefined
    this.byInboundSpi.set(accepted.inboundSpi, { peer, child })
    child.timer = context.timers.set(child.expires, () => this.removeChild(peer, child, 'lifetime', true))
    for (const oldest of peer.children.values()) {
      if (peer.children.size <= MAX_CHILDREN) break
      this.removeChild(peer, oldest, 'too many', true)
    }
    context.effect({ kind: 'installInbound', sa: child.sa })
    return child
  }

  /** The peer proved that it has the keys: seal with this pair from now on. */
  confirmChild(peer: Peer, child: Child): void {
    child.quickMode = undefined
    child.sa = { ...child.sa, local: peer.place.local.address, remote: peer.place.remote }
    this.context.effect({ kind: 'installOutbound', sa: child.sa })
  }

  at(place: Place): Iterable<Peer> {
    return this.byPlace.get(placeKey(place)) ?? []
  }

  findByInboundSpi(spi: number): { readonly peer: Peer; readonly child: Child } | undefined {
    return this.byInboundSpi.get(spi)
  }

  /** Ends a pair. `tell`: with a DELETE, where the policy has it and an ISAKMP SA is left to protect it. */
  removeChild(peer: Peer, child: Child, reason: string, tell: boolean): void {
    const { context } = this
    const { inboundSpi, outboundSpi } = child.sa
    if (!peer.children.delete(inboundSpi)) return
    this.byInboundSpi.delete(inboundSpi)
    context.timers.cancel(child.timer)
    this.abandonQuickMode(peer, child)
    if (tell && child.sendDeletes) this.inform(peer, espDeletion(inboundSpi))
    context.effect({ kind: 'removeSa', peer: peer.id, inboundSpi, outboundSpi, reason })
    if (peer.children.size === 0) peer.childlessSince = context.now
    this.settle(peer, reason)
  }

  /** A third message that still comes must find nothing to complete. */
  private abandonQuickMode(peer: Peer, child: Child): void {
    const quick = child.quickMode
    if (quick === undefined) return
    child.quickMode = undefined
    this.context.timers.cancel(quick.timer)
    for (const { state } of peer.phase1s)
      if (state.sa.quickModes.get(quick.messageId) === quick) state.sa.quickModes.delete(quick.messageId)
  }

  /**
   * Its life is over by our policy. Who believes in a longer one and hears of no end goes on asking under it whether we
   * are there (RFC 3706), and hangs up where nobody answers.
   */
  private expirePhase1(phase1: EstablishedPhase1): void {
    const { sa } = phase1.state
    const ends = sa.established + phase1.start.offeredSeconds * 1000
    const newest = [...sa.peer.phase1s].at(-1) === phase1
    if (phase1.start.policy.sendDeletes || !newest || ends <= this.context.now)
      return this.removePhase1(phase1, 'lifetime', true)
    sa.retired = true
    phase1.timer = this.context.timers.set(ends, () => this.removePhase1(phase1, 'lifetime', false))
    this.settle(sa.peer, 'lifetime')
  }

  /** Ends an ISAKMP SA. Its ESP SAs live on. */
  removePhase1(phase1: EstablishedPhase1, reason: string, tell: boolean): void {
    if (tell && phase1.start.policy.sendDeletes) this.informBy(phase1, isakmpDeletion(phase1.start))
    this.forgetPhase1(phase1)
    this.settle(phase1.state.sa.peer, reason)
  }

  private forgetPhase1(phase1: EstablishedPhase1): void {
    const { peer, quickModes } = phase1.state.sa
    peer.phase1s.delete(phase1)
    this.context.phase1s.delete(cookieKey(phase1.start))
    this.context.timers.cancel(phase1.timer)
    // Nobody can complete its unfinished Quick Modes any more.
    for (const q of [...quickModes.values()]) {
      this.context.timers.cancel(q.timer)
      if (q.state === 'WAIT_HASH') this.removeChild(peer, q.child, 'its ISAKMP SA ended before it was complete', false)
    }
  }

  /** Ends a peer and all that is its. */
  close(peer: Peer, reason: string, tell: boolean): void {
    for (const child of [...peer.children.values()]) this.removeChild(peer, child, reason, tell)
    for (const phase1 of [...peer.phase1s]) this.removePhase1(phase1, reason, tell)
  }

  /** A peer with nothing left is down; what only answers is nothing. */
  private settle(peer: Peer, reason: string, joined?: number): void {
    if (peer.children.size === 0) for (const p of peer.phase1s) if (p.state.sa.retired) this.forgetPhase1(p)
    if (peer.phase1s.size > 0 || peer.children.size > 0 || !this.byId.delete(peer.id)) return
    this.vacate(peer)
    this.context.timers.cancel(peer.keepalive)
    this.liveness.forget(peer)
    this.context.effect({ kind: 'peerDown', peer: peer.id, reason, ...(joined === undefined ? {} : { joined }) })
    this.context.rows.give(peer.id)
  }

  /** Sends one protected message on the newest ISAKMP SA of the peer; without one there is nothing to be said. */
  private inform(peer: Peer, payload: Payload): void {
    const newest = [...peer.phase1s].at(-1)
    if (newest) this.informBy(newest, payload)
  }

  informBy(phase1: EstablishedPhase1, payload: Payload): void {
    const { context } = this
    context.send(phase1.state.sa.peer.place, emitInformational(phase1, payload, context.dice))
  }
}
