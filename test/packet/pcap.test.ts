import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { type CapturedPacket, emitPcapng, emitPcapngHeader, emitPcapngPacket } from '../../src/packet/pcap.ts'
import { Reader } from '../../src/packet/reader.ts'

interface Block {
  readonly type: number
  readonly body: Uint8Array
}

/** The blocks of a capture; fails where the two lengths of one differ. */
function blocks(capture: Uint8Array): Block[] {
  const found: Block[] = []
  const r = new Reader(capture)
  while (r.left > 0) {
    const type = r.u32()
    const length = r.u32()
    const body = r.copy(length - 12)
    expect(r.u32()).toBe(length)
    expect(length % 4).toBe(0)
    found.push({ type, body })
  }
  return found
}

/** An enhanced packet block read back. */
function packet(body: Uint8Array): CapturedPacket {
  const r = new Reader(body)
  expect(r.u32()).toBe(0)
  const at = (r.u32() * 0x1_0000_0000 + r.u32()) / 1000
  const length = r.u32()
  expect(r.u32()).toBe(length)
  const padded = (n: number) => r.copy(n + (-n & 3)).slice(0, n)
  const bytes = padded(length)
  const options = new Map<number, Uint8Array>()
  while (r.left > 0) {
    const code = r.u16()
    const value = padded(r.u16())
    if (code === 0) expect(r.left).toBe(0)
    else options.set(code, value)
  }
  const comment = options.get(1)
  const flags = options.get(2)
  return {
    at,
    bytes,
    ...(comment ? { comment: new TextDecoder().decode(comment) } : {}),
    ...(flags ? { direction: flags[3] === 1 ? 'inbound' : 'outbound' } : {}),
  }
}

describe('a capture', () => {
  it('begins with a section and an interface of bare IPv4', () => {
    expect(toHex(emitPcapngHeader())).toBe(
      [
        ...['0a0d0d0a', '0000001c', '1a2b3c4d', '00010000', 'ffffffff', 'ffffffff', '0000001c'],
        ...['00000001', '00000014', '00e40000', '00000000', '00000014'],
      ].join(''),
    )
  })

  it('names the interface', () => {
    const [, description] = blocks(emitPcapngHeader('gateway'))
    // if_name (2), seven bytes filled up to eight, and the end of the options.
    expect(toHex(description!.body.subarray(8))).toBe('00020007676174657761790000000000')
  })

  it('has several interfaces, and says of each packet which was its', () => {
    const [, ...descriptions] = blocks(emitPcapngHeader(['outer', 'inner']))
    expect(descriptions.map(d => d.type)).toEqual([1, 1])
    const number = (packet: Partial<CapturedPacket>) =>
      blocks(emitPcapngPacket({ at: 0, bytes: new Uint8Array(4), ...packet }))[0]!.body.subarray(0, 4)
    expect([number({}), number({ interface: 0 }), number({ interface: 1 })].map(toHex)).toEqual([
      ...['00000000', '00000000', '00000001'],
    ])
  })

  it('holds each packet with its time in microseconds, filled up to whole words', () => {
    const at = Date.UTC(2026, 0, 1) + 0.25
    const micros = BigInt(Date.UTC(2026, 0, 1)) * 1000n + 250n
    const word = (n: bigint) => n.toString(16).padStart(8, '0')
    expect(toHex(emitPcapngPacket({ at, bytes: fromHex('4500000501') }))).toBe(
      [
        ...['00000006', '00000028', '00000000', word(micros >> 32n), word(micros & 0xffffffffn)],
        ...['00000005', '00000005', '45000005', '01000000', '00000028'],
      ].join(''),
    )
  })

  it('tells which way a packet went', () => {
    const flags = (direction: 'inbound' | 'outbound') =>
      toHex(blocks(emitPcapngPacket({ at: 0, bytes: new Uint8Array(4), direction }))[0]!.body.subarray(24))
    expect(flags('inbound')).toBe('000200040000000100000000')
    expect(flags('outbound')).toBe('000200040000000200000000')
  })

  it('cuts a comment that no length field could count', () => {
    const [only] = blocks(emitPcapngPacket({ at: 0, bytes: new Uint8Array(4), comment: 'x'.repeat(70_000) }))
    expect(packet(only!.body).comment).toHaveLength(65_535)
  })

  it('gives back any packets in their order', () => {
    const arbitrary: fc.Arbitrary<CapturedPacket> = fc.record(
      {
        at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
        bytes: fc.uint8Array({ maxLength: 60 }),
        direction: fc.constantFrom('inbound' as const, 'outbound' as const),
        comment: fc.string({ maxLength: 20 }),
      },
      { requiredKeys: ['at', 'bytes'] },
    )
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 6 }), packets => {
        const [section, description, ...rest] = blocks(emitPcapng(packets, 'any'))
        expect([section!.type, description!.type]).toEqual([0x0a0d0d0a, 1])
        expect(rest.every(b => b.type === 6)).toBe(true)
        expect(rest.map(b => packet(b.body))).toEqual(packets)
      }),
    )
  })
})
