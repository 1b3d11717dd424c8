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
import { MAX_SESSIONS } from '../packet/table.ts'
import { MAX_FLOWS, MAX_FLOWS_PER_SESSION } from './constants.ts'
import { FlowColumns, type FlowObserver, FlowState, Hook, tupleHash } from './flow-columns.ts'

/** Rows of a set: their tags fill one cache line. */
const WAY_BITS = 4
const WAYS = 1 << WAY_BITS
/** How often expired flows are looked for, and in how many sets at a time. */
const SWEEP_INTERVAL: Millis = 10
const SWEEP_SETS = 32

/** One direction of a flow. */
export interface Tuple {
  source: number
  sourcePort: number
  destination: number
  destinationPort: number
}

export interface FlowTableSize {
  /** A power of two, 16 at least. */
  readonly flows?: number
  readonly perSession?: number
}

export class FlowTable extends FlowColumns {
  /** Whether the last `find` met the flow in the direction of its answers. */
  reversed = false
  /** Flows that are held, among them expired ones that no sweep has met yet. */
  size = 0
  /** The most that were held at a time. */
  peak = 0
  /** Flows that made way for others. */
  evicted = 0
  /** Rows of translated flows, two each. */
  translated = 0
  observer: FlowObserver | undefined = undefined
  /** When the table was last swept. */
  latest: Millis = 0

