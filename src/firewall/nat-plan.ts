/**
 * Which address translation the workers do, and which is nftables'. A worker translates for sessions where the gateway alone
 * owns the global address: no device of the host bears it, and no host behind a device shares it. Then all its packets come
 * in by the TUN device. With several workers it must moreover be one session's own (STANDARD, one to one), since the
 * kernel hands packets to workers by their destination alone.
 */

import type { Ipv4 } from '../packet/ip.ts'
import type { AddressRange, Firewall, FirewallNat, FirewallPolicy, FirewallRule } from './policy.ts'
import { isForward, RuleNat } from './rules.ts'
import type { Surroundings } from './ruleset.ts'
import { isDynamic, sameName } from './zones.ts'

export interface CompiledPair {
  readonly kind: number
  readonly from: number
  readonly to: number
  /** The private side's addresses; with REVERSE: what hosts of the public side are called inside. */
  readonly first: Ipv4
  readonly last: Ipv4
  readonly globalFirst: Ipv4
  readonly globalCount: number
  /** STANDARD without IP: who comes first has the next address, for as long as the session lasts. */
  readonly pool: boolean
}

export interface NatPlan {
  /** Addresses that the workers own, first and last by turns. */
  readonly globals: Float64Array
  readonly pairs: readonly CompiledPair[]
  /** Something is called otherwise inside (REVERSE). */
  readonly reverses: boolean
  /** Ports that no translation may take: the gateway or a forward listens on them. */
  readonly reserved: Uint16Array
}

interface Use {
  readonly range: AddressRange
  /** For sessions, by a worker. */
  readonly session: boolean
  /** Every address of it is one session's. */
  readonly single: boolean
}

const ALL: AddressRange = { first: 0, last: 0xffffffff }
/** More addresses of a pool are not looked at. */
const MAX_POOL = 1024

/** The addresses that the workers own. */
export function ownedRanges(firewall: Firewall, around: Surroundings): AddressRange[] {
  if (!firewall.enabled) return []
  const uses = firewall.policies.flatMap(p => [
    ...p.nats.filter(n => n.kind !== 'reverse').flatMap(n => useOfPair(n)),
    ...p.rules.flatMap(r => useOfRule(p, r, around)),
  ])
  const hosts = [...around.interfaces.map(i => i.address), ...(around.own ?? [])]
  const overlaps = (a: AddressRange, b: AddressRange) => a.first <= b.last && b.first <= a.last
  const several = (around.workers ?? 1) > 1
  const owned = uses.filter(
    u =>
      u.session &&
      !hosts.some(h => h >= u.range.first && h <= u.range.last) &&
      !uses.some(other => overlaps(u.range, other.range) && (!other.session || (several && !other.single))),
  )
  return owned.map(u => u.range)
}

function useOfPair(n: FirewallNat): Use[] {
  if (n.globalIp === undefined) return []
  return [{ range: n.globalIp, session: isDynamic(n.interface), single: n.kind === 'standard' && n.ip !== undefined }]
}

function useOfRule(policy: FirewallPolicy, r: FirewallRule, around: Surroundings): Use[] {
  if (r.globalIp === undefined || r.encapsulation === 'ipsec') return []
  const entrance = policy.interfaces.find(i => sameName(i.name, r.interface))
  if (entrance?.type === 'private') {
    if (r.action !== 'nat' || r.natType === 'reverse') return []
    return [{ range: r.globalIp, session: isDynamic(r.interface), single: r.natType === 'standard' }]
  }
  if (!isForward(r)) return []
  const { ip } = r
  const lived = ip === undefined || (around.sessions ?? []).some(s => ip.first >= s.first && ip.last <= s.last)
  return [{ range: r.globalIp, session: lived, single: false }]
}

export function owns(ranges: readonly AddressRange[], address: Ipv4): boolean {
  return ranges.some(r => address >= r.first && address <= r.last)
}

export function planNat(
  firewall: Firewall,
  around: Surroundings,
  owned: readonly AddressRange[],
  zoneOf: (name: string) => number,
): NatPlan {
  const pairs = firewall.policies.flatMap(p =>
    inOrder(p.nats).flatMap(n => {
      if (!isDynamic(n.interface) || n.globalIp === undefined) return []
      if (n.kind === 'reverse' ? n.ip === undefined : !owns(owned, n.globalIp.first)) return []
      return [compilePair(n, n.globalIp, zoneOf)]
    }),
  )
  const forwards = firewall.policies.flatMap(p => p.rules.filter(isForward))
  return {
    globals: Float64Array.from(owned.flatMap(r => [r.first, r.last])),
    pairs,
    reverses:
      pairs.some(p => p.kind === RuleNat.Reverse) ||
      firewall.policies.some(p => p.rules.some(r => r.natType === 'reverse')),
    reserved: Uint16Array.from(new Set([...(around.ports ?? []), ...forwards.flatMap(forwardedPorts)])),
  }
}

/** One address for one goes before what is for everybody. */
export function inOrder(nats: readonly FirewallNat[]): FirewallNat[] {
  const rank = (n: FirewallNat) => (n.kind === 'standard' && n.ip !== undefined ? 0 : 1)
  return [...nats].sort((a, b) => rank(a) - rank(b))
}

function compilePair(n: FirewallNat, global: AddressRange, zoneOf: (name: string) => number): CompiledPair {
  const inner = n.ip ?? ALL
  const pool = n.kind === 'standard' && n.ip === undefined
  const size = global.last - global.first + 1
  const oneToOne = n.kind !== 'enhanced' && !pool
  return {
    kind: { standard: RuleNat.Standard, enhanced: RuleNat.Enhanced, reverse: RuleNat.Reverse }[n.kind],
    from: zoneOf(n.interface),
    to: zoneOf(n.globalInterface),
    first: inner.first,
    // Whose counterpart does not exist is not translated.
    last: oneToOne ? Math.min(inner.last, inner.first + size - 1) : inner.last,
    globalFirst: global.first,
    globalCount: pool ? Math.min(size, MAX_POOL) : size,
    pool,
  }
}

/** The addresses that a private one has outside, one to one. */
export function globalsOf(plan: NatPlan, address: Ipv4): Ipv4[] {
  return plan.pairs
    .filter(p => p.kind === RuleNat.Standard && !p.pool && address >= p.first && address <= p.last)
    .map(p => p.globalFirst + (address - p.first))
}

/** A forward of all ports leaves what it forwards to those flows that are there already. */
function forwardedPorts(r: FirewallRule): number[] {
  const range = r.globalPort ?? r.port
  if (range === undefined || range.last - range.first > 4096) return []
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => range.first + i)
}
