import { describe, expect, test } from 'vitest'
import { listFlows } from '../../src/firewall/report.ts'
import {
  ALICE,
  firewall,
  fromClient,
  INTERNET,
  icmp,
  one,
  port,
  rule,
  TCP,
  type TcpNumbers,
  tables,
  tcp,
  toClient,
  udp,
} from './office.ts'

const MINUTE = 60_000
const S = TCP.SYN
const SA = TCP.SYN | TCP.ACK
const A = TCP.ACK
const FA = TCP.FIN | TCP.ACK

const HERS = 0xffffff00
const ITS = 9000
const NONE = new Uint8Array(0)

/** A conversation of Alice with a host outside: `out` are her segments, `in` are its. Hers go over the end of the numbers. */
function connection() {
  const t = tables()
  const numbers = (flags: number, own: number, other: number) => ({
    sequence: (own + (flags & TCP.SYN ? 0 : 1)) >>> 0,
    acknowledgement: flags & TCP.ACK ? (other + 1) >>> 0 : 0,
  })
  return {
    t,
    out: (flags: number, now: number, more: Partial<TcpNumbers> = {}, options = NONE, data = NONE) =>
      fromClient(
        t,
        1,
        tcp(ALICE, 5000, INTERNET, 80, flags, options, { ...numbers(flags, HERS, ITS), ...more }, data),
        now,
      ),
    in: (flags: number, now: number, more: Partial<TcpNumbers> = {}, options = NONE, data = NONE) =>
      toClient(t, tcp(INTERNET, 80, ALICE, 5000, flags, options, { ...numbers(flags, ITS, HERS), ...more }, data), now),
  }
}

describe('a RST', () => {
  const R = TCP.RST
  /** SYN, SYN and ACK, ACK; each offers a window of 1,000. */
  const open = (scale = NONE) => {
    const c = connection()
    c.out(S, 0, { window: 1000 }, scale)
    c.in(SA, 1, { window: 1000 }, scale)
    c.out(A, 2, { window: 1000 })
    return c
  }
  const state = (c: ReturnType<typeof connection>) => listFlows(c.t.flows, 10, 9)[0]?.state

  test.each([
    ['the next byte', ITS + 1, 'Forward'],
    ['the last of the window', ITS + 1001, 'Forward'],
    ['what was acknowledged', ITS, 'Policy'],
    ['behind the window', ITS + 1002, 'Policy'],
    ['anywhere', 0x7fffffff, 'Policy'],
  ])('from outside that speaks of %s', (_, sequence, fate) => {
    const c = open()
    expect(c.in(R, 3, { sequence })).toBe(fate)
    expect(state(c)).toBe(fate === 'Forward' ? 'closing' : 'established')
  })

  test.each([
    ['the next byte, past the end of the numbers', (HERS + 1) >>> 0, 'Forward'],
    ['behind the window', (HERS + 1002) >>> 0, 'Policy'],
  ])('from inside that speaks of %s', (_, sequence, fate) => {
    expect(open().out(R, 3, { sequence })).toBe(fate)
  })

  test('the window moves with what is acknowledged, and counts by its scale where both have one', () => {
    const scaled = open(Uint8Array.of(3, 3, 4, 1))
    // A SYN's own window is never scaled (RFC 7323 section 2.2); the third segment's is.
    expect(scaled.in(R, 3, { sequence: ITS + 1 + 16_000 })).toBe('Forward')
    expect(scaled.in(R, 4, { sequence: ITS + 2 + 16_000 })).toBe('Policy')
    const plain = open()
    plain.in(A, 3, {}, NONE, new Uint8Array(400))
    plain.out(A, 4, { acknowledgement: ITS + 401, window: 1000 })
    expect(plain.in(R, 5, { sequence: ITS + 1 })).toBe('Policy')
    expect(plain.in(R, 5, { sequence: ITS + 401 })).toBe('Forward')
  })

  test('who acknowledges what was never sent moves no window', () => {
    const c = open()
    c.in(A, 3, { acknowledgement: (HERS + 50_000) >>> 0, window: 60_000 })
    expect(c.out(R, 4, { sequence: (HERS + 50_001) >>> 0 })).toBe('Policy')
    expect(c.out(R, 4, { sequence: (HERS + 1) >>> 0 })).toBe('Forward')
  })

  test('answers a SYN by its acknowledgement', () => {
    const refused = connection()
    refused.out(S, 0)
    expect(refused.in(R | A, 1, { sequence: 0, acknowledgement: HERS })).toBe('Policy')
    expect(refused.in(R, 1, { sequence: 0 })).toBe('Policy')
    expect(refused.in(R | A, 1, { sequence: 0 })).toBe('Forward')
    expect(state(refused)).toBe('closing')
  })

  test('of a connection that is older than we are is taken at its word', () => {
    const c = connection()
    c.out(A, 0)
    expect(c.out(R, 1)).toBe('Forward')
    expect(state(c)).toBe('closing')
    // Its windows may be scaled, by how much nobody saw.
    const fast = connection()
    fast.out(A, 0, { window: 500 })
    fast.in(A, 1, { window: 500 })
    expect(fast.in(R, 2, { sequence: ITS + 5_000_000 })).toBe('Forward')
    expect(fast.in(R, 2, { sequence: ITS + 0x40000000 })).toBe('Policy')
  })
})

