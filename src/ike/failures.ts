/** What went wrong in a Main Mode, and what to change, in the operator's words: none of this ever goes to the peer. */

import { formatIpv4 } from '../packet/ip.ts'
import { certificateFailure, noCredentials } from './certificate-failures.ts'
import { type Failure, placeText } from './context.ts'
import type { IkeError } from './error.ts'
import { WHOLE_LENGTH } from './fragment.ts'
import type { FirstAnswer } from './main-mode.ts'
import type { IsakmpPolicy, LocalIdentity } from './policy.ts'
import type { Phase1, Place } from './state.ts'
import type { TrialRefusal } from './trial.ts'

export function noPolicy(place: Place): Failure {
  const address = formatIpv4(place.remote.address)
  return {
    cause: 'no-proposal-phase1',
    detail: `no ISAKMP policy answers ${address}`,
    remedy: `create an ISAKMP policy with PEER=ANY or PEER=${address}`,
  }
}

export function refusalFailure(answer: Exclude<FirstAnswer, { kind: 'chosen' }>, place: Place): Failure {
  const { policy } = answer
  if (answer.kind === 'no-key') {
    if (policy.authentication === 'rsa') return noCredentials(policy)
    const key = policy.keyId === undefined ? 'a pre-shared key' : `ENCO key ${policy.keyId}`
    return {
      cause: 'no-key',
      detail: `ISAKMP policy "${policy.name}" has no pre-shared key for ${placeText(place)}`,
      remedy: `create ${key}, and see that ISAKMP policy "${policy.name}" names it`,
    }
  }
  const { offered, allowed, nearest } = answer.refusal
  return {
    cause: 'no-proposal-phase1',
    detail: `${answer.client} offered ${offered.join(', ')}; ISAKMP policy "${policy.name}" allows ${allowed.join(', ')}`,
    remedy: nearest,
  }
}

export function badMessage(place: Place, e: IkeError, message: 'third' | 'fifth'): Failure {
  return {
    cause: 'bad-message',
    detail: `the ${message} message of ${placeText(place)} is not acceptable: ${e.message}`,
    remedy: 'capture the exchange and report the client: its Main Mode does not follow RFC 2409',
  }
}

/** `e` is the one of `refusals`' errors that tells most. */
export function fifthRefused(phase1: Phase1, place: Place, e: IkeError, refusals: readonly TrialRefusal[]): Failure {
  if (e.reason === 'bad-identity') return badIdentity(place, refusals)
  const certificate = certificateFailure(phase1, place, e)
  if (certificate !== undefined) return certificate
  // What is wrong behind a hash that was right says nothing of the key.
  return e.reason === 'wrong-key' ? wrongKey(place, refusals) : badMessage(place, e, 'fifth')
}

/** No key fits: `refusals` has one for each that was tried. */
function wrongKey(place: Place, refusals: readonly TrialRefusal[]): Failure {
  const reason = refusals[0]!.error.message
  const names = refusals.map(r => policyText(r.policy)).join(', ')
  if (refusals.length > 1)
    return {
      cause: 'wrong-key',
      detail: `the pre-shared key of ${placeText(place)} is none of the ${refusals.length} that were tried, those of the ISAKMP policies ${names}: ${reason}`,
      remedy: `check the pre-shared key on the client against that of its group: one of ${names}`,
    }
  return {
    cause: 'wrong-key',
    detail: `the pre-shared key of ${placeText(place)} is not that of ISAKMP policy "${refusals[0]!.policy.name}": ${reason}`,
    remedy: `check the pre-shared key on the client against ISAKMP policy ${names}`,
  }
}

function policyText(policy: IsakmpPolicy): string {
  return policy.keyId === undefined ? `"${policy.name}"` : `"${policy.name}" (ENCO key ${policy.keyId})`
}

/** A key fits, but its policy wants somebody else. */
function badIdentity(place: Place, refusals: readonly TrialRefusal[]): Failure {
  const refused = refusals.filter(r => r.error.reason === 'bad-identity')
  const wanted = refused.map(r => `ISAKMP policy "${r.policy.name}" wants "${r.policy.remoteIdentity}"`).join(', ')
  return {
    cause: 'bad-identity',
    detail: `${placeText(place)} calls itself "${refused[0]!.error.message}"; ${wanted}`,
    remedy: `change REMOTEID of ISAKMP policy "${refused[0]!.policy.name}", or the identity on the client`,
  }
}

