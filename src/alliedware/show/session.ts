/** SHOW SESSION: who is connected, from where, with what and since when: one row a session, or all that is known of one. */

import { bytesText, type Column, dash, leaders, list, page, rule, timeDate } from './layout.ts'
import type { SessionState } from './state.ts'

const columns: readonly Column<SessionState>[] = [
  { head: 'Id', width: 5, text: s => s.id },
  { head: 'User', width: 12, text: s => dash(s.user) },
  { head: 'Address', width: 16, text: s => s.address },
  { head: 'Remote', width: 22, text: s => s.remote },
  { head: 'IKE id', width: 13, text: s => dash(s.identity) },
  { head: 'NAT', width: 8, text: s => s.nat },
  { head: 'Suite', width: 13, text: s => s.suite },
  { head: 'In', width: 9, text: s => bytesText(s.bytesIn) },
  { head: 'Out', width: 9, text: s => bytesText(s.bytesOut) },
  { head: 'Since (UTC)', width: 20, text: s => timeDate(s.since) },
]

export function printSessions(sessions: readonly SessionState[]): string {
  return list('Sessions', columns, sessions, 'No sessions.')
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
