import { describe, expect, it } from 'vitest'
import { profiles } from '../support/profiles.ts'
import { Explored } from './explored.ts'
import { PERFECT } from './link.ts'
import { brief, type Plan } from './plan.ts'
import { Simulation } from './simulation.ts'

const SEEDS = 200
const MINUTE = 60_000

function play(seed: number, plan?: (drawn: Plan) => Plan): Explored {
  try {
    return new Simulation(seed, plan ? { plan } : {}).run()
  } catch (e) {
    const command = `npm run simulate -- --seed ${seed}${plan ? ' --brief' : ''}`
    throw new Error(`${command}\n${(e as Error).message}`, { cause: e })
  }
}

describe('whatever clients, NATs, links and the gateway itself do', () => {
  it(`nobody gets another's packets, everybody comes back, and nothing is left (${SEEDS} seeds)`, () => {
    const explored = new Explored()
    for (let seed = 1; seed <= SEEDS; seed++) explored.add(play(seed, brief))
    // It went where trouble is.
    for (const what of ['connects', 'rekeys', 'lost', 'natEvents', 'moves', 'gatewayRestarts', 'sleeps'] as const)
      expect(explored[what], what).toBeGreaterThan(SEEDS / 10)
    expect(explored.delivered).toBeGreaterThan(explored.pings / 2)
  }, 240_000)

  it('is the same for the same seed', () => {
    const lines = (seed: number) => {
      const all: string[] = []
      new Simulation(seed, { trace: line => all.push(line), plan: brief }).run()
      return all
    }
    expect(lines(7)).toEqual(lines(7))
  })
})

describe('what it has found', () => {
  it("an idle Android, which answers no Hello but PPP's echo, was thrown off every minute and a half", () => {
    const explored = play(25, plan => ({
      ...plan,
      houses: [{ ...plan.houses[0]!, profile: profiles.android, welcome: true, nat: undefined, quality: PERFECT }],
      quiet: true,
      marathon: false,
      roughMillis: 40 * MINUTE,
      gapMillis: 30 * MINUTE,
      calmMillis: MINUTE,
    }))
    expect(explored.connects).toBe(1)
    expect(explored.cutOff).toBe(0)
  })
})
