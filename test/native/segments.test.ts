import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { NativeEngine } from '../../src/gateway/native-engine.ts'
import { NativeSegments } from '../../src/gateway/native-segments.ts'
import { BATCH_CAPACITY, Batch, MAX_PACKET, READING_ROOM, SLOT_SIZE } from '../../src/packet/batch.ts'
import { Cutter } from '../../src/packet/cut.ts'
import { emitIpv4, emitUdp, TcpFlag } from '../../src/packet/ip.ts'
import { Merger } from '../../src/packet/merge.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { hasRightChecksums, pushSuper, SegmentReference, tcpPacket } from '../support/segments.ts'
import { readU16, readU32 } from './packets.ts'
import { Descriptors, ipv4, native, thrownBy, waitReadable } from './support.ts'

const ANNEX = BATCH_CAPACITY * SLOT_SIZE
const engine = new NativeEngine(native)
const arithmetic = new NativeSegments(native, engine)
const bytes = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >>> 8)) & 0xff)

const fds = new Descriptors()
const undo: (() => void)[] = []
// A device goes with its last descriptor.
afterEach(() => {
  fds.closeAll()
  for (const deed of undo.splice(0).reverse()) deed()
})

/** Every packet that a batch is cut into. */
function cutAll(batch: Batch, by = arithmetic as SegmentReference): Uint8Array[] {
  const cutter = new Cutter(by)
  const pieces = new Batch()
  const out: Uint8Array[] = []
  cutter.begin()
  while (cutter.next(batch, pieces)) for (let i = 0; i < pieces.count; i++) out.push(pieces.packet(i).slice())
  return out
}

describe('the arithmetic of segments', () => {
  it('is that of the reference, whatever the sizes', () => {
    const any = fc.record({
      udp: fc.boolean(),
      length: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 65_000 })),
      segment: fc.integer({ min: 1, max: 1500 }),
      seed: fc.nat({ max: 0xffff }),
      words: fc.nat({ max: 10 }),
      at: fc.nat({ max: 63 }),
    })
    fc.assert(
      fc.property(any, ({ udp, length, segment, seed, words, at }) => {
        const ends = { source: 0xc6120000 + seed, destination: 0xc6130000 + words }
        const payload = bytes(length, seed)
        const packet = udp
          ? emitIpv4({ ...ends, protocol: 17, identification: seed, payload: emitUdp(seed, 53, payload, ends) })
          : tcpPacket({
              ...ends,
              sourcePort: seed,
              destinationPort: 1,
              sequence: seed * 65521,
              options: bytes(words * 4),
              payload,
            })
        const batch = new Batch(READING_ROOM)
        batch.push(packet.subarray(0, MAX_PACKET))
        pushSuper(batch, packet, segment, ANNEX + at)
        const reference = new Batch(READING_ROOM)
        reference.push(packet.subarray(0, MAX_PACKET))
        pushSuper(reference, packet, segment, ANNEX + at)
        expect(cutAll(batch)).toEqual(cutAll(reference, new SegmentReference()))
      }),
      { numRuns: 30 },
    )
  })

  it('refuses what lies outside', () => {
    const from = new Batch()
    const into = new Batch()
    from.push(bytes(100))
    into.add(60)
    const copy = (...[row, header, at, first, count]: [number, number, number, number, number]) =>
      thrownBy(() => arithmetic.copy(from, row, header, at, into, first, count))
    expect(copy(0, 40, 101, 0, 1)).toBeInstanceOf(TypeError)
    expect(copy(0, 40, 39, 0, 1)).toBeInstanceOf(TypeError)
    expect(copy(0, 40, 81, 0, 1)).toBeInstanceOf(TypeError)
    expect(copy(BATCH_CAPACITY, 0, 0, 0, 1)).toBeInstanceOf(TypeError)
    expect(copy(0, 0, 0, BATCH_CAPACITY, 1)).toBeInstanceOf(TypeError)
    into.offset[0] = into.bytes.length - 59
    expect(copy(0, 40, 40, 0, 1)).toBeInstanceOf(TypeError)
    // Sums of rows that are no packets are left alone.
    into.length[0] = 0xffffffff
    arithmetic.sum(into, 0, 1)
    expect(thrownBy(() => arithmetic.sum(into, BATCH_CAPACITY - 4, 5))).toBeInstanceOf(TypeError)
  })

  it('has no super-segment read into a batch without room for one', () => {
    expect(thrownBy(() => native.readSuper(-1, engine.attach(new Batch()), 0, BATCH_CAPACITY))).toBeInstanceOf(
      TypeError,
    )
    expect(thrownBy(() => native.readSuper(-1, engine.attach(new Batch(READING_ROOM)), 0, BATCH_CAPACITY)).code).toBe(
      'EBADF',
    )
  })
})

