/** SHOW FIREWALL: its policies with rules and hits, events in three groups, and the sessions, in the router's words. */

import { ATTACK_DEFAULTS, ATTACKS } from '../../firewall/attack-kinds.ts'
import { placeText, protocolName, reasonText } from '../../firewall/event-log.ts'
import type { FirewallEvent } from '../../firewall/events.ts'
import {
  type AddressList,
  type FirewallNat,
  type FirewallPolicy,
  FRAGMENT_KINDS,
  ICMP_KINDS,
  IP_OPTION_KINDS,
} from '../../firewall/policy.ts'
import type { PolicyCount } from '../../firewall/report.ts'
import { formatDays, formatTime } from '../commands/firewall-match.ts'
import { formatRange } from '../value.ts'
import { dayTime, durationText, leaders, page, rule } from './layout.ts'

export interface FirewallState {
  readonly enabled: boolean
  readonly notify: readonly string[]
  readonly maximumFragments: number
  /** Whether the kernel tells of packets on the host's own devices. */
  readonly hostEvents: boolean
  readonly sessions: { readonly maximum: number; readonly peak: number; readonly active: number }
}

export interface RuleHits {
  readonly rule: number
  /** New connections of dial-in sessions, as their workers counted, and of the host's devices, as the kernel did. */
  readonly sessions: number
  readonly host: number
}

export interface PolicyState extends FirewallPolicy {
  readonly hits: readonly RuleHits[]
  readonly counts: PolicyCount
  /** Packets that the kernel refused by the base rule, by the interface where they came in. */
  readonly hostDenied: readonly { readonly interface: string; readonly packets: number }[]
}

export interface EventState extends Omit<FirewallEvent, 'header'> {
  readonly time: string
  readonly user: string
  /** Hexadecimal, by words of four bytes. */
  readonly header: string
}

/** Where values stand, at the outermost indentation. */
const WIDTH = 34

export function printFirewall({ enabled, notify, maximumFragments, hostEvents, sessions }: FirewallState): string {
  return page(
    'Firewall Configuration',
    '',
    leaders(
      [
        ['Status', enabled ? 'enabled' : 'disabled'],
        ['Enabled Notify Options', notify.join(', ') || 'none'],
        ['Maximum Packet Fragments', maximumFragments],
        ['Events Seen', hostEvents ? 'sessions, host interfaces' : 'sessions'],
      ],
      27,
    ),
    'Sessions:',
    indent(
      2,
      leaders(
        [
          ['Maximum', sessions.maximum],
          ['Peak', sessions.peak],
          ['Active', sessions.active],
        ],
        25,
      ),
    ),
  )
}

export interface PolicyView {
  readonly counter?: boolean
  readonly summary?: boolean
  /** Only this rule. */
  readonly rule?: number
}

export function printFirewallPolicies(policies: readonly PolicyState[], view: PolicyView = {}): string {
  if (policies.length === 0) return 'No firewall policies.'
  return page(...policies.flatMap((p, i) => [...(i === 0 ? [] : ['']), printPolicy(p, view)]))
}

function printPolicy(p: PolicyState, view: PolicyView): string[] {
  const name = `Policy : ${p.name}`
  if (view.rule !== undefined)
    return [name, ...p.rules.filter(r => r.number === view.rule).flatMap(r => printRule(p, r))]
  if (view.counter === true) return [name, ...counters(p)]
  if (view.summary === true) return [name, ...summary(p)]
  return [name, ...settings(p), ...parts(p)]
}

function counters(p: PolicyState): string[] {
  const { counts } = p
  return leaders(
    [
      ['Sessions allowed in', counts.inAllowed],
      ['Packets denied in', counts.inDenied],
      ['Sessions allowed out', counts.outAllowed],
      ['Packets denied out', counts.outDenied],
      ...p.hostDenied.map(d => [`Packets denied in ${d.interface}`, d.packets] as const),
      ...p.hits.map(h => [`Rule ${h.rule}`, hitsText(h)] as const),
    ],
    WIDTH,
  )
}

