import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { type Guest, type GuestOptions, LAN_HOST, ping, World } from './world.ts'

const behindNat: GuestOptions = {
  profile: windows10,
  user: 'anna',
  password: 'apples',
  address: ipv4('10.1.0.11'),
  outer: ipv4('203.0.113.101'),
  ports: { 500: 31_001, 4500: 31_002 },
}
const neighbour: GuestOptions = {
  ...behindNat,
  user: 'ben',
  password: 'bananas',
  address: ipv4('10.1.0.12'),
  ports: { 500: 32_001, 4500: 32_002 },
}
const open: GuestOptions = {
  profile: windowsXp,
  user: 'ben',
  password: 'bananas',
  address: ipv4('198.51.100.10'),
}

/** We end its pair, and the DELETE is lost. */
function forget(w: World, guest: Guest): void {
  const [child] = w.control.ike.snapshot().children.filter(c => c.peer === peerOf(w, guest))
  guest.pass = direction => direction === 'up'
  w.control.engineEvents.take({ kind: 'hard', peer: child!.peer, spi: child!.inboundSpi, inbound: true })
  guest.pass = () => true
}

function peerOf(w: World, guest: Guest): number {
  for (const s of w.control.sessions.all.values())
    if (s.admission?.kind === 'accepted' && s.admission.user === guest.o.user) return s.ids.peer
  throw new Error(`${guest.o.user} is not connected`)
}

const disowned = (w: World) => w.control.ike.snapshot().counters['stray-esp-disowned'] ?? 0

describe('a client that goes on with SAs that are no more', () => {
  it.each([
    ['behind a NAT', behindNat, neighbour],
    ['in native ESP', open, behindNat],
  ])('%s is told so at its first packet, and its neighbour is not', (_, o, other) => {
    const w = new World()
    const guest = w.guest(o)
    const bystander = w.guest(other)
    w.connect(guest)
    w.connect(bystander)
    forget(w, guest)
    expect(guest.client.phase).toBe('up')
    w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    expect(guest.down?.kind === 'down' && guest.down.reason).toBe('the server deleted the security associations')
    expect(disowned(w)).toBe(1)
    w.act(bystander, { kind: 'ipPacket', bytes: ping(bystander.client.address, LAN_HOST) })
    expect(bystander.client.phase).toBe('up')
    expect(w.toLan).toHaveLength(1)
  })

  it('is told twice at once and then every five seconds, however much it sends', () => {
    const w = new World()
    const guest = w.guest(behindNat)
    w.connect(guest)
    forget(w, guest)
    guest.pass = direction => direction === 'up'
    const send = (times: number) => {
      for (let i = 0; i < times; i++) w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    }
    send(30)
    expect(disowned(w)).toBe(2)
    w.advance(1000)
    send(30)
    expect(disowned(w)).toBe(2)
    w.advance(4000)
    send(30)
    expect(disowned(w)).toBe(3)
  })

  it('is never answered where it has no ISAKMP SA, nor from another place, nor under an SPI that is ours', () => {
    const w = new World()
    const guest = w.guest(behindNat)
    w.connect(guest)
    const [child] = w.control.ike.snapshot().children
    const met = (spi: number, address: string, port: number) =>
      w.control.engineEvents.take({
        kind: 'stray',
        spi,
        local: ipv4('203.0.113.1'),
        remote: ipv4(address),
        port,
      })
    met(0x12345678, '203.0.113.101', 31_003)
    met(0x12345678, '203.0.113.102', 31_002)
    met(0x12345678, '203.0.113.101', 0)
    met(child!.inboundSpi, '203.0.113.101', 31_002)
    expect(w.control.ike.snapshot().counters['stray-esp']).toBe(4)
    expect(disowned(w)).toBe(0)
    // A forged one, from where it is: it only hears of an SPI that it never had.
    met(0x12345678, '203.0.113.101', 31_002)
    expect(disowned(w)).toBe(1)
    expect(guest.client.phase).toBe('up')
    w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    expect(w.toLan).toHaveLength(1)
  })
})
