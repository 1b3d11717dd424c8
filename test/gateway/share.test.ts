/** Everybody's share of a worker, in a world where work takes as long as it is said to. */

import { describe, expect, it } from 'vitest'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { Forwarder, type Wires } from '../../src/gateway/forwarder.ts'
import { FairShare, FULL } from '../../src/gateway/share.ts'
import { Stats } from '../../src/gateway/stats.ts'
import { BATCH_CAPACITY, Batch, NEAR_CAPACITY } from '../../src/packet/batch.ts'
import { emitIpv4, emitUdp, ipv4 } from '../../src/packet/ip.ts'
import { DropReason, dropReasonNames, Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import { seededDice } from '../support/dice.ts'

const OVERLOAD = `drop${dropReasonNames[DropReason.Overload]}`

/** A full batch of packets by the words that they begin with. */
function batchOf(words: readonly number[]): Batch {
  const batch = new Batch()
  for (const word of words) batch.push(Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word, 0, 0, 0, 0))
  return batch
}

/** Each word is a sender. */
function own(batch: Batch): Uint32Array {
  return Uint32Array.from({ length: batch.count }, (_, i) => batch.packet(i)[3]!)
}

/** How many packets of each word are still to be forwarded. */
function left(batch: Batch, word: number): number {
  let n = 0
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] === Verdict.Forward && batch.packet(i)[3] === word) n++
  }
  return n
}

/** `n` packets of word 1, then the others; filled up with word 1. */
function crowd(...others: number[]): Batch {
  return batchOf([...new Array(NEAR_CAPACITY - others.length).fill(1), ...others])
}

/** Pressed so many times, and having seen somebody greedy if `seen` batches of one and two senders show one. */
function pressed(times: number, sendersOf = own, seen = 20): FairShare {
  const share = new FairShare(sendersOf)
  for (let i = 0; i < times; i++) share.feel(true)
  for (let i = 0; i < seen; i++) share.limit(i % 10 === 9 ? batchOf([2]) : crowd())
  return share
}

