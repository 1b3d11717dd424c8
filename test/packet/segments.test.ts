import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BATCH_CAPACITY, Batch, READING_ROOM, SLOT_SIZE } from '../../src/packet/batch.ts'
import { Cutter, headersOf, holdsSuper, packetsIn } from '../../src/packet/cut.ts'
import { emitIpv4, emitUdp, IpProtocol, ipv4, TcpFlag } from '../../src/packet/ip.ts'
import { Merger } from '../../src/packet/merge.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import {
  assemble,
  chains,
  hasRightChecksums,
  pushSuper,
  SegmentReference,
  setChecksums,
  type TcpFields,
  tcpPacket,
} from '../support/segments.ts'

const ANNEX = BATCH_CAPACITY * SLOT_SIZE
const A = ipv4('10.0.0.1')
const B = ipv4('10.0.0.2')
const ends = { source: A, destination: B, sourcePort: 5001, destinationPort: 443 }
const bytes = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >>> 8)) & 0xff)

/** Every batch that a batch is cut into. */
function cutAll(batch: Batch): Batch[] {
  const cutter = new Cutter(new SegmentReference())
  const out: Batch[] = []
  cutter.begin()
  for (;;) {
    const pieces = new Batch()
    if (!cutter.next(batch, pieces)) return out
    out.push(pieces)
  }
}

const packets = (batches: readonly Batch[]) =>
  batches.flatMap(b => Array.from({ length: b.count }, (_, i) => b.packet(i).slice()))

function superBatch(packet: Uint8Array, segment: number): Batch {
  const batch = new Batch(READING_ROOM)
  const i = pushSuper(batch, packet, segment, ANNEX)
  batch.peer[i] = 7
  batch.session[i] = 9
  return batch
}

const sequenceOf = (packet: Uint8Array) => new DataView(packet.buffer, packet.byteOffset).getUint32(24)
const identificationOf = (packet: Uint8Array) => (packet[4]! << 8) | packet[5]!
/** What may differ where DF is set. */
const withoutIdentification = (packet: Uint8Array) => {
  const copy = packet.slice()
  if (copy[6]! & 0x40) copy.fill(0, 4, 6).fill(0, 10, 12)
  return copy
}

const anySuper = fc.record({
  length: fc.integer({ min: 1, max: 65_000 }),
  segment: fc.integer({ min: 1, max: 1400 }),
  sequence: fc.integer({ min: 0, max: 0xffffffff }),
  identification: fc.integer({ min: 0, max: 0xffff }),
  dontFragment: fc.boolean(),
  flags: fc.constantFrom(TcpFlag.Ack, TcpFlag.Ack | TcpFlag.Psh, TcpFlag.Ack | TcpFlag.Psh | TcpFlag.Fin),
  options: fc.integer({ min: 0, max: 10 }).map(words => bytes(words * 4)),
})

