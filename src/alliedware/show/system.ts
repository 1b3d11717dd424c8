/** SHOW SYSTEM: what runs here, since when, and what is odd about it. */

import { durationText, leaders, PAGE_WIDTH, page, rule, timeDate, wrap } from './layout.ts'
import type { SystemState } from './state.ts'

export function printSystem(s: SystemState): string {
  return page(
    'Gateway System Status',
    rule(),
    leaders(
      [
        ['System Name', s.name],
        ['Version', s.version],
        ['Uptime', durationText(s.uptimeSeconds)],
        ['Workers', s.workers],
        ['Cryptography', s.crypto],
        ['Listening', s.listening],
        ['TUN Device', s.tun],
        ['Offloads', s.offloads],
      ],
      26,
    ),
    '',
    s.warnings.length === 0 ? 'No warnings.' : ['Warnings:', ...s.warnings.flatMap(warningLines)],
  )
}

/** SHOW TIME. */
export function printTime(t: { readonly time: string }): string {
  return `System time is ${timeDate(t.time).replace(' ', ' on ')} (UTC)`
}

function warningLines(text: string): string[] {
  return wrap(text, PAGE_WIDTH - 4).map((line, i) => (i === 0 ? '  - ' : '    ') + line)
}
