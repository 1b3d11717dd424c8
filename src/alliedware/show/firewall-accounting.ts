/** SHOW FIREWALL ACCOUNTING: what each connection that is over has carried. */

import type { FinishedFlow } from '../../firewall/accounting.ts'
import { placeText, protocolName } from '../../firewall/event-log.ts'
import { dayTime, durationText, page, rule } from './layout.ts'

export interface AccountState extends Omit<FinishedFlow, 'startedAt' | 'endedAt'> {
  /** ISO 8601. */
  readonly started: string
  readonly ended: string
  readonly seconds: number
}

export interface AccountsState {
  readonly policies: readonly { readonly policy: string; readonly flows: readonly AccountState[] }[]
  /** Connections that came too fast to be noted one by one. */
  readonly unrecorded: number
}

const HEAD = 'Date/Time   Dir Prot IP:Port <-> Dest IP:Port /Traffic statistics'

export function printFirewallAccounting({ policies, unrecorded }: AccountsState): string {
  if (policies.length === 0) return 'No firewall policies.'
  return page(
    ...policies.flatMap((p, i) => [
      ...(i === 0 ? [] : ['']),
      `Policy : ${p.policy}`,
      HEAD,
      rule(),
      ...p.flows.flatMap(printAccount),
    ]),
    unrecorded === 0 ? [] : ['', `${unrecorded} sessions ended too fast to be recorded`],
  )
}

function printAccount(a: AccountState): string[] {
  const head = [dayTime(a.ended), a.direction.toUpperCase().padEnd(3), protocolName(a.protocol).toUpperCase().padEnd(4)]
  return [`${head.join(' ')} ${endsText(a)}`, `    Started ${dayTime(a.started)}, ${trafficText(a)}`]
}

/** `192.168.8.50:1025 198.51.100.9:80 (user anna)` */
export function endsText(a: AccountState): string {
  const user = a.user === '' ? '' : ` (user ${a.user})`
  return `${placeText(a.source, a.sourcePort, a.protocol)} ${placeText(a.destination, a.destinationPort, a.protocol)}${user}`
}

/** How long it was, and what it carried out of the private side and into it. */
export function trafficText(a: AccountState): string {
  const forward = `${a.packetsForward} packets ${a.bytesForward} bytes`
  const reverse = `${a.packetsReverse} packets ${a.bytesReverse} bytes`
  const [out, into] = a.direction === 'out' ? [forward, reverse] : [reverse, forward]
  return `${durationText(a.seconds)}: out ${out}, in ${into}`
}
