/** Packets like one before are let through by a look at their headers: what becomes of them must be the same. */

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import type { Firewall, FirewallPolicy } from '../../src/firewall/policy.ts'
import { listFlows } from '../../src/firewall/report.ts'
import { Batch } from '../../src/packet/batch.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import {
  ALICE,
  ALICE_ROW,
  BOB,
  BOB_ROW,
  CAROL,
  firewall,
  INTERNET,
  LAN_HOST,
  one,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  udp,
} from './office.ts'

const few = <T>(...values: T[]) => fc.constantFrom(...values)
/** Mostly the first, which is like the one before. */
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: few(...others) })

const FAR_INNER = ipv4('10.64.0.1')
const NAME = ipv4('192.168.8.77')
const worlds = {
  office: firewall(),
  off: { ...firewall(), enabled: false },
  reverse: firewall({
    nats: [
      {
        kind: 'reverse',
        interface: 'dyn-dynamic',
        ip: one(NAME),
        globalInterface: 'eth0',
        globalIp: one(INTERNET),
      } satisfies FirewallPolicy['nats'][number],
    ],
  }),
}

interface Plan {
  readonly session: number
  readonly source: number
  readonly destination: number
  readonly protocol: number
  readonly port: number
  readonly flags: number
  readonly data: number
  /** What it is to be cut into on its way out. */
  readonly segment: number
  readonly padding: number
  readonly dropped: boolean
  readonly reversed?: boolean
  /** A byte that is not as it should be, and its value. */
  readonly odd: readonly [at: number, value: number] | undefined
}

const plan: fc.Arbitrary<Plan> = fc.record({
  session: mostly(1, 2, 3),
  source: mostly(ALICE, BOB),
  destination: mostly(LAN_HOST, BOB, INTERNET, NAME),
  protocol: fc.oneof({ weight: 4, arbitrary: few(17, 6) }, { weight: 1, arbitrary: few(1, 50) }),
  port: mostly(1024, 1025),
  flags: mostly<number>(TCP.ACK, TCP.SYN, TCP.SYN | TCP.ACK, TCP.RST, TCP.FIN | TCP.ACK, 0),
  data: fc.oneof({ weight: 4, arbitrary: few(0, 4, 100) }, { weight: 1, arbitrary: few(1300, 1390) }),
  segment: mostly(0, 60, 1390),
  padding: mostly(0, 3),
  dropped: mostly(false, true),
  odd: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.tuple(few(0, 1, 2, 3, 6, 7, 8, 9, 12, 19, 20, 23, 32, 33), fc.nat(255)) },
    {
      weight: 2,
      arbitrary: few<[number, number]>(
        [0, 0x46],
        [0, 0x44],
        [3, 27],
        [3, 28],
        [6, 0x20],
        [6, 0x40],
        [7, 1],
        [32, 0x40],
        [32, 0xf0],
      ),
    },
  ),
})

const usual: Plan = {
  ...{
    session: 1,
    source: ALICE,
    destination: LAN_HOST,
    protocol: 17,
    port: 1024,
    flags: TCP.ACK,
    data: 100,
    segment: 0,
  },
  ...{ padding: 0, dropped: false, odd: undefined },
}

function packetOf(p: Plan): Uint8Array {
  const [from, to] = p.reversed ? [80, p.port] : [p.port, 80]
  const packet =
    p.protocol === 6
      ? tcp(p.source, from, p.destination, to, p.flags, undefined, undefined, new Uint8Array(p.data))
      : udp(p.source, from, p.destination, to, p.data)
  packet[9] = p.protocol
  if (p.odd !== undefined && p.odd[0] < packet.length) packet[p.odd[0]] = p.odd[1]
  const padded = new Uint8Array(packet.length + p.padding).fill(0xaa)
  padded.set(packet)
  return padded
}

/** A datagram from the other end of what the plan's packet goes to. */
function answerTo(p: Plan): Plan {
  return { ...p, source: p.destination, destination: p.source, reversed: true }
}

