/** Limit rules of a firewall policy: how many sessions each device may begin that are up at a time. */

import type { FirewallPolicy, LimitRule } from '../../firewall/policy.ts'
import { insertBy, merge } from '../draft.ts'
import { type Arguments, act, type CommandEntry } from '../grammar.ts'
import { addressRange, interfaceName, number, type ValueType } from '../value.ts'
import { change, inPolicy, policyName, without } from './firewall-policy.ts'

/** Of one policy. */
const MOST_RULES = 100
const limitNumber = number(1, 0xffffffff)
const limitParameters = {
  LIMitrule: limitNumber,
  SRCIplimit: number(0, 10000),
  INTerface: interfaceName,
  IP: addressRange,
  GBLRemoteip: addressRange,
} as const

/** `3` or `3-7`. */
export const limitRange: ValueType<{ readonly first: number; readonly last: number }> = {
  expected: 'the number of a limit rule, or a range of them',
  parse: text => {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text)
    const first = Number(match?.[1])
    const last = Number(match?.[2] ?? match?.[1])
    return match && first <= last && last <= 0xffffffff ? { first, last } : undefined
  },
}

function withArguments(rule: LimitRule, args: Arguments<typeof limitParameters>): LimitRule {
  return merge(rule, {
    sessions: args.srciplimit,
    interface: args.interface,
    ip: args.ip,
    globalRemoteIp: args.gblremoteip,
  })
}

const limitEntry = {
  path: 'FIREwall POLIcy=',
  of: policyName,
  selector: 'limitrule',
  section: 'FIREWALL',
  kind: 'firewall limit rule',
  identity: (policy: string, args: { readonly limitrule?: number }) => inPolicy(policy, args.limitrule),
} as const

function added(p: FirewallPolicy, rule: LimitRule): FirewallPolicy {
  const limitRules = [...p.limitRules]
  insertBy(limitRules, rule, r => r.number)
  return { ...p, limitRules }
}

export const limitCommands: readonly CommandEntry[] = [
  act({
    ...limitEntry,
    verb: 'add',
    parameters: limitParameters,
    needs: ['limitrule', 'srciplimit'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const number = args.limitrule!
        if (p.limitRules.some(r => r.number === number)) report.error(`limit rule ${number} exists already`)
        else if (p.limitRules.length >= MOST_RULES) report.error(`a policy has at most ${MOST_RULES} limit rules`)
        else {
          const made = { number, sessions: 0, interface: undefined, ip: undefined, globalRemoteIp: undefined }
          return added(p, withArguments(made, args))
        }
        return undefined
      }),
  }),
  act({
    ...limitEntry,
    verb: 'set',
    parameters: limitParameters,
    needs: ['limitrule'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const before = p.limitRules.find(r => r.number === args.limitrule)
        if (before === undefined) {
          report.missing('firewall limit rule', inPolicy(policy, args.limitrule))
          return undefined
        }
        return { ...p, limitRules: p.limitRules.map(r => (r === before ? withArguments(before, args) : r)) }
      }),
  }),
  act({
    ...limitEntry,
    verb: 'delete',
    parameters: { LIMitrule: limitNumber },
    needs: ['limitrule'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const limitRules = without(
          p.limitRules,
          r => r.number === args.limitrule,
          () => report.missing('firewall limit rule', inPolicy(policy, args.limitrule)),
        )
        return limitRules && { ...p, limitRules }
      }),
  }),
]
