/** Who may connect, and with which address: the users of the script; RADIUS comes beside them later. */

import { Secret } from '../packet/bytes.ts'
import { verifyChapMd5 } from './chap.ts'
import type { DialInUser, Users } from './users.ts'

export interface ChapMd5Request {
  readonly name: string
  readonly identifier: number
  readonly challenge: Uint8Array
  readonly response: Uint8Array
}

export type Decision =
  | { readonly kind: 'accepted'; readonly user: DialInUser }
  | { readonly kind: 'rejected'; readonly reason: 'unknown-user' | 'wrong-password' }

/** Stands in for the password of a user who does not exist. */
const NOBODY = Secret.fromText('nobody has this password')

/**
 * Verifies a CHAP-MD5 response. An unknown name costs the same computation as a wrong password; `reason` is for the
 * operator alone, the peer is to be told the same for both.
 */
export function authenticateChap(users: Users, request: ChapMd5Request): Decision {
  const user = users.lookup(request.name)
  const secret = user?.password ?? NOBODY
  const verified = verifyChapMd5(request.identifier, secret, request.challenge, request.response)
  if (user === undefined) return { kind: 'rejected', reason: 'unknown-user' }
  return verified ? { kind: 'accepted', user } : { kind: 'rejected', reason: 'wrong-password' }
}
