/** Whose account a connection of the host's devices is on: the policy between its two sides, where that accounts for it. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AddressRange } from './policy.ts'
import { Kind, kindOf, policyBetween, type Ruleset, Zone, zoneOfAddress } from './ruleset.ts'

/**
 * The policy and the direction of a connection between these two ends, as they truly are. Undefined for what no policy accounts
 * for: what is free, what the gateway itself began, and what sessions have to do with, since their workers account for that.
 */
export function accountOf(
  ruleset: Ruleset,
  sessions: readonly AddressRange[],
  source: Ipv4,
  destination: Ipv4,
): { readonly policy: string; readonly direction: 'in' | 'out' } | undefined {
  const isSession = (address: Ipv4) => sessions.some(s => address >= s.first && address <= s.last)
  if (!ruleset.enabled || isSession(source) || isSession(destination)) return undefined
  const [from, to] = [zoneOfAddress(ruleset, source | 0), zoneOfAddress(ruleset, destination | 0)]
  const kind = kindOf(ruleset, from, to)
  if (from === to || from === Zone.Self || kind === Kind.None || kind === Kind.Free) return undefined
  const policy = policyBetween(ruleset, from, to)
  if (ruleset.accounting[policy] !== 1) return undefined
  return { policy: ruleset.firewall.policies[policy]!.name, direction: ruleset.outside[from] === 1 ? 'in' : 'out' }
}
