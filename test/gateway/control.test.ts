import { describe, expect, it } from 'vitest'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { formatIpv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { DropReason, dropReasonNames } from '../../src/packet/verdict.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { type GuestOptions, LAN_HOST, OFFICE, ping, SERVER, World } from './world.ts'

const NAT = ipv4('203.0.113.101')

/** Windows XP at home behind a NAT. */
const xpAtHome: GuestOptions = {
  profile: windowsXp,
  user: 'anna',
  password: 'apples',
  address: ipv4('10.1.0.11'),
  outer: NAT,
  ports: { 500: 31_001, 4500: 31_002 },
}

/** Another one behind the same NAT, with the same private habits. */
const xpNextDoor: GuestOptions = {
  ...xpAtHome,
  user: 'ben',
  password: 'bananas',
  address: ipv4('10.1.0.12'),
  ports: { 500: 32_001, 4500: 32_002 },
}

function nothingIsLeft(w: World): void {
  expect(w.control.sessions.all.size).toBe(0)
  expect(w.control.peers.all.size).toBe(0)
  expect(w.control.ike.snapshot().sas).toEqual([])
  expect(w.control.l2tp.snapshot().tunnels).toEqual([])
  expect(w.routes.size).toBe(0)
  expect(w.steering.size).toBe(0)
  for (const pool of w.control.residents.poolStates()) expect(pool.used).toEqual([])
  for (const { forwarder: worker } of w.workers) {
    expect(worker.firewall.sessions.count).toBe(0)
    expect(worker.l2tp.peer.every(p => p === 0)).toBe(true)
    expect(worker.ppp.flags.every(f => f === 0)).toBe(true)
  }
  expect(w.control.bugs).toBe(0)
}

/** A ping to the LAN and its answer. */
function pingsThrough(w: World, guest: ReturnType<World['guest']>): void {
  const { address } = guest.client
  const before = { lan: w.toLan.length, guest: guest.received.length }
  w.act(guest, { kind: 'ipPacket', bytes: ping(address, LAN_HOST) })
  expect(w.toLan.length).toBe(before.lan + 1)
  const request = w.toLan.at(-1)!
  expect([formatIpv4(readIpv4(request, 12)), formatIpv4(readIpv4(request, 16))]).toEqual([
    formatIpv4(address),
    '192.168.8.10',
  ])
  w.fromLan(ping(LAN_HOST, address, true))
  expect(guest.received.length).toBe(before.guest + 1)
  expect(readIpv4(guest.received.at(-1)!, 12)).toBe(LAN_HOST)
}

describe('a Windows XP behind a NAT', () => {
  it('connects, pings the LAN, and hangs up: each row comes and goes in its order', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    expect(anna.client.phase).toBe('up')
    expect(anna.innerAddress).toBe('192.168.8.100')
    expect(anna.events.find(e => e.kind === 'networkUp')).toMatchObject({
      serverAddress: ipv4('192.168.8.1'),
      dns: [ipv4('192.168.8.2')],
    })
    expect(w.take()).toEqual([
      'send Main Mode from 500',
      'send Main Mode from 500',
      'send Main Mode from 4500',
      // The inbound SA is there before the message that lets the client use it.
      'setPath peer 1 port 31002',
      'installInbound peer 1 3des-sha1',
      'send Quick Mode from 4500',
      'installOutbound peer 1 3des-sha1',
      'installSession 1 of peer 1',
      // On its way before IPCP is done: the client's first packet may be answered at once.
      `route 192.168.8.100 mtu ${w.routes.get(ipv4('192.168.8.100'))!.mtu} proxy lan0`,
      'steer 192.168.8.100 to worker 1',
      'networkUp 1 on worker 0: 192.168.8.100 of peer 0',
      'networkUp 1 on worker 1: 192.168.8.100 of peer 1',
    ])
    expect(w.attempts).toMatchObject([
      { outcome: 'connected', user: 'anna', text: 'connected as 192.168.8.100', remote: '203.0.113.101:31002' },
    ])
    expect(w.attempts[0]!.client).toContain('XP')

    pingsThrough(w, anna)
    pingsThrough(w, anna)
    expect(w.stats.totals()).toMatchObject({ dropPolicy: 0, dropSpoofed: 0, dropBadIcv: 0 })

    w.take()
    w.act(anna, { kind: 'disconnect' })
    w.advance(5000)
    expect(anna.down).toMatchObject({ failed: undefined })
    expect(w.take().filter(d => !d.startsWith('send'))).toEqual([
      'unroute 192.168.8.100',
      'steer 192.168.8.100 to nobody',
      'networkDown 1 on worker 0',
      'networkDown 1 on worker 1',
      'removeSession 1 on worker 0',
      'removeSession 1 on worker 1',
      'removeSa peer 1',
      'removePeer peer 1',
    ])
    nothingIsLeft(w)
    expect(w.attempts).toMatchObject([{ outcome: 'ended' }])
    expect(w.attempts[0]!.text).toMatch(/^connected as 192\.168\.8\.100; ended: /)
    w.advance(600_000)
    nothingIsLeft(w)
    expect(w.attempts.length).toBe(1)
  })

  it('gets its address again when it comes back', () => {
    const w = new World()
    const first = w.guest(xpAtHome)
    const other = w.guest(xpNextDoor)
    w.connect(first)
    w.connect(other)
    w.act(first, { kind: 'disconnect' })
    w.advance(5000)
    w.guests.shift()
    const again = w.guest({ ...xpAtHome, ports: { 500: 33_001, 4500: 33_002 } })
    w.connect(again)
    expect(again.innerAddress).toBe('192.168.8.100')
    expect(w.attempts.map(a => a.outcome)).toEqual(['ended', 'connected', 'connected'])
  })

  it('connects over a path that loses every fifth packet', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    let count = 0
    anna.pass = () => ++count % 5 !== 0
    w.connect(anna, 60_000)
    expect(anna.client.phase).toBe('up')
    anna.pass = () => true
    // The client's last word may have been lost: the gateway asks again.
    w.advance(5000)
    pingsThrough(w, anna)
    w.act(anna, { kind: 'disconnect' })
    w.advance(60_000)
    nothingIsLeft(w)
    expect(w.attempts.map(a => a.outcome)).toEqual(['ended'])
  })
})

