/** What a ruleset says for those who look out for attacks and report events: triggers, whose policy it is, which side is outside. */

import { ATTACK_DEFAULTS, ATTACKS, AttackKind } from './attack-kinds.ts'
import { marksOf } from './attacks.ts'
import type { Firewall, FirewallPolicy } from './policy.ts'
import { type Kind, kindOf, policyOf, type Ruleset, Zone } from './ruleset.ts'
import { sameName } from './zones.ts'

/** Where a trigger's numbers stand in `triggers`, and how many there are of each. */
export const Trigger = { In: 0, Out: 1, Detail: 2, Time: 3, Fields: 4 } as const

const MINUTE = 60_000
const NEVER = 0xffffffff
/** Relation "none" of two zones. */
const UNRELATED: typeof Kind.None = 0

/** By policy, by kind of attack, by Trigger. */
export function compileTriggers(policies: readonly FirewallPolicy[]): Uint32Array {
  return Uint32Array.from(
    policies.flatMap(p =>
      ATTACKS.flatMap((name, kind) => {
        const t = p.attacks[name] ?? ATTACK_DEFAULTS[name]
        const different = kind === AttackKind.PortScan || kind === AttackKind.HostScan
        const least = (n: number) => (n === 0 ? NEVER : different ? marksOf(n) : n)
        return [least(t.inTrigger), least(t.outTrigger), t.detail, t.timeMinutes * MINUTE]
      }),
    ),
  )
}

/** By zone: the policy that it is an interface of, the first if there are several; -1 for none. */
export function zonePolicies(firewall: Firewall, zones: readonly string[]): Int16Array {
  return Int16Array.from(zones, zone =>
    firewall.policies.findIndex(p => p.interfaces.some(i => sameName(i.name, zone))),
  )
}

/** By zone, whether who comes from there comes from outside: by a public interface, or by none that a policy has. */
export function outsideZones(firewall: Firewall, zones: readonly string[]): Uint8Array {
  const all = firewall.policies.flatMap(p => p.interfaces)
  return Uint8Array.from(zones, (zone, number) => {
    if (number === Zone.Self) return 0
    return all.some(i => i.type === 'private' && sameName(i.name, zone)) ? 0 : 1
  })
}

/** The policy that two zones are under, or either of them alone; -1 for none. */
export function policyBetween(ruleset: Ruleset, from: number, to: number): number {
  if (kindOf(ruleset, from, to) !== UNRELATED) return policyOf(ruleset, from, to)
  const entered = ruleset.zonePolicies[from]!
  return entered >= 0 ? entered : ruleset.zonePolicies[to]!
}

export function nameOfPolicy(ruleset: Ruleset, from: number, to: number): string {
  return ruleset.firewall.policies[policyBetween(ruleset, from, to)]?.name ?? ''
}

/** Whether an address means everybody: in a network that we know, or on the link. */
export function isBroadcast(ruleset: Ruleset, address: number): boolean {
  if (address === -1) return true
  const { networks, masks } = ruleset
  for (let i = 0; i < networks.length; i++) {
    const mask = masks[i]!
    // Networks of one or two addresses have none (RFC 3021).
    if ((address & mask) === networks[i] && (address | mask) === -1 && mask < -2) return true
  }
  return false
}
