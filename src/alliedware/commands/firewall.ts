/** Firewall policies: their interfaces, dynamic templates, NAT definitions, rules and timeouts. */

import {
  type AddressRange,
  FIREWALL_DEFAULTS,
  type FirewallPolicy,
  type FirewallRule,
  type PortRange,
} from '../../firewall/policy.ts'
import { type Draft, insertBy, merge, removeWhere, sameName } from '../draft.ts'
import { type Arguments, act, type CommandEntry, hold, type Report } from '../grammar.ts'
import {
  addressRange,
  either,
  fileName,
  identifier,
  interfaceName,
  keywordNumber,
  name,
  number,
  oneOf,
  text,
  type ValueType,
} from '../value.ts'

const policyName = identifier(15)
/** Template names are kept in lower case, as the interface name `dyn-NAME` made from them is. */
const templateName: ValueType<string> = {
  expected: policyName.expected,
  parse: value => policyName.parse(value)?.toLowerCase(),
}

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

/** Replaces the policy by what `change` makes of it; it changes nothing where it answers undefined. */
function change(
  draft: Draft,
  wanted: string,
  report: Report,
  change: (policy: FirewallPolicy) => FirewallPolicy | undefined,
): void {
  const index = draft.firewall.policies.findIndex(p => sameName(p.name, wanted))
  if (index < 0) return report.missing('firewall policy', wanted)
  const policy = change(draft.firewall.policies[index]!)
  if (policy) draft.firewall.policies[index] = policy
}

/** The same list without what fits; undefined, and a complaint, where nothing does. */
function without<T>(list: readonly T[], fits: (item: T) => boolean, complain: () => void): T[] | undefined {
  const left = list.filter(item => !fits(item))
  if (left.length < list.length) return left
  complain()
  return undefined
}

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

const inPolicy = (policy: string, key: string | number | undefined) => `${policy} ${key ?? ''}`
const sameAddresses = (a: AddressRange | undefined, b: AddressRange | undefined) =>
  a?.first === b?.first && a?.last === b?.last

const templateUser = either(oneOf('ANY', 'NONE'), name(64))
const templateParameters = { DYnamic: templateName, USer: templateUser, FIle: fileName } as const
const natParameters = {
  NAT: oneOf('STandard', 'ENHanced', 'REVerse'),
  INTerface: interfaceName,
  IP: addressRange,
  GBLINterface: interfaceName,
  GBLIP: addressRange,
} as const
const natIdentity = (policy: string, args: Arguments<typeof natParameters>) =>
  `${policy} ${args.interface ?? ''} ${args.gblinterface ?? ''} ${args.ip ? args.ip.first : ''}`

const moduleCommands: readonly CommandEntry[] = [
  ...[true, false].map(enabled =>
    act({
      verb: enabled ? 'enable' : 'disable',
      path: 'FIREwall',
      section: 'FIREWALL',
      apply: draft => {
        draft.firewall.enabled = enabled
      },
    }),
  ),
  ...['enable', 'disable'].map(verb =>
    hold({ verb, path: 'FIREwall NOTify=', of: text(1, 64), free: true, section: 'FIREWALL' }),
  ),
]

const policyCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: templateParameters,
    needs: ['dynamic'],
    selector: 'dynamic',
    section: 'FIREWALL',
    kind: 'firewall template',
    identity: (policy, args) => inPolicy(policy, args.dynamic),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        if (p.dynamics.some(d => d.name === args.dynamic)) {
          report.error(`dynamic template "${args.dynamic}" exists already`)
          return undefined
        }
        return { ...p, dynamics: [...p.dynamics, { name: args.dynamic!, users: [], any: false, none: false }] }
      }),
  }),
  act({
    verb: 'create',
    path: 'FIREwall POLIcy=',
    of: policyName,
    section: 'FIREWALL',
    kind: 'firewall policy',
    apply: (draft, policy, _, report) => {
      if (draft.firewall.policies.some(p => sameName(p.name, policy)))
        return report.error(`firewall policy "${policy}" exists already`)
      draft.firewall.policies.push({
        name: policy,
        interfaces: [],
        dynamics: [],
        nats: [],
        rules: [],
        ...FIREWALL_DEFAULTS,
      })
    },
  }),
  act({
    verb: 'destroy',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { DYnamic: templateName },
    needs: ['dynamic'],
    selector: 'dynamic',
    section: 'FIREWALL',
    kind: 'firewall template',
    identity: (policy, args) => inPolicy(policy, args.dynamic),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const dynamics = without(
          p.dynamics,
          d => d.name === args.dynamic,
          () => report.missing('firewall template', inPolicy(policy, args.dynamic)),
        )
        return dynamics && { ...p, dynamics }
      }),
  }),
  act({
    verb: 'destroy',
    path: 'FIREwall POLIcy=',
    of: policyName,
    section: 'FIREWALL',
    kind: 'firewall policy',
    apply: (draft, policy, _, report) => {
      if (!removeWhere(draft.firewall.policies, p => sameName(p.name, policy)))
        report.missing('firewall policy', policy)
    },
  }),
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
    verb: 'set',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { TCPtimeout: number(0, 43200), UDPTimeout: number(0, 43200), OTHertimeout: number(0, 43200) },
    held: { ESPtimeout: number(0, 43200), FTPdataport: oneOf('RFc', 'ANy') },
    section: 'FIREWALL',
    kind: 'firewall policy',
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        // Given in minutes; 0 stands for half of one.
        const seconds = (minutes: number | undefined) => (minutes === undefined ? undefined : minutes * 60 || 30)
        return merge(p, {
          tcpTimeoutSeconds: seconds(args.tcptimeout),
          udpTimeoutSeconds: seconds(args.udptimeout),
          otherTimeoutSeconds: seconds(args.othertimeout),
        })
      }),
  }),
  ...['enable', 'disable'].map(verb =>
    hold({ verb, path: 'FIREwall POLIcy=', of: policyName, free: true, section: 'FIREWALL' }),
  ),
]

