/** Our own NAT keepalives (RFC 3948 section 2.3). */

import type { Context } from './context.ts'
import type { Peer } from './state.ts'

/** RFC 3948 section 4 suggests 20 s. */
const KEEPALIVE_MILLIS = 20_000

/**
 * Keepalives go out where the mapping to keep is ours, and to a Windows client behind a NAT: Vista and Server 2008
 * before SP2 send none themselves. Phones keep their own, and would be woken up by ours.
 */
export function armKeepalive(context: Context, peer: Peer): void {
  const newest = [...peer.phase1s].at(-1)
  const nat = newest?.state.sa.keys.nat
  const wanted = nat !== undefined && (nat.server || (nat.client && newest!.start.microsoft))
  context.timers.cancel(peer.keepalive)
  peer.keepalive = undefined
  if (!wanted || newest?.start.natFlavour === undefined) return
  const again = (): void => {
    context.effect({ kind: 'keepalive', local: peer.place.local, remote: peer.place.remote })
    peer.keepalive = context.timers.set(context.now + KEEPALIVE_MILLIS, again)
  }
  peer.keepalive = context.timers.set(context.now + KEEPALIVE_MILLIS, again)
}
