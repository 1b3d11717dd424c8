/** SHOW L2TP TUNNEL: the tunnels, and below each its calls (RFC 2661). */

import { type Column, dash, durationText, facts, list } from './layout.ts'
import type { L2tpTunnelState } from './state.ts'

const columns: readonly Column<L2tpTunnelState>[] = [
  { head: 'LocalId', width: 9, text: t => t.localTunnelId },
  { head: 'RemoteId', width: 10, text: t => t.remoteTunnelId },
  { head: 'Peer', width: 23, text: t => dash(t.remote) },
  { head: 'Host', width: 14, text: t => dash(t.hostName) },
  { head: 'State', width: 14, text: t => t.state },
  { head: 'Up', width: 9, text: t => durationText(t.ageSeconds) },
]

export function printL2tpTunnels(tunnels: readonly L2tpTunnelState[]): string {
  return list('L2TP Tunnels', columns, tunnels, 'No L2TP tunnels.', tunnel =>
    tunnel.calls.length === 0
      ? ['No calls.']
      : tunnel.calls.map(call =>
          facts([
            ['Call', `${call.localSessionId}/${call.remoteSessionId}`],
            ['State', call.state],
            ['PPP', call.ppp],
            ['Session', call.session],
          ]),
        ),
  )
}
