import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { decapsulate } from '../../src/l2tp/decapsulate.ts'
import type { L2tpSessionIds } from '../../src/l2tp/effects.ts'
import { encapsulate } from '../../src/l2tp/encapsulate.ts'
import { Head, L2tpTable, SEQUENCED } from '../../src/l2tp/table.ts'
import { Batch } from '../../src/packet/batch.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { emitUdp } from '../../src/packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../../src/packet/verdict.ts'

const ids: L2tpSessionIds = {
  session: 5,
  peer: 3,
  localTunnelId: 0x1111,
  remoteTunnelId: 1,
  localSessionId: 0x2222,
  remoteSessionId: 2,
  remotePort: 49_152,
  localPort: 1701,
  template: 1,
  hostName: 'XPCLIENT',
  sequencing: false,
}

function isNumbered(table: L2tpTable, session: number): boolean {
  return (table.heads[session * 4 + Head.Tunnel]! & SEQUENCED) !== 0
}

/** An LCP frame, as PPP begins. */
const frame = fromHex('ff03c0210101000401020304')

describe('the table', () => {
  it('finds a session by peer and both IDs, and by nothing less', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    expect(table.find(3, 0x1111, 0x2222)).toBe(5)
    expect(table.find(4, 0x1111, 0x2222)).toBe(0)
    expect(table.find(3, 0x1112, 0x2222)).toBe(0)
    expect(table.find(3, 0x1111, 0x2223)).toBe(0)
    table.install({ ...ids, session: 6, peer: 4 })
    expect(table.find(4, 0x1111, 0x2222)).toBe(6)
    table.remove(5)
    expect([table.find(3, 0x1111, 0x2222), table.find(4, 0x1111, 0x2222)]).toEqual([0, 6])
    table.remove(5)
    table.remove(0)
    table.remove(99)
    expect(table.find(4, 0x1111, 0x2222)).toBe(6)
  })

  it('a row that is installed anew forgets what it was; the same session goes on counting', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    table.ns[5] = 9
    table.install({ ...ids, sequencing: true })
    expect([table.ns[5], isNumbered(table, 5)]).toEqual([9, true])
    table.install({ ...ids, localSessionId: 7 })
    expect([table.find(3, 0x1111, 0x2222), table.find(3, 0x1111, 7), table.ns[5]]).toEqual([0, 5, 0])
    table.install({ ...ids, session: 8, localSessionId: 7 })
    expect([table.has(5), table.find(3, 0x1111, 7)]).toEqual([false, 8])
  })

  it('refuses rows that cannot be', () => {
    const table = new L2tpTable(16)
    for (const session of [0, 16, -1]) expect(() => table.install({ ...ids, session })).toThrow(RangeError)
    expect(() => table.install({ ...ids, peer: 0 })).toThrow(RangeError)
    table.requireSequencing(5)
    expect(isNumbered(table, 5)).toBe(false)
  })

  it('is a map, whatever is installed and removed in whatever order, even when it is full', () => {
    const key = fc.record({
      session: fc.integer({ min: 1, max: 15 }),
      peer: fc.integer({ min: 1, max: 3 }),
      localTunnelId: fc.integer({ min: 1, max: 3 }),
      localSessionId: fc.integer({ min: 1, max: 3 }),
      install: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(key, { maxLength: 120 }), steps => {
        const table = new L2tpTable(16)
        const model = new Map<number, string>()
        for (const { install, ...k } of steps) {
          const name = `${k.peer}/${k.localTunnelId}/${k.localSessionId}`
          if (install) {
            for (const [row, other] of model) if (other === name) model.delete(row)
            model.set(k.session, name)
            table.install({ ...ids, ...k })
          } else {
            model.delete(k.session)
            table.remove(k.session)
          }
          for (let peer = 1; peer <= 3; peer++) {
            for (let t = 1; t <= 3; t++) {
              for (let s = 1; s <= 3; s++) {
                const row = [...model].find(([, n]) => n === `${peer}/${t}/${s}`)?.[0] ?? 0
                if (table.find(peer, t, s) !== row) return false
              }
            }
          }
        }
        return true
      }),
      { numRuns: 60 },
    )
  })
})

