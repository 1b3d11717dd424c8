/** SHOW FIREWALL POLICY LIMITRULE: the limit rules, what they refused, and with DETAIL who has how many sessions. */

import type { LimitReport } from '../../firewall/limits.ts'
import type { LimitRule } from '../../firewall/policy.ts'
import { formatIpv4 } from '../../packet/ip.ts'
import { formatRange } from '../value.ts'
import { leaders, page, table } from './layout.ts'

export interface LimitState extends LimitRule {
  /** Sessions refused in the workers, and connections in the kernel. */
  readonly refused: number
  readonly hostRefused: number
  /** Of the workers' sessions. */
  readonly devices: LimitReport['devices']
}

export interface PolicyLimits {
  readonly policy: string
  readonly limits: readonly LimitState[]
}

export function printFirewallLimits(policies: readonly PolicyLimits[], detail: boolean): string {
  if (policies.length === 0) return 'No firewall policies.'
  return page(
    ...policies.flatMap((p, i) => [
      ...(i === 0 ? [] : ['']),
      `Policy : ${p.policy}`,
      ...(p.limits.length === 0 ? ['No limit rules.'] : p.limits.flatMap(l => printLimit(l, detail))),
    ]),
  )
}

function printLimit(l: LimitState, detail: boolean): string[] {
  const range = (r: LimitRule['ip']) => (r === undefined ? 'all' : formatRange(r))
  const fields = leaders(
    [
      ['Source IP Limit', l.sessions],
      ['Interface', l.interface ?? 'all'],
      ['IP', range(l.ip)],
      ['Global Remote IP', range(l.globalRemoteIp)],
      ['Refused sessions', l.refused],
      ['Refused by the host', l.hostRefused],
    ],
    32,
  )
  const devices = table(
    [
      { head: 'Device', width: 18, text: d => formatIpv4(d.address) },
      { head: 'Sessions', width: 10, text: d => d.sessions },
    ],
    l.devices,
  )
  const below = detail && l.devices.length > 0 ? devices : []
  return [...leaders([['Limit Rule', l.number]]), ...[...fields, ...below].map(line => `  ${line}`)]
}
