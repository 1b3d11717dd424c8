/** Packets that come one by one: nobody asks for a second one, and none is forgotten. */

import { expect, it } from 'vitest'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { Alone } from '../../src/gateway/alone.ts'
import { Forwarder, type Wires } from '../../src/gateway/forwarder.ts'
import { Stats } from '../../src/gateway/stats.ts'
import type { Batch } from '../../src/packet/batch.ts'
import { seededDice } from '../support/dice.ts'

/** Packets wait in three places; who reads tells how many he would take. */
class Queues implements Wires {
  waiting = { udp: 0, raw: 0, tun: 0 }
  asked: number[] = []
  taken = 0

  receive(batch: Batch, raw: boolean, most: number): number {
    return this.take(raw ? 'raw' : 'udp', batch, most)
  }
  readTun(batch: Batch, most: number): number {
    return this.take('tun', batch, most)
  }
  private take(from: keyof typeof this.waiting, batch: Batch, most: number): number {
    this.asked.push(most)
    batch.clear()
    const count = Math.min(most, this.waiting[from])
    for (let i = 0; i < count; i++) batch.push(new Uint8Array(40))
    this.waiting[from] -= count
    this.taken += count
    return count
  }
  writeTun(): number {
    return 0
  }
  send(): number {
    return 0
  }
  tell(): void {}

  punt(): void {}
}

const SLOW = 20_000
const AT_ONCE = 10

it.each(['udp', 'raw', 'tun'] as const)('one by one from %s', from => {
  const wires = new Queues()
  const stats = Stats.forWorkers(1)
  const forwarder = new Forwarder({ worker: 0, engine: new ReferenceEngine(seededDice('1')), wires, stats, seed: 1 })
  /** So many come; the poller tells of them as long as there are some. Answers what was asked for. */
  const come = (count: number, micros: number): number[] => {
    wires.waiting[from] += count
    wires.asked = []
    for (let after = micros; wires.waiting[from] > 0; after = AT_ONCE) {
      if (from === 'tun') forwarder.fromTun(() => 1, after)
      else forwarder.fromPublic(from === 'raw', () => 1, after)
    }
    return wires.asked
  }
  for (let i = 0; i < 15; i++) come(1, SLOW)
  expect(come(1, SLOW)[0]).toBeGreaterThan(1)
  expect(come(1, SLOW)).toEqual([1])
  expect(come(1, SLOW)).toEqual([1])
  // Whatever comes soon may have company.
  expect(come(1, AT_ONCE)[0]).toBeGreaterThan(1)
  // Several after all: the first alone, the others together; and nobody expects one alone then.
  const several = come(10, SLOW)
  expect(several[0]).toBe(1)
  expect(several[1]).toBeGreaterThan(9)
  expect(come(1, SLOW)[0]).toBeGreaterThan(1)
  expect(wires.taken).toBe(15 + 4 + 10 + 1)
})

it('is expected after sixteen in a row', () => {
  const alone = new Alone()
  for (let i = 0; i < 15; i++) alone.feel(1)
  expect(alone.isLikely(SLOW)).toBe(false)
  alone.feel(1)
  expect([alone.isLikely(SLOW), alone.isLikely(AT_ONCE)]).toEqual([true, false])
  // Now and then all are asked for.
  let all = 0
  for (let i = 0; i < 170; i++) {
    alone.feel(1)
    if (!alone.isLikely(SLOW)) all++
  }
  expect(all).toBe(10)
  for (let i = 0; i < 16; i++) alone.feel(1)
  alone.feel(2)
  expect(alone.isLikely(SLOW)).toBe(false)
})
