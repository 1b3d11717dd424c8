/**
 * One control protocol under RFC 1661's automaton: its restart timer and counters (section 4.6), identifiers, and the
 * seven packets that LCP and every NCP share (sections 5.1 to 5.6). What the options mean is the layer's business.
 */

import type { Millis } from '../machine.ts'
import { equal, NOTHING } from '../packet/bytes.ts'
import type { Action, AutomatonEvent } from './automaton.ts'
import { State, transition } from './automaton.ts'
import {
  Code,
  MAX_CONFIGURE,
  MAX_FAILURE,
  MAX_REACKNOWLEDGEMENTS,
  MAX_ROUNDS,
  MAX_TERMINATE,
  RESTART_MILLIS,
} from './constants.ts'
import type { PppDownCause, PppEffect } from './effects.ts'
import type { ControlPacket, PppOption } from './frame.ts'
import { emitOptions, emitPacket, parseOptions } from './frame.ts'

/** One call of a link's `handle`: its time, and where its effects go. */
export interface Turn {
  readonly now: Millis
  readonly effects: PppEffect[]
}

/** The answer to a Configure-Request: all its options with Ack, or those that are in the way with Nak or Reject. */
export interface Judgement {
  readonly code: typeof Code.ConfigureAck | typeof Code.ConfigureNak | typeof Code.ConfigureReject
  readonly options: readonly PppOption[]
}

/** Why a layer gives up: what `down` will say. */
export interface Trouble {
  readonly cause: PppDownCause
  readonly detail: string
}

/** What the options of one protocol mean to us. */
export interface Policy {
  /** Our options, for the next Configure-Request. */
  ask(): readonly PppOption[]
  /** Judges the peer's options and changes nothing; with `naksSpent` a Nak has been tried often enough. */
  judge(options: readonly PppOption[], naksSpent: boolean): Judgement
  /** The peer's options that our Ack agrees to. */
  agree(options: readonly PppOption[]): void
  /** The peer wants other values for these options; says so where we cannot go on. */
  nakked(options: readonly PppOption[]): Trouble | undefined
  /** The peer does not know these options of ours. */
  rejected(options: readonly PppOption[]): Trouble | undefined
}

/** What a negotiation needs of the link around it. */
export interface Layer {
  send(packet: ControlPacket, turn: Turn): void
  /** This-Layer-Up, -Down and -Finished of RFC 1661 section 4.4. */
  up(turn: Turn): void
  down(turn: Turn): void
  finished(turn: Turn): void
  /** Nothing will come of it: `trouble`, or undefined where requests and refusals have gone on for too long. */
  hopeless(trouble: Trouble | undefined, turn: Turn): void
  /** How long a Code-Reject's copy may be; undefined where none may go out now. */
  rejectRoom(turn: Turn): number | undefined
}

export class Negotiation {
  state: State = State.Initial
  /** When the restart timer expires. */
  deadline: Millis | undefined
  private readonly policy: Policy
  private readonly layer: Layer
  private nextId = 1
  /** The Configure-Request that waits for its answer, or got it. */
  private request: { id: number; options: Uint8Array; answered: boolean } = {
    id: 0,
    options: NOTHING,
    answered: true,
  }
  private terminateId = 0
  private attemptsLeft = 0
  private attempt = 0
  private naksSent = 0
  private refusalsSent = 0
  private refusalsTaken = 0
  private lastRefusedId = -1
  private lastAcked: ControlPacket | undefined
  private reacknowledged = 0

  constructor(policy: Policy, layer: Layer) {
    this.policy = policy
    this.layer = layer
  }

  /** A fresh identifier, for packets outside the automaton as well. */
  takeId(): number {
    const id = this.nextId
    this.nextId = (id + 1) & 0xff
    return id
  }

  /** Open, Close, Up and Down of the layers around. */
  signal(event: 'Open' | 'Close' | 'Up' | 'Down', turn: Turn): void {
    this.step(event, turn)
  }

  /** The restart timer's time has come. */
  expire(turn: Turn): void {
    this.deadline = undefined
    this.step(this.attemptsLeft > 0 ? 'TO+' : 'TO-', turn)
  }