function summary(p: PolicyState): string[] {
  const of = (type: 'public' | 'private') => p.interfaces.filter(i => i.type === type).map(i => i.name)
  return leaders(
    [
      ['Private Interfaces', of('private').join(', ')],
      ['Public Interfaces', of('public').join(', ')],
      ['NAT', p.nats.length],
      ['Rules', p.rules.length],
      ['Number of hits', p.hits.reduce((sum, h) => sum + h.sessions + h.host, 0)],
    ],
    WIDTH,
  )
}

function settings(p: PolicyState): string[] {
  const part = (all: readonly string[], kept: readonly string[]) =>
    kept.length === all.length ? 'all' : kept.join(', ') || 'none'
  return leaders(
    [
      ['TCP Timeout (s)', p.tcpTimeoutSeconds],
      ['UDP Timeout (s)', p.udpTimeoutSeconds],
      ['ICMP Timeout (s)', p.icmpTimeoutSeconds],
      ['Other Timeout (s)', p.otherTimeoutSeconds],
      ['ESP Timeout (s)', p.espTimeoutSeconds ?? p.otherTimeoutSeconds],
      ...p.udpPortTimeouts.map(u => [`UDP Port ${u.port} Timeout (s)`, u.seconds ?? p.udpTimeoutSeconds] as const),
      ['ICMP Forwarding', part(ICMP_KINDS, p.icmpForwarding)],
      ['Forwarded IP Options', part(IP_OPTION_KINDS, p.ipOptions)],
      ['Forwarded Fragments', part(FRAGMENT_KINDS, p.fragments)],
      ['Receive of ICMP PINGS', p.ping ? 'enabled' : 'disabled'],
      ['Isolation of Sessions', p.isolation ? 'enabled' : 'disabled'],
      ['FTP Data Port', p.ftpDataPort ?? 'none'],
      ['Accounting', p.accounting ? 'enabled' : 'disabled'],
      ['Limit Rules', p.limitRules.length],
      ['Enabled Logging Options', p.log.join(', ') || 'none'],
      ...ATTACKS.flatMap(name => {
        const t = p.attacks[name]
        if (t === undefined) return []
        const usual = ATTACK_DEFAULTS[name]
        const text = `in ${t.inTrigger} (${usual.inTrigger}), out ${t.outTrigger} (${usual.outTrigger}), detail ${t.detail}, ${t.timeMinutes} min`
        return [[`Attack ${name}`, text] as const]
      }),
    ],
    WIDTH,
  )
}

/** Templates, interfaces, lists, and below each interface what belongs to it. */
function parts(p: PolicyState): string[] {
  const users = (d: PolicyState['dynamics'][number]) =>
    [...(d.any ? ['ANY'] : []), ...(d.none ? ['NONE'] : []), ...d.users].join(', ')
  return [
    ...p.dynamics.flatMap(d => [
      `Dynamic Template : ${d.name}`,
      `  Users : ${users(d) || '-'}`,
      ...(d.files ?? []).map(f => `  File : ${f.file}, ${f.users.length} users`),
    ]),
    ...p.lists.flatMap(l => [`List : ${l.name}`, ...listed(l).map(line => `  ${line}`)]),
    ...(['private', 'public'] as const).flatMap(type =>
      p.interfaces
        .filter(i => i.type === type)
        .flatMap(i => [
          `${type === 'private' ? 'Private' : 'Public'} Interface : ${i.name}`,
          ...(type === 'public' ? indent(2, leaders([['Method', i.method]], WIDTH)) : []),
          ...p.nats.filter(n => n.globalInterface === i.name).flatMap(printNat),
          ...p.rules.filter(r => r.interface === i.name).flatMap(r => printRule(p, r)),
        ]),
    ),
  ]
}

function listed({ addresses, file, hardware }: AddressList): string[] {
  if (file === undefined) return addresses.map(formatRange)
  return [`File : ${file}, ${hardware ? `${hardware.length} Ethernet addresses` : `${addresses.length} entries`}`]
}