/** More streams of one session than are remembered of it. */
function streams(session: number, first: number): Plan[] {
  return Array.from({ length: 7 }, (_, i) => ({ ...usual, session, port: 2000 + first + i }))
}

/** `out`: as it comes out of the TUN device, whose packets are nobody's yet. */
function fill(batch: Batch, plans: readonly Plan[], out = false): void {
  batch.clear()
  for (const p of plans) {
    const i = batch.push(packetOf(p))
    batch.session[i] = out ? 0 : p.session
    batch.segment[i] = out ? p.segment : 0
    if (p.dropped) batch.verdict[i] = Verdict.Drop
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('in' as const), plans: fc.array(plan, { minLength: 1, maxLength: 12 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('out' as const), plans: fc.array(plan, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('streams' as const), session: few(1, 2), first: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), session: few(1, 2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('install' as const),
      row: few(ALICE_ROW, BOB_ROW, { ...ALICE_ROW, address: CAROL }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rules' as const), world: few(...Object.values(worlds)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trace' as const), on: fc.boolean() }) },
)

const batch = new Batch()

/** Plays the steps, and tells what became of every packet and what the filter has noted; `forgetful`: remembering nothing. */
function play(
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
  rules: Firewall,
  forgetful: boolean,
) {
  const t = tables(rules)
  const story: unknown[] = []
  const replies: unknown[] = []
  let now = 1000
  const pass = (filter: typeof filterIn, plans: readonly Plan[]) => {
    // One by one, where nothing shall come to be known even within a batch.
    for (const some of forgetful ? plans.map(p => [p]) : [plans]) {
      if (forgetful) t.likeness.forget()
      fill(batch, some, filter === filterOut)
      filter(batch, t, now)
      for (let i = 0; i < some.length; i++)
        story.push([batch.verdict[i], batch.reason[i], batch.session[i], batch.peer[i], ...batch.packet(i)])
      if (filter === filterOut) for (let i = 0; i < t.replies.count; i++) replies.push([...t.replies.packet(i)])
    }
  }
  for (const s of steps) {
    if (s.do === 'in') pass(filterIn, s.plans)
    else if (s.do === 'out') pass(filterOut, s.plans.map(answerTo))
    else if (s.do === 'streams') pass(filterIn, streams(s.session, s.first))
    else if (s.do === 'remove') t.remove(s.session)
    else if (s.do === 'install') t.install(s.row)
    else if (s.do === 'rules') t.setRuleset(buildRuleset(s.world, SURROUNDINGS))
    else t.trace.order(s.on ? [{ policy: undefined, packets: true }] : [], t.ruleset)
    now += 30
    story.push(t.events.take(t.ruleset), t.policyCounts(), t.ruleHits(), listFlows(t.flows, now, 100), t.opened)
  }
  return [...story, replies]
}

describe('packets like one before', () => {
  it.each(Object.entries(worlds))('have the fate that each has alone (%s), and leave the same behind', (_, rules) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        expect(play(steps, rules, false)).toEqual(play(steps, rules, true))
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['datagrams', usual],
    ['segments', { ...usual, protocol: 6 }],
  ])('are read in full once where nothing is tracked, and again after each change: %s', (_, p) => {
    const t = tables()
    const read = vi.spyOn(t.headers, 'read')
    const reads = () => {
      read.mockClear()
      for (let round = 1; round <= 3; round++) {
        fill(batch, [p, p, { ...p, data: 4 }, p])
        filterIn(batch, t, 1000 + round)
      }
      return read.mock.calls.length
    }
    expect([reads(), reads()]).toEqual([1, 0])
    t.remove(BOB_ROW.session)
    expect(reads()).toBe(1)
    t.install(BOB_ROW)
    expect(reads()).toBe(1)
    t.setRuleset(t.ruleset)
    expect(reads()).toBe(1)
    fill(batch, [{ ...usual, port: 3000 }])
    filterIn(batch, t, 2000)
    expect(reads()).toBe(1)
    fill(batch, [answerTo({ ...usual, port: 3001 })], true)
    filterOut(batch, t, 2000)
    expect(reads()).toBe(1)
    t.trace.order([{ policy: undefined, packets: true }], t.ruleset)
    expect(reads()).toBe(12)
  })

  it('go to their session likewise, but for what is larger than its link', () => {
    const t = tables()
    const read = vi.spyOn(t.headers, 'read')
    const answer = answerTo(usual)
    for (let round = 1; round <= 3; round++) {
      fill(batch, [answer, answer, { ...answer, data: 1390 }, { ...answer, data: 1390, segment: 60 }], true)
      filterOut(batch, t, 1000 + round)
      expect([...batch.session.subarray(0, 4)]).toEqual([1, 1, 1, 1])
      expect([...batch.peer.subarray(0, 4)]).toEqual([11, 11, 11, 11])
      expect(read).toHaveBeenCalledTimes(1 + round)
    }
  })

  it('have that fate, too, where so many streams are in turn that some put others out of mind', () => {
    const many = Array.from({ length: 12 }, (_, turn) => {
      const plans = Array.from({ length: 500 }, (_, i) => {
        const k = (i * 7919 + turn * 3301) % 3000
        const [session, source] = k % 3 === 0 ? [2, BOB] : [1, ALICE]
        return { ...usual, session, source, protocol: k % 5 === 0 ? 6 : 17, port: 1024 + (k >> 1), data: 0 }
      })
      return { do: turn % 3 === 2 ? ('out' as const) : ('in' as const), plans }
    })
    const segments = many.map(m => ({ ...m, plans: m.plans.map(p => ({ ...p, protocol: 6 })) }))
    for (const steps of [many, segments])
      expect(play(steps, worlds.office, false)).toEqual(play(steps, worlds.office, true))
  })

  it('are of one stream of each session at least, however many sessions are in turn', () => {
    const t = tables()
    const rows = Array.from({ length: 3000 }, (_, i) => ({ ...ALICE_ROW, session: 10 + i, address: FAR_INNER + i }))
    for (const row of rows) t.install(row)
    const read = vi.spyOn(t.headers, 'read')
    const reads = (filter: typeof filterIn, streamOf: (row: number) => number) => {
      read.mockClear()
      for (let first = 0; first < rows.length; first += 500) {
        const plans = rows.slice(first, first + 500).map((row, i) => {
          const p = {
            ...usual,
            session: row.session,
            source: row.address,
            protocol: 6,
            port: 1024 + streamOf(first + i),
          }
          return filter === filterOut ? answerTo(p) : p
        })
        fill(batch, plans, filter === filterOut)
        filter(batch, t, 1000)
        expect(batch.verdict.subarray(0, plans.length).every(v => v === Verdict.Forward)).toBe(true)
        expect([...batch.session.subarray(0, plans.length)]).toEqual(plans.map(p => p.session))
      }
      return read.mock.calls.length
    }
    for (const filter of [filterIn, filterOut]) {
      expect([reads(filter, () => 0), reads(filter, () => 0)]).toEqual([3000, 0])
      // A session's stream before the last one is known as long as no other one needs its place.
      expect(reads(filter, row => (row < 20 ? 1 : 0))).toBe(20)
      expect(reads(filter, () => 0)).toBe(0)
      expect(reads(filter, row => (row < 20 ? 1 : 0))).toBe(0)
    }
  })

  it('are none where each is tracked', () => {
    const t = tables()
    const read = vi.spyOn(t.headers, 'read')
    fill(batch, [
      { ...usual, destination: INTERNET },
      { ...usual, destination: INTERNET },
    ])
    filterIn(batch, t, 1000)
    expect(read).toHaveBeenCalledTimes(2)
    expect(listFlows(t.flows, 1000, 10).map(f => f.packetsForward)).toEqual([2])
  })
})
