/** What one worker's firewall tells of itself when it is asked: its flows, what its rules and policies decided. Allocates. */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { FlowTable } from './flow.ts'
import type { LimitReport } from './limits.ts'
import type { AddressRange } from './policy.ts'
import { nameOfPolicy, zoneOfAddress } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'

export interface FlowSnapshot {
  /** Names the flow in its table; another one in the same row has another. */
  readonly number: number
  readonly session: number
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  /** The same connection on the other side of our translation; absent without one. */
  readonly translated?: { source: Ipv4; sourcePort: number; destination: Ipv4; destinationPort: number }
  readonly state: 'opening' | 'established' | 'closing'
  /** Packets seen from the source and to it. */
  readonly packetsForward: number
  readonly packetsReverse: number
  readonly bytesForward: number
  readonly bytesReverse: number
  readonly age: Millis
  /** How long it would still live without another packet. */
  readonly expiresIn: Millis
}

export interface FlowFilter {
  readonly number?: number
  readonly protocol?: number
  /** Of either side, as the flow is inside. */
  readonly ip?: AddressRange
  readonly port?: number
}

export interface FirewallReport {
  /** Flows that the filter takes: how many, and the first of them. */
  readonly matching: number
  readonly flows: readonly (FlowSnapshot & { readonly policy: string })[]
  /** Of the whole table: flows now, the most there were at a time, and how many made way for others. */
  readonly active: number
  readonly peak: number
  readonly evicted: number
  readonly rules: readonly { readonly policy: string; readonly rule: number; readonly hits: number }[]
  readonly policies: readonly PolicyCount[]
  readonly limits: readonly LimitReport[]
  /** Events that were too many to keep. */
  readonly suppressed: number
}

/** Flows that were let in and out, and packets that were refused, since the policy is there. */
export interface PolicyCount {
  readonly policy: string
  readonly inAllowed: number
  readonly inDenied: number
  readonly outAllowed: number
  readonly outDenied: number
}

const states = ['opening', 'established', 'closing'] as const

/** The whole report, with `limit` flows at most. */
export function report(tables: FirewallTables, now: Millis, limit: number, filter: FlowFilter = {}): FirewallReport {
  const { flows, sessions, ruleset } = tables
  const zone = (address: Ipv4) => {
    const session = sessions.ofAddress(address)
    return session !== 0 ? sessions.zone[session]! : zoneOfAddress(ruleset, address | 0)
  }
  const { matching, found } = search(flows, now, limit, filter)
  return {
    matching,
    flows: found.map(f => ({ ...f, policy: nameOfPolicy(ruleset, zone(f.source), zone(f.destination)) })),
    active: search(flows, now, 0, {}).matching,
    peak: flows.peak,
    evicted: flows.evicted,
    rules: tables.ruleHits(),
    policies: tables.policyCounts(),
    limits: tables.limits.report(tables.policyNames),
    suppressed: tables.events.suppressed,
  }
}

/** The live flows, `limit` at most. */
export function listFlows(flows: FlowTable, now: Millis, limit: number): FlowSnapshot[] {
  return search(flows, now, limit, {}).found
}

/** Ends the flow of this number; false where there is none (any more). */
export function endFlow(flows: FlowTable, number: number, now: Millis): boolean {
  const row = number & (flows.rows - 1)
  if (!flows.isLive(row, now) || flows.numberOf(row) !== number) return false
  flows.remove(row)
  return true
}

function search(flows: FlowTable, now: Millis, limit: number, filter: FlowFilter) {
  const found: FlowSnapshot[] = []
  let matching = 0
  for (let row = 0; row < flows.rows; row++) {
    if (!flows.isLive(row, now) || flows.isAnswer[row] === 1 || !fits(flows, row, filter)) continue
    matching++
    if (found.length < limit) found.push(snapshot(flows, row, now))
  }
  return { matching, found }
}

function fits(flows: FlowTable, row: number, f: FlowFilter): boolean {
  if (f.number !== undefined && flows.numberOf(row) !== f.number) return false
  if (f.protocol !== undefined && flows.protocol[row] !== f.protocol) return false
  const port = (n: number) => (n & 0xffff) === f.port
  if (f.port !== undefined && !port(flows.sourcePort[row]!) && !port(flows.destinationPort[row]!)) return false
  const { ip } = f
  if (ip === undefined) return true
  const inside = (address: number) => address >>> 0 >= ip.first && address >>> 0 <= ip.last
  return inside(flows.source[row]!) || inside(flows.destination[row]!)
}

function snapshot(flows: FlowTable, row: number, now: Millis): FlowSnapshot {
  const answer = flows.mate[row]!
  return {
    number: flows.numberOf(row),
    session: flows.session[row]!,
    protocol: flows.protocol[row]!,
    source: flows.source[row]! >>> 0,
    sourcePort: flows.sourcePort[row]! & 0xffff,
    destination: flows.destination[row]! >>> 0,
    destinationPort: flows.destinationPort[row]! & 0xffff,
    // As the far end sees it: from the row of its answers.
    ...(answer >= 0 && {
      translated: {
        source: flows.destination[answer]! >>> 0,
        sourcePort: flows.destinationPort[answer]! & 0xffff,
        destination: flows.source[answer]! >>> 0,
        destinationPort: flows.sourcePort[answer]! & 0xffff,
      },
    }),
    state: states[flows.state[row]!] ?? 'opening',
    packetsForward: flows.packetsForward[row]!,
    packetsReverse: flows.packetsReverse[row]!,
    bytesForward: flows.bytesForward[row]!,
    bytesReverse: flows.bytesReverse[row]!,
    age: now - flows.born[row]!,
    expiresIn: flows.expires[row]! - now,
  }
}
