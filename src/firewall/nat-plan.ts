/**
 * Which address translation the workers do, and which is nftables'. A worker translates for sessions where the gateway alone
 * owns the global address: no device of the host bears it, and no host behind a device shares it. Then all its packets come
 * in by the TUN device. Several workers must moreover be able to tell whose a packet is: the address is one session's own
 * (STANDARD, one to one), or they share it by ports (ENHANCED, and forwards of single ports).
 */

import type { Ipv4 } from '../packet/ip.ts'
import { MOST_SHARING } from './nat-ports.ts'
import { ambiguous, type ForwardedPort, forwardedPorts } from './nat-shares.ts'
import type { AddressRange, Firewall, FirewallNat, FirewallPolicy, FirewallRule } from './policy.ts'
import { isForward, RuleNat } from './rules.ts'
import type { Surroundings } from './surroundings.ts'
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

export interface OneToOne {
  readonly first: Ipv4
  readonly last: Ipv4
  readonly globalFirst: Ipv4
}

export interface NatPlan {
  /** Addresses that the workers own, first and last by turns. */
  readonly globals: Float64Array
  readonly pairs: readonly CompiledPair[]
  /** Address for address: what only one session's worker can own. */
  readonly oneToOne: readonly OneToOne[]
  /** Something is called otherwise inside (REVERSE). */
  readonly reverses: boolean
  /** Ports that no translation may take: the gateway or a forward listens on them. */
  readonly reserved: Uint16Array
  /** How many workers draw ports of the same addresses. */
  readonly workers: number
  /** Of `globals` those that several workers share by ports, and the ports among them that rules forward. */
  readonly shared: Float64Array
  readonly forwarded: readonly ForwardedPort[]
}

/** Addresses that the workers own. */
export interface OwnedRange extends AddressRange {
  readonly by: Use['by']
}

interface Use {
  readonly range: AddressRange
  /** For sessions, by a worker. */
  readonly session: boolean
  /** How several workers tell their packets apart: every address is one session's, by ports, or not at all. */
  readonly by: 'address' | 'port' | undefined
}

const ALL: AddressRange = { first: 0, last: 0xffffffff }
/** More addresses of a pool are not looked at. */
const MAX_POOL = 1024

/** The addresses that the workers own. */
export function ownedRanges(firewall: Firewall, around: Surroundings): OwnedRange[] {
  if (!firewall.enabled) return []
  const unsteerable = ambiguous(portsOf(firewall))
  const uses = firewall.policies.flatMap(p => [
    ...p.nats.filter(n => n.kind !== 'reverse').flatMap(n => useOfPair(n)),
    ...p.rules.flatMap(r => useOfRule(p, r, around, unsteerable)),
  ])
  const hosts = [...around.interfaces.map(i => i.address), ...(around.own ?? [])]
  const overlaps = (a: AddressRange, b: AddressRange) => a.first <= b.last && b.first <= a.last
  const workers = around.workers ?? 1
  const apart = (a: Use, b: Use) => workers === 1 || (workers <= MOST_SHARING && a.by !== undefined && a.by === b.by)
  const owned = uses.filter(
    u =>
      u.session &&
      !hosts.some(h => h >= u.range.first && h <= u.range.last) &&
      !uses.some(other => overlaps(u.range, other.range) && (!other.session || !apart(u, other))),
  )
  return owned.map(u => ({ ...u.range, by: u.by }))
}

function useOfPair(n: FirewallNat): Use[] {
  if (n.globalIp === undefined) return []
  const by = n.kind === 'enhanced' ? 'port' : n.ip === undefined ? undefined : 'address'
  return [{ range: n.globalIp, session: isDynamic(n.interface), by }]
}

function portsOf(firewall: Firewall): ForwardedPort[] {
  return firewall.policies.flatMap(p => p.rules.flatMap(r => forwardedPorts(p, r) ?? []))
}

function useOfRule(
  policy: FirewallPolicy,
  r: FirewallRule,
  around: Surroundings,
  unsteerable: ReadonlySet<Ipv4>,
): Use[] {
  if (r.globalIp === undefined || r.encapsulation === 'ipsec') return []
  const entrance = policy.interfaces.find(i => sameName(i.name, r.interface))
  if (entrance?.type === 'private') {
    if (r.action !== 'nat' || r.natType === 'reverse') return []
    return [{ range: r.globalIp, session: isDynamic(r.interface), by: r.natType === 'standard' ? 'address' : 'port' }]
  }
  if (!isForward(r)) return []
  const { ip } = r
  const lived = ip === undefined || (around.sessions ?? []).some(s => ip.first >= s.first && ip.last <= s.last)
  const ports = forwardedPorts(policy, r)
  const steerable = ports !== undefined && !ports.some(p => unsteerable.has(p.address))
  return [{ range: r.globalIp, session: lived, by: steerable ? 'port' : undefined }]
}

export function owns(ranges: readonly AddressRange[], address: Ipv4): boolean {
  return ranges.some(r => address >= r.first && address <= r.last)
}

export function planNat(
  firewall: Firewall,
  around: Surroundings,
  owned: readonly OwnedRange[],
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
  const workers = around.workers ?? 1
  const shared = workers === 1 ? [] : owned.filter(r => r.by === 'port')
  return {
    globals: Float64Array.from(owned.flatMap(r => [r.first, r.last])),
    pairs,
    reverses:
      pairs.some(p => p.kind === RuleNat.Reverse) ||
      firewall.policies.some(p => p.rules.some(r => r.natType === 'reverse')),
    oneToOne: [...pairs.filter(p => p.kind === RuleNat.Standard && !p.pool), ...rulesOneToOne(firewall, owned)],
    reserved: Uint16Array.from(new Set([...(around.ports ?? []), ...forwards.flatMap(listenedPorts)])),
    workers,
    shared: Float64Array.from(shared.flatMap(r => [r.first, r.last])),
    forwarded: portsOf(firewall).filter(p => owns(shared, p.address)),
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

/** ACTION=NAT NATTYPE=STANDARD of rules for sessions. */
function rulesOneToOne(firewall: Firewall, owned: readonly AddressRange[]): OneToOne[] {
  return firewall.policies.flatMap(p =>
    p.rules.flatMap(({ action, natType, ip, globalIp, interface: name }) => {
      if (action !== 'nat' || natType !== 'standard' || !ip || !globalIp || !isDynamic(name)) return []
      if (!owns(owned, globalIp.first)) return []
      const size = Math.min(ip.last - ip.first, globalIp.last - globalIp.first)
      return [{ first: ip.first, last: ip.first + size, globalFirst: globalIp.first }]
    }),
  )
}

/** The addresses that a private one has outside, one to one. */
export function globalsOf(plan: NatPlan, address: Ipv4): Ipv4[] {
  return plan.oneToOne
    .filter(p => address >= p.first && address <= p.last)
    .map(p => p.globalFirst + (address - p.first))
}

/** A forward of all ports leaves what it forwards to those flows that are there already. */
function listenedPorts(r: FirewallRule): number[] {
  const range = r.globalPort ?? r.port
  if (range === undefined || range.last - range.first > 4096) return []
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => range.first + i)
}
