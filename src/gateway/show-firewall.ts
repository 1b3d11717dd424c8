/** SHOW FIREWALL and DELETE FIREWALL SESSION: the configuration here, flows and counts from the workers, hits of the host's rules from the kernel. */

import type { Command } from '../alliedware/parse.ts'
import * as print from '../alliedware/show/firewall.ts'
import { printFirewallAccounting } from '../alliedware/show/firewall-accounting.ts'
import { printFirewallArp } from '../alliedware/show/firewall-arp.ts'
import { printFirewallLimits } from '../alliedware/show/firewall-limits.ts'
import { type FlowState, printFirewallSessions } from '../alliedware/show/firewall-sessions.ts'
import { MAX_FLOWS } from '../firewall/constants.ts'
import { headerText } from '../firewall/event-log.ts'
import { MOST_FRAGMENTS } from '../firewall/fragments.ts'
import type { LimitReport } from '../firewall/limits.ts'
import { isGlobal } from '../firewall/nat.ts'
import { limitComment } from '../firewall/nft-limits.ts'
import { deniedComment, ruleComment } from '../firewall/nftables.ts'
import type { AddressRange } from '../firewall/policy.ts'
import type { FirewallReport, FlowFilter, PolicyCount } from '../firewall/report.ts'
import { isDynamic } from '../firewall/zones.ts'
import { IpProtocol } from '../packet/ip.ts'
import type { AdminAnswer } from './caller.ts'
import type { Control } from './control.ts'
import type { KeptEvent } from './firewall-monitor.ts'
import { answer, named, refusal, type Showing, type ShowWorld } from './show-answer.ts'

/** Flows that one answer bears, from each worker. */
const MOST_FLOWS = 500
/** Without a number behind TAIL or REVERSE. */
const TAIL = 20
/** A flow's number within its worker. */
const NUMBER_BITS = 24
const NUMBERS = 2 ** NUMBER_BITS

/** By the object's words. */
export const firewallShows: Readonly<Record<string, Showing>> = {
  firewall: async w => answer(await firewallState(w), print.printFirewall),
  'firewall policy': showPolicies,
  'firewall event': showEvents,
  'firewall accounting': showAccounting,
  'firewall arp': showArp,
  'firewall monitor': () =>
    refusal('nothing is copied to an interface here: CAPTURE writes one user’s packets to a file'),
  'firewall sessionreport': () =>
    refusal('there is no SNMP: SHOW FIREWALL POLICY LIMITRULE DETAIL tells who has how many sessions'),
  'firewall session': showSessions,
}

/** DELETE FIREWALL SESSION: ends one flow, by the number that SHOW told. Its next packet has to ask the rules again. */
export async function endFlow({ control }: { readonly control: Control }, command: Command): Promise<AdminAnswer> {
  const id = parseId(command.value)
  const ended = id !== undefined && (await control.firewall.end(Math.floor(id / NUMBERS), id % NUMBERS))
  return ended
    ? { exit: 0, text: 'Operation successful.' }
    : refusal(`firewall session "${command.value}" does not exist`)
}

async function firewallState({ control, tellsOfHost }: ShowWorld): Promise<print.FirewallState> {
  const reports = await control.firewall.reports({}, 0)
  const { firewall } = control.configuration
  const sum = (of: (r: FirewallReport) => number) => reports.reduce((total, { report }) => total + of(report), 0)
  return {
    enabled: firewall.enabled,
    notify: firewall.notifyManagers === false ? [] : ['manager'],
    maximumFragments: firewall.maxFragments ?? MOST_FRAGMENTS,
    hostEvents: tellsOfHost?.() ?? false,
    sessions: {
      maximum: MAX_FLOWS * control.world.data.workers,
      peak: sum(r => r.peak),
      active: sum(r => r.active),
    },
  }
}

