/** The IKEv1 responder: every datagram finds its exchange here, and every fault of a peer ends here (RFC 2408 section 4, RFC 2409). */

import type { DeadlineInput, Machine, Millis } from '../machine.ts'
import {
  AUTHIP_FIRST,
  AUTHIP_LAST,
  Exchange,
  Flag,
  ISAKMP_VERSION,
  MAX_MESSAGE,
  NAT_T_PORT,
  Notify,
  PayloadType,
  Protocol,
} from './constants.ts'
import { Context, type IkeEndpointOptions } from './context.ts'
import type { IkeEffect, IkeInput } from './effects.ts'
import { IkeError } from './error.ts'
import { clientRefused, identityRefused } from './failures.ts'
import { parseFragment, Reassembler, whole } from './fragment.ts'
import {
  awaitsQuickMode,
  deadPeerAnswer,
  deletedCookies,
  hearsay,
  isError,
  isInitialContact,
  notifyText,
  openInformational,
} from './informational.ts'
import { MainModes } from './main-mode-exchanges.ts'
import { type ParsedHeader, parseHeader } from './message.ts'
import type { Deletion, Notification } from './payload.ts'
import { Peers } from './peers.ts'
import type { IkeConfig } from './policy.ts'
import type { ClearMessage } from './protect.ts'
import { follow, isUsed, QuickModes, rememberInformational } from './quick-mode-exchanges.ts'
import { type ExchangeSnapshot, type IkeSnapshot, type Phase1Key, takeKeys, takeSnapshot } from './snapshot.ts'
import { cookieKey, type EstablishedPhase1, isEstablished, type Peer, type Phase1, type Place } from './state.ts'
import { Strays } from './strays.ts'
import type { Timer } from './timers.ts'
import { pairDeleted } from './unused.ts'

export class IkeEndpoint implements Machine<IkeInput, IkeEffect> {
  private readonly context: Context
  private readonly peers: Peers
  private readonly mainModes: MainModes
  private readonly quickModes: QuickModes
  private readonly strays: Strays
  private readonly fragments = new Reassembler()
  private fragmentTimer: Timer | undefined
  private watcher: ((message: ClearMessage) => void) | undefined

  constructor(options: IkeEndpointOptions) {
    this.context = new Context(options)
    this.peers = new Peers(this.context)
    this.mainModes = new MainModes(this.context, this.peers)
    this.quickModes = new QuickModes(this.context, this.peers)
    this.strays = new Strays(this.context, this.peers)
  }

  /** From now on new exchanges follow this; what is agreed stays agreed. */
  configure(config: IkeConfig): void {
    this.context.config = config
  }

  get deadline(): Millis | undefined {
    return this.context.timers.next
  }

  handle(input: IkeInput | DeadlineInput, now: Millis, effects: IkeEffect[]): void {
    this.context.during(now, effects, () => {
      this.context.timers.runDue(now)
      this.take(input)
    })
  }

  snapshot(): IkeSnapshot {
    return takeSnapshot(this.context, this.peers, this.mainModes, this.quickModes)
  }

  clearCounters(): void {
    this.context.counters.clear()
  }

  /** The states of one phase 1, by both its cookies in hexadecimal, and of its Quick Modes; empty where there is none. */
  states(cookies: string): Pick<ExchangeSnapshot, 'id' | 'type' | 'state'>[] {
    const p = this.context.phase1s.get(cookies)
    if (!p) return []
    const quick = p.state.name === 'UP' ? [...p.state.sa.quickModes.values()] : []
    return [
      { id: p.id, type: 'main', state: p.state.name },
      ...quick.map(({ id, state }) => ({ id, type: 'quick' as const, state })),
    ]
  }

  /** For Wireshark's IKEv1 table: only on the operator's explicit request. */
  exportKeys(): Phase1Key[] {
    return takeKeys(this.context)
  }

  /** From now on `watcher` sees what encrypted messages hold, for an operator who debugs; undefined ends it. */
  watch(watcher: ((message: ClearMessage) => void) | undefined): void {
    this.watcher = watcher
    if (watcher) for (const phase1 of this.context.phase1s.values()) this.show(phase1)
  }

  private show(phase1: Phase1): void {
    const { state } = phase1
    if (state.name === 'SASENT') return
    const all = state.name === 'UP' ? [state.sa.keys] : [state.keys, ...state.trials.map(t => t.keys)]
    for (const { protection } of all) protection.observe ??= message => this.watcher?.(message)
  }

