/** Why a certificate was refused, and what to change, in the operator's words: none of this ever goes to the peer. */

import type { CertificateFault } from './certificate-path.ts'
import { type Failure, placeText } from './context.ts'
import type { IkeError } from './error.ts'
import type { IsakmpPolicy } from './policy.ts'
import type { Phase1, Place } from './state.ts'

const PREFIX = 'certificate-'

const remedies: Readonly<Record<CertificateFault, string>> = {
  missing:
    "import the client's certificate with its key into the machine store (not the user's), and the authority's too",
  malformed: 'make the certificate anew, and import it into the client',
  expired: 'check the clocks of both sides; else CREATE CERTIFICATE USER=... and import it into the client',
  'not-yet-valid': "check the clocks of both sides: the certificate's time has not come",
  'unknown-authority':
    "use a certificate of this gateway's own authority, or put the other authority's into pki/ca.pem",
  'not-an-authority': 'have the certificate issued by an authority that is marked as one',
  'too-deep': 'have the certificate issued by a higher authority',
  revoked: 'CREATE CERTIFICATE USER=... anew and import it, if this client is to come in again',
  'wrong-usage': 'use a certificate for digital signatures with an RSA key, for client authentication or IPsec',
  weak: 'use an RSA key of 2048 to 8192 bits, signed with SHA-1 or better by an authority with such a key',
  'not-understood': 'use a certificate without name constraints and unknown critical extensions',
  'wrong-name': 'change REMOTEID of the ISAKMP policy, or use the certificate that it names',
  'wrong-identity': "see that the client's identity is its certificate's subject or one of its alternative names",
  'wrong-signature': "see that the client's private key belongs to its certificate: import both anew",
}

/** What an error of message 5 means where certificates are asked for; undefined for pre-shared keys. */
export function certificateFailure(phase1: Phase1, place: Place, e: IkeError): Failure | undefined {
  const { policy } = phase1.start
  if (policy.authentication !== 'rsa') return undefined
  if (!e.reason.startsWith(PREFIX))
    return {
      cause: 'bad-message',
      detail: `the fifth message of ${placeText(place)} is not acceptable: ${e.message}`,
      remedy: 'see that the client is set to certificates, and capture the exchange if it is',
    }
  return {
    cause: 'bad-certificate',
    detail: `ISAKMP policy "${policy.name}" refuses the certificate of ${placeText(place)}: ${e.message}`,
    remedy: remedies[e.reason.slice(PREFIX.length) as CertificateFault],
  }
}

export function noCredentials(policy: IsakmpPolicy): Failure {
  return {
    cause: 'no-key',
    detail: `ISAKMP policy "${policy.name}" wants certificates, and this gateway has none`,
    remedy: 'CREATE CA, then CREATE CERTIFICATE USER=... for each client',
  }
}
