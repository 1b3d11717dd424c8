import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import { FlowTable } from '../../src/firewall/flow.ts'
import { clampMss } from '../../src/firewall/mss.ts'
import { listFlows } from '../../src/firewall/report.ts'
import { SessionTable } from '../../src/firewall/sessions.ts'
import { Batch } from '../../src/packet/batch.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { emitIpv4, IpProtocol, ipv4, readIpv4, transportChecksum } from '../../src/packet/ip.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { ALICE, BOB, emitTcp, firewall, INTERNET, LAN_HOST, TCP, tables } from './office.ts'

const few = (...values: number[]) => fc.constantFrom(...values)
/** Addresses as the tables keep them. */
const signed = (...values: number[]) => fc.constantFrom(...values.map(v => v | 0))

describe('the flow table is a Map', () => {
  const tuple = fc.record({
    source: signed(ALICE, BOB, INTERNET),
    sourcePort: few(1, 2, 3),
    destination: signed(ALICE, INTERNET, LAN_HOST),
    destinationPort: few(1, 2),
    protocol: few(6, 17),
  })
  type Tuple = { source: number; sourcePort: number; destination: number; destinationPort: number; protocol: number }
  const key = (t: Tuple) => [t.source, t.sourcePort, t.destination, t.destinationPort, t.protocol].join()
  const back = (t: Tuple) => [t.destination, t.destinationPort, t.source, t.sourcePort, t.protocol].join()
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('use' as const), tuple, session: few(1, 2, 3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), tuple }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), session: few(1, 2, 3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), time: fc.nat(40) }) },
  )

  test('with room, over any history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer(), (steps, seed) => {
        const flows = new FlowTable(seed, { flows: 4096 })
        const model = new Map<string, { session: number; expires: number }>()
        let now = 0
        for (const s of steps) {
          for (const [k, f] of model) if (f.expires <= now) model.delete(k)
          if (s.kind === 'wait') {
            now += s.time
            flows.sweep(now)
          } else if (s.kind === 'forget') {
            flows.forget(s.session)
            for (const [k, f] of model) if (f.session === s.session) model.delete(k)
            expect(flows.ofSession(s.session)).toBe(0)
          } else {
            const t = s.tuple
            const row = flows.find(t.source, t.sourcePort, t.destination, t.destinationPort, t.protocol, now)
            const forward = model.has(key(t))
            const known = forward || model.has(back(t))
            expect(row >= 0).toBe(known)
            if (known && key(t) !== back(t)) expect(flows.reversed).toBe(!forward)
            if (s.kind === 'remove' && known) {
              flows.remove(row)
              model.delete(forward ? key(t) : back(t))
            } else if (s.kind === 'use' && !known) {
              const made = flows.insert(
                t.source,
                t.sourcePort,
                t.destination,
                t.destinationPort,
                t.protocol,
                s.session,
                now,
              )
              expect(made).toBeGreaterThanOrEqual(0)
              flows.expires[made] = now + 50
              model.set(key(t), { session: s.session, expires: now + 50 })
            }
          }
        }
        for (const [k, f] of model) if (f.expires <= now) model.delete(k)
        expect(listFlows(flows, now, 1000).length).toBe(model.size)
        flows.sweep(now + 100_000)
        for (let i = 1; i < 20; i++) flows.sweep(now + 100_000 + i * 10)
        expect(flows.size).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('without room it forgets, but never confuses, overfills or lets one session starve another', () => {
    const flows = new FlowTable(99, { flows: 256, perSession: 200 })
    const insert = (session: number, n: number) => {
      const row = flows.insert((ALICE + session) | 0, n & 0xffff, INTERNET | 0, 80, 6, session, n)
      if (row >= 0) flows.expires[row] = 1e9
      return row
    }
    for (let n = 0; n < 5000; n++) insert(1, n)
    expect(flows.size).toBe(200)
    expect(flows.ofSession(1)).toBe(200)
    // The glutton gives way to newcomers, down to their own measure.
    let refused = 0
    for (let n = 5000; n < 5060; n++) if (insert(2, n) < 0) refused++
    expect(refused).toBe(0)
    expect(flows.ofSession(2)).toBe(60)
    // And does not take back what they have.
    for (let n = 6000; n < 9000; n++) insert(1, n)
    expect(flows.ofSession(2)).toBe(60)
    for (let n = 5000; n < 5060; n++) {
      expect(flows.find((ALICE + 2) | 0, n, INTERNET | 0, 80, 6, 9000)).toBeGreaterThanOrEqual(0)
    }
    expect(flows.size).toBe(flows.ofSession(1) + flows.ofSession(2))
    expect(listFlows(flows, 9000, 1000).length).toBe(flows.size)
  })

  test('a size that is no power of two is refused', () => {
    expect(() => new FlowTable(1, { flows: 100 })).toThrow(RangeError)
    expect(() => new FlowTable(1, { flows: 8 })).toThrow(RangeError)
  })
})