describe('other clients', () => {
  it('two behind one NAT are served at once, and hang up each for itself', () => {
    const w = new World()
    const [anna, ben] = [w.guest(xpAtHome), w.guest(xpNextDoor)]
    w.connect(anna)
    w.connect(ben)
    expect([anna.innerAddress, ben.innerAddress]).toEqual(['192.168.8.100', '192.168.8.101'])
    pingsThrough(w, anna)
    pingsThrough(w, ben)
    w.act(anna, { kind: 'disconnect' })
    w.advance(5000)
    expect(ben.client.phase).toBe('up')
    pingsThrough(w, ben)
    expect(w.control.sessions.all.size).toBe(1)
    w.act(ben, { kind: 'disconnect' })
    w.advance(5000)
    nothingIsLeft(w)
  })

  it('without a NAT use ESP without UDP', () => {
    const w = new World()
    const anna = w.guest({
      ...xpAtHome,
      address: ipv4('198.51.100.7'),
      outer: ipv4('198.51.100.7'),
      ports: { 500: 500, 4500: 4500 },
    })
    w.connect(anna)
    expect(anna.client.phase).toBe('up')
    expect(w.take()).toContain('setPath peer 1 port 0')
    pingsThrough(w, anna)
    w.act(anna, { kind: 'disconnect' })
    w.advance(5000)
    nothingIsLeft(w)
  })

  it('of the kind of Windows 10 get the better suite', () => {
    const w = new World()
    const carl = w.guest({ ...xpAtHome, profile: windows10, user: 'carl', password: 'cherries' })
    w.connect(carl)
    expect(carl.innerAddress).toBe('192.168.8.50')
    expect(w.take()).toContain('installInbound peer 1 aes256-sha1')
    pingsThrough(w, carl)
    w.act(carl, { kind: 'disconnect' })
    w.advance(5000)
    nothingIsLeft(w)
  })
})