const memberCommands: readonly CommandEntry[] = [
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
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: natParameters,
    needs: ['nat', 'interface', 'gblinterface'],
    selector: 'nat',
    section: 'FIREWALL',
    kind: 'firewall NAT',
    identity: natIdentity,
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const nat = {
          kind: args.nat!,
          interface: args.interface!,
          ip: args.ip,
          globalInterface: args.gblinterface!,
          globalIp: args.gblip,
        }
        const same = (other: typeof nat) =>
          other.interface === nat.interface &&
          other.globalInterface === nat.globalInterface &&
          sameAddresses(other.ip, nat.ip)
        if (p.nats.some(same)) {
          report.error(`NAT from ${nat.interface} to ${nat.globalInterface} exists already`)
          return undefined
        }
        return { ...p, nats: [...p.nats, nat] }
      }),
  }),
  act({
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: templateParameters,
    needs: ['dynamic'],
    selector: 'dynamic',
    section: 'FIREWALL',
    kind: 'firewall template',
    identity: (policy, args) => inPolicy(policy, args.dynamic),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const template = p.dynamics.find(d => d.name === args.dynamic)
        if (template === undefined) {
          report.missing('firewall template', inPolicy(policy, args.dynamic))
          return undefined
        }
        if (args.user === undefined) {
          report.error(args.file === undefined ? 'USER is missing' : 'FILE is not supported: name each USER')
          return undefined
        }
        const user = args.user.toLowerCase()
        const with_ = {
          ...template,
          any: template.any || user === 'any',
          none: template.none || user === 'none',
          users: ['any', 'none', ...template.users].includes(user) ? template.users : [...template.users, user],
        }
        return { ...p, dynamics: p.dynamics.map(d => (d === template ? with_ : d)) }
      }),
  }),
  act({
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: {
      INTerface: interfaceName,
      TYpe: oneOf('PUblic', 'PRivate'),
      METhod: oneOf('DYnamic', 'PAssall'),
      UPnptype: oneOf('LAN', 'WAN'),
    },
    needs: ['interface', 'type'],
    selector: 'interface',
    section: 'FIREWALL',
    kind: 'firewall interface',
    identity: (policy, args) => inPolicy(policy, args.interface),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const added = { name: args.interface!, type: args.type!, method: args.method ?? ('dynamic' as const) }
        const other = draft.firewall.policies.find(q =>
          q.interfaces.some(
            i => i.name === added.name && (q === p || (i.type === 'private' && added.type === 'private')),
          ),
        )
        if (other) {
          report.error(`interface ${added.name} is in policy "${other.name}" already`)
          return undefined
        }
        if (args.upnptype !== undefined) report.warn('UPNPTYPE has no effect here')
        return { ...p, interfaces: [...p.interfaces, added] }
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
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: natParameters,
    needs: ['nat', 'interface', 'gblinterface'],
    selector: 'nat',
    section: 'FIREWALL',
    kind: 'firewall NAT',
    identity: natIdentity,
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const nats = without(
          p.nats,
          n =>
            n.kind === args.nat &&
            n.interface === args.interface &&
            n.globalInterface === args.gblinterface &&
            (args.ip === undefined || sameAddresses(n.ip, args.ip)),
          () => report.missing('firewall NAT', natIdentity(policy, args)),
        )
        return nats && { ...p, nats }
      }),
  }),
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { DYnamic: templateName, USer: templateUser },
    needs: ['dynamic', 'user'],
    selector: 'dynamic',
    section: 'FIREWALL',
    kind: 'firewall template',
    identity: (policy, args) => inPolicy(policy, args.dynamic),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const template = p.dynamics.find(d => d.name === args.dynamic)
        const user = args.user!.toLowerCase()
        if (template === undefined) {
          report.missing('firewall template', inPolicy(policy, args.dynamic))
          return undefined
        }
        const left = {
          ...template,
          any: template.any && user !== 'any',
          none: template.none && user !== 'none',
          users: template.users.filter(u => u !== user),
        }
        return { ...p, dynamics: p.dynamics.map(d => (d === template ? left : d)) }
      }),
  }),
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { INTerface: interfaceName },
    needs: ['interface'],
    selector: 'interface',
    section: 'FIREWALL',
    kind: 'firewall interface',
    identity: (policy, args) => inPolicy(policy, args.interface),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const interfaces = without(
          p.interfaces,
          i => i.name === args.interface,
          () => report.missing('firewall interface', inPolicy(policy, args.interface)),
        )
        const used = [...p.rules, ...p.nats].some(
          r => r.interface === args.interface || ('globalInterface' in r && r.globalInterface === args.interface),
        )
        if (interfaces && used) {
          report.error(`interface ${args.interface} is in use by a rule or a NAT`)
          return undefined
        }
        return interfaces && { ...p, interfaces }
      }),
  }),
]

export const firewallCommands: readonly CommandEntry[] = [...moduleCommands, ...policyCommands, ...memberCommands]
