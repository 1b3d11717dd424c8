/** The numbered rules of a firewall policy: the lowest that matches decides. */

import { type FirewallRule, type PortRange, RULE_DEFAULTS } from '../../firewall/policy.ts'
import { insertBy, merge } from '../draft.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import { addressRange, interfaceName, name, number, oneOf, text } from '../value.ts'
import { days, ports, protocol, timeOfDay, timeToLive } from './firewall-match.ts'
import { change, inPolicy, policyName, templateName, without } from './firewall-policy.ts'

const ruleParameters = {
  ACtion: oneOf('ALLow', 'DEny', 'NAT', 'NONat'),
  INTerface: interfaceName,
  PROTocol: protocol,
  IP: addressRange,
  POrt: ports,
  GBLIP: addressRange,
  GBLPort: ports,
  REMoteip: addressRange,
  SOUrceport: ports,
  ENCapsulation: oneOf('NOne', 'IPsec'),
  GBLREmoteip: addressRange,
  LISt: templateName,
  NATType: oneOf('DOuble', 'ENHanced', 'REVerse', 'STandard'),
  AFter: timeOfDay,
  BEFore: timeOfDay,
  DAYs: days,
  TTL: timeToLive,
  // Whose session it is: our extension.
  USer: name(64),
  GROup: templateName,
  NATMask: text(1, 64),
  RULe: number(1, 1000),
} as const
type RuleArguments = Arguments<typeof ruleParameters>

/** What was typed upon what was there; undefined, and a complaint, where that cannot be. */
function ruleWith(before: FirewallRule, args: RuleArguments, report: Report): FirewallRule | undefined {
  const port = (given: PortRange | 'all' | undefined, kept: PortRange | undefined) =>
    given === undefined ? kept : given === 'all' ? undefined : given
  const { nattype } = args
  const rule: FirewallRule = {
    ...merge(before, {
      action: args.action,
      interface: args.interface,
      ip: args.ip,
      globalIp: args.gblip,
      remoteIp: args.remoteip,
      globalRemoteIp: args.gblremoteip,
      natType: nattype === 'double' ? undefined : nattype,
      list: args.list,
      afterMinute: args.after,
      beforeMinute: args.before,
      ttlSeconds: args.ttl === undefined ? undefined : args.ttl * 60,
      user: args.user?.toLowerCase(),
      group: args.group,
      encapsulation: args.encapsulation,
    }),
    protocol: args.protocol === undefined ? before.protocol : args.protocol === 'all' ? undefined : args.protocol,
    port: port(args.port, before.port),
    globalPort: port(args.gblport, before.globalPort),
    sourcePort: port(args.sourceport, before.sourcePort),
    days: args.days === undefined ? before.days : args.days === 'all' ? undefined : args.days,
  }
  const wrong = complaint(rule, args)
  if (wrong !== undefined) report.error(wrong)
  return wrong === undefined ? rule : undefined
}

/** A rule that could not be narrowed or translated as it asks would let more through than was meant: it is refused. */
function complaint(rule: FirewallRule, args: RuleArguments): string | undefined {
  if (args.natmask !== undefined) return 'NATMASK is not supported: name ranges of addresses'
  if (args.nattype === 'double') return 'NATTYPE=DOUBLE is not supported: one rule translates one side'
  if (rule.natType !== undefined && rule.action !== 'nat') return 'NATTYPE is for ACTION=NAT'
  if (args.ttl === 0) return 'TTL must be longer than that'
  if (rule.list === 'radius') return 'LIST=RADIUS is not supported'
  const reverse = rule.natType === 'reverse'
  if (reverse !== (rule.globalRemoteIp !== undefined)) return 'GBLREMOTEIP and NATTYPE=REVERSE need one another'
  if (reverse && !sameSize(rule.remoteIp, rule.globalRemoteIp)) return 'REMOTEIP and GBLREMOTEIP must be as large'
  if (rule.natType === 'standard' && !sameSize(rule.ip, rule.globalIp)) return 'IP and GBLIP must be as large'
  return undefined
}

type Range = { readonly first: number; readonly last: number }

function sameSize(a: Range | undefined, b: Range | undefined): boolean {
  return a !== undefined && b !== undefined && a.last - a.first === b.last - b.first
}

export const ruleCommands: readonly CommandEntry[] = [
  act({
    verb: 'set',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: ruleParameters,
    needs: ['rule'],
    selector: 'rule',
    section: 'FIREWALL',
    kind: 'firewall rule',
    identity: (policy, args) => inPolicy(policy, args.rule),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const before = p.rules.find(r => r.number === args.rule)
        if (before === undefined) {
          report.missing('firewall rule', inPolicy(policy, args.rule))
          return undefined
        }
        const rule = ruleWith(before, args, report)
        return rule && { ...p, rules: p.rules.map(r => (r === before ? rule : r)) }
      }),
  }),
  act({
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: ruleParameters,
    needs: ['rule', 'action', 'interface', 'protocol'],
    selector: 'rule',
    section: 'FIREWALL',
    kind: 'firewall rule',
    identity: (policy, args) => inPolicy(policy, args.rule),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        if (p.rules.some(r => r.number === args.rule)) {
          report.error(`rule ${args.rule} exists already`)
          return undefined
        }
        const made = { number: args.rule!, action: args.action!, interface: args.interface!, ...RULE_DEFAULTS }
        const rule = ruleWith(made, args, report)
        if (rule === undefined) return undefined
        const rules = [...p.rules]
        insertBy(rules, rule, r => r.number)
        return { ...p, rules }
      }),
  }),
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { RULe: number(1, 1000) },
    needs: ['rule'],
    selector: 'rule',
    section: 'FIREWALL',
    kind: 'firewall rule',
    identity: (policy, args) => inPolicy(policy, args.rule),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const rules = without(
          p.rules,
          r => r.number === args.rule,
          () => report.missing('firewall rule', inPolicy(policy, args.rule)),
        )
        return rules && { ...p, rules }
      }),
  }),
]
