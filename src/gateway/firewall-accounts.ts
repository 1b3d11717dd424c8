/** The accounts of the firewall's policies: each connection that is over, as its worker tells it, kept for SHOW and logged. */

import { type AccountState, endsText, trafficText } from '../alliedware/show/firewall-accounting.ts'
import type { FinishedFlow } from '../firewall/accounting.ts'
import { protocolName } from '../firewall/event-log.ts'
import type { Millis } from '../machine.ts'
import type { ControlWorld } from './control-world.ts'
import { type Log, Severity } from './log.ts'

/** Kept of each policy. */
const KEPT = 1000

export class FirewallAccounts {
  private readonly kept = new Map<string, AccountState[]>()
  /** By worker. */
  private readonly missed = new Map<number, number>()

  take(
    worker: number,
    news: { readonly flows: readonly FinishedFlow[]; readonly unrecorded: number },
    { clock, wall, log }: Pick<ControlWorld, 'clock' | 'wall' | 'log'>,
  ): void {
    this.missed.set(worker, news.unrecorded)
    const [now, today] = [clock.now(), wall().getTime()]
    const time = (at: Millis) => new Date(today - Math.max(0, now - at)).toISOString()
    for (const { startedAt, endedAt, ...flow } of news.flows) {
      const seconds = Math.round((endedAt - startedAt) / 1000)
      const account = { ...flow, started: time(startedAt), ended: time(endedAt), seconds }
      const mine = this.kept.get(flow.policy) ?? []
      mine.push(account)
      if (mine.length > KEPT) mine.shift()
      this.kept.set(flow.policy, mine)
      note(log, account)
    }
  }

  /** Of one policy, the oldest first. */
  of(policy: string): readonly AccountState[] {
    return this.kept.get(policy) ?? []
  }

  /** Connections that the workers could not note one by one. */
  get unrecorded(): number {
    return [...this.missed.values()].reduce((sum, n) => sum + n, 0)
  }
}

function note(log: Log, a: AccountState): void {
  log.add({
    severity: Severity.Info,
    module: 'FIRE',
    type: 'ACCO',
    subtype: a.direction.toUpperCase(),
    text: `${protocolName(a.protocol)} ${endsText(a)}, ${trafficText(a)}, policy ${a.policy}`,
    fields: { session: a.session, user: a.user || undefined, policy: a.policy },
  })
}