describe('what goes wrong', () => {
  it('a wrong pre-shared key: the attempt says so, and nothing is made', () => {
    const w = new World()
    const eve = w.guest({ ...xpAtHome, presharedKey: 'guessed' })
    w.connect(eve, 60_000)
    expect(eve.down).toMatchObject({ failed: 'IKE' })
    expect(w.attempts.length).toBe(1)
    expect(w.attempts[0]).toMatchObject({ outcome: 'failed' })
    expect(w.attempts[0]!.text).toMatch(/pre-shared key/i)
    expect(w.take().filter(d => !d.startsWith('send'))).toEqual([])
    nothingIsLeft(w)
  })

  it.each([
    ['a wrong password', { password: 'oranges' }, 'wrong password for user "anna"'],
    ['an unknown user', { user: 'zoe' }, 'unknown user "zoe"'],
  ])('%s: refused, and everything is taken down', (_, change, text) => {
    const w = new World()
    const guest = w.guest({ ...xpAtHome, ...change })
    w.connect(guest, 60_000)
    expect(guest.down).toMatchObject({ failed: 'authentication' })
    expect(w.attempts).toMatchObject([{ outcome: 'failed', text }])
    expect(w.attempts[0]!.remedy).not.toBe('')
    expect(w.take().some(d => d.startsWith('networkUp') || d.startsWith('route'))).toBe(false)
    w.advance(60_000)
    nothingIsLeft(w)
    expect(w.attempts.length).toBe(1)
  })

  it('a pool without addresses left: refused with the remedy, the others go on', () => {
    const w = new World({ script: OFFICE.replace('192.168.8.100-192.168.8.101', '192.168.8.100-192.168.8.100') })
    const [anna, ben] = [w.guest(xpAtHome), w.guest(xpNextDoor)]
    w.connect(anna)
    w.connect(ben, 60_000)
    expect(ben.down).toBeDefined()
    expect(w.attempts[1]).toMatchObject({ outcome: 'failed', text: 'no inner address is left for user "ben"' })
    pingsThrough(w, anna)
    expect(w.control.sessions.all.size).toBe(1)
  })

  it('a client that vanishes: in the end nothing of it is left', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    anna.pass = () => false
    w.advance(4 * 3600_000)
    nothingIsLeft(w)
    expect(w.attempts).toMatchObject([{ outcome: 'ended' }])
  })

  it('a client that vanishes and comes back has its address at once', () => {
    const w = new World()
    const ghost = w.guest({ ...xpAtHome, user: 'carl', password: 'cherries' })
    w.connect(ghost)
    ghost.pass = () => false
    w.advance(3000)
    w.guests.shift()
    const carl = w.guest({ ...xpAtHome, user: 'carl', password: 'cherries', ports: { 500: 34_001, 4500: 34_002 } })
    w.connect(carl)
    expect(carl.innerAddress).toBe('192.168.8.50')
    expect(w.control.sessions.all.size).toBe(1)
    pingsThrough(w, carl)
    expect(w.attempts.map(a => a.outcome)).toEqual(['ended', 'connected'])
  })

  it('a packet from an address that was not assigned is dropped and counted', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    w.act(anna, { kind: 'ipPacket', bytes: ping(LAN_HOST, LAN_HOST) })
    expect(w.toLan).toEqual([])
    expect(w.stats.totals()[`drop${dropReasonNames[DropReason.Spoofed]}`]).toBe(1)
  })

  it('garbage on either port leaves no trace but a count', () => {
    const w = new World()
    const remote = { address: NAT, port: 500 }
    for (let n = 0; n < 200; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n * 11) & 255)
      w.control.datagram({ address: ipv4('203.0.113.1'), port: n % 2 ? 500 : 4500 }, remote, bytes)
    }
    w.advance(100_000)
    nothingIsLeft(w)
    expect(w.attempts).toEqual([])
  })
})

