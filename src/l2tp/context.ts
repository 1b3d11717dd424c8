/** What all tunnels of one endpoint have in common: configuration, dice, row numbers and counters. */

import type { Dice } from '../machine.ts'
import type { RowNumbers } from '../packet/table.ts'
import type { L2tpConfig } from './effects.ts'

/** What was counted since the start. */
export type Counters = Record<CounterName, number>
export type CounterName = (typeof counterNames)[number]

export const counterNames = [
  'messagesReceived',
  'messagesSent',
  'zlbReceived',
  'zlbSent',
  'retransmissions',
  'duplicates',
  'outOfOrder',
  'outsideWindow',
  'badHeader',
  'badBody',
  'unknownTunnel',
  'unknownSession',
  'ignored',
  'unexpected',
  'tunnelsOpened',
  'tunnelsEstablished',
  'tunnelsRefused',
  'tunnelsSuperseded',
  'tunnelsDead',
  'callsAccepted',
  'callsConnected',
  'callsRefused',
  'hellosSent',
  'hellosReceived',
] as const

export interface Context {
  config: L2tpConfig
  readonly dice: Dice
  readonly rows: RowNumbers
  readonly counters: Counters
}

export function newCounters(): Counters {
  return Object.fromEntries(counterNames.map(name => [name, 0])) as Counters
}

/** A random number from 1 to 65535 that is not taken: IDs tell nothing and do not collide with those of before a restart. */
export function freshId(dice: Dice, taken: (id: number) => boolean): number {
  const bytes = dice(2)
  const start = (bytes[0]! << 8) | bytes[1]!
  for (let i = 0; i < 0xffff; i++) {
    const id = ((start + i) % 0xffff) + 1
    if (!taken(id)) return id
  }
  throw new RangeError('every ID is taken') // limits of tunnels and sessions are far below
}
