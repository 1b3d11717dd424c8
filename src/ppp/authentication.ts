/** The authentication phase of a link (RFC 1661 section 3.5), and its repetition while the link is up (RFC 1994). */

import type { Dice, Millis } from '../machine.ts'
import { equal, NOTHING } from '../packet/bytes.ts'
import type { ChapResponse } from './chap.ts'
import { ChapAuthenticator } from './chap.ts'
import { RECHALLENGE_MILLIS } from './constants.ts'
import type { AuthenticationMethod, AuthenticationResult, PppTemplate } from './effects.ts'
import { PppError } from './error.ts'
import type { ControlPacket } from './frame.ts'
import { readResponse } from './mschap.ts'
import type { Trouble, Turn } from './negotiation.ts'
import type { Accepted } from './network.ts'
import { noResponse, notAdmitted, wrongAuthentication } from './troubles.ts'

/** What the authentication needs of the link around it. */
export interface Doorway {
  send(packet: ControlPacket, turn: Turn): void
  /** The peer is let in; told once, not after each repetition. */
  admitted(accepted: Accepted, turn: Turn): void
  /** The peer was refused, and its user may type once more: that takes time. */
  retrying(turn: Turn): void
  terminate(trouble: Trouble, turn: Turn): void
}

export class Authentication {
  /** Why the last try was refused, while the peer may try again. */
  refused: Trouble | undefined
  private readonly template: PppTemplate
  private readonly dice: Dice
  private readonly link: Doorway
  private chap: ChapAuthenticator | undefined
  private requests = 0
  /** The `authenticate` effect that waits for its answer. */
  private pending: { readonly request: number; readonly rawName: Uint8Array } | undefined
  /** The name with which the peer was let in: it has to prove the same one when it is challenged again. */
  private admittedName: Uint8Array | undefined
  private rechallengeAt: Millis | undefined

  constructor(template: PppTemplate, dice: Dice, link: Doorway) {
    this.template = template
    this.dice = dice
    this.link = link
  }

  get deadline(): Millis | undefined {
    return this.chap?.deadline ?? this.rechallengeAt
  }

  /** LCP is up, and `method` was agreed on. */
  start(method: AuthenticationMethod, turn: Turn): void {
    if (method === 'none') {
      const nobody = { identifier: 0, name: '', rawName: NOTHING, challenge: NOTHING, value: NOTHING }
      return this.ask(method, nobody, turn)
    }
    this.chap = new ChapAuthenticator(this.template.hostName, this.dice, method)
    this.challenge(turn)
  }

  /** LCP fell back: what was proven is void. */
  stop(): void {
    this.chap = undefined
    this.pending = undefined
    this.admittedName = undefined
    this.rechallengeAt = undefined
    this.refused = undefined
  }

  /** Whether CHAP is spoken on this link at all. */
  get speaks(): boolean {
    return this.chap !== undefined
  }

  /** A packet of CHAP; answers whether it meant anything. */
  receive(packet: ControlPacket, turn: Turn): boolean {
    const { chap } = this
    if (!chap) return false
    try {
      const outcome = chap.receive(packet)
      if (outcome.kind === 'verify') this.verify(chap, outcome.response, turn)
      else if (outcome.kind === 'send') this.link.send(outcome.packet, turn)
      return outcome.kind !== 'ignore'
    } catch (error) {
      if (!(error instanceof PppError)) throw error
      this.link.terminate(wrongAuthentication(error), turn)
      return true
    }
  }

  /** AAA's answer to our `authenticate` effect. */
  answered(request: number, result: AuthenticationResult, turn: Turn): void {
    if (request !== this.pending?.request) return
    const { rawName } = this.pending
    this.pending = undefined
    const { replies, retry } = this.chap?.decide(result) ?? { replies: [], retry: false }
    for (const reply of replies) this.link.send(reply, turn)
    if (result.kind === 'accepted') return this.admitted(rawName, result, turn)
    if (!retry) return this.link.terminate(notAdmitted(result.reason), turn)
    this.refused = notAdmitted(result.reason)
    this.link.retrying(turn)
  }

  expire(turn: Turn): void {
    if (this.rechallengeAt !== undefined && this.rechallengeAt <= turn.now) {
      this.rechallengeAt = undefined
      this.chap?.again(RECHALLENGE_MILLIS)
    }
    this.challenge(turn)
  }

  /** Success is never acknowledged: once more, for a peer that seems not to have heard it. */
  repeat(turn: Turn): void {
    const success = this.chap?.repeat()
    if (success) this.link.send(success, turn)
  }

  private challenge(turn: Turn): void {
    const challenge = this.chap?.challenge(turn.now)
    if (challenge) this.link.send(challenge, turn)
    else this.link.terminate(noResponse, turn)
  }

  private verify(chap: ChapAuthenticator, response: ChapResponse, turn: Turn): void {
    if (this.admittedName === undefined || equal(this.admittedName, response.rawName))
      return this.ask(chap.method, response, turn)
    const { replies } = chap.decide({ kind: 'rejected', reason: 'not-allowed', message: 'Authentication failed' })
    for (const reply of replies) this.link.send(reply, turn)
    this.link.terminate(notAdmitted('not-allowed'), turn)
  }

  private ask(method: AuthenticationMethod, r: ChapResponse, turn: Turn): void {
    const { name, rawName, identifier, challenge, value } = r
    const request = ++this.requests
    this.pending = { request, rawName }
    const parts = method === 'mschap2' ? readResponse(value) : { peerChallenge: NOTHING, ntResponse: value }
    turn.effects.push({
      kind: 'authenticate',
      request,
      name,
      rawName,
      method,
      again: this.admittedName !== undefined,
      identifier,
      challenge,
      peerChallenge: parts.peerChallenge,
      response: parts.ntResponse,
    })
  }

  private admitted(rawName: Uint8Array, accepted: Accepted, turn: Turn): void {
    const again = this.admittedName !== undefined
    this.admittedName = rawName
    this.refused = undefined
    this.rechallengeAt = this.nextRechallenge(turn.now)
    if (!again) this.link.admitted(accepted, turn)
  }

  private nextRechallenge(now: Millis): Millis | undefined {
    if (!this.chap || !this.template.rechallengeSeconds) return undefined
    const [least, most] = this.template.rechallengeSeconds
    const [a, b] = this.dice(2)
    return now + (least + ((((a! << 8) | b!) * (most - least)) >>> 16)) * 1000
  }
}
