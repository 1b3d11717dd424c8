/** The names of what there is, for help and completion. */

import type { Configuration } from './config.ts'
import { formatRange, type NameKind } from './value.ts'

export type Names = (kind: NameKind) => readonly string[]

/** What the configuration has; `more` are names of what is kept outside of it. */
export function namesOf(c: Configuration, more: Partial<Record<NameKind, () => readonly string[]>>): Names {
  const named = (list: readonly { readonly name: string }[]) => list.map(item => item.name)
  const numbered = (list: readonly { readonly id: number | string }[]) => list.map(item => String(item.id))
  const own: Partial<Record<NameKind, () => readonly string[]>> = {
    user: () => named(c.users),
    'SSH user': () => named(c.ssh.users),
    'PPP template': () => c.pppTemplates.map(t => String(t.template)),
    'L2TP range': () => c.l2tp.ranges.map(formatRange),
    'IP interface': () => [
      ...named(c.ip.interfaces),
      ...c.firewall.policies.flatMap(p => p.dynamics.map(d => `dyn-${d.name}`)),
    ],
    'IP pool': () => named(c.ip.pools),
    'firewall policy': () => named(c.firewall.policies),
    'SA specification': () => numbered(c.ipsec.saSpecifications),
    'bundle specification': () => numbered(c.ipsec.bundles),
    'IPsec policy': () => named(c.ipsec.policies),
    'ISAKMP policy': () => named(c.isakmp.policies),
    alias: () => named(c.aliases),
    'log output': () => numbered(c.log.outputs),
    ...more,
  }
  return kind => own[kind]?.() ?? []
}

export const noNames: Names = () => []
