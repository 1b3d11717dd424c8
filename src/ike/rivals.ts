/** Which policies a client may mean that could not say yet who it is: their keys are tried with its fifth message. */

import type { IsakmpPolicy, Phase1Suite } from './policy.ts'

/** Keys tried with one message, the first policy's among them: each costs a decryption and two hashes. */
const MAX_TRIALS = 8

/** The policies that could have agreed to the very same suite under another key. */
export function otherPolicies(
  policies: readonly IsakmpPolicy[],
  chosen: IsakmpPolicy,
  suite: Phase1Suite,
): IsakmpPolicy[] {
  // Certificates say whose they are: nothing is to be guessed.
  if (chosen.peer !== 'any' || chosen.authentication === 'rsa') return []
  const fits = (p: IsakmpPolicy) =>
    p !== chosen &&
    p.peer === 'any' &&
    p.authentication !== 'rsa' &&
    p.presharedKey !== undefined &&
    p.natTraversal === chosen.natTraversal &&
    p.ciphers.includes(suite.cipher) &&
    p.hashes.includes(suite.hash) &&
    p.groups.includes(suite.group)
  return policies.filter(fits).slice(0, MAX_TRIALS - 1)
}
