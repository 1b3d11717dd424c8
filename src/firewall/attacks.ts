/**
 * Counts what makes an attack, by who does it and to whom it is done. Each session has a row of its own for either, so that
 * nobody's counting pushes out another's; hosts outside share a small table for what only their address tells, where the one
 * longest silent makes way. A count is of a window of time and begins again behind it: nothing is kept for ever.
 */

import type { Millis } from '../machine.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { ATTACKS } from './attack-kinds.ts'

const KINDS = ATTACKS.length
/** Bits in which the different ports or hosts of one window are marked. */
const MARKS = 1024
const MARK_SHIFT = 32 - Math.log2(MARKS)
const MARK_BYTES = MARKS / 8

const OUTSIDE_WAYS = 4
const OUTSIDE_SETS = 256

/** How many of the marks are set once about `n` different values came (linear counting). */
export function marksOf(n: number): number {
  return Math.max(1, Math.round(MARKS * (1 - Math.exp(-n / MARKS))))
}

/** Neighbours must fall anywhere, as marksOf takes it. */
function markOf(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> MARK_SHIFT
}

/** Counts of some rows, each with every kind of attack. */
export class Tally {
  private readonly counts: Uint32Array
  private readonly since: Float64Array
  private readonly told: Uint8Array
  private readonly seed: number

  constructor(rows: number, seed: number) {
    this.counts = new Uint32Array(rows * KINDS)
    this.since = new Float64Array(rows * KINDS).fill(Number.NEGATIVE_INFINITY)
    this.told = new Uint8Array(rows * KINDS)
    this.seed = seed | 0
  }

  /** One more. Answers the count in this window of time. */
  count(row: number, kind: number, time: Millis, now: Millis): number {
    const i = row * KINDS + kind
    this.begin(i, time, now)
    this.counts[i]!++
    return this.counts[i]!
  }

  /** One more that bears `value`; answers how many marks different values have made, or 0 where this one was there. */
  countValue(marks: Marks, row: number, kind: number, value: number, time: Millis, now: Millis): number {
    const i = row * KINDS + kind
    if (this.begin(i, time, now)) marks.clear(row)
    if (!marks.set(row, markOf(value ^ this.seed))) return 0
    this.counts[i]!++
    return this.counts[i]!
  }

  /** One less: it was no attack. */
  takeBack(row: number, kind: number): void {
    const i = row * KINDS + kind
    if (this.counts[i]! > 0) this.counts[i]!--
  }

  /** How many notices this window had before; it has one more now. At 255 it stays. */
  tell(row: number, kind: number): number {
    const i = row * KINDS + kind
    const before = this.told[i]!
    if (before < 255) this.told[i] = before + 1
    return before
  }

  forget(row: number): void {
    for (let i = row * KINDS; i < (row + 1) * KINDS; i++) this.since[i] = Number.NEGATIVE_INFINITY
  }

  private begin(i: number, time: Millis, now: Millis): boolean {
    if (now - this.since[i]! < time) return false
    this.since[i] = now
    this.counts[i] = 0
    this.told[i] = 0
    return true
  }
}

/** A row of bits for each row of a Tally. */
export class Marks {
  private readonly bits: Uint8Array

  constructor(rows: number) {
    this.bits = new Uint8Array(rows * MARK_BYTES)
  }

  /** Answers whether the mark was free. */
  set(row: number, mark: number): boolean {
    const at = row * MARK_BYTES + (mark >>> 3)
    const bit = 1 << (mark & 7)
    if ((this.bits[at]! & bit) !== 0) return false
    this.bits[at]! |= bit
    return true
  }

  clear(row: number): void {
    for (let i = row * MARK_BYTES; i < (row + 1) * MARK_BYTES; i++) this.bits[i] = 0
  }
}

/** A row for each of the addresses heard lately: a new one has that of the one in its set which was silent for longest. */
export class AddressRows {
  /** How many rows there are. */
  static readonly size = OUTSIDE_WAYS * OUTSIDE_SETS
  private readonly addresses = new Int32Array(AddressRows.size)
  private readonly heard = new Float64Array(AddressRows.size).fill(Number.NEGATIVE_INFINITY)
  private readonly seed: number
  private readonly forget: (row: number) => void

  /** `forget` hears that a row is another address's now. */
  constructor(seed: number, forget: (row: number) => void) {
    this.seed = seed | 0
    this.forget = forget
  }

  rowOf(address: number, now: Millis): number {
    const base = (Math.imul(address ^ this.seed, 0x85ebca6b) >>> 24) * OUTSIDE_WAYS
    let row = base
    for (let i = base; i < base + OUTSIDE_WAYS; i++) {
      if (this.addresses[i] === address && this.heard[i]! > Number.NEGATIVE_INFINITY) {
        this.heard[i] = now
        return i
      }
      if (this.heard[i]! < this.heard[row]!) row = i
    }
    this.addresses[row] = address
    this.heard[row] = now
    this.forget(row)
    return row
  }
}

export class Attacks {
  /** By session: what its client does, and what is done to it. */
  readonly byClient: Tally
  readonly toClient: Tally
  readonly portsByClient: Marks
  readonly hostsByClient: Marks
  readonly portsOfClient: Marks
  /** By the rows of `outsider`. */
  readonly byOutsider: Tally
  readonly hostsByOutsider = new Marks(AddressRows.size)
  private readonly outsiders: AddressRows

  /** `seed` is random: nobody outside can choose values that fall on one mark. */
  constructor(seed: number, sessions = MAX_SESSIONS) {
    this.byClient = new Tally(sessions, seed)
    this.toClient = new Tally(sessions, seed)
    this.portsByClient = new Marks(sessions)
    this.hostsByClient = new Marks(sessions)
    this.portsOfClient = new Marks(sessions)
    this.byOutsider = new Tally(AddressRows.size, seed)
    this.outsiders = new AddressRows(seed, row => this.byOutsider.forget(row))
  }

  /** The row of a host outside. */
  outsider(address: number, now: Millis): number {
    return this.outsiders.rowOf(address, now)
  }

  /** A session's number is another's now. */
  forget(session: number): void {
    this.byClient.forget(session)
    this.toClient.forget(session)
  }
}
