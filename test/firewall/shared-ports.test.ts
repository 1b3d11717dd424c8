/** A global address that several workers share: each draws ports of its own blocks, and what has none does not pass. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { ownerOfPort } from '../../src/firewall/nat-ports.ts'
import { IpProtocol } from '../../src/packet/ip.ts'
import { ALICE, BOB, firewall, INTERNET, icmp, one, port, rule, udp } from './office.ts'
import { AROUND, ENHANCED, ends, GLOBAL, nat, read, received, sent, translating } from './translation.ts'

const plan = (rules: Parameters<typeof rule>[0][], workers = 4) =>
  buildRuleset(firewall({ nats: [ENHANCED], rules: rules.map(rule) }), { ...AROUND, workers }).nat
const FORWARD = {
  number: 1,
  action: 'allow',
  interface: 'eth0',
  protocol: IpProtocol.Tcp,
  ip: one(BOB),
  port: port(80),
  globalIp: one(GLOBAL),
  globalPort: port(8080, 8081),
} as const

describe('workers that share an address', () => {
  test('never draw the same port, whatever they send, and get back what is theirs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.nat(1000), (workers, seed) => {
        const around = { ...AROUND, workers }
        const pair = [seed % workers, (seed + 1) % workers].map(worker =>
          translating([ENHANCED], [], {}, around, undefined, worker),
        )
        for (const [i, t] of pair.entries()) {
          for (let n = 0; n < 20; n++) {
            const question = n % 2 === 0 ? udp(ALICE, 1000 + n, INTERNET, 53) : icmp(ALICE, INTERNET, 8, 1000 + n)
            const out = read(sent(t, 1, question))
            expect(out.source).toBe(GLOBAL)
            expect(ownerOfPort(out.sourcePort, workers)).toBe((seed + i) % workers)
          }
          const { sourcePort } = read(sent(t, 1, udp(ALICE, 5, INTERNET, 53)))
          expect(ends(received(t, udp(INTERNET, 53, GLOBAL, sourcePort)))).toContain('> 192.168.8.50:5')
        }
      }),
      { numRuns: 20 },
    )
  })

  test('draw all over their blocks', () => {
    const t = translating([ENHANCED], [], {}, { ...AROUND, workers: 3 }, { flows: 16384, perSession: 16384 }, 1)
    const ports = Array.from({ length: 2000 }, (_, i) => read(sent(t, 1, udp(ALICE, i + 1, INTERNET, 53))).sourcePort)
    const eighths = new Array(8).fill(0)
    for (const p of ports) eighths[Math.floor(((p - 8192) / 57_344) * 8)]++
    expect(Math.min(...eighths)).toBeGreaterThan(150)
    expect(new Set(ports).size).toBe(2000)
  })

  test('let nothing out that bears no port', () => {
    const t = translating([ENHANCED], [], {}, { ...AROUND, workers: 2 })
    const gre = udp(ALICE, 0, INTERNET, 0)
    gre[9] = 47
    expect(sent(t, 1, gre)).toBe('Policy')
  })
})

describe('the plan of several workers', () => {
  test('says which ports a rule forwards, and where', () => {
    expect(plan([FORWARD]).forwarded).toEqual([
      { address: GLOBAL, protocol: 6, port: 8080, to: BOB },
      { address: GLOBAL, protocol: 6, port: 8081, to: BOB },
    ])
    const user = { ...FORWARD, ip: undefined, user: 'bob', protocol: undefined }
    expect(plan([user]).forwarded.map(f => [f.protocol, f.port])).toEqual([
      [6, 8080],
      [17, 8080],
      [6, 8081],
      [17, 8081],
    ])
    expect(plan([user]).forwarded[0]?.to).toEqual({ user: 'bob', group: undefined, policy: 'main' })
    expect(new Set(plan([FORWARD]).shared)).toEqual(new Set([GLOBAL]))
    expect([...plan([FORWARD], 1).shared]).toEqual([])
  })

  test.each([
    ['all ports', { ...FORWARD, port: undefined, globalPort: undefined }],
    ['very many ports', { ...FORWARD, port: port(2000, 9000), globalPort: port(2000, 9000) }],
    ['a protocol without ports', { ...FORWARD, protocol: 47 }],
  ])('leaves an address to nftables that has a forward of %s', (_, forward) => {
    expect([...plan([forward]).globals]).toEqual([])
    expect([...plan([forward], 1).globals]).toEqual([GLOBAL, GLOBAL, GLOBAL, GLOBAL])
  })

  test('leaves an address to nftables where a port goes to several places, by who asks', () => {
    const others = { ...FORWARD, number: 2, ip: one(ALICE), remoteIp: one(INTERNET) }
    expect([...plan([FORWARD, others]).globals]).toEqual([])
    expect([...plan([FORWARD, { ...others, ip: one(BOB) }]).globals]).not.toEqual([])
  })

  test('knows what a rule translates address for address', () => {
    const standard = {
      number: 1,
      action: 'nat',
      natType: 'standard',
      interface: 'dyn-dynamic',
      ip: one(ALICE),
      globalIp: one(GLOBAL + 1),
    } as const
    expect(plan([standard]).oneToOne).toEqual([{ first: ALICE, last: ALICE, globalFirst: GLOBAL + 1 }])
    const pool = nat({ kind: 'standard', ip: one(BOB), globalIp: one(GLOBAL) })
    const nats = buildRuleset(firewall({ nats: [pool] }), { ...AROUND, workers: 2 }).nat
    expect(nats.oneToOne).toMatchObject([{ first: BOB, globalFirst: GLOBAL }])
  })
})
