/**
 * ENABLE FIREWALL POLICY DEBUG: packet by packet what the filter saw and decided, for whoever looks over its shoulder. While
 * nobody does it costs one question a packet; and it tells no more than can be read.
 */

import type { Millis } from '../machine.ts'
import type { Batch } from '../packet/batch.ts'
import { IpProtocol, type Ipv4 } from '../packet/ip.ts'
import { DropReason } from '../packet/verdict.ts'
import { IP_FRAGMENT_OFFSET } from './constants.ts'
import type { Passage } from './passage.ts'
import { Kind, kindOf, policyBetween, type Ruleset } from './ruleset.ts'
import type { FirewallTables } from './tables.ts'

/** What somebody wants to hear: of one policy, or of all; every packet, or only what limit rules refuse. */
export interface TraceOrder {
  readonly policy: string | undefined
  readonly packets: boolean
}

/** Whom the packet owed its fate to. */
export const TRACE_CAUSES = ['free', 'known', 'new', 'refused'] as const

export interface TracedPacket {
  readonly at: Millis
  readonly policy: string
  readonly direction: 'in' | 'out'
  readonly session: number
  /** The interfaces entered and left, as the script calls them; '' for none. */
  readonly from: string
  readonly to: string
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  readonly length: number
  readonly cause: (typeof TRACE_CAUSES)[number]
  /** The rule that decided, or the limit rule; 0 for the base rule. */
  readonly rule: number
  /** DropReason. */
  readonly reason: number
  /** Its headers, as they came. */
  readonly header: Uint8Array
}

/** Bytes of a packet that are told at most, as on the router; but of what users say nothing is. */
const HEADER = 56
const TRANSPORT = 8
/** Protocols that have as much of a header at least. */
const KNOWN: readonly number[] = Object.values(IpProtocol)
const CAPACITY = 64
/** Packets a second in the long run. */
const RATE = 100

const Wanted = { Packets: 1, Limits: 2 } as const

/** The fields of one packet, in this order. */
const Column = {
  At: 0,
  Policy: 1,
  Session: 2,
  From: 3,
  To: 4,
  Protocol: 5,
  Source: 6,
  SourcePort: 7,
  Destination: 8,
  DestinationPort: 9,
  Length: 10,
  Cause: 11,
  Rule: 12,
  Reason: 13,
  Fields: 14,
} as const

export class FirewallTrace {
  /** Whether anybody listens. */
  on = false
  /** Packets that were too many to tell, since the last take. */
  private missed = 0
  private orders: readonly TraceOrder[] = []
  /** By policy. */
  private wanted = new Uint8Array(0)
  private count = 0
  private tokens = CAPACITY
  private filledAt: Millis = 0
  private readonly numbers = new Float64Array(CAPACITY * Column.Fields)
  private readonly headers = new Uint8Array(CAPACITY * HEADER)
  private readonly headerLengths = new Uint8Array(CAPACITY)
  /** The packet at hand, as it came. */
  private readonly seen = new Uint8Array(HEADER)
  private seenLength = 0

  order(orders: readonly TraceOrder[], ruleset: Ruleset): void {
    this.orders = orders
    this.on = orders.length > 0
    this.use(ruleset)
  }

  /** The policies have other numbers now. */
  use(ruleset: Ruleset): void {
    this.wanted = Uint8Array.from(ruleset.firewall.policies, p =>
      this.orders
        .filter(o => o.policy === undefined || o.policy.toLowerCase() === p.name.toLowerCase())
        .reduce((bits, o) => bits | (o.packets ? Wanted.Packets : Wanted.Limits), 0),
    )
  }

  /** Looks at a packet before anything is done to it. */
  look(batch: Batch, i: number): void {
    const at = batch.offset[i]!
    const length = Math.min(HEADER, batch.length[i]!)
    for (let b = 0; b < length; b++) this.seen[b] = batch.bytes[at + b]!
    this.seenLength = length
  }

