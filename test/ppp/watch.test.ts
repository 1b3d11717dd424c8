import { describe, expect, it } from 'vitest'
import { Allowance } from '../../src/ppp/allowance.ts'
import { EchoWatch } from '../../src/ppp/echo.ts'

describe('EchoWatch', () => {
  it('without a period never asks', () => {
    for (const seconds of [undefined, 0]) {
      const watch = new EchoWatch(seconds)
      watch.start(0)
      expect(watch.deadline).toBeUndefined()
    }
  })

  it('asks each quiet period and gives up after four', () => {
    const watch = new EchoWatch(10)
    watch.start(0)
    const actions = [1, 2, 3, 4, 5].map(n => {
      expect(watch.deadline).toBe(n * 10_000)
      return watch.expire(n * 10_000)
    })
    expect(actions).toEqual(['ask', 'ask', 'ask', 'ask', 'dead'])
  })

  it('starts to count anew with every sign of life', () => {
    const watch = new EchoWatch(10)
    watch.start(0)
    watch.expire(10_000)
    watch.expire(20_000)
    expect(watch.missed).toBe(2)
    watch.alive()
    expect(watch.expire(30_000)).toBe('nothing')
    expect(watch.expire(40_000)).toBe('ask')
    expect(watch.missed).toBe(1)
  })
})

describe('Allowance', () => {
  it('gives its burst, then one each refill, and never more than the burst', () => {
    const a = new Allowance(3, 1000)
    const takes = (now: number, n: number) => Array.from({ length: n }, () => a.take(now)).filter(Boolean).length
    expect(takes(0, 10)).toBe(3)
    expect(takes(999, 10)).toBe(0)
    expect(takes(1000, 10)).toBe(1)
    expect(takes(100_000, 10)).toBe(3)
  })
})
