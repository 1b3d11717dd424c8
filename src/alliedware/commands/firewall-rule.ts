/** The numbered rules of a firewall policy: the lowest that matches decides. */

import type { FirewallRule, PortRange } from '../../firewall/policy.ts'
import { insertBy, merge } from '../draft.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import { addressRange, either, interfaceName, keywordNumber, number, oneOf, text, type ValueType } from '../value.ts'
import { change, inPolicy, policyName, without } from './firewall-policy.ts'

const services: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  dns: 53,
  domain: 53,
  tftp: 69,
  http: 80,
  www: 80,
  pop3: 110,
  ntp: 123,
  imap: 143,
  snmp: 161,
  https: 443,
  isakmp: 500,
  l2tp: 1701,
  pptp: 1723,
}

const ports: ValueType<PortRange | 'all'> = {
  expected: 'ALL, a port, a range of ports or the name of a service',
  parse: value => {
    const word = value.toLowerCase()
    if (word === 'all') return 'all'
    const service = Object.hasOwn(services, word) ? services[word] : undefined
    if (service !== undefined) return { first: service, last: service }
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word)
    if (!match) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    return first <= last && last <= 65535 ? { first, last } : undefined
  },
}

const protocol = either(
  oneOf('ALL'),
  keywordNumber(255, { EGp: 8, ESp: 50, GRe: 47, ICmp: 1, OSpf: 89, SA: 50, TCp: 6, UDp: 17 }),
)

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
  // These narrow a rule; one that could not be narrowed would let more through than was asked for, so it is refused.
  GBLREmoteip: text(1, 64),
  LISt: text(1, 64),
  NATType: text(1, 64),
  NATMask: text(1, 64),
  AFter: text(1, 64),
  BEFore: text(1, 64),
  DAYs: text(1, 64),
  TTL: text(1, 64),
  RULe: number(1, 1000),
} as const
const unsupported = ['gblremoteip', 'list', 'nattype', 'natmask', 'after', 'before', 'days', 'ttl'] as const

function ruleWith(
  before: FirewallRule,
  args: Arguments<typeof ruleParameters>,
  report: Report,
): FirewallRule | undefined {
  for (const parameter of unsupported) {
    if (args[parameter] === undefined) continue
    report.error(`${parameter.toUpperCase()} is not supported, and the rule would not be the same without it`)
    return undefined
  }
  const port = (given: PortRange | 'all' | undefined, kept: PortRange | undefined) =>
    given === undefined ? kept : given === 'all' ? undefined : given
  return {
    ...merge(before, {
      action: args.action,
      interface: args.interface,
      ip: args.ip,
      globalIp: args.gblip,
      remoteIp: args.remoteip,
      encapsulation: args.encapsulation,
    }),
    protocol: args.protocol === undefined ? before.protocol : args.protocol === 'all' ? undefined : args.protocol,
    port: port(args.port, before.port),
    globalPort: port(args.gblport, before.globalPort),
    sourcePort: port(args.sourceport, before.sourcePort),
  }
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
        const rule = ruleWith(
          {
            number: args.rule!,
            action: args.action!,
            interface: args.interface!,
            protocol: undefined,
            ip: undefined,
            port: undefined,
            globalIp: undefined,
            globalPort: undefined,
            remoteIp: undefined,
            sourcePort: undefined,
            encapsulation: undefined,
          },
          args,
          report,
        )
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
