/** SHOW ENCO KEY: which keys the store holds. Their values are shown nowhere. */

import { type Column, list } from './layout.ts'

export interface EncoKeyState {
  readonly id: number
  readonly type: string
  /** Bytes. */
  readonly length: number
}

const columns: readonly Column<EncoKeyState>[] = [
  { head: 'ID', width: 8, text: k => k.id },
  { head: 'Type', width: 14, text: k => k.type.toUpperCase() },
  { head: 'Length (bytes)', width: 14, text: k => k.length },
]

export function printEncoKeys(keys: readonly EncoKeyState[]): string {
  return list(
    'ENCO Keys',
    columns,
    keys.toSorted((a, b) => a.id - b.id),
    'No keys.',
  )
}