  private readonly tags: Int32Array
  /** By set, how many of its rows are taken: a sweep passes over those where none is. */
  private readonly taken: Uint8Array
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
    super(n)
    if (n < WAYS || (n & (n - 1)) !== 0) throw new RangeError('the flow table needs a power of two of rows')
    this.capacity = n
    this.perSession = size.perSession ?? MAX_FLOWS_PER_SESSION
    this.setMask = n / WAYS - 1
    this.seed = seed | 0
    this.tags = new Int32Array(n)
    this.taken = new Uint8Array(n / WAYS)
    this.generation = new Uint16Array(n)
  }

  /** The row of a translated flow that a packet belongs to, as it is met at this hook; or -1. */
  findTranslated(
    hook: number,
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    protocol: number,
    now: Millis,
  ): number {
    if (this.translated === 0) return -1
    const tag = tupleHash(this.seed, source, sourcePort, destination, destinationPort, protocol)
    const base = this.setOf(tag)
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] !== tag || this.hook[row] !== hook || this.protocol[row] !== protocol) continue
      if (
        this.source[row] === source &&
        this.destination[row] === destination &&
        this.sourcePort[row] === sourcePort &&
        this.destinationPort[row] === destinationPort &&
        !this.dead(row, now)
      ) {
        return row
      }
    }
    return -1
  }

  /**
   * Makes a translated flow: a row for its packets as they come to `hook`, and one for the answers as they come to the
   * other hook; the two live and die together. Answers the first, or -1 where there is no room.
   */
  insertTranslated(hook: number, o: Tuple, answer: Tuple, protocol: number, session: number, now: Millis): number {
    const row = this.insert(o.source, o.sourcePort, o.destination, o.destinationPort, protocol, session, now)
    if (row < 0) return -1
    // Its time is set with its first packet; until then it is not to be taken for one that is over.
    this.expires[row] = Number.POSITIVE_INFINITY
    const { source, sourcePort, destination, destinationPort } = answer
    const back = this.insert(source, sourcePort, destination, destinationPort, protocol, session, now)
    if (back < 0 || back === row) {
      this.release(row)
      return -1
    }
    this.hook[row] = hook
    this.hook[back] = Hook.In + Hook.Out - hook
    this.mate[row] = back
    this.mate[back] = row
    this.isAnswer[back] = 1
    this.translated += 2
    return row
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
    const tag = tupleHash(this.seed, source, sourcePort, destination, destinationPort, protocol)
    const base = this.setOf(tag)
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] !== tag || this.protocol[row] !== protocol || this.hook[row] !== Hook.None) continue
      if (this.dead(row, now)) continue
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
    const tag = tupleHash(this.seed, source, sourcePort, destination, destinationPort, protocol)
    const row = this.makeRoom(this.setOf(tag), session, now)
    if (row < 0) return -1
    this.tags[row] = tag
    this.taken[row >>> WAY_BITS]!++
    this.source[row] = source
    this.destination[row] = destination
    this.sourcePort[row] = sourcePort
    this.destinationPort[row] = destinationPort
    this.protocol[row] = protocol
    this.session[row] = session
    this.generation[row] = this.sessionGeneration[session]!
    this.begin(row)
    this.expires[row] = now
    this.seen[row] = now
    this.born[row] = now
    this.births[row]!++
    this.size++
    if (this.size > this.peak) this.peak = this.size
    this.sessionFlows[session]!++
    return row
  }

  /** A packet of the flow came: how long it lives from now on. Both rows of a translated one say so. */
  touch(row: number, now: Millis, expires: Millis): void {
    const mate = this.mate[row]!
    this.seen[row] = now
    this.expires[row] = expires
    if (mate < 0) return
    this.seen[mate] = now
    this.expires[mate] = expires
    this.state[mate] = this.state[row]!
  }

  /** Ends one flow. */
  remove(row: number): void {
    this.release(row)
  }

  /** Ends all flows of a session at once: they are of an earlier generation from now on. */
  forget(session: number): void {
    if (this.observer !== undefined) this.releaseAll(session)
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
    this.latest = now
    if (now - this.sweptAt < SWEEP_INTERVAL) return
    this.sweptAt = now
    this.sweepSets(Math.min(SWEEP_SETS, this.setMask + 1), now)
  }

  /** Frees all of them: for control's pace, not the packets'. */
  sweepAll(now: Millis): void {
    this.latest = now
    this.sweepSets(this.setMask + 1, now)
  }

  private sweepSets(sets: number, now: Millis): void {
    const end = this.sweptTo + sets
    for (let i = this.sweptTo; i < end; i++) {
      const set = i & this.setMask
      if (this.taken[set] !== 0) this.sweepSet(set * WAYS, now)
    }
    this.sweptTo = end & this.setMask
  }

  private sweepSet(base: number, now: Millis): void {
    for (let row = base; row < base + WAYS; row++) {
      if (this.tags[row] !== 0 && this.dead(row, now)) this.release(row)
    }
  }

  /** How many rows there are. */
  get rows(): number {
    return this.capacity
  }

  /** Whether the row holds a connection that is not over, in the direction of who began it. */
  isUp(row: number): boolean {
    const held = this.tags[row] !== 0 && this.isAnswer[row] === 0 && this.current(row)
    return held && this.state[row] !== FlowState.Closing
  }

  isLive(row: number, now: Millis): boolean {
    return this.tags[row] !== 0 && !this.dead(row, now)
  }

  /** Names the flow in a row until its number of times round has come round: 24 bits, its row the lowest 16. */
  numberOf(row: number): number {
    return ((this.births[row]! << 16) | row) >>> 0
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
    const mate = this.mate[row]!
    this.free(row)
    if (mate >= 0) this.free(mate)
  }

  private releaseAll(session: number): void {
    for (let row = 0; row < this.capacity; row++) {
      if (this.tags[row] !== 0 && this.session[row] === session && this.current(row)) this.release(row)
    }
  }

  private free(row: number): void {
    if (this.observer !== undefined && this.isAnswer[row] === 0) this.observer.ended(row)
    if (this.hook[row] !== Hook.None) this.translated--
    if (this.tags[row] !== 0) this.taken[row >>> WAY_BITS]!--
    this.tags[row] = 0
    this.hook[row] = Hook.None
    this.mate[row] = -1
    if (!this.current(row)) return
    this.size--
    this.sessionFlows[this.session[row]!]!--
  }

  private setOf(tag: number): number {
    return ((tag >>> 8) & this.setMask) * WAYS
  }
}
