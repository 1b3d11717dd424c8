import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Batch, SLOT_SIZE } from '../../src/packet/batch.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { DropReason, PuntReason, Verdict } from '../../src/packet/verdict.ts'
import { decapsulate } from '../../src/ppp/decapsulate.ts'
import { encapsulate } from '../../src/ppp/encapsulate.ts'
import { PppTable } from '../../src/ppp/table.ts'

const FULL = { up: true, compressAddress: false, compressProtocol: false }

function batchOf(session: number, ...packets: readonly string[]): Batch {
  const batch = new Batch()
  for (const hex of packets) batch.session[batch.push(fromHex(hex))] = session
  return batch
}

const verdicts = (b: Batch) =>
  Array.from({ length: b.count }, (_, i) => [b.verdict[i], b.reason[i], toHex(b.packet(i))])

describe('decapsulate', () => {
  it('finds IPv4 behind every form of header', () => {
    const table = new PppTable()
    table.set(7, FULL)
    const batch = batchOf(7, 'ff0300214500', '00214500', 'ff03214500', '214500')
    decapsulate(batch, table)
    expect(verdicts(batch)).toEqual(Array(4).fill([Verdict.Forward, 0, '4500']))
  })

  it('punts everything else from its first byte', () => {
    const table = new PppTable()
    table.set(7, FULL)
    const frames = ['ff03c0210901000400', 'c02109010004', '80fd01010004', '00570000', 'fd00', 'ff03c021']
    const batch = batchOf(7, ...frames)
    decapsulate(batch, table)
    expect(verdicts(batch)).toEqual(frames.map(f => [Verdict.Punt, PuntReason.PppControl, f]))
  })

  it('drops what has no protocol, an even one, or nothing behind it', () => {
    const table = new PppTable()
    table.set(7, FULL)
    const frames = ['', 'ff03', '00', 'c0', 'ff03c0', '0020', 'ff030000', '0021', '21', 'ff030021']
    const batch = batchOf(7, ...frames)
    decapsulate(batch, table)
    expect(verdicts(batch)).toEqual(frames.map(f => [Verdict.Drop, DropReason.BadPpp, f]))
  })

  it('drops IPv4 of a link that is not up, but punts its control frames', () => {
    const table = new PppTable()
    table.set(7, FULL)
    table.clear(7)
    table.set(8, { ...FULL, up: false, compressAddress: true })
    for (const session of [0, 7, 8]) {
      const batch = batchOf(session, 'ff0300214500', 'ff03c02101010004')
      decapsulate(batch, table)
      expect([...batch.verdict.subarray(0, 2)]).toEqual([Verdict.Drop, Verdict.Punt])
    }
  })

  it('leaves packets alone that others have decided on', () => {
    const table = new PppTable()
    table.set(7, FULL)
    const batch = batchOf(7, '00214500', '00214500')
    batch.verdict[0] = Verdict.Drop
    batch.reason[0] = DropReason.BadIcv
    decapsulate(batch, table)
    expect(verdicts(batch)).toEqual([
      [Verdict.Drop, DropReason.BadIcv, '00214500'],
      [Verdict.Forward, 0, '4500'],
    ])
  })
})

describe('encapsulate', () => {
  it.each([
    [false, false, 'ff0300214500'],
    [true, false, '00214500'],
    [false, true, 'ff03214500'],
    [true, true, '214500'],
  ])('ACFC %s, PFC %s', (compressAddress, compressProtocol, expected) => {
    const table = new PppTable()
    table.set(3, { up: true, compressAddress, compressProtocol })
    const batch = batchOf(3, '4500')
    encapsulate(batch, table)
    expect(verdicts(batch)).toEqual([[Verdict.Forward, 0, expected]])
  })

  it('sends nothing to a link that is not up', () => {
    const batch = batchOf(3, '4500')
    encapsulate(batch, new PppTable())
    expect(verdicts(batch)).toEqual([[Verdict.Drop, DropReason.NoRoute, '4500']])
  })
})

it('what encapsulate makes, decapsulate takes, without a neighbour being touched', () => {
  const flags = fc.record({ up: fc.constant(true), compressAddress: fc.boolean(), compressProtocol: fc.boolean() })
  const packets = fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 1400 }), flags), {
    minLength: 1,
    maxLength: 64,
  })
  fc.assert(
    fc.property(packets, list => {
      const table = new PppTable()
      const batch = new Batch()
      for (const [i, [bytes, f]] of list.entries()) {
        batch.session[batch.push(bytes)] = i + 1
        table.set(i + 1, f)
      }
      encapsulate(batch, table)
      decapsulate(batch, table)
      for (const [i, [bytes]] of list.entries()) {
        expect(batch.verdict[i]).toBe(Verdict.Forward)
        expect(batch.offset[i]).toBe(i * SLOT_SIZE + 64)
        expect(Buffer.compare(batch.packet(i), bytes)).toBe(0)
      }
    }),
    { numRuns: 50 },
  )
})

it('random frames leave only rows within their bounds', () => {
  const table = new PppTable()
  table.set(1, FULL)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), bytes => {
      const batch = new Batch()
      batch.session[batch.push(bytes)] = 1
      const [start, end] = [batch.offset[0]!, batch.offset[0]! + bytes.length]
      decapsulate(batch, table)
      expect(batch.offset[0]! >= start && batch.offset[0]! + batch.length[0]! === end).toBe(true)
    }),
  )
})
