import { describe, expect, it } from 'vitest'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { type Guest, type GuestOptions, LAN_HOST, OFFICE, ping, World } from './world.ts'

const NAT = ipv4('203.0.113.101')

/** One that says nothing of INITIAL-CONTACT, behind a NAT. */
const anna: GuestOptions = {
  profile: { ...windowsXp, ike: { ...windowsXp.ike, lastVendorIds: [] } },
  user: 'anna',
  password: 'apples',
  address: ipv4('10.1.0.11'),
  outer: NAT,
  ports: { 500: 31_001, 4500: 31_002 },
}
const ben: GuestOptions = {
  ...anna,
  user: 'ben',
  password: 'bananas',
  address: ipv4('10.1.0.12'),
  ports: { 500: 32_001, 4500: 32_002 },
}

/** The power goes: nothing of it goes out or comes in any more. */
function crash(w: World, guest: Guest): void {
  guest.pass = () => false
  w.guests.splice(w.guests.indexOf(guest), 1)
}

function pingsThrough(w: World, guest: Guest): void {
  const before = w.toLan.length
  w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
  expect(w.toLan.length).toBe(before + 1)
  w.fromLan(ping(LAN_HOST, guest.client.address, true))
  expect(guest.received.length).toBeGreaterThan(0)
}

/** What there is of one client that is up: one of each. */
function oneOfEach(w: World, guests = 1): void {
  const { sas, children } = w.control.ike.snapshot()
  const tunnels = w.control.l2tp.snapshot().tunnels.filter(t => t.state !== 'closed')
  const counts = [w.control.sessions.all.size, tunnels.length, w.routes.size, sas.length, children.length]
  expect(counts).toEqual([guests, guests, guests, guests, guests])
  const inbound = w.workers.flatMap(({ engine }) => (engine instanceof ReferenceEngine ? [...engine['inbound']] : []))
  expect(inbound).toHaveLength(guests)
  expect(w.control.bugs).toBe(0)
}

describe('a client that lost its power and dials again', () => {
  it.each([
    ['from the same port, with its first tunnel anew', {}],
    ['from the same port, having counted its tunnels on', { tunnelId: 2 }],
  ])('%s: has its place and its address at once, and nothing lingers', (_, change) => {
    const w = new World()
    const neighbour = w.guest(ben)
    const first = w.guest(anna)
    w.connect(neighbour)
    w.connect(first)
    const { innerAddress } = first
    crash(w, first)
    w.advance(3000)
    const again = w.guest({ ...anna, ...change, life: 2 })
    w.connect(again)
    expect(again.innerAddress).toBe(innerAddress)
    oneOfEach(w, 2)
    pingsThrough(w, again)
    pingsThrough(w, neighbour)
    expect(w.attempts.map(a => a.outcome)).toEqual(['connected', 'ended', 'connected'])
    expect(w.attempts[1]!.text).toMatch(/ended: the client started anew$/)
    w.advance(600_000)
    expect([again.client.phase, neighbour.client.phase]).toEqual(['up', 'up'])
    pingsThrough(w, neighbour)
  })

  it('from where a rebinding NAT had moved it to', () => {
    const w = new World()
    const first = w.guest(anna)
    w.connect(first)
    const ports = { 500: 41_001, 4500: 41_002 }
    Object.assign(first.o, { ports })
    pingsThrough(w, first)
    crash(w, first)
    const again = w.guest({ ...anna, ports, tunnelId: 2, life: 2 })
    w.connect(again)
    expect(again.innerAddress).toBe('192.168.8.100')
    oneOfEach(w)
    pingsThrough(w, again)
  })

  it('from a new port of its NAT: as soon as its password is known, even where the pool was full', () => {
    const script = OFFICE.replace('192.168.8.100-192.168.8.101', '192.168.8.100-192.168.8.100')
    const w = new World({ script })
    const first = w.guest(anna)
    w.connect(first)
    crash(w, first)
    const again = w.guest({ ...anna, ports: { 500: 51_001, 4500: 51_002 }, tunnelId: 9, life: 2 })
    w.connect(again)
    expect(again.innerAddress).toBe('192.168.8.100')
    oneOfEach(w)
    pingsThrough(w, again)
    expect(w.log.some(l => l.includes('the client came back'))).toBe(true)
    expect(w.attempts.map(a => a.outcome)).toEqual(['ended', 'connected'])
  })
})