describe('TCP', () => {
  test('established connections live an hour, half-open ones a minute', () => {
    const c = connection()
    c.out(S, 0)
    expect(c.in(SA, MINUTE - 1)).toBe('Forward')
    c.out(A, MINUTE)
    expect(listFlows(c.t.flows, MINUTE, 9)[0]?.state).toBe('established')
    expect(c.in(A, 61 * MINUTE - 1)).toBe('Forward')
    expect(c.in(A, 121 * MINUTE)).toBe('Policy')

    const unanswered = connection()
    unanswered.out(S, 0)
    expect(unanswered.in(SA, MINUTE)).toBe('Policy')
  })

  test('after both FINs the flow goes soon, and the port can be used again', () => {
    const c = connection()
    c.out(S, 0)
    c.in(SA, 1)
    c.out(A, 2)
    c.out(FA, 3)
    expect(c.in(A, 30 * MINUTE)).toBe('Forward')
    c.in(FA, 31 * MINUTE)
    expect(c.out(A, 31 * MINUTE + 1)).toBe('Forward')
    expect(listFlows(c.t.flows, 31 * MINUTE + 2, 9)[0]?.state).toBe('closing')
    expect(c.out(S, 31 * MINUTE + 5)).toBe('Forward')
    expect(c.in(SA, 31 * MINUTE + 6)).toBe('Forward')
    c.out(A, 31 * MINUTE + 7)
    expect(c.in(A, 60 * MINUTE)).toBe('Forward')
  })

  test('a far end does not open a connection through one that is over', () => {
    const c = connection()
    c.out(S, 0)
    c.in(SA, 1)
    c.out(TCP.RST, 2)
    expect(c.in(S, 3)).toBe('Policy')
    expect(c.t.flows.size).toBe(0)
  })

  test('a forged RST does not end a connection that goes on', () => {
    const c = connection()
    c.out(S, 0)
    c.in(SA, 1)
    c.out(A, 2)
    c.in(TCP.RST, 3)
    expect(c.out(A, 1000)).toBe('Forward')
    expect(c.in(A, 50 * MINUTE)).toBe('Forward')
  })

  test('a RST without a further word ends it', () => {
    const c = connection()
    c.out(S, 0)
    c.in(SA, 1)
    c.out(A, 2)
    c.in(TCP.RST | TCP.ACK, 3)
    expect(c.in(A, 31_000)).toBe('Policy')
  })

  test('outward, an older connection is taken up; what only ends one needs no flow', () => {
    const c = connection()
    expect(c.out(TCP.RST, 0)).toBe('Forward')
    expect(c.out(FA, 0)).toBe('Forward')
    expect(c.t.flows.size).toBe(0)
    expect(c.out(A, 0)).toBe('Forward')
    expect(c.in(A, 1)).toBe('Forward')
    c.out(A, 2)
    expect(c.in(A, 59 * MINUTE)).toBe('Forward')
  })

  test('a connection that a rule let in is tracked the same', () => {
    const t = tables(
      firewall({
        rules: [rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 6, ip: one(ALICE), port: port(80) })],
      }),
    )
    expect(toClient(t, tcp(INTERNET, 4000, ALICE, 80, S), 0)).toBe('Forward')
    expect(fromClient(t, 1, tcp(ALICE, 80, INTERNET, 4000, SA), 1)).toBe('Forward')
    expect(toClient(t, tcp(INTERNET, 4000, ALICE, 80, A), 2)).toBe('Forward')
    expect(listFlows(t.flows, 3, 9)).toMatchObject([
      { source: INTERNET, sourcePort: 4000, state: 'established', session: 1 },
    ])
  })
})

describe('UDP', () => {
  test('five minutes until traffic proves itself, then the configured twenty', () => {
    const t = tables()
    const out = (now: number) => fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53), now)
    const back = (now: number) => toClient(t, udp(INTERNET, 53, ALICE, 1000), now)
    for (let i = 0; i < 5; i++) out(i)
    expect(back(5 * MINUTE)).toBe('Forward')
    // One direction had passed five, and this was one more: from now on twenty minutes.
    expect(back(24 * MINUTE)).toBe('Forward')
    expect(back(44 * MINUTE)).toBe('Policy')
  })

  test('a single question waits five minutes', () => {
    const t = tables()
    fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53), 0)
    expect(toClient(t, udp(INTERNET, 53, ALICE, 1000), 5 * MINUTE)).toBe('Policy')
  })

  test('SIP is exempt', () => {
    const t = tables()
    fromClient(t, 1, udp(ALICE, 5060, INTERNET, 5060), 0)
    expect(toClient(t, udp(INTERNET, 5060, ALICE, 5060), 19 * MINUTE)).toBe('Forward')
  })

  test('a timeout of 0 means 30 seconds', () => {
    const t = tables(firewall({ udpTimeoutSeconds: 0 }))
    fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53), 0)
    expect(toClient(t, udp(INTERNET, 53, ALICE, 1000), 29_999)).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 53, ALICE, 1000), 60_000)).toBe('Policy')
  })
})

test('a ping is waited for a minute', () => {
  const t = tables()
  fromClient(t, 1, icmp(ALICE, INTERNET, 8, 1), 0)
  expect(toClient(t, icmp(INTERNET, ALICE, 0, 1), MINUTE - 1)).toBe('Forward')
  expect(toClient(t, icmp(INTERNET, ALICE, 0, 1), 3 * MINUTE)).toBe('Policy')
})
