/** The sessions by what a login or a parting asks for: in thousands of them nothing is looked for one by one. */

import type { Session } from './session.ts'

export class SessionIndex {
  /** Those that have authenticated, by user and the client's own name. */
  private readonly logins = new Map<string, Set<Session>>()
  private readonly ofPeer = new Map<number, number>()

  add(s: Session): void {
    const { peer } = s.ids
    this.ofPeer.set(peer, (this.ofPeer.get(peer) ?? 0) + 1)
  }

  remove(s: Session): void {
    const { peer } = s.ids
    const left = (this.ofPeer.get(peer) ?? 0) - 1
    if (left > 0) this.ofPeer.set(peer, left)
    else this.ofPeer.delete(peer)
    this.loggedOut(s)
  }

  hasPeer(peer: number): boolean {
    return this.ofPeer.has(peer)
  }

  /** After the session's admission was set. */
  loggedIn(s: Session): void {
    const key = keyOf(s)
    if (key === undefined) return
    const there = this.logins.get(key)
    if (there) there.add(s)
    else this.logins.set(key, new Set([s]))
  }

  /** Before the session's admission is changed or taken away. */
  loggedOut(s: Session): void {
    const key = keyOf(s)
    const there = key === undefined ? undefined : this.logins.get(key)
    if (there?.delete(s) && there.size === 0) this.logins.delete(key!)
  }

  /** The sessions of a user that come from clients who call themselves like this, the longest there first. */
  of(user: string, hostName: string): Iterable<Session> {
    return this.logins.get(login(user, hostName)) ?? []
  }
}

function keyOf(s: Session): string | undefined {
  return s.admission?.kind === 'accepted' ? login(s.admission.user, s.ids.hostName) : undefined
}

function login(user: string, hostName: string): string {
  return `${user}\0${hostName}`
}