describe('a client whose IKE lived on while its L2TP was started anew', () => {
  it('dials over a new pair under the ISAKMP SA that it has: the old pair and tunnel go, that SA stays', () => {
    const w = new World()
    const first = w.guest(anna)
    w.connect(first)
    const [before] = w.control.ike.snapshot().children
    crash(w, first)
    const again = w.guest({ ...anna, tunnelId: 2 })
    const { ike } = first.client
    const handle = ike.handle.bind(ike)
    Object.assign(again.client, { ike })
    Object.assign(ike, {
      handle: (...[input, now, effects]: Parameters<typeof handle>) =>
        handle(input.kind === 'start' ? { kind: 'quickMode' } : input, now, effects),
    })
    w.connect(again)
    expect(again.innerAddress).toBe('192.168.8.100')
    oneOfEach(w)
    expect(w.control.ike.snapshot().counters['phase1-completed']).toBe(1)
    expect(w.control.ike.snapshot().children[0]!.inboundSpi).not.toBe(before!.inboundSpi)
    pingsThrough(w, again)
    expect(w.attempts.map(a => a.outcome)).toEqual(['ended', 'connected'])
  })
})

describe('who is somebody else', () => {
  const full = OFFICE.replace('192.168.8.100-192.168.8.101', '192.168.8.100-192.168.8.103')

  it.each<[string, Partial<GuestOptions>]>([
    ['a second computer of the same user behind the same NAT', { address: ipv4('10.1.0.13') }],
    ['one with the same names behind another NAT', { outer: ipv4('203.0.113.102') }],
    ['one with the same names and another user', { user: 'ben', password: 'bananas' }],
  ])('%s has an address of its own, and the first one goes on', (_, change) => {
    const w = new World({ script: full })
    const profile = { ...windows10, ike: { ...windows10.ike, lastVendorIds: [] } }
    const first = w.guest({ ...anna, profile })
    w.connect(first)
    const other = w.guest({ ...anna, profile, ports: { 500: 52_001, 4500: 52_002 }, life: 2, ...change })
    w.connect(other)
    expect([first.innerAddress, other.innerAddress]).toEqual(['192.168.8.100', '192.168.8.101'])
    w.advance(60_000)
    expect(first.client.phase).toBe('up')
    pingsThrough(w, first)
    pingsThrough(w, other)
    oneOfEach(w, 2)
  })

  it('one that only renews its SAs, and one that renews them twice, loses nothing', () => {
    const w = new World()
    const guest = w.guest(anna)
    w.connect(guest)
    for (let i = 0; i < 2; i++) {
      w.act(guest, { kind: 'rekey' })
      pingsThrough(w, guest)
      w.advance(120_000)
      pingsThrough(w, guest)
    }
    oneOfEach(w)
    expect(w.attempts).toMatchObject([{ outcome: 'connected' }])
  })
})

describe('a client that renews its phase 1 from a new mapping of its NAT', () => {
  const renewed = (w: World, guest: Guest, ports: { 500: number; 4500: number }) => {
    Object.assign(guest.o.ports!, { 500: 31_003, 4500: 31_004 })
    w.act(guest, { kind: 'renewPhase1' })
    Object.assign(guest.o.ports!, ports)
  }

  it('is one peer as soon as its own packets come from there: what it negotiates then carries its tunnel', () => {
    const w = new World()
    const guest = w.guest({ ...anna, ports: { ...anna.ports! } })
    w.connect(guest)
    renewed(w, guest, { 500: 31_003, 4500: 31_004 })
    pingsThrough(w, guest)
    expect(w.control.ike.snapshot().sas).toHaveLength(1)
    for (let i = 0; i < 2; i++) {
      w.act(guest, { kind: 'rekey' })
      pingsThrough(w, guest)
      w.advance(120_000)
      pingsThrough(w, guest)
    }
    oneOfEach(w)
    expect(w.attempts).toMatchObject([{ outcome: 'connected' }])
  })
})
