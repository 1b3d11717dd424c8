/** SHOW COUNTER and the modules' own: every counter of the gateway by group, two a row. */

import { clean, page, pairs } from './layout.ts'
import type { CounterState } from './state.ts'

const TITLES: ReadonlyMap<string, string> = new Map([
  ['ike', 'ISAKMP'],
  ['ipsec', 'IPsec'],
  ['l2tp', 'L2TP'],
  ['ppp', 'PPP'],
  ['data', 'Data Path'],
  ['firewall', 'Firewall'],
  ['gateway', 'Gateway'],
])

export function printCounters(counters: CounterState): string {
  const groups = Object.entries(counters).filter(([, group]) => Object.keys(group).length > 0)
  if (groups.length === 0) return 'No counters.'
  return page(
    groups.flatMap(([name, group], i) => [
      ...(i === 0 ? [] : ['']),
      `${TITLES.get(name) ?? clean(name)} Counters`,
      ...pairs(Object.entries(group)),
    ]),
  )
}

/** Groups of one module's counters, each under its own title. */
export function printCounterGroups(groups: CounterState): string {
  const full = Object.entries(groups)
  return page(
    full.flatMap(([title, group], i) => [
      ...(i === 0 ? [] : ['']),
      `${clean(title)} Counters`,
      ...(Object.keys(group).length === 0 ? ['  none'] : pairs(Object.entries(group))),
    ]),
  )
}
