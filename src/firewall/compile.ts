/** Compiles the firewall policy into the tables of ruleset.ts. */

import type { Millis } from '../machine.ts'
import { maskPrefix } from '../packet/ip.ts'
import { compileTriggers, outsideZones, zonePolicies } from './attack-rules.ts'
import { Timeout } from './constants.ts'
import { compileLimits } from './limits.ts'
import { ownedRanges, owns, planNat } from './nat-plan.ts'
import { type Firewall, type FirewallPolicy, FRAGMENT_KINDS, ICMP_KINDS, IP_OPTION_KINDS } from './policy.ts'
import { type Audience, compileRules, type RuleContext, type RuleList } from './rules.ts'
import { Kind, type Ruleset, Zone, zoneOf } from './ruleset.ts'
import type { Surroundings } from './surroundings.ts'
import { dynamicInterface, isDynamic, type Relation, relate, SELF, sameName } from './zones.ts'

const kindOfRelation: Record<Relation, number> = {
  none: Kind.None,
  free: Kind.Free,
  outward: Kind.Outward,
  inward: Kind.Inward,
}

export function buildRuleset(firewall: Firewall, surroundings: Surroundings): Ruleset {
  const zones = zoneNames(firewall, surroundings)
  const n = zones.length
  const kinds = new Uint8Array(n * n)
  const policies = new Uint16Array(n * n)
  for (let from = 1; from < n; from++) {
    for (let to = 1; to < n; to++) {
      const base = relate(firewall, zones[from]!, zones[to]!)
      kinds[from * n + to] = kindOfRelation[base.relation]
      policies[from * n + to] = base.policy ? firewall.policies.indexOf(base.policy) : 0
    }
  }
  const interfaces = surroundings.interfaces.filter(i => i.address !== 0)
  const networks = [
    ...interfaces.map(i => ({ network: i.address, mask: i.mask, zone: zoneOf(zones, i.name) })),
    ...(surroundings.routes ?? []).map(r => ({ ...r, zone: zoneOf(zones, r.interface) })),
  ].sort((a, b) => (maskPrefix(b.mask) ?? 0) - (maskPrefix(a.mask) ?? 0))
  const owned = ownedRanges(firewall, surroundings)
  const slots: { policy: string; rule: number }[] = []
  const audiences: Audience[] = []
  const context: RuleContext = {
    owns: address => owns(owned, address),
    slot: (policy, rule) => slots.push({ policy, rule }) - 1,
    audience: a => {
      const known = audiences.findIndex(b => a.user === b.user && a.group === b.group && a.policy === b.policy)
      return known >= 0 ? known : audiences.push(a) - 1
    },
  }
  const outside = firewall.policies.flatMap(p => p.interfaces).find(i => i.type === 'public' && !isDynamic(i.name))
  return {
    enabled: firewall.enabled && firewall.policies.length > 0,
    zones,
    firewall,
    kinds,
    policies,
    rules: firewall.policies.flatMap(p => zones.map(zone => rulesOfZone(p, zone, context))),
    slots,
    audiences,
    nat: planNat(firewall, surroundings, owned, name => zoneOf(zones, name)),
    tcpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.tcpTimeoutSeconds)),
    udpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.udpTimeoutSeconds)),
    otherTimeouts: Float64Array.from(firewall.policies, p => timeout(p.otherTimeoutSeconds)),
    icmpTimeouts: Float64Array.from(firewall.policies, p => timeout(p.icmpTimeoutSeconds)),
    espTimeouts: Float64Array.from(firewall.policies, p => timeout(p.espTimeoutSeconds ?? p.otherTimeoutSeconds)),
    udpPortTimeouts: firewall.policies.map(
      p => new Map(p.udpPortTimeouts.map(u => [u.port, timeout(u.seconds ?? p.udpTimeoutSeconds)])),
    ),
    icmp: Uint8Array.from(firewall.policies, p => bits(ICMP_KINDS, p.icmpForwarding)),
    options: Uint8Array.from(firewall.policies, p => bits(IP_OPTION_KINDS, p.ipOptions)),
    fragments: Uint8Array.from(firewall.policies, p => bits(FRAGMENT_KINDS, p.fragments)),
    ping: Uint8Array.from(firewall.policies, p => (p.ping ? 1 : 0)),
    ftp: Uint8Array.from(firewall.policies, p => (p.ftpDataPort === undefined ? 0 : p.ftpDataPort === 'rfc' ? 1 : 2)),
    limits: compileLimits(firewall.policies, name => zoneOf(zones, name)),
    accounting: Uint8Array.from(firewall.policies, p => (p.accounting ? 1 : 0)),
    triggers: compileTriggers(firewall.policies),
    zonePolicies: zonePolicies(firewall, zones),
    outside: outsideZones(firewall, zones),
    own: Int32Array.from([...interfaces.map(i => i.address), ...(surroundings.own ?? [])]),
    networks: Int32Array.from(networks, x => x.network & x.mask),
    masks: Int32Array.from(networks, x => x.mask),
    networkZones: Uint16Array.from(networks, x => x.zone),
    elsewhere: outside ? zoneOf(zones, outside.name) : Zone.None,
  }
}

/** What a worker goes by before control has told it anything: nothing passes. */
export function closedRuleset(): Ruleset {
  return { ...buildRuleset({ enabled: true, policies: [] }, { interfaces: [] }), enabled: true }
}

function bits<T>(all: readonly T[], kept: readonly T[]): number {
  return all.reduce((sum, kind, i) => sum | (kept.includes(kind) ? 1 << i : 0), 0)
}

function zoneNames(firewall: Firewall, surroundings: Surroundings): string[] {
  const names = ['', SELF]
  const add = (name: string) => {
    if (!names.some(n => sameName(n, name))) names.push(name)
  }
  for (const p of firewall.policies) {
    for (const i of p.interfaces) add(i.name)
    for (const d of p.dynamics) add(dynamicInterface(d.name))
  }
  for (const i of surroundings.interfaces) add(i.name)
  return names
}

/** A timeout of 0 minutes means 30 seconds. */
function timeout(seconds: number): Millis {
  return seconds > 0 ? seconds * 1000 : Timeout.zero
}

function rulesOfZone(policy: FirewallPolicy, zone: string, context: RuleContext): RuleList {
  const entrance = policy.interfaces.find(i => sameName(i.name, zone))
  if (!entrance) return { rules: [], fields: undefined }
  const rules = policy.rules.filter(r => sameName(r.interface, zone))
  return compileRules(policy, rules, entrance.type === 'private', context)
}
