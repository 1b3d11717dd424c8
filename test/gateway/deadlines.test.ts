import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, systemClock } from '../../src/gateway/deadlines.ts'
import { FakeClock } from './fakes.ts'

function setUp() {
  const clock = new FakeClock(0)
  const deadlines = new Deadlines(clock)
  const heard: string[] = []
  const keys = new Map<string, object>()
  const key = (name: string) => {
    if (!keys.has(name)) keys.set(name, {})
    return keys.get(name)!
  }
  const set = (name: string, at: number | undefined) =>
    deadlines.set(key(name), at, () => heard.push(`${name} at ${clock.now()}`))
  return { clock, deadlines, heard, set, key }
}

describe('deadlines', () => {
  it('come once, each at its time, in order', () => {
    const { clock, heard, set } = setUp()
    set('late', 300)
    set('early', 100)
    set('middle', 200)
    clock.advance(1000)
    expect(heard).toEqual(['early at 100', 'middle at 200', 'late at 300'])
    clock.advance(1000)
    expect(heard.length).toBe(3)
  })

  it('need one timer, however many they are', () => {
    const { clock, set } = setUp()
    for (let i = 0; i < 50; i++) set(`k${i}`, 1000 - i)
    expect(clock.waiting).toBe(1)
    expect(clock.next).toBe(951)
  })

  it('move both ways, and only the last time counts', () => {
    const { clock, heard, set } = setUp()
    set('a', 100)
    set('a', 500)
    set('b', 400)
    set('b', 50)
    clock.advance(1000)
    expect(heard).toEqual(['b at 50', 'a at 500'])
  })

  it('are taken back with undefined', () => {
    const { clock, heard, set } = setUp()
    set('a', 100)
    set('a', undefined)
    set('never set', undefined)
    clock.advance(1000)
    expect(heard).toEqual([])
  })

  it('that have passed already come at once, but not inside set', () => {
    const { clock, heard, set } = setUp()
    clock.advance(500)
    set('a', 100)
    expect(heard).toEqual([])
    clock.advance(0)
    expect(heard).toEqual(['a at 500'])
  })

  it('call what was set last, even for the same time', () => {
    const { clock, deadlines, key, heard } = setUp()
    deadlines.set(key('a'), 100, () => heard.push('before'))
    deadlines.set(key('a'), 100, () => heard.push('after'))
    clock.advance(100)
    expect(heard).toEqual(['after'])
  })

  it('can be set from a deadline, for the same key as well', () => {
    const { clock, deadlines, heard, key } = setUp()
    const again = () => {
      heard.push(String(clock.now()))
      if (heard.length < 4) deadlines.set(key('a'), clock.now() + 10, again)
    }
    deadlines.set(key('a'), 10, again)
    clock.advance(100)
    expect(heard).toEqual(['10', '20', '30', '40'])
  })

  it('outlive one that throws', () => {
    const { clock, deadlines, heard, set, key } = setUp()
    deadlines.set(key('bad'), 100, () => {
      throw new Error('of the test')
    })
    set('same time', 100)
    set('later', 200)
    expect(() => clock.advance(150)).toThrow('of the test')
    clock.advance(100)
    expect(heard.map(h => h.split(' at ')[0])).toEqual(['same time', 'later'])
  })

  it('are all forgotten by clear, with their timer', () => {
    const { clock, deadlines, heard, set } = setUp()
    set('a', 100)
    deadlines.clear()
    expect(clock.waiting).toBe(0)
    clock.advance(1000)
    expect(heard).toEqual([])
    set('b', 1500)
    clock.advance(1000)
    expect(heard).toEqual(['b at 1500'])
  })

  it('behave as a plain map of times would', () => {
    const step = fc.record({
      key: fc.nat(5),
      at: fc.option(fc.nat(1000), { nil: undefined }),
      advance: fc.nat(120),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const { clock, heard, set } = setUp()
        const model = new Map<string, number>()
        const expected = new Set<string>()
        for (const s of steps) {
          const name = `k${s.key}`
          set(name, s.at)
          if (s.at === undefined) model.delete(name)
          else model.set(name, s.at)
          const before = clock.now()
          clock.advance(s.advance)
          for (const [n, at] of model) {
            if (at > clock.now()) continue
            expected.add(`${n} at ${Math.max(at, before)}`)
            model.delete(n)
          }
        }
        // One key may be due twice at one moment only where it was set twice: compare as sets of moments.
        expect(new Set(heard)).toEqual(expected)
      }),
    )
  })
})

describe('the system clock', () => {
  it('goes forward, calls once, and lets itself be cancelled', async () => {
    const before = systemClock.now()
    let cancelled = false
    systemClock.after(1, () => {
      cancelled = true
    })()
    await new Promise<void>(resolve => systemClock.after(20, resolve))
    expect(systemClock.now() - before).toBeGreaterThanOrEqual(15)
    expect(Number.isInteger(before)).toBe(true)
    expect(cancelled).toBe(false)
  })
})
