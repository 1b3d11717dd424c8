/** Access lists of a firewall policy: the far hosts that a rule with LIST=name is about. */

import type { AddressList } from '../../firewall/policy.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import { readAddresses, readHardware } from '../list-file.ts'
import { addressRange, fileName, oneOf } from '../value.ts'
import {
  change,
  entriesOf,
  flashName,
  inPolicy,
  policyName,
  sameAddresses,
  templateName,
  without,
} from './firewall-policy.ts'

const listParameters = {
  LISt: templateName,
  IP: addressRange,
  FIle: fileName,
  TYpe: oneOf('IP', 'ADDress'),
} as const

/** The list that a file holds; undefined, and a complaint, where it holds none. */
function fromFile(name: string, args: Arguments<typeof listParameters>, report: Report): AddressList | undefined {
  const { file, type = 'ip' } = args
  if (file === undefined || args.ip !== undefined) {
    report.error('expected IP, or FILE with TYPE')
    return undefined
  }
  if (type === 'ip') {
    const addresses = entriesOf(file, readAddresses, report)
    return addresses && { name, addresses, file: flashName(file) }
  }
  const hardware = entriesOf(file, readHardware, report)
  return hardware && { name, addresses: [], file: flashName(file), hardware }
}

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
        const name = args.list!
        const before = p.lists.find(l => l.name === name)
        if (ip === undefined || args.file !== undefined) {
          const list = before === undefined ? fromFile(name, args, report) : undefined
          if (before !== undefined) report.error(`list "${name}" exists already`)
          return list && { ...p, lists: [...p.lists, list] }
        }
        if (args.type === 'address' || before?.file !== undefined) {
          report.error(args.type === 'address' ? 'TYPE=ADDRESS is for FILE' : `list "${name}" is in a file`)
          return undefined
        }
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
        if (ip !== undefined && list.file !== undefined) {
          report.error(`list "${list.name}" is in a file: change that, and add the list anew`)
          return undefined
        }
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
