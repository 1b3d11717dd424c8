/** The native engine equals the reference engine: random batches over all suites, and everything that goes wrong. */

import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import { BATCH_CAPACITY, type Batch } from '../../src/packet/batch.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import {
  batchOf,
  copyOf,
  dice,
  engines,
  expectSameRows,
  inboundSa,
  numbers,
  outboundSa,
  packets,
  path,
  suites,
} from './support.ts'

const reference = engines[0]!
const natives = engines.slice(1)
const LONGEST = 1500
const material = dice('payload')(LONGEST)

/** Peer n has suite n, an outbound SA 0x1000 + n, and that same SA inbound. */
function populate(engine: Engine, more: { limits?: { softBytes: number; hardBytes: number } } = {}): Engine {
  suites.forEach((suite, n) => {
    engine.setPath({ peer: n, ...path, port: 4500 + n })
    engine.installOutbound(outboundSa(suite, n, 0x1000 + n, more))
    engine.installInbound(inboundSa(suite, n, 0x1000 + n, { ...more, replayWindow: [0, 64, 128, 256][n % 4]! }))
  })
  return engine
}

function shuffle<T>(items: T[], below: (limit: number) => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(i + 1)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}

/** Every length from 0 to 1500 for peers of `members`, in batches of mixed lengths and SAs. */
function everyLength(members: number[]): Batch[] {
  const rows = members.flatMap(peer =>
    Array.from({ length: LONGEST + 1 }, (_, n) => ({ bytes: material.subarray(0, n), peer, protocol: n & 255 })),
  )
  shuffle(rows, numbers(members.length))
  const batches: Batch[] = []
  for (let at = 0; at < rows.length; at += BATCH_CAPACITY) {
    batches.push(batchOf(rows.slice(at, at + BATCH_CAPACITY)))
  }
  return batches
}

describe('the native engines and the reference', () => {
  const kinds = [
    { title: 'DES', members: suites.flatMap((s, n) => (s.cipher === 'des' ? [n] : [])) },
    { title: '3DES', members: suites.flatMap((s, n) => (s.cipher === '3des' ? [n] : [])) },
    { title: 'AES', members: suites.flatMap((s, n) => (s.cipher.startsWith('aes') ? [n] : [])) },
  ]
  const openssl = natives.find(({ name }) => name === 'native on OpenSSL')!

  // The reference is slow. It seals once for all, and opens what OpenSSL sealed, which opens what the others sealed.
  test.each(kinds)(
    'open what the other sealed: $title, all lengths',
    ({ title, members }) => {
      const theirs = populate(reference.make())
      const ways = natives
        // Our own DES leaves AES to OpenSSL, which has its turn.
        .filter(({ name }) => title !== 'AES' || !name.includes('own DES'))
        .map(way => ({
          name: way.name,
          engine: populate(way.make()),
          opener: populate(way === openssl ? reference.make() : openssl.make()),
        }))
      for (const plain of everyLength(members)) {
        const fromReference = copyOf(plain)
        theirs.seal(fromReference)
        for (const { name, engine, opener } of ways) {
          const received = copyOf(fromReference)
          engine.open(received)
          expectPlain(received, plain, `${name} opens what the reference sealed`)
          const sent = copyOf(plain)
          engine.expect?.(sent)
          engine.seal(sent)
          expect([...sent.port.subarray(0, sent.count)]).toEqual(
            [...plain.peer.subarray(0, sent.count)].map(peer => 4500 + peer),
          )
          opener.open(sent)
          expectPlain(sent, plain, `what ${name} sealed is opened`)
        }
      }
      for (const { engine, opener } of ways) expect(engine.takeEvents()).toEqual(opener.takeEvents())
    },
    600_000,
  )

  test.each(Array.from({ length: 24 }, (_, seed) => seed))('agree on whatever comes: seed %i', seed => {
    const below = numbers(seed)
    const limits = seed % 2 === 0 ? { softBytes: 20_000, hardBytes: 30_000 } : { softBytes: 0, hardBytes: 0 }
    const sealer = populate(reference.make())
    const ours = natives.map(({ name, make }) => ({ name, engine: populate(make(), { limits }) }))
    const theirs = populate(reference.make(), { limits })
    const history: Uint8Array[] = []
    const fates = new Set<string>()
    // Few SAs in some rounds: then one algorithm has many packets and their order matters.
    const peers = seed % 3 === 0 ? [below(suites.length)] : suites.map((_, n) => n)

    for (let round = 0; round < 12; round++) {
      const count = 1 + below(BATCH_CAPACITY)
      const plain = Array.from({ length: count }, () => ({
        bytes: material.subarray(0, below(8) === 0 ? LONGEST : below(300)),
        peer: peers[below(peers.length)]!,
        protocol: below(256),
      }))
      const sealed = batchOf(plain)
      sealer.seal(sealed)
      const fresh = packets(sealed)
      const arriving = fresh.map(packet => mishap(packet, history, below))
      history.push(...fresh)
      const batch = batchOf(shuffle(arriving, below).map(bytes => ({ bytes })))
      for (let i = 0; i < batch.count; i++) {
        if (below(12) === 0) batch.port[i] = 4500 + below(20)
        if (below(40) === 0) batch.verdict[i] = Verdict.Punt
      }
      const twins = ours.map(() => copyOf(batch))
      const waiting = theirs.open(batch)
      const events = theirs.takeEvents()
      const usage = suites.map((_, n) => theirs.inboundUsage(0x1000 + n))
      ours.forEach(({ name, engine }, at) => {
        const twin = twins[at]!
        expect(engine.open(twin), name).toBe(waiting)
        expectSameRows(twin, batch, name)
        expect(engine.takeEvents(), name).toEqual(events)
        expect(
          suites.map((_, n) => engine.inboundUsage(0x1000 + n)),
          name,
        ).toEqual(usage)
      })
      for (let i = 0; i < batch.count; i++) fates.add(`${batch.verdict[i]}/${batch.reason[i]}`)
      churn(below, [...ours.map(({ engine }) => engine), theirs])
    }
    expect(fates.size).toBeGreaterThan(4)
  })
})