describe('control', () => {
  it('rekeys without a new attempt and without losing a packet', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    w.take()
    w.act(anna, { kind: 'rekey' })
    expect(w.take()).toEqual([
      'setPath peer 1 port 31002',
      'installInbound peer 1 3des-sha1',
      'send Quick Mode from 4500',
      'installOutbound peer 1 3des-sha1',
    ])
    pingsThrough(w, anna)
    w.advance(30_000)
    expect(w.take()).toContain('removeSa peer 1')
    pingsThrough(w, anna)
    expect(w.attempts).toMatchObject([{ outcome: 'connected' }])
  })

  it('follows a client whose NAT gave it another port', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    w.take()
    Object.assign(anna.o, { ports: { 500: 41_001, 4500: 41_002 } })
    w.act(anna, { kind: 'ipPacket', bytes: ping(anna.client.address, LAN_HOST) })
    expect(w.take()).toContain('setPath peer 1 port 41002')
    pingsThrough(w, anna)
    expect(w.log.some(l => l.includes('Peer moved to 203.0.113.101:41002'))).toBe(true)
  })

  it('answers from its new address when its own has changed behind the NAT in front of it', () => {
    const w = new World({ workers: 1, local: ipv4('10.0.0.2'), publicAddress: SERVER })
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    const moved = ipv4('10.0.0.3')
    Object.assign(w.gateway['around'], { local: moved })
    Object.assign(w.workers[0]!, { local: moved })
    pingsThrough(w, anna)
    const { engine } = w.workers[0]!
    if (!(engine instanceof ReferenceEngine)) throw new TypeError('the reference engine has rows to look at')
    expect(formatIpv4(engine['peers'].get(1)!.path!.local)).toBe('10.0.0.3')
    expect(w.control.ike['peers'].byId.get(1)!.place.local.address).toBe(moved)
    expect(w.log.some(l => l.includes('Peer moved'))).toBe(false)
  })

  it('counts what PPP heard and said, and goes on counting when a session is over', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    const during = w.control.sessions.pppCounters()
    expect(during['framesIn']).toBeGreaterThan(3)
    expect(during['malformed']).toBe(0)
    w.act(anna, { kind: 'disconnect' })
    expect(w.control.sessions.all.size).toBe(0)
    expect(w.control.sessions.pppCounters()['framesIn']).toBeGreaterThanOrEqual(during['framesIn']!)
  })

  it('follows one that moves with every packet, but does not fill the log with it', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    for (let i = 0; i < 20; i++) {
      Object.assign(anna.o, { ports: { 500: 41_001, 4500: 41_100 + i } })
      w.act(anna, { kind: 'ipPacket', bytes: ping(anna.client.address, LAN_HOST) })
    }
    expect(w.take()).toContain('setPath peer 1 port 41119')
    expect(w.log.filter(l => l.includes('Peer moved'))).toHaveLength(1)
    w.advance(11_000)
    Object.assign(anna.o, { ports: { 500: 41_001, 4500: 41_200 } })
    w.act(anna, { kind: 'ipPacket', bytes: ping(anna.client.address, LAN_HOST) })
    expect(w.log.filter(l => l.includes('Peer moved'))).toHaveLength(2)
  })

  it('ends one session on demand and lets the others be', () => {
    const w = new World()
    const [anna, ben] = [w.guest(xpAtHome), w.guest(xpNextDoor)]
    w.connect(anna)
    w.connect(ben)
    expect(w.control.closeSession(1, 'reset by uid 0')).toBe(true)
    w.advance(10_000)
    expect(anna.down).toBeDefined()
    expect(ben.client.phase).toBe('up')
    expect(w.control.closeSession(1, 'again')).toBe(false)
    expect(w.attempts[0]!.text).toContain('reset by uid 0')
    pingsThrough(w, ben)
  })

  it('says good-bye to everybody when it ends', () => {
    const w = new World()
    const [anna, ben] = [w.guest(xpAtHome), w.guest(xpNextDoor)]
    w.connect(anna)
    w.connect(ben)
    w.control.shutdown()
    w.advance(0)
    for (const guest of [anna, ben]) expect(guest.client.phase).not.toBe('up')
    expect(w.control.sessions.all.size).toBe(0)
    expect(w.control.peers.all.size).toBe(0)
    expect(w.routes.size).toBe(0)
    expect(w.clock.waiting).toBe(0)
    expect(w.control.bugs).toBe(0)
  })

  it('takes another configuration into use under live sessions', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    w.take()
    const users = w.control.configuration.users.filter(u => u.name !== 'ben')
    w.control.configure({ ...w.control.configuration, users })
    expect(w.take()).toEqual(['setRuleset on worker 0', 'setRuleset on worker 1'])
    pingsThrough(w, anna)
    const ben = w.guest(xpNextDoor)
    w.connect(ben, 60_000)
    expect(w.attempts[1]).toMatchObject({ outcome: 'failed', text: 'unknown user "ben"' })
  })

  it('counts what a worker calls a bug and tells it', () => {
    const w = new World()
    w.control.fromWorker(1, { kind: 'bug', text: 'no such row' })
    expect(w.control.bugs).toBe(1)
    expect(w.log.at(-1)).toContain('Bug in worker 1: no such row')
  })

  it('writes no secret into the log', () => {
    const w = new World()
    const anna = w.guest(xpAtHome)
    w.connect(anna)
    w.act(anna, { kind: 'disconnect' })
    w.connect(w.guest({ ...xpNextDoor, password: 'oranges' }), 60_000)
    expect(w.log.length).toBeGreaterThan(10)
    for (const word of ['roam-free-2005', 'apples', 'bananas', 'oranges']) {
      expect(
        w.log.some(line => line.includes(word)),
        word,
      ).toBe(false)
    }
  })
})
