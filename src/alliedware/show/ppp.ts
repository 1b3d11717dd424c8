/** SHOW PPP: one row a control protocol of each link, as RFC 1661 names its states; and all there is to know of each. */

import type { PppTemplateConfig } from '../config.ts'
import { type Column, clean, dash, durationText, facts, leaders, list, page, pairs } from './layout.ts'
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

/** SHOW PPP CONFIGURATION: what was agreed on each link. */
export function printPppConfigurations(links: readonly PppState[]): string {
  return blocks(links, p =>
    leaders([
      ['Over', p.over],
      ['Template', p.template],
      ['User', p.user],
      ['Phase', p.phase],
      ['LCP', p.lcp.toUpperCase()],
      ['IPCP', p.ipcp.toUpperCase()],
      ['Authentication', p.authentication],
      ['Address', p.address],
      ['Local Address', p.localAddress],
      ['MRU', p.localMru],
      ['Peer MRU', p.peerMru],
      ['Compression', p.compression.join(', ')],
      ['Echo Period (s)', p.echoSeconds ?? 'OFF'],
      ['Echoes missed', p.missedEchoes],
    ]),
  )
}

/** SHOW PPP COUNTER. */
export function printPppCounters(links: readonly PppState[]): string {
  return blocks(links, p => [
    'Data',
    ...pairs([
      ['packetsIn', p.packetsIn],
      ['packetsOut', p.packetsOut],
      ['bytesIn', p.bytesIn],
      ['bytesOut', p.bytesOut],
    ]),
    'Control',
    ...pairs(Object.entries(p.counters)),
  ])
}

/** SHOW PPP IDLETIMER. */
export function printPppIdleTimers(links: readonly PppState[]): string {
  const idle: readonly Column<PppState>[] = [
    { head: 'Name', width: 10, text: p => p.name },
    { head: 'User', width: 18, text: p => dash(p.user) },
    { head: 'Idle (s)', width: 12, text: p => dash(p.idleSeconds) },
    { head: 'Limit (s)', width: 12, text: p => p.idleLimitSeconds ?? 'OFF' },
  ]
  return list('PPP Idle Timers', idle, links, 'No PPP interfaces.')
}

/** SHOW PPP LIMITS: no link has any, as ONLINELIMIT and the data limits are held. */
export function printPppLimits(links: readonly PppState[]): string {
  const limits: readonly Column<PppState>[] = [
    { head: 'Name', width: 10, text: p => p.name },
    { head: 'Online', width: 18, text: p => durationText(p.ageSeconds) },
    { head: 'Limit', width: 8, text: () => 'NONE' },
    { head: 'In', width: 14, text: p => p.bytesIn },
    { head: 'Out', width: 14, text: p => p.bytesOut },
    { head: 'Data Limit', width: 10, text: () => 'NONE' },
  ]
  return list('PPP Limits', limits, links, 'No PPP interfaces.')
}

/** SHOW PPP UTILISATION: what each link has carried a second, on average since it came up. */
export function printPppUtilisation(links: readonly PppState[]): string {
  const rate = (bytes: number, p: PppState) => Math.round((bytes * 8) / Math.max(1, p.ageSeconds))
  const columns: readonly Column<PppState>[] = [
    { head: 'Name', width: 10, text: p => p.name },
    { head: 'User', width: 18, text: p => dash(p.user) },
    { head: 'Online', width: 18, text: p => durationText(p.ageSeconds) },
    { head: 'In (bit/s)', width: 15, text: p => rate(p.bytesIn, p) },
    { head: 'Out (bit/s)', width: 15, text: p => rate(p.bytesOut, p) },
  ]
  return list('PPP Utilisation (average)', columns, links, 'No PPP interfaces.')
}

/** SHOW PPP TXSTATUS: what went out on each link. Nothing queues: what cannot be sent at once is dropped, and counted. */
export function printPppTransmissions(links: readonly PppState[]): string {
  const columns: readonly Column<PppState>[] = [
    { head: 'Name', width: 10, text: p => p.name },
    { head: 'State', width: 14, text: p => (p.ipcp.toLowerCase() === 'opened' ? 'transmitting' : 'not up') },
    { head: 'Packets', width: 16, text: p => p.packetsOut },
    { head: 'Bytes', width: 18, text: p => p.bytesOut },
    { head: 'Queued', width: 8, text: () => 0 },
  ]
  return list('PPP Transmission', columns, links, 'No PPP interfaces.')
}

/** SHOW PPP MULTILINK: no link is ever one of several (RFC 1990). */
export function printPppMultilink(links: readonly PppState[]): string {
  const columns: readonly Column<PppState>[] = [
    { head: 'Name', width: 10, text: p => p.name },
    { head: 'Bundle', width: 10, text: () => 'none' },
    { head: 'Links', width: 8, text: () => 1 },
  ]
  return list('PPP Multilink', columns, links, 'No PPP interfaces.')
}

/** What IPCP gives every client (RFC 1877). */
export interface NameServerState {
  readonly dnsPrimary: string
  readonly dnsSecondary: string
  readonly winsPrimary: string
  readonly winsSecondary: string
}

export function printNameServers(s: NameServerState): string {
  return page(
    'PPP Name Servers',
    '',
    leaders([
      ['DNS Primary', s.dnsPrimary],
      ['DNS Secondary', s.dnsSecondary],
      ['WINS Primary', s.winsPrimary],
      ['WINS Secondary', s.winsSecondary],
    ]),
  )
}

/** SHOW PPP TEMPLATE. */
export function printPppTemplates(templates: readonly PppTemplateConfig[]): string {
  if (templates.length === 0) return 'No PPP templates.'
  const orOff = (value: number | undefined) => value ?? 'OFF'
  return page(
    ...templates.map((t, i) => [
      ...(i === 0 ? [] : ['']),
      `PPP Template ${t.template}`,
      '',
      ...leaders([
        ['Authentication', t.authentication.toUpperCase()],
        ['IP Pool', t.ipPool],
        ['Echo (s)', orOff(t.echoSeconds)],
        ['LQR (s)', orOff(t.lqrSeconds)],
        ['BAP', t.bap ? 'ON' : 'OFF'],
        ['MRU', t.mru ?? 'auto'],
        ['MTU', t.mtu ?? 'auto'],
        ['MSS Header', t.mssHeader ?? 'auto'],
        ['Idle (s)', orOff(t.idleSeconds)],
        ['Rechallenge (s)', t.rechallengeSeconds === 'on' ? 'ON' : orOff(t.rechallengeSeconds)],
      ]),
    ]),
  )
}

/** One block of lines a link, under its name. */
function blocks(links: readonly PppState[], lines: (link: PppState) => readonly string[]): string {
  if (links.length === 0) return 'No PPP interfaces.'
  return page(...links.map((p, i) => [...(i === 0 ? [] : ['']), `Interface ${clean(p.name)}`, '', ...lines(p)]))
}
