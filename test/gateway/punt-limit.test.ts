import { describe, expect, it } from 'vitest'
import { PuntLimit } from '../../src/gateway/punt-limit.ts'
import { MAX_PEERS } from '../../src/packet/table.ts'
import { DropReason, dropReasonNames } from '../../src/packet/verdict.ts'

const SHARE = 200

/** How many of `tries` punts pass. */
function passed(limit: PuntLimit, peer: number, now: number, tries = 1000): number {
  let count = 0
  for (let i = 0; i < tries; i++) if (limit.allows(peer, now)) count++
  return count
}

describe('the limit on punts', () => {
  it('gives each peer its share of a second, and the rest is to be counted as PuntLimit', () => {
    const limit = new PuntLimit()
    expect(passed(limit, 1, 5000)).toBe(SHARE)
    expect(passed(limit, 1, 5999)).toBe(0)
    expect(passed(limit, 2, 5999)).toBe(SHARE)
    expect(dropReasonNames[DropReason.PuntLimit]).toBe('PuntLimit')
  })

  it('begins anew with the next second', () => {
    const limit = new PuntLimit()
    passed(limit, 1, 5000)
    expect(passed(limit, 1, 6000)).toBe(SHARE)
    expect(passed(limit, 1, 60_000)).toBe(SHARE)
  })

  it('lets through no more than two shares around any moment', () => {
    const limit = new PuntLimit()
    let total = 0
    for (let now = 10_000; now < 11_000; now += 5) total += passed(limit, 3, now, 50)
    expect(total).toBeLessThanOrEqual(2 * SHARE)
    expect(total).toBeGreaterThanOrEqual(SHARE)
  })

  it('stays shut under a flood that would wrap a 16-bit count', () => {
    const limit = new PuntLimit()
    expect(passed(limit, 1, 5000, 200_000)).toBe(SHARE)
  })

  it('knows the highest row, and the row of nobody, which clients that are about to connect share', () => {
    const limit = new PuntLimit()
    expect(passed(limit, MAX_PEERS - 1, 5000)).toBe(SHARE)
    expect(passed(limit, 0, 5000, 100_000)).toBe(5000)
  })
})

describe('the limit on what is told of SPIs that nobody has', () => {
  it('is fifty a second for everybody, and takes nothing from the punts', () => {
    const limit = new PuntLimit()
    const told = (now: number) => Array.from({ length: 10_000 }, () => limit.allowsStray(now)).filter(Boolean).length
    expect(told(5000)).toBe(50)
    expect(passed(limit, 0, 5000, 100_000)).toBe(5000)
    expect(told(5999)).toBe(0)
    expect(told(6000)).toBe(50)
  })
})
