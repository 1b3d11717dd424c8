import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowNumbers } from '../../src/packet/table.ts'

describe('row numbers', () => {
  it('begin at 1, since row 0 means none, and end before the size', () => {
    const rows = new RowNumbers(4)
    expect([rows.take(), rows.take(), rows.take(), rows.take()]).toEqual([1, 2, 3, undefined])
  })

  it('rest before they are used again: those that nobody had first, then the longest-freed', () => {
    const rows = new RowNumbers(5)
    const [a, b] = [rows.take()!, rows.take()!]
    rows.give(b)
    rows.give(a)
    expect([rows.take(), rows.take()]).toEqual([3, 4])
    expect([rows.take(), rows.take(), rows.take()]).toEqual([b, a, undefined])
  })

  it('are never in use twice, and are all to be had', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(), { maxLength: 200 }), (size, steps) => {
        const rows = new RowNumbers(size)
        const live: number[] = []
        for (const step of steps) {
          if (step % 3 === 0 && live.length > 0) {
            rows.give(live.splice(step % live.length, 1)[0]!)
            continue
          }
          const n = rows.take()
          if (n === undefined) {
            expect(live.length).toBe(size - 1)
            continue
          }
          expect(live).not.toContain(n)
          expect(n).toBeGreaterThan(0)
          expect(n).toBeLessThan(size)
          live.push(n)
        }
      }),
    )
  })
})
