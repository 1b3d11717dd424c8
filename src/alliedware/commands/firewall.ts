/** The firewall, its policies with their interfaces and timeouts; rules, NAT and templates have files of their own. */

import { FIREWALL_DEFAULTS } from '../../firewall/policy.ts'
import { removeWhere, sameName } from '../draft.ts'
import { act, type CommandEntry, hold } from '../grammar.ts'
import { interfaceName, oneOf } from '../value.ts'
import { dynamicCommands } from './firewall-dynamic.ts'
import { limitCommands } from './firewall-limit.ts'
import { listCommands } from './firewall-list.ts'
import { natCommands } from './firewall-nat.ts'
import { firewallNeighbourCommands } from './firewall-neighbours.ts'
import { optionCommands } from './firewall-option.ts'
import { change, inPolicy, policyName, without } from './firewall-policy.ts'
import { ruleCommands } from './firewall-rule.ts'
import { timeoutCommands } from './firewall-timeout.ts'
import { notifyCommands, watchCommands } from './firewall-watch.ts'

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
]

const policyCommands: readonly CommandEntry[] = [
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
    section: 'FIREWALL',
    kind: 'firewall policy',
    apply: (draft, policy, _, report) => {
      if (!removeWhere(draft.firewall.policies, p => sameName(p.name, policy)))
        report.missing('firewall policy', policy)
    },
  }),
  ...['enable', 'disable'].map(verb =>
    hold({ verb, path: 'FIREwall POLIcy=', of: policyName, free: true, section: 'FIREWALL' }),
  ),
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
        const used = [...p.rules, ...p.nats, ...p.limitRules].some(
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

/** By precedence: an INTERFACE stands beside a RULE or a NAT, too. */
export const firewallCommands: readonly CommandEntry[] = [
  ...firewallNeighbourCommands,
  ...ruleCommands,
  ...natCommands,
  ...listCommands,
  ...limitCommands,
  ...dynamicCommands,
  ...optionCommands,
  ...watchCommands,
  ...timeoutCommands,
  ...notifyCommands,
  ...moduleCommands,
  ...policyCommands,
]
