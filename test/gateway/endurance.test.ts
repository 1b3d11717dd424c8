import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { type GuestOptions, World } from './world.ts'

const NAT = ipv4('203.0.113.101')

/** The `n`th client: all behind one NAT, alternately of two generations. */
function client(n: number): GuestOptions {
  return {
    profile: n % 2 === 0 ? windowsXp : windows10,
    user: ['anna', 'ben', 'carl'][n % 3]!,
    password: ['apples', 'bananas', 'cherries'][n % 3]!,
    address: (ipv4('10.1.0.10') + n) >>> 0,
    outer: NAT,
    ports: { 500: 20_000 + n, 4500: 40_000 + n },
  }
}

describe('whatever clients do, and whatever is lost', () => {
  it('control has no bug, holds no address twice, and in the end nothing is left', () => {
    const deed = fc.record({
      client: fc.nat(3),
      what: fc.constantFrom('start', 'disconnect', 'rekey', 'vanish', 'restart', 'reset'),
      wait: fc.integer({ min: 0, max: 30_000 }),
    })
    const life = fc.record({
      seed: fc.integer({ min: 1, max: 0xffff }),
      loss: fc.integer({ min: 0, max: 25 }),
      deeds: fc.array(deed, { minLength: 1, maxLength: 10 }),
    })
    fc.assert(
      fc.property(life, ({ seed, loss, deeds }) => {
        const w = new World()
        let state = seed
        const arrives = () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
          return (state >>> 16) % 100 >= loss
        }
        let nextPort = 0
        const enter = (n: number) => {
          const o = client(n)
          const ports = { 500: o.ports![500] + ++nextPort * 16, 4500: o.ports![4500] + nextPort * 16 }
          const guest = w.guest({ ...o, ports })
          guest.pass = arrives
          return guest
        }
        const here = [0, 1, 2, 3].map(enter)
        for (const d of deeds) {
          const guest = here[d.client]!
          if (d.what === 'vanish') guest.pass = () => false
          else if (d.what === 'restart') {
            guest.pass = () => false
            here[d.client] = enter(d.client)
            w.act(here[d.client]!, { kind: 'start' })
          } else if (d.what === 'reset') w.control.closeSession(d.client + 1, 'reset by the test')
          else w.act(guest, { kind: d.what })
          w.advance(d.wait)
          const sessions = [...w.control.sessions.all.values()]
          const addresses = sessions.flatMap(s => (s.admission?.kind === 'accepted' ? [s.admission.address] : []))
          expect(new Set(addresses).size).toBe(addresses.length)
          expect(w.routes.size).toBeLessThanOrEqual(addresses.length)
          // A route is there a little earlier.
          expect(w.steering.size).toBe(sessions.filter(s => s.networkUp).length)
          for (const address of w.steering.keys()) expect(w.routes.has(address)).toBe(true)
        }
        for (const guest of w.guests) guest.pass = () => false
        // Sessions fall by their echoes, peers by the lifetimes of their SAs.
        w.advance(10 * 60_000)
        expect(w.control.sessions.all.size).toBe(0)
        expect(w.routes.size).toBe(0)
        expect(w.steering.size).toBe(0)
        for (const pool of w.control.residents.poolStates()) expect(pool.used).toEqual([])
        expect(w.attempts.filter(a => a.outcome === 'trying' || a.outcome === 'connected')).toEqual([])
        w.control.shutdown()
        expect(w.control.peers.all.size).toBe(0)
        for (const { forwarder } of w.workers) expect(forwarder.firewall.sessions.count).toBe(0)
        expect(w.control.bugs).toBe(0)
        expect(w.clock.waiting).toBe(0)
      }),
      { numRuns: 25 },
    )
  })
})
