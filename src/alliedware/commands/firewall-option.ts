/** ENABLE and DISABLE FIREWALL POLICY: what passes beside rules, accounting, and isolation of clients, which is our extension. */

import { type FirewallPolicy, FRAGMENT_KINDS, ICMP_KINDS, IP_OPTION_KINDS } from '../../firewall/policy.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import { flag, listOf } from '../value.ts'
import { change, policyName } from './firewall-policy.ts'

const optionParameters = {
  ICMP_forwarding: listOf('ALL', 'PARAmeter', 'PING', 'SOUrcequench', 'TIMEExceeded', 'TIMESTamp', 'UNReachable'),
  OPtions: listOf('ALL', 'RECord_route', 'ROUter_alert', 'SECurity', 'SOUrceroute', 'SOURCEROUTIng', 'TIMEstamp'),
  FRAgment: listOf('ALL', 'ICMP', 'UDP', 'OTHER'),
  PING: flag,
  ISOlation: flag,
  ACCounting: flag,
} as const
const selectors = ['icmp_forwarding', 'options', 'fragment', 'ping', 'isolation', 'accounting'] as const

/** `kinds` with or without those that were named; in their own order. */
function toggled<T extends string>(
  all: readonly T[],
  kept: readonly T[],
  named: readonly string[] | undefined,
  on: boolean,
): readonly T[] {
  if (named === undefined) return kept
  const meant = (kind: T) => named.includes(kind) || named.includes('all')
  return all.filter(kind => (meant(kind) ? on : kept.includes(kind)))
}

function withOptions(
  p: FirewallPolicy,
  args: Arguments<typeof optionParameters>,
  on: boolean,
  report: Report,
): FirewallPolicy {
  if (on && args.options?.some(o => o === 'sourceroute' || o === 'sourcerouting'))
    report.warn('source-routed packets are never forwarded: OPTIONS=SOURCEROUTE has no effect')
  return {
    ...p,
    icmpForwarding: toggled(ICMP_KINDS, p.icmpForwarding, args.icmp_forwarding, on),
    ipOptions: toggled(IP_OPTION_KINDS, p.ipOptions, args.options, on),
    fragments: toggled(FRAGMENT_KINDS, p.fragments, args.fragment, on),
    ping: args.ping ? on : p.ping,
    isolation: args.isolation ? on : p.isolation,
    accounting: args.accounting ? on : p.accounting,
  }
}

export const optionCommands: readonly CommandEntry[] = [true, false].flatMap(on =>
  selectors.map(selector =>
    act({
      verb: on ? 'enable' : 'disable',
      path: 'FIREwall POLIcy=',
      of: policyName,
      parameters: optionParameters,
      selector,
      section: 'FIREWALL',
      apply: (draft, policy, args, report) => change(draft, policy, report, p => withOptions(p, args, on, report)),
    }),
  ),
)
