/** What the kernel tells of packets: messages made by hand, cut short, and of any bytes at all. */

import { endianness } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostLog } from '../../src/gateway/host-log.ts'
import type { Native, NativeWatcher } from '../../src/gateway/native.ts'
import { emitBind, parseAnswer, parsePackets } from '../../src/gateway/nflog.ts'

const LITTLE = endianness() === 'LE'
const PACKET = 0x400
const PREFIX = 10
const PAYLOAD = 9

const word = (value: number) => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, LITTLE)
  return bytes
}
const half = (value: number) => {
  const bytes = new Uint8Array(2)
  new DataView(bytes.buffer).setUint16(0, value, LITTLE)
  return bytes
}
const padded = (bytes: Uint8Array) => Uint8Array.from([...bytes, ...new Uint8Array(-bytes.length & 3)])
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap(p => [...p]))
const attribute = (type: number, value: Uint8Array) => padded(join(half(4 + value.length), half(type), value))
const message = (type: number, ...attributes: Uint8Array[]) => {
  const body = join(Uint8Array.of(2, 0, 0x42, 0x72), ...attributes)
  return padded(join(word(16 + body.length), half(type), half(0), word(0), word(0), body))
}
const named = (prefix: string, ...bytes: number[]) =>
  message(
    PACKET,
    attribute(1, new Uint8Array(4)),
    attribute(PREFIX, Buffer.from(`${prefix}\0`)),
    attribute(PAYLOAD, Uint8Array.from(bytes)),
  )

