/** What every SHOW is given, and how it answers: as text in the router's style and as data. */

import type { Command } from '../alliedware/parse.ts'
import type { CounterState, SystemState } from '../alliedware/show/state.ts'
import type { AdminAnswer } from './caller.ts'
import type { Control } from './control.ts'
import type { HostCounters } from './host-counters.ts'
import type { HostTables } from './host-tables.ts'
import type { Log } from './log.ts'
import type { SecretStore } from './secret-store.ts'

export interface ShowWorld {
  readonly control: Control
  readonly secrets: SecretStore
  readonly log: Log
  readonly system: () => SystemState
  readonly moreCounters: () => CounterState
  /** What the kernel counted in our nftables table; none where there is no kernel to ask. */
  readonly hostCounters?: () => Promise<HostCounters>
  /** Whether the kernel tells of packets on the host's own devices; absent: nobody asks it. */
  readonly tellsOfHost?: () => boolean
  /** The host's routes, ARP entries and devices; none where there is no host to ask. */
  readonly hostTables?: () => HostTables
}

export type Showing = (w: ShowWorld, command: Command) => AdminAnswer | Promise<AdminAnswer>

export function answer<T>(data: T, print: (data: T) => string): AdminAnswer {
  return { exit: 0, text: print(data), data }
}

export function refusal(text: string): AdminAnswer {
  return { exit: 1, text: `Error: ${text}` }
}

/** How an object is written in the midst of a sentence, where that is not as it is typed. */
const TITLES: Readonly<Record<string, string>> = {
  enco: 'ENCO',
  ip: 'IP',
  ipsec: 'IPsec',
  isakmp: 'ISAKMP',
  l2tp: 'L2TP',
  ppp: 'PPP',
  sa: 'SA',
  ssh: 'SSH',
}

/** What the command names is not there. */
export function absent({ object, value }: Pick<Command, 'object' | 'value'>): AdminAnswer {
  return refusal(`${object.map(word => TITLES[word] ?? word).join(' ')} "${value}" does not exist`)
}

/** The one item that the command names. */
export function one<T>(
  command: Command,
  data: readonly T[],
  fits: (item: T) => boolean,
  print: (item: T) => string,
): AdminAnswer {
  const found = data.find(fits)
  if (found === undefined) return absent(command)
  return answer(found, print)
}

/** Whether the command names this item, or none. */
export function named(command: Command, name: string | number): boolean {
  return command.value === undefined || command.value.toLowerCase() === String(name).toLowerCase()
}
