/** One record a connection attempt, from the first packet to the inner address: what happened, why it failed, what to change. */

import type { AttemptState } from '../alliedware/show/state.ts'
import type { FailureCause, IkeEvent } from '../ike/effects.ts'
import { WITHOUT_NAT_TRAVERSAL } from '../ike/vendor.ts'
import type { Millis } from '../machine.ts'
import { type Endpoint, formatEndpoint } from '../packet/ip.ts'
import type { Refusal } from './refusals.ts'

interface Attempt {
  readonly id: number
  readonly exchange: number
  readonly time: Date
  readonly started: Millis
  remote: Endpoint
  client: string
  peer: number | undefined
  /** The call that it led to; row numbers are used again, so `bySession` says whether it is still this one. */
  session: number | undefined
  /** It answered us at its address: the others anyone can make up by the thousand. */
  proven: boolean
  user: string
  outcome: AttemptState['outcome']
  /** What would explain it, should the client go no further. */
  suspicion: { readonly detail: string; readonly remedy: string } | undefined
  text: string
  remedy: string
  setupMillis: number | undefined
  /** When an attempt that is `trying` is given up as silent. */
  deadline: Millis
}

const KEPT = 500
/** Of these, so many at most may be made up. */
const KEPT_UNPROVEN = 250
/** What only a client can fail at that has had our second message. */
const PROVEN_CAUSES: ReadonlySet<FailureCause> = new Set([
  'wrong-key',
  'bad-certificate',
  'bad-identity',
  'no-float',
  'mtu',
  'limit',
  'client-refused',
])
const STATE_NAT =
  'where a NAT stands before this gateway, Windows needs "publicAddress" stated in the site file or AssumeUDPEncapsulationContextOnSendRule in its registry'
/** How long a client may take from one stage to the next before the attempt is called failed. */
const STAGE_MILLIS = 45_000
/** In Main Mode IKE itself gives a client up after 90 s at most, and knows more of why. */
const MAIN_MODE_MILLIS = 100_000

export class Attempts {
  private readonly all: Attempt[] = []
  /** How many of them may be made up. */
  private unproven = 0
  /** The latest of each peer. */
  private readonly byPeer = new Map<number, Attempt>()
  /** One a live session. */
  private readonly bySession = new Map<number, Attempt>()
  /** The same ones by peer. */
  private readonly calls = new Map<number, Set<Attempt>>()
  private next = 1

  /** Takes what IKE tells; a Main Mode that renews a connected peer's is no attempt of its own. */
  ike(event: IkeEvent, now: Millis, wall: Date): void {
    switch (event.kind) {
      case 'phase1Started':
        this.begin(event.exchange, event.remote, event.client, now, wall)
        return
      case 'phase1Completed': {
        // In a flood of first messages its own may have gone untold.
        const attempt = this.ofExchange(event.exchange) ?? this.begin(event.exchange, event.remote, '', now, wall)
        const live = [...(this.calls.get(event.peer) ?? [])].find(a => a.outcome === 'connected')
        if (live) {
          this.drop(attempt)
          live.remote = event.remote
          return
        }
        const before = this.byPeer.get(event.peer)
        if (before?.outcome === 'trying') this.overtaken(before)
        attempt.remote = event.remote
        attempt.peer = event.peer
        this.prove(attempt)
        this.byPeer.set(event.peer, attempt)
        this.stage(attempt, now, 'Main Mode completed, waiting for Quick Mode')
        return
      }
      case 'phase2Started': {
        const attempt = this.trying(event.peer)
        if (attempt?.text.includes('waiting for Quick Mode'))
          this.stage(attempt, now, 'Quick Mode began, waiting for its third message')
        return
      }
      case 'phase2Completed': {
        const attempt = this.trying(event.peer)
        if (attempt) this.stage(attempt, now, 'Quick Mode completed, waiting for L2TP')
        return
      }
      case 'suspected': {
        const attempt = this.trying(event.peer)
        if (attempt) attempt.suspicion = event
        return
      }
      case 'failed': {
        const proven = PROVEN_CAUSES.has(event.cause)
        let attempt = event.phase === 1 ? this.ofExchange(event.exchange) : this.trying(event.peer)
        if (event.phase === 1 && proven) attempt ??= this.begin(event.exchange, event.remote, '', now, wall)
        if (attempt?.outcome !== 'trying') return
        if (proven) this.prove(attempt)
        this.fail(attempt, event.detail, event.remedy)
        return
      }
      default:
    }
  }