describe('shares', () => {
  it('are not looked at while nothing waits', () => {
    const share = pressed(0)
    const batch = crowd(2, 2, 3)
    share.limit(batch)
    expect([left(batch, 1), left(batch, 2), left(batch, 3)]).toEqual([61, 2, 1])
  })

  it('who asks for little gets it all, and the greedy one what is left', () => {
    for (const [times, budget] of [
      [1, 60],
      [4, 32],
      [6, 8],
    ] as const) {
      const batch = crowd(2, 2, 3)
      pressed(times).limit(batch)
      expect([left(batch, 2), left(batch, 3)]).toEqual([2, 1])
      expect(left(batch, 1)).toBe(budget - 3)
      expect(batch.reason[63]).toBe(0)
      expect(batch.reason[60]).toBe(DropReason.Overload)
    }
  })

  it('equally greedy ones get equal parts, and everybody at least one packet', () => {
    const share = pressed(5)
    const halves = batchOf(Array.from({ length: NEAR_CAPACITY }, (_, i) => 1 + (i % 2)))
    share.limit(halves)
    expect([left(halves, 1), left(halves, 2)]).toEqual([8, 8])
    const all = batchOf(Array.from({ length: NEAR_CAPACITY }, (_, i) => 1 + (i % 32)))
    for (let i = 0; i < 99; i++) share.feel(true)
    share.limit(all)
    for (let word = 1; word <= 32; word++) expect(left(all, word)).toBe(1)
  })

  it('a sender who is alone has all, at once or a while after the others went', () => {
    const alone = pressed(6, own, 0)
    for (let i = 0; i < 100; i++) {
      const batch = crowd()
      alone.limit(batch)
      expect(left(batch, 1)).toBe(NEAR_CAPACITY)
    }
    const share = pressed(6)
    const batch = crowd()
    share.limit(batch)
    expect(left(batch, 1)).toBe(8)
    for (let i = 0; i < 6000; i++) share.limit(batchOf([1]))
    const later = crowd()
    share.limit(later)
    expect(left(later, 1)).toBe(NEAR_CAPACITY)
  })

  it('where a queue is known to be long, the half', () => {
    const share = new FairShare(own, NEAR_CAPACITY / 2)
    for (let i = 0; i < 99; i++) share.feel(true)
    // At first there may be others who do not find room.
    const first = crowd()
    share.limit(first)
    expect(left(first, 1)).toBe(8)
    for (let i = 0; i < 6000; i++) share.limit(batchOf([1]))
    const batch = crowd()
    share.limit(batch)
    expect(left(batch, 1)).toBe(NEAR_CAPACITY / 2)
  })

  it('where many want as much and fill a queue that is known, the half, and of that everybody a part', () => {
    const share = new FairShare(own, NEAR_CAPACITY / 2)
    for (let i = 0; i < 99; i++) share.feel(true)
    const equal = () => batchOf(Array.from({ length: NEAR_CAPACITY }, (_, i) => 1 + (i % 4)))
    for (let i = 0; i < 20; i++) share.limit(equal())
    const batch = equal()
    share.limit(batch)
    for (let word = 1; word <= 4; word++) expect(left(batch, word)).toBe(8)
  })

  it('where all want as much nobody is greedy', () => {
    for (const senders of [2, 10, 64]) {
      const share = pressed(99, own, 0)
      for (let n = 0; n < 100; n++) {
        const batch = batchOf(Array.from({ length: NEAR_CAPACITY }, (_, i) => 1 + (i % senders)))
        share.limit(batch)
        for (let i = 0; i < NEAR_CAPACITY; i++) expect(batch.verdict[i]).toBe(Verdict.Forward)
      }
    }
  })

  it('of a larger batch everybody has as much as of so many small ones', () => {
    const share = pressed(6)
    const batch = batchOf(Array.from({ length: BATCH_CAPACITY }, (_, i) => (i % 2 ? 1 : 2 + ((i >> 1) % 32))))
    share.limit(batch, BATCH_CAPACITY)
    for (let word = 1; word <= 33; word++) expect(left(batch, word)).toBe(BATCH_CAPACITY / NEAR_CAPACITY)
  })

  it('of a smaller batch everybody has at least one packet', () => {
    const share = pressed(6)
    for (const most of [1, NEAR_CAPACITY - 1]) {
      const batch = batchOf([1, 2, 1, 3])
      share.limit(batch, most)
      for (let word = 1; word <= 3; word++) expect(left(batch, word)).toBeGreaterThan(0)
    }
  })

  it('whoever makes up words is one sender', () => {
    const share = pressed(6, batch => own(batch).map(word => (word === 200 || word === 2 ? 1 : 0)))
    const batch = batchOf([...Array.from({ length: 58 }, (_, i) => i + 3), ...new Array(6).fill(200)])
    share.limit(batch)
    let others = 0
    for (let i = 0; i < 58; i++) if (batch.verdict[i] === Verdict.Forward) others++
    expect([others, left(batch, 200)]).toEqual([4, 4])
  })

  it('the queue is short: it is as if nothing had been', () => {
    const share = pressed(6)
    for (let i = 0; i < 6; i++) share.feel(false)
    const batch = crowd(2)
    share.limit(batch)
    expect(left(batch, 1)).toBe(63)
  })
})

describe('a buffer', () => {
  const share = () => new FairShare(own, NEAR_CAPACITY / 2)
  const tenseAfter = (...fills: number[]) => {
    const felt = share()
    for (const fill of fills) felt.feelFill(fill)
    return felt.isTense
  }

  it('that only drains is not long, although the kernel gives its memory back late', () => {
    expect(tenseAfter(...new Array(50).fill(FULL / 4))).toBe(false)
    expect(tenseAfter(FULL / 2, FULL / 2, FULL / 2, FULL / 4, FULL / 4, FULL / 8, 0)).toBe(false)
    // Once is no growth: who knows how much there was before.
    expect(tenseAfter(0, FULL / 4)).toBe(false)
  })

  it('that grows while it is read is long, from a sixteenth on, and so is one that is more than half full', () => {
    expect(tenseAfter(FULL / 15, FULL / 14)).toBe(true)
    expect(tenseAfter(FULL / 40, FULL / 30, FULL / 20, FULL / 17)).toBe(false)
    expect(tenseAfter(FULL, FULL)).toBe(true)
    expect(tenseAfter(FULL / 8, FULL / 7, FULL / 17)).toBe(false)
  })

  it('is not known any more after a pause', () => {
    const felt = share()
    for (let i = 1; i < 9; i++) {
      felt.limit(batchOf([1]), NEAR_CAPACITY, 1000)
      felt.feelFill((FULL * i) / 9)
    }
    const soon = crowd()
    felt.limit(soon, NEAR_CAPACITY, 1050)
    expect(left(soon, 1)).toBeLessThan(NEAR_CAPACITY / 2)
    const later = crowd()
    felt.limit(later, NEAR_CAPACITY, 1200)
    expect(left(later, 1)).toBe(NEAR_CAPACITY)
    expect(felt.isTense).toBe(false)
  })
})

