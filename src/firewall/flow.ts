/**
 * The flow table: tracked connections by 5-tuple, either direction, in columns of typed arrays. A flow lives in one of
 * the 16 rows of its set, so that finding and making one is a short scan that never allocates and leaves no tombstones.
 *
 * Room for a new flow, in this order:
 *   1. a row of its set that is empty, expired, or of a session that went;
 *   2. a session that already has its full share may replace only the oldest of its own;
 *   3. else the flow in the set whose session has the most makes way, an unanswered or closing one first, then the one
 *      longest unused; but nobody's flow makes way for a session that has more than its owner.
 */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { MAX_FLOWS, MAX_FLOWS_PER_SESSION } from './constants.ts'

/** Rows of a set: their tags fill one cache line. */
const WAYS = 16
/** How often expired flows are looked for, and how many rows at a time. */
const SWEEP_INTERVAL: Millis = 10
const SWEEP_ROWS = 512

export const FlowState = { Opening: 0, Established: 1, Closing: 2 } as const

export interface FlowSnapshot {
  readonly session: number
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  readonly state: 'opening' | 'established' | 'closing'
  /** Packets seen from the source and to it. */
  readonly packetsForward: number
  readonly packetsReverse: number
  /** How long it would still live without another packet. */
  readonly expiresIn: Millis
}

export interface FlowTableSize {
  /** A power of two, 16 at least. */
  readonly flows?: number
  readonly perSession?: number
}

export class FlowTable {
  /** Columns by row. The source is who sent the first packet. Addresses are signed, as in Headers. */
  readonly source: Int32Array
  readonly destination: Int32Array
  readonly sourcePort: Uint32Array
  readonly destinationPort: Uint32Array
  readonly protocol: Uint8Array
  readonly session: Uint32Array
  readonly state: Uint8Array
  /** What the state machine remembers (see track.ts). */
  readonly marks: Uint8Array
  readonly packetsForward: Uint32Array
  readonly packetsReverse: Uint32Array
  readonly expires: Float64Array
  readonly seen: Float64Array
  /** Whether the last `find` met the flow in the direction of its answers. */
  reversed = false
  /** Flows that are held, among them expired ones that no sweep has met yet. */
  size = 0
  /** Flows that made way for others. */
  evicted = 0

  private readonly tags: Int32Array
  private readonly generation: Uint16Array
  private readonly sessionGeneration = new Uint16Array(MAX_SESSIONS)
  private readonly sessionFlows = new Uint32Array(MAX_SESSIONS)
  private readonly setMask: number
  private readonly capacity: number
  private readonly perSession: number
  private readonly seed: number
  private sweptTo = 0
  private sweptAt = Number.NEGATIVE_INFINITY

  /** `seed` is random: nobody outside can aim many flows at one set. */
  constructor(seed: number, size: FlowTableSize = {}) {
    const n = size.flows ?? MAX_FLOWS
    if (n < WAYS || (n & (n - 1)) !== 0) throw new RangeError('the flow table needs a power of two of rows')
    this.capacity = n
    this.perSession = size.perSession ?? MAX_FLOWS_PER_SESSION
    this.setMask = n / WAYS - 1
    this.seed = seed | 0
    this.source = new Int32Array(n)
    this.destination = new Int32Array(n)
    this.sourcePort = new Uint32Array(n)
    this.destinationPort = new Uint32Array(n)
    this.protocol = new Uint8Array(n)
    this.session = new Uint32Array(n)
    this.state = new Uint8Array(n)
    this.marks = new Uint8Array(n)
    this.packetsForward = new Uint32Array(n)
    this.packetsReverse = new Uint32Array(n)
    this.expires = new Float64Array(n)
    this.seen = new Float64Array(n)
    this.tags = new Int32Array(n)
    this.generation = new Uint16Array(n)
  }

