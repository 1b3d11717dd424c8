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

  it('give up one of the network that has most, however many addresses it spoofs', () => {
    const table = new HalfOpen()
    const honest = from(0xc0000201)
    table.add('honest', honest)
    const neighbour = from(0xc6120000)
    table.add('neighbour', neighbour)
    for (let i = 0; i < 600; i++) {
      const given = table.size < 100 ? undefined : table.leastDeserving()!
      if (given) table.remove(`${given.place.remote.address}`, given)
      const address = 0xc6120100 + i
      table.add(`${address}`, from(address))
    }
    expect(table.size).toBe(100)
    expect([table.get('honest'), table.get('neighbour')]).toEqual([honest, neighbour])
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
        const p = from(((1 + roll(2)) << 16) | (roll(3) << 8) | roll(4))
        table.add(key, p)
        model.set(key, p)
      } else if (model.size > 0) {
        const [gone, p] = [...model][roll(model.size)]!
        table.remove(gone, p)
        model.delete(gone)
      }
      const chosen = table.leastDeserving()
      expect(table.size).toBe(model.size)
      if (model.size === 0) expect(chosen).toBeUndefined()
      // On each level the chosen one's prefix has as many as any other within the prefix before.
      let within = [...model.values()].map(p => p.place.remote.address)
      for (const bits of [16, 24, 32]) {
        const counts = new Map<number, number>()
        for (const a of within) counts.set(a >>> (32 - bits), (counts.get(a >>> (32 - bits)) ?? 0) + 1)
        const own = chosen === undefined ? 0 : chosen.place.remote.address >>> (32 - bits)
        expect(counts.get(own) ?? 0).toBe(Math.max(0, ...counts.values()))
        within = within.filter(a => a >>> (32 - bits) === own)
      }
    }
  })
})