  /** We say something in L2TP, so that the client must have begun. */
  answered(peer: number, now: Millis): void {
    const attempt = this.trying(peer)
    if (attempt?.text.includes('waiting for L2TP'))
      this.stage(attempt, now, 'L2TP began, waiting for the client to go on')
  }

  /** There will be no tunnel. */
  refused(peer: number, { text, remedy }: Refusal): void {
    const attempt = this.trying(peer)
    if (attempt) this.fail(attempt, text, remedy)
  }

  tunnelUp(peer: number, now: Millis): void {
    const attempt = this.trying(peer)
    if (attempt) this.stage(attempt, now, 'L2TP tunnel is up, waiting for PPP')
  }

  /** The client starts over under the same peer: what follows is a new attempt. */
  restarted(peer: number, now: Millis, wall: Date): void {
    const before = this.byPeer.get(peer)
    if (before && before.outcome !== 'trying') this.again(before, now, wall)
  }

  /** A call came: the attempt under way is its, or another one begins (a second call, or a redial over the same SAs). */
  called(peer: number, session: number, now: Millis, wall: Date): void {
    let attempt = this.byPeer.get(peer)
    if (!attempt) return
    if (attempt.outcome !== 'trying' || attempt.session !== undefined) attempt = this.again(attempt, now, wall)
    attempt.session = session
    this.bySession.set(session, attempt)
    const calls = this.calls.get(peer)
    if (calls) calls.add(attempt)
    else this.calls.set(peer, new Set([attempt]))
    this.stage(attempt, now, 'the call is there, waiting for PPP')
  }

  authenticating(session: number, user: string): void {
    const attempt = this.bySession.get(session)
    if (attempt?.outcome === 'trying') attempt.user = user
  }

  /** The session has its inner address; after a renegotiation, again. */
  connected(session: number, user: string, address: string, now: Millis): void {
    const attempt = this.bySession.get(session)
    if (!attempt) return
    if (attempt.outcome !== 'connected') attempt.setupMillis = now - attempt.started
    attempt.user = user
    attempt.outcome = 'connected'
    attempt.text = `connected as ${address}`
    attempt.remedy = ''
  }

  /** PPP or the pool refused it; the first reason stands. */
  failed(session: number, text: string, remedy: string): void {
    const attempt = this.bySession.get(session)
    if (attempt?.outcome === 'trying') this.fail(attempt, text, remedy)
  }

  /** The session is over, whether it had been up or not. */
  ended(session: number, text: string): void {
    const attempt = this.bySession.get(session)
    this.bySession.delete(session)
    if (attempt?.peer !== undefined) this.hungUp(attempt, attempt.peer)
    if (attempt?.outcome !== 'connected') return
    attempt.outcome = 'ended'
    attempt.text = `${attempt.text}; ended: ${text}`
  }

  private hungUp(a: Attempt, peer: number): void {
    const calls = this.calls.get(peer)
    if (calls?.delete(a) && calls.size === 0) this.calls.delete(peer)
  }

  /** Nothing of the peer is left; its sessions have ended already. */
  peerDown(peer: number, reason: string): void {
    const attempt = this.byPeer.get(peer)
    this.byPeer.delete(peer)
    if (attempt?.outcome === 'trying') this.stuck(attempt, `; then: ${reason}`)
  }

  /** What the peer did was no attempt to connect. */
  forget(peer: number): void {
    const attempt = this.byPeer.get(peer)
    if (attempt) this.drop(attempt)
    this.byPeer.delete(peer)
  }

  /** Gives up attempts that fell silent. */
  expire(now: Millis): void {
    for (const a of this.all) if (a.outcome === 'trying' && now >= a.deadline) this.stuck(a)
  }

  states(): AttemptState[] {
    return this.all.map(a => ({
      id: a.id,
      time: a.time.toISOString(),
      remote: formatEndpoint(a.remote),
      client: a.client,
      user: a.user,
      outcome: a.outcome,
      text: a.text,
      remedy: a.remedy,
      setupMillis: a.setupMillis,
    }))
  }

