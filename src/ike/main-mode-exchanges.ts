/** The Main Modes under way: which there may be, how long, and what becomes of each (RFC 2409 section 5.4). */

import type { Millis } from '../machine.ts'
import { NOTHING, toHex } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { Notify } from './constants.ts'
import type { Context, Failure } from './context.ts'
import { Effort } from './effort.ts'
import { IkeError } from './error.ts'
import { badMessage, fifthRefused, noPolicy, refusalFailure, silence, tooMany, unheardAnswer } from './failures.ts'
import { HalfOpen } from './half-open.ts'
import { emitClearNotify, emitInformational, notifyPayload } from './informational.ts'
import { answerFirst, answerKeyExchange } from './main-mode.ts'
import { type ParsedHeader, parseMessage } from './message.ts'
import { natText } from './nat.ts'
import { formatIdentity, notification } from './payload.ts'
import type { Peers } from './peers.ts'
import type { IsakmpPolicy } from './policy.ts'
import { Replies } from './retransmit.ts'
import {
  type Cookies,
  cookieKey,
  type EstablishedPhase1,
  isEstablished,
  type KeSent,
  type Phase1,
  type Place,
  placeKey,
} from './state.ts'
import { authenticateByTrial, type TrialResult } from './trial.ts'

/** How long a half-open exchange waits for the next message; a repetition of the last one starts the wait anew. */
const WAIT_MILLIS = 30_000
/** No half-open exchange lives longer: Windows gives up after 63 s. */
const HALF_OPEN_MILLIS = 90_000
/** Different fifth messages that one exchange may refuse: each costs a decryption, and anyone on the path can forge one. */
const MAX_REFUSED = 5
/** A client that repeats its last message so often has not had our answer to it, or does not like it. */
const SUSPICIOUS_REPETITIONS = 3
/** First messages refused lately, so that a client's repetitions of one make neither events nor notifies. */
const REMEMBERED_REFUSALS = 1024
const REFUSAL_MILLIS = 90_000

export class MainModes {
  /** Half-open exchanges by initiator cookie and place: before message 3, and after it. */
  private readonly unproven = new HalfOpen()
  private readonly proven = new HalfOpen()
  private readonly refusals = new Map<string, Millis>()
  private readonly effort = new Effort()
  private readonly context: Context
  private readonly peers: Peers

  constructor(context: Context, peers: Peers) {
    this.context = context
    this.peers = peers
  }

  *halfOpen(): Iterable<Phase1> {
    yield* this.unproven.values()
    yield* this.proven.values()
  }

  /** Forgets every exchange that is not complete. */
  abandon(): void {
    for (const phase1 of [...this.halfOpen()]) this.end(phase1)
  }

  /** Message 1, or a repetition of it. Throws IkeError. */
  first(bytes: Uint8Array, header: ParsedHeader, place: Place): void {
    const { context } = this
    const key = firstKey(header.initiatorCookie, place)
    const known = this.unproven.get(key) ?? this.proven.get(key)
    if (known) return this.repeat(known, bytes, place)
    if ((this.refusals.get(key) ?? Number.NEGATIVE_INFINITY) > context.now) return context.count('repeated-refused')

    const policies = policiesFor(context.config.policies, place.remote.address)
    if (policies.length === 0) return this.refuse(key, header, place, 'an unknown client', undefined, noPolicy(place))
    const answer = answerFirst(header, bytes, policies, context.dice)
    if (answer.kind !== 'chosen')
      return this.refuse(key, header, place, answer.client, answer.policy, refusalFailure(answer, place))

    this.makeRoom(this.unproven)
    const phase1: Phase1 = {
      id: context.nextExchange(),
      start: answer.start,
      startedAt: context.now,
      replies: new Replies(),
      state: { name: 'SASENT' },
      place,
      repetitions: 0,
      reported: false,
      fragments: false,
      incomplete: false,
      postponed: 0,
      hearsay: undefined,
      timer: undefined,
    }
    phase1.replies.remember(bytes, answer.reply)
    this.unproven.add(key, phase1)
    context.phase1s.set(cookieKey(answer.start), phase1)
    this.arm(phase1)
    context.count('phase1-started')
    context.limitedEvent({
      kind: 'phase1Started',
      exchange: phase1.id,
      remote: place.remote,
      client: answer.start.client,
    })
    context.send(place, answer.reply)
  }

