import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { filterOut } from '../../src/firewall/filter.ts'
import type { FirewallPolicy } from '../../src/firewall/policy.ts'
import { Batch, READING_ROOM } from '../../src/packet/batch.ts'
import {
  ALICE,
  BOB,
  firewall,
  fromClient,
  INTERNET,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
} from './office.ts'

const SERVICE = rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 17, port: port(7) })
const accounted = (change: Partial<FirewallPolicy> = {}) =>
  firewall({ nats: [], rules: [SERVICE], accounting: true, ...change })
const taken = (t: ReturnType<typeof tables>) => t.accounting.take(t.policyNames)

describe('what a connection carried', () => {
  test('is noted when it has expired: both ends, both ways, first and last packet', () => {
    const t = tables(accounted())
    fromClient(t, 2, udp(BOB, 1, INTERNET, 53, 100), 1000)
    toClient(t, udp(INTERNET, 53, BOB, 1, 500), 2000)
    toClient(t, udp(INTERNET, 53, BOB, 1, 500), 3000)
    toClient(t, udp(INTERNET, 9, ALICE, 7, 10), 4000)
    expect(t.accounting.waiting).toBe(0)
    t.flows.sweepAll(300_000)
    expect(taken(t)).toEqual([])
    t.flows.sweepAll(304_000)
    const ends = [
      { source: BOB, sourcePort: 1, destination: INTERNET, destinationPort: 53 },
      { source: INTERNET, sourcePort: 9, destination: ALICE, destinationPort: 7 },
    ]
    const flows = taken(t).sort((a, b) => a.startedAt - b.startedAt)
    expect(flows).toEqual([
      {
        ...ends[0],
        policy: 'main',
        direction: 'out',
        session: 2,
        user: 'Bob',
        protocol: 17,
        startedAt: 1000,
        endedAt: 3000,
        packetsForward: 1,
        packetsReverse: 2,
        bytesForward: 128,
        bytesReverse: 1056,
      },
      {
        ...ends[1],
        policy: 'main',
        direction: 'in',
        session: 1,
        user: 'alice',
        protocol: 17,
        startedAt: 4000,
        endedAt: 4000,
        packetsForward: 1,
        packetsReverse: 0,
        bytesForward: 38,
        bytesReverse: 0,
      },
    ])
    expect(taken(t)).toEqual([])
  })

  test('is noted once where it was translated, as it is inside', () => {
    const nats = [
      { kind: 'enhanced', interface: 'dyn-dynamic', ip: undefined, globalInterface: 'eth0', globalIp: range() },
    ] as const
    const t = tables(accounted({ nats }))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))
    t.flows.sweepAll(400_000)
    expect(taken(t)).toMatchObject([{ source: ALICE, destination: INTERNET, packetsForward: 1 }])
  })

  test('is noted with its session, under the name that it had', () => {
    const t = tables(accounted())
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))
    fromClient(t, 2, udp(BOB, 1, INTERNET, 53))
    t.remove(1)
    expect(taken(t)).toMatchObject([{ user: 'alice', session: 1 }])
  })

  test('is noted where a client uses its port again', () => {
    const t = tables(accounted())
    const segment = (flags: number, sequence: number) =>
      fromClient(t, 1, tcp(ALICE, 1000, INTERNET, 80, flags, undefined, { sequence }))
    segment(TCP.SYN, 1)
    segment(TCP.RST, 2)
    expect(taken(t)).toEqual([])
    expect(segment(TCP.SYN, 900)).toBe('Forward')
    expect(taken(t)).toMatchObject([{ packetsForward: 2, bytesForward: 80 }])
  })

  test('is not noted of policies without it, and what never passed is nothing', () => {
    const t = tables(accounted({ accounting: false }))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))
    t.setRuleset(buildRuleset(accounted(), SURROUNDINGS))
    toClient(t, udp(INTERNET, 9, ALICE, 8))
    t.flows.sweepAll(400_000)
    expect(taken(t)).toMatchObject([{ destinationPort: 53 }])
    t.setRuleset(buildRuleset(accounted({ accounting: false }), SURROUNDINGS))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53), 400_000)
    t.flows.sweepAll(900_000)
    expect(t.accounting.waiting).toBe(0)
  })

  test('of many that end at once only the number is known, and one session’s many take nobody’s place', () => {
    const t = tables(accounted())
    for (let from = 1; from <= 900; from++) fromClient(t, 1, udp(ALICE, from, INTERNET, 53))
    fromClient(t, 2, udp(BOB, 1, INTERNET, 53))
    t.flows.sweepAll(400_000)
    const flows = taken(t)
    expect(flows.filter(f => f.session === 1)).toHaveLength(200)
    expect(flows.filter(f => f.session === 2)).toHaveLength(1)
    expect(t.accounting.unrecorded).toBe(700)
  })

  test('a super-segment counts as the packets that it becomes', () => {
    const t = tables(accounted())
    fromClient(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.SYN, undefined, { sequence: 1 }))
    const data = new Uint8Array(3000)
    const numbers = { sequence: 100, acknowledgement: 2 }
    const batch = new Batch(READING_ROOM)
    const packet = tcp(INTERNET, 80, ALICE, 1000, TCP.ACK, undefined, numbers, data)
    batch.bytes.set(packet, batch.offset[batch.add(40)]!)
    batch.length[0] = packet.length
    batch.segment[0] = 1000
    filterOut(batch, t, 0)
    t.remove(1)
    expect(taken(t)).toMatchObject([{ packetsReverse: 3, bytesReverse: 3 * 1040 }])
  })
})

function range() {
  const address = 0xcb007108
  return { first: address, last: address }
}
