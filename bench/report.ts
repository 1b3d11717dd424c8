/** What `npm run bench` makes of its benchmarks' rows: which options each gets, the one table, and what is worse than expected. */

import type { Row } from './rows.ts'

export interface Skipped {
  readonly what: string
  readonly skipped: string
}

/** One benchmark's part of the report. */
export interface Result {
  readonly name: string
  /** Its exit status, or the signal that ended it. */
  readonly status: number | string
  readonly seconds: number
  readonly rows: readonly (Row | Skipped)[]
}

/** A ratio has to be at least this part of the expected one. */
const GROSS = 2

/** What makes a run of all benchmarks as short as a coffee break; by itself each of them takes its time. */
export const SHORT: Readonly<Record<string, readonly string[]>> = {
  allocation: ['--packets=5000000'],
  answer: ['--clients=100'],
  crowd: ['--clients=5000', '--minutes=0.5', '--within=20', '--longest=75'],
  crypto: ['--short'],
  fairness: ['--seconds=2'],
  kernel: ['--sizes=1400', '--bursts=64'],
  path: ['--seconds=1'],
  sessions: ['--clients=5000', '--rounds=2'],
}

/**
 * The options of one benchmark: those for all, and those for it alone, `--gateway.seconds=2`. Of two of the same name the
 * first counts. `whole`: it runs with all others, and what nobody says is short.
 */
export function optionsFor(name: string, options: readonly string[], whole: boolean): string[] {
  const own = options.filter(o => o.startsWith(`--${name}.`)).map(o => `--${o.slice(name.length + 3)}`)
  const common = options.filter(o => !/^--[a-z]+\./.test(o))
  return [...own, ...common, ...(whole ? (SHORT[name] ?? []) : [])]
}

const shown = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

export function table(results: readonly Result[]): string {
  const lines = [['bench', 'what', 'figure', 'times', 'what it stands beside']]
  for (const { name, rows, status, seconds } of results) {
    for (const row of rows) {
      if ('skipped' in row) lines.push([name, row.what, 'not measured', '', row.skipped])
      else {
        const beside = [row.against, row.remark].filter(words => words !== undefined).join('; ')
        const ratio = row.ratio === undefined ? '' : row.ratio.toFixed(2)
        lines.push([name, row.what, `${shown(row.value)} ${row.unit}`, ratio, beside])
      }
    }
    if (status !== 0) lines.push([name, 'as a whole', 'failed', '', `ended with ${status} after ${seconds} s`])
    else if (rows.length === 0) lines.push([name, 'printed above', '', '', ''])
  }
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map(l => l[i]!.length)))
  const right = new Set([2, 3])
  const cell = (text: string, i: number) => (right.has(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))
  return lines.map(l => l.map(cell).join('  ').trimEnd()).join('\n')
}

/** The rows that have a ratio below a part of the expected one, or are missing; undefined where one was not measured. */
export function regressions(
  rows: readonly (Row | Skipped)[],
  expected: Readonly<Record<string, number>> | undefined,
): string[] | undefined {
  if (expected === undefined || rows.some(r => 'skipped' in r)) return undefined
  return Object.entries(expected).flatMap(([what, ratio]) => {
    const row = rows.find((r): r is Row => r.what === what && 'ratio' in r)
    if (row?.ratio === undefined) return [`${what}: not measured`]
    return row.ratio * GROSS < ratio ? [`${what}: ${row.ratio.toFixed(2)} times, and ${ratio} are expected`] : []
  })
}

/** Rows with the better ratio of two runs: what else runs on a machine makes figures worse and never better. */
export function better(rows: readonly Row[], again: readonly Row[]): Row[] {
  return rows.map(r => again.find(a => a.what === r.what && (a.ratio ?? 0) > (r.ratio ?? 0)) ?? r)
}
