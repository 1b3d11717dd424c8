/** SHOW LOG OUTPUT: where messages go. */

import { type Column, list } from './layout.ts'

export interface LogOutputState {
  readonly id: string
  readonly destination: string
  readonly enabled: boolean
  /** With its port; empty where nothing is sent. */
  readonly server: string
  readonly filters: readonly string[]
  /** Messages that it took since the start. */
  readonly taken: number
}

const columns: readonly Column<LogOutputState>[] = [
  { head: 'Output', width: 11, text: o => o.id },
  { head: 'Type', width: 9, text: o => o.destination },
  { head: 'Status', width: 9, text: o => (o.enabled ? 'Enabled' : 'Disabled') },
  { head: 'Server', width: 22, text: o => o.server },
  { head: 'Messages', width: 10, text: o => o.taken },
  { head: 'Filters', width: 20, text: o => o.filters.join('; ') || 'severity 3 and worse' },
]

export function printLogOutputs(outputs: readonly LogOutputState[]): string {
  return list('Log Outputs', columns, outputs, 'There are none.')
}
