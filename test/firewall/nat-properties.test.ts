/** Address translation over any history: round trips, no tuple twice, no port that somebody listens on, and its bounds. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listFlows } from '../../src/firewall/report.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { ALICE, BOB, INTERNET, icmp, one, port, rule, TCP, tcp, udp } from './office.ts'
import { AROUND, ENHANCED, GLOBAL, nat, read, received, type Seen, sent, translating } from './translation.ts'

const clients = [
  { session: 1, address: ALICE },
  { session: 2, address: BOB },
] as const
const conversation = fc.record({
  client: fc.constantFrom(...clients),
  kind: fc.constantFrom('udp' as const, 'tcp' as const, 'icmp' as const),
  far: fc.constantFrom(INTERNET, INTERNET + 1),
  near: fc.integer({ min: 1, max: 65535 }),
  farPort: fc.constantFrom(53, 80, 443),
  size: fc.nat(300),
})
type Conversation = typeof conversation extends fc.Arbitrary<infer T> ? T : never

function question(c: Conversation): Uint8Array {
  const { address } = c.client
  if (c.kind === 'icmp') return icmp(address, c.far, 8, c.near)
  if (c.kind === 'udp') return udp(address, c.near, c.far, c.farPort, c.size)
  return tcp(address, c.near, c.far, c.farPort, TCP.SYN)
}

function answerTo(out: Seen, c: Conversation): Uint8Array {
  if (c.kind === 'icmp') return icmp(out.destination, out.source, 0, out.sourcePort)
  if (c.kind === 'udp') return udp(out.destination, out.destinationPort, out.source, out.sourcePort, c.size)
  const numbers = { sequence: 9000, acknowledgement: 0x01020305 }
  return tcp(out.destination, out.destinationPort, out.source, out.sourcePort, TCP.SYN | TCP.ACK, undefined, numbers)
}

const setups = {
  enhanced: [ENHANCED],
  'enhanced over two addresses': [nat({ globalIp: { first: GLOBAL, last: GLOBAL + 1 } })],
  standard: [
    nat({ kind: 'standard', ip: { first: ALICE, last: ALICE + 1 }, globalIp: { first: GLOBAL, last: GLOBAL + 1 } }),
  ],
  'enhanced and reverse': [
    ENHANCED,
    nat({ kind: 'reverse', ip: one(ipv4('192.168.8.200')), globalIp: one(ipv4('198.51.100.99')) }),
  ],
} as const

describe.each(Object.entries(setups))('%s', (_, nats) => {
  test('what goes out comes back to who sent it; nobody shares a global tuple; no port of ours is drawn', () => {
    const listening = [500, 4500, 1701, 9000, 9001]
    fc.assert(
      fc.property(fc.array(conversation, { minLength: 1, maxLength: 40 }), conversations => {
        const t = translating(nats, [], {}, { ...AROUND, ports: listening })
        const used = new Map<string, string>()
        for (const c of conversations) {
          const out = read(sent(t, c.client.session, question(c)))
          const owner = [c.client.session, c.kind, c.near, c.far, c.kind === 'icmp' ? 0 : c.farPort].join()
          const tuple = [
            out.protocol,
            out.source,
            out.sourcePort,
            out.destination,
            c.kind === 'icmp' ? 0 : c.farPort,
          ].join()
          expect(used.get(tuple) ?? owner).toBe(owner)
          used.set(tuple, owner)
          expect([GLOBAL, GLOBAL + 1]).toContain(out.source)
          if (nats[0]!.kind === 'enhanced') {
            expect(out.sourcePort).toBeGreaterThanOrEqual(8192)
            expect(listening).not.toContain(out.sourcePort)
          } else expect(out.sourcePort).toBe(c.near)
          const back = read(received(t, answerTo(out, c)))
          expect(back.destination).toBe(c.client.address)
          expect(back.destinationPort).toBe(c.near)
          expect(back.source).toBe(c.far)
        }
        const flows = listFlows(t.flows, 0, 1000)
        expect(flows.length).toBe(new Set(used.values()).size)
        expect(t.flows.size).toBe(2 * flows.length)
      }),
      { numRuns: 30 },
    )
  })
})

test('forwards: what comes in goes back out by the global tuple that it came by', () => {
  const r = rule({
    number: 1,
    action: 'allow',
    interface: 'eth0',
    protocol: 17,
    ip: one(BOB),
    port: port(1000, 1099),
    globalIp: one(GLOBAL),
    globalPort: port(20_000, 20_099),
  })
  const knock = fc.record({ far: fc.nat(3), farPort: fc.integer({ min: 1, max: 65535 }), n: fc.nat(99) })
  fc.assert(
    fc.property(fc.array(knock, { minLength: 1, maxLength: 40 }), knocks => {
      const t = translating([ENHANCED], [r])
      for (const k of knocks) {
        const come = read(received(t, udp(INTERNET + k.far, k.farPort, GLOBAL, 20_000 + k.n)))
        expect(come).toMatchObject({ source: INTERNET + k.far, destination: BOB, destinationPort: 1000 + k.n })
        const answer = read(sent(t, 2, udp(BOB, 1000 + k.n, INTERNET + k.far, k.farPort)))
        expect(answer).toMatchObject({ source: GLOBAL, sourcePort: 20_000 + k.n, destinationPort: k.farPort })
      }
    }),
    { numRuns: 60 },
  )
})

describe('the table', () => {
  test('is never overfilled, and a flood leaves other sessions what they have', () => {
    const t = translating([ENHANCED], [], {}, AROUND, { flows: 512, perSession: 256 })
    const his = Array.from({ length: 20 }, (_, i) => read(sent(t, 2, udp(BOB, 100 + i, INTERNET, 53), i)))
    for (let i = 0; i < 20_000; i++) sent(t, 1, udp(ALICE, 1 + (i % 60_000), INTERNET + (i & 7), 53), 20 + i / 100)
    expect(t.flows.size).toBeLessThanOrEqual(512)
    expect(t.flows.ofSession(1)).toBeLessThanOrEqual(256)
    expect(t.flows.ofSession(2)).toBe(40)
    for (const out of his) {
      expect(read(received(t, udp(INTERNET, 53, GLOBAL, out.sourcePort), 300)).destination).toBe(BOB)
    }
    // Both rows of a flow or neither: whatever was evicted.
    expect(t.flows.translated).toBe(t.flows.size)
    expect(listFlows(t.flows, 300, 1000).length * 2).toBe(t.flows.size)
  })

  test('to one far end there are as many flows as ports, and then none', () => {
    const few = Array.from({ length: 65536 - 8192 - 10 }, (_, i) => 8192 + i)
    const t = translating([ENHANCED], [], {}, { ...AROUND, ports: few })
    const ports = new Set<number>()
    let refused = 0
    for (let i = 0; i < 40; i++) {
      const out = sent(t, 1, udp(ALICE, 1000 + i, INTERNET, 53))
      if (typeof out === 'string') refused++
      else ports.add(read(out).sourcePort)
    }
    for (const p of ports) expect(p).toBeGreaterThan(65525)
    expect(ports.size + refused).toBe(40)
    expect(ports.size).toBeLessThanOrEqual(10)
    // Another far end has the same ports again.
    expect(typeof sent(t, 2, udp(BOB, 1, INTERNET + 1, 53))).not.toBe('undefined')
  })

  test('ports are drawn all over the range, and not in order', () => {
    const t = translating([ENHANCED], [], {}, AROUND, { flows: 16384, perSession: 16384 })
    const ports = Array.from({ length: 2000 }, (_, i) => read(sent(t, 1, udp(ALICE, i + 1, INTERNET, 53))).sourcePort)
    const eighths = new Array(8).fill(0)
    for (const p of ports) eighths[Math.floor(((p - 8192) / 57_344) * 8)]++
    expect(Math.min(...eighths)).toBeGreaterThan(150)
    const steps = new Set(ports.slice(1).map((p, i) => p - ports[i]!))
    expect(steps.size).toBeGreaterThan(1500)
  })
})
