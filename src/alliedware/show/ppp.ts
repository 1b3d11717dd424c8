/** SHOW PPP: one row a control protocol of each link, as RFC 1661 names its states. */

import { type Column, dash, durationText, facts, list } from './layout.ts'
import type { PppState } from './state.ts'

/** The link's own columns stand on its first row only. */
interface Row {
  readonly link: PppState
  readonly first: boolean
  readonly protocol: string
  readonly state: string
}

const ofLink = (text: (link: PppState) => string) => (row: Row) => (row.first ? text(row.link) : '')

const columns: readonly Column<Row>[] = [
  { head: 'Name', width: 8, text: ofLink(p => p.name) },
  { head: 'Over', width: 15, text: ofLink(p => p.over) },
  { head: 'User', width: 16, text: ofLink(p => dash(p.user)) },
  { head: 'Address', width: 17, text: ofLink(p => dash(p.address)) },
  { head: 'CP', width: 6, text: row => row.protocol },
  { head: 'State', width: 10, text: row => row.state.toUpperCase() },
]

export function printPpp(links: readonly PppState[]): string {
  const rows = links.flatMap((link): Row[] => [
    { link, first: true, protocol: 'IPCP', state: link.ipcp },
    { link, first: false, protocol: 'LCP', state: link.lcp },
  ])
  return list('PPP Interfaces', columns, rows, 'No PPP interfaces.', row => (row.first ? [] : notes(row.link)))
}

function notes(p: PppState): string[] {
  return [
    facts([
      ['Phase', p.phase],
      ['Local', p.localAddress],
      ['Peer MRU', p.peerMru],
    ]),
    facts([
      ['Template', p.template],
      ['Session', p.session],
      ['Age', durationText(p.ageSeconds)],
      ['Authentication', p.authentication],
    ]),
    ...p.identification.map(text => facts([['Identification', text]])),
  ]
}
