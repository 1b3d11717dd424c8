import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Channel, type Departure, type Parcel } from '../../src/l2tp/channel.ts'

const body = (n: number) => Uint8Array.of(n >>> 8, n & 0xff)
const number = (p: { body: Uint8Array }) => (p.body[0]! << 8) | p.body[1]!
const parcel = (n: number): Parcel => ({ sessionId: 0, body: body(n) })
const ack = (nr: number) => ({ sessionId: 0, ns: 0, nr, body: new Uint8Array(0) })

describe('the sending side', () => {
  let channel: Channel
  beforeEach(() => {
    channel = new Channel(4)
  })
  const flush = (now = 0) => {
    const out: Departure[] = []
    channel.flush(now, p => out.push(p))
    return out
  }

  it('starts slowly, and never sends beyond the window of the peer', () => {
    channel.setPeerWindow(3)
    for (let n = 0; n < 20; n++) channel.send(parcel(n))
    const bursts: number[][] = []
    let nr = 0
    for (let i = 0; i < 5; i++) {
      const burst = flush()
      bursts.push(burst.map(number))
      channel.receive(ack((nr += burst.length)), 0, [])
    }
    expect(bursts).toEqual([[0], [1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]])
  })

  it('takes a window of 0 for 1, and 4 where none was told', () => {
    for (let n = 0; n < 9; n++) channel.send(parcel(n))
    let nr = 0
    for (let i = 0; i < 3; i++) channel.receive(ack((nr += flush().length)), 0, [])
    expect(flush()).toHaveLength(2) // 1 + 2 + 4 have been acknowledged, and two are left
    const other = new Channel(4)
    other.setPeerWindow(0)
    other.send(parcel(0))
    other.send(parcel(1))
    const out: Departure[] = []
    other.flush(0, p => out.push(p))
    expect(out).toHaveLength(1)
  })

  it('says it again after 1, 2, 4, 8, 8 seconds, with the Nr of now, and gives up after 31', () => {
    channel.send(parcel(7))
    flush(0)
    channel.receive({ sessionId: 0, ns: 0, nr: 0, body: body(1) }, 0, [])
    flush(0)
    const at: number[] = []
    for (;;) {
      const now = channel.deadline!
      at.push(now)
      if (!channel.tick(now)) break
      expect(flush(now).map(p => [number(p), p.ns, p.nr, p.again])).toEqual([[7, 0, 1, true]])
    }
    expect(at).toEqual([1000, 3000, 7000, 15_000, 23_000, 31_000])
  })

  it('goes on for ever with a patient caller', () => {
    channel.send(parcel(7))
    flush(0)
    for (let i = 0; i < 50; i++) {
      const now = channel.deadline!
      expect(channel.tick(now, true)).toBe(true)
      expect(flush(now)).toHaveLength(1)
    }
    expect(channel.deadline).toBe(1000 + 2000 + 4000 + 48 * 8000)
  })

  it('after a loss it goes back to one, and believes the Nr about what did arrive', () => {
    channel.setPeerWindow(8)
    for (let n = 0; n < 10; n++) channel.send(parcel(n))
    flush(0)
    channel.receive(ack(1), 0, [])
    expect(flush(0).map(number)).toEqual([1, 2])
    channel.receive(ack(3), 0, [])
    expect(flush(0).map(number)).toEqual([3, 4, 5, 6])
    expect(channel.tick(1000)).toBe(true)
    expect(flush(1000).map(p => [number(p), p.again])).toEqual([[3, true]])
    // 3 was lost, 4 to 6 waited for it.
    channel.receive(ack(7), 1100, [])
    expect(flush(1100).map(p => [number(p), p.again])).toEqual([
      [7, false],
      [8, false],
      [9, false],
    ])
    expect(channel.deadline).toBe(2100)
  })

  it('an Nr that is old, or of what was never sent, says nothing', () => {
    channel.send(parcel(0))
    channel.send(parcel(1))
    flush()
    for (const nr of [0, 2, 3, 0x8000, 0xffff]) channel.receive(ack(nr), 0, [])
    expect(channel.unacknowledged).toBe(2)
    channel.receive(ack(1), 0, [])
    expect(channel.unacknowledged).toBe(1)
  })

  it('abandons what waits, and acknowledges on with the right Ns', () => {
    channel.send(parcel(0))
    channel.send(parcel(1))
    flush()
    channel.abandon()
    expect(channel.deadline).toBeUndefined()
    channel.receive({ sessionId: 0, ns: 0, nr: 0, body: body(1) }, 0, [])
    expect(flush()).toEqual([{ sessionId: 0, ns: 1, nr: 1, body: new Uint8Array(0), again: false }])
  })

  it('resends the oldest message when asked, and nothing when there is none', () => {
    const out: Departure[] = []
    channel.send(parcel(5))
    channel.resend(p => out.push(p))
    expect(out).toEqual([])
    flush()
    channel.resend(p => out.push(p))
    expect(out.map(p => [number(p), p.again])).toEqual([[5, true]])
  })
})

