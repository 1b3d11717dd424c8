/** Everything the filter of one worker looks at; one writer, the worker's own thread. */

import { Batch } from '../packet/batch.ts'
import { FirewallEvents } from './events.ts'
import { FlowTable, type FlowTableSize } from './flow.ts'
import { FragmentTable } from './fragments.ts'
import { Headers } from './headers.ts'
import { closedRuleset, type Ruleset, zoneOfUser } from './ruleset.ts'
import { type SessionRow, SessionTable } from './sessions.ts'

export class FirewallTables {
  readonly sessions = new SessionTable()
  readonly flows: FlowTable
  readonly fragments = new FragmentTable()
  readonly events = new FirewallEvents()
  /**
   * IP packets that filterOut made for the senders of what it dropped: write its `count` rows to the TUN device after
   * each call. The next call empties it.
   */
  readonly replies = new Batch()
  /** The packet at hand, and the one that an ICMP error quotes. */
  readonly headers = new Headers()
  readonly quoted = new Headers()
  private current = closedRuleset()

  /** `seed`: 32 random bits, for the flow table's hash. Nothing passes before setRuleset. */
  constructor(seed: number, size?: FlowTableSize) {
    this.flows = new FlowTable(seed, size)
  }

  get ruleset(): Ruleset {
    return this.current
  }

  /**
   * Installs a session. Every worker may install every session, with `peer` 0 where another worker carries it: then
   * traffic between two clients is judged by both clients' zones, wherever they are.
   */
  install(row: SessionRow): void {
    this.remove(row.session)
    this.sessions.install(row, zoneOfUser(this.current, row.user))
  }

  /** Removes a session and its flows. */
  remove(session: number): void {
    if (!this.sessions.address[session]) return
    this.sessions.remove(session)
    this.flows.forget(session)
  }

  /** Puts another ruleset in force, between two packets. Flows that passed go on; only new ones meet the new rules. */
  setRuleset(ruleset: Ruleset): void {
    this.current = ruleset
    this.sessions.rezone(user => zoneOfUser(ruleset, user))
  }
}
