/** SHOW LOG: one line a message, its text wrapped under Message. */

import type { LogFilter } from '../log-config.ts'
import { type Column, clean, dayTime, leaders, list, PAGE_WIDTH, page, rule, wrap } from './layout.ts'
import type { LogState } from './state.ts'

export interface LogOptions {
  /** Only the last so many of the messages that fit. */
  readonly tail?: number
  /** The newest first. */
  readonly reverse?: boolean
  /** Only this module's; case does not matter. */
  readonly module?: string
  /** Only of this type; case does not matter. */
  readonly type?: string
  /** Only messages as severe as this (the router's scale: 7 is worst). */
  readonly severity?: LogFilter['severity']
}

/** The text never gets narrower than this, however wide the columns before it. */
const LEAST_MESSAGE = 40

export function printLog(entries: readonly LogState[], options: LogOptions = {}): string {
  const chosen = chooseLog(entries, options)
  if (chosen.length === 0) return 'No log messages.'
  const rows = chosen.map(e => [dayTime(e.time), String(e.severity), clean(e.module), clean(e.type), clean(e.subtype)])
  const heads = ['Date/Time  ', 'S', 'Mod ', 'Type ', 'SType']
  const widths = heads.map((head, i) => rows.reduce((w, row) => Math.max(w, row[i]!.length), head.length))
  const before = (texts: readonly string[]) => texts.map((text, i) => `${text.padEnd(widths[i]!)} `).join('')
  const head = before(heads)
  const width = Math.max(LEAST_MESSAGE, PAGE_WIDTH - head.length)
  return page(
    `${head}Message`,
    rule(Math.max(PAGE_WIDTH, head.length + LEAST_MESSAGE)),
    chosen.flatMap((entry, i) =>
      wrap(entry.text, width).map((text, n) => (n === 0 ? before(rows[i]!) : ' '.repeat(head.length)) + text),
    ),
  )
}

/** The messages that the options mean, in their order. */
export function chooseLog(
  entries: readonly LogState[],
  { tail, reverse, module, type, severity }: LogOptions,
): readonly LogState[] {
  const fitting = entries.filter(
    e =>
      (module === undefined || e.module.toLowerCase() === module.toLowerCase()) &&
      (type === undefined || e.type.toLowerCase() === type.toLowerCase()) &&
      (severity === undefined || (e.severity >= severity.first && e.severity <= severity.last)),
  )
  const last = tail === undefined ? fitting : fitting.slice(Math.max(0, fitting.length - tail))
  return reverse ? last.toReversed() : last
}

/** SHOW LOG STATUS. */
export interface LogStatus {
  /** Messages less severe than this are not kept. */
  readonly leastSeverity: number
  readonly kept: number
  readonly room: number
  /** Since the start, with those that made room for others. */
  readonly total: number
}

export function printLogStatus(s: LogStatus): string {
  return page(
    'Log Status',
    '',
    leaders([
      ['Log', 'ENABLED'],
      ['Least Severity', s.leastSeverity],
      ['Messages kept', s.kept],
      ['Room for', s.room],
      ['Messages since the start', s.total],
    ]),
  )
}

/** SHOW LOG COUNTER: how many messages came from each module since the start, by severity. */
export interface LogCount {
  readonly module: string
  /** By severity, 0 to 7. */
  readonly bySeverity: readonly number[]
}

const countColumns: readonly Column<LogCount>[] = [
  { head: 'Module', width: 9, text: c => c.module },
  ...Array.from({ length: 8 }, (_, i) => ({
    head: `S${i}`,
    width: 8,
    text: (c: LogCount) => c.bySeverity[i] ?? 0,
  })),
]

export function printLogCounts(counts: readonly LogCount[]): string {
  return list('Log Counters', countColumns, counts, 'No log messages.')
}