function expectPlain(batch: Batch, plain: Batch, what: string): void {
  expect(batch.count).toBe(plain.count)
  for (let i = 0; i < batch.count; i++) {
    const same = batch.verdict[i] === Verdict.Forward && Buffer.compare(batch.packet(i), plain.packet(i)) === 0
    if (!same) expect(toHex(batch.packet(i)), `${what}, row ${i}`).toBe(toHex(plain.packet(i)))
    if (!same) expect(batch.verdict[i], `${what}, row ${i}`).toBe(Verdict.Forward)
  }
  expect(batch.peer, what).toEqual(plain.peer)
  expect(batch.protocol, what).toEqual(plain.protocol)
}

describe.each(natives)('$name engine and the reference', ({ make }) => {
  test.each([0, 1, 2, 3])('agree on what cannot be sealed: seed %i', seed => {
    const below = numbers(seed + 100)
    const limits = { softBytes: 9000, hardBytes: 12_000 }
    const ours = populate(make(), { limits })
    const theirs = populate(reference.make(), { limits })
    const opener = populate(reference.make())
    for (let round = 0; round < 12; round++) {
      const rows = Array.from({ length: 1 + below(BATCH_CAPACITY) }, () => ({
        bytes: material.subarray(0, below(LONGEST)),
        peer: below(suites.length + 2),
      }))
      const batch = batchOf(rows)
      for (let i = 0; i < batch.count; i++) {
        if (below(10) === 0) batch.offset[i]! -= below(64)
        if (below(10) === 0) batch.length[i] = below(2100)
      }
      const twin = copyOf(batch)
      const plain = hexes(batch)
      expect(ours.seal(batch)).toBe(theirs.seal(twin))
      expect(ours.takeEvents()).toEqual(theirs.takeEvents())
      // IVs differ, so what was sealed is compared in its columns and once it is open again.
      expect(batch.verdict).toEqual(twin.verdict)
      expect(batch.reason).toEqual(twin.reason)
      expect(batch.offset).toEqual(twin.offset)
      expect(batch.length).toEqual(twin.length)
      expect(batch.port).toEqual(twin.port)
      const dropped = [...batch.verdict]
      opener.open(batch)
      const opened = hexes(batch)
      for (let i = 0; i < batch.count; i++) if (dropped[i] === Verdict.Forward) expect(opened[i]).toBe(plain[i])
      for (let n = 0; n < suites.length; n++) {
        expect(ours.outboundUsage(n, 0x1000 + n)).toEqual(theirs.outboundUsage(n, 0x1000 + n))
      }
    }
  })
})

function hexes(batch: Batch): string[] {
  return packets(batch).map(toHex)
}

/** What may become of a packet on its way. */
function mishap(packet: Uint8Array, history: Uint8Array[], below: (limit: number) => number): Uint8Array {
  switch (below(14)) {
    case 0: {
      const changed = packet.slice()
      changed[below(changed.length)]! ^= 1 << below(8)
      return changed
    }
    case 1:
      return packet.subarray(0, below(packet.length))
    case 2:
      return concat(packet, material.subarray(0, below(40)))
    case 3:
      return history.length > 0 ? history[below(history.length)]! : packet
    case 4:
      return concat(new Uint8Array(4), packet)
    case 5:
      return material.subarray(0, below(60))
    case 6: {
      const unsigned = packet.slice()
      unsigned.fill(0, unsigned.length - 12)
      return unsigned
    }
    default:
      return packet
  }
}

/** What control may do between batches, to both engines alike. */
function churn(below: (limit: number) => number, both: Engine[]): void {
  const n = below(suites.length)
  const spi = 0x1000 + n
  const what = below(12)
  for (const engine of both) {
    if (what === 0) engine.removeInbound(spi)
    else if (what === 1) engine.removePeer(n)
    else if (what === 2) engine.installInbound(inboundSa(suites[n]!, n, spi, { replayWindow: 128 }))
    else if (what < 6) engine.setPath({ peer: n, ...path, port: 4500 + n })
  }
}