describe('a message of packets', () => {
  it('bears several, each with its prefix', () => {
    const bytes = join(named('deny 1 eth0 -', 0x45, 1, 2), named('allow 2 eth0 vlan1', 0x45, 3, 4, 5, 6))
    expect(parsePackets(bytes)).toEqual([
      { prefix: 'deny 1 eth0 -', bytes: Uint8Array.of(0x45, 1, 2) },
      { prefix: 'allow 2 eth0 vlan1', bytes: Uint8Array.of(0x45, 3, 4, 5, 6) },
    ])
  })

  it('without a packet in it, or of something else, is none', () => {
    expect(parsePackets(message(PACKET, attribute(PREFIX, Buffer.from('x\0'))))).toEqual([])
    expect(parsePackets(message(0x401, attribute(PAYLOAD, Uint8Array.of(1))))).toEqual([])
    expect(parsePackets(join(message(3), named('a', 1)))).toEqual([{ prefix: 'a', bytes: Uint8Array.of(1) }])
  })

  it('cut short anywhere bears what came whole', () => {
    const whole = join(named('first', 1, 2, 3), named('second', 4))
    const first = named('first', 1, 2, 3).length
    for (let length = 0; length < whole.length; length++) {
      const names = parsePackets(whole.subarray(0, length)).map(p => p.prefix)
      expect(names).toEqual(length < first ? [] : ['first'])
    }
  })

  it('has prefixes of printable characters, of a bounded length', () => {
    const [packet] = parsePackets(
      message(PACKET, attribute(PREFIX, new Uint8Array(500).fill(7)), attribute(PAYLOAD, half(1))),
    )
    expect(packet?.prefix).toBe('?'.repeat(127))
  })

  it('of any bytes whatever ends, and bears nothing from outside of itself', () => {
    const tampered = fc.tuple(fc.nat(200), fc.nat(255), fc.uint8Array({ maxLength: 80 }))
    fc.assert(
      fc.property(fc.array(tampered, { maxLength: 12 }), changes => {
        const bytes = join(named('first', 1, 2, 3), named('second', 4), named('third'))
        for (const [at, value, run] of changes) {
          bytes[at % bytes.length] = value
          bytes.set(run.subarray(0, Math.max(0, bytes.length - (at % bytes.length))), at % bytes.length)
        }
        for (const p of parsePackets(bytes)) {
          expect(p.bytes.byteOffset).toBeGreaterThanOrEqual(bytes.byteOffset)
          expect(p.bytes.byteOffset + p.bytes.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length)
        }
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => parsePackets(bytes).length <= bytes.length / 20),
      { numRuns: 500 },
    )
  })
})

describe('what is asked', () => {
  it('names the group, how much of a packet and how many at a time', () => {
    const [bind, mode] = emitBind(17_010, 128, 32, 50)
    expect(bind!.length % 4).toBe(0)
    const view = new DataView(bind!.buffer)
    expect([view.getUint32(0, LITTLE), view.getUint16(4, LITTLE), view.getUint16(18)]).toEqual([28, 0x401, 17_010])
    expect([...bind!.subarray(20)]).toEqual([...attribute(1, Uint8Array.of(1))])
    expect([...mode!.subarray(20)]).toEqual([
      ...attribute(2, Uint8Array.of(0, 0, 0, 128, 2, 0)),
      ...attribute(5, Uint8Array.of(0, 0, 0, 32)),
      ...attribute(4, Uint8Array.of(0, 0, 0, 5)),
    ])
  })

  it('is answered with an error number', () => {
    const answer = (error: number) =>
      join(word(36), half(2), half(0), word(0), word(0), word(-error >>> 0), new Uint8Array(16))
    expect([parseAnswer(answer(0)), parseAnswer(answer(16))]).toEqual([-0, 16])
    expect(parseAnswer(answer(1).subarray(0, 19))).toBeUndefined()
    expect(parseAnswer(named('x', 1))).toBeUndefined()
  })
})

/** A kernel of ours: groups that are taken, and messages that wait. */
function kernel(taken: readonly number[], refusal = 16) {
  const waiting: (Uint8Array | number)[] = []
  const closed: number[] = []
  let readable = () => undefined as unknown
  const native = {
    netfilterSocket: () => 7,
    netlinkSend: (_: number, bytes: Uint8Array) => {
      const group = (bytes[18]! << 8) | bytes[19]!
      const error = taken.includes(group) ? refusal : 0
      waiting.push(join(word(36), half(2), half(0), word(0), word(0), word(-error >>> 0), new Uint8Array(16)))
    },
    netlinkReceive: (_: number, buffer: Uint8Array) => {
      const next = waiting.shift() ?? -1
      if (typeof next === 'number') return next
      buffer.set(next)
      return next.length
    },
    watch: (_: number, f: () => void) => {
      readable = f
      return {} as NativeWatcher
    },
    unwatch: () => undefined,
    close: (fd: number) => closed.push(fd),
  } as unknown as Native
  return { native, waiting, closed, wake: () => readable() }
}

describe('the log of the host', () => {
  it('takes the first group that nobody has', () => {
    expect(HostLog.open(kernel([]).native).group).toBe(17_010)
    expect(HostLog.open(kernel([17_010, 17_011]).native).group).toBe(17_012)
  })

  it('is not to be had where the kernel refuses, and leaves no socket', () => {
    const k = kernel([17_010], 22)
    expect(() => HostLog.open(k.native)).toThrow('nfnetlink_log answers error 22')
    expect(k.closed).toEqual([7])
    const all = kernel(Array.from({ length: 64 }, (_, i) => 17_010 + i))
    expect(() => HostLog.open(all.native)).toThrow('taken')
  })

  it('tells what waits, a bounded part at a time, and counts what was lost', () => {
    const k = kernel([])
    const log = HostLog.open(k.native)
    const told: string[][] = []
    log.listen(packets => told.push(packets.map(p => p.prefix)))
    k.waiting.push(join(named('a', 1), named('b', 2)), -2, named('c', 3))
    k.wake()
    expect(told).toEqual([['a', 'b', 'c']])
    expect(log.overruns).toBe(1)
    for (let i = 0; i < 100; i++) k.waiting.push(named('d', 4))
    k.wake()
    expect(told[1]).toHaveLength(8)
    expect(k.waiting).toHaveLength(92)
  })
})
