import { describe, expect, it } from 'vitest'
import { profiles } from '../support/profiles.ts'
import { libreswanGcm, strongSwanGcm } from '../support/unix-profiles.ts'
import { engines } from './engines.ts'
import { Explored } from './explored.ts'
import { PERFECT } from './link.ts'
import { brief, type Plan } from './plan.ts'
import { Simulation } from './simulation.ts'

const SEEDS = 24
const NATIVE_SEEDS = 12
/** Far more than they take: for a machine that has much else to do. */
const TIMEOUT = 900_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

type EngineName = keyof typeof engines

function play(seed: number, plan?: (drawn: Plan) => Plan, engine: EngineName = 'reference'): Explored {
  try {
    return new Simulation(seed, { ...engines[engine](), ...(plan ? { plan } : {}) }).run()
  } catch (e) {
    const command = `npm run simulate -- --seed ${seed}${plan === brief ? ' --brief' : ''} --engine ${engine}`
    throw new Error(`${command}\n${(e as Error).message}`, { cause: e })
  }
}

describe('whatever clients, NATs, links and the gateway itself do', () => {
  it(
    `nobody gets another's packets, everybody comes back, and nothing is left (${SEEDS} seeds)`,
    () => {
      const explored = new Explored()
      for (let seed = 1; seed <= SEEDS; seed++) explored.add(play(seed, brief))
      // It went where trouble is.
      for (const what of ['connects', 'rekeys', 'lost', 'natEvents', 'moves', 'gatewayRestarts', 'sleeps'] as const)
        expect(explored[what], what).toBeGreaterThan(SEEDS / 10)
      expect(explored.delivered).toBeGreaterThan(explored.pings / 2)
    },
    TIMEOUT,
  )

  it(
    `the same with the addon's ESP (${NATIVE_SEEDS} seeds)`,
    () => {
      const explored = new Explored()
      for (let seed = 1; seed <= NATIVE_SEEDS; seed++) explored.add(play(1_000_000 + seed, brief, 'native'))
      expect(explored.delivered).toBeGreaterThan(explored.pings / 2)
    },
    TIMEOUT,
  )

  it(
    'is the same for the same seed',
    () => {
      const lines = (seed: number) => {
        const all: string[] = []
        new Simulation(seed, { trace: line => all.push(line), plan: brief }).run()
        return all
      }
      expect(lines(6)).toEqual(lines(6))
    },
    TIMEOUT,
  )
})

const everyone = { ...profiles, 'strongswan-gcm': strongSwanGcm, 'libreswan-gcm': libreswanGcm }

/** A seed's gateway with one client, under a clear sky. */
function only(name: keyof typeof everyone, change: Partial<Plan>): (drawn: Plan) => Plan {
  return plan => ({
    ...plan,
    houses: [{ ...plan.houses[0]!, profile: everyone[name], welcome: true, nat: undefined, quality: PERFECT }],
    serverBehindNat: false,
    forceEncapsulation: false,
    quiet: true,
    marathon: false,
    partings: false,
    roughMillis: MINUTE,
    calmMillis: MINUTE,
    ...change,
  })
}

describe('a day without a cloud', () => {
  const days = [
    ['win2000', ''],
    ['win10', ''],
    ['ios', ''],
    ['android', ''],
    ['strongswan', ''],
    ['xp', 'set ipsec bundlespecification=1 expirykbytes=60'],
    ['libreswan', 'set ipsec bundlespecification=1 expirykbytes=60'],
    ['strongswan-gcm', ''],
    ['libreswan-gcm', 'set ipsec bundlespecification=1 expirykbytes=60'],
    ['win7', 'set ipsec bundlespecification=1 expiryseconds=300'],
    ['tiger', 'set ipsec bundlespecification=1 expiryseconds=300'],
    ['vista', 'set isakmp policy=roaming1 expiryseconds=600'],
    ['ios', 'set isakmp policy=roaming1 expiryseconds=600'],
    ['win8', 'set isakmp policy=roaming1 expiryseconds=600 senddeletes=false'],
    ['ios', 'set isakmp policy=roaming1 expiryseconds=600 senddeletes=false'],
  ] as const
  it.each(days)(
    '%s connects once, however short its SAs live (%s)',
    (name, limit) => {
      const marathon = limit === ''
      const calmMillis = marathon ? MINUTE : 3 * HOUR
      const explored = play(3, only(name, { marathon, calmMillis, script: `${scriptOf(name)}${limit}\n` }))
      expect(explored.connects).toBe(1)
      expect(explored.redials + explored.cutOff).toBe(0)
      expect(explored.rekeys).toBeGreaterThan(0)
    },
    TIMEOUT,
  )

  function scriptOf(name: keyof typeof everyone): string {
    let script = ''
    new Simulation(3, { plan: plan => only(name, { script: (script = plan.script) })(plan) })
    return script.replace(/^set (ipsec bundle|isakmp policy).*(expiry|senddeletes=false).*$/gm, '')
  }
})

describe('what it has found', () => {
  it("an idle Android, which answers no Hello but PPP's echo, was thrown off every minute and a half", () => {
    const explored = play(25, only('android', { roughMillis: 40 * MINUTE, gapMillis: 30 * MINUTE }))
    expect(explored.connects).toBe(1)
    expect(explored.cutOff).toBe(0)
  })
})
