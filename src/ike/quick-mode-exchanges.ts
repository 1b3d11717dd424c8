/** The Quick Modes under way under each ISAKMP SA, their retransmissions and failures (RFC 2409 section 5.5). */

import type { Ipv4 } from '../packet/ip.ts'
import { NAT_T_PORT, Notify, PayloadType, Protocol } from './constants.ts'
import type { Context, Failure } from './context.ts'
import { costliestGroup } from './dh.ts'
import { Effort, PHASE2_SHARE } from './effort.ts'
import { IkeError } from './error.ts'
import { awaitsQuickMode, isakmpDeletion } from './informational.ts'
import { notifyProtected } from './main-mode-exchanges.ts'
import { body, type ParsedHeader } from './message.ts'
import type { Peers } from './peers.ts'
import {
  answerQuickMode,
  checkThird,
  openQuickMode,
  type QuickAccepted,
  type QuickAnswer,
  type QuickRequest,
} from './quick-mode.ts'
import { badMessage, noPolicy, noProposal, noThird, policyInTheWay, tooManyPending } from './quick-mode-failures.ts'
import { Replies, retransmissionGapSeconds } from './retransmit.ts'
import type { Child, EstablishedPhase1, Peer, Place, QuickMode } from './state.ts'
import { judgePairs } from './unused.ts'

/** Unfinished Quick Modes under one ISAKMP SA. */
const MAX_PENDING = 16
/** A finished one is remembered this long, to answer a late repetition as before. */
const REMEMBER_MILLIS = 60_000
/** Finished and unfinished ones together. */
const MAX_QUICK_MODES = 64
/** Quick Modes under one ISAKMP SA: none is ever forgotten, and no honest client comes near. */
const MAX_QUICK_MODE_IDS = 4096
/** Informational messages remembered under one ISAKMP SA; the oldest are forgotten: liveness checks alone make thousands. */
const MAX_INFORMATIONAL_IDS = 1024
/** Other SAs may own an SPI that the dice offered: how often to ask again. */
const SPI_ATTEMPTS = 16

/** To a client that has only plain ESP to offer, where nothing but UDP arrives. */
const NO_PLAIN_ESP =
  'the client does not know NAT traversal, and ESP reaches this gateway in UDP alone: install update 818043 on Windows 2000 and on XP before SP2, allow NATTRAVERSAL, or run the gateway where it has a raw socket and without "forceEncapsulation" in the site file'

export class QuickModes {
  private readonly context: Context
  private readonly peers: Peers
  private readonly effort = new Effort(PHASE2_SHARE)

  constructor(context: Context, peers: Peers) {
    this.context = context
    this.peers = peers
  }

  /** A Quick Mode message under an ISAKMP SA. Throws IkeError. */
  receive(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array, place: Place): void {
    const { context } = this
    const known = phase1.state.sa.quickModes.get(header.messageId)
    if (known) return this.next(phase1, known, header, bytes, place)
    if (isUsed(phase1, header.messageId)) return context.count('repeated-message-id')
    if (header.messageId === 0) throw new IkeError('message-id', Notify.InvalidMessageId)
    this.first(phase1, header, bytes, place)
  }

  private first(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array, place: Place): void {
    const { context, peers } = this
    const { sa } = phase1.state
    const request = this.open(phase1, header, bytes, place)
    if (sa.retired) {
      // An answer, whatever SENDDELETES says: it would repeat itself for a minute before it makes a new ISAKMP SA.
      context.count('isakmp-sa-expired')
      return peers.informBy(phase1, isakmpDeletion(phase1.start))
    }
    const value = body(request.payloads, PayloadType.KeyExchange)
    // It says it again in a second or two.
    if (value && !this.effort.take(place.remote.address, costliestGroup(value.length), context.now))
      return context.count('key-exchange-postponed')
    if (sa.usedQuickModeIds.size >= MAX_QUICK_MODE_IDS) throw new IkeError('too-many-quick-modes')
    sa.usedQuickModeIds.add(header.messageId)
    follow(context, peers, phase1, place)
    const id = context.nextExchange()
    context.count('phase2-started')
    context.peerEvent(sa.peer, { kind: 'phase2Started', exchange: id, peer: sa.peer.id, remote: place.remote })
    this.makeRoom(sa.quickModes)
    const pending = [...sa.quickModes.values()].filter(q => q.state === 'WAIT_HASH').length
    if (pending >= MAX_PENDING) return context.failPhase2(id, place, sa.peer, tooManyPending(place, pending))

    let answer: QuickAnswer
    try {
      const own = context.config.publicAddress ?? place.local.address
      const under = { interfaceOf: (a: Ipv4) => interfaceOf(context, a), taken: (p: string) => this.taken(p, sa.peer) }
      answer = answerQuickMode(phase1, request, place, own, under, () => this.freeSpi(sa.peer), context.dice)
    } catch (e) {
      if (!(e instanceof IkeError)) throw e
      context.count(e.reason)
      return this.fail(phase1, id, place, badMessage(place, e), e.notify ?? Notify.PayloadMalformed)
    }
    if (answer.kind === 'no-policy')
      return this.fail(phase1, id, place, noPolicy(phase1, place, answer.identities), Notify.InvalidIdInformation)
    if (answer.kind === 'clear' || answer.kind === 'taken')
      return this.fail(phase1, id, place, policyInTheWay(place, answer), Notify.InvalidIdInformation)
    if (answer.kind === 'refused')
      return this.fail(phase1, id, place, this.noProposal(phase1, place, answer), Notify.NoProposalChosen)
    this.accept(phase1, id, header.messageId, bytes, place, answer)
  }

