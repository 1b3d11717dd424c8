/** The door: who calls is decided about, told to the log and counted, and the decision becomes PPP's result. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AuthenticationResult, PppEffect } from '../ppp/effects.ts'
import { type Log, Severity } from './log.ts'
import type { Admission, Residents } from './residents.ts'
import type { Session } from './session.ts'

/** A caller that wants in, or is to prove its password once more. */
export type Authenticate = Extract<PppEffect, { kind: 'authenticate' }>

export class Admissions {
  /** What the router counts by user. */
  readonly counts: Authentications = new Map()
  private readonly residents: Residents
  private readonly log: Log

  constructor(residents: Residents, log: Log) {
    this.residents = residents
    this.log = log
  }

  decide(s: Session, e: Authenticate): Admission {
    const admission = this.ask(s, e)
    countAuthentication(this.counts, e.name, admission)
    const accepted = admission.kind === 'accepted'
    this.log.add({
      severity: accepted ? Severity.Info : Severity.Notice,
      module: 'USER',
      text: accepted
        ? `User ${admission.user} authenticated${e.again ? ' again' : ''} on ${s.name}`
        : `User ${e.name} failed to authenticate: ${admission.reason}`,
      fields: { session: s.ids.session, peer: s.ids.peer },
    })
    return admission
  }

  private ask(s: Session, e: Authenticate): Admission {
    const at = { session: s.ids.session, template: s.ids.template, peer: s.ids.peer }
    if (e.method === 'none') return this.residents.admitAnyone(at)
    const request = { ...e, method: e.method }
    if (e.again && s.admission) return this.residents.confirm(request, s.admission)
    return this.residents.admit(request, at)
  }
}

/** What the client is told is the same for every refusal: nobody learns which names there are. */
export function resultOf(admission: Admission, residents: Residents, localAddress: Ipv4): AuthenticationResult {
  if (admission.kind === 'rejected')
    return { kind: 'rejected', reason: admission.reason, message: 'Authentication failed' }
  const { user, address, proof } = admission
  const { dns, wins } = residents
  return { kind: 'accepted', user, address, localAddress, dns, wins, message: 'Welcome', proof }
}

/** By user name in lower case. A name that no user bears is not kept: whoever guesses would fill the list. */
type Authentications = Map<string, { good: number; bad: number }>

function countAuthentication(all: Authentications, name: string, admission: Admission): void {
  const key = name.toLowerCase()
  const count = all.get(key) ?? { good: 0, bad: 0 }
  const accepted = admission.kind === 'accepted'
  if (accepted) count.good++
  else count.bad++
  if (accepted || admission.reason !== 'unknown-user') all.set(key, count)
}
