/**
 * A benchmark's figures as rows of the one table that `npm run bench` prints: scripts/bench.mjs names a file in
 * BENCH_ROWS, and every line of it is a row.
 */

import { appendFileSync } from 'node:fs'

export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: string
  /** How many times better than what it stands beside in the same run: above 1 is better. */
  readonly ratio?: number
  /** What it stands beside. */
  readonly against?: string
  /** What the figure alone does not say. */
  readonly remark?: string
}

export function note(row: Row): void {
  const file = process.env['BENCH_ROWS']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`)
}

/** Says why something was not measured, in the table as on the screen. */
export function skipped(what: string, why: string): void {
  process.stdout.write(`not measured: ${what}: ${why}\n`)
  const file = process.env['BENCH_ROWS']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ what, skipped: why })}\n`)
}
