import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { REPLAY_WINDOWS, ReplayWindow } from '../../src/esp/replay.ts'

/** The window as RFC 4303 section 3.4.3 words it, without a bitmap. */
class NaiveWindow {
  private readonly size: number
  private readonly accepted = new Set<number>()
  private highest = 0

  constructor(size: number) {
    this.size = size
  }

  accept(sequence: number): boolean {
    const leftEdge = this.highest - this.size
    if (sequence === 0 || sequence <= leftEdge || this.accepted.has(sequence)) return false
    this.accepted.add(sequence)
    this.highest = Math.max(this.highest, sequence)
    return true
  }
}

/** Walks that stay near where they are, jump by about a window, or leap anywhere up to the last number. */
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -70, max: 5 }) },
    { weight: 3, arbitrary: fc.integer({ min: -300, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: -0xffffffff, max: 0xffffffff }) },
  ),
  { maxLength: 300 },
)

describe('replay window', () => {
  test.each([64, 128, 256])('of %i accepts what a naive set accepts', size => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), steps, (start, walk) => {
        const window = new ReplayWindow(size)
        const naive = new NaiveWindow(size)
        let at = start
        for (const step of walk) {
          at = Math.min(0xffffffff, Math.max(0, at + step))
          const ok = window.check(at)
          expect(ok).toBe(naive.accept(at))
          if (ok) window.advance(at)
        }
      }),
    )
  })

  test('does not change by checking', () => {
    const window = new ReplayWindow(64)
    expect(window.check(5)).toBe(true)
    expect(window.check(5)).toBe(true)
    window.advance(5)
    expect(window.check(5)).toBe(false)
    expect(window.highest).toBe(5)
  })

  test('never accepts 0, and accepts the last number once', () => {
    const window = new ReplayWindow(64)
    expect(window.check(0)).toBe(false)
    window.advance(0xffffffff)
    expect(window.check(0xffffffff)).toBe(false)
    expect(window.check(0xfffffffe)).toBe(true)
    expect(window.check(0xffffffff - 63)).toBe(true)
    expect(window.check(0xffffffff - 64)).toBe(false)
  })

  test('of 0 checks nothing but remembers the highest number', () => {
    const window = new ReplayWindow(0)
    window.advance(7)
    expect(window.check(7)).toBe(true)
    expect(window.check(0)).toBe(true)
    window.advance(3)
    expect(window.highest).toBe(7)
  })

  test('has four sizes', () => {
    for (const size of REPLAY_WINDOWS) expect(new ReplayWindow(size).size).toBe(size)
    for (const size of [-64, 1, 32, 65, 512, Number.NaN]) expect(() => new ReplayWindow(size)).toThrow(RangeError)
  })
})