  /** Says what became of it; `tables` still know why. */
  record(tables: FirewallTables, p: Passage, reason: DropReason, now: Millis): void {
    const { ruleset, headers: h, opened, decidedBy } = tables
    const policy = policyBetween(ruleset, p.from, p.to)
    const wanted = policy < 0 ? 0 : this.wanted[policy]!
    if (wanted === 0 || (wanted === Wanted.Limits && reason !== DropReason.SessionLimit)) return
    if (!this.spend(now)) {
      this.missed++
      return
    }
    const i = this.count++
    const free = kindOf(ruleset, p.from, p.to) === Kind.Free
    const cause = reason !== DropReason.None ? 3 : opened && !free ? 2 : free ? 0 : 1
    const n = i * Column.Fields
    this.numbers[n + Column.At] = now
    this.numbers[n + Column.Policy] = policy
    this.numbers[n + Column.Session] = p.session
    this.numbers[n + Column.From] = p.from
    this.numbers[n + Column.To] = p.to
    this.numbers[n + Column.Protocol] = h.protocol
    this.numbers[n + Column.Source] = h.source >>> 0
    this.numbers[n + Column.SourcePort] = h.sourcePort & 0xffff
    this.numbers[n + Column.Destination] = h.originalDestination >>> 0
    this.numbers[n + Column.DestinationPort] = (h.originalPort || h.destinationPort) & 0xffff
    this.numbers[n + Column.Length] = h.totalLength
    this.numbers[n + Column.Cause] = cause
    this.numbers[n + Column.Rule] = decidedBy
    this.numbers[n + Column.Reason] = reason
    this.headers.set(this.seen, i * HEADER)
    this.headerLengths[i] = this.headersOfSeen()
  }

  /** Where the headers of the packet at hand end: those of IP and TCP, or as much as UDP, ICMP and ESP have. */
  private headersOfSeen(): number {
    const { seen, seenLength } = this
    const ip = Math.min((seen[0]! & 15) * 4, HEADER - TRANSPORT)
    if (seenLength < ip + TRANSPORT) return Math.min(seenLength, ip)
    if ((((seen[6]! << 8) | seen[7]!) & IP_FRAGMENT_OFFSET) !== 0) return ip
    const known = KNOWN.includes(seen[9]!)
    const tcp = seen[9] === IpProtocol.Tcp && seenLength > ip + 12
    return Math.min(seenLength, ip + (tcp ? (seen[ip + 12]! >>> 4) * 4 : known ? TRANSPORT : 0))
  }

  get waiting(): number {
    return this.count
  }

  /** Takes what waits, and how many packets were too many. Allocates. */
  take(ruleset: Ruleset): { readonly packets: TracedPacket[]; readonly missed: number } {
    const packets: TracedPacket[] = []
    for (let i = 0; i < this.count; i++) packets.push(this.packet(i, ruleset))
    const { missed } = this
    this.count = 0
    this.missed = 0
    return { packets, missed }
  }

  private packet(i: number, ruleset: Ruleset): TracedPacket {
    const of = (column: number) => this.numbers[i * Column.Fields + column]!
    return {
      at: of(Column.At),
      policy: ruleset.firewall.policies[of(Column.Policy)]?.name ?? '',
      direction: ruleset.outside[of(Column.From)] === 1 ? 'in' : 'out',
      session: of(Column.Session),
      from: ruleset.zones[of(Column.From)] ?? '',
      to: ruleset.zones[of(Column.To)] ?? '',
      protocol: of(Column.Protocol),
      source: of(Column.Source),
      sourcePort: of(Column.SourcePort),
      destination: of(Column.Destination),
      destinationPort: of(Column.DestinationPort),
      length: of(Column.Length),
      cause: TRACE_CAUSES[of(Column.Cause)]!,
      rule: of(Column.Rule),
      reason: of(Column.Reason),
      header: this.headers.slice(i * HEADER, i * HEADER + this.headerLengths[i]!),
    }
  }

  private spend(now: Millis): boolean {
    this.tokens = Math.min(CAPACITY, this.tokens + ((now - this.filledAt) * RATE) / 1000)
    this.filledAt = now
    if (this.tokens < 1 || this.count === CAPACITY) return false
    this.tokens--
    return true
  }
}
