/** What every part of the responder shares: configuration, clock, dice, timers, counters and the list of effects. */

import type { Dice, Millis } from '../machine.ts'
import { formatEndpoint } from '../packet/ip.ts'
import type { RowNumbers } from '../packet/table.ts'
import { Allowance } from './allowance.ts'
import type { FailureCause, IkeEffect, IkeEvent } from './effects.ts'
import { cut, WHOLE_LENGTH } from './fragment.ts'
import type { IkeConfig } from './policy.ts'
import type { Peer, Phase1, Place } from './state.ts'
import { Timers } from './timers.ts'

/** Events that anyone on the Internet can cause are limited: this many at once, and this many a second from then on. */
const EVENT_BURST = 1000
const EVENTS_PER_SECOND = 100

export interface IkeEndpointOptions {
  readonly config: IkeConfig
  readonly dice: Dice
  /** A free inbound SPI for this peer. */
  readonly spi: (peer: number) => number
  /** Peer numbers: taken when a peer authenticates, given back when it is down. */
  readonly rows: RowNumbers
}

/** A failure in words, as the operator reads it. */
export interface Failure {
  readonly cause: FailureCause
  readonly detail: string
  readonly remedy: string
}

export class Context {
  config: IkeConfig
  now: Millis = 0
  readonly dice: Dice
  readonly spi: (peer: number) => number
  readonly rows: RowNumbers
  readonly timers = new Timers()
  readonly counters = new Map<string, number>()
  /** Every phase 1, half open or up, by both cookies. */
  readonly phase1s = new Map<string, Phase1>()
  private out: IkeEffect[] = []
  private exchanges = 0
  private readonly anyone = new Allowance(EVENT_BURST, EVENTS_PER_SECOND)
  /** For those who have answered us: a flood of made-up addresses must not silence them. */
  private readonly proven = new Allowance(EVENT_BURST, EVENTS_PER_SECOND)

  constructor(o: IkeEndpointOptions) {
    this.config = o.config
    this.dice = o.dice
    this.spi = o.spi
    this.rows = o.rows
  }

  /** Runs one input's work with its clock and its list of effects. */
  during(now: Millis, effects: IkeEffect[], work: () => void): void {
    this.now = now
    this.out = effects
    try {
      work()
    } finally {
      this.out = []
    }
  }

  effect(e: IkeEffect): void {
    this.out.push(e)
  }

  send(place: Place, bytes: Uint8Array): void {
    this.count('sent')
    this.effect({ kind: 'send', local: place.local, remote: place.remote, bytes })
  }

  /**
   * Sends what a phase 1's peer asked for; `again` where it seems to have missed it. In pieces where the peer sends
   * such, or says that it takes them and the whole did not arrive.
   */
  answer(phase1: Phase1, place: Place, bytes: Uint8Array, again = false): void {
    const long = bytes.length > WHOLE_LENGTH
    if (long && again && phase1.start.fragmentation) phase1.fragments = true
    if (!long || !phase1.fragments) return this.send(place, bytes)
    for (const piece of cut(bytes)) this.send(place, piece)
  }

  count(name: string): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + 1)
  }

  /** The number of a new exchange of either phase. */
  nextExchange(): number {
    return ++this.exchanges
  }

  /** An event that comes once in a peer's exchange, however much the peer sends. */
  event(event: IkeEvent): void {
    this.effect({ kind: 'event', event })
  }

  /** An event that a peer can cause as often as it likes: it has the key, and may mean no good all the same. */
  peerEvent(peer: Peer, event: IkeEvent): void {
    if (peer.events.take(this.now)) this.event(event)
    else this.count('events-suppressed')
  }

  /** An event that anyone can cause. */
  limitedEvent(event: IkeEvent, proven = false): void {
    if ((proven ? this.proven : this.anyone).take(this.now)) this.event(event)
    else this.count('events-suppressed')
  }

  /** A datagram that leads nowhere. */
  discard(place: Place, reason: string): void {
    this.count(reason)
    this.limitedEvent({ kind: 'discarded', remote: place.remote, reason })
  }

  /** `proven`: the client has had our second message, so that its address is its own. */
  failPhase1(exchange: number, place: Place, failure: Failure, proven: boolean): void {
    this.count(`failed-${failure.cause}`)
    this.limitedEvent({ kind: 'failed', exchange, phase: 1, remote: place.remote, peer: undefined, ...failure }, proven)
  }

  failPhase2(exchange: number, place: Place, peer: Peer, failure: Failure): void {
    this.count(`failed-${failure.cause}`)
    this.peerEvent(peer, { kind: 'failed', exchange, phase: 2, remote: place.remote, peer: peer.id, ...failure })
  }
}

/** A place for a sentence. */
export function placeText(place: Place): string {
  return formatEndpoint(place.remote)
}
