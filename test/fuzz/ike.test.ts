import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { baseConfig, Client, events, NAT, of } from '../ike/gateway.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { Storm } from './ike-storm.ts'
import { FUZZ_TIMEOUT, forSeeds, join, Rng } from './random.ts'

const fast = { ...windows10, offers: [{ cipher: 'aes256', hash: 'sha1', group: 19 }] } as const

describe('IKE under hostile datagrams', () => {
  it('serves a genuine client in the middle of a storm, and holds little of what the storm brought', {
    timeout: FUZZ_TIMEOUT,
  }, () => {
    forSeeds(40, seed => {
      const rng = new Rng(seed)
      const storm = new Storm().arm(rng)
      const strike = (n: number) => {
        for (let i = 0; i < n; i++) storm.strike()
      }
      // What the attacker has seen on the wire before.
      new Client(storm, { ...fast, seed: `bait ${seed}`, outside: ipv4('203.0.113.99') }).connect()
      const honest = new Client(storm, { ...(seed % 8 === 0 ? windowsXp : fast), seed: `honest ${seed}` })
      strike(60)
      const two = honest.must(honest.ike.message1())
      strike(60)
      const four = honest.must(honest.ike.message3(two))
      strike(40)
      honest.ike.finish(honest.must(honest.ike.message5(four)))
      strike(60)
      const quick2 = honest.must(honest.ike.quick1().bytes)
      strike(40)
      storm.take()
      honest.send(honest.ike.quick3(quick2).bytes)
      expect(of(storm.take(), 'installOutbound').map(e => e.sa.remote.address)).toEqual([NAT])
      strike(60)

      expect(storm.halfOpen).toBeLessThanOrEqual(2 * baseConfig.maxHalfOpen)
      expect(storm.amplification()).toBeLessThan(2)
      expect(storm.quiet(storm.pass(120))).toBe(true)
      expect(storm.halfOpen).toBe(0)
      expect(of(storm.effects, 'peerMoved')).toEqual([])
      const { sas, children, counters } = storm.endpoint.snapshot()
      expect([sas.length, children.length]).toEqual([2, 2])
      // Every datagram has left a trace in the counters.
      expect(counters['received']).toBeGreaterThan(300)
      expect(counters['short-datagram']).toBeGreaterThan(0)
    })
  })

  it('a message cut at every byte, with an honest length or a false one, changes nothing', {
    timeout: FUZZ_TIMEOUT,
  }, () => {
    const storm = new Storm()
    const honest = new Client(storm, fast)
    const cut = (bytes: Uint8Array, port: number, alsoWhole: boolean) => {
      for (let length = 0; length < bytes.length; length++) {
        const part = bytes.slice(0, length)
        storm.datagram(honest.remote, port, part)
        if (length < 28 || !alsoWhole) continue
        new DataView(part.buffer).setUint32(24, length)
        storm.datagram(honest.remote, port, part)
      }
      for (const tail of [1, 8, 16]) storm.datagram(honest.remote, port, join(bytes, new Uint8Array(tail)))
    }
    const one = honest.ike.message1()
    // A first message under the same cookie that is whole is an exchange: under another one.
    cut(join(Uint8Array.of(0xaa), one.slice(1)), 500, true)
    const three = honest.ike.message3(honest.must(one))
    cut(three, 500, true)
    const five = honest.ike.message5(honest.must(three))
    cut(five, 4500, false)
    honest.ike.finish(honest.must(five))
    const quick1 = honest.ike.quick1().bytes
    cut(quick1, 4500, true)
    const quick3 = honest.ike.quick3(honest.must(quick1)).bytes
    cut(quick3, 4500, true)
    storm.take()
    honest.send(quick3)
    expect(of(storm.take(), 'installOutbound')).toHaveLength(1)
    const bye = honest.ike.deleteIsakmp()
    cut(bye, 4500, true)
    expect(storm.endpoint.snapshot().sas).toHaveLength(1)
    honest.send(bye)
    expect(storm.endpoint.snapshot().sas).toHaveLength(0)
    expect(storm.endpoint.snapshot().children).toHaveLength(1)
  })

  it('every length and type field of the clear messages may lie', { timeout: FUZZ_TIMEOUT }, () => {
    const storm = new Storm()
    const honest = new Client(storm, fast)
    const lie = (bytes: Uint8Array) => {
      for (let at = 16; at < bytes.length; at++) {
        for (const value of [0, 1, 3, 4, 0x7f, 0x80, 0xff]) {
          const false1 = bytes.slice()
          false1[at] = value
          if (at % 2 === 0) storm.datagram(honest.remote, 500, false1)
          else storm.datagram({ address: ipv4('203.0.113.66'), port: 500 }, 500, false1)
        }
      }
    }
    const one = honest.ike.message1()
    lie(join(Uint8Array.of(0xbb), one.slice(1)))
    const three = honest.ike.message3(honest.must(one))
    lie(three.slice(0, 48))
    honest.ike.finish(honest.must(honest.ike.message5(honest.must(three))))
    honest.quickMode()
    expect(storm.endpoint.snapshot().children).toHaveLength(1)
    expect(storm.halfOpen).toBeLessThanOrEqual(2 * baseConfig.maxHalfOpen)
  })

  it('an encrypted fifth message of garbage ends its exchange after a few, and says so once', {
    timeout: FUZZ_TIMEOUT,
  }, () => {
    forSeeds(20, seed => {
      const rng = new Rng(seed)
      const storm = new Storm()
      const client = new Client(storm, { ...fast, seed: `five ${seed}` })
      const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
      storm.take()
      for (let i = 0; i < 12; i++) {
        const garbage = join(five.slice(0, 28), rng.bytes(16 * (1 + rng.below(20))))
        new DataView(garbage.buffer).setUint32(24, garbage.length)
        storm.datagram(client.remote, 4500, garbage)
      }
      const effects = storm.take()
      expect(events(effects, 'failed').map(e => e.cause)).toEqual(['wrong-key'])
      expect(of(effects, 'send')).toHaveLength(1)
      expect(storm.halfOpen).toBe(0)
      new Client(storm, { ...fast, seed: `again ${seed}` }).connect()
    })
  })

  it('a flood from a few addresses does not push a genuine client out of its exchange', () => {
    const storm = new Storm()
    const honest = new Client(storm, fast)
    const two = honest.must(honest.ike.message1())
    const flood = (n: number) => {
      for (let i = 0; i < n; i++) {
        const evil = new Client(storm, { ...fast, seed: `flood ${storm.now} ${i}`, outside: 0xc6120000 + (i % 4) })
        evil.send(evil.ike.message1(), { address: evil.outside, port: 1024 + i })
      }
    }
    flood(500)
    const four = honest.must(honest.ike.message3(two))
    flood(500)
    honest.ike.finish(honest.must(honest.ike.message5(four)))
    expect(storm.halfOpen).toBeLessThanOrEqual(baseConfig.maxHalfOpen)
    expect(storm.count('half-open-evicted')).toBeGreaterThan(800)
  })

  it('a client with a wrong key is told of even in a flood that has silenced all else', () => {
    const storm = new Storm()
    for (let i = 0; i < 1500; i++) {
      const evil = new Client(storm, { ...fast, seed: `flood ${i}`, outside: 0xc6120000 + i })
      evil.send(evil.ike.message1())
    }
    expect(storm.count('events-suppressed')).toBeGreaterThan(300)
    const forgetful = new Client(storm, { ...fast, presharedKey: 'another key' })
    const four = forgetful.must(forgetful.ike.message3(forgetful.must(forgetful.ike.message1())))
    storm.take()
    forgetful.send(forgetful.ike.message5(four))
    expect(events(storm.take(), 'failed').map(e => e.cause)).toEqual(['wrong-key'])
  })

  it('tens of thousands of datagrams leave the process no larger', { timeout: FUZZ_TIMEOUT }, () => {
    const rng = new Rng(7)
    const storm = new Storm().arm(rng)
    new Client(storm, fast).connect()
    const strike = (n: number) => {
      for (let i = 0; i < n; i++) {
        storm.strike()
        if (i % 1000 === 0) storm.pass(1)
        storm.effects.length = 0
      }
    }
    strike(5000)
    const before = heap()
    strike(process.env['FUZZ_SECONDS'] === undefined ? 30_000 : 100_000)
    const grown = heap() - before
    expect(grown).toBeLessThan(12 * 2 ** 20)
  })
})

/** Bytes in use after a collection. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}
