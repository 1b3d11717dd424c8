/** One record a connection attempt, from the first packet to the inner address: what happened, why it failed, what to change. */

import type { AttemptState } from '../alliedware/show/state.ts'
import type { IkeEvent } from '../ike/effects.ts'
import type { Millis } from '../machine.ts'
import { type Endpoint, formatEndpoint } from '../packet/ip.ts'

interface Attempt {
  readonly id: number
  readonly exchange: number
  readonly time: Date
  readonly started: Millis
  remote: Endpoint
  client: string
  peer: number | undefined
  user: string
  outcome: AttemptState['outcome']
  text: string
  remedy: string
  setupMillis: number | undefined
  /** When an attempt that is `trying` is given up as silent. */
  deadline: Millis
}

const KEPT = 500
/** How long a client may take from one stage to the next before the attempt is called failed. */
const STAGE_MILLIS = 45_000

export class Attempts {
  private readonly all: Attempt[] = []
  private readonly byPeer = new Map<number, Attempt>()
  private next = 1

  /** Takes what IKE tells; a Main Mode that renews a connected peer's is no attempt of its own. */
  ike(event: IkeEvent, now: Millis, wall: Date): void {
    switch (event.kind) {
      case 'phase1Started':
        this.add({
          id: this.next++,
          exchange: event.exchange,
          time: wall,
          started: now,
          remote: event.remote,
          client: event.client,
          peer: undefined,
          user: '',
          outcome: 'trying',
          text: 'Main Mode started',
          remedy: '',
          setupMillis: undefined,
          deadline: now + STAGE_MILLIS,
        })
        return
      case 'phase1Completed': {
        const attempt = this.ofExchange(event.exchange)
        if (!attempt) return
        const before = this.byPeer.get(event.peer)
        if (before && before.outcome === 'connected') {
          this.drop(attempt)
          before.remote = event.remote
          return
        }
        attempt.remote = event.remote
        attempt.peer = event.peer
        this.byPeer.set(event.peer, attempt)
        this.stage(attempt, now, 'Main Mode completed, waiting for Quick Mode')
        return
      }
      case 'phase2Completed': {
        const attempt = this.trying(event.peer)
        if (attempt) this.stage(attempt, now, 'Quick Mode completed, waiting for L2TP')
        return
      }
      case 'failed': {
        const attempt = event.phase === 1 ? this.ofExchange(event.exchange) : this.trying(event.peer)
        if (attempt?.outcome === 'trying') this.fail(attempt, event.detail, event.remedy)
        return
      }
      default:
    }
  }

  tunnelUp(peer: number, now: Millis): void {
    const attempt = this.trying(peer)
    if (attempt) this.stage(attempt, now, 'L2TP tunnel is up, waiting for PPP')
  }

  /** The client that had connected starts over under the same peer: what follows is a new attempt. */
  restarted(peer: number, now: Millis, wall: Date): void {
    const before = this.byPeer.get(peer)
    if (!before || before.outcome === 'trying') return
    if (before.outcome === 'connected') before.outcome = 'ended'
    this.again(before, now, wall)
  }

  authenticating(peer: number, user: string): void {
    const attempt = this.trying(peer)
    if (attempt) attempt.user = user
  }

  connected(peer: number, user: string, address: string, now: Millis, wall: Date): void {
    let attempt = this.byPeer.get(peer)
    if (!attempt) return
    if (attempt.outcome !== 'trying') attempt = this.again(attempt, now, wall)
    attempt.user = user
    attempt.outcome = 'connected'
    attempt.setupMillis = now - attempt.started
    attempt.text = `connected as ${address}`
    attempt.remedy = ''
  }

  /** PPP, L2TP or the pool refused it. */
  failed(peer: number, text: string, remedy: string, now: Millis, wall: Date): void {
    let attempt = this.byPeer.get(peer)
    if (!attempt || attempt.outcome === 'failed') return
    if (attempt.outcome !== 'trying') attempt = this.again(attempt, now, wall)
    this.fail(attempt, text, remedy)
  }

  /** A session that had been up is over. */
  ended(peer: number, text: string): void {
    const attempt = this.byPeer.get(peer)
    if (attempt?.outcome !== 'connected') return
    attempt.outcome = 'ended'
    attempt.text = `${attempt.text}; ended: ${text}`
  }

  peerDown(peer: number, reason: string): void {
    const attempt = this.byPeer.get(peer)
    this.byPeer.delete(peer)
    if (!attempt) return
    if (attempt.outcome === 'trying') this.fail(attempt, `${attempt.text}; then: ${reason}`, '')
    else if (attempt.outcome === 'connected') {
      attempt.outcome = 'ended'
      attempt.text = `${attempt.text}; ended: ${reason}`
    }
  }

  /** Gives up attempts that fell silent. */
  expire(now: Millis): void {
    for (const a of this.all) if (a.outcome === 'trying' && now >= a.deadline) this.silent(a)
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

  private silent(a: Attempt): void {
    if (a.text.includes('waiting for L2TP')) {
      this.fail(
        a,
        'IPsec is up but L2TP never came',
        'look whether a firewall on the client blocks UDP 1701, and whether Windows needs AssumeUDPEncapsulationContextOnSendRule for a server behind NAT',
      )
    } else if (a.text.includes('waiting for Quick Mode')) {
      this.fail(a, 'Main Mode completed but Quick Mode never came', 'look whether the client accepted our identity')
    } else if (a.text.includes('waiting for PPP')) {
      this.fail(a, 'L2TP is up but PPP did not come to an end', 'see "show log" for the PPP messages')
    } else {
      this.fail(a, 'the client fell silent during Main Mode', 'look whether UDP 500 and 4500 pass both ways')
    }
  }

  private again(before: Attempt, now: Millis, wall: Date): Attempt {
    const attempt: Attempt = {
      ...before,
      id: this.next++,
      exchange: 0,
      time: wall,
      started: now,
      outcome: 'trying',
      text: 'started anew',
      remedy: '',
      setupMillis: undefined,
      deadline: now + STAGE_MILLIS,
    }
    this.add(attempt)
    if (before.peer !== undefined) this.byPeer.set(before.peer, attempt)
    return attempt
  }

  private stage(a: Attempt, now: Millis, text: string): void {
    a.text = text
    a.deadline = now + STAGE_MILLIS
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

  private add(a: Attempt): void {
    this.all.push(a)
    if (this.all.length > KEPT) this.all.shift()
  }

  private drop(a: Attempt): void {
    const at = this.all.indexOf(a)
    if (at >= 0) this.all.splice(at, 1)
  }
}