describe('the session index is a Map', () => {
  const step = fc.record({ session: fc.integer({ min: 1, max: 12 }), low: fc.nat(15), remove: fc.boolean() })

  test('over any history, with addresses changing hands', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const table = new SessionTable()
        const held = new Map<number, number>()
        const index = new Map<number, number>()
        for (const { session, low, remove } of steps) {
          const had = held.get(session)
          if (had !== undefined && index.get(had) === session) index.delete(had)
          held.delete(session)
          if (remove) {
            table.remove(session)
          } else {
            // Far enough apart that some collide in the index.
            const address = (0x0a000001 + low * 0x01000000) >>> 0
            table.install({ session, peer: session, address, user: '', mtu: 1400 }, 0)
            held.set(session, address)
            index.set(address, session)
          }
          for (let i = 0; i < 16; i++) {
            const address = (0x0a000001 + i * 0x01000000) >>> 0
            expect(table.ofAddress(address)).toBe(index.get(address) ?? 0)
          }
          expect(table.count).toBe(held.size)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('a full table finds everybody', () => {
    const table = new SessionTable()
    const base = ipv4('10.64.0.0')
    for (let s = 1; s < 16384; s++) table.install({ session: s, peer: 1, address: base + s, user: '', mtu: 1400 }, 0)
    for (let s = 1; s < 16384; s += 2) table.remove(s)
    for (let s = 1; s < 16384; s++) expect(table.ofAddress(base + s)).toBe(s % 2 === 0 ? s : 0)
    expect(() => table.install({ session: 16384, peer: 1, address: 1, user: '', mtu: 1 }, 0)).toThrow(RangeError)
    expect(() => table.install({ session: 0, peer: 1, address: 1, user: '', mtu: 1 }, 0)).toThrow(RangeError)
  })
})

describe('MSS', () => {
  /** Any list of options with an MSS at any place, odd ones too. */
  const options = fc
    .tuple(fc.nat(5), fc.integer({ min: 0, max: 65535 }), fc.nat(6))
    .map(([nops, mss, after]) =>
      Uint8Array.of(...Array(nops).fill(1), 2, 4, mss >>> 8, mss & 255, ...Array(after).fill(1)),
    )

  test('is lowered to the limit, and the checksum is that of the whole segment', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 2000 }), fc.uint8Array({ maxLength: 9 }), (o, maximum, data) => {
        const segment = emitTcp(ALICE, 5000, INTERNET, 80, TCP.SYN, o, data)
        const at = 20 + o.indexOf(2)
        const before = (segment[at + 2]! << 8) | segment[at + 3]!
        const bytes = new Uint8Array(segment.length + 3)
        bytes.set(segment, 3)
        expect(clampMss(bytes, 3, segment.length, maximum)).toBe(before > maximum)
        const after = bytes.subarray(3)
        expect((after[at + 2]! << 8) | after[at + 3]!).toBe(Math.min(before, maximum))
        const check = (after[16]! << 8) | after[17]!
        after.fill(0, 16, 18)
        expect(transportChecksum(after, 0, after.length, ALICE, INTERNET, 6)).toBe(check)
      }),
      { numRuns: 500 },
    )
  })

  test('is left alone where there is none, or options are malformed', () => {
    for (const o of [[], [0, 2, 4, 5], [2, 3, 5, 180], [2, 4, 5], [8, 0, 2, 4], [3, 40, 1, 1]]) {
      const segment = emitTcp(ALICE, 1, INTERNET, 2, TCP.SYN, Uint8Array.from(o))
      const bytes = segment.slice()
      const end = o.length === 3 ? 23 : segment.length
      expect(clampMss(bytes, 0, end, 100)).toBe(false)
      expect(bytes).toEqual(segment)
    }
  })

  test('is lowered both ways by the filter, in SYN segments alone', () => {
    const t = tables()
    const mss = Uint8Array.of(2, 4, 5, 180)
    const read = (batch: Batch, i: number) => {
      const p = batch.packet(i)
      return (p[42]! << 8) | p[43]!
    }
    const wrap = (source: number, destination: number, flags: number) =>
      emitIpv4({ source, destination, protocol: 6, payload: emitTcp(source, 1, destination, 2, flags, mss) })
    const inward = new Batch()
    const outward = new Batch()
    for (const flags of [TCP.SYN, TCP.SYN | TCP.ACK, TCP.ACK]) {
      inward.session[inward.push(wrap(BOB, LAN_HOST, flags))] = 2
      outward.push(wrap(LAN_HOST, BOB, flags))
    }
    filterIn(inward, t, 0)
    filterOut(outward, t, 0)
    for (const batch of [inward, outward]) {
      expect([0, 1, 2].map(i => batch.verdict[i])).toEqual([0, 0, 0])
      expect([0, 1, 2].map(i => read(batch, i))).toEqual([1240, 1240, 1460])
      for (let i = 0; i < 3; i++) {
        const p = batch.packet(i)
        expect(transportChecksum(p, 20, p.length - 20, readIpv4(p, 12), readIpv4(p, 16), 6)).toBe(0)
      }
    }
  })
})

