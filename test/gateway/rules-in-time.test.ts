/** Firewall rules that come into force and cease to be with time, on a running gateway. */

import { describe, expect, it } from 'vitest'
import { applyCommand } from '../../src/alliedware/apply.ts'
import { World } from './world.ts'

/** The gateway under one more rule. */
function withRule(fields: string): World {
  const w = new World()
  const outcome = applyCommand(
    w.control.configuration,
    `add firewall policy=main rule=9 action=deny interface=eth0 protocol=all ${fields}`,
  )
  expect(outcome.kind).toBe('acted')
  w.control.configure(outcome.configuration)
  w.take()
  return w
}

const inForce = (w: World) => w.control.ruleset.slots.some(s => s.rule === 9)
const published = ['setRuleset on worker 0', 'setRuleset on worker 1']

describe('a rule', () => {
  it('with a time to live is over when that has passed, and stays over', () => {
    const w = withRule('ttl=0:02')
    expect(inForce(w)).toBe(true)
    w.clock.advance(119_999)
    expect(w.take()).toEqual([])
    w.clock.advance(1)
    expect(w.take()).toEqual(published)
    expect(inForce(w)).toBe(false)
    w.control.configure(w.control.configuration)
    expect(inForce(w)).toBe(false)
    expect(w.clock.waiting).toBe(withoutRule())
  })

  it('by the hour comes and goes', () => {
    const w = withRule('')
    const wall = w.control.world.wall()
    const at = (minutes: number) => {
      const time = new Date(wall.getTime() + minutes * 60_000)
      return `${time.getHours()}:${String(time.getMinutes()).padStart(2, '0')}`
    }
    const timed = withRule(`after=${at(2)} before=${at(4)}`)
    expect(inForce(timed)).toBe(false)
    const seen: boolean[] = []
    for (let half = 0; half < 10; half++) {
      timed.clock.advance(30_000)
      seen.push(inForce(timed))
    }
    const first = seen.indexOf(true)
    expect(first).toBeGreaterThanOrEqual(1)
    expect(seen.slice(first, first + 4)).toEqual([true, true, true, true])
    expect(seen.at(-1)).toBe(false)
  })
})

/** Timers that a gateway has at rest. */
function withoutRule(): number {
  return new World().clock.waiting
}
