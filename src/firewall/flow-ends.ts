/** What follows when a connection is over: its limit rules have room for another, and what it carried goes to the accounts. */

import type { FlowObserver } from './flow-columns.ts'
import { policyBetween, zoneOfAddress } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'

export class FlowEnds implements FlowObserver {
  private readonly tables: FirewallTables

  constructor(tables: FirewallTables) {
    this.tables = tables
  }

  closing(row: number): void {
    const { limits, flows } = this.tables
    limits.end(row, flows.source[row]!)
  }

  ended(row: number): void {
    const { limits, flows, ruleset, accounting, sessions } = this.tables
    limits.end(row, flows.source[row]!)
    // One that found no room after all has carried nothing.
    if (flows.packetsForward[row] === 0) return
    const policy = policyBetween(ruleset, this.zone(flows.source[row]!), this.zone(this.destination(row)))
    if (policy < 0 || ruleset.accounting[policy] === 0) return
    accounting.record(flows, row, policy, sessions.nameOf(flows.session[row]!))
  }

  /** Counts what is up under limit rules that have just come into force. */
  recount(): void {
    const { flows, limits, ruleset } = this.tables
    for (let row = 0; row < flows.rows; row++) {
      if (!flows.isUp(row)) continue
      const source = flows.source[row]!
      const destination = this.destination(row)
      const [from, to] = [this.zone(source), this.zone(destination)]
      const inward = flows.fromOutside[row] === 1
      const [inside, outside] = inward ? [destination, source] : [source, destination]
      limits.match(policyBetween(ruleset, from, to), from, to, inside, outside)
      limits.begin(row, source)
    }
  }

  /** The true one, behind any translation. */
  private destination(row: number): number {
    const { flows } = this.tables
    const answers = flows.mate[row]!
    return answers >= 0 ? flows.source[answers]! : flows.destination[row]!
  }

  private zone(address: number): number {
    const { sessions, ruleset } = this.tables
    const session = sessions.ofAddress(address)
    return session !== 0 ? sessions.zone[session]! : zoneOfAddress(ruleset, address)
  }
}
