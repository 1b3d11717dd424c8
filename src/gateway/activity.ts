/** Looks now and then at what the data path has counted: sessions that data came through need no Hello and no echo. */

import type { L2tpInput } from '../l2tp/effects.ts'
import type { Millis } from '../machine.ts'
import type { Clock, Deadlines } from './deadlines.ts'
import type { Session } from './session.ts'
import type { Stats } from './stats.ts'

const LISTEN_MILLIS = 10_000

export class Activity {
  private readonly to: {
    readonly sessions: () => Iterable<Session>
    readonly stats: Stats
    readonly clock: Clock
    readonly deadlines: Deadlines
    readonly l2tp: (input: L2tpInput) => void
    /** The inbound SPI that the peer uses now, where it has done so since then. */
    readonly settledSa: (peer: number, since: Millis) => number | undefined
  }

  constructor(to: Activity['to']) {
    this.to = to
    this.listen()
  }

  private listen(): void {
    for (const s of this.to.sessions()) this.look(s)
    this.to.deadlines.set(this, this.to.clock.now() + LISTEN_MILLIS, () => this.listen())
  }

  private look(s: Session): void {
    const { packetsIn } = this.to.stats.session(s.ids.session)
    if (packetsIn === s.packetsSeen) return
    s.packetsSeen = packetsIn
    s.driver.handle({ kind: 'active' })
    const { session, peer } = s.ids
    this.to.l2tp({ kind: 'heard', session, sa: this.to.settledSa(peer, this.to.clock.now() - LISTEN_MILLIS) })
  }
}
