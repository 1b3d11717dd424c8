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
  private readonly to: {
    readonly residents: Residents
    readonly log: Log
    /** A user's sessions whose client calls itself by that name. */
    readonly sessionsOf: (user: string, hostName: string) => Iterable<Session>
    /** Where a peer comes from, and who it says it is. */
    readonly clientOf: (peer: number) => string | undefined
  }

  constructor(to: Admissions['to']) {
    this.to = to
  }

  decide(s: Session, e: Authenticate): Admission {
    const admission = this.ask(s, e)
    countAuthentication(this.counts, e.name, admission)
    const accepted = admission.kind === 'accepted'
    this.to.log.add({
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
    const { residents } = this.to
    const { session, template, peer } = s.ids
    const at = { session, template, peer, predecessor: (user: string) => this.predecessor(s, user)?.ids.session }
    if (e.method === 'none') return residents.admitAnyone(at)
    const request = { ...e, method: e.method }
    if (e.again && s.admission) return residents.confirm(request, s.admission)
    return residents.admit(request, at)
  }

  /**
   * Whether two sessions are one client's, which has got another port from its NAT since: it comes from the same address
   * under the same names in IKE and L2TP. Asked of sessions of one user alone.
   */
  sameClient(a: Session, b: Session): boolean {
    const { clientOf } = this.to
    const known = clientOf(a.ids.peer)
    if (known === undefined || a.ids.peer === b.ids.peer) return false
    return a.ids.hostName === b.ids.hostName && known === clientOf(b.ids.peer)
  }

  /** The session that the client of this one left behind without a word. */
  private predecessor(s: Session, user: string): Session | undefined {
    for (const old of this.to.sessionsOf(user, s.ids.hostName)) if (this.sameClient(old, s)) return old
    return undefined
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
