/** SHOW SESSION: who is connected, from where, and what has passed. */

import { bytesText, type Column, dash, facts, list, timeDate } from './layout.ts'
import type { SessionState } from './state.ts'

const columns: readonly Column<SessionState>[] = [
  { head: 'Id', width: 5, text: s => s.id },
  { head: 'User', width: 14, text: s => dash(s.user) },
  { head: 'Address', width: 16, text: s => s.address },
  { head: 'Remote', width: 22, text: s => s.remote },
  { head: 'Since (UTC)', width: 20, text: s => timeDate(s.since) },
]

export function printSessions(sessions: readonly SessionState[]): string {
  return list('Sessions', columns, sessions, 'No sessions.', s => [
    facts([
      ['Client', s.client],
      ['Host', s.hostName],
      ['Identity', s.identity],
      ['NAT', s.nat],
    ]),
    facts([
      ['Suite', s.suite],
      ['MTU', s.mtu],
      ['In', `${bytesText(s.bytesIn)} (${s.packetsIn})`],
      ['Out', `${bytesText(s.bytesOut)} (${s.packetsOut})`],
    ]),
  ])
}
