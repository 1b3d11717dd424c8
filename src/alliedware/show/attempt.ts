/** SHOW ATTEMPT: one line a connection attempt: what happened and, where it failed, why and what to change. */

import { type Column, dash, dayTime, list } from './layout.ts'
import type { AttemptState } from './state.ts'

const columns: readonly Column<AttemptState>[] = [
  { head: 'Id', width: 5, text: a => a.id },
  { head: 'Date/Time', width: 13, text: a => dayTime(a.time) },
  { head: 'Remote', width: 22, text: a => a.remote },
  { head: 'Client', width: 12, text: a => dash(a.client) },
  { head: 'User', width: 10, text: a => dash(a.user) },
  { head: 'Outcome', width: 11, text: a => a.outcome },
  { head: 'Setup', width: 8, text: a => setupText(a.setupMillis) },
  { head: 'What happened', width: 15, text: whatHappened },
]

export function printAttempts(attempts: readonly AttemptState[]): string {
  return list('Connection Attempts', columns, attempts, 'No connection attempts.')
}

function whatHappened(a: AttemptState): string {
  return a.remedy === '' ? a.text : `${a.text}. To do: ${a.remedy}`
}

function setupText(millis: number | undefined): string {
  if (millis === undefined) return '-'
  return millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`
}