  /** The live flow that a packet belongs to, in either direction, or -1. */
  find(
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    protocol: number,
    now: Millis,
  ) {
    const tag = this.tag(source, sourcePort, destination, destinationPort, protocol)
    const base = this.setOf(tag)
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] !== tag || this.protocol[row] !== protocol || this.dead(row, now)) continue
      if (
        this.source[row] === source &&
        this.destination[row] === destination &&
        this.sourcePort[row] === sourcePort &&
        this.destinationPort[row] === destinationPort
      ) {
        this.reversed = false
        return row
      }
      if (
        this.source[row] === destination &&
        this.destination[row] === source &&
        this.sourcePort[row] === destinationPort &&
        this.destinationPort[row] === sourcePort
      ) {
        this.reversed = true
        return row
      }
    }
    return -1
  }

  /** Makes a flow that `find` did not; answers its row, or -1 where there is no room. The caller sets `expires`. */
  insert(
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    protocol: number,
    session: number,
    now: Millis,
  ): number {
    const tag = this.tag(source, sourcePort, destination, destinationPort, protocol)
    const row = this.makeRoom(this.setOf(tag), session, now)
    if (row < 0) return -1
    this.tags[row] = tag
    this.source[row] = source
    this.destination[row] = destination
    this.sourcePort[row] = sourcePort
    this.destinationPort[row] = destinationPort
    this.protocol[row] = protocol
    this.session[row] = session
    this.generation[row] = this.sessionGeneration[session]!
    this.state[row] = FlowState.Opening
    this.marks[row] = 0
    this.packetsForward[row] = 0
    this.packetsReverse[row] = 0
    this.expires[row] = now
    this.seen[row] = now
    this.size++
    this.sessionFlows[session]!++
    return row
  }

  /** Ends one flow. */
  remove(row: number): void {
    this.release(row)
  }

  /** Ends all flows of a session at once: they are of an earlier generation from now on. */
  forget(session: number): void {
    this.sessionGeneration[session]!++
    this.size -= this.sessionFlows[session]!
    this.sessionFlows[session] = 0
  }

  /** How many flows a session holds. */
  ofSession(session: number): number {
    return this.sessionFlows[session]!
  }

  /** Frees some of the expired flows; called once a batch, it comes round in a second or two. */
  sweep(now: Millis): void {
    if (now - this.sweptAt < SWEEP_INTERVAL) return
    this.sweptAt = now
    const end = this.sweptTo + Math.min(SWEEP_ROWS, this.capacity)
    for (let i = this.sweptTo; i < end; i++) {
      const row = i & (this.capacity - 1)
      if (this.tags[row] !== 0 && this.dead(row, now)) this.release(row)
    }
    this.sweptTo = end & (this.capacity - 1)
  }

  /** The live flows as plain data, `limit` at most. Allocates: for SHOW, never for a packet. */
  list(now: Millis, limit: number): FlowSnapshot[] {
    const out: FlowSnapshot[] = []
    const states = ['opening', 'established', 'closing'] as const
    for (let row = 0; row < this.capacity && out.length < limit; row++) {
      if (this.tags[row] === 0 || this.dead(row, now)) continue
      out.push({
        session: this.session[row]!,
        protocol: this.protocol[row]!,
        source: this.source[row]! >>> 0,
        sourcePort: this.sourcePort[row]! & 0xffff,
        destination: this.destination[row]! >>> 0,
        destinationPort: this.destinationPort[row]! & 0xffff,
        state: states[this.state[row]!] ?? 'opening',
        packetsForward: this.packetsForward[row]!,
        packetsReverse: this.packetsReverse[row]!,
        expiresIn: this.expires[row]! - now,
      })
    }
    return out
  }

  private makeRoom(base: number, session: number, now: Millis): number {
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] !== 0 && !this.dead(row, now)) continue
      if (this.sessionFlows[session]! >= this.perSession) break
      if (this.tags[row] !== 0) this.release(row)
      return row
    }
    const full = this.sessionFlows[session]! >= this.perSession
    let victim = -1
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] === 0 || this.dead(row, now)) continue
      if (full && this.session[row] !== session) continue
      if (victim < 0 || this.before(row, victim)) victim = row
    }
    if (victim < 0) return -1
    if (this.sessionFlows[this.session[victim]!]! < this.sessionFlows[session]!) return -1
    this.release(victim)
    this.evicted++
    return victim
  }

  /** Whether the flow in row `a` makes way before the one in row `b`. */
  private before(a: number, b: number): boolean {
    const flowsA = this.sessionFlows[this.session[a]!]!
    const flowsB = this.sessionFlows[this.session[b]!]!
    if (flowsA !== flowsB) return flowsA > flowsB
    const establishedA = this.state[a] === FlowState.Established
    const establishedB = this.state[b] === FlowState.Established
    if (establishedA !== establishedB) return establishedB
    return this.seen[a]! < this.seen[b]!
  }

  private dead(row: number, now: Millis): boolean {
    return this.expires[row]! <= now || !this.current(row)
  }

  private current(row: number): boolean {
    return this.generation[row] === this.sessionGeneration[this.session[row]!]
  }

  private release(row: number): void {
    this.tags[row] = 0
    if (!this.current(row)) return
    this.size--
    this.sessionFlows[this.session[row]!]!--
  }

  private setOf(tag: number): number {
    return ((tag >>> 8) & this.setMask) * WAYS
  }

  /** The hash of a 5-tuple, the same for both directions, and never 0. */
  private tag(
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    protocol: number,
  ): number {
    const sum = (this.mix(source, sourcePort) + this.mix(destination, destinationPort)) | 0
    let h = sum ^ protocol
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return (h ^ (h >>> 16)) | 1
  }

  private mix(address: number, port: number): number {
    let h = Math.imul(address ^ this.seed, 0xcc9e2d51)
    h = (h << 15) | (h >>> 17)
    h = Math.imul(h ^ Math.imul(port + 1, 0x1b873593), 0xe6546b64)
    return h ^ (h >>> 15) ^ this.seed
  }
}
