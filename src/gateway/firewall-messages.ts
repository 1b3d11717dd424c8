/** What control and the workers' firewalls say to each other beside rules: events upwards, questions and their answers. */

import type { FinishedFlow } from '../firewall/accounting.ts'
import type { FirewallEvent } from '../firewall/events.ts'
import { endFlow, type FirewallReport, type FlowFilter, report } from '../firewall/report.ts'
import type { FirewallTables } from '../firewall/tables.ts'
import type { TracedPacket, TraceOrder } from '../firewall/trace.ts'
import type { Millis } from '../machine.ts'

/** `id` comes back with the answer. */
export type FirewallQuestion =
  | { readonly id: number; readonly what: 'report'; readonly limit: number; readonly filter: FlowFilter }
  | { readonly id: number; readonly what: 'end'; readonly flow: number }
  /** Tell of all connections that are over; the answer comes behind them. */
  | { readonly id: number; readonly what: 'settle' }
  /** Tell of these packets from now on; of none where the list is empty. */
  | { readonly id: number; readonly what: 'trace'; readonly orders: readonly TraceOrder[] }

export type FirewallNews =
  | { readonly what: 'events'; readonly events: readonly FirewallEvent[] }
  | { readonly what: 'report'; readonly id: number; readonly report: FirewallReport }
  | { readonly what: 'ended'; readonly id: number; readonly found: boolean }
  | { readonly what: 'settled'; readonly id: number }
  | { readonly what: 'traced'; readonly packets: readonly TracedPacket[]; readonly missed: number }
  /** Connections that are over; `unrecorded`: how many more there were since the worker began. */
  | { readonly what: 'finished'; readonly flows: readonly FinishedFlow[]; readonly unrecorded: number }

/** What waits in a worker to be told: the events' own limits, and the accounts', are these messages', too. */
export function* waitingNews(tables: FirewallTables): Generator<FirewallNews> {
  const { events, accounting, trace, ruleset, policyNames } = tables
  if (trace.waiting > 0) yield { what: 'traced', ...trace.take(ruleset) }
  if (events.waiting > 0) yield { what: 'events', events: events.take(ruleset) }
  if (accounting.waiting > 0)
    yield { what: 'finished', flows: accounting.take(policyNames), unrecorded: accounting.unrecorded }
}

/** A worker's answer to control; ask for what waits before it. */
export function answerQuestion(tables: FirewallTables, q: FirewallQuestion, now: Millis): FirewallNews {
  if (q.what === 'trace') tables.trace.order(q.orders, tables.ruleset)
  if (q.what === 'settle' || q.what === 'trace') return { what: 'settled', id: q.id }
  if (q.what === 'end') return { what: 'ended', id: q.id, found: endFlow(tables.flows, q.flow, now) }
  return { what: 'report', id: q.id, report: report(tables, now, q.limit, q.filter) }
}
