/**
 * The authenticator's side of CHAP: challenges, and one answer that can be repeated. With MD5 (RFC 1994) one Response
 * decides; with MS-CHAPv2 (RFC 2759) a Failure carries a new challenge, and the client may ask its user once more.
 */

import type { Dice, Millis } from '../machine.ts'
import { encodeText, equal, printable } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import { CHALLENGE_LENGTH, CHALLENGE_MILLIS, ChapCode, MAX_CHALLENGES, MAX_RETRIES, MD5_LENGTH } from './constants.ts'
import type { AuthenticationResult } from './effects.ts'
import { PppError } from './error.ts'
import type { ControlPacket } from './frame.ts'
import { failureText, MSCHAP_LENGTH, mayRetry, successText } from './mschap.ts'

export type ChapMethod = 'chap-md5' | 'mschap2'

/** A Response to one of our challenges, to be verified. */
export interface ChapResponse {
  readonly identifier: number
  /** The name fit to be shown, and as it came. */
  readonly name: string
  readonly rawName: Uint8Array
  readonly challenge: Uint8Array
  readonly value: Uint8Array
}

export type ChapOutcome =
  | { readonly kind: 'send'; readonly packet: ControlPacket }
  | { readonly kind: 'verify'; readonly response: ChapResponse }
  | { readonly kind: 'ignore' }

/** Responses by their identifiers, byte for byte. */
type Responses = Map<number, Uint8Array>

type ChapState =
  | { readonly kind: 'challenging' }
  /** A Response is being verified; `responses` are this one and all that came since. */
  | { readonly kind: 'deciding'; readonly responses: Responses }
  /** `responses` were refused, and the next is to answer `challenge`. */
  | {
      readonly kind: 'retrying'
      readonly responses: Responses
      readonly challenge: Uint8Array
      readonly failure: ControlPacket
    }
  | { readonly kind: 'decided'; readonly reply: ControlPacket }

export type ChapVerdict =
  | Pick<Extract<AuthenticationResult, { kind: 'accepted' }>, 'kind' | 'message' | 'proof'>
  | Extract<AuthenticationResult, { kind: 'rejected' }>

const IGNORE: ChapOutcome = { kind: 'ignore' }

export class ChapAuthenticator {
  /** When the next challenge is due, or when there is nothing left to wait for. */
  deadline: Millis | undefined
  readonly method: ChapMethod
  private readonly name: Uint8Array
  private readonly dice: Dice
  private state: ChapState = { kind: 'challenging' }
  /** Every challenge sent by its identifier: an answer to an earlier copy, late on a slow path, still counts. */
  private readonly challenges = new Map<number, Uint8Array>()
  private nextId: number
  private interval = CHALLENGE_MILLIS
  private retriesLeft: number

  /** `hostName` stands in our challenges. */
  constructor(hostName: string, dice: Dice, method: ChapMethod = 'chap-md5') {
    this.name = encodeText(hostName)
    this.dice = dice
    this.method = method
    this.retriesLeft = method === 'mschap2' ? MAX_RETRIES : 0
    this.nextId = dice(1)[0]!
  }

  /**
   * The next challenge, with an identifier and a value of its own as RFC 1994 section 4.1 asks (and as Windows needs,
   * which answers each identifier once); undefined once MAX_CHALLENGES went unanswered.
   */
  challenge(now: Millis): ControlPacket | undefined {
    this.deadline = undefined
    if (this.challenges.size >= MAX_CHALLENGES) return undefined
    const id = this.nextId
    this.nextId = (id + 1) & 0xff
    const value = this.dice(CHALLENGE_LENGTH)
    this.challenges.set(id, value)
    this.deadline = now + this.interval
    return { code: ChapCode.Challenge, id, data: concat(Uint8Array.of(value.length), value, this.name) }
  }

  /**
   * Starts over on a link that is up; `challenge` is to follow, every `interval` milliseconds. The client answers by
   * itself, so there is nobody who could type the password once more.
   */
  again(interval: Millis): void {
    this.state = { kind: 'challenging' }
    this.challenges.clear()
    this.interval = interval
    this.retriesLeft = 0
  }

