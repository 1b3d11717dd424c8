/**
 * One pre-shared key a group of users: in Main Mode the key has to be chosen before the client says who it is (RFC 2409
 * section 5.4), so where several ISAKMP policies answer anyone, its fifth message is tried against the key of each.
 */

import type { Ipv4 } from '../packet/ip.ts'
import { IkeError } from './error.ts'
import { type Authenticated, authenticate } from './main-mode.ts'
import type { ParsedHeader } from './message.ts'
import type { IsakmpPolicy } from './policy.ts'
import type { KeSent, MainModeKeys, MainModeStart } from './state.ts'

export interface TrialRefusal {
  readonly policy: IsakmpPolicy
  readonly error: IkeError
}

export type TrialResult =
  | {
      readonly kind: 'authenticated'
      readonly start: MainModeStart
      readonly keys: MainModeKeys
      readonly answer: Authenticated
    }
  | { readonly kind: 'refused'; readonly refusals: readonly TrialRefusal[] }

/**
 * Message 5 against the key of the policy that was chosen, then against the others; nothing changes but by success.
 * Throws IkeError where the message says nothing of any key, being cut or in clear.
 */
export function authenticateByTrial(
  header: ParsedHeader,
  bytes: Uint8Array,
  start: MainModeStart,
  { keys, trials }: Pick<KeSent, 'keys' | 'trials'>,
  ownAddress: Ipv4,
): TrialResult {
  const refusals: TrialRefusal[] = []
  for (let i = -1; i < trials.length; i++) {
    const trial = trials[i]
    const assumed = trial ? { ...start, policy: trial.policy, lifetimeSeconds: trial.lifetimeSeconds } : start
    const assumedKeys = trial?.keys ?? keys
    try {
      const answer = authenticate(header, bytes, assumed, assumedKeys, ownAddress)
      return { kind: 'authenticated', start: assumed, keys: assumedKeys, answer }
    } catch (e) {
      if (!(e instanceof IkeError) || e.reason === 'cleartext' || e.reason === 'bad-ciphertext') throw e
      refusals.push({ policy: assumed.policy, error: e })
    }
  }
  return { kind: 'refused', refusals }
}
