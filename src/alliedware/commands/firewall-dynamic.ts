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
  memberCommand('add', (template, user, file, report) => {
    if (file !== undefined) return withFile(template, file, report)
    const users = ['any', 'none', ...template.users].includes(user!) ? template.users : [...template.users, user!]
    return { ...template, any: template.any || user === 'any', none: template.none || user === 'none', users }
  }),
  memberCommand('delete', (template, user, file) => ({
    ...withoutFile(template, file),
    any: template.any && user !== 'any',
    none: template.none && user !== 'none',
    users: template.users.filter(u => u !== user),
  })),
]

/** ADD or DELETE of a user, whose name comes in lower case, or of a file of them: one of the two. */
function memberCommand(
  verb: 'add' | 'delete',
  changed: (
    template: DynamicTemplate,
    user: string | undefined,
    file: string | undefined,
    report: Report,
  ) => DynamicTemplate | undefined,
): CommandEntry {
  return act({
    verb,
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
        const next = changed(template, args.user?.toLowerCase(), args.file, report)
        return next && { ...p, dynamics: p.dynamics.map(d => (d === template ? next : d)) }
      }),
  })
}
