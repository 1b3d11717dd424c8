import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena } from '../../src/packet/arena.ts'

describe('the arena', () => {
  it('hands nothing out twice: arrays are of the length asked for, begin as zeros and keep what is put into them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { minLength: 1, maxLength: 40 }), lengths => {
        const arena = new Arena()
        const taken = lengths.map((length, i) => {
          const bytes = arena.take(length)
          expect(bytes.length).toBe(length)
          expect(bytes.every(b => b === 0)).toBe(true)
          return bytes.fill(i + 1)
        })
        for (const [i, bytes] of taken.entries()) expect(bytes.every(b => b === i + 1)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })
})
