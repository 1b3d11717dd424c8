import { expect, it } from 'vitest'
import { Deadlines } from '../../src/gateway/deadlines.ts'
import { systemDice } from '../../src/gateway/dice.ts'
import { LateWriter } from '../../src/gateway/late-writer.ts'
import { goRound } from '../../src/gateway/rounds.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { Agenda } from '../network/agenda.ts'

it('a round through thousands lets others have their turn, sees everybody once, and who comes meanwhile', () => {
  const agenda = new Agenda()
  const clock = { now: () => agenda.now, after: (delay: number, then: () => void) => agenda.in(delay, then) }
  const all = new Set(Array.from({ length: 5000 }, (_, i) => i))
  const seen: number[] = []
  let [done, others] = [0, 0]
  const to = { clock, deadlines: new Deadlines(clock) }
  goRound(
    to,
    all,
    one => {
      seen.push(one)
      if (one === 300) {
        all.delete(4000)
        all.add(9000)
      }
    },
    () => done++,
  )
  expect(seen.length).toBeLessThan(1000)
  for (let i = 1; i < 5; i++) agenda.in(i * 5, () => (others += seen.length < 5000 ? 1 : 0))
  agenda.until(agenda.now + 1000, () => undefined)
  expect(others).toBeGreaterThan(2)
  expect(done).toBe(1)
  expect(seen).toEqual([...all])
})

it('a round through few is over at once', () => {
  const agenda = new Agenda()
  const clock = { now: () => agenda.now, after: (delay: number, then: () => void) => agenda.in(delay, then) }
  const seen: string[] = []
  let done = false
  const finish = () => (done = true)
  goRound({ clock, deadlines: new Deadlines(clock) }, ['a', 'b'], one => seen.push(one), finish)
  expect([seen, done]).toEqual([['a', 'b'], true])
})

it('text is written once in a turn, in order, and at once where that is asked', async () => {
  const written: string[] = []
  const writer = new LateWriter(text => written.push(text))
  const turn = () => new Promise(resolve => setImmediate(resolve))
  writer.add('one ')
  writer.add('two')
  expect(written).toEqual([])
  await turn()
  expect(written).toEqual(['one two'])
  writer.add('three')
  writer.flush()
  expect(written).toEqual(['one two', 'three'])
  await turn()
  expect(written).toHaveLength(2)
})

it('the dice give every byte once, and as many as asked', () => {
  const dice = systemDice()
  const thrown = [8, 20, 32, 48, 4096, 5000, 0, 1].map(length => [length, dice(length)] as const)
  for (const [length, bytes] of thrown) expect(bytes).toHaveLength(length)
  const many = Array.from({ length: 2000 }, () => toHex(dice(16)))
  expect(new Set(many).size).toBe(2000)
  // No page's end is left as it was wiped.
  expect(many).not.toContain('0'.repeat(32))
})