const INNER = ipv4('10.9.0.1')
const LAN = ipv4('192.168.8.10')
const FLOOD = 1
const OTHER = 2
/** What a packet costs that is carried, in the time in which `RATE` packets of the flood come; and one that is dropped early. */
const CARRIED = 1
const EARLY = 0.2
const RATE = 3
/** One packet of the other one comes in so much of that time. */
const BETWEEN = 40
const QUEUE = 2000

/** One worker with a socket and a TUN device that drop what finds no room, whosever it is. */
class Crossing implements Wires {
  readonly stats = Stats.forWorkers(1)
  readonly forwarder: Forwarder
  readonly carried = new Map<number, number>()
  readonly offered = new Map<number, number>()
  /** The longest queue that the other one met. */
  longest = 0
  /** The most packets that were taken at once. */
  largest = 0
  private readonly queue: number[] = []
  private readonly shares: boolean
  private readonly up: boolean
  private owed = 0
  private since = 0

  constructor(up: boolean, shares: boolean, cipher: 'aes128' | '3des' = 'aes128') {
    this.up = up
    this.shares = shares
    const engine = new ReferenceEngine(seededDice('shares'))
    // Cryptography has no part in this: an opened packet is one that begins behind its SPI.
    Object.assign(engine, {
      peersOf: own,
      open: (batch: Batch) => {
        for (let i = 0; i < batch.count; i++) {
          if (batch.verdict[i] !== Verdict.Forward) continue
          batch.peer[i] = batch.packet(i)[3]!
          batch.protocol[i] = 17
          batch.offset[i]! += 8
          batch.length[i]! -= 8
        }
        return 0
      },
      seal: () => 0,
    })
    this.forwarder = new Forwarder({ worker: 0, engine, wires: this, stats: this.stats, seed: 1 })
    for (const session of [FLOOD, OTHER]) {
      const own = { localTunnelId: 1, localSessionId: 1, remoteTunnelId: 1, remoteSessionId: 1 }
      const call = { remotePort: 1701, localPort: 1701, template: 1, hostName: '', sequencing: false }
      this.forwarder.obey({ kind: 'installSession', ids: { session, peer: session, ...own, ...call } }, 0)
      const keys = new Uint8Array((cipher === '3des' ? 24 : 16) + 20)
      const sa = {
        spi: session,
        peer: session,
        suite: { cipher, integrity: 'sha1' },
        softBytes: 0,
        hardBytes: 0,
      } as const
      this.forwarder.obey({ kind: 'installOutbound', sa: { ...sa, keys, replayWindow: 0 } }, 0)
      const row = { session, peer: session, address: INNER + session, user: '', mtu: 1400 }
      this.forwarder.obey({ kind: 'networkUp', row, compressAddress: false, compressProtocol: false }, 0)
    }
    const { ruleset } = this.forwarder.firewall
    this.forwarder.obey({ kind: 'setRuleset', ruleset: { ...ruleset, enabled: false } }, 0)
  }

  run(carried: number): void {
    let turns = 0
    while (this.total(this.carried) < carried && turns++ < 10_000) {
      if (this.up) this.forwarder.fromPublic(false, () => 0)
      else this.forwarder.fromTun(() => 0)
    }
  }

