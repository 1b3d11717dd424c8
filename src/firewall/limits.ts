/**
 * Limit rules (ADD FIREWALL POLICY LIMITRULE): how many connections one device, on either side, may have begun that are up.
 * Each rule counts by device; a connection counts under every rule that it matches, until it is over or gone.
 */

import type { Ipv4 } from '../packet/ip.ts'
import type { FirewallPolicy, LimitRule } from './policy.ts'

export interface CompiledLimit {
  /** The policy's index. */
  readonly policy: number
  readonly number: number
  /** Entered or left; -1: whichever. */
  readonly zone: number
  /** The private and the public end. */
  readonly first: Ipv4
  readonly last: Ipv4
  readonly remoteFirst: Ipv4
  readonly remoteLast: Ipv4
  readonly most: number
}

export interface LimitReport {
  readonly policy: string
  readonly rule: number
  /** Connections that it did not let begin. */
  readonly refused: number
  /** Devices that have connections under it, the busiest first. */
  readonly devices: readonly { readonly address: Ipv4; readonly sessions: number }[]
}

const ALL = { first: 0, last: 0xffffffff }
/** Devices that are counted at a time, over all rules; one that finds no room in its set is not limited. */
const WAYS = 8
const SETS = 4096
/** Devices that a report tells of. */
const REPORTED = 50

export function compileLimits(
  policies: readonly FirewallPolicy[],
  zoneOf: (interfaceName: string) => number,
): CompiledLimit[] {
  return policies.flatMap((p, policy) => p.limitRules.map(r => compileLimit(r, policy, zoneOf)))
}

function compileLimit(r: LimitRule, policy: number, zoneOf: (interfaceName: string) => number): CompiledLimit {
  const { first, last } = r.ip ?? ALL
  const remote = r.globalRemoteIp ?? ALL
  const zone = r.interface === undefined ? -1 : zoneOf(r.interface)
  return {
    policy,
    number: r.number,
    zone,
    first,
    last,
    remoteFirst: remote.first,
    remoteLast: remote.last,
    most: r.sessions,
  }
}

export class Limits {
  /** The rule that refused last. */
  refusedBy = 0
  private rules: readonly CompiledLimit[] = []
  /** Words of one row: a bit for each rule. */
  private words = 0
  private marks = new Uint32Array(0)
  /** What `allows` found, for `begin`. */
  private matched = new Uint32Array(0)
  private readonly seed: number
  private device = new Int32Array(0)
  private rule = new Uint16Array(0)
  private count = new Uint32Array(0)
  private refusals = new Float64Array(0)

  constructor(seed: number) {
    this.seed = seed
  }

  get active(): boolean {
    return this.words > 0
  }

  /** Puts other rules in force, for a table of so many flows; nothing counts until `begin` says so again. */
  use(rules: readonly CompiledLimit[], rows: number): void {
    const counters = rules.length === 0 ? 0 : WAYS * SETS
    this.rules = rules
    this.words = Math.ceil(rules.length / 32)
    this.marks = new Uint32Array(rows * this.words)
    this.matched = new Uint32Array(this.words)
    this.device = new Int32Array(counters)
    this.rule = new Uint16Array(counters)
    this.count = new Uint32Array(counters)
    this.refusals = new Float64Array(rules.length)
  }

  /** Whether `device` may begin one more connection of this policy, between these zones and ends (signed, as in Headers). */
  allows(policy: number, from: number, to: number, device: number, inside: number, outside: number): boolean {
    this.match(policy, from, to, inside, outside)
    for (let i = 0; i < this.rules.length; i++) {
      if (!this.isMatched(i)) continue
      const at = this.find(device, i)
      if ((at < 0 ? 0 : this.count[at]!) < this.rules[i]!.most) continue
      this.refusedBy = this.rules[i]!.number
      this.refusals[i]!++
      return false
    }
    return true
  }

  /** Finds the rules that a connection is under, for `begin`. */
  match(policy: number, from: number, to: number, inside: number, outside: number): void {
    const [a, b] = [inside >>> 0, outside >>> 0]
    this.matched.fill(0)
    for (let i = 0; i < this.rules.length; i++) {
      const r = this.rules[i]!
      const fits =
        r.policy === policy &&
        (r.zone < 0 || r.zone === from || r.zone === to) &&
        a >= r.first &&
        a <= r.last &&
        b >= r.remoteFirst &&
        b <= r.remoteLast
      if (fits) this.matched[i >>> 5]! |= 1 << (i & 31)
    }
  }

  /** The connection in a row of the flow table is up: counts it under the rules that matched last. */
  begin(row: number, device: number): void {
    for (let i = 0; i < this.rules.length; i++) {
      if (!this.isMatched(i)) continue
      const at = this.findOrMake(device, i)
      if (at < 0) continue
      this.count[at]!++
      this.marks[row * this.words + (i >>> 5)]! |= 1 << (i & 31)
    }
  }

  /** The connection in a row is over; it may be said again. */
  end(row: number, device: number): void {
    for (let i = 0; i < this.rules.length; i++) {
      const word = row * this.words + (i >>> 5)
      const bit = 1 << (i & 31)
      if ((this.marks[word]! & bit) === 0) continue
      this.marks[word]! &= ~bit
      const at = this.find(device, i)
      if (at >= 0) this.count[at]!--
    }
  }

  /** What each rule refused, and who is counted under it; `names` are the policies'. Allocates. */
  report(names: readonly string[]): LimitReport[] {
    return this.rules.map((r, i) => {
      const devices: { address: Ipv4; sessions: number }[] = []
      for (let at = 0; at < this.count.length; at++) {
        if (this.count[at] !== 0 && this.rule[at] === i)
          devices.push({ address: this.device[at]! >>> 0, sessions: this.count[at]! })
      }
      devices.sort((x, y) => y.sessions - x.sessions)
      const policy = names[r.policy] ?? ''
      return { policy, rule: r.number, refused: this.refusals[i]!, devices: devices.slice(0, REPORTED) }
    })
  }

  /** Refusals of earlier rules that are the same ones go on. */
  keepRefusals(before: readonly LimitReport[], names: readonly string[]): void {
    for (const [i, r] of this.rules.entries())
      this.refusals[i] = before.find(b => b.rule === r.number && b.policy === names[r.policy])?.refused ?? 0
  }

  private isMatched(i: number): boolean {
    return (this.matched[i >>> 5]! & (1 << (i & 31))) !== 0
  }

  private find(device: number, rule: number): number {
    const base = this.setOf(device, rule)
    for (let at = base; at < base + WAYS; at++)
      if (this.count[at] !== 0 && this.device[at] === device && this.rule[at] === rule) return at
    return -1
  }

  private findOrMake(device: number, rule: number): number {
    const known = this.find(device, rule)
    if (known >= 0) return known
    const base = this.setOf(device, rule)
    for (let at = base; at < base + WAYS; at++) {
      if (this.count[at] !== 0) continue
      this.device[at] = device
      this.rule[at] = rule
      return at
    }
    return -1
  }

  private setOf(device: number, rule: number): number {
    const h = Math.imul((device ^ this.seed) + Math.imul(rule + 1, 0x85ebca6b), 0x9e3779b1)
    return ((h ^ (h >>> 15)) & (SETS - 1)) * WAYS
  }
}
