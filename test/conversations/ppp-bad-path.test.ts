/** PPP over a path that loses, doubles and reorders frames: it comes up, or both sides know that it did not. */

import { expect, it } from 'vitest'
import { Pair } from '../ppp/pair.ts'

/** A small generator of numbers from 0 to `limit - 1`, one for each frame, the same for the same seed. */
function dicePerFrame(seed: number, limit: number): (index: number) => number {
  return index => {
    let x = Math.imul(seed ^ (index * 0x9e3779b9), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    return ((x ^ (x >>> 16)) >>> 0) % limit
  }
}

function badPath(seed: number, lossPercent: number, doublePercent: number) {
  const loss = dicePerFrame(seed, 100)
  const double = dicePerFrame(seed + 1, 100)
  const jitter = dicePerFrame(seed + 2, 250)
  return {
    loses: (index: number) => loss(index) < lossPercent,
    doubles: (index: number) => double(index) < doublePercent,
    delay: (index: number) => 20 + jitter(index),
  }
}

/** Each with its clients: a failure names the seed that replays it. */
const runs = Array.from({ length: 300 }, (_, i) => ({
  seed: i + 1,
  flavour: (['xp', 'win7', 'plain'] as const)[i % 3]!,
}))

it('with one frame in five lost, one in five doubled and all out of order, the client gets its address', () => {
  for (const { seed, flavour } of runs) {
    const pair = new Pair({ ...badPath(seed, 20, 20), client: { flavour } }).start().run(60_000)
    const { phase } = pair.link.snapshot()
    expect([seed, pair.client.ipcpOpened, phase, pair.all('down')]).toEqual([seed, true, 'network', []])
    expect(pair.client.address).toBe(pair.all('networkUp').at(-1)!.address)
  }
})

it('with two frames in three lost, it is up or down after two minutes, never in between', () => {
  const outcomes = { up: 0, down: 0 }
  for (const { seed, flavour } of runs) {
    const pair = new Pair({ ...badPath(seed, 66, 0), client: { flavour } }).start().run(130_000)
    const over = pair.all('down').length === 1
    expect([seed, over || pair.link.snapshot().ipcp === 'Opened']).toEqual([seed, true])
    expect(pair.link.deadline === undefined).toBe(over)
    outcomes[over ? 'down' : 'up']++
  }
  expect(Math.min(outcomes.up, outcomes.down)).toBeGreaterThan(0)
})