describe('whatever comes', () => {
  const address = few(ALICE, BOB, LAN_HOST, INTERNET, 0, 0x7f000001, 0xffffffff, 0xe0000001)
  /** Half-sound packets: a header that often holds together around anything. */
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .record({
        source: address,
        destination: address,
        protocol: fc.oneof(few(IpProtocol.Icmp, IpProtocol.Tcp, IpProtocol.Udp), fc.nat(255)),
        payload: fc.uint8Array({ maxLength: 1500 }),
        identification: fc.nat(3),
        dontFragment: fc.boolean(),
        noise: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 }),
      })
      .map(p => {
        const bytes = emitIpv4(p)
        for (const [at, value] of p.noise) if (at < bytes.length) bytes[at] = value
        return bytes
      }),
  )
  const batchOf = (packets: Uint8Array[], session: number) => {
    const batch = new Batch()
    for (const p of packets) batch.session[batch.push(p)] = session
    return batch
  }

  test.each([
    ['the firewall on', firewall()],
    ['the firewall off', { ...firewall(), enabled: false }],
  ])('nothing throws, and nothing false is forwarded, with %s', (_, rules) => {
    const t = tables(rules)
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 64 }),
        fc.integer({ min: 0, max: 3 }),
        fc.nat(1e6),
        (packets, s, now) => {
          const inward = batchOf(packets, s)
          filterIn(inward, t, now)
          for (let i = 0; i < inward.count; i++) {
            if (inward.verdict[i] !== Verdict.Forward) {
              expect(inward.reason[i]).not.toBe(DropReason.None)
              continue
            }
            const p = inward.packet(i)
            expect(readIpv4(p, 12)).toBe(s === 1 ? ALICE : BOB)
            expect(p.length).toBe((p[2]! << 8) | p[3]!)
          }
          const outward = batchOf(packets, 0)
          filterOut(outward, t, now)
          for (let i = 0; i < outward.count; i++) {
            if (outward.verdict[i] !== Verdict.Forward) continue
            const p = outward.packet(i)
            expect(readIpv4(p, 16)).toBe(outward.session[i] === 1 ? ALICE : BOB)
            expect(outward.peer[i]).toBe(10 + outward.session[i]!)
            expect(p.length).toBeLessThanOrEqual(t.sessions.mtu[outward.session[i]!]!)
          }
          for (let i = 0; i < t.replies.count; i++) {
            const p = t.replies.packet(i)
            expect(checksum(p, 0, 20)).toBe(0)
            expect(checksum(p, 20, p.length - 20)).toBe(0)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  test('one bad packet does not touch its neighbours', () => {
    const good = emitIpv4({ source: ALICE, destination: LAN_HOST, protocol: 99, payload: new Uint8Array(5) })
    fc.assert(
      fc.property(packet, bad => {
        const batch = batchOf([good, bad, good], 1)
        filterIn(batch, tables(), 0)
        expect([batch.verdict[0], batch.verdict[2]]).toEqual([Verdict.Forward, Verdict.Forward])
        expect(batch.packet(0)).toEqual(good)
        expect(batch.packet(2)).toEqual(good)
      }),
      { numRuns: 50 },
    )
  })
})
