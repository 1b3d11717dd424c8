/** ENABLE FIREWALL POLICY DEBUG: what the workers trace, in words; and who wants to hear it. */

import { headerText, placeText, protocolName, reasonText } from '../firewall/event-log.ts'
import type { TracedPacket, TraceOrder } from '../firewall/trace.ts'
import { DropReason } from '../packet/verdict.ts'
import type { Debug } from './debug.ts'

/** Words of four bytes in a line. */
const LINE_WORDS = 7

/** What those who listen want of the workers. */
export function traceOrders(debug: Debug): TraceOrder[] {
  return debug
    .active()
    .filter(a => a.module === 'firewall')
    .map(a => ({ policy: a.object || undefined, packets: a.modes.some(mode => mode !== 'limitrule') }))
}

export function sayTraced(debug: Debug, p: TracedPacket, user: string): void {
  const head = `${p.policy}: ${ends(p, user)}`
  const why = reason(p)
  debug.say('firewall', 'packet', [`${head}, ${p.length} bytes: ${why}`, ...dump(p.header)], [p.policy])
  debug.say('firewall', 'process', [head, `from ${p.from || 'nowhere'} to ${p.to || 'nowhere'}`, why], [p.policy])
  if (p.reason === DropReason.SessionLimit) debug.say('firewall', 'limitrule', [`${head}: ${why}`], [p.policy])
}

/** Says to everybody who listens that packets were too many. */
export function sayMissed(debug: Debug, missed: number, policies: readonly string[]): void {
  debug.say('firewall', 'packet', [`${missed} packets left out`], policies)
  debug.say('firewall', 'process', [`${missed} packets left out`], policies)
}

function ends(p: TracedPacket, user: string): string {
  const [from, to] = [
    placeText(p.source, p.sourcePort, p.protocol),
    placeText(p.destination, p.destinationPort, p.protocol),
  ]
  return `${p.direction} ${protocolName(p.protocol)} ${from} ${to}${user === '' ? '' : ` (user ${user})`}`
}

function reason(p: TracedPacket): string {
  switch (p.cause) {
    case 'free':
      return 'passes: both sides are private'
    case 'known':
      return 'passes: its session is known'
    case 'new':
      return `passes, and opens a session: ${p.rule === 0 ? 'the base rule' : `rule ${p.rule}`}`
    case 'refused':
      return `dropped: ${reasonText({ action: 'deny', attack: undefined, reason: p.reason, rule: p.rule })}`
  }
}

function dump(header: Uint8Array): string[] {
  const words = headerText(header).split(' ')
  const lines: string[] = []
  for (let at = 0; at < words.length; at += LINE_WORDS) lines.push(words.slice(at, at + LINE_WORDS).join(' '))
  return lines
}
