/** What a policy says about traffic between two of its interfaces, before any rule: the AR450S's base rules. */

import type { DynamicTemplate, Firewall, FirewallPolicy } from './policy.ts'

/**
 * `none`: no policy joins them, so nothing passes. `free`: both private, unrestricted and untracked. `outward`: allowed,
 * and the answers with it. `inward`: only answers, and what a rule allows.
 */
export type Relation = 'none' | 'free' | 'outward' | 'inward'

export interface Base {
  readonly relation: Relation
  readonly policy: FirewallPolicy | undefined
}

/** The gateway itself, as an interface name that no script can spell. */
export const SELF = '(self)'

const NONE: Base = { relation: 'none', policy: undefined }

/** AlliedWare's name for the sessions that a template matches. */
export function dynamicInterface(template: string): string {
  return `dyn-${template}`
}

/**
 * How packets go that enter by interface `from` and leave by `to`. The gateway itself stands on the private side of
 * every policy: what it sends to a private interface is free, and what comes to it from a public one needs a rule.
 */
export function relate(firewall: Firewall, from: string, to: string): Base {
  let best = NONE
  for (const policy of firewall.policies) {
    const a = side(policy, from)
    const b = side(policy, to)
    if (!a || !b) continue
    if (policy.isolation && isDynamic(from) && isDynamic(to)) return NONE
    const relation = relateSides(a, b)
    // An interface may be public in many policies and private in one: the latter says more about it.
    if (generosity[relation] > generosity[best.relation]) best = { relation, policy }
  }
  return best
}

const generosity: Record<Relation, number> = { none: 0, inward: 1, outward: 2, free: 3 }

function relateSides(a: Side, b: Side): Relation {
  if (a.type === 'private') return b.type === 'private' ? 'free' : 'outward'
  // Between two public interfaces of one policy the router lets traffic pass; so it does with METHOD=PASSALL.
  return b.type === 'public' || a.method === 'passall' ? 'outward' : 'inward'
}

interface Side {
  readonly type: 'private' | 'public'
  readonly method: 'dynamic' | 'passall'
}

function side(policy: FirewallPolicy, name: string): Side | undefined {
  if (name === SELF) return { type: 'private', method: 'dynamic' }
  return policy.interfaces.find(i => sameName(i.name, name))
}

/** The dynamic interface of a session's user, or undefined where no template of any policy matches. */
export function interfaceOfUser(firewall: Firewall, user: string): string | undefined {
  const name = user.toLowerCase()
  for (const policy of firewall.policies) {
    // One that is no interface only serves rules as a GROUP.
    const zones = policy.dynamics.filter(d => policy.interfaces.some(i => sameName(i.name, dynamicInterface(d.name))))
    // A template that names the user is meant more than one that takes anybody.
    const named = zones.find(d => names(d, name))
    const template = named ?? zones.find(d => matchesAnybody(d, name))
    if (template) return dynamicInterface(template.name)
  }
  return undefined
}

/** Whether a template takes this user (in lower case), by name or among others. */
export function takes(template: DynamicTemplate, user: string): boolean {
  return names(template, user) || matchesAnybody(template, user)
}

function names({ users, files = [] }: DynamicTemplate, user: string): boolean {
  return user !== '' && (users.includes(user) || files.some(f => f.users.includes(user)))
}

/** Whether an interface is made of sessions. */
export function isDynamic(name: string): boolean {
  return /^dyn-/i.test(name)
}

function matchesAnybody(template: DynamicTemplate, user: string): boolean {
  return user === '' ? template.none : template.any
}

/** AlliedWare's interface names do not care about case. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