describe('a super-segment', () => {
  it('is cut into packets of the right size, numbers, flags and checksums', () => {
    const flags = TcpFlag.Ack | TcpFlag.Psh | TcpFlag.Fin | TcpFlag.Cwr
    const payload = bytes(3100)
    const packet = tcpPacket({ ...ends, sequence: 0xfffffff0, identification: 0xffff, flags, payload })
    const [pieces, ...more] = cutAll(superBatch(packet, 1000))
    expect(more).toEqual([])
    const cut = packets([pieces!])
    expect(cut.map(p => p.length)).toEqual([1040, 1040, 1040, 140])
    expect(cut.map(p => (p[2]! << 8) | p[3]!)).toEqual([1040, 1040, 1040, 140])
    expect(cut.map(sequenceOf)).toEqual([0xfffffff0, 984, 1984, 2984])
    expect(cut.map(identificationOf)).toEqual([0xffff, 0, 1, 2])
    const { Ack, Psh, Fin, Cwr } = TcpFlag
    expect(cut.map(p => p[33])).toEqual([Ack | Cwr, Ack, Ack, Ack | Psh | Fin])
    expect(cut.every(hasRightChecksums)).toBe(true)
    expect(cut.flatMap(p => [...p.subarray(40)])).toEqual([...payload])
    expect([...pieces!.peer.subarray(0, 4)]).toEqual([7, 7, 7, 7])
    expect([...pieces!.session.subarray(0, 4)]).toEqual([9, 9, 9, 9])
    expect([...pieces!.segment.subarray(0, 4)]).toEqual([0, 0, 0, 0])
  })

  it('of UDP becomes datagrams with their own lengths', () => {
    const payload = emitUdp(9, 443, bytes(2500), { source: A, destination: B })
    const packet = emitIpv4({ source: A, destination: B, protocol: 17, identification: 5, payload })
    const cut = packets(cutAll(superBatch(packet, 1200)))
    expect(cut.map(p => p.length)).toEqual([1228, 1228, 128])
    expect(cut.map(p => (p[24]! << 8) | p[25]!)).toEqual([1208, 1208, 108])
    expect(cut.map(identificationOf)).toEqual([5, 6, 7])
    expect(cut.every(hasRightChecksums)).toBe(true)
  })

  it('may need several batches, and what stands before and behind it keeps its place', () => {
    const batch = new Batch(READING_ROOM)
    const small = (n: number) => tcpPacket({ ...ends, sequence: n, payload: Uint8Array.of(n) })
    batch.push(small(1))
    pushSuper(batch, tcpPacket({ ...ends, sequence: 100, payload: bytes(60_000) }), 100, ANNEX)
    batch.push(small(2))
    batch.verdict[batch.push(small(3))] = Verdict.Drop
    batch.push(small(4))
    expect(holdsSuper(batch)).toBe(true)
    expect([0, 1, 2].map(i => packetsIn(batch, i))).toEqual([1, 600, 1])
    const cut = cutAll(batch)
    expect(cut.map(b => b.count)).toEqual([512, 91])
    const numbers = packets(cut).map(sequenceOf)
    expect(numbers).toEqual([1, ...Array.from({ length: 600 }, (_, i) => 100 + i * 100), 2, 4])
  })

  it.each([
    ['of another protocol', (p: Uint8Array) => (p[9] = 47)],
    ['with a header that ends behind it', (p: Uint8Array) => (p[32] = 0xf0)],
    ['with a TCP header that is too short', (p: Uint8Array) => (p[32] = 0x40)],
    ['of another version', (p: Uint8Array) => (p[0] = 0x65)],
  ])('%s is dropped', (_, spoil) => {
    const packet = tcpPacket({ ...ends, sequence: 1, payload: bytes(10) })
    spoil(packet)
    const batch = superBatch(packet, 5)
    expect(headersOf(batch, 0)).toBe(0)
    expect(packetsIn(batch, 0)).toBe(1)
    expect(cutAll(batch)).toEqual([])
    expect([batch.verdict[0], batch.reason[0]]).toEqual([Verdict.Drop, DropReason.BadIp])
  })

  it('comes back byte for byte when its packets are merged', () => {
    fc.assert(
      fc.property(anySuper, o => {
        const packet = tcpPacket({ ...ends, ...o, payload: bytes(o.length, o.sequence) })
        const merger = new Merger()
        const written = cutAll(superBatch(packet, o.segment)).flatMap(pieces => {
          merger.merge(pieces)
          return chains(pieces).map(chain => assemble(pieces, chain))
        })
        const packetsEach = Math.ceil(o.length / o.segment)
        expect(written.length).toBe(Math.ceil(packetsEach / BATCH_CAPACITY))
        if (written.length === 1) expect(written[0]).toEqual(packet)
        const header = 40 + o.options.length
        expect(concat(...written.map(p => p.subarray(header)))).toEqual(packet.subarray(header))
      }),
      { numRuns: 30 },
    )
  })
})

interface Plan {
  readonly flow: number
  readonly size: number
  readonly gap: boolean
  readonly odd: number
}

/** Packets of a few flows, in any mixture, with everything in between that may stop a train. */
const anyTraffic = fc.array(
  fc.record({
    flow: fc.nat({ max: 3 }),
    size: fc.constantFrom(100, 100, 100, 100, 100, 100, 50, 0, 101),
    gap: fc.nat({ max: 9 }).map(n => n === 0),
    odd: fc.nat({ max: 60 }),
  }),
  { minLength: 20, maxLength: BATCH_CAPACITY },
)

