/** Who may connect, and with which address: the users of the script; RADIUS comes beside them later. */

import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'

/** A user who may dial in. */
export interface DialInUser {
  readonly name: string
  readonly password: Secret
  /** The user's own inner address; it comes before any pool. */
  readonly address: Ipv4 | undefined
}

export interface ChapMd5Request {
  readonly name: string
  readonly identifier: number
  readonly challenge: Uint8Array
  readonly response: Uint8Array
}

export type Decision =
  | { readonly kind: 'accepted'; readonly user: DialInUser }
  | { readonly kind: 'rejected'; readonly reason: 'unknown-user' | 'wrong-password' }
