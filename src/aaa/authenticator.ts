/** Who may connect, and with which address: the users of the script; RADIUS comes beside them later. */

import { Secret } from '../packet/bytes.ts'
import { verifyChapMd5 } from './chap.ts'
import { authenticatorResponse, challengeHash, ntHash, verifyNtResponse } from './mschap.ts'
import type { DialInUser, Users } from './users.ts'

export interface ChapMd5Request {
  readonly method: 'chap-md5'
  readonly name: string
  readonly identifier: number
  readonly challenge: Uint8Array
  readonly response: Uint8Array
}

export interface MsChapV2Request {
  readonly method: 'mschap2'
  readonly name: string
  /** The name byte for byte, with a logon domain where the client put one: the response depends on it. */
  readonly rawName: Uint8Array
  readonly challenge: Uint8Array
  readonly peerChallenge: Uint8Array
  /** The NT-Response, 24 bytes. */
  readonly response: Uint8Array
}

export type ChapRequest = ChapMd5Request | MsChapV2Request

export type Decision =
  | {
      readonly kind: 'accepted'
      readonly user: DialInUser
      /** MS-CHAPv2: `S=` and what proves to the client that we know the password. Undefined for CHAP-MD5. */
      readonly proof: string | undefined
    }
  | { readonly kind: 'rejected'; readonly reason: 'unknown-user' | 'wrong-password' }

/** Stands in for the password of a user who does not exist. */
const NOBODY = Secret.fromText('nobody has this password')

/**
 * Verifies a response. An unknown name costs the same computation as a wrong password; `reason` is for the operator
 * alone, the peer is to be told the same for both.
 */
export function authenticateChap(users: Users, request: ChapRequest): Decision {
  const user = users.lookup(request.name)
  const password = user?.password ?? NOBODY
  const shown = request.method === 'mschap2' ? msChapV2(password, request) : chapMd5(password, request)
  if (user === undefined) return { kind: 'rejected', reason: 'unknown-user' }
  return shown.verified
    ? { kind: 'accepted', user, proof: shown.proof }
    : { kind: 'rejected', reason: 'wrong-password' }
}

interface Shown {
  readonly verified: boolean
  readonly proof: string | undefined
}

function chapMd5(password: Secret, r: ChapMd5Request): Shown {
  return { verified: verifyChapMd5(r.identifier, password, r.challenge, r.response), proof: undefined }
}

function msChapV2(password: Secret, r: MsChapV2Request): Shown {
  const hash = ntHash(password)
  const challenge = challengeHash(r.peerChallenge, r.challenge, r.rawName)
  return {
    verified: verifyNtResponse(hash, challenge, r.response),
    proof: authenticatorResponse(hash, r.response, challenge),
  }
}
