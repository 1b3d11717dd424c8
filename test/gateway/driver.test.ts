import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../src/gateway/deadlines.ts'
import { Driver } from '../../src/gateway/driver.ts'
import type { DeadlineInput, Machine, Millis } from '../../src/machine.ts'
import { FakeClock } from './fakes.ts'

type Input = { readonly kind: 'say'; readonly words: readonly string[] } | { readonly kind: 'fail' }

/** Answers with what it is told to say, one effect a word, and wants to be called 100 ms later. */
class Parrot implements Machine<Input, string> {
  deadline: Millis | undefined
  depth = 0
  deepest = 0

  handle(input: Input | DeadlineInput, now: Millis, effects: string[]): void {
    this.deepest = Math.max(this.deepest, ++this.depth)
    if (input.kind === 'deadline') {
      this.deadline = undefined
      effects.push(`deadline ${now}`)
    } else {
      this.deadline = now + 100
      if (input.kind === 'fail') {
        effects.push('half done')
        this.depth--
        throw new Error('a bug')
      }
      effects.push(...input.words)
    }
    this.depth--
  }
}

function setUp(react: (effect: string, driver: Driver<Input, string>) => void = () => undefined) {
  const clock = new FakeClock(0)
  const deadlines = new Deadlines(clock)
  const machine = new Parrot()
  const done: string[] = []
  const bugs: string[] = []
  const driver: Driver<Input, string> = new Driver(machine, {
    carryOut: effect => {
      done.push(effect)
      react(effect, driver)
    },
    bug: (error, input) => bugs.push(`${(error as Error).message} at ${input.kind}`),
    clock,
    deadlines,
  })
  return { clock, machine, done, bugs, driver }
}

const say = (...words: string[]): Input => ({ kind: 'say', words })

describe('a driver', () => {
  it('carries out effects in order and comes back at the deadline', () => {
    const { clock, done, driver } = setUp()
    driver.handle(say('a', 'b'))
    expect(done).toEqual(['a', 'b'])
    clock.advance(99)
    expect(done.length).toBe(2)
    clock.advance(1)
    expect(done).toEqual(['a', 'b', 'deadline 100'])
    expect(clock.waiting).toBe(0)
  })

  it('finishes the effects in hand before the next input, and inputs wait in line', () => {
    const { done, driver, machine } = setUp((effect, d) => {
      if (effect === 'first') {
        d.handle(say('third'))
        d.handle(say('fourth'))
      }
      if (effect === 'third') d.handle(say('fifth'))
    })
    driver.handle(say('first', 'second'))
    expect(done).toEqual(['first', 'second', 'third', 'fourth', 'fifth'])
    expect(machine.deepest).toBe(1)
  })

  it('arms the deadline that holds when everything is done', () => {
    const { clock, done, driver } = setUp((effect, d) => {
      if (effect !== 'now') return
      clock.time = 50
      d.handle(say('later'))
    })
    driver.handle(say('now'))
    expect(clock.next).toBe(150)
    clock.advance(100)
    expect(done).toEqual(['now', 'later', 'deadline 150'])
  })

  it('reports what a machine throws, carries out what it had decided, and goes on', () => {
    const { clock, done, bugs, driver } = setUp()
    driver.handle({ kind: 'fail' })
    expect(bugs).toEqual(['a bug at fail'])
    expect(done).toEqual(['half done'])
    driver.handle(say('still here'))
    clock.advance(100)
    expect(done).toEqual(['half done', 'still here', 'deadline 100'])
  })

  it('reports what an effect throws, without losing its neighbours or what waits in line', () => {
    const { done, bugs, driver } = setUp((effect, d) => {
      if (effect === 'bad') {
        d.handle(say('waited'))
        throw new Error('no such socket')
      }
    })
    driver.handle(say('good', 'bad', 'better'))
    expect(done).toEqual(['good', 'bad', 'better', 'waited'])
    expect(bugs).toEqual(['no such socket at say'])
  })

  it('is over after end, in the midst of its effects too', () => {
    const { clock, done, driver } = setUp((effect, d) => {
      if (effect === 'last') d.end()
    })
    driver.handle(say('last', 'never'))
    driver.handle(say('nor this'))
    clock.advance(1000)
    expect(done).toEqual(['last'])
    expect(clock.waiting).toBeLessThanOrEqual(1)
  })

  it('keeps no deadline after end', () => {
    const { clock, done, driver } = setUp()
    driver.handle(say('a'))
    driver.end()
    clock.advance(1000)
    expect(done).toEqual(['a'])
  })
})