  /** What it means that the client goes no further; `then` is how it left. */
  private stuck(a: Attempt, then = ''): void {
    if (a.text.includes('waiting for L2TP')) {
      this.fail(
        a,
        `IPsec is up but L2TP never came${then}`,
        a.client.endsWith(WITHOUT_NAT_TRAVERSAL)
          ? 'a NAT or firewall on the way drops IP protocol 50: install update 818043 on Windows 2000 and on XP before SP2, or connect without a NAT'
          : `look whether a firewall on the client blocks UDP 1701; ${STATE_NAT}`,
      )
    } else if (a.text.includes('waiting for the client to go on')) {
      this.fail(
        a,
        `L2TP began, but the client never went on, as if our answers did not reach it${then}`,
        `${STATE_NAT}; else look whether a firewall on the client blocks UDP 1701`,
      )
    } else if (a.text.includes('waiting for Quick Mode')) {
      const text = `Main Mode completed but Quick Mode never came${then}`
      if (a.suspicion) this.fail(a, `${text}: ${a.suspicion.detail}`, a.suspicion.remedy)
      else this.fail(a, text, 'look whether the client accepted our identity')
    } else if (a.text.includes('waiting for its third message')) {
      const text = `Quick Mode began, but the client never confirmed it${then}`
      this.fail(
        a,
        text,
        'see that what this gateway sends to the client from UDP port 4500 (without a NAT: 500) reaches it',
      )
    } else if (a.text.includes('waiting for PPP')) {
      this.fail(a, `L2TP is up but PPP did not come to an end${then}`, 'see "show log" for the PPP messages')
    } else {
      this.fail(a, `the client fell silent during Main Mode${then}`, 'look whether UDP 500 and 4500 pass both ways')
    }
  }

  private again(before: Attempt, now: Millis, wall: Date): Attempt {
    const attempt: Attempt = {
      ...before,
      id: this.next++,
      exchange: 0,
      time: wall,
      started: now,
      session: undefined,
      user: '',
      outcome: 'trying',
      suspicion: undefined,
      text: 'started anew over the same peer, waiting for L2TP',
      remedy: '',
      setupMillis: undefined,
      deadline: now + STAGE_MILLIS,
    }
    this.add(attempt)
    if (before.peer !== undefined) this.byPeer.set(before.peer, attempt)
    return attempt
  }

  /** The client did not wait for the end: it began a Main Mode anew. One that only stood for "anew" gives way to it. */
  private overtaken(a: Attempt): void {
    if (a.exchange === 0 && a.session === undefined) this.drop(a)
    else this.fail(a, `${a.text}; then the client started anew`, '')
  }

  private stage(a: Attempt, now: Millis, text: string): void {
    a.text = text
    a.deadline = now + STAGE_MILLIS
  }

  private prove(a: Attempt): void {
    if (!a.proven) this.unproven--
    a.proven = true
  }

  private fail(a: Attempt, text: string, remedy: string): void {
    a.outcome = 'failed'
    a.text = text
    a.remedy = remedy
  }

  private trying(peer: number | undefined): Attempt | undefined {
    const attempt = peer === undefined ? undefined : this.byPeer.get(peer)
    return attempt?.outcome === 'trying' ? attempt : undefined
  }

  private ofExchange(exchange: number): Attempt | undefined {
    return this.all.findLast(a => a.exchange === exchange)
  }

  private begin(exchange: number, remote: Endpoint, client: string, now: Millis, wall: Date): Attempt {
    const attempt: Attempt = {
      id: this.next++,
      exchange,
      time: wall,
      started: now,
      remote,
      client,
      peer: undefined,
      session: undefined,
      proven: false,
      user: '',
      outcome: 'trying',
      suspicion: undefined,
      text: 'Main Mode started',
      remedy: '',
      setupMillis: undefined,
      deadline: now + MAIN_MODE_MILLIS,
    }
    this.add(attempt)
    return attempt
  }

  /** Where there are too many, the oldest goes; what a flood made up goes before what is known to be a client's. */
  private add(a: Attempt): void {
    this.all.push(a)
    if (!a.proven) this.unproven++
    if (this.all.length <= KEPT) return
    this.drop((this.unproven > KEPT_UNPROVEN ? this.all.find(b => !b.proven) : this.all[0])!)
  }

  private drop(a: Attempt): void {
    const at = this.all.indexOf(a)
    if (at < 0) return
    if (!a.proven) this.unproven--
    // The first goes without the others being moved.
    if (at === 0) this.all.shift()
    else this.all.splice(at, 1)
  }
}
