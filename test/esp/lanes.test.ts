/** Packets that are signed side by side: one that is damaged is dropped alone, whatever lane it has and whoever is beside it. */

import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { batchOf, dice, engines, inboundSa, numbers, outboundSa, packets, path, suites } from './support.ts'

const material = dice('lanes')(1500)
const members = suites.filter(s => s.integrity === 'sha1')
const [reference, ...natives] = engines

function populate(engine: Engine): Engine {
  members.forEach((suite, n) => {
    engine.setPath({ peer: n, ...path })
    engine.installOutbound(outboundSa(suite, n, 0x1000 + n))
    engine.installInbound(inboundSa(suite, n, 0x1000 + n, { replayWindow: 0 }))
  })
  return engine
}

/** So many packets of all lengths around whole blocks of the hash, for SAs of all ciphers. */
function sealed(count: number): Uint8Array[] {
  const below = numbers(count)
  const batch = batchOf(
    Array.from({ length: count }, (_, i) => ({
      bytes: material.subarray(0, below(2) === 0 ? below(140) : below(1400)),
      peer: i % members.length,
    })),
  )
  populate(reference!.make()).seal(batch)
  return packets(batch)
}

describe.each(natives)('$name', ({ make }) => {
  test.each([1, 2, 7, 15, 16, 17, 23, 31, 33, 40])('drops what was damaged, and nothing else, of %i', count => {
    const whole = sealed(count)
    const engine = populate(make())
    for (let bad = 0; bad < count; bad++) {
      // The ICV's first and last bit, and one of the text.
      const length = whole[bad]!.length
      const at = [length - 12, length - 1, Math.floor(length / 2)][bad % 3]!
      const rows = whole.map((bytes, i) => ({ bytes: i === bad ? bytes.with(at, bytes[at]! ^ 1) : bytes }))
      const batch = batchOf(rows)
      engine.open(batch)
      const fates = Array.from({ length: count }, (_, i) => [batch.verdict[i], batch.reason[i]])
      expect(fates[bad]).toEqual([Verdict.Drop, DropReason.BadIcv])
      expect(fates.filter(([verdict]) => verdict === Verdict.Drop)).toHaveLength(1)
    }
    const batch = batchOf(whole.map(bytes => ({ bytes })))
    engine.open(batch)
    expect([...batch.verdict.subarray(0, count)]).not.toContain(Verdict.Drop)
    for (const packet of packets(batch)) expect(packet).toEqual(material.slice(0, packet.length))
  })
})
