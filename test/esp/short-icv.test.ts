/** SHA-256 cut to 96 bits, as old Androids do: found out by the first packet that proves itself, and then kept to. */

import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
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

const cut = (packet: Uint8Array) => packet.slice(0, packet.length - 4)
const sha256Suites = suites.filter(s => s.integrity === 'sha256')
const reference = engines[0]!
/** More than one block, so that the lengths tell. */
const REQUEST = 'SCCRQ of the client, from port 1701'
const REPLY = 'SCCRP of the gateway, to port 17011'

/** Peer n sends on SPI 0x1000 + n and receives on 0x2000 + n; the client's side is the other way round. */
function populate(engine: Engine, side: 'client' | 'gateway', members = sha256Suites): Engine {
  const [out, into] = side === 'client' ? [0x1000, 0x2000] : [0x2000, 0x1000]
  members.forEach((suite, n) => {
    engine.setPath({ peer: n, ...path })
    engine.installOutbound(outboundSa(suite, n, out + n))
    engine.installInbound(inboundSa(suite, n, into + n))
  })
  return engine
}

function sealed(engine: Engine, peer: number, text: string, count = 1): Uint8Array[] {
  const batch = batchOf(Array.from({ length: count }, () => ({ bytes: new TextEncoder().encode(text), peer })))
  engine.seal(batch)
  return packets(batch)
}

/** What became of each packet: its text, or why it was dropped. */
function opened(engine: Engine, arriving: readonly Uint8Array[]): (string | number)[] {
  const batch = batchOf(arriving.map(bytes => ({ bytes })))
  batch.address.fill(path.remote)
  batch.port.fill(path.port)
  batch.local.fill(path.local)
  engine.open(batch)
  return arriving.map((_, i) =>
    batch.verdict[i] === Verdict.Forward ? new TextDecoder().decode(batch.packet(i)) : batch.reason[i]!,
  )
}

describe.each(engines)('$name: a client that cuts SHA-256 to 96 bits', ({ make }) => {
  test.each(sha256Suites.map((suite, n) => ({ ...suite, n })))('is heard, and answered alike: $cipher', ({ n }) => {
    const client = populate(reference.make(), 'client')
    const gateway = populate(make(), 'gateway')
    const [first, second, third] = sealed(client, n, REQUEST, 3)
    expect(opened(gateway, [cut(first!)])).toEqual([REQUEST])
    expect(gateway.takeEvents()).toEqual([
      { kind: 'first', peer: n, spi: 0x1000 + n },
      { kind: 'shortIcv', peer: n, spi: 0x1000 + n },
    ])
    expect(opened(gateway, [second!, cut(third!)])).toEqual([DropReason.BadPadding, REQUEST])
    expect(gateway.takeEvents()).toEqual([])

    const [answer] = sealed(gateway, n, REPLY)
    expect(opened(client, [answer!])).toEqual([REPLY])
    // A new pair of the same peer begins as the old one ended.
    const suite = sha256Suites[n]!
    gateway.installOutbound(outboundSa(suite, n, 0x3000))
    const [rekeyed] = sealed(gateway, n, REPLY)
    expect(rekeyed!.length).toBe(answer!.length)
  })

  test('is not taken for one where it proved the whole ICV first', () => {
    const client = populate(reference.make(), 'client')
    const gateway = populate(make(), 'gateway')
    const [first, second] = sealed(client, 0, REQUEST, 2)
    expect(opened(gateway, [first!, cut(second!)])).toEqual([REQUEST, DropReason.BadPadding])
    expect(gateway.takeEvents()).toEqual([{ kind: 'first', peer: 0, spi: 0x1000 }])
    expect(sealed(gateway, 0, REPLY)[0]!.length).toBe(first!.length)
  })

  test('is not made one by a packet that proves nothing', () => {
    const client = populate(reference.make(), 'client')
    const gateway = populate(make(), 'gateway')
    const [first, second] = sealed(client, 0, REQUEST, 2)
    const forged = cut(first!)
    forged[forged.length - 1]! ^= 1
    expect(opened(gateway, [forged, second!])).toEqual([DropReason.BadIcv, REQUEST])
    expect(gateway.inboundUsage(0x1000)).toMatchObject({ packets: 1, badIcv: 1 })
    expect(gateway.takeEvents()).toEqual([{ kind: 'first', peer: 0, spi: 0x1000 }])
  })

  test('is refused where the hash is another', () => {
    const others = suites.filter(s => s.integrity !== 'sha256')
    const client = populate(reference.make(), 'client', others)
    const gateway = populate(make(), 'gateway', others)
    for (const n of others.keys()) {
      const [first] = sealed(client, n, REQUEST)
      // Four bytes less are still whole words of GCM.
      const reason = others[n]!.integrity === 'gcm' ? DropReason.BadIcv : DropReason.BadPadding
      expect(opened(gateway, [cut(first!)])).toEqual([reason])
    }
  })
})

describe.each(engines.slice(1))('$name engine and the reference', ({ make }) => {
  test.each(Array.from({ length: 16 }, (_, seed) => seed))('agree on cut and whole packets mixed: seed %i', seed => {
    const below = numbers(seed)
    const client = populate(reference.make(), 'client')
    const ours = populate(make(), 'gateway')
    const theirs = populate(reference.make(), 'gateway')
    const roll = dice(`short ${seed}`)
    for (let round = 0; round < 6; round++) {
      const plain = Array.from({ length: 1 + below(40) }, () => ({
        bytes: roll(below(60)),
        peer: below(sha256Suites.length),
      }))
      const batch = batchOf(plain)
      client.seal(batch)
      const arriving = packets(batch).map(packet => {
        const changed = below(2) === 0 ? cut(packet) : packet
        if (below(6) === 0) changed[below(changed.length - 8) + 8]! ^= 1
        return below(10) === 0 ? changed.slice(0, below(changed.length)) : changed
      })
      const mine = batchOf(arriving.map(bytes => ({ bytes })))
      const twin = copyOf(mine)
      expect(ours.open(mine)).toBe(theirs.open(twin))
      expectSameRows(mine, twin)
      expect(ours.takeEvents()).toEqual(theirs.takeEvents())

      const back = batchOf(plain)
      const backTwin = copyOf(back)
      ours.seal(back)
      theirs.seal(backTwin)
      const shape = (b: typeof back) => packets(b).map(p => [p.length, toHex(p.subarray(0, 8))])
      expect(shape(back)).toEqual(shape(backTwin))
      for (const n of sha256Suites.keys()) {
        expect(ours.inboundUsage(0x1000 + n)).toEqual(theirs.inboundUsage(0x1000 + n))
        expect(ours.outboundUsage(n, 0x2000 + n)).toEqual(theirs.outboundUsage(n, 0x2000 + n))
      }
    }
  })
})
