/** The heap gives back what was put in, in order of time. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Heap } from '../src/heap.ts'

const time = fc.integer({ min: 0, max: 20 })

it('gives the earliest first, whatever comes in between', () => {
  fc.assert(
    fc.property(fc.array(fc.option(time)), steps => {
      const heap = new Heap()
      const naive: number[] = []
      for (const at of steps) {
        if (at === null) expect(heap.pop()?.at).toBe(naive.shift())
        else {
          heap.push({ at })
          naive.push(at)
          naive.sort((a, b) => a - b)
        }
        expect(heap.first?.at).toBe(naive[0])
      }
    }),
  )
})

it('takes another order, and forgets everything at once', () => {
  fc.assert(
    fc.property(fc.array(time), times => {
      const byTimeThenOrder = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order)
      const heap = new Heap<Entry>(byTimeThenOrder)
      for (const [order, at] of times.entries()) heap.push({ at, order })
      const taken: Entry[] = []
      for (let next = heap.pop(); next; next = heap.pop()) taken.push(next)
      expect(taken).toEqual([...times.entries()].map(([order, at]) => ({ at, order })).sort((a, b) => a.at - b.at))
      heap.push({ at: 1, order: 0 })
      heap.clear()
      expect([heap.first, heap.pop()]).toEqual([undefined, undefined])
    }),
  )
})

interface Entry {
  readonly at: number
  readonly order: number
}