  /**
   * What does not prove whose it is gets no answer, though there is a notify for it: anyone who saw the cookies can make it.
   * But if a client goes no further than this, the operator reads why.
   */
  private open(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array, place: Place): QuickRequest {
    try {
      return openQuickMode(phase1, header, bytes)
    } catch (e) {
      const { peer } = phase1.state.sa
      const telling = awaitsQuickMode(phase1) && place.remote.address === peer.place.remote.address
      if (e instanceof IkeError && telling && !phase1.reported) {
        phase1.reported = true
        this.context.event({ kind: 'suspected', peer: peer.id, remote: place.remote, ...badMessage(place, e) })
      }
      throw e
    }
  }

  private noProposal(phase1: EstablishedPhase1, place: Place, answer: Extract<QuickAnswer, { kind: 'refused' }>) {
    const failure = noProposal(place, answer)
    const deaf = this.context.config.forceEncapsulation && phase1.start.natFlavour === undefined
    return deaf ? { ...failure, remedy: NO_PLAIN_ESP } : failure
  }

  /** Whether another peer has SAs under an IPsec policy. */
  private taken(policy: string, by: Peer): boolean {
    for (const peer of this.peers.byId.values())
      if (peer !== by) for (const child of peer.children.values()) if (child.sa.policy === policy) return true
    return false
  }

  /** Forgets the oldest finished exchange where there are too many. */
  private makeRoom(quickModes: Map<number, QuickMode>): void {
    if (quickModes.size < MAX_QUICK_MODES) return
    for (const q of quickModes.values()) {
      if (q.state !== 'DONE') continue
      this.context.timers.cancel(q.timer)
      quickModes.delete(q.messageId)
      return
    }
  }

  private accept(
    phase1: EstablishedPhase1,
    id: number,
    messageId: number,
    bytes: Uint8Array,
    place: Place,
    answer: QuickAccepted,
  ): void {
    const { context } = this
    // The inbound SA is there before the answer goes out: the first ESP packet may overtake the third message.
    const child = this.peers.addChild(phase1, answer, place.local.address)
    const quick: QuickMode = {
      id,
      messageId,
      initiatorNonce: answer.initiatorNonce,
      responderNonce: answer.responderNonce,
      iv: answer.iv,
      replies: new Replies(),
      reply: answer.reply,
      child,
      suite: answer.choice.suite,
      state: 'WAIT_HASH',
      sent: 1,
      timer: undefined,
    }
    quick.replies.remember(bytes, answer.reply)
    child.quickMode = quick
    phase1.state.sa.quickModes.set(messageId, quick)
    context.answer(phase1, place, answer.reply)
    this.arm(phase1, quick)
    judgePairs(context, phase1)
  }

  private next(
    phase1: EstablishedPhase1,
    quick: QuickMode,
    header: ParsedHeader,
    bytes: Uint8Array,
    place: Place,
  ): void {
    const { context } = this
    const found = quick.replies.find(bytes)
    if (found) {
      context.count('repeated-request')
      if (found.reply) context.answer(phase1, place, found.reply, true)
      return
    }
    // Behind the third message comes nothing, though a Windows server as initiator would send a fourth.
    if (quick.state === 'DONE' && quick.replies.size > 1) return context.count('late-message')
    checkThird(phase1, quick, header, bytes)
    quick.replies.remember(bytes, undefined)
    follow(context, this.peers, phase1, place)
    if (quick.state === 'WAIT_HASH') this.complete(phase1, quick)
  }