  /** A message whose cookies are those of `phase1`. Throws IkeError. */
  next(phase1: Phase1, header: ParsedHeader, bytes: Uint8Array, place: Place): void {
    const { context } = this
    if (phase1.replies.find(bytes)) return this.repeat(phase1, bytes, place)
    switch (phase1.state.name) {
      case 'SASENT':
        return this.third(phase1, header, bytes, place)
      case 'KESENT':
        return this.fifth(phase1, phase1.state, header, bytes, place)
      case 'UP':
        return context.count('late-message')
    }
  }

  private repeat(phase1: Phase1, bytes: Uint8Array, place: Place): void {
    const { context } = this
    const found = phase1.replies.find(bytes)
    if (!found) return context.discard(place, 'changed-message')
    // Our answer may be a little longer than what asked for it: nobody gets it elsewhere by repeating what he overheard.
    if (place.remote.address !== phase1.place.remote.address) return context.count('repeated-elsewhere')
    context.count('repeated-request')
    phase1.repetitions++
    if (phase1.state.name !== 'UP') this.arm(phase1)
    if (!found.reply) return
    context.answer(phase1, place, found.reply, true)
    if (isEstablished(phase1) && phase1.repetitions === SUSPICIOUS_REPETITIONS)
      context.event({
        kind: 'suspected',
        peer: phase1.state.sa.peer.id,
        remote: place.remote,
        ...unheardAnswer(found.reply.length, phase1.start.policy.localIdentity),
      })
  }

  private third(phase1: Phase1, header: ParsedHeader, bytes: Uint8Array, place: Place): void {
    const { context } = this
    // The policy, and so the key, hangs on the address; the port may change with a NAT's mood.
    if (place.remote.address !== phase1.place.remote.address) throw new IkeError('moved-too-early')
    const message = parseMessage(bytes, header)
    if (!this.effort.take(place.remote.address, phase1.start.suite.group, context.now)) {
      // It says it again in a second or two.
      phase1.postponed++
      this.arm(phase1)
      return context.count('key-exchange-postponed')
    }
    try {
      const { keys, trials, reply } = answerKeyExchange(message, phase1.start, place, context.config, context.dice)
      const key = firstKey(phase1.start.initiatorCookie, phase1.place)
      this.unproven.remove(key, phase1)
      this.makeRoom(this.proven)
      this.proven.add(key, phase1)
      phase1.state = { name: 'KESENT', keys, trials, refused: 0 }
      phase1.replies.remember(bytes, reply)
      phase1.repetitions = 0
      this.arm(phase1)
      context.answer(phase1, place, reply)
    } catch (e) {
      if (e instanceof IkeError) this.reportOnce(phase1, place, e, badMessage(place, e, 'third'))
      throw e
    }
  }

  private fifth(phase1: Phase1, state: KeSent, header: ParsedHeader, bytes: Uint8Array, place: Place): void {
    const { context } = this
    const own = context.config.publicAddress ?? place.local.address
    const result = authenticateByTrial(header, bytes, phase1.start, state, own)
    if (result.kind === 'authenticated') return this.complete(phase1, result, bytes, place)
    phase1.replies.remember(bytes, undefined)
    // One that had the key, and came to the identity, tells more than those that had not.
    const { error } = result.refusals.find(r => r.error.reason !== 'wrong-key') ?? result.refusals[0]!
    this.reportOnce(phase1, place, error, fifthRefused(phase1, place, error, result.refusals))
    if (++state.refused >= MAX_REFUSED) this.end(phase1)
    throw error
  }

  private complete(
    half: Phase1,
    { start, keys, answer }: Extract<TrialResult, { kind: 'authenticated' }>,
    bytes: Uint8Array,
    place: Place,
  ): void {
    const { context, peers } = this
    const peer = peers.admit(place, answer.identity, start.policy.name)
    if (peer === undefined) {
      this.end(half)
      return context.failPhase1(half.id, place, tooMany(place, context.config.maxPeers), true)
    }
    const guessed = !answer.initialContact && start.initialContact && peers.provesRestart(peer)
    this.leaveHalfOpen(half)
    this.effort.commend(place.remote.address, context.now)
    const phase1 = Object.assign(half, {
      start,
      state: {
        name: 'UP' as const,
        sa: {
          keys,
          lastBlock: answer.lastBlock,
          peer,
          identity: formatIdentity(answer.identity),
          established: context.now,
          expires: context.now + start.lifetimeSeconds * 1000,
          retired: false,
          quickModes: new Map(),
          usedQuickModeIds: new Set<number>(),
          usedInformationalIds: new Set<number>(),
          question: undefined,
          unused: { deleted: [], told: false },
        },
      },
      place,
    }) satisfies EstablishedPhase1
    phase1.replies.remember(bytes, answer.reply)
    phase1.repetitions = 0
    peers.addPhase1(phase1)
    if (answer.initialContact) peers.restart(peer, phase1)
    context.count('phase1-completed')
    context.answer(phase1, place, answer.reply)
    // Behind the answer, for its DELETEs are under the new ISAKMP SA.
    if (guessed) peers.restart(peer, phase1, true)
    context.event({
      kind: 'phase1Completed',
      exchange: phase1.id,
      peer: peer.id,
      remote: place.remote,
      identity: phase1.state.sa.identity,
      suite: start.suite,
      nat: natText(keys.nat),
    })
  }

