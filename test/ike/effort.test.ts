import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Effort } from '../../src/ike/effort.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/windows.ts'
import { Client, events, Gateway } from './gateway.ts'

const FLOOD = ipv4('198.18.7.0')
const HOME = ipv4('203.0.113.7')
/** Milliseconds that an exchange in group 20 counts for. */
const COST = 0.76

/** How many of so many are done at once. */
function ask(effort: Effort, address: number, times: number, now: number, group: 14 | 19 | 20 = 20): number {
  let done = 0
  for (let i = 0; i < times; i++) if (effort.take(address + (i & 255), group, now)) done++
  return done
}

describe('the time for Diffie-Hellman', () => {
  it('serves a whole office behind one NAT at once', () => {
    expect(ask(new Effort(), HOME, 200, 0, 20)).toBe(200)
    expect(ask(new Effort(), HOME, 800, 0, 14)).toBe(800)
  })

  it('leaves room for others, however many one network asks for', () => {
    const effort = new Effort()
    const done = ask(effort, FLOOD, 5000, 0)
    expect(done * COST).toBeGreaterThan(780)
    expect(done * COST).toBeLessThan(930)
    expect(effort.take(HOME, 20, 0)).toBe(true)
    // And one of its own clients that asks again is served after a while, though it goes on.
    let waited = 0
    while (!effort.take(FLOOD + 9, 20, waited)) waited += 1000
    expect(waited).toBeLessThan(10_000)
  })

  it('gives one that floods on and on two fifths of it', () => {
    const effort = new Effort()
    ask(effort, FLOOD, 5000, 0)
    let done = 0
    for (let now = 0; now < 60_000; now += 50) done += ask(effort, FLOOD, 50, now)
    expect((done * COST) / 60_000).toBeGreaterThan(0.15)
    expect((done * COST) / 60_000).toBeLessThan(0.22)
  })

  it('serves a newcomer at once while forty networks flood', () => {
    const effort = new Effort()
    let served = 0
    for (let now = 0; now < 30_000; now += 50) {
      for (let n = 0; n < 40; n++) ask(effort, FLOOD + n * 256, 5, now)
      if (now % 1000 === 0 && effort.take(HOME + now * 256, 20, now)) served++
    }
    expect(served).toBe(30)
  })

  it('keeps some for networks that somebody authenticated from, when all the world asks at once', () => {
    const effort = new Effort()
    effort.commend(HOME, 0)
    for (let n = 0; n < 4000; n++) ask(effort, ipv4('10.0.0.0') + n * 256, 1, 1000)
    expect(effort.take(ipv4('192.0.2.1'), 20, 1000)).toBe(false)
    expect(ask(effort, HOME, 50, 1000)).toBe(50)
    // For a day.
    for (let n = 0; n < 8000; n++) ask(effort, ipv4('10.0.0.0') + n * 256, 1, 86_401_000)
    expect(effort.take(HOME, 20, 86_401_000)).toBe(false)
  })

  it('never gives more than there is, and remembers no more than it may', () => {
    const step = fc.record({ wait: fc.nat(200), network: fc.nat(20), times: fc.nat(100) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const effort = new Effort()
        let now = 0
        let spent = 0
        for (const s of steps) {
          now += s.wait
          spent += COST * ask(effort, FLOOD + s.network * 256, s.times, now)
          expect(spent).toBeLessThanOrEqual(2000 + now * 0.5)
        }
      }),
    )
    const effort = new Effort()
    for (let n = 0; n < 10_000; n++) {
      effort.take(n * 256, 19, n * 10)
      effort.commend(n * 256, n * 10)
    }
    expect([effort['uses'].size, effort['goodNames'].size]).toEqual([4096, 4096])
  })
})

describe('a flood of complete third messages', () => {
  const slow = { ...windows10, offers: [{ cipher: 'aes256', hash: 'sha1', group: 20 }] } as const

  it('from one network keeps no client elsewhere from connecting, and one inside it not for long', () => {
    const gateway = new Gateway({}, { maxHalfOpen: 1000 })
    const mule = new Client(gateway, { ...slow, seed: 'mule', outside: FLOOD })
    const two = mule.must(mule.ike.message1())
    const third = mule.ike.message3(two)
    // What a flood before has left of the network's share.
    const { effort } = gateway.endpoint['mainModes'] as unknown as { effort: Effort }
    ask(effort, FLOOD, 850, gateway.now)
    let served = 0
    for (let i = 0; i < 400; i++) {
      const evil = new Client(gateway, { ...slow, seed: `evil ${i}`, outside: FLOOD + (i & 127) })
      const answer = evil.must(evil.ike.message1())
      // The same public value and nonce for all: cheap for the attacker. Its cookies are its own.
      const message = third.slice()
      message.set(answer.subarray(0, 16))
      if (evil.send(message) !== undefined) served++
    }
    expect(served).toBeGreaterThan(250)
    expect(served).toBeLessThan(300)
    expect(gateway.count('key-exchange-postponed')).toBe(400 - served)
    new Client(gateway, { ...slow, seed: 'honest', outside: HOME }).connect()

    const inside = new Client(gateway, { ...slow, seed: 'inside', outside: FLOOD + 200 })
    const three = inside.ike.message3(inside.must(inside.ike.message1()))
    expect(inside.send(three)).toBeUndefined()
    gateway.pass(4)
    inside.ike.message5(inside.must(three))
  })

  it('by Quick Modes with PFS holds up nobody but those', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...slow, pfsGroup: 20 }).mainMode()
    while (gateway.endpoint['quickModes']['effort'].take(client.outside, 20, gateway.now));
    const one = client.ike.quick1().bytes
    expect(client.send(one)).toBeUndefined()
    expect(gateway.count('key-exchange-postponed')).toBe(1)
    new Client(gateway, { ...slow, seed: 'plain', ports: { 500: 7, 4500: 8 } }).connect()
    gateway.pass(30)
    expect(client.ike.quick3(client.must(one)).pair.suite.cipher).toBe('aes256')
  })

  it('is what a client is told to have fallen victim to', () => {
    const gateway = new Gateway()
    for (let i = 0; i < 2; i++) while (gateway.endpoint['mainModes']['effort'].take(FLOOD + i, 20, gateway.now));
    const client = new Client(gateway, { ...slow, outside: FLOOD })
    const three = client.ike.message3(client.must(client.ike.message1()))
    expect(client.send(three)).toBeUndefined()
    gateway.take()
    const effects = gateway.pass(31)
    expect(events(effects, 'failed')).toMatchObject([
      { cause: 'limit', detail: expect.stringContaining('no time left for its key exchange, 1 times') },
    ])
  })
})
