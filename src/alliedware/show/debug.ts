/** SHOW DEBUG ACTIVE: what is debugged, and for whom. */

import { type Column, dash, list } from './layout.ts'

export interface DebugActiveState {
  readonly module: string
  readonly modes: readonly string[]
  /** Only what concerns this; empty for everything. */
  readonly object: string
  readonly who: string
}

const columns: readonly Column<DebugActiveState>[] = [
  { head: 'Module', width: 9, text: d => d.module.toUpperCase() },
  { head: 'Object', width: 16, text: d => dash(d.object) },
  { head: 'Modes', width: 32, text: d => d.modes.join(', ').toUpperCase() },
  { head: 'For', width: 22, text: d => d.who },
]

export function printDebugActive(active: readonly DebugActiveState[]): string {
  return list('Active Debugging', columns, active, 'Nothing is debugged.')
}