  private take(input: IkeInput | DeadlineInput): void {
    switch (input.kind) {
      case 'deadline':
        return
      case 'datagram':
        return this.datagram(input.bytes, { local: input.local, remote: input.remote })
      case 'saUsed':
        this.heard(this.peers.findByInboundSpi(input.spi)?.peer)
        return this.quickModes.inboundUsed(input.spi)
      case 'heard':
        return this.heard(this.peers.byId.get(input.peer))
      case 'peerMoved': {
        const peer = this.peers.byId.get(input.peer)
        this.heard(peer)
        // A packet of native ESP has no port to tell: IKE stays on its own.
        if (!peer || peer.place.local.port !== NAT_T_PORT) return
        this.peers.move(peer, { local: { address: input.local, port: NAT_T_PORT }, remote: input.remote })
        return
      }
      case 'saExhausted': {
        const peer = this.peers.byId.get(input.peer)
        for (const child of peer?.children.values() ?? [])
          if (input.spi === (input.inbound ? child.sa.inboundSpi : child.sa.outboundSpi))
            this.peers.removeChild(peer!, child, 'it carried as many bytes as it may', true)
        return
      }
      case 'strayEsp':
        return this.strays.met(input.spi, input)
      case 'startedAnew': {
        const peer = this.peers.byId.get(input.peer)
        if (peer) this.peers.supersede(peer, input.spi)
        return
      }
      case 'closePeer': {
        const peer = this.peers.byId.get(input.peer)
        if (peer) this.peers.close(peer, input.reason, true)
        return
      }
      case 'shutdown':
        for (const peer of [...this.peers.byId.values()]) this.peers.close(peer, 'shutdown', true)
        this.mainModes.abandon()
        return
    }
  }

  private heard(peer: Peer | undefined): void {
    if (peer) this.peers.liveness.heard(peer)
  }

  private datagram(bytes: Uint8Array, place: Place): void {
    this.context.count('received')
    try {
      this.dispatch(bytes, place)
    } catch (e) {
      if (!(e instanceof IkeError)) throw e
      this.context.discard(place, e.reason)
    }
  }

  private dispatch(bytes: Uint8Array, place: Place): void {
    const { context } = this
    if (bytes.length === 1 && bytes[0] === 0xff) return context.count('keepalive')
    if (bytes.length > MAX_MESSAGE) throw new IkeError('too-long')
    const header = parseHeader(bytes)
    // Newer Windows asks for AuthIP beside IKEv1, other clients for IKEv2 before it: silence makes them go on to IKEv1.
    if (header.version >>> 4 === 2) return context.count('ikev2')
    if (header.exchange >= AUTHIP_FIRST && header.exchange <= AUTHIP_LAST) return context.count('authip')
    if (header.version !== ISAKMP_VERSION) throw new IkeError('version')
    if (isZero(header.initiatorCookie)) throw new IkeError('zero-cookie')
    const watched = this.watcher && this.context.phase1s.get(cookieKey(header))
    if (watched) this.show(watched)
    if (header.nextPayload === PayloadType.Fragment) return this.fragment(bytes, header, place)
    switch (header.exchange) {
      case Exchange.Main:
        return this.main(bytes, header, place)
      case Exchange.Quick:
        return this.quickModes.receive(this.established(header), header, bytes, place)
      case Exchange.Informational:
        return this.informational(bytes, header, place)
      case Exchange.Aggressive:
        // It would hand a hash of the pre-shared key to whoever asks.
        return context.count('aggressive-mode')
      default:
        throw new IkeError('unsupported-exchange')
    }
  }

  /**
   * A piece of a message: taken from everybody, as some send them unannounced, but only under cookies of ours, so that
   * nobody fills our memory from an address that is not his.
   */
  private fragment(bytes: Uint8Array, header: ParsedHeader, place: Place): void {
    const { context, fragments } = this
    const phase1 = context.phase1s.get(cookieKey(header))
    if (!phase1) throw new IkeError('unknown-cookie')
    const fragment = parseFragment(bytes)
    context.count('fragment')
    phase1.fragments = true
    const joined = fragments.add(cookieKey(header), place.remote.address, header.messageId, fragment, context.now)
    phase1.incomplete = joined === undefined
    this.awaitFragments()
    if (joined === undefined) return
    context.count('reassembled')
    this.dispatch(whole(joined, header, phase1.state.name !== 'SASENT'), place)
  }

  private awaitFragments(): void {
    const { timers } = this.context
    timers.cancel(this.fragmentTimer)
    const { deadline } = this.fragments
    this.fragmentTimer =
      deadline === undefined
        ? undefined
        : timers.set(deadline, () => {
            for (let n = this.fragments.expire(this.context.now); n > 0; n--) this.context.count('fragments-expired')
            this.awaitFragments()
          })
  }

  private main(bytes: Uint8Array, header: ParsedHeader, place: Place): void {
    if (isZero(header.responderCookie)) return this.mainModes.first(bytes, header, place)
    const phase1 = this.context.phase1s.get(cookieKey(header))
    if (!phase1) throw new IkeError('unknown-cookie')
    if (header.messageId !== 0) throw new IkeError('message-id')
    this.mainModes.next(phase1, header, bytes, place)
  }

