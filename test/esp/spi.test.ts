import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseSpi } from '../../src/esp/spi.ts'
import { ipv4Bytes } from '../../src/packet/ip.ts'

const drawing = (value: number) => () => ipv4Bytes(value)

describe('choosing an SPI', () => {
  test('answers a free one of the worker, above the reserved ones, near what was drawn', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 1, max: 64 }),
        fc.nat(),
        fc.nat(20),
        (drawn, workers, w, taken) => {
          const worker = w % workers
          const used = new Set<number>()
          for (let i = 0; i <= taken; i++) {
            const spi = chooseSpi(drawing(drawn), worker, workers, s => used.has(s))
            expect(used.has(spi)).toBe(false)
            expect(spi).toBeGreaterThan(255)
            expect(spi).toBeLessThanOrEqual(0xffffffff)
            expect(spi % workers).toBe(worker)
            used.add(spi)
          }
        },
      ),
    )
  })

  test('keeps what was drawn where the worker owns it', () => {
    expect(chooseSpi(drawing(0x5eed0001), 0, 1, () => false)).toBe(0x5eed0001)
    expect(chooseSpi(drawing(0x5eed0001), 1, 2, () => false)).toBe(0x5eed0001)
    expect(chooseSpi(drawing(0x5eed0001), 0, 2, () => false)).toBe(0x5eed0000)
  })

  test('goes round at the end of the numbers', () => {
    expect(chooseSpi(drawing(0xffffffff), 0, 1, s => s === 0xffffffff)).toBe(256)
    expect(chooseSpi(drawing(0xffffffff), 1, 3, () => false)).toBe(256)
  })

  test('refuses a worker that is none', () => {
    expect(() => chooseSpi(drawing(1000), 2, 2, () => false)).toThrow(RangeError)
    expect(() => chooseSpi(drawing(1000), -1, 2, () => false)).toThrow(RangeError)
  })

  test('says so when every number is taken', () => {
    expect(() => chooseSpi(drawing(0), 0, 0x1000000, () => true)).toThrow(RangeError)
  })
})