describe('decapsulate', () => {
  let batch: Batch
  const table = new L2tpTable(16)
  table.install(ids)

  beforeEach(() => {
    batch = new Batch()
  })

  function push(packet: Uint8Array, peer = 3, protocol = 17): number {
    const i = batch.push(packet)
    batch.peer[i] = peer
    batch.protocol[i] = protocol
    return i
  }

  const udp = (l2tp: string | Uint8Array, port = 1701) =>
    emitUdp(49_152, port, typeof l2tp === 'string' ? fromHex(l2tp) : l2tp)
  const body = toHex(frame)

  it.each([
    ['as Windows sends it', `0002 1111 2222 ${body}`],
    ['with a length', `4002 0014 1111 2222 ${body}`],
    ['with a length and padding behind it', `4002 0014 1111 2222 ${body} 0000`],
    ['with sequence numbers', `0802 1111 2222 0007 0000 ${body}`],
    ['with an offset of nothing', `0202 1111 2222 0000 ${body}`],
    ['with an offset', `0202 1111 2222 0003 aabbcc ${body}`],
    ['with everything, priority and reserved bits included', `7bf2 001c 1111 2222 0007 0000 0002 aabb ${body}`],
  ])('takes a data message %s', (_, hex) => {
    const i = push(udp(hex))
    decapsulate(batch, table)
    expect(batch.verdict[i]).toBe(Verdict.Forward)
    expect(batch.session[i]).toBe(5)
    expect(toHex(batch.packet(i))).toBe(body)
  })

  it('looks at no UDP checksum: NAT has made it wrong', () => {
    const packet = udp(`0002 1111 2222 ${body}`)
    packet[6] = 0xde
    packet[7] = 0xad
    const i = push(packet)
    decapsulate(batch, table)
    expect(batch.verdict[i]).toBe(Verdict.Forward)
  })

  it('hands control messages up from the UDP header on, without what ESP left behind them', () => {
    const packet = udp('c802 000c 0001 0000 0001 0001')
    const i = push(Buffer.concat([packet, Buffer.alloc(3)]))
    decapsulate(batch, table)
    expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Punt, PuntReason.L2tpControl])
    expect(toHex(batch.packet(i))).toBe(toHex(packet))
  })

  it.each<[string, Uint8Array, number]>([
    ['another port', udp(`0002 1111 2222 ${body}`, 1702), DropReason.NotL2tp],
    ['half a UDP header', fromHex('c000 06a5 0014'), DropReason.Truncated],
    ['a UDP length beyond the packet', fromHex('c000 06a5 00ff 0000 0002 1111 2222 c021'), DropReason.Truncated],
    ['a UDP length below its header', fromHex('c000 06a5 0007 0000 0002 1111 2222 c021'), DropReason.Truncated],
    ['no L2TP at all', udp(''), DropReason.Truncated],
    ['half a header', udp('0002 1111'), DropReason.Truncated],
    ['version 3', udp(`0003 1111 2222 ${body}`), DropReason.BadL2tp],
    ['a control message of version 3', udp('c803 000c 0001 0000 0001 0001'), DropReason.BadL2tp],
    ['a length beyond the packet', udp(`4002 0015 1111 2222 ${body}`), DropReason.Truncated],
    ['a length below its header', udp(`4002 0007 1111 2222 ${body}`), DropReason.Truncated],
    ['sequence numbers that are not there', udp('0802 1111 2222 00'), DropReason.Truncated],
    ['an offset that is not there', udp('0202 1111 2222 00'), DropReason.Truncated],
    ['an offset beyond the packet', udp(`0202 1111 2222 ffff ${body}`), DropReason.Truncated],
    ['no frame', udp('0002 1111 2222'), DropReason.Truncated],
    ['a tunnel of nobody', udp(`0002 1112 2222 ${body}`), DropReason.UnknownSession],
    ['a session of nobody', udp(`0002 1111 2223 ${body}`), DropReason.UnknownSession],
  ])('drops %s', (_, packet, reason) => {
    const i = push(packet)
    decapsulate(batch, table)
    expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Drop, reason])
  })

  it("drops what is not UDP, and another peer's session", () => {
    const tcp = push(udp(`0002 1111 2222 ${body}`), 3, 6)
    const foreign = push(udp(`0002 1111 2222 ${body}`), 4)
    const own = push(udp(`0002 1111 2222 ${body}`))
    decapsulate(batch, table)
    expect([batch.reason[tcp], batch.reason[foreign]]).toEqual([DropReason.NotL2tp, DropReason.UnknownSession])
    expect([batch.verdict[own], batch.session[own], batch.session[foreign]]).toEqual([Verdict.Forward, 5, 0])
  })

  it('leaves alone what was dropped or punted before', () => {
    const i = push(udp(`0002 1111 2222 ${body}`))
    batch.verdict[i] = Verdict.Drop
    batch.reason[i] = DropReason.Replayed
    const before = toHex(batch.packet(i))
    decapsulate(batch, table)
    expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Drop, DropReason.Replayed])
    expect(toHex(batch.packet(i))).toBe(before)
  })

  it('whatever the bytes: a verdict, and a packet that lies within what was received', () => {
    const header = fc.tuple(
      fc.integer({ min: 0, max: 0x7fff }).map(f => (f & 0xfff0) | 2),
      fc.uint8Array({ maxLength: 40 }),
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(header, fc.uint8Array({ maxLength: 60 })), { maxLength: 64 }), packets => {
        const random = new Batch()
        for (const p of packets) {
          const bytes = Array.isArray(p)
            ? udp(Buffer.concat([Uint8Array.of((p[0] as number) >>> 8, p[0] as number), p[1] as Uint8Array]))
            : (p as Uint8Array)
          const i = random.push(bytes)
          random.peer[i] = 3
          random.protocol[i] = 17
        }
        const start = random.offset.slice()
        const length = random.length.slice()
        decapsulate(random, table)
        for (let i = 0; i < random.count; i++) {
          const begin = random.offset[i]!
          expect(begin).toBeGreaterThanOrEqual(start[i]!)
          expect(begin + random.length[i]!).toBeLessThanOrEqual(start[i]! + length[i]!)
          if (random.verdict[i] === Verdict.Forward)
            expect([random.session[i], random.length[i]! > 0]).toEqual([5, true])
        }
      }),
    )
  })
})

