import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../src/l2tp/deadlines.ts'

describe('the heap of deadlines', () => {
  it('gives items back no later than they asked for, earliest first', () => {
    const change = fc.record({
      item: fc.integer({ min: 0, max: 9 }),
      at: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      remove: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), changes => {
        const deadlines = new Deadlines<number>()
        const earliest = new Map<number, number>()
        for (const { item, at, remove } of changes) {
          if (remove) {
            deadlines.remove(item)
            earliest.delete(item)
          }
          deadlines.schedule(item, at)
          if (at !== undefined) earliest.set(item, Math.min(at, earliest.get(item) ?? at))
        }
        const taken: (readonly [number, number])[] = []
        for (let now = 0; now <= 100; now++) {
          for (let i = deadlines.takeDue(now); i !== undefined; i = deadlines.takeDue(now)) taken.push([i, now])
        }
        expect(new Map(taken)).toEqual(earliest)
        expect(taken).toHaveLength(earliest.size)
        expect(deadlines.next).toBeUndefined()
      }),
    )
  })
})
