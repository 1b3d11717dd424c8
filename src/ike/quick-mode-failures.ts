/** What went wrong in a Quick Mode, and what to change, in the operator's words: none of this ever goes to the peer. */

import { type Failure, placeText } from './context.ts'
import type { IkeError } from './error.ts'
import type { QuickAnswer } from './quick-mode.ts'
import type { EstablishedPhase1, Place } from './state.ts'

export function noProposal(place: Place, answer: Extract<QuickAnswer, { kind: 'refused' }>): Failure {
  const { offered, allowed, nearest } = answer.refusal
  return {
    cause: 'no-proposal-phase2',
    detail: `${placeText(place)} offered ${offered.join(', ')}; IPsec policy "${answer.policy.name}" allows ${allowed.join(', ')}`,
    remedy: nearest,
  }
}

export function noPolicy(phase1: EstablishedPhase1, place: Place, identities: string): Failure {
  return {
    cause: 'bad-identity',
    detail: `${placeText(place)} asked to protect ${identities}, which no IPsec policy of ISAKMP policy "${phase1.start.policy.name}" covers`,
    remedy: 'create an IPsec policy with ACTION=IPSEC for UDP port 1701, or correct the ports of the one there is',
  }
}

export function policyInTheWay(place: Place, answer: Extract<QuickAnswer, { kind: 'clear' | 'taken' }>): Failure {
  const { name, action } = answer.policy
  if (answer.kind === 'taken')
    return {
      cause: 'bad-identity',
      detail: `IPsec policy "${name}" has PEERADDRESS=DYNAMIC, which is for one peer at a time, and another than ${placeText(place)} has it`,
      remedy: `set ipsec policy="${name}" peeraddress=any`,
    }
  return {
    cause: 'bad-identity',
    detail: `IPsec policy "${name}" with ACTION=${action.toUpperCase()} comes before any with ACTION=IPSEC for the L2TP of ${placeText(place)}`,
    remedy: `move policies with open selectors behind those with ACTION=IPSEC: set ipsec policy="${name}" position=100`,
  }
}

export function badMessage(place: Place, e: IkeError): Failure {
  return {
    cause: 'bad-message',
    detail: `the Quick Mode of ${placeText(place)} is not acceptable: ${e.message}`,
    remedy: 'capture the exchange and report the client: its Quick Mode does not follow RFC 2409',
  }
}

export function noThird(place: Place, sent: number): Failure {
  return {
    cause: 'timeout',
    detail: `${placeText(place)} never completed its Quick Mode, though our message went out ${sent} times`,
    remedy: 'see that long UDP datagrams from this gateway reach the client, and that it did not hang up',
  }
}

export function tooManyPending(place: Place, pending: number): Failure {
  return {
    cause: 'limit',
    detail: `${placeText(place)} has ${pending} Quick Modes under way and does not complete them`,
    remedy: 'restart the client',
  }
}
