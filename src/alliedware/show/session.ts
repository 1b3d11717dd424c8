/** SHOW SESSION: who is connected, from where, with what and since when, or all that is known of one session. */

import { bytesText, type Column, dash, facts, leaders, list, page, rule, timeDate } from './layout.ts'
import type { SessionState } from './state.ts'

const columns: readonly Column<SessionState>[] = [
  { head: 'Id', width: 5, text: s => s.id },
  { head: 'User', width: 14, text: s => dash(s.user) },
  { head: 'Address', width: 17, text: s => s.address },
  { head: 'Remote', width: 23, text: s => s.remote },
  { head: 'In', width: 10, text: s => bytesText(s.bytesIn) },
  { head: 'Out', width: 10, text: s => bytesText(s.bytesOut) },
]

export function printSessions(sessions: readonly SessionState[]): string {
  return list('Sessions', columns, sessions, 'No sessions.', s => [
    facts([
      ['Since', `${timeDate(s.since)} UTC`],
      ['NAT', s.nat],
      ['Suite', s.suite],
    ]),
  ])
}

/** SHOW SESSION=id. */
export function printSession(s: SessionState): string {
  return page(
    'Session',
    rule(),
    leaders([
      ['Id', s.id],
      ['User', s.user],
      ['Address', s.address],
      ['Remote', s.remote],
      ['IKE Identity', s.identity],
      ['NAT', s.nat],
      ['Suite', s.suite],
      ['MTU', s.mtu],
      ['In', `${bytesText(s.bytesIn)} in ${s.packetsIn} packets`],
      ['Out', `${bytesText(s.bytesOut)} in ${s.packetsOut} packets`],
      ['Since (UTC)', timeDate(s.since)],
      ['Client', s.client],
      ['Host Name', s.hostName],
    ]),
  )
}