function traffic(plans: readonly Plan[]): Batch {
  const batch = new Batch()
  const sequences = new Array<number>(4).fill(0xffffff00)
  const identifications = new Array<number>(4).fill(0xfffe)
  for (const { flow, size, gap, odd } of plans) {
    if (gap) sequences[flow]! += 1
    const dontFragment = flow % 2 === 0
    const identification = identifications[flow]!++ & 0xffff
    if (flow === 3) {
      const payload = emitUdp(flow, 53, bytes(size), { source: A, destination: B })
      batch.push(emitIpv4({ source: A, destination: B, protocol: 17, identification, dontFragment, payload }))
    } else {
      const fields: TcpFields = {
        ...ends,
        sourcePort: flow,
        sequence: sequences[flow]!,
        identification: odd === 1 ? identification + 3 : identification,
        dontFragment,
        payload: bytes(size, flow),
        acknowledgement: odd === 2 ? 2 : 1,
        window: odd === 3 ? 5 : 1000,
        options: odd === 4 ? bytes(8) : new Uint8Array(0),
        flags:
          odd === 5
            ? TcpFlag.Ack | TcpFlag.Psh
            : odd === 6
              ? TcpFlag.Ack | TcpFlag.Fin
              : odd === 7
                ? TcpFlag.Syn
                : odd === 8
                  ? TcpFlag.Ack | TcpFlag.Rst
                  : odd === 9
                    ? TcpFlag.Ack | TcpFlag.Cwr
                    : TcpFlag.Ack,
      }
      const packet = tcpPacket(fields)
      if (odd === 10) packet[8]!--
      if (odd === 11) packet[1] = 3
      if (odd === 12) packet[6]! |= 0x20
      setChecksums(packet)
      batch.push(packet)
      sequences[flow]! += size
    }
    if (odd === 13) batch.verdict[batch.count - 1] = Verdict.Drop
  }
  return batch
}

const flowOf = (packet: Uint8Array) => packet[9]! * 65536 + ((packet[20]! << 8) | packet[21]!)

