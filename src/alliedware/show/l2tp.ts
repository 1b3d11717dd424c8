/** SHOW L2TP, its TUNNEL (and below each its calls), CALL and IP (RFC 2661). */

import { type Column, dash, durationText, facts, leaders, list, page } from './layout.ts'
import type { L2tpTunnelState } from './state.ts'

/** SHOW L2TP. */
export interface L2tpState {
  readonly enabled: boolean
  readonly server: string
  readonly hostName: string
  readonly window: number
  readonly helloSeconds: number
  readonly tunnels: number
  readonly calls: number
  readonly debugging: readonly string[]
}

export function printL2tp(s: L2tpState): string {
  return page(
    'L2TP Module Configuration',
    '',
    leaders([
      ['Module Status', s.enabled ? 'ENABLED' : 'DISABLED'],
      ['Server Mode', s.server.toUpperCase()],
      ['Host Name', s.hostName],
      ['Receive Window', s.window],
      ['Hello Period (s)', s.helloSeconds],
      ['Tunnels', s.tunnels],
      ['Calls', s.calls],
      ['Debugging', s.debugging.join(', ').toUpperCase() || 'NONE'],
    ]),
  )
}

/** A call, and the tunnel that it is in. */
export interface L2tpCallState {
  readonly localSessionId: number
  readonly remoteSessionId: number
  readonly localTunnelId: number
  readonly remote: string
  readonly ppp: string
  readonly user: string
  readonly state: string
}

const callColumns: readonly Column<L2tpCallState>[] = [
  { head: 'Call', width: 8, text: c => c.localSessionId },
  { head: 'PeerCall', width: 10, text: c => c.remoteSessionId },
  { head: 'Tunnel', width: 8, text: c => c.localTunnelId },
  { head: 'Peer', width: 23, text: c => dash(c.remote) },
  { head: 'PPP', width: 8, text: c => dash(c.ppp) },
  { head: 'User', width: 12, text: c => dash(c.user) },
  { head: 'State', width: 12, text: c => c.state },
]

export function printL2tpCalls(calls: readonly L2tpCallState[]): string {
  return list('L2TP Calls', callColumns, calls, 'No L2TP calls.')
}

/** ADD L2TP IP: who may open tunnels, and which PPP template its calls get. */
export interface L2tpRangeState {
  readonly first: string
  readonly last: string
  readonly pppTemplate: number
}

const rangeColumns: readonly Column<L2tpRangeState>[] = [
  { head: 'First', width: 18, text: r => r.first },
  { head: 'Last', width: 18, text: r => r.last },
  { head: 'PPP Template', width: 14, text: r => r.pppTemplate },
]

export function printL2tpRanges(ranges: readonly L2tpRangeState[]): string {
  return list('L2TP IP Ranges', rangeColumns, ranges, 'No L2TP IP ranges: nobody may open a tunnel.')
}

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
