/** Which sessions belong to each of a ruleset's audiences: workers ask it for every rule with USER or GROUP, control where forwards go. */

import { MAX_SESSIONS } from '../packet/table.ts'
import { isInAudience, type Ruleset } from './ruleset.ts'

export class Audiences {
  /** By audience of the ruleset, then by session. */
  members: readonly Uint8Array[] = []
  private latest = new Uint32Array(0)

  /** Begins anew under another ruleset; then every session is to be enrolled. */
  reset(ruleset: Ruleset): void {
    this.members = ruleset.audiences.map(() => new Uint8Array(MAX_SESSIONS))
    this.latest = new Uint32Array(ruleset.audiences.length)
  }

  enroll(ruleset: Ruleset, session: number, user: string): void {
    ruleset.audiences.forEach((audience, i) => {
      const member = isInAudience(ruleset, audience, user)
      this.members[i]![session] = member ? 1 : 0
      if (member) this.latest[i] = session
    })
  }

  remove(session: number): void {
    this.members.forEach((m, i) => {
      m[session] = 0
      if (this.latest[i] === session) this.latest[i] = Math.max(0, m.lastIndexOf(1))
    })
  }

  /** A session of an audience, the latest if several are; 0 where there is none. For forwards to a user. */
  sessionOf(audience: number): number {
    return this.latest[audience] ?? 0
  }
}
