/** Why a link is given up, in words for the operator. What is said here never goes to the peer. */

import { PppProtocol, SETUP_MILLIS } from './constants.ts'
import type { PppDownCause, RejectReason } from './effects.ts'
import type { Trouble } from './negotiation.ts'
import type { PppPhase } from './snapshot.ts'

const rejectReasons: Readonly<Record<RejectReason, string>> = {
  'unknown-user': 'the user is not known',
  'wrong-password': 'the password is wrong',
  'pool-empty': 'no address is left in the pool',
  'not-allowed': 'the user may not connect',
  unavailable: 'authentication is not available',
}

export function notAdmitted(reason: RejectReason): Trouble {
  return { cause: 'authentication-failed', detail: rejectReasons[reason] }
}

export const noResponse: Trouble = {
  cause: 'authentication-failed',
  detail: 'the client does not answer our CHAP challenges',
}

export function wrongAuthentication(error: Error): Trouble {
  return { cause: 'authentication-failed', detail: `${error.message}, which is what was agreed on` }
}

/** Our Configure-Requests came to nothing; `framesIn` is how many frames the peer has sent in all. */
export function lcpSilence(framesIn: number): Trouble {
  const detail =
    framesIn === 0 ? 'the client does not answer PPP at all' : 'the client did not answer our LCP Configure-Requests'
  return { cause: 'lcp-failed', detail }
}

export const lcpDivergence: Trouble = {
  cause: 'lcp-failed',
  detail: 'LCP does not converge: requests and refusals go on',
}

export function echoSilence(missed: number): Trouble {
  return { cause: 'echo-failed', detail: `no answer to ${missed} LCP Echo-Requests` }
}

/** The peer rejected a whole protocol: undefined where we can do without it. */
export function protocolRefused(protocol: number): Trouble | undefined {
  const names: Readonly<Record<number, string>> = {
    [PppProtocol.Ipcp]: 'IPCP',
    [PppProtocol.Chap]: 'CHAP',
    [PppProtocol.Lcp]: 'LCP',
  }
  const name = names[protocol]
  return name === undefined ? undefined : { cause: 'peer-refused', detail: `the client rejects ${name} altogether` }
}

const slowCauses: Readonly<Record<PppPhase, PppDownCause>> = {
  dead: 'lcp-failed',
  establish: 'lcp-failed',
  authenticate: 'authentication-failed',
  network: 'ipcp-failed',
  terminate: 'closed',
}

export function setupTooLong(phase: PppPhase): Trouble {
  return { cause: slowCauses[phase], detail: `not set up within ${SETUP_MILLIS / 1000} seconds (in phase ${phase})` }
}
