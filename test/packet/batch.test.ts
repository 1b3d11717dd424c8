import { describe, expect, it } from 'vitest'
import {
  BATCH_CAPACITY,
  Batch,
  batchLayout,
  HEADROOM,
  MAX_PACKET,
  SLOT_SIZE,
  TAILROOM,
} from '../../src/packet/batch.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'

const columns = [
  'offset',
  'length',
  'peer',
  'session',
  'sa',
  'address',
  'port',
  'local',
  'protocol',
  'verdict',
  'reason',
  'segment',
  'next',
] as const

describe('a batch', () => {
  it('has columns that do not overlap and are aligned for their words', () => {
    const b = new Batch()
    const ranges = [...columns, 'bytes' as const]
      .map(name => ({ name, from: b[name].byteOffset, to: b[name].byteOffset + b[name].byteLength }))
      .sort((x, y) => x.from - y.from)
    for (const r of ranges) expect(r.from, r.name).toBe(batchLayout[r.name])
    for (let i = 1; i < ranges.length; i++) {
      expect(ranges[i]!.from, `${ranges[i - 1]!.name} before ${ranges[i]!.name}`).toBeGreaterThanOrEqual(
        ranges[i - 1]!.to,
      )
    }
    expect(ranges.at(-1)!.to).toBe(batchLayout.size)
    expect(b.buffer.byteLength).toBe(batchLayout.size)
    expect(b.bytes.length).toBe(BATCH_CAPACITY * SLOT_SIZE)
    for (const name of columns) expect(b[name].length, name).toBe(BATCH_CAPACITY)
  })

  it('leaves room before and behind the largest packet', () => {
    expect(HEADROOM).toBeGreaterThanOrEqual(4 + 8 + 8 + 8 + 16)
    expect(TAILROOM).toBeGreaterThanOrEqual(16 + 2 + 32)
    expect(HEADROOM + MAX_PACKET + TAILROOM).toBe(SLOT_SIZE)
  })

  it('takes as many packets as it has slots, each apart from its neighbours', () => {
    const b = new Batch()
    for (let i = 0; i < BATCH_CAPACITY; i++) expect(b.push(new Uint8Array(MAX_PACKET).fill(i + 1))).toBe(i)
    expect(b.count).toBe(BATCH_CAPACITY)
    for (let i = 0; i < BATCH_CAPACITY; i++) {
      expect(b.offset[i]).toBe(i * SLOT_SIZE + HEADROOM)
      const packet = b.packet(i)
      expect(packet.length).toBe(MAX_PACKET)
      expect(packet.every(byte => byte === ((i + 1) & 255))).toBe(true)
    }
  })

  it('makes each row anew, whatever it held before', () => {
    const b = new Batch()
    const i = b.push(Uint8Array.of(1))
    for (const name of columns) b[name][i] = 77
    b.clear()
    expect(b.count).toBe(0)
    const again = b.push(Uint8Array.of(5, 6))
    expect(again).toBe(i)
    expect(b.offset[i]).toBe(HEADROOM)
    expect(b.length[i]).toBe(2)
    for (const name of columns.slice(2)) expect(b[name][i], name).toBe(0)
    expect(b.verdict[i]).toBe(Verdict.Forward)
    expect(b.reason[i]).toBe(DropReason.None)
  })

  it('shows a packet as it stands now, in place', () => {
    const b = new Batch()
    const i = b.push(Uint8Array.of(1, 2, 3, 4))
    b.offset[i]! += 1
    b.length[i]! -= 2
    expect([...b.packet(i)]).toEqual([2, 3])
    b.packet(i)[0] = 9
    expect(b.bytes[HEADROOM + 1]).toBe(9)
  })
})
