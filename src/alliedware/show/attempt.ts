/** SHOW ATTEMPT: each connection attempt, what happened and, where it failed, why and what to change. */

import { type Column, dash, dayTime, list, NOTE_WIDTH, wrap } from './layout.ts'
import type { AttemptState } from './state.ts'

const columns: readonly Column<AttemptState>[] = [
  { head: 'Id', width: 5, text: a => a.id },
  { head: 'Date/Time', width: 13, text: a => dayTime(a.time) },
  { head: 'Remote', width: 23, text: a => a.remote },
  { head: 'User', width: 18, text: a => dash(a.user) },
  { head: 'Outcome', width: 12, text: a => a.outcome },
  { head: 'Setup', width: 8, text: a => setupText(a.setupMillis) },
]

export function printAttempts(attempts: readonly AttemptState[]): string {
  return list('Connection Attempts', columns, attempts, 'No connection attempts.', a => [
    ...(a.client === '' ? [] : wrap(`Client: ${a.client}`, NOTE_WIDTH)),
    ...wrap(a.text, NOTE_WIDTH),
    ...(a.remedy === '' ? [] : wrap(`To do: ${a.remedy}`, NOTE_WIDTH)),
  ])
}

function setupText(millis: number | undefined): string {
  if (millis === undefined) return '-'
  return millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`
}
