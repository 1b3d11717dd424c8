/**
 * Everybody's share where more comes than a worker can carry. The kernel drops what finds no room in a queue, whosever it is:
 * so a flood of one would cost the others as large a part of their packets. Here the greedy one's are dropped instead, before
 * anything was spent on them, until the queue is short again.
 *
 * Steps for each batch while there is pressure:
 *   1. count the packets of everybody in it
 *   2. the batch's budget is shared out: who asks for less than an equal part gets it all, and what is left is shared anew
 *   3. what is beyond its sender's part is dropped
 */

import type { Millis } from '../machine.ts'
import { BATCH_CAPACITY, type Batch, NEAR_CAPACITY } from '../packet/batch.ts'
import { packetsIn } from '../packet/cut.ts'
import { DropReason, Verdict } from '../packet/verdict.ts'

/** Packets of NEAR_CAPACITY that are carried, by pressure: little at first, for senders that slow down when they lose one. */
const BUDGETS = [Number.POSITIVE_INFINITY, 60, 56, 48, 32, 16, 8] as const
const MOST = BUDGETS.length - 1
/** Somebody is greedy who sends so many times as much as somebody else, among so many packets; */
const GREEDY = 8
const WATCHED = 1024
/** and is taken to be for so many batches more: a second or so, since who sends little is not always among them. */
const REMEMBERED = 5000
/** What `feelFill` calls full; a buffer is long that is full to a sixteenth: some milliseconds of work. */
export const FULL = 65536
const LONG = FULL / 16
/** After so long without a packet nothing is known of the queue any more. */
const STALE_MILLIS = 100
/** Twice as many as a batch can hold senders. A power of two. */
const SLOTS = 1024

export class FairShare {
  private readonly sendersOf: (batch: Batch) => Uint32Array
  private readonly least: number
  private pressure = 0
  /** How full the buffer was behind the batch before, and when that one was. */
  private fill = 0
  private last: Millis = 0
  /** For how many more batches somebody is taken to be greedy, by what was seen, or because it may be. */
  private greedy = 0
  private suspected = 0
  private senders = 0
  /** By slot: who it is, in which batch, and how many packets in it. */
  private readonly who = new Uint32Array(SLOTS)
  private readonly when = new Uint32Array(SLOTS)
  private readonly asked = new Uint32Array(SLOTS)
  private batch = 0
  /** Packets by slot, whoever they are of, and in all: datagrams that come coalesced fill batches of one sender alone. */
  private readonly weights = new Uint32Array(SLOTS)
  private weight = 0
  /** By sender: its slot. By row: its slot, or SLOTS where it counts for nobody. */
  private readonly slots = new Uint16Array(BATCH_CAPACITY)
  private readonly slotOf = new Uint16Array(BATCH_CAPACITY)

  /**
   * `sendersOf`: whose each row's packet is. What belongs to nobody must have one sender, or whoever makes up whose it is
   * would be many. `least` packets of a batch are carried where nobody is greedy, so that who comes next does not find the
   * queue full.
   */
  constructor(sendersOf: (batch: Batch) => Uint32Array, least = Number.POSITIVE_INFINITY) {
    this.sendersOf = sendersOf
    this.least = least
  }

  /** Whether there is pressure. */
  get isTense(): boolean {
    return this.pressure > 0
  }

  /** What was found behind a batch, or several: a queue that is long still, or not. */
  feel(long: boolean): void {
    // Who filled a queue that is known to be long may have kept all others out of it.
    if (long && this.pressure === 0 && this.least < NEAR_CAPACITY) this.suspected = REMEMBERED
    if (long) this.pressure = Math.min(MOST, this.pressure + 1)
    else this.pressure = Math.max(0, this.pressure - 1)
  }

  /**
   * The same of a buffer, in parts of FULL. The kernel gives back late what was read, up to a quarter of all, so one that only
   * drains, after the worker had to wait for a processor, looks long to its end: at first it is where it grows between two
   * batches, or is more than half full.
   */
  feelFill(fill: number): void {
    const begins = this.fill > LONG && (fill > this.fill || fill > FULL / 2)
    this.feel(fill > LONG && (this.isTense || begins))
    this.fill = fill
  }

  /**
   * Drops what is beyond its sender's share, where there is one who leaves others too little. `full`: a batch's most. What was
   * felt of a queue before a pause is forgotten.
   */
  limit(batch: Batch, full: number = NEAR_CAPACITY, now: Millis = 0): void {
    if (now - this.last > STALE_MILLIS) this.pressure = this.suspected = this.fill = 0
    this.last = now
    if (this.pressure === 0) return
    this.count(batch)
    this.weigh()
    const carried = Math.max(BUDGETS[this.pressure]!, this.greedy + this.suspected === 0 ? this.least : 0)
    const helpings = Math.max(1, full / NEAR_CAPACITY)
    this.greedy = Math.max(0, this.greedy - helpings)
    this.suspected = Math.max(0, this.suspected - helpings)
    if (carried >= NEAR_CAPACITY) return
    const part = this.part(carried * helpings, helpings)
    for (let i = 0; i < this.senders; i++) this.asked[this.slots[i]!] = 0
    for (let i = 0; i < batch.count; i++) {
      const slot = this.slotOf[i]!
      if (slot === SLOTS) continue
      if (this.asked[slot]! >= part) {
        batch.verdict[i] = Verdict.Drop
        batch.reason[i] = DropReason.Overload
      } else this.asked[slot]! += packetsIn(batch, i)
    }
  }

  /** Where all want as much, or one is alone, nothing is won by dropping here what the kernel would drop. */
  private weigh(): void {
    for (let i = 0; i < this.senders; i++) {
      const slot = this.slots[i]!
      this.weights[home(this.who[slot]!)]! += this.asked[slot]!
      this.weight += this.asked[slot]!
    }
    if (this.weight < WATCHED) return
    let least = this.weight
    let most = 0
    for (let slot = 0; slot < SLOTS; slot++) {
      const weight = this.weights[slot]!
      if (weight === 0) continue
      least = Math.min(least, weight)
      most = Math.max(most, weight)
    }
    if (most >= least * GREEDY) this.greedy = REMEMBERED
    else if (most < this.weight) this.suspected = 0
    this.weights.fill(0)
    this.weight = 0
  }

  private count(batch: Batch): void {
    this.batch = (this.batch + 1) >>> 0
    this.senders = 0
    const senders = this.sendersOf(batch)
    for (let i = 0; i < batch.count; i++) {
      this.slotOf[i] = SLOTS
      if (batch.verdict[i] !== Verdict.Forward) continue
      const slot = this.find(senders[i]!)
      this.slotOf[i] = slot
      this.asked[slot]! += packetsIn(batch, i)
    }
  }

  private find(sender: number): number {
    let slot = home(sender)
    for (; this.when[slot] === this.batch; slot = (slot + 1) & (SLOTS - 1)) if (this.who[slot] === sender) return slot
    this.who[slot] = sender
    this.when[slot] = this.batch
    this.asked[slot] = 0
    this.slots[this.senders++] = slot
    return slot
  }

  /** The largest part with which all senders together stay within the budget, but at least so many packets. */
  private part(budget: number, least: number): number {
    let low = least
    let high = budget
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      let total = 0
      for (let i = 0; i < this.senders; i++) total += Math.min(this.asked[this.slots[i]!]!, middle)
      if (total <= budget) low = middle
      else high = middle - 1
    }
    return low
  }
}

function home(sender: number): number {
  return Math.imul(sender, 0x9e3779b1) >>> 22
}
