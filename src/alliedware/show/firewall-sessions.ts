/** SHOW FIREWALL SESSION: the connections that the workers track. */

import { placeText, protocolName } from '../../firewall/event-log.ts'
import type { FlowSnapshot } from '../../firewall/report.ts'
import { dayTime, leaders, page } from './layout.ts'

export interface FlowState extends Omit<FlowSnapshot, 'number' | 'age'> {
  /** As DELETE FIREWALL SESSION takes it: eight hexadecimal digits. */
  readonly id: string
  readonly policy: string
  readonly user: string
  /** ISO 8601. */
  readonly since: string
}

export interface FlowsState {
  readonly matching: number
  readonly flows: readonly FlowState[]
}

export interface SessionView {
  readonly counter?: boolean
  readonly summary?: boolean
}

/** Where values stand. */
const WIDTH = 32

export function printFirewallSessions(policies: readonly string[], state: FlowsState, view: SessionView = {}): string {
  const blocks = policies.map(name => {
    const flows = state.flows.filter(f => f.policy === name)
    return [`Policy : ${name}`, `Current Sessions : ${flows.length}`, ...flows.flatMap(f => printFlow(f, view))]
  })
  const others = state.flows.filter(f => !policies.includes(f.policy))
  const rest = others.length === 0 ? [] : ['Without a policy', ...others.flatMap(f => printFlow(f, view))]
  const left = state.matching - state.flows.length
  return page(
    ...blocks.flatMap((b, i) => (i === 0 ? b : ['', ...b])),
    rest,
    left > 0 ? [`... and ${left} more: narrow the choice by IP, PORT or PROTOCOL`] : [],
  )
}

function printFlow(f: FlowState, view: SessionView): string[] {
  const protocol = protocolName(f.protocol).toUpperCase()
  const place = (address: number, port: number) => placeText(address, port, f.protocol)
  const t = f.translated
  const first = `${f.id}  ${protocol.padEnd(4)} IP: ${place(f.source, f.sourcePort)}   Remote IP: ${place(f.destination, f.destinationPort)}`
  if (view.summary === true) return [first]
  return [
    first,
    ...(t
      ? [
          `               Gbl IP: ${place(t.source, t.sourcePort)}   Gbl Remote IP: ${place(t.destination, t.destinationPort)}`,
        ]
      : []),
    ...leaders(
      [
        ['State', f.state],
        ...(f.user === '' ? [] : [['User', f.user] as const]),
        ['Start time', dayTime(f.since)],
        ['Seconds to deletion', Math.ceil(f.expiresIn / 1000)],
        ...(view.counter === true
          ? ([
              ['Packets forward', f.packetsForward],
              ['Packets back', f.packetsReverse],
              ['Bytes forward', f.bytesForward],
              ['Bytes back', f.bytesReverse],
            ] as const)
          : []),
      ],
      WIDTH,
    ).map(line => `    ${line}`),
  ]
}
