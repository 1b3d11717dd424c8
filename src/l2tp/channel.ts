/** Reliable delivery of control messages over one tunnel: Ns, Nr, windows, retransmission (RFC 2661 section 5.8, appendix A). */

import type { Millis } from '../machine.ts'
import { NOTHING } from '../packet/bytes.ts'
import { DEFAULT_PEER_WINDOW, MAX_RETRANSMISSIONS, RETRANSMIT_CAP, RETRANSMIT_FIRST } from './constants.ts'

/** A message without its place in the sequence. */
export interface Parcel {
  readonly sessionId: number
  readonly body: Uint8Array
}

/** A message on its way: what the header needs. An empty body is a ZLB. */
export interface Sequenced extends Parcel {
  readonly ns: number
  readonly nr: number
}

/** A packet to be sent; `again` tells a retransmission. */
export interface Departure extends Sequenced {
  readonly again: boolean
}

/** What a packet was to the receiving side. */
export type Arrival = 'acknowledgement' | 'next' | 'early' | 'duplicate' | 'outside'

export class Channel {
  /** Messages that the peer has not acknowledged; the first `flying` of them are on their way. */
  private readonly waiting: Parcel[] = []
  private flying = 0
  /** How many of `waiting` were ever sent: an acknowledgement may cover these, even after `flying` was cut back. */
  private sent = 0
  /** Sequence number of `waiting[0]`. */
  private first = 0
  /** The next sequence number that is expected from the peer. */
  private expected = 0
  /** Messages that came before their turn. */
  private readonly early = new Map<number, Parcel>()
  private readonly receiveWindow: number
  private peerWindow = DEFAULT_PEER_WINDOW
  /** Slow start and congestion avoidance (appendix A). */
  private congestionWindow = 1
  private threshold = DEFAULT_PEER_WINDOW
  private tries = 0
  private interval = RETRANSMIT_FIRST
  private retransmitAt: Millis | undefined
  private owesAck = false

  /** `receiveWindow` is what we told the peer: more than that is not kept for later. */
  constructor(receiveWindow: number) {
    this.receiveWindow = receiveWindow
  }

  /** Ns of the next message to be sent for the first time. */
  get ns(): number {
    return (this.first + this.sent) & 0xffff
  }

  /** Nr: the next message that is expected. */
  get nr(): number {
    return this.expected
  }

  /** Messages not yet acknowledged. */
  get unacknowledged(): number {
    return this.waiting.length
  }

  /** When to call `tick`. */
  get deadline(): Millis | undefined {
    return this.retransmitAt
  }

  /** The peer's Receive Window Size AVP; 0 would forbid every message, and is read as 1. */
  setPeerWindow(size: number): void {
    this.peerWindow = Math.max(1, size)
    this.threshold = this.peerWindow
  }

  /** Queues a message; `flush` sends it when the windows allow. */
  send(parcel: Parcel): void {
    this.waiting.push(parcel)
  }

  /**
   * Takes a packet: its Nr acknowledges, and its message is appended to `ready` when its turn has come, with those that
   * waited for it. The body of the packet itself is not copied: read `ready` at once.
   */
  receive(p: Sequenced, now: Millis, ready: Parcel[]): Arrival {
    this.acknowledge(p.nr, now)
    if (p.body.length === 0) return 'acknowledgement'
    const ahead = (p.ns - this.expected) & 0xffff
    // The 32,768 numbers before the expected one are old: said again because our acknowledgement was lost.
    if (ahead >= 0x8000) {
      this.owesAck = true
      return 'duplicate'
    }
    if (ahead >= this.receiveWindow) return 'outside'
    if (ahead > 0) {
      if (!this.early.has(p.ns)) this.early.set(p.ns, { sessionId: p.sessionId, body: p.body.slice() })
      return 'early'
    }
    this.owesAck = true
    let next: Parcel | undefined = { sessionId: p.sessionId, body: p.body }
    while (next) {
      ready.push(next)
      this.expected = (this.expected + 1) & 0xffff
      next = this.early.get(this.expected)
      this.early.delete(this.expected)
    }
    return 'next'
  }

  /** Sends what the windows allow, and a ZLB when an acknowledgement is owed that no message carried. */
  flush(now: Millis, emit: (packet: Departure) => void): void {
    const window = Math.min(Math.floor(this.congestionWindow), this.peerWindow)
    while (this.flying < window && this.flying < this.waiting.length) {
      this.emitWaiting(this.flying++, emit)
      this.retransmitAt ??= now + this.interval
    }
    if (this.owesAck) emit({ sessionId: 0, ns: this.ns, nr: this.expected, body: NOTHING, again: false })
    this.owesAck = false
  }

  /** Sends the oldest unacknowledged message again, out of turn, as an answer to a peer that repeats itself. */
  resend(emit: (packet: Departure) => void): void {
    if (this.sent > 0) this.emitWaiting(0, emit)
  }

  /**
   * To be called at the deadline, before `flush`. False when the peer was told often enough and is dead; with
   * `patient` it never is, and is told on at the longest interval.
   */
  tick(now: Millis, patient = false): boolean {
    if (this.retransmitAt === undefined || now < this.retransmitAt) return true
    if (this.tries >= MAX_RETRANSMISSIONS && !patient) return false
    this.tries++
    this.interval = Math.min(this.interval * 2, RETRANSMIT_CAP)
    this.threshold = Math.max(1, this.congestionWindow / 2)
    this.congestionWindow = 1
    // Back to the oldest: what the peer did get meanwhile, its next Nr will tell.
    this.flying = 0
    this.retransmitAt = undefined
    return true
  }

  /** Forgets what was not acknowledged: the peer wants none of it any more. Acknowledging goes on. */
  abandon(): void {
    this.first = this.ns
    this.waiting.length = 0
    this.flying = 0
    this.sent = 0
    this.retransmitAt = undefined
  }

  private acknowledge(nr: number, now: Millis): void {
    const count = (nr - this.first) & 0xffff
    // Old ones come with reordered packets; ones that were never sent are nonsense. Neither says anything.
    if (count === 0 || count > this.sent) return
    this.waiting.splice(0, count)
    this.first = nr
    this.sent -= count
    this.flying = Math.max(0, this.flying - count)
    for (let i = 0; i < count; i++) {
      this.congestionWindow += this.congestionWindow < this.threshold ? 1 : 1 / this.congestionWindow
    }
    this.congestionWindow = Math.min(this.congestionWindow, this.peerWindow)
    this.tries = 0
    this.interval = RETRANSMIT_FIRST
    this.retransmitAt = this.flying > 0 ? now + this.interval : undefined
  }

  private emitWaiting(index: number, emit: (packet: Departure) => void): void {
    const { sessionId, body } = this.waiting[index]!
    const again = index < this.sent
    if (!again) this.sent = index + 1
    this.owesAck = false
    emit({ sessionId, ns: (this.first + index) & 0xffff, nr: this.expected, body, again })
  }
}
