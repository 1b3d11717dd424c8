/** Dynamic templates of a firewall policy: whose sessions make up the interface `dyn-NAME`. */

import type { DynamicTemplate } from '../../firewall/policy.ts'
import { act, type CommandEntry, type Report } from '../grammar.ts'
import { readUsers } from '../list-file.ts'
import { either, fileName, name, oneOf } from '../value.ts'
import { change, entriesOf, flashName, inPolicy, policyName, templateName, without } from './firewall-policy.ts'

const templateUser = either(oneOf('ANY', 'NONE'), name(64))
const templateParameters = { DYnamic: templateName, USer: templateUser, FIle: fileName } as const
function withFile(template: DynamicTemplate, typed: string, report: Report): DynamicTemplate | undefined {
  const file = flashName(typed)
  const users = entriesOf(typed, readUsers, report)
  if (users === undefined) return undefined
  const others = (template.files ?? []).filter(f => f.file !== file)
  return { ...template, files: [...others, { file, users }] }
}

function withoutFile({ files = [], ...template }: DynamicTemplate, typed: string | undefined): DynamicTemplate {
  const left = files.filter(f => typed === undefined || f.file !== flashName(typed))
  return left.length === 0 ? template : { ...template, files: left }
}

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
        if ((args.user === undefined) === (args.file === undefined)) {
          report.error('expected USER or FILE')
          return undefined
        }
        if (args.user === undefined) {
          const with_ = withFile(template, args.file!, report)
          return with_ && { ...p, dynamics: p.dynamics.map(d => (d === template ? with_ : d)) }
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
        if ((args.user === undefined) === (args.file === undefined)) {
          report.error('expected USER or FILE')
          return undefined
        }
        const user = args.user?.toLowerCase()
        const left = {
          ...withoutFile(template, args.file),
          any: template.any && user !== 'any',
          none: template.none && user !== 'none',
          users: template.users.filter(u => u !== user),
        }
        return { ...p, dynamics: p.dynamics.map(d => (d === template ? left : d)) }
      }),
  }),
]