  /** A packet of the peer. Throws PppError where a Response is broken or not one of the method's. */
  receive(packet: ControlPacket): ChapOutcome {
    if (packet.code !== ChapCode.Response) return IGNORE
    if (this.state.kind === 'retrying') return this.retried(packet, this.state)
    const challenge = this.challenges.get(packet.id)
    if (challenge === undefined) return IGNORE
    switch (this.state.kind) {
      case 'challenging':
        return this.verify(packet, challenge)
      case 'deciding':
        this.state.responses.set(packet.id, packet.data)
        return IGNORE
      case 'decided':
        // RFC 1994 section 4.2: the answer may have been lost, and must be the same again.
        return { kind: 'send', packet: { ...this.state.reply, id: packet.id } }
    }
  }

  /** The Success or Failure, one for each Response that came meanwhile; after `retry` another one may come. */
  decide(verdict: ChapVerdict): { readonly replies: readonly ControlPacket[]; readonly retry: boolean } {
    if (this.state.kind !== 'deciding') return { replies: [], retry: false }
    const { responses } = this.state
    const challenge = this.method === 'mschap2' && verdict.kind === 'rejected' ? this.dice(CHALLENGE_LENGTH) : undefined
    const retry = verdict.kind === 'rejected' && mayRetry(verdict.reason) && this.retriesLeft > 0
    const code = verdict.kind === 'accepted' ? ChapCode.Success : ChapCode.Failure
    const data = encodeText(this.wording(verdict, retry, challenge))
    const replies = [...responses.keys()].map(id => ({ code, id, data }))
    const last = replies.at(-1)!
    if (retry && challenge) {
      this.retriesLeft--
      this.state = { kind: 'retrying', responses, challenge, failure: last }
    } else this.state = { kind: 'decided', reply: last }
    return { replies, retry }
  }

  /** The answer once more, for a peer that seems not to have heard it. */
  repeat(): ControlPacket | undefined {
    return this.state.kind === 'decided' ? this.state.reply : undefined
  }

  private wording(verdict: ChapVerdict, retry: boolean, challenge: Uint8Array | undefined): string {
    if (verdict.kind === 'accepted') return this.method === 'mschap2' ? successText(verdict) : verdict.message
    return challenge ? failureText(verdict, retry, challenge) : verdict.message
  }

  private verify(packet: ControlPacket, challenge: Uint8Array): ChapOutcome {
    const size = packet.data[0]
    const expected = this.method === 'mschap2' ? MSCHAP_LENGTH : MD5_LENGTH
    if (size !== expected || packet.data.length < 1 + size)
      throw new PppError(this.method === 'mschap2' ? 'not an MS-CHAPv2 response' : 'not a CHAP-MD5 response')
    const value = packet.data.slice(1, 1 + size)
    const rawName = packet.data.slice(1 + size)
    this.state = { kind: 'deciding', responses: new Map([[packet.id, packet.data]]) }
    this.deadline = undefined
    return {
      kind: 'verify',
      response: { identifier: packet.id, name: printable(rawName, 256), rawName, challenge, value },
    }
  }

  /**
   * After a Failure that allows another try. The new Response bears the refused one's identifier or the next, which RFC
   * 2759 leaves open; one that answers a challenge of before the Failure is late, and no try of its own.
   */
  private retried(packet: ControlPacket, state: Extract<ChapState, { kind: 'retrying' }>): ChapOutcome {
    const { responses, challenge, failure } = state
    const refused = responses.get(packet.id)
    const late = refused === undefined && this.challenges.has(packet.id)
    if (late || (refused && equal(refused, packet.data))) {
      responses.set(packet.id, packet.data)
      return { kind: 'send', packet: { ...failure, id: packet.id } }
    }
    if (!refused && !responses.has((packet.id - 1) & 0xff)) return IGNORE
    const outcome = this.verify(packet, challenge)
    this.challenges.clear()
    this.challenges.set(packet.id, challenge)
    return outcome
  }
}
