import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FromWorker } from '../../src/gateway/messages.ts'
import { PuntReader, PuntWriter, puntOf } from '../../src/gateway/punt-ring.ts'
import { type Posted, ringMemory } from '../../src/gateway/shared-ring.ts'
import { Batch } from '../../src/packet/batch.ts'

/** Both ends over one memory, the port between them, and how often control was woken. */
function ends(words?: number) {
  const memory = ringMemory(words)
  const port: Posted<FromWorker>[] = []
  const woken = { times: 0 }
  const writer = new PuntWriter(
    memory,
    posted => port.push(structuredClone(posted)),
    () => woken.times++,
  )
  const reader = new PuntReader(memory)
  const heard: FromWorker[] = []
  /** So much of what the port has arrives, and of all that control then hears at most so many. */
  const hear = (arriving = port.length, most = Number.POSITIVE_INFINITY) => {
    for (const p of port.splice(0, arriving)) reader.posted(p)
    let left = most
    return reader.drain(m => {
      heard.push(m)
      return --left > 0
    })
  }
  return { port, writer, woken, heard, hear }
}

const word = fc.nat({ max: 0xffffffff })
const byte = fc.nat({ max: 255 })
const packets = fc.record({
  bytes: fc.uint8Array({ maxLength: 90 }),
  reason: byte,
  peer: word,
  session: word,
  sa: word,
  local: word,
  address: word,
  port: word,
})
type Packet = typeof packets extends fc.Arbitrary<infer P> ? P : never

/** The packet alone in a batch. */
function batchOf({ bytes, ...columns }: Packet): Batch {
  const batch = new Batch()
  batch.push(bytes)
  for (const [name, value] of Object.entries(columns)) batch[name as keyof typeof columns][0] = value
  return batch
}

const bug = (n: number): FromWorker => ({ kind: 'bug', text: `the ${n}th` })
const packet = (peer: number, length = 40): Packet => ({
  bytes: new Uint8Array(length).fill(peer),
  reason: 1,
  peer,
  session: 2,
  sa: 3,
  local: 4,
  address: 5,
  port: 6,
})

describe('the ring between a worker and control', () => {
  it('brings whatever a worker says in its order, however late the port is', () => {
    const said = fc.oneof(packets, fc.nat().map(bug))
    const turns = fc.array(
      fc.record({
        said: fc.array(said, { maxLength: 12 }),
        arriving: fc.nat({ max: 3 }),
        most: fc.integer({ min: 1, max: 20 }),
      }),
    )
    let rings = 0
    let ports = 0
    fc.assert(
      fc.property(turns, fc.constantFrom(2, 64, 128, 4096), (all, words) => {
        const { port, writer, heard, hear } = ends(words)
        const expected: FromWorker[] = []
        for (const turn of all) {
          const before = port.length
          for (const s of turn.said) {
            if ('kind' in s) writer.tell(s)
            else writer.punt(batchOf(s), 0)
            expected.push('kind' in s ? s : puntOf(batchOf(s), 0))
          }
          writer.flush()
          const posted = port.slice(before).reduce((sum, p) => sum + p.messages.length, 0)
          ports += posted
          rings += turn.said.length - posted
          hear(turn.arriving, turn.most)
          expect(heard).toEqual(expected.slice(0, heard.length))
        }
        expect(hear()).toBe(true)
        expect(heard).toEqual(expected)
      }),
    )
    expect(rings).toBeGreaterThan(0)
    expect(ports).toBeGreaterThan(0)
  })

  it('needs no port for packets, however long it goes on', () => {
    const { port, writer, heard, hear } = ends(1024)
    for (let i = 0; i < 1000; i++) {
      writer.punt(batchOf(packet(i, i % 200)), 0)
      writer.punt(batchOf(packet(i + 1, 1500)), 0)
      writer.flush()
      expect(port).toEqual([])
      hear()
    }
    expect(heard).toHaveLength(2000)
    expect(heard[1001]).toEqual(puntOf(batchOf(packet(501, 1500)), 0))
  })

  it('gives control bytes that it may keep', () => {
    const { writer, heard, hear } = ends(32)
    for (const peer of [1, 2, 3]) {
      writer.punt(batchOf(packet(peer)), 0)
      writer.flush()
      hear()
    }
    expect(heard).toEqual([1, 2, 3].map(peer => puntOf(batchOf(packet(peer)), 0)))
    for (const m of heard) expect(m.kind === 'punt' && m.bytes.buffer).toBeInstanceOf(ArrayBuffer)
  })

  it('wakes control once for all that was said, and not for nothing', () => {
    const { writer, woken } = ends()
    writer.flush()
    expect(woken.times).toBe(0)
    writer.punt(batchOf(packet(1)), 0)
    writer.punt(batchOf(packet(2)), 0)
    writer.tell(bug(1))
    expect(woken.times).toBe(0)
    writer.flush()
    writer.flush()
    expect(woken.times).toBe(1)
    writer.tell(bug(2))
    writer.flush()
    expect(woken.times).toBe(2)
  })

  it('takes the port where the ring is full, and the ring again when it has been read', () => {
    const { port, writer, heard, hear } = ends(64)
    for (const peer of [1, 2, 3, 4, 5]) writer.punt(batchOf(packet(peer)), 0)
    writer.flush()
    expect(port.map(p => p.messages.length)).toEqual([2])
    hear()
    writer.punt(batchOf(packet(6)), 0)
    writer.flush()
    expect(port).toEqual([])
    hear()
    expect(heard.map(m => m.kind === 'punt' && m.peer)).toEqual([1, 2, 3, 4, 5, 6])
  })
})