  /** Refuses a first message: nothing is kept of it but that it was refused. */
  private refuse(
    key: string,
    header: ParsedHeader,
    place: Place,
    client: string,
    policy: IsakmpPolicy | undefined,
    failure: Failure,
  ): void {
    const { context } = this
    const exchange = context.nextExchange()
    this.rememberRefusal(key)
    context.limitedEvent({ kind: 'phase1Started', exchange, remote: place.remote, client })
    context.failPhase1(exchange, place, failure, false)
    if (policy?.sendNotify && failure.cause === 'no-proposal-phase1')
      context.send(place, emitClearNotify(header, Notify.NoProposalChosen, context.dice))
  }

  private rememberRefusal(key: string): void {
    this.refusals.delete(key)
    this.refusals.set(key, this.context.now + REFUSAL_MILLIS)
    for (const oldest of this.refusals.keys()) {
      if (this.refusals.size <= REMEMBERED_REFUSALS) break
      this.refusals.delete(oldest)
    }
  }

  /** Reports an exchange's failure the first time, to the operator and, where the policy says so, to the peer. */
  private reportOnce(phase1: Phase1, place: Place, e: IkeError, failure: Failure): void {
    if (phase1.reported) return
    phase1.reported = true
    const { context } = this
    context.failPhase1(phase1.id, place, failure, true)
    if (!phase1.start.policy.sendNotify || e.notify === undefined) return
    // Keys that the peer does not share cannot protect anything: the notify goes in clear.
    context.send(place, emitClearNotify(phase1.start, e.notify, context.dice))
  }

  private arm(phase1: Phase1): void {
    const { timers, now } = this.context
    timers.cancel(phase1.timer)
    phase1.timer = timers.set(Math.min(now + WAIT_MILLIS, phase1.startedAt + HALF_OPEN_MILLIS), () =>
      this.expire(phase1),
    )
  }

  private expire(phase1: Phase1): void {
    const { context } = this
    this.end(phase1)
    if (phase1.reported) return
    context.failPhase1(phase1.id, phase1.place, silence(phase1), phase1.state.name !== 'SASENT')
  }

  private makeRoom(table: HalfOpen): void {
    const given = table.size < this.context.config.maxHalfOpen ? undefined : table.leastDeserving()
    if (given === undefined) return
    this.context.count('half-open-evicted')
    this.end(given)
  }

  private end(phase1: Phase1): void {
    this.leaveHalfOpen(phase1)
    this.context.phase1s.delete(cookieKey(phase1.start))
  }

  private leaveHalfOpen(phase1: Phase1): void {
    const key = firstKey(phase1.start.initiatorCookie, phase1.place)
    for (const table of [this.unproven, this.proven]) table.remove(key, phase1)
    this.context.timers.cancel(phase1.timer)
    phase1.timer = undefined
  }
}

/** Sends a protected notify where the policy has notifies. */
export function notifyProtected(
  context: Context,
  phase1: EstablishedPhase1,
  place: Place,
  type: number,
  protocol: number,
): void {
  if (!phase1.start.policy.sendNotify) return
  const payload = notifyPayload(notification(type, protocol, NOTHING))
  context.send(place, emitInformational(phase1, payload, context.dice))
}

function firstKey(initiatorCookie: Cookies['initiatorCookie'], place: Place): string {
  return `${toHex(initiatorCookie)}@${placeKey(place)}`
}

/** The policies for an address: those that name it, then those for anyone. */
function policiesFor(policies: readonly IsakmpPolicy[], address: Ipv4): IsakmpPolicy[] {
  return [...policies.filter(p => p.peer === address), ...policies.filter(p => p.peer === 'any')]
}
