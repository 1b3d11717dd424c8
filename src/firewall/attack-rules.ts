/** What a ruleset says for those who look out for attacks and report events, compiled: triggers, whose policy a zone is of, which side is outside. */

import { ATTACK_DEFAULTS, ATTACKS, AttackKind } from './attack-kinds.ts'
import { marksOf } from './attacks.ts'
import type { Firewall, FirewallPolicy } from './policy.ts'
import { Zone } from './ruleset.ts'
import { sameName } from './zones.ts'

/** Where a trigger's numbers stand in `triggers`, and how many there are of each. */
export const Trigger = { In: 0, Out: 1, Detail: 2, Time: 3, Fields: 4 } as const

const MINUTE = 60_000
const NEVER = 0xffffffff

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
