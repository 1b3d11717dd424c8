/** What hosts' connections carried, as the kernel tells it when they are gone, on the accounts of the policies that ask for it. */

import type { FinishedFlow } from '../firewall/accounting.ts'
import { accountOf } from '../firewall/host-accounting.ts'
import type { GoneConnection } from './conntrack.ts'
import type { Control } from './control.ts'
import { sessionRanges } from './site-devices.ts'

/** No worker: the host itself. */
const HOST = -1
/** Connections a second in the long run, and at once. */
const RATE = 100
const BURST = 1024

/** Takes connections that are gone, for this control. */
export function hostAccounts(
  control: Pick<Control, 'world' | 'configuration' | 'ruleset' | 'firewall'>,
): (connections: readonly GoneConnection[]) => void {
  let tokens = BURST
  let filledAt = 0
  let unrecorded = 0
  return connections => {
    const { ruleset, world, configuration } = control
    if (!ruleset.accounting.includes(1)) return
    const [now, today] = [world.clock.now(), world.wall().getTime()]
    tokens = Math.min(BURST, tokens + ((now - filledAt) * RATE) / 1000)
    filledAt = now
    const sessions = sessionRanges(configuration)
    const flows: FinishedFlow[] = []
    for (const c of connections) {
      const account = accountOf(ruleset, sessions, c.original.source, c.reply.source)
      if (account === undefined || c.packetsForward === 0) continue
      if (tokens < 1) {
        unrecorded++
        continue
      }
      tokens--
      const at = (wall: number | undefined) => now - Math.max(0, today - (wall ?? today))
      flows.push({
        ...account,
        ...c.original,
        startedAt: at(c.started),
        endedAt: at(c.ended),
        session: 0,
        user: '',
        protocol: c.protocol,
        packetsForward: c.packetsForward,
        packetsReverse: c.packetsReverse,
        bytesForward: c.bytesForward,
        bytesReverse: c.bytesReverse,
      })
    }
    if (flows.length > 0) control.firewall.heard(HOST, { what: 'finished', flows, unrecorded })
  }
}
