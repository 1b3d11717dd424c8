import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { PERFECT } from './link.ts'
import type { Plan } from './plan.ts'
import { Simulation } from './simulation.ts'

const CROWD = 50

/** Everybody is behind the one NAT, calls itself 192.168.1.2 and its tunnel 1. */
function crowd(plan: Plan): Plan {
  const houses = Array.from({ length: CROWD }, (_, i) => ({
    profile: i % 2 === 0 ? windowsXp : windows10,
    user: `user${i}`,
    password: `word${i}`,
    welcome: true,
    address: ipv4('192.168.1.2'),
    nat: 0,
    sameTunnelId: true,
    deletes: 'each' as const,
    quality: PERFECT,
  }))
  const users = houses.map(h => `add user=${h.user} password=${h.password} login=no`).join('\n')
  return {
    ...plan,
    houses,
    nats: [{ kind: 'symmetric', timeout: 120_000 }],
    workers: 3,
    serverBehindNat: false,
    forceEncapsulation: false,
    marathon: false,
    partings: false,
    script: plan.script
      .replace(/^add user=.*$/gm, '')
      .replace('set system name=Gate', `set system name=Gate\n${users}`)
      .replace(/ip=192\.168\.8\.100-[\d.]+/, 'ip=192.168.8.100-192.168.8.149'),
    quiet: true,
    roughMillis: 60_000,
    calmMillis: 60_000,
  }
}

describe('fifty clients behind one NAT with the same inner address and the same tunnel ID', () => {
  it('are all connected at once, each gets its own packets, and all leave nothing behind', () => {
    const simulation = new Simulation(50, { plan: crowd })
    const explored = simulation.run()
    expect(explored.connects).toBe(CROWD)
    expect(explored.refusals + explored.cutOff + explored.redials).toBe(0)
    expect(explored.delivered).toBeGreaterThan(CROWD * 10)
    expect(new Set(simulation.houses.map(h => h.o.address)).size).toBe(1)
  })
})
