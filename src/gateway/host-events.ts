/** What the kernel tells of packets on the host's own devices, as events beside those of the workers. */

import { HostWatch } from '../firewall/host-watch.ts'
import type { Control } from './control.ts'
import type { LoggedPacket } from './nflog.ts'

/** No worker: the host itself. */
const HOST = -1

/** Takes packets for this control; `seed`: 32 random bits. */
export function hostEvents(
  control: Pick<Control, 'world' | 'ruleset' | 'firewall'>,
  seed: number,
): (packets: readonly LoggedPacket[]) => void {
  const watch = new HostWatch(seed)
  return packets => {
    watch.ruleset = control.ruleset
    const now = control.world.clock.now()
    for (const p of packets) watch.take(p.prefix, p.bytes, now)
    if (watch.events.waiting > 0) control.firewall.heard(HOST, { what: 'events', events: watch.drain() })
  }
}
