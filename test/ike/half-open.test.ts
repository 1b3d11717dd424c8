import { describe, expect, it } from 'vitest'
import { HalfOpen } from '../../src/ike/half-open.ts'
import type { Phase1 } from '../../src/ike/state.ts'

/** An exchange, of which only the address counts here. */
function from(address: number): Phase1 {
  return { place: { local: { address: 1, port: 500 }, remote: { address, port: 500 } } } as unknown as Phase1
}

describe('half-open exchanges', () => {
  it('give up the oldest of the address that has most', () => {
    const table = new HalfOpen()
    const [a, b1, b2, c] = [from(1), from(2), from(2), from(3)]
    table.add('a', a)
    expect(table.leastDeserving()).toBe(a)
    table.add('b1', b1)
    table.add('b2', b2)
    table.add('c', c)
    expect(table.leastDeserving()).toBe(b1)
    table.remove('b1', b1)
    expect(table.leastDeserving()).toBe(a)
    table.remove('a', c)
    expect(table.size).toBe(3)
    for (const [key, p] of [
      ['a', a],
      ['b2', b2],
      ['c', c],
    ] as const)
      table.remove(key, p)
    expect([table.size, table.leastDeserving()]).toEqual([0, undefined])
  })

  it('agree with a count by hand, whatever comes and goes', () => {
    const table = new HalfOpen()
    const model = new Map<string, Phase1>()
    let state = 12345
    const roll = (limit: number) => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return (state >>> 8) % limit
    }
    for (let i = 0; i < 3000; i++) {
      const key = `k${i}`
      if (roll(100) < 55) {
        const p = from(roll(7))
        table.add(key, p)
        model.set(key, p)
      } else if (model.size > 0) {
        const [gone, p] = [...model][roll(model.size)]!
        table.remove(gone, p)
        model.delete(gone)
      }
      const counts = new Map<number, number>()
      for (const p of model.values()) counts.set(p.place.remote.address, (counts.get(p.place.remote.address) ?? 0) + 1)
      const most = Math.max(0, ...counts.values())
      const chosen = table.leastDeserving()
      expect(table.size).toBe(model.size)
      if (most === 0) expect(chosen).toBeUndefined()
      else expect(counts.get(chosen!.place.remote.address)).toBe(most)
    }
  })
})