describe('the receiving side', () => {
  let channel: Channel
  let ready: Parcel[]
  beforeEach(() => {
    channel = new Channel(4)
    ready = []
  })
  const receive = (n: number) => channel.receive({ sessionId: 0, ns: n & 0xffff, nr: 0, body: body(n) }, 0, ready)
  const flush = () => {
    const out: Departure[] = []
    channel.flush(0, p => out.push(p))
    return out.map(p => [p.ns, p.nr, p.body.length])
  }

  it('acknowledges with a ZLB, which takes no number', () => {
    expect(receive(0)).toBe('next')
    expect(flush()).toEqual([[0, 1, 0]])
    expect(flush()).toEqual([])
    receive(1)
    expect(flush()).toEqual([[0, 2, 0]])
  })

  it('a message carries the acknowledgement where there is one', () => {
    receive(0)
    channel.send(parcel(9))
    expect(flush()).toEqual([[0, 1, 2]])
  })

  it('a ZLB is never acknowledged', () => {
    expect(channel.receive(ack(0), 0, ready)).toBe('acknowledgement')
    expect(flush()).toEqual([])
  })

  it('a duplicate is acknowledged again, and delivered once', () => {
    receive(0)
    flush()
    expect(receive(0)).toBe('duplicate')
    expect(flush()).toEqual([[0, 1, 0]])
    expect(ready.map(number)).toEqual([0])
  })

  it('what is early waits, within the window', () => {
    expect([2, 1, 3, 4, 0x7fff].map(receive)).toEqual(['early', 'early', 'early', 'outside', 'outside'])
    expect(flush()).toEqual([])
    receive(0)
    expect(ready.map(number)).toEqual([0, 1, 2, 3])
    expect(flush()).toEqual([[0, 4, 0]])
  })

  it('what waits is not spoilt when its buffer is used again', () => {
    const shared = body(1)
    channel.receive({ sessionId: 0, ns: 1, nr: 0, body: shared }, 0, ready)
    shared.fill(0xff)
    receive(0)
    expect(ready.map(number)).toEqual([0, 1])
  })

  it('the 32,768 numbers before the expected one are old', () => {
    expect(receive(0x8000)).toBe('duplicate')
    expect(receive(0xffff)).toBe('duplicate')
  })

  it('numbers begin anew behind 65535, in both directions', () => {
    const peer = new Channel(4)
    const got: number[] = []
    for (let n = 0; n < 0x1_0010; n++) {
      peer.send(parcel(n & 0xffff))
      const parcels: Parcel[] = []
      peer.flush(0, p => channel.receive(p, 0, parcels))
      channel.flush(0, p => peer.receive(p, 0, []))
      got.push(...parcels.map(number))
    }
    expect(got).toHaveLength(0x1_0010)
    expect(got.at(-1)).toBe(0x0f)
    expect([peer.ns, channel.nr, peer.unacknowledged]).toEqual([0x10, 0x10, 0])
  })
})

describe('two ends and a bad network between them', () => {
  /** Deterministic numbers from a seed (mulberry32), from 0 up to 1. */
  function random(seed: number): () => number {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
    }
  }

  it('delivers everything once and in order, under loss, duplication and reordering', () => {
    const world = fc.record({
      seed: fc.integer(),
      loss: fc.double({ min: 0, max: 0.25, noNaN: true }),
      duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
      jitter: fc.integer({ min: 0, max: 1500 }),
      windows: fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })),
      count: fc.integer({ min: 1, max: 40 }),
    })
    fc.assert(
      fc.property(world, ({ seed, loss, duplication, jitter, windows, count }) => {
        const dice = random(seed)
        const ends = windows.map(w => ({ channel: new Channel(w), got: [] as number[] }))
        ends[0]!.channel.setPeerWindow(windows[1])
        ends[1]!.channel.setPeerWindow(windows[0])
        let way: { at: number; to: number; packet: Departure }[] = []
        let now = 0
        const flush = (from: number) =>
          ends[from]!.channel.flush(now, packet => {
            for (let copies = dice() < duplication ? 2 : 1; copies > 0; copies--) {
              if (dice() >= loss) way.push({ at: now + 10 + dice() * jitter, to: 1 - from, packet })
            }
          })
        for (let n = 0; n < count; n++) for (const e of ends) e.channel.send(parcel(n))
        flush(0)
        flush(1)
        for (let steps = 0; steps < 20_000; steps++) {
          const times = [...way.map(w => w.at), ...ends.map(e => e.channel.deadline ?? Number.POSITIVE_INFINITY)]
          const next = Math.min(...times)
          if (next === Number.POSITIVE_INFINITY) break
          now = next
          const arrived = way.filter(w => w.at <= now)
          way = way.filter(w => w.at > now)
          for (const { to, packet } of arrived) {
            const ready: Parcel[] = []
            ends[to]!.channel.receive(packet, now, ready)
            ends[to]!.got.push(...ready.map(number))
            flush(to)
          }
          ends.forEach((e, i) => {
            // A run of bad luck may outlast five retransmissions: patience shows what the numbers do then.
            expect(e.channel.tick(now, true)).toBe(true)
            flush(i)
          })
        }
        const all = Array.from({ length: count }, (_, n) => n)
        for (const e of ends) {
          expect(e.got).toEqual(all)
          expect(e.channel.unacknowledged).toBe(0)
        }
      }),
      { numRuns: 150 },
    )
  })
})