async function showPolicies(w: ShowWorld, command: Command): Promise<AdminAnswer> {
  if (command.args['limitrule'] !== undefined) return await showLimits(w, command)
  const policies = w.control.configuration.firewall.policies.filter(p => named(command, p.name))
  if (policies.length === 0 && command.value !== undefined)
    return refusal(`firewall policy "${command.value}" does not exist`)
  const reports = (await w.control.firewall.reports({}, 0)).map(r => r.report)
  const host = await w.hostCounters?.()
  const states = policies.map(p => ({
    ...p,
    hits: p.rules.map(r => ({
      rule: r.number,
      sessions: reports
        .flatMap(report => report.rules)
        .filter(h => h.policy === p.name && h.rule === r.number)
        .reduce((sum, h) => sum + h.hits, 0),
      host: host?.of(ruleComment(p.name, r.number)).packets ?? 0,
    })),
    counts: counted(p.name, reports),
    hostDenied: p.interfaces
      .filter(i => i.type === 'public' && !isDynamic(i.name))
      .map(i => ({ interface: i.name, packets: host?.of(deniedComment(i.name)).packets ?? 0 })),
  }))
  const { counter, summary, rule } = command.args
  return answer(states, data =>
    print.printFirewallPolicies(data, {
      counter: counter !== undefined,
      summary: summary !== undefined,
      ...(typeof rule === 'number' && { rule }),
    }),
  )
}

function counted(policy: string, reports: readonly FirewallReport[]): PolicyCount {
  const all = reports.flatMap(r => r.policies).filter(c => c.policy === policy)
  const sum = (of: (c: PolicyCount) => number) => all.reduce((total, c) => total + of(c), 0)
  return {
    policy,
    inAllowed: sum(c => c.inAllowed),
    inDenied: sum(c => c.inDenied),
    outAllowed: sum(c => c.outAllowed),
    outDenied: sum(c => c.outDenied),
  }
}

function showEvents({ control }: ShowWorld, command: Command): AdminAnswer {
  const { policy, tail, reverse } = command.args
  const sameName = (name: string) => typeof policy !== 'string' || policy.toLowerCase() === name.toLowerCase()
  const all = (['notify', 'deny', 'allow'] as const).filter(action => named(command, action))
  const kept = all.map(action => ({ action, events: control.firewall.events(action) }))
  const names = control.configuration.firewall.policies.map(p => p.name)
  // What came while a side was in no policy stands last.
  const nameless = kept.some(k => k.events.some(e => !names.includes(e.policy)))
  const groups = [...names, ...(nameless ? [''] : [])].filter(sameName).flatMap(name =>
    kept.map(({ action, events }) => {
      const mine = events.filter(e => (names.includes(e.policy) ? e.policy : '') === name).map(eventState)
      return { policy: name, action, events: cut(mine, tail ?? reverse, reverse !== undefined) }
    }),
  )
  return answer(groups, print.printFirewallEvents)
}

/** The addresses that the gateway alone owns: it answers for them on the interface that they are asked for on. */
function showArp({ control }: ShowWorld): AdminAnswer {
  const { firewall, nat } = control.ruleset
  const owned = (r: AddressRange | undefined) => r !== undefined && isGlobal(nat.globals, r.first)
  const proxied = firewall.policies.flatMap(p => [
    ...p.nats
      .filter(n => owned(n.globalIp))
      .map(n => ({ policy: p.name, interface: n.globalInterface, ip: n.globalIp! })),
    ...p.rules.filter(r => owned(r.globalIp)).map(r => ({ policy: p.name, interface: r.interface, ip: r.globalIp! })),
  ])
  const seen = new Set<string>()
  const once = proxied.filter(a => {
    const key = JSON.stringify(a)
    return !seen.has(key) && seen.add(key)
  })
  return answer(once, printFirewallArp)
}

async function showAccounting({ control }: ShowWorld, command: Command): Promise<AdminAnswer> {
  const { policy, tail, reverse } = command.args
  await control.firewall.settle()
  const { accounts } = control.firewall
  const policies = control.configuration.firewall.policies
    .filter(p => typeof policy !== 'string' || policy.toLowerCase() === p.name.toLowerCase())
    .map(p => ({ policy: p.name, flows: cut(accounts.of(p.name), tail ?? reverse, reverse !== undefined) }))
  return answer({ policies, unrecorded: accounts.unrecorded }, printFirewallAccounting)
}

