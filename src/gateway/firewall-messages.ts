/** What control and the workers' firewalls say to each other beside rules: events upwards, questions and their answers. */

import type { FirewallEvent } from '../firewall/events.ts'
import { endFlow, type FirewallReport, type FlowFilter, report } from '../firewall/report.ts'
import type { FirewallTables } from '../firewall/tables.ts'
import type { Millis } from '../machine.ts'

/** `id` comes back with the answer. */
export type FirewallQuestion =
  | { readonly id: number; readonly what: 'report'; readonly limit: number; readonly filter: FlowFilter }
  | { readonly id: number; readonly what: 'end'; readonly flow: number }

export type FirewallNews =
  | { readonly what: 'events'; readonly events: readonly FirewallEvent[] }
  | { readonly what: 'report'; readonly id: number; readonly report: FirewallReport }
  | { readonly what: 'ended'; readonly id: number; readonly found: boolean }

/** A worker's answer to control. */
export function answerQuestion(tables: FirewallTables, q: FirewallQuestion, now: Millis): FirewallNews {
  if (q.what === 'end') return { what: 'ended', id: q.id, found: endFlow(tables.flows, q.flow, now) }
  return { what: 'report', id: q.id, report: report(tables, now, q.limit, q.filter) }
}