  /** An ESP packet on the inbound SA proves what the third message would. */
  inboundUsed(spi: number): void {
    const found = this.peers.findByInboundSpi(spi)
    const quick = found?.child.quickMode
    if (!found || !quick || quick.state !== 'WAIT_HASH') return
    for (const phase1 of found.peer.phase1s)
      if (phase1.state.sa.quickModes.get(quick.messageId) === quick) {
        this.context.count('third-message-implied')
        return this.complete(phase1, quick)
      }
  }

  private complete(phase1: EstablishedPhase1, quick: QuickMode): void {
    const { context } = this
    const { peer, quickModes } = phase1.state.sa
    quick.state = 'DONE'
    context.timers.cancel(quick.timer)
    quick.timer = context.timers.set(context.now + REMEMBER_MILLIS, () => quickModes.delete(quick.messageId))
    context.count('phase2-completed')
    this.peers.confirmChild(peer, quick.child)
    context.peerEvent(peer, {
      kind: 'phase2Completed',
      exchange: quick.id,
      peer: peer.id,
      remote: peer.place.remote,
      suite: quick.suite,
    })
  }

  /** The second message is sent again until the third comes: this peer has proved its address. */
  private arm(phase1: EstablishedPhase1, quick: QuickMode): void {
    const { context } = this
    const { policy } = phase1.start
    const due = context.now + retransmissionGapSeconds(policy, quick.sent) * 1000
    quick.timer = context.timers.set(due, () => {
      if (quick.sent > policy.messageRetryLimit) return this.expire(phase1, quick)
      quick.sent++
      context.count('retransmitted')
      context.answer(phase1, phase1.state.sa.peer.place, quick.reply, true)
      this.arm(phase1, quick)
    })
  }

  private expire(phase1: EstablishedPhase1, quick: QuickMode): void {
    const { peer, quickModes } = phase1.state.sa
    quickModes.delete(quick.messageId)
    this.context.failPhase2(quick.id, peer.place, peer, noThird(peer.place, quick.sent))
    this.peers.removeChild(peer, quick.child, 'Quick Mode was never completed', false)
  }

  private fail(phase1: EstablishedPhase1, id: number, place: Place, failure: Failure, notify: number): void {
    this.context.failPhase2(id, place, phase1.state.sa.peer, failure)
    notifyProtected(this.context, phase1, place, notify, Protocol.Esp)
  }

  private freeSpi(peer: Peer): number {
    for (let i = 0; i < SPI_ATTEMPTS; i++) {
      const spi = this.context.spi(peer.id)
      if (!this.peers.findByInboundSpi(spi)) return spi
    }
    throw new IkeError('no-spi')
  }

  /** The state of a Quick Mode by its name in SHOW, for a pair that is not complete. */
  *pending(): Iterable<{ readonly peer: Peer; readonly child: Child; readonly quickMode: QuickMode }> {
    for (const peer of this.peers.byId.values())
      for (const child of peer.children.values()) if (child.quickMode) yield { peer, child, quickMode: child.quickMode }
  }
}

/**
 * An authenticated message tells where the peer is now. Only NAT traversal lets it move, and only on port 4500: a
 * message on port 500 tells nothing of the mapping that its ESP uses.
 */
export function follow(context: Context, peers: Peers, phase1: EstablishedPhase1, place: Place): void {
  const { peer } = phase1.state.sa
  peers.liveness.heard(peer)
  if (phase1.start.natFlavour === undefined || place.local.port !== NAT_T_PORT || !peers.move(peer, place)) return
  context.effect({ kind: 'peerMoved', peer: peer.id, local: place.local, remote: place.remote })
}

/** Whether an authenticated message bore this ID before. HASH(1) does not cover the kind of exchange, so both kinds count. */
export function isUsed(phase1: EstablishedPhase1, messageId: number): boolean {
  const { usedQuickModeIds, usedInformationalIds } = phase1.state.sa
  return usedQuickModeIds.has(messageId) || usedInformationalIds.has(messageId)
}

/** So that nobody can play an authenticated Informational message again under this ISAKMP SA. */
export function rememberInformational(phase1: EstablishedPhase1, messageId: number): void {
  const used = phase1.state.sa.usedInformationalIds
  used.add(messageId)
  for (const oldest of used) {
    if (used.size <= MAX_INFORMATIONAL_IDS) break
    used.delete(oldest)
  }
}

function interfaceOf(context: Context, own: Ipv4): string | undefined {
  return context.config.interfaces?.find(i => i.address === own)?.name
}