describe('merging', () => {
  it('keeps the order within each flow and loses nothing, and cutting gives the same packets again', () => {
    let merged = 0
    fc.assert(
      fc.property(anyTraffic, plans => {
        const batch = traffic(plans)
        new Merger().merge(batch)
        const written = chains(batch)
        const rows = written.flat()
        const forwarded = Array.from({ length: batch.count }, (_, i) => i).filter(
          i => batch.verdict[i] === Verdict.Forward,
        )
        expect([...rows].sort((a, b) => a - b)).toEqual(forwarded)
        const latest = new Map<number, number>()
        for (const row of rows) {
          const flow = flowOf(batch.packet(row))
          expect(row).toBeGreaterThan(latest.get(flow) ?? -1)
          latest.set(flow, row)
        }
        for (const chain of written) {
          if (chain.length === 1) continue
          merged++
          const header = headersOf(batch, chain[0]!)
          const again = packets(cutAll(superBatch(assemble(batch, chain), batch.length[chain[0]!]! - header)))
          const before = chain.map(row => batch.packet(row))
          expect(again.map(withoutIdentification)).toEqual(before.map(withoutIdentification))
        }
      }),
      { numRuns: 150 },
    )
    expect(merged).toBeGreaterThan(150)
  })

  const follow = (second: Partial<TcpFields>, first: Partial<TcpFields> = {}) => {
    const batch = new Batch()
    batch.push(tcpPacket({ ...ends, sequence: 1000, payload: bytes(100), ...first }))
    batch.push(tcpPacket({ ...ends, sequence: 1100, identification: 2, payload: bytes(100), ...second }))
    new Merger().merge(batch)
    return chains(batch).length
  }

  it.each<[string, number, Partial<TcpFields>, Partial<TcpFields>?]>([
    ['the next segment', 1, {}],
    ['a shorter one, which ends it', 1, { payload: bytes(1) }],
    ['one that pushes', 1, { flags: TcpFlag.Ack | TcpFlag.Psh }],
    ['one that ends the connection', 1, { flags: TcpFlag.Ack | TcpFlag.Fin }],
    ['one across the end of the numbers', 1, { sequence: 50 }, { sequence: 0xffffffff - 49 }],
    ['what follows a push', 2, {}, { flags: TcpFlag.Ack | TcpFlag.Psh }],
    ['a longer one', 2, { payload: bytes(101) }],
    ['one behind a gap', 2, { sequence: 1101 }],
    ['one sent again', 2, { sequence: 1000 }],
    ['an acknowledgement alone', 2, { payload: bytes(0) }],
    ['another acknowledgement', 2, { acknowledgement: 9 }],
    ['another window', 2, { window: 9 }],
    ['other options', 2, { options: bytes(4) }],
    ['a reset', 2, { flags: TcpFlag.Ack | TcpFlag.Rst }],
    ['an urgent one', 2, { flags: TcpFlag.Ack | 0x20 }],
    ['another port', 2, { sourcePort: 1 }],
    ['another address', 2, { source: B }],
    [
      'another identification where it could be fragmented',
      2,
      { dontFragment: false, identification: 9 },
      { dontFragment: false },
    ],
    ['any identification where it cannot', 1, { identification: 999 }],
    ['another DF', 2, { dontFragment: false }],
  ])('of %s makes %i', (_, count, second, first) => {
    expect(follow(second, first)).toBe(count)
  })

  it('has an acknowledgement in between end the train of its flow, and no other', () => {
    const batch = new Batch()
    const segment = (port: number, sequence: number, length = 100) =>
      tcpPacket({ ...ends, sourcePort: port, sequence, payload: bytes(length) })
    for (const packet of [segment(1, 0), segment(2, 0), segment(1, 100, 0), segment(2, 100), segment(1, 100)])
      batch.push(packet)
    new Merger().merge(batch)
    expect(chains(batch)).toEqual([[0], [1, 3], [2], [4]])
  })

  it('keeps the trains of a hundred connections apart whose segments come in turn', () => {
    const batch = new Batch()
    const ports = Array.from({ length: 100 }, (_, i) => 40_000 + 7 * i)
    for (const sequence of [0, 100]) {
      for (const sourcePort of ports) batch.push(tcpPacket({ ...ends, sourcePort, sequence, payload: bytes(100) }))
    }
    new Merger().merge(batch)
    const trains = chains(batch).filter(chain => chain.length > 1)
    // Of two that a hash puts in one place the earlier one's ends.
    expect(trains.length).toBeGreaterThan(50)
    for (const [first, ...more] of trains) expect(more).toEqual([first! + 100])
  })

  it('stops at a fragment, which may be of any flow', () => {
    const batch = new Batch()
    batch.push(tcpPacket({ ...ends, sequence: 0, payload: bytes(100) }))
    const fragment = tcpPacket({ ...ends, sequence: 0, dontFragment: false, payload: bytes(60) })
    fragment[7] = 9
    batch.push(fragment)
    batch.push(tcpPacket({ ...ends, sequence: 100, payload: bytes(100) }))
    new Merger().merge(batch)
    expect(chains(batch)).toEqual([[0], [1], [2]])
  })

  it('ends at 64 kB', () => {
    const batch = new Batch()
    for (let i = 0; i < 64; i++) batch.push(tcpPacket({ ...ends, sequence: i * 1500, payload: bytes(1500) }))
    new Merger().merge(batch)
    const lengths = chains(batch).map(chain => assemble(batch, chain).length)
    expect(lengths).toEqual([40 + 43 * 1500, 40 + 21 * 1500])
  })

  it('forgets the chains of the batch before', () => {
    const batch = new Batch()
    for (let i = 0; i < 3; i++) batch.push(tcpPacket({ ...ends, sequence: i * 100, payload: bytes(100) }))
    const merger = new Merger()
    merger.merge(batch)
    expect(chains(batch)).toEqual([[0, 1, 2]])
    batch.verdict[1] = Verdict.Drop
    merger.merge(batch)
    expect([...batch.next.subarray(0, 3)]).toEqual([0, 0, 0])
  })

  it('leaves UDP alone where the device takes none of it together', () => {
    const batch = new Batch()
    const payload = emitUdp(9, 443, bytes(100), { source: A, destination: B })
    for (const identification of [1, 2])
      batch.push(emitIpv4({ source: A, destination: B, protocol: IpProtocol.Udp, identification, payload }))
    for (let i = 0; i < 2; i++) batch.push(tcpPacket({ ...ends, sequence: i * 100, payload: bytes(100) }))
    new Merger(false).merge(batch)
    expect(chains(batch)).toEqual([[0], [1], [2, 3]])
    new Merger().merge(batch)
    expect(chains(batch)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it('leaves what is no TCP or UDP alone', () => {
    const batch = new Batch()
    for (let i = 0; i < 2; i++)
      batch.push(emitIpv4({ source: A, destination: B, protocol: IpProtocol.Icmp, payload: bytes(64) }))
    batch.push(new Uint8Array(3))
    new Merger().merge(batch)
    expect(chains(batch)).toEqual([[0], [1], [2]])
  })
})
