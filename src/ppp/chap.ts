/** The authenticator's side of CHAP (RFC 1994): challenges, and one answer that can be repeated. */

import type { Dice, Millis } from '../machine.ts'
import { encodeText, printable } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import { CHALLENGE_LENGTH, CHALLENGE_MILLIS, ChapCode, MAX_CHALLENGES, MD5_LENGTH } from './constants.ts'
import { PppError } from './error.ts'
import type { ControlPacket } from './frame.ts'

/** A Response to one of our challenges, to be verified. */
export interface ChapResponse {
  readonly identifier: number
  readonly name: string
  readonly challenge: Uint8Array
  readonly value: Uint8Array
}

export type ChapOutcome =
  | { readonly kind: 'send'; readonly packet: ControlPacket }
  | { readonly kind: 'verify'; readonly response: ChapResponse }
  | { readonly kind: 'ignore' }

type ChapState =
  | { readonly kind: 'challenging' }
  /** A Response is being verified; `identifiers` are those of all Responses since. */
  | { readonly kind: 'deciding'; readonly identifiers: Set<number> }
  | { readonly kind: 'decided'; readonly reply: ControlPacket }

const IGNORE: ChapOutcome = { kind: 'ignore' }

export class ChapAuthenticator {
  /** When the next challenge is due, or when there is nothing left to wait for. */
  deadline: Millis | undefined
  private readonly name: Uint8Array
  private readonly dice: Dice
  private state: ChapState = { kind: 'challenging' }
  /** Every challenge sent by its identifier: an answer to an earlier copy, late on a slow path, still counts. */
  private readonly challenges = new Map<number, Uint8Array>()
  private nextId: number

  /** `hostName` stands in our challenges. */
  constructor(hostName: string, dice: Dice) {
    this.name = encodeText(hostName)
    this.dice = dice
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
    this.deadline = now + CHALLENGE_MILLIS
    return { code: ChapCode.Challenge, id, data: concat(Uint8Array.of(value.length), value, this.name) }
  }

  /** A packet of the peer. Throws PppError where a Response is broken or not one of CHAP-MD5. */
  receive(packet: ControlPacket): ChapOutcome {
    const challenge = this.challenges.get(packet.id)
    if (packet.code !== ChapCode.Response || challenge === undefined) return IGNORE
    switch (this.state.kind) {
      case 'challenging': {
        const size = packet.data[0]
        if (size !== MD5_LENGTH || packet.data.length < 1 + size) throw new PppError('not a CHAP-MD5 response')
        const value = packet.data.slice(1, 1 + size)
        const name = printable(packet.data.subarray(1 + size), 256)
        this.state = { kind: 'deciding', identifiers: new Set([packet.id]) }
        this.deadline = undefined
        return { kind: 'verify', response: { identifier: packet.id, name, challenge, value } }
      }
      case 'deciding':
        this.state.identifiers.add(packet.id)
        return IGNORE
      case 'decided':
        // RFC 1994 section 4.2: the answer may have been lost, and must be the same again.
        return { kind: 'send', packet: { ...this.state.reply, id: packet.id } }
    }
  }

  /** The Success or Failure, one for each Response that came meanwhile. */
  decide(accepted: boolean, message: string): readonly ControlPacket[] {
    if (this.state.kind !== 'deciding') return []
    const data = encodeText(message)
    const code = accepted ? ChapCode.Success : ChapCode.Failure
    const replies = [...this.state.identifiers].map(id => ({ code, id, data }))
    this.state = { kind: 'decided', reply: replies.at(-1)! }
    return replies
  }

  /** The answer once more, for a peer that seems not to have heard it. */
  repeat(): ControlPacket | undefined {
    return this.state.kind === 'decided' ? this.state.reply : undefined
  }
}
