/** Access lists of a firewall policy: the far hosts that a rule with LIST=name is about. */

import { act, type CommandEntry } from '../grammar.ts'
import { addressRange, fileName, oneOf } from '../value.ts'
import { change, inPolicy, policyName, sameAddresses, templateName, without } from './firewall-policy.ts'

const listParameters = {
  LISt: templateName,
  IP: addressRange,
  FIle: fileName,
  TYpe: oneOf('IP', 'ADDress'),
} as const

export const listCommands: readonly CommandEntry[] = [
  act({
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: listParameters,
    needs: ['list'],
    selector: 'list',
    section: 'FIREWALL',
    kind: 'firewall list',
    identity: (policy, args) => inPolicy(policy, args.list),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const { ip } = args
        if (ip === undefined || args.type === 'address') {
          report.error('FILE and TYPE=ADDRESS (Ethernet addresses) are not supported: name each IP')
          return undefined
        }
        const name = args.list!
        const before = p.lists.find(l => l.name === name)
        if (before?.addresses.some(a => sameAddresses(a, ip))) {
          report.error(`list "${name}" has that already`)
          return undefined
        }
        const list = { name, addresses: [...(before?.addresses ?? []), ip] }
        return { ...p, lists: before ? p.lists.map(l => (l === before ? list : l)) : [...p.lists, list] }
      }),
  }),
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: listParameters,
    needs: ['list'],
    selector: 'list',
    section: 'FIREWALL',
    kind: 'firewall list',
    identity: (policy, args) => inPolicy(policy, args.list),
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const missing = () => report.missing('firewall list', inPolicy(policy, args.list))
        const list = p.lists.find(l => l.name === args.list)
        if (list === undefined) {
          missing()
          return undefined
        }
        const { ip } = args
        const left = ip === undefined ? [] : without(list.addresses, a => sameAddresses(a, ip), missing)
        if (left === undefined) return undefined
        if (left.length > 0) return { ...p, lists: p.lists.map(l => (l === list ? { ...l, addresses: left } : l)) }
        // An empty list matches nothing, which is not what a rule without it would.
        const used = p.rules.find(r => r.list === list.name)
        if (used) {
          report.error(`list "${list.name}" is in use by rule ${used.number}`)
          return undefined
        }
        return { ...p, lists: p.lists.filter(l => l !== list) }
      }),
  }),
]
