/**
 * Looks now and then at what the data path has counted: sessions that data came through need no Hello and no echo, and
 * those that carry none for as long as their template's IDLE are hung up.
 */

import type { L2tpInput } from '../l2tp/effects.ts'
import type { Millis } from '../machine.ts'
import type { Clock, Deadlines } from './deadlines.ts'
import { goRound } from './rounds.ts'
import type { Session } from './session.ts'
import type { Stats } from './stats.ts'

/** So much later than IDLE at most a session is hung up. */
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
    /** The template's IDLE. */
    readonly idleSeconds: (template: number) => number | undefined
  }

  constructor(to: Activity['to']) {
    this.to = to
    this.listen()
  }

  private listen(): void {
    const next = this.to.clock.now() + LISTEN_MILLIS
    goRound(
      this.to,
      this.to.sessions(),
      s => this.look(s),
      () => this.to.deadlines.set(this, next, () => this.listen()),
    )
  }

  private look(s: Session): void {
    const now = this.to.clock.now()
    const { packetsIn, packetsOut } = this.to.stats.session(s.ids.session)
    if (packetsIn !== s.packetsSeen) this.heard(s, now)
    if (packetsIn + packetsOut !== s.packetsCarried || !s.networkUp) s.usedAt = now
    s.packetsSeen = packetsIn
    s.packetsCarried = packetsIn + packetsOut
    this.watchIdleness(s, now)
  }

  private heard(s: Session, now: Millis): void {
    s.driver.handle({ kind: 'active' })
    const { session, peer } = s.ids
    this.to.l2tp({ kind: 'heard', session, sa: this.to.settledSa(peer, now - LISTEN_MILLIS) })
  }

  /** What PPP and L2TP say to keep the link is not its use: only what was forwarded counts. */
  private watchIdleness(s: Session, now: Millis): void {
    const seconds = this.to.idleSeconds(s.ids.template)
    if (seconds === undefined || now - s.usedAt < seconds * 1000) return
    s.driver.handle({ kind: 'close', reason: `idle: no data for ${seconds} seconds` })
  }
}