/** Why there can be no device with offloads in a namespace here, or an empty string. */
function obstacle(): string {
  const name = `fgsegprobe${process.pid}`
  try {
    const tun = native.tunOpen('fgt%d', 1, true)
    for (const fd of tun.fds) native.close(fd)
    if (!tun.tso) return 'the kernel has no offloads for TUN devices'
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'pipe' })
    return ''
  } catch (e) {
    return `${(e as Error).message} (root and /dev/net/tun are needed)`
  }
}
const noTun = obstacle()
if (noTun) console.log(`TUN offloads are not tested: ${noTun}`)

let namespaces = 0
function namespace(): string {
  const name = `fgseg${process.pid}x${++namespaces}`
  execFileSync('ip', ['netns', 'add', name])
  undo.push(() => execFileSync('ip', ['netns', 'delete', name]))
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  execFileSync('ip', ['netns', 'exec', name, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward'])
  execFileSync('ip', ['netns', 'exec', name, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'])
  return name
}

let devices = 0
/** A TUN device in a namespace, whose descriptor stays here. */
function device(namespaceName: string, address: string, mtu: number, offloads: boolean, polled = false) {
  const tun = native.tunOpen(`fgs${++devices}x%d`, 1, offloads, polled)
  for (const fd of tun.fds) fds.keep(fd)
  expect(tun.tso).toBe(offloads)
  execFileSync('ip', ['link', 'set', tun.name, 'netns', namespaceName])
  const ip = (...words: string[]) => execFileSync('ip', ['-n', namespaceName, ...words])
  ip('link', 'set', tun.name, 'mtu', String(mtu), 'up')
  ip('addr', 'add', `${address}/24`, 'dev', tun.name)
  return { fd: tun.fds[0]!, name: tun.name }
}

const A = ipv4('198.18.1.2')
const B = ipv4('198.18.2.2')

/** Reads plain packets from A until none comes any more. */
function readPlain(fd: number): Uint8Array[] {
  const packets: Uint8Array[] = []
  const batch = new Batch()
  waitReadable(fd)
  for (;;) {
    batch.count = native.readTun(fd, engine.attach(batch), 0, BATCH_CAPACITY)
    if (batch.count === 0) return packets
    for (let i = 0; i < batch.count; i++) if (readU32(batch.packet(i), 12) === A) packets.push(batch.packet(i).slice())
  }
}

/** As the kernel forwards it: one hop further. */
function hop(packet: Uint8Array): Uint8Array {
  const copy = packet.slice()
  copy[8]!--
  copy.fill(0, 10, 12)
  return copy
}

describe.skipIf(noTun !== '')("the kernel's own segmentation", () => {
  it.each([
    ['TCP', 1000, TcpFlag.Ack | TcpFlag.Psh],
    ['TCP that ends', 1360, TcpFlag.Ack | TcpFlag.Psh | TcpFlag.Fin],
    ['TCP with options', 1348, TcpFlag.Ack],
    ['UDP', 1200, 0],
  ])('cuts what we merged of %s as we cut it', (kind, segment, flags) => {
    const name = namespace()
    const a = device(name, '198.18.1.1', 1500, true)
    const b = device(name, '198.18.2.1', 1500, false)
    const payload = bytes(50_000)
    const ends = { source: A, destination: B }
    const options = kind.endsWith('options') ? Uint8Array.of(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8) : new Uint8Array(0)
    const whole =
      kind === 'UDP'
        ? emitIpv4({ ...ends, protocol: 17, identification: 0xfff0, payload: emitUdp(9, 53, payload, ends) })
        : tcpPacket({
            ...ends,
            sourcePort: 9,
            destinationPort: 80,
            sequence: 0xffff0000,
            identification: 0xfff0,
            dontFragment: false,
            flags,
            options,
            payload,
          })
    const reading = new Batch(READING_ROOM)
    pushSuper(reading, whole, segment, ANNEX)
    const cutter = new Cutter(arithmetic)
    const pieces = new Batch()
    cutter.begin()
    cutter.next(reading, pieces)
    const cut = Array.from({ length: pieces.count }, (_, i) => pieces.packet(i).slice())
    expect(cut.length).toBe(Math.ceil(50_000 / segment))
    expect(cut.every(hasRightChecksums)).toBe(true)

    new Merger().merge(pieces)
    expect(native.writeSuper(a.fd, engine.attach(pieces), pieces.count)).toBe(pieces.count)
    const came = readPlain(b.fd)
    expect(came.every(hasRightChecksums)).toBe(true)
    expect(
      came.map(p => {
        const c = p.slice()
        c.fill(0, 10, 12)
        return c
      }),
    ).toEqual(cut.map(hop))
  })

  it('gets what is written to a queue that it polls, in order', () => {
    const name = namespace()
    const a = device(name, '198.18.1.1', 1500, true, true)
    const b = device(name, '198.18.2.1', 1500, false)
    const ends = { source: A, destination: B }
    const batch = new Batch()
    const sent = Array.from({ length: 200 }, (_, i) =>
      emitIpv4({ ...ends, protocol: 17, identification: i, payload: emitUdp(9, 53, bytes(1200, i), ends) }),
    )
    for (const packet of sent) batch.push(packet)
    expect(native.writeSuper(a.fd, engine.attach(batch), batch.count)).toBe(sent.length)
    const came: Uint8Array[] = []
    while (came.length < sent.length) came.push(...readPlain(b.fd))
    expect(came.map(packet => packet.fill(0, 10, 12))).toEqual(sent.map(hop))
  })

  it('gets a segment whose checksum is wrong by itself, and its neighbours merged', () => {
    const name = namespace()
    const a = device(name, '198.18.1.1', 1500, true)
    const b = device(name, '198.18.2.1', 1500, true)
    const batch = new Batch()
    for (let i = 0; i < 9; i++) {
      const payload = bytes(1000, i)
      batch.push(
        tcpPacket({ source: A, destination: B, sourcePort: 9, destinationPort: 80, sequence: i * 1000, payload }),
      )
    }
    batch.bytes[batch.offset[4]! + 500]! ^= 1
    new Merger().merge(batch)
    expect(native.writeSuper(a.fd, engine.attach(batch), 9)).toBe(9)
    const reading = new Batch(READING_ROOM)
    waitReadable(b.fd)
    reading.count = native.readSuper(b.fd, engine.attach(reading), 0, BATCH_CAPACITY)
    const rows = Array.from({ length: reading.count }, (_, i) => i)
    expect(rows.map(i => [reading.length[i], reading.segment[i]])).toEqual([
      [4040, 1000],
      [1040, 0],
      [4040, 1000],
    ])
    expect(hasRightChecksums(reading.packet(1))).toBe(false)
    const again = cutAll(reading)
    expect(again.map(p => p.subarray(40))).toEqual(Array.from({ length: 9 }, (_, i) => batch.packet(i).subarray(40)))
    expect(again.map(hasRightChecksums)).toEqual(again.map((_, i) => i !== 4))
  })

  it('goes on where a chain leads astray', () => {
    const name = namespace()
    const a = device(name, '198.18.1.1', 1500, true)
    const batch = new Batch()
    for (let i = 0; i < 6; i++) {
      batch.push(
        tcpPacket({
          source: A,
          destination: B,
          sourcePort: 9,
          destinationPort: 80,
          sequence: i * 100,
          payload: bytes(100),
        }),
      )
    }
    batch.next[0] = 63 // behind the count
    batch.next[1] = 1 // itself
    batch.next[2] = 4
    batch.length[4] = batch.bytes.length // outside
    batch.next[3] = 5
    batch.verdict[5] = Verdict.Punt
    expect(native.writeSuper(a.fd, engine.attach(batch), 6)).toBe(4)
    expect([...batch.verdict.subarray(0, 6)]).toEqual([0, 0, 0, 0, Verdict.Drop, Verdict.Punt])
  })
})

const SOURCE = `
const { connect } = require('node:net')
const { createHash } = require('node:crypto')
const socket = connect(80, '198.18.2.1', () => {
  const bytes = Buffer.alloc(Number(process.argv[1]), 'every byte tells ')
  process.stdout.write(createHash('sha256').update(bytes).digest('hex'))
  socket.end(bytes)
})
socket.on('close', () => process.exit(0))
`
const SINK = `
const { createServer } = require('node:net')
const { createHash } = require('node:crypto')
createServer(socket => {
  const hash = createHash('sha256')
  socket.on('data', chunk => hash.update(chunk))
  socket.on('end', () => { process.stdout.write(hash.digest('hex')); socket.end(); setTimeout(() => process.exit(0), 50) })
}).listen(80, '198.18.2.1', () => process.stdout.write('serving '))
`

describe.skipIf(noTun !== '')('a TCP stream between two hosts', () => {
  it('crosses in super-segments that are cut to the MTU and merged again', async () => {
    const { spawn } = await import('node:child_process')
    const [near, far] = [namespace(), namespace()]
    const a = device(near, '198.18.1.1', 1400, true)
    const b = device(far, '198.18.2.1', 1400, true)
    execFileSync('ip', ['-n', near, 'route', 'add', 'default', 'dev', a.name])
    execFileSync('ip', ['-n', far, 'route', 'add', 'default', 'dev', b.name])
    const said = { sink: '', source: '' }
    const start = (which: 'sink' | 'source', where: string, code: string, ...args: string[]) => {
      const child = spawn('ip', ['netns', 'exec', where, process.execPath, '-e', code, ...args])
      child.stdout.on('data', chunk => (said[which] += chunk))
      const ended = new Promise(resolve => child.on('close', resolve))
      undo.push(() => void child.kill())
      return ended
    }
    const seen = { supers: 0, packets: 0, chained: 0, wrong: 0 }
    const cutter = new Cutter(arithmetic)
    const merger = new Merger()
    const reading = new Batch(READING_ROOM)
    const pieces = new Batch()
    const relay = (from: number, to: number) => {
      reading.count = native.readSuper(from, engine.attach(reading), 0, BATCH_CAPACITY)
      for (let i = 0; i < reading.count; i++) if (reading.segment[i]! > 0) seen.supers++
      cutter.begin()
      while (cutter.next(reading, pieces)) {
        for (let i = 0; i < pieces.count; i++) {
          seen.packets++
          if (pieces.length[i]! > 1400 || !hasRightChecksums(pieces.packet(i))) seen.wrong++
        }
        merger.merge(pieces)
        for (let i = 0; i < pieces.count; i++) if (pieces.next[i]! > 0) seen.chained++
        native.writeSuper(to, engine.attach(pieces), pieces.count)
      }
    }
    const watchers = [native.watch(a.fd, () => relay(a.fd, b.fd)), native.watch(b.fd, () => relay(b.fd, a.fd))]
    undo.push(() => {
      for (const w of watchers) native.unwatch(w)
    })

    const sink = start('sink', far, SINK)
    while (said.sink === '') await new Promise(resolve => setTimeout(resolve, 20))
    await Promise.all([start('source', near, SOURCE, '8000000'), sink])
    expect(said.sink).toBe(`serving ${said.source}`)
    expect(seen.wrong).toBe(0)
    expect(seen.packets).toBeGreaterThan(8_000_000 / 1400)
    expect(seen.supers).toBeGreaterThan(50)
    expect(seen.chained).toBeGreaterThan(seen.packets / 3)
  })
})

describe.skipIf(noTun !== '')('a device with offloads', () => {
  it('has what its host left to it made right: the checksums of single packets', () => {
    const name = namespace()
    const a = device(name, '198.18.1.1', 1500, true)
    execFileSync('ip', [
      'netns',
      'exec',
      name,
      process.execPath,
      '-e',
      `
      const s = require('node:dgram').createSocket('udp4')
      s.send(Buffer.from('one'), 9, '198.18.1.2', () => s.send(Buffer.alloc(1400, 7), 9, '198.18.1.2', () => s.close()))`,
    ])
    const batch = new Batch(READING_ROOM)
    waitReadable(a.fd)
    batch.count = native.readSuper(a.fd, engine.attach(batch), 0, BATCH_CAPACITY)
    const packets = Array.from({ length: batch.count }, (_, i) => batch.packet(i)).filter(p => readU16(p, 22) === 9)
    expect(packets.map(p => p.length)).toEqual([31, 1428])
    expect(packets.every(hasRightChecksums)).toBe(true)
    expect(packets.every(p => readU16(p, 26) !== 0)).toBe(true)
  })
})
