/** Dynamic templates of a firewall policy: whose sessions make up the interface `dyn-NAME`. */

import { act, type CommandEntry } from '../grammar.ts'
import { either, fileName, name, oneOf } from '../value.ts'
import { change, inPolicy, policyName, templateName, without } from './firewall-policy.ts'

const templateUser = either(oneOf('ANY', 'NONE'), name(64))
const templateParameters = { DYnamic: templateName, USer: templateUser, FIle: fileName } as const
export const dynamicCommands: readonly CommandEntry[] = [
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
]
