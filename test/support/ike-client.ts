/** The IKE side of a simulated client as a machine: one Main Mode, then Quick Modes, with Windows' retransmissions. */

import { Exchange, Notify, PayloadType } from '../../src/ike/constants.ts'
import { parseHeader, parseMessage } from '../../src/ike/message.ts'
import {
  formatIdentity,
  notifyName,
  parseDeletion,
  parseIdentification,
  parseNotification,
} from '../../src/ike/payload.ts'
import type { DeadlineInput, Dice, Machine, Millis } from '../../src/machine.ts'
import { equal } from '../../src/packet/bytes.ts'
import { formatIpv4, type Ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { Initiator, type InitiatorPair } from './initiator.ts'
import type { VpnProfile } from './profiles.ts'

export type IkeClientInput =
  /** `alone`: no Quick Mode follows; it is to take the place of a phase 1 that runs out. */
  | { readonly kind: 'start'; readonly alone?: boolean }
  /** An ISAKMP message of the server's, without a marker. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** Asks for a new pair of SAs. */
  | { readonly kind: 'quickMode' }
  /** Tells the server that these SAs, by what we receive on, and then the phase 1, are over. */
  | {
      readonly kind: 'delete'
      readonly inboundSpis: readonly number[]
      readonly isakmp: boolean
      readonly form?: DeleteForm
    }
  /** Thinks better of the Quick Mode under way, and says so with a DELETE of what it would have made. */
  | { readonly kind: 'abandon' }
  /** Asks the server whether it is there (RFC 3706). */
  | { readonly kind: 'areYouThere' }

/** A message for each SA, one for all of them, the phase 1's before the others' (which it then protects no more), or none. */
export type DeleteForm = 'each' | 'together' | 'isakmpFirst' | 'none'

export type IkeClientEffect =
  /** To be sent from this port, to the same one of the server; without a marker. */
  | { readonly kind: 'send'; readonly port: 500 | 4500; readonly bytes: Uint8Array }
  | { readonly kind: 'step'; readonly text: string }
  /** The phase 1 is complete. */
  | { readonly kind: 'phase1Up' }
  /** The server answered our last question. */
  | { readonly kind: 'alive' }
  /** Both directions of a new pair are to be used from now on. */
  | { readonly kind: 'pairUp'; readonly pair: InitiatorPair }
  /** The server has forgotten this SA, by what it received on. */
  | { readonly kind: 'pairDeleted'; readonly outboundSpi: number }
  | { readonly kind: 'isakmpDeleted' }
  | { readonly kind: 'failed'; readonly phase: 1 | 2; readonly reason: string }

export interface IkeClientOptions {
  readonly profile: VpnProfile
  readonly dice: Dice
  readonly presharedKey: string
  readonly address: Ipv4
  readonly server: Ipv4
  readonly computerName: string
  /** Our UDP port of L2TP as Quick Mode's identity tells it; absent: the profile's. */
  readonly clientPort?: number
  /** Waits between the transmissions of a message, and after the last one before giving up. */
  readonly intervals: readonly Millis[]
}

type State = 'idle' | 'message2' | 'message4' | 'message6' | 'up' | 'over'

/** The message that waits for its answer. */
interface Pending {
  readonly what: string
  readonly bytes: Uint8Array
  tries: number
  at: Millis
}

export class IkeClient implements Machine<IkeClientInput, IkeClientEffect> {
  readonly initiator: Initiator
  private readonly o: IkeClientOptions
  private state: State = 'idle'
  private pending: Pending | undefined
  /** The last message that was taken in, to know its repetition by. */
  private lastTaken = new Uint8Array(0) as Uint8Array
  /** The Quick Mode under way, and the last one that came to its end with what we said at last. */
  private quick: number | undefined
  private lastQuick: { readonly messageId: number; readonly bytes: Uint8Array } | undefined
  private alone = false
  /** The sequence number of our last question whether the server is there. */
  private question: number | undefined
  /** Messages that made no sense. */
  dropped = 0

  constructor(o: IkeClientOptions) {
    this.o = o
    this.initiator = new Initiator({
      ...o.profile.ike,
      dice: o.dice,
      presharedKey: o.presharedKey,
      address: o.address,
      server: o.server,
      quickOffers: [],
      ...(o.profile.namesItself ? { computerName: o.computerName } : {}),
      ...(o.clientPort === undefined ? {} : { clientPort: o.clientPort }),
    })
  }

  get deadline(): Millis | undefined {
    return this.pending?.at
  }

  /** Whether its phase 1 can protect anything. */
  get up(): boolean {
    return this.state === 'up'
  }

  /** Whether it waits for the server. */
  get busy(): boolean {
    return this.pending !== undefined
  }

  handle(input: IkeClientInput | DeadlineInput, now: Millis, effects: IkeClientEffect[]): void {
    switch (input.kind) {
      case 'start': {
        const { profile } = this.o
        const bytes = this.initiator.message1()
        this.state = 'message2'
        this.alone = input.alone ?? false
        const offers = profile.ike.offers.map(describePhase1).join(', ')
        effects.push(say(`-> IKE Main Mode 1: ${profile.name} offers ${offers}`))
        this.ask('Main Mode 1', bytes, now, effects)
        return
      }
      case 'message':
        try {
          this.receive(input.bytes, now, effects)
        } catch {
          // Whatever a parser or a check found wrong: a real client drops the message and waits on.
          this.dropped++
        }
        return
      case 'quickMode':
        if (this.state === 'up' && this.quick === undefined) this.startQuickMode(now, effects)
        return
      case 'delete':
        this.delete(input.inboundSpis, input.isakmp, input.form ?? 'each', effects)
        return
      case 'abandon':
        if (this.state !== 'up' || this.quick === undefined) return
        this.quick = this.pending = undefined
        this.delete(this.initiator.abandonQuick(), false, 'each', effects)
        return
      case 'areYouThere':
        if (this.state !== 'up') return
        // Its first number may be anything but very large (RFC 3706 section 6.2).
        this.question = this.question === undefined ? readIpv4(this.o.dice(4)) >>> 1 : this.question + 1
        this.send(this.initiator.areYouThere(this.question), effects)
        return
      case 'deadline':
        this.retransmit(now, effects)
        return
    }
  }

  private receive(bytes: Uint8Array, now: Millis, effects: IkeClientEffect[]): void {
    const header = parseHeader(bytes)
    if (!equal(header.initiatorCookie, this.initiator.cookie) || this.state === 'idle' || this.state === 'over') return
    if (equal(bytes, this.lastTaken)) {
      // The server says it again: our third Quick Mode message was lost.
      if (header.messageId === this.lastQuick?.messageId) this.send(this.lastQuick.bytes, effects)
      return
    }
    if (header.exchange === Exchange.Main) this.mainMode(bytes, now, effects)
    else if (header.exchange === Exchange.Quick) this.quickMode(bytes, header.messageId, effects)
    else if (header.exchange === Exchange.Informational) this.informational(bytes, effects)
  }

  private mainMode(bytes: Uint8Array, now: Millis, effects: IkeClientEffect[]): void {
    const { initiator } = this
    switch (this.state) {
      case 'message2': {
        const next = initiator.message3(bytes)
        this.taken(bytes, 'message4')
        const chosen = describePhase1(initiator.suite!)
        effects.push(say(`<- IKE Main Mode 2: ${chosen}, NAT traversal ${initiator.natFlavour ?? 'not known'}`))
        effects.push(say('-> IKE Main Mode 3: our public value, nonce and NAT-D hashes'))
        this.ask('Main Mode 3', next, now, effects)
        return
      }
      case 'message4': {
        const next = initiator.message5(bytes)
        this.taken(bytes, 'message6')
        effects.push(say(`<- IKE Main Mode 4: the server's public value and nonce; ${natText(initiator.nat)}`))
        const name =
          initiator.nat.client && this.o.profile.namesItself ? this.o.computerName : formatIpv4(this.o.address)
        effects.push(say(`-> IKE Main Mode 5: we are ${name}; encrypted from here on, port ${initiator.port}`))
        this.ask('Main Mode 5', next, now, effects)
        return
      }
      case 'message6': {
        initiator.finish(bytes)
        this.taken(bytes, 'up')
        const identity = formatIdentity(parseIdentification(initiator.serverIdentity!))
        effects.push(say(`<- IKE Main Mode 6: the server is ${identity} and knows the pre-shared key`))
        effects.push({ kind: 'phase1Up' })
        if (!this.alone) this.startQuickMode(now, effects)
        return
      }
      default:
    }
  }

  private startQuickMode(now: Millis, effects: IkeClientEffect[]): void {
    const { initiator } = this
    const ahSpi = this.o.dice(4).slice()
    let count = 0
    const { messageId, bytes } = initiator.quick1(spi => {
      const proposals = this.o.profile.quickProposals(spi, ahSpi, initiator.transportMode)
      count = proposals.at(-1)!.number
      return proposals
    })
    this.quick = messageId
    const original = initiator.nat.client ? `, our own address ${formatIpv4(this.o.address)}` : ''
    effects.push(say(`-> IKE Quick Mode 1: ${count} offers for UDP port 1701${original}`))
    this.ask('Quick Mode 1', bytes, now, effects)
  }

  private quickMode(bytes: Uint8Array, messageId: number, effects: IkeClientEffect[]): void {
    if (this.state !== 'up' || messageId !== this.quick) return
    const answer = this.initiator.quick3(bytes)
    this.lastTaken = bytes.slice()
    this.quick = undefined
    this.pending = undefined
    this.lastQuick = { messageId, bytes: answer.bytes }
    const { suite, outboundSpi, udpEncapsulated } = answer.pair
    const protection = `ESP ${suite.cipher}-${suite.integrity} ${udpEncapsulated ? 'in UDP' : 'as IP protocol 50'}`
    effects.push(say(`<- IKE Quick Mode 2: ${protection}, SPI ${outboundSpi.toString(16).padStart(8, '0')}`))
    effects.push(say('-> IKE Quick Mode 3: both directions are in use'))
    this.send(answer.bytes, effects)
    effects.push({ kind: 'pairUp', pair: answer.pair })
  }

  /** Protected ones once Main Mode is through; before, a notify in the clear is the server's refusal. */
  private informational(bytes: Uint8Array, effects: IkeClientEffect[]): void {
    const known = this.state === 'up'
    const payloads = known ? this.initiator.openInformational(bytes) : parseMessage(bytes).payloads
    for (const { type, body } of payloads) {
      if (type === PayloadType.Delete && known) {
        const deletion = parseDeletion(body)
        if (deletion.spiSize === 16) {
          effects.push(say('<- IKE Delete: the ISAKMP SA'), { kind: 'isakmpDeleted' })
          this.end()
          continue
        }
        for (const spi of deletion.spis) {
          const outboundSpi = readIpv4(spi)
          effects.push(say(`<- IKE Delete: ESP SPI ${outboundSpi.toString(16).padStart(8, '0')}`))
          effects.push({ kind: 'pairDeleted', outboundSpi })
        }
      } else if (type === PayloadType.Notification) {
        const { type: notify, data } = parseNotification(body)
        effects.push(say(`<- IKE notify ${notifyName(notify)}`))
        if (known && notify === Notify.DpdRUThere) this.send(this.initiator.iAmHere(data), effects)
        const answered = notify === Notify.DpdRUThereAck && data.length === 4 && readIpv4(data) === this.question
        if (known && answered) effects.push({ kind: 'alive' })
        // Notifies below 16384 are errors (RFC 2408 section 3.14.1).
        if (notify < Notify.Connected && (!known || this.quick !== undefined)) {
          this.fail(`the server refused: ${notifyName(notify)}`, effects)
        }
      }
    }
  }

  private delete(inboundSpis: readonly number[], isakmp: boolean, form: DeleteForm, effects: IkeClientEffect[]): void {
    if (this.state !== 'up') return
    const { initiator } = this
    const esp = () => {
      for (const spi of inboundSpis) {
        effects.push(say(`-> IKE Delete: ESP SPI ${spi.toString(16).padStart(8, '0')}`))
        this.send(initiator.deleteEsp(spi), effects)
      }
    }
    if (!isakmp) return form === 'none' ? undefined : esp()
    if (form === 'together' && inboundSpis.length > 0) {
      effects.push(say('-> IKE Delete: every SA'))
      this.send(initiator.deleteAll(inboundSpis), effects)
    } else if (form !== 'none') {
      if (form !== 'isakmpFirst') esp()
      effects.push(say('-> IKE Delete: the ISAKMP SA'))
      this.send(initiator.deleteIsakmp(), effects)
      if (form === 'isakmpFirst') esp()
    }
    this.end()
  }

  /** This phase 1 is over. A Quick Mode under way under it comes to nothing. */
  private end(): void {
    this.state = 'over'
    this.pending = undefined
    this.quick = undefined
  }

  private taken(bytes: Uint8Array, state: State): void {
    this.lastTaken = bytes.slice()
    this.state = state
    this.pending = undefined
  }

  private ask(what: string, bytes: Uint8Array, now: Millis, effects: IkeClientEffect[]): void {
    this.pending = { what, bytes, tries: 1, at: now + this.o.intervals[0]! }
    this.send(bytes, effects)
  }

  private retransmit(now: Millis, effects: IkeClientEffect[]): void {
    const { pending } = this
    if (pending === undefined || now < pending.at) return
    const wait = this.o.intervals[pending.tries++]
    if (wait === undefined) return this.fail(`no answer to ${pending.what}`, effects, true)
    pending.at = now + wait
    effects.push(say(`-> IKE ${pending.what} again`))
    this.send(pending.bytes, effects)
  }

  private fail(reason: string, effects: IkeClientEffect[], unanswered = false): void {
    const phase = this.state === 'up' ? 2 : 1
    // A server that answers no Quick Mode has no such phase 1 any more.
    if (phase === 1 || unanswered) this.end()
    this.pending = undefined
    this.quick = undefined
    effects.push({ kind: 'failed', phase, reason })
  }

  private send(bytes: Uint8Array, effects: IkeClientEffect[]): void {
    effects.push({ kind: 'send', port: this.initiator.port, bytes })
  }
}

function say(text: string): IkeClientEffect {
  return { kind: 'step', text }
}

function describePhase1(suite: { cipher: string; hash: string; group: number }): string {
  return `${suite.cipher}-${suite.hash}-group${suite.group}`
}

function natText(nat: { client: boolean; server: boolean }): string {
  if (nat.client) return nat.server ? 'a NAT at either side' : 'we are behind a NAT'
  return nat.server ? 'the server is behind a NAT' : 'no NAT in between'
}