function printNat(n: FirewallNat): string[] {
  return [
    ...indent(2, leaders([['NAT', n.kind]], WIDTH)),
    ...indent(
      4,
      leaders(
        [
          ['Private Interface', n.interface],
          ['IP', n.ip ? formatRange(n.ip) : 'all'],
          ['Global IP', n.globalIp ? formatRange(n.globalIp) : "the interface's"],
        ],
        WIDTH - 2,
      ),
    ),
  ]
}

function printRule(p: PolicyState, r: PolicyState['rules'][number]): string[] {
  const range = (a: { first: number; last: number } | undefined) => (a ? formatRange(a) : 'all')
  const ports = (a: { first: number; last: number } | undefined) =>
    a === undefined ? 'all' : a.first === a.last ? String(a.first) : `${a.first}-${a.last}`
  const hours = [
    r.afterMinute === undefined ? '' : `after ${formatTime(r.afterMinute)}`,
    r.beforeMinute === undefined ? '' : `before ${formatTime(r.beforeMinute)}`,
  ]
  const optional = (name: string, value: string | undefined) => (value === undefined ? [] : [[name, value] as const])
  const hits = p.hits.find(h => h.rule === r.number)
  return [
    ...indent(2, leaders([['Rule', r.number]], WIDTH)),
    ...indent(
      4,
      leaders(
        [
          ['Action', r.action],
          ...optional('NAT Type', r.natType),
          ['IP', range(r.ip)],
          ['Protocol', r.protocol === undefined ? 'all' : protocolName(r.protocol).toUpperCase()],
          ['Port', ports(r.port)],
          ['Global IP', range(r.globalIp)],
          ['Global Port', ports(r.globalPort)],
          ['Remote IP', range(r.remoteIp)],
          ...optional('Global Remote IP', r.globalRemoteIp && formatRange(r.globalRemoteIp)),
          ['Source Port', ports(r.sourcePort)],
          ...optional('List', r.list),
          ...optional('User', r.user),
          ...optional('Group', r.group),
          ['Encapsulation', r.encapsulation ?? 'none'],
          ['Days/After/Before', [formatDays(r.days) ?? 'all', ...hours].filter(Boolean).join(' ')],
          ...optional('Time to Live', r.ttlSeconds === undefined ? undefined : durationText(r.ttlSeconds)),
          ['Number of hits', hits ? hitsText(hits) : '0'],
        ],
        WIDTH - 2,
      ),
    ),
  ]
}

function hitsText(h: RuleHits): string {
  const total = h.sessions + h.host
  return h.host === 0 || h.sessions === 0 ? String(total) : `${total} (sessions ${h.sessions}, host ${h.host})`
}

export interface EventGroup {
  readonly policy: string
  readonly action: 'notify' | 'deny' | 'allow'
  readonly events: readonly EventState[]
}

const EVENT_HEAD = 'Date/Time   Dir Prot  Number IP:Port <map> Dest IP:Port /Reason /IP header'

export function printFirewallEvents(groups: readonly EventGroup[]): string {
  if (groups.length === 0) return 'No firewall policies.'
  return page(
    ...groups.flatMap(g => {
      const name = g.action[0]!.toUpperCase() + g.action.slice(1)
      return [`Policy : ${g.policy || '-'} - ${name} Events:`, EVENT_HEAD, rule(), ...g.events.flatMap(printEvent)]
    }),
  )
}

function printEvent(e: EventState): string[] {
  const protocol = protocolName(e.protocol).toUpperCase()
  const from = placeText(e.source, e.sourcePort, e.protocol)
  const to = placeText(e.destination, e.destinationPort, e.protocol)
  const head = [dayTime(e.time), e.direction.toUpperCase().padEnd(3), protocol.padEnd(4), String(e.repeats).padStart(7)]
  const words = e.header.split(' ')
  const lines: string[] = []
  for (let at = 0; at < words.length; at += 7) lines.push(words.slice(at, at + 7).join(' '))
  const reason = `${reasonText(e)}${e.user === '' ? '' : ` (user ${e.user})`}`
  return [`${head.join(' ')} ${from} ${to}`, `    ${reason}`, ...lines.map(l => `    ${l}`)]
}

function indent(by: number, lines: readonly string[]): string[] {
  return lines.map(l => ' '.repeat(by) + l)
}
