/** How AAA's decision about a caller becomes PPP's result, and a count for SHOW USER. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AuthenticationResult } from '../ppp/effects.ts'
import type { Admission, Residents } from './residents.ts'

/** What the client is told is the same for every refusal: nobody learns which names there are. */
export function resultOf(admission: Admission, residents: Residents, localAddress: Ipv4): AuthenticationResult {
  if (admission.kind === 'rejected')
    return { kind: 'rejected', reason: admission.reason, message: 'Authentication failed' }
  const { user, address, proof } = admission
  const { dns, wins } = residents
  return { kind: 'accepted', user, address, localAddress, dns, wins, message: 'Welcome', proof }
}

/** By user name in lower case. A name that no user bears is not kept: whoever guesses would fill the list. */
export type Authentications = Map<string, { good: number; bad: number }>

export function countAuthentication(all: Authentications, name: string, admission: Admission): void {
  const key = name.toLowerCase()
  const count = all.get(key) ?? { good: 0, bad: 0 }
  const accepted = admission.kind === 'accepted'
  if (accepted) count.good++
  else count.bad++
  if (accepted || admission.reason !== 'unknown-user') all.set(key, count)
}