describe('encapsulate', () => {
  function one(table: L2tpTable, session: number, packet = frame) {
    const batch = new Batch()
    const i = batch.push(packet)
    batch.session[i] = session
    encapsulate(batch, table)
    return { verdict: batch.verdict[i], reason: batch.reason[i], hex: toHex(batch.packet(i)), batch }
  }

  it('puts UDP without checksum and six bytes of L2TP in front', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    const { hex, batch } = one(table, 5)
    expect(hex).toBe(`06a5c000001a0000000200010002${toHex(frame)}`)
    expect([batch.peer[0], batch.protocol[0], batch.verdict[0]]).toEqual([3, 17, Verdict.Forward])
  })

  it('counts where the peer asked for it, and begins anew behind 65535', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    table.requireSequencing(5)
    table.ns[5] = 0xffff
    const packets = [one(table, 5).hex, one(table, 5).hex]
    expect(packets).toEqual([
      `06a5c000001e0000080200010002ffff0000${toHex(frame)}`,
      `06a5c000001e000008020001000200000000${toHex(frame)}`,
    ])
  })

  it('drops what is of no session, or has no room', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    for (const session of [0, 6, 16, 0xffffffff]) {
      expect(one(table, session)).toMatchObject({ verdict: Verdict.Drop, reason: DropReason.UnknownSession })
    }
    const batch = new Batch()
    for (const offset of [13, 14]) {
      const i = batch.push(frame)
      batch.session[i] = 5
      batch.offset[i] = offset
    }
    encapsulate(batch, table)
    expect([...batch.verdict.subarray(0, 2)]).toEqual([Verdict.Drop, Verdict.Forward])
    expect([batch.reason[0], batch.offset[1]]).toEqual([DropReason.TooBig, 0])
  })

  it('leaves alone what was dropped before', () => {
    const table = new L2tpTable(16)
    table.install(ids)
    const batch = new Batch()
    const i = batch.push(frame)
    batch.session[i] = 5
    batch.verdict[i] = Verdict.Drop
    encapsulate(batch, table)
    expect(toHex(batch.packet(i))).toBe(toHex(frame))
  })

  it('is undone by decapsulate at the other end', () => {
    const ours = new L2tpTable(16)
    const theirs = new L2tpTable(16)
    theirs.install({ ...ids, session: 9, localTunnelId: ids.remoteTunnelId, localSessionId: ids.remoteSessionId })
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 1500 }), fc.boolean(), (packet, sequencing) => {
        ours.install({ ...ids, remotePort: 1701, sequencing })
        const { batch } = one(ours, 5, packet)
        decapsulate(batch, theirs)
        expect([batch.verdict[0], batch.session[0]]).toEqual([Verdict.Forward, 9])
        expect(batch.packet(0)).toEqual(packet)
      }),
    )
  })
})