export function tooMany(place: Place, maxPeers: number): Failure {
  return {
    cause: 'limit',
    detail: `${placeText(place)} authenticated, but all ${maxPeers} places are taken`,
    remedy: 'disconnect idle clients, or raise the number of peers',
  }
}

/** A peer said that it gives up. */
export function clientRefused(place: Place, text: string): Failure {
  return {
    cause: 'client-refused',
    detail: `${placeText(place)} ended the negotiation; its reason: ${text}`,
    remedy: `correct on the client or here what its reason names; the client's own log tells more`,
  }
}

const LONG_MESSAGES =
  'look whether a firewall or router on the way drops IP fragments, or the path has an MTU smaller than the client believes (RFC 2923)'

/** The client repeats its fifth message. Certificates make our answer long; a short one may also name us wrongly. */
export function unheardAnswer(length: number, identity: LocalIdentity): Pick<Failure, 'detail' | 'remedy'> {
  const repeats = 'the client repeats its last message of Main Mode'
  if (length > WHOLE_LENGTH)
    return {
      detail: `${repeats}, so our answer of ${length} bytes does not seem to arrive`,
      remedy: LONG_MESSAGES,
    }
  return {
    detail: `${repeats}: it does not accept ${ownName(identity)} as our identity, or our answer does not arrive`,
    remedy: `${expectUs(identity)}; else look whether UDP 4500 from this gateway reaches it`,
  }
}

/** A peer said, after our sixth message, that it knows us by another name. */
export function identityRefused(place: Place, identity: LocalIdentity): Failure {
  return {
    cause: 'client-refused',
    detail: `${placeText(place)} does not accept ${ownName(identity)} as our identity`,
    remedy: expectUs(identity),
  }
}

function ownName(identity: LocalIdentity): string {
  return identity.kind === 'address' ? 'our address' : `"${identity.name}" (LOCALID)`
}

function expectUs(identity: LocalIdentity): string {
  const libreswan = identity.kind === 'fqdn' ? ` (libreswan: rightid=@${identity.name}), or take LOCALID out` : ''
  return `have the client expect that identity${libreswan}`
}

/** What the silence after message 2 or 4 means. */
export function silence(phase1: Phase1): Failure {
  const who = `${placeText(phase1.place)} (${phase1.start.client})`
  if (phase1.hearsay !== undefined) return clientRefused(phase1.place, `${phase1.hearsay} (told in clear, so unproven)`)
  if (phase1.postponed > 0 && phase1.state.name === 'SASENT')
    return {
      cause: 'limit',
      detail: `${who} found no time left for its key exchange, ${phase1.postponed} times: too many are asked for, from its network or from everywhere`,
      remedy: 'look at "show counter=ike" (key-exchange-postponed), and block whoever floods this gateway',
    }
  if (phase1.state.name === 'SASENT')
    return {
      cause: 'no-reply',
      detail: `our answer to the first message of ${who} was never followed up; it repeated itself ${phase1.repetitions} times`,
      remedy: 'see that UDP port 500 from this gateway reaches the client: a firewall or NAT drops the answers',
    }
  if (phase1.incomplete)
    return {
      cause: 'mtu',
      detail: `${who} sent its fifth message in pieces, and some of them never came`,
      remedy: `${LONG_MESSAGES}, or whether the path loses packets`,
    }
  const nat = phase1.state.name === 'KESENT' ? phase1.state.keys.nat : { client: false, server: false }
  const port = nat.client || nat.server ? 'UDP port 4500' : 'UDP port 500'
  const hint = nat.server
    ? '; the client sees this gateway behind a NAT, which Windows refuses: state the public address, or set AssumeUDPEncapsulationContextOnSendRule on the client'
    : ''
  if (phase1.start.policy.authentication === 'rsa')
    return {
      cause: 'mtu',
      detail: `${who} never went on after our key exchange: its fifth message, which bears its certificate and is long, did not come on ${port}`,
      remedy: `open ${port} towards this gateway; where it is open, ${LONG_MESSAGES}${hint}`,
    }
  return {
    cause: 'no-float',
    detail: `${who} never went on after our key exchange: nothing came on ${port}`,
    remedy: `open ${port} towards this gateway${hint}`,
  }
}
