/** Liveness checks of IKE in the whole gateway: what comes in ESP spares a peer the question. */

import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { iphone } from '../support/unix-profiles.ts'
import { World } from './world.ts'

describe('an iPhone behind a NAT', () => {
  it('is not asked while it answers PPP; when it sleeps it is asked, and soon gone, whether IKE or L2TP finds out first', () => {
    const world = new World()
    const guest = world.guest({
      profile: iphone,
      user: 'anna',
      password: 'apples',
      address: ipv4('10.1.0.11'),
      outer: ipv4('203.0.113.101'),
      ports: { 500: 31_001, 4500: 31_002 },
    })
    world.connect(guest)
    const counters = () => world.control.ike.snapshot().counters
    expect(world.control.sessions.all.size).toBe(1)
    for (let minute = 0; minute < 20; minute++) world.advance(60_000)
    expect(world.control.sessions.all.size).toBe(1)
    expect(counters()['dpd-asked'] ?? 0).toBe(0)
    guest.pass = () => false
    world.advance(140_000)
    expect(counters()['dpd-asked']).toBeGreaterThan(0)
    expect(world.control.peers.all.size).toBe(0)
    expect(world.control.sessions.all.size).toBe(0)
  })
})