async function showLimits(w: ShowWorld, command: Command): Promise<AdminAnswer> {
  const { limitrule, detail } = command.args
  const { first, last } = limitrule === true ? { first: 0, last: 0xffffffff } : (limitrule as AddressRange)
  const reports = (await w.control.firewall.reports({}, 0)).flatMap(r => r.report.limits)
  const host = await w.hostCounters?.()
  const policies = w.control.configuration.firewall.policies
    .filter(p => named(command, p.name))
    .map(p => ({
      policy: p.name,
      limits: p.limitRules
        .filter(l => l.number >= first && l.number <= last)
        .map(l => {
          const mine = reports.filter(r => r.policy === p.name && r.rule === l.number)
          return {
            ...l,
            refused: mine.reduce((sum, r) => sum + r.refused, 0),
            hostRefused: host?.of(limitComment(p.name, l.number)).packets ?? 0,
            devices: together(mine.flatMap(r => r.devices)),
          }
        }),
    }))
  return answer(policies, data => printFirewallLimits(data, detail !== undefined))
}

/** One device may have sessions in several workers. */
function together(devices: LimitReport['devices']): LimitReport['devices'] {
  const sum = new Map<number, number>()
  for (const d of devices) sum.set(d.address, (sum.get(d.address) ?? 0) + d.sessions)
  return [...sum].map(([address, sessions]) => ({ address, sessions })).sort((a, b) => b.sessions - a.sessions)
}

function cut<T>(events: readonly T[], count: unknown, reverse: boolean): T[] {
  const last = count === undefined ? [...events] : events.slice(-(typeof count === 'number' ? count : TAIL))
  return reverse ? last.reverse() : last
}

function eventState(e: KeptEvent): print.EventState {
  return { ...e, header: headerText(e.header) }
}

async function showSessions({ control }: ShowWorld, command: Command): Promise<AdminAnswer> {
  const { ip, port, protocol, policy, counter, summary } = command.args
  const number = parseId(command.value)
  const wanted = typeof protocol === 'string' ? protocolNumber(protocol) : undefined
  if (typeof protocol === 'string' && wanted === undefined) return refusal(`PROTOCOL=${protocol} is none`)
  const filter: FlowFilter = {
    ...(number !== undefined && { number: number % NUMBERS }),
    ...(typeof port === 'number' && { port }),
    ...(wanted !== undefined && { protocol: wanted }),
    ...(ip !== undefined && { ip: ip as AddressRange }),
  }
  const reports = (await control.firewall.reports(filter, MOST_FLOWS)).filter(
    r => number === undefined || r.worker === Math.floor(number / NUMBERS),
  )
  const mine = (name: string) => typeof policy !== 'string' || policy.toLowerCase() === name.toLowerCase()
  const flows = reports.flatMap(r => flowStates(control, r)).filter(f => mine(f.policy))
  if (command.value !== undefined && (number === undefined || flows.length === 0))
    return refusal(`firewall session "${command.value}" does not exist`)
  const told = reports.reduce((sum, r) => sum + r.report.flows.length, 0)
  const matching = flows.length + reports.reduce((sum, r) => sum + r.report.matching, 0) - told
  const policies = control.configuration.firewall.policies.map(p => p.name).filter(mine)
  return answer({ matching, flows }, data =>
    printFirewallSessions(policies, data, { counter: counter !== undefined, summary: summary !== undefined }),
  )
}

function flowStates(control: Control, { worker, report }: { worker: number; report: FirewallReport }): FlowState[] {
  const wall = control.world.wall().getTime()
  return report.flows.map(({ number, age, ...flow }) => {
    const admission = control.sessions.all.get(flow.session)?.admission
    return {
      ...flow,
      id: (worker * NUMBERS + number).toString(16).padStart(8, '0'),
      user: admission?.kind === 'accepted' ? admission.user : '',
      since: new Date(wall - age).toISOString(),
    }
  })
}

function parseId(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : undefined
}

function protocolNumber(text: string): number | undefined {
  const names: Readonly<Record<string, number>> = { tcp: IpProtocol.Tcp, udp: IpProtocol.Udp, icmp: IpProtocol.Icmp }
  const name = text.toLowerCase()
  if (Object.hasOwn(names, name)) return names[name]
  return /^\d{1,3}$/.test(name) && Number(name) < 256 ? Number(name) : undefined
}