  forget(): void {
    this.carried.clear()
    this.offered.clear()
    this.longest = 0
  }

  /** The share of what it offered that was carried. */
  share(session: number): number {
    return (this.carried.get(session) ?? 0) / this.offered.get(session)!
  }

  receiveFill(): number {
    return this.shares ? Math.floor((this.queue.length / QUEUE) * FULL) : 0
  }

  receive(batch: Batch, _: boolean, most: number): number {
    const make = (session: number) => {
      const l2tp = concat(Uint8Array.of(0, 2, 0, 1, 0, 1, 0xff, 0x03, 0, 0x21), packet(INNER + session, LAN))
      return concat(Uint8Array.of(0, 0, 0, session, 0, 0, 0, 0), emitUdp(1701, 1701, l2tp))
    }
    return this.take(batch, make, most)
  }

  readTun(batch: Batch, most: number): number {
    return this.take(batch, session => packet(LAN, INNER + session), most)
  }

  writeTun(batch: Batch): number {
    return this.pass(batch)
  }

  send(batch: Batch): number {
    return this.pass(batch)
  }

  tell(): void {}

  punt(): void {}

  private take(batch: Batch, make: (session: number) => Uint8Array, most: number): number {
    batch.clear()
    while (batch.count < most && this.queue.length > 0) batch.push(make(this.queue.shift()!))
    this.largest = Math.max(this.largest, batch.count)
    // A worker with nothing to do waits for what comes.
    if (batch.count === 0) this.arrive(CARRIED)
    return batch.count
  }

  private pass(batch: Batch): number {
    let spent = 0
    let passed = 0
    for (let i = 0; i < batch.count; i++) {
      const forwards = batch.verdict[i] === Verdict.Forward
      spent += forwards ? CARRIED : EARLY
      if (!forwards) continue
      passed++
      const session = batch.session[i]!
      this.carried.set(session, (this.carried.get(session) ?? 0) + 1)
    }
    this.arrive(spent)
    return passed
  }

  /** What comes meanwhile. */
  private arrive(time: number): void {
    for (this.owed += time * RATE; this.owed >= 1; this.owed--) this.offer(FLOOD)
    for (this.since += time; this.since >= BETWEEN; this.since -= BETWEEN) {
      this.longest = Math.max(this.longest, this.queue.length)
      this.offer(OTHER)
    }
  }

  private offer(session: number): void {
    this.offered.set(session, (this.offered.get(session) ?? 0) + 1)
    if (this.queue.length < QUEUE) this.queue.push(session)
  }

  private total(counts: ReadonlyMap<number, number>): number {
    return [...counts.values()].reduce((a, b) => a + b, 0)
  }
}

function packet(source: number, destination: number): Uint8Array {
  return emitIpv4({ source, destination, protocol: 17, payload: emitUdp(9, 9, new Uint8Array(8)) })
}

describe.each([
  ['from clients', true, 'aes128', NEAR_CAPACITY],
  ['to clients', false, 'aes128', NEAR_CAPACITY],
  // As many as DES has lanes.
  ['to clients with 3DES', false, '3des', 256],
] as const)('a flood %s, of three times what a worker carries', (_, up, cipher, batch) => {
  it('costs the others nothing, and fills no queue before them', () => {
    const crossing = new Crossing(up, true, cipher)
    // Until it is felt, a queue fills.
    crossing.run(4000)
    crossing.forget()
    crossing.run(40_000)
    expect(crossing.share(OTHER)).toBeGreaterThan(0.99)
    expect(crossing.longest).toBeLessThan(QUEUE * 0.75)
    // What the others leave is the greedy one's.
    expect(crossing.share(FLOOD)).toBeGreaterThan(0.05)
    expect(crossing.stats.totals()[OVERLOAD]).toBeGreaterThan(40_000)
    expect(crossing.largest).toBe(batch)
  })
})

it('without a look at the queue a flood would cost the others as much as itself', () => {
  const crossing = new Crossing(true, false)
  crossing.run(40_000)
  expect(crossing.share(OTHER)).toBeLessThan(0.5)
  expect(crossing.longest).toBeGreaterThanOrEqual(QUEUE - 1)
})