  /** One packet with a code from 1 to 7, or one that nobody knows. Throws PppError where its options are broken. */
  receive(packet: ControlPacket, turn: Turn): void {
    // Max-Configure is meant for a peer that cannot be heard (RFC 1661 section 4.6). One that talks, only late or over a
    // bad path, has all attempts again; the link's own time limit ends what never converges.
    if (this.negotiates() && this.state !== State.Opened) this.attemptsLeft = MAX_CONFIGURE
    switch (packet.code) {
      case Code.ConfigureRequest:
        return this.configureRequest(packet, turn)
      case Code.ConfigureAck:
        return this.configureAck(packet, turn)
      case Code.ConfigureNak:
      case Code.ConfigureReject:
        return this.configureRefused(packet, turn)
      case Code.TerminateRequest:
        return this.step('RTR', turn, packet)
      case Code.TerminateAck:
        return this.step('RTA', turn)
      case Code.CodeReject:
        return this.codeRejected(packet, turn)
      default:
        return this.step('RUC', turn, packet)
    }
  }

  private configureRequest(packet: ControlPacket, turn: Turn): void {
    const options = parseOptions(packet.data)
    if (this.repeatsAcked(packet)) {
      this.layer.send({ code: Code.ConfigureAck, id: packet.id, data: packet.data }, turn)
      return
    }
    const judgement = this.policy.judge(options, this.naksSent >= MAX_FAILURE)
    this.step(judgement.code === Code.ConfigureAck ? 'RCR+' : 'RCR-', turn, packet, judgement)
  }

  /**
   * Our Ack was lost and the very same request comes again: by the table the layer would fall and start over, and take
   * authentication with it. Acknowledging anew is enough; a peer that keeps on repeating gets what the table says.
   */
  private repeatsAcked(packet: ControlPacket): boolean {
    const last = this.lastAcked
    if (this.state !== State.Opened || last === undefined) return false
    if (packet.id !== last.id || !equal(packet.data, last.data)) return false
    return this.reacknowledged++ < MAX_REACKNOWLEDGEMENTS
  }

  private configureAck(packet: ControlPacket, turn: Turn): void {
    if (!this.answers(packet) || !equal(packet.data, this.request.options)) return
    this.request.answered = true
    this.refusalsTaken = 0
    this.step('RCA', turn)
  }

  private configureRefused(packet: ControlPacket, turn: Turn): void {
    if (!this.answers(packet)) return
    const options = parseOptions(packet.data)
    if (packet.code === Code.ConfigureReject && !this.areOurs(options)) return
    this.request.answered = true
    if (this.negotiates()) {
      const trouble = packet.code === Code.ConfigureNak ? this.policy.nakked(options) : this.policy.rejected(options)
      if (trouble || ++this.refusalsTaken > MAX_ROUNDS) return this.layer.hopeless(trouble, turn)
    }
    this.step('RCN', turn)
  }

  /** A duplicate of an answer, or one to an older request, says nothing (RFC 1661 section 5.2). */
  private answers(packet: ControlPacket): boolean {
    return packet.id === this.request.id && !this.request.answered
  }

  /** RFC 1661 section 5.4: a Reject holds options just as they stood in the request. */
  private areOurs(options: readonly PppOption[]): boolean {
    const asked = parseOptions(this.request.options)
    return options.length > 0 && options.every(o => asked.some(a => a.type === o.type && equal(a.data, o.data)))
  }

  private negotiates(): boolean {
    return this.state >= State.ReqSent
  }

  /**
   * A peer that does not know the seven codes cannot be talked to: the table's RXJ- would end the layer, and with it the
   * link. So would a peer that rejects the whole protocol; the link sees to both.
   */
  private codeRejected(packet: ControlPacket, turn: Turn): void {
    const code = packet.data[0]
    if (code === undefined) return
    if (code < Code.ConfigureRequest || code > Code.CodeReject) return this.step('RXJ+', turn)
    this.layer.hopeless({ cause: 'peer-refused', detail: `the client rejects packets with code ${code}` }, turn)
  }