  /** The ISAKMP SA that an encrypted message names. Throws IkeError. */
  private established(header: ParsedHeader): EstablishedPhase1 {
    if (!(header.flags & Flag.Encryption)) throw new IkeError('cleartext')
    const phase1 = this.context.phase1s.get(cookieKey(header))
    if (!phase1) throw new IkeError('unknown-cookie')
    if (!isEstablished(phase1)) throw new IkeError('too-early')
    return phase1
  }

  private informational(bytes: Uint8Array, header: ParsedHeader, place: Place): void {
    const { context } = this
    if (!(header.flags & Flag.Encryption)) return this.unprotected(bytes, header, place)
    const phase1 = this.established(header)
    if (header.messageId === 0) throw new IkeError('message-id')
    if (isUsed(phase1, header.messageId)) return context.count('repeated-message-id')
    const { notifications, deletions } = openInformational(phase1, header, bytes)
    rememberInformational(phase1, header.messageId)
    follow(context, this.peers, phase1, place)
    context.count('informational')
    let asked = false
    for (const n of notifications) {
      // One question a message is answered: with sixteen, one who has the key would make us say more than he does.
      const asks = n.type === Notify.DpdRUThere
      if (asks && asked) context.count('dpd-surplus')
      else this.notified(phase1, n, place)
      asked ||= asks
    }
    for (const d of deletions) this.deleted(phase1, d, place)
  }

  /** Anyone can send one in clear: it is believed in no state, but explains to the operator a silence that follows. */
  private unprotected(bytes: Uint8Array, header: ParsedHeader, place: Place): void {
    const { context } = this
    context.count('unprotected-informational')
    const phase1 = context.phase1s.get(cookieKey(header))
    if (!phase1 || isEstablished(phase1) || phase1.place.remote.address !== place.remote.address) return
    phase1.hearsay ??= hearsay(bytes)
  }

  private notified(phase1: EstablishedPhase1, n: Notification, place: Place): void {
    const { context, peers } = this
    const { peer } = phase1.state.sa
    if (n.type === Notify.DpdRUThere) {
      const answer = deadPeerAnswer(phase1, n)
      if (answer) peers.informBy(phase1, answer)
      return context.count('dpd')
    }
    if (n.type === Notify.DpdRUThereAck)
      return context.count(peers.liveness.isAnswer(phase1, n) ? 'dpd-answered' : 'dpd-mismatch')
    if (isInitialContact(n)) peers.restart(peer, phase1)
    const waiting = [...peer.children.values()].find(c => c.quickMode !== undefined)
    // With a pair in use it concerns something else than the connection.
    if (isError(n) && (waiting !== undefined || peer.children.size === 0)) {
      const failure =
        n.type === Notify.InvalidIdInformation && awaitsQuickMode(phase1)
          ? identityRefused(place, phase1.start.policy.localIdentity)
          : clientRefused(place, notifyText(n))
      context.failPhase2(waiting?.quickMode?.id ?? phase1.id, place, peer, failure)
    }
    context.peerEvent(peer, { kind: 'notified', peer: peer.id, remote: place.remote, text: notifyText(n) })
  }

  private deleted(phase1: EstablishedPhase1, d: Deletion, place: Place): void {
    const { context, peers } = this
    const { peer } = phase1.state.sa
    const tell = (text: string) =>
      context.peerEvent(peer, { kind: 'notified', peer: peer.id, remote: place.remote, text })
    if (d.protocol === Protocol.Esp && d.spiSize === 4) {
      for (const spi of d.spis) {
        const outboundSpi = new DataView(spi.buffer, spi.byteOffset).getUint32(0)
        tell(`DELETE of ESP SA ${outboundSpi.toString(16).padStart(8, '0')}`)
        // Its inbound SPIs are our outbound ones.
        const child = [...peer.children.values()].find(c => c.sa.outboundSpi === outboundSpi)
        if (child) {
          peers.removeChild(peer, child, 'the peer deleted it', false)
          pairDeleted(context, phase1, child)
        } else context.count('delete-unknown')
      }
      return
    }
    if (d.protocol !== Protocol.Isakmp) return context.count('delete-unknown')
    for (const key of deletedCookies(phase1, d)) {
      const named = context.phase1s.get(key)
      if (!named || !isEstablished(named) || named.state.sa.peer !== peer) {
        context.count('delete-unknown')
        continue
      }
      tell('DELETE of the ISAKMP SA')
      // Its ESP SAs live on: Windows deletes the ISAKMP SA alone when it runs out.
      peers.removePhase1(named, 'the peer deleted it', false)
    }
  }
}

function isZero(bytes: Uint8Array): boolean {
  for (const b of bytes) if (b !== 0) return false
  return true
}