  private step(event: AutomatonEvent, turn: Turn, packet?: ControlPacket, judgement?: Judgement): void {
    const to = transition(event, this.state)
    if (to === undefined) return
    const before = this.state
    this.state = to.next
    if (to.next < State.Closing || to.next === State.Opened) this.deadline = undefined
    for (const action of to.actions) {
      this.act(action, event, turn, packet, judgement)
      // An action that ends the link changes the state below our feet: what is left of this transition is void.
      if (this.state !== to.next) return
    }
    if (to.next === State.Opened && before !== State.Opened) this.reacknowledged = 0
  }

  private act(
    action: Action,
    event: AutomatonEvent,
    turn: Turn,
    packet: ControlPacket | undefined,
    judgement: Judgement | undefined,
  ): void {
    switch (action) {
      case 'tlu':
        return this.layer.up(turn)
      case 'tld':
        return this.layer.down(turn)
      case 'tlf':
        return this.layer.finished(turn)
      case 'irc':
        this.attemptsLeft =
          this.state === State.Closing || this.state === State.Stopping ? MAX_TERMINATE : MAX_CONFIGURE
        this.attempt = 0
        return
      case 'zrc':
        this.attemptsLeft = 0
        this.attempt = RESTART_MILLIS.length
        return this.startTimer(turn)
      case 'scr':
        return this.sendRequest(event === 'TO+', turn)
      case 'sca':
      case 'scn':
        return this.answer(packet!, judgement!, turn)
      case 'str':
        return this.sendTerminate(event === 'TO+', turn)
      case 'sta':
        return this.layer.send({ code: Code.TerminateAck, id: packet?.id ?? this.takeId(), data: NOTHING }, turn)
      case 'scj':
        return this.sendCodeReject(packet!, turn)
      case 'tls':
      case 'ser':
        // Nothing below us needs starting; an Echo-Request is answered by LCP itself.
        return
    }
  }

  /** A retransmission keeps its identifier, so that a late answer to the first copy still counts. */
  private sendRequest(again: boolean, turn: Turn): void {
    const options = emitOptions(this.policy.ask())
    const same = again && !this.request.answered && equal(options, this.request.options)
    this.request = { id: same ? this.request.id : this.takeId(), options, answered: false }
    this.attemptsLeft--
    this.startTimer(turn)
    this.layer.send({ code: Code.ConfigureRequest, id: this.request.id, data: options }, turn)
  }

  private answer(packet: ControlPacket, judgement: Judgement, turn: Turn): void {
    if (judgement.code === Code.ConfigureAck) {
      this.naksSent = 0
      this.refusalsSent = 0
      this.lastAcked = packet
      this.policy.agree(judgement.options)
      this.layer.send({ code: judgement.code, id: packet.id, data: packet.data }, turn)
      return
    }
    // A repeated request only shows that our answer was lost: it is no further round.
    if (packet.id !== this.lastRefusedId) {
      this.lastRefusedId = packet.id
      this.refusalsSent++
      if (judgement.code === Code.ConfigureNak) this.naksSent++
    }
    if (this.refusalsSent > MAX_ROUNDS) return this.layer.hopeless(undefined, turn)
    this.layer.send({ code: judgement.code, id: packet.id, data: emitOptions(judgement.options) }, turn)
  }

  private sendTerminate(again: boolean, turn: Turn): void {
    if (!again) this.terminateId = this.takeId()
    this.attemptsLeft--
    this.startTimer(turn)
    this.layer.send({ code: Code.TerminateRequest, id: this.terminateId, data: NOTHING }, turn)
  }

  private sendCodeReject(packet: ControlPacket, turn: Turn): void {
    const room = this.layer.rejectRoom(turn)
    if (room === undefined) return
    const copy = emitPacket(packet).subarray(0, room)
    this.layer.send({ code: Code.CodeReject, id: this.takeId(), data: copy }, turn)
  }

  private startTimer(turn: Turn): void {
    const last = RESTART_MILLIS.length - 1
    this.deadline = turn.now + RESTART_MILLIS[Math.min(this.attempt++, last)]!
  }
}
