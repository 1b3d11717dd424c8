import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { BATCH_CAPACITY, type Batch, HEADROOM, MAX_PACKET, SLOT_SIZE } from '../../src/packet/batch.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { internetChecksum, ipPacket, readU16, readU32 } from './packets.ts'
import { attached, Descriptors, ipv4, native, thrownBy, waitReadable } from './support.ts'

/** Why there can be no TUN device here, or an empty string. */
function obstacle(): string {
  try {
    for (const fd of native.tunOpen('fgt%d', 1).fds) native.close(fd)
    return ''
  } catch (e) {
    return `${(e as Error).message} (root and /dev/net/tun are needed)`
  }
}
const noTun = obstacle()
if (noTun) console.log(`TUN is not tested: ${noTun}`)

const fds = new Descriptors()
// The device goes with its last descriptor.
afterEach(() => fds.closeAll())

/** A subnet of RFC 2544's benchmarking range that is ours alone while this process lives. */
const subnet = ipv4('198.18.0.0') + (process.pid % 512) * 256
const near = subnet + 1
const dotted = (address: number) => [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')

/** A TUN device that is up, with the address `near`. */
function openTun(queues: number, mtu = 1500): { name: string; fds: number[] } {
  const tun = native.tunOpen('fgt%d', queues)
  for (const fd of tun.fds) fds.keep(fd)
  execFileSync('ip', ['link', 'set', tun.name, 'mtu', String(mtu), 'up'])
  execFileSync('ip', ['addr', 'add', `${dotted(near)}/24`, 'dev', tun.name])
  return tun
}

function steered(fd: number, workers: number, capacity: number) {
  const maps = native.steerTun(fd, workers, capacity)
  for (const map of Object.values(maps)) fds.keep(map)
  return maps
}

/** Lets a device send next to nothing, and queue everything: the packets stay charged to their socket. */
function shape(device: string): void {
  const shaper = ['tbf', 'rate', '8kbit', 'burst', '1600', 'limit', '100000000']
  execFileSync('tc', ['qdisc', 'add', 'dev', device, 'root', ...shaper], { stdio: 'pipe' })
}

/** Why there can be no congestion here, or an empty string. */
function shapingObstacle(): string {
  try {
    shape(openTun(1).name)
    return ''
  } catch (e) {
    return (e as Error).message
  } finally {
    fds.closeAll()
  }
}
const noShaper = noTun || shapingObstacle()
if (noShaper && !noTun) console.log(`a congested device is not tested: ${noShaper}`)

/** Reads until `wanted` IPv4 packets between us and the subnet have come; the host may send packets of its own. */
function readPackets(fd: number, wanted: number): Uint8Array[] {
  const packets: Uint8Array[] = []
  const { batch, handle } = attached()
  while (packets.length < wanted) {
    waitReadable(fd)
    batch.count = native.readTun(fd, handle, 0, BATCH_CAPACITY)
    packets.push(...ours(batch).map(row => batch.packet(row).slice()))
  }
  return packets
}

/** The rows that hold IPv4 from our own address. */
function ours(batch: Batch): number[] {
  return Array.from({ length: batch.count }, (_, row) => row).filter(row => {
    const packet = batch.packet(row)
    return packet.length >= 20 && packet[0]! >> 4 === 4 && readU32(packet, 12) === near && packet[9] !== 2
  })
}

function echoRequest(from: number, to: number, sequence: number): Uint8Array {
  const icmp = new Uint8Array(32).fill(sequence)
  icmp.set([8, 0, 0, 0, 0x12, 0x34, 0, sequence])
  const sum = internetChecksum(icmp)
  icmp.set([sum >> 8, sum & 255], 2)
  return ipPacket(from, to, 1, icmp)
}

describe.skipIf(noTun !== '')('a TUN device', () => {
  it('carries packets to the host and back', () => {
    const tun = openTun(1)
    expect(tun.name).toMatch(/^fgt\d+$/)
    expect(tun.fds.length).toBe(1)
    const out = attached()
    for (let i = 0; i < 10; i++) out.batch.push(echoRequest(subnet + 2, near, i))
    expect(native.writeTun(tun.fds[0]!, out.handle, 10)).toBe(10)

    const replies = readPackets(tun.fds[0]!, 10)
    for (const [i, reply] of replies.entries()) {
      expect(reply.length).toBe(52)
      expect(readU32(reply, 16)).toBe(subnet + 2)
      expect([...reply.subarray(20, 22)]).toEqual([0, 0]) // echo reply
      expect([...reply.subarray(24)]).toEqual([0x12, 0x34, 0, i, ...new Array(24).fill(i)])
    }
  })

  it('makes rows like any other', () => {
    const tun = openTun(1)
    const { batch, handle } = attached()
    for (let i = 0; i < 3; i++) batch.push(echoRequest(subnet + 2, near, i))
    native.writeTun(tun.fds[0]!, handle, 3)
    for (const column of [batch.peer, batch.session, batch.sa, batch.address, batch.port, batch.local]) column.fill(9)
    for (const column of [batch.protocol, batch.verdict, batch.reason]) column.fill(9)
    const from = BATCH_CAPACITY - 3
    let seen = 0
    for (let i = 0; seen === 0 && i < 10; i++) {
      waitReadable(tun.fds[0]!)
      batch.count = native.readTun(tun.fds[0]!, handle, from, BATCH_CAPACITY)
      expect(batch.count).toBeGreaterThan(from)
      for (let row = from; row < batch.count; row++) {
        seen++
        expect(batch.offset[row]).toBe(row * SLOT_SIZE + HEADROOM)
        const u32 = [batch.peer, batch.session, batch.sa, batch.address, batch.port, batch.local].map(c => c[row])
        expect(u32).toEqual([0, 0, 0, 0, 0, 0])
        expect([batch.protocol[row], batch.verdict[row], batch.reason[row]]).toEqual([0, 0, 0])
      }
    }
    expect(seen).toBeGreaterThan(0)
  })

  it('refuses single packets without harm to their neighbours', () => {
    const tun = openTun(1)
    const { batch, handle } = attached()
    batch.push(echoRequest(subnet + 2, near, 1))
    batch.push(new Uint8Array([0xff, 1, 2])) // neither IPv4 nor IPv6
    batch.push(echoRequest(subnet + 2, near, 2))
    batch.push(echoRequest(subnet + 2, near, 3))
    batch.push(echoRequest(subnet + 2, near, 4))
    batch.verdict[2] = Verdict.Punt
    batch.length[3] = batch.bytes.length
    expect(native.writeTun(tun.fds[0]!, handle, 5)).toBe(2)
    expect([...batch.verdict.subarray(0, 5)]).toEqual([0, Verdict.Drop, Verdict.Punt, Verdict.Drop, 0])
    expect([...batch.reason.subarray(0, 5)]).toEqual([0, DropReason.SendFailed, 0, DropReason.SendFailed, 0])
    expect(readPackets(tun.fds[0]!, 2).map(packet => packet[27])).toEqual([1, 4])
  })

  it('makes a packet larger than the slot a dropped row', () => {
    const tun = openTun(1, 4000)
    const socket = fds.keep(native.udpSocket(near, 40_000, false))
    const { batch, handle } = attached()
    for (const size of [MAX_PACKET - 28, MAX_PACKET - 27, 3000, 1]) {
      expect(native.sendTo(socket, 0, subnet + 2, 9, new Uint8Array(size))).toBe(true)
    }
    const rows: [length: number, verdict: number, reason: number][] = []
    while (rows.length < 4) {
      waitReadable(tun.fds[0]!)
      batch.count = native.readTun(tun.fds[0]!, handle, 0, BATCH_CAPACITY)
      for (const row of ours(batch)) rows.push([batch.length[row]!, batch.verdict[row]!, batch.reason[row]!])
    }
    const tooBig = [MAX_PACKET, Verdict.Drop, DropReason.TooBig]
    expect(rows).toEqual([[MAX_PACKET, Verdict.Forward, 0], tooBig, tooBig, [29, Verdict.Forward, 0]])
  })

  it('says why it cannot be opened', () => {
    expect(thrownBy(() => native.tunOpen('a-name-that-is-too-long', 1)).code).toBe('ENAMETOOLONG')
    expect(thrownBy(() => native.tunOpen('fgt%d', 0))).toBeInstanceOf(TypeError)
    const tun = openTun(1)
    native.tunOpen(tun.name, 1).fds.map(fd => fds.keep(fd)) // one more queue is no error
    expect(thrownBy(() => native.tunOpen('lo', 1)).code).toBe('EINVAL')
    const { handle } = attached()
    expect(thrownBy(() => native.readTun(-1, handle, 0, BATCH_CAPACITY)).code).toBe('EBADF')
  })

  it('tells its watcher and its reader once that it is gone', async () => {
    const tun = openTun(1)
    const fd = tun.fds[0]!
    const { handle } = attached()
    while (native.readTun(fd, handle, 0, BATCH_CAPACITY) > 0); // what the host sent of its own accord
    let calls = 0
    const called = new Promise<void>(resolve => {
      const watcher = native.watch(fd, () => {
        if (calls++ === 0) setTimeout(() => resolve(native.unwatch(watcher)), 20)
      })
    })
    execFileSync('ip', ['link', 'del', tun.name])
    await called
    expect(calls).toBe(1)
    expect(native.wait(native.poller([fd]), 0)).toBe(1)
    expect(thrownBy(() => native.readTun(fd, handle, 0, BATCH_CAPACITY)).code).toBe('EBADFD')
    expect(native.writeTun(fd, handle, 0)).toBe(0)
  })

  it('steers packets by their destination to the queue that the map names', () => {
    const tun = openTun(3)
    const { addresses: map } = steered(tun.fds[0]!, 3, 16)
    const owners = new Map([
      [subnet + 10, 1],
      [subnet + 11, 2],
      [subnet + 12, 0],
      [subnet + 13, 1],
      [subnet + 14, 7], // no such worker
    ])
    for (const [address, worker] of owners) native.steerTunSet(map, address, worker)
    const socket = fds.keep(native.udpSocket(near, 40_001, false))
    const sendEverywhere = () => {
      for (let last = 9; last <= 15; last++) {
        for (let i = 0; i < 4; i++) native.sendTo(socket, 0, subnet + last, 1000 + i, new Uint8Array([i]))
      }
    }
    const destinations = (queue: number, wanted: number) =>
      readPackets(tun.fds[queue]!, wanted).map(packet => [readU32(packet, 16) - subnet, packet[28]])
    const fourTo = (...last: number[]) => last.flatMap(l => [0, 1, 2, 3].map(i => [l, i]))

    sendEverywhere()
    expect(destinations(0, 16)).toEqual(fourTo(9, 12, 14, 15))
    expect(destinations(1, 8)).toEqual(fourTo(10, 13))
    expect(destinations(2, 4)).toEqual(fourTo(11))

    native.steerTunSet(map, subnet + 10, 2)
    native.steerTunDelete(map, subnet + 13)
    native.steerTunDelete(map, subnet + 13)
    sendEverywhere()
    expect(destinations(0, 20)).toEqual(fourTo(9, 12, 13, 14, 15))
    expect(destinations(2, 8)).toEqual(fourTo(10, 11))
  })

  it('refuses steering where it cannot be', () => {
    const tun = openTun(1)
    expect(thrownBy(() => native.steerTun(tun.fds[0]!, 1, 0)).syscall).toBe('bpf')
    expect(thrownBy(() => native.steerTun(tun.fds[0]!, 0, 1))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => native.steerTun(fds.keep(native.eventFd()), 1, 1)).syscall).toBe('ioctl')
    const { addresses: map } = steered(tun.fds[0]!, 1, 1)
    native.steerTunSet(map, 1, 0)
    native.steerTunSet(map, 1, 0)
    expect(thrownBy(() => native.steerTunSet(map, 2, 0)).code).toBe('E2BIG')
    expect(thrownBy(() => native.steerTunSet(tun.fds[0]!, 2, 0)).syscall).toBe('bpf')
  })
})

describe.skipIf(noTun !== '')('a batch of UDP over a TUN device', () => {
  it('goes one by one where its packets are too large for the path together', () => {
    const tun = openTun(1, 1280)
    const udp = fds.keep(native.udpSocket(near, 40_003, false))
    const { batch, handle } = attached()
    for (const size of [1000, 1000, 1300, 1300, 1300, 900, 900]) {
      const row = batch.push(new Uint8Array(size))
      batch.address[row] = subnet + 2
      batch.port[row] = 4500
    }
    expect(native.sendEsp(udp, -1, handle, 7)).toBe(7)
    const lengths = readPackets(tun.fds[0]!, 10).map(packet => packet.length)
    const fragments = [1276, 20 + 1308 - 1256]
    expect(lengths).toEqual([1028, 1028, ...fragments, ...fragments, ...fragments, 928, 928])
  })

  it.skipIf(noShaper !== '')('gives up what a congested device does not take, soon, and says which', () => {
    const tun = openTun(1)
    shape(tun.name)
    const udp = fds.keep(native.udpSocket(near, 40_004, false))
    const { batch, handle } = attached()
    for (let i = 0; i < BATCH_CAPACITY; i++) {
      const row = batch.push(new Uint8Array(1400 + (i % 8 === 7 ? 1 : 0)))
      batch.address[row] = subnet + 2
      batch.port[row] = 4500
    }
    let sent = BATCH_CAPACITY
    for (let i = 0; i < 1000 && sent === BATCH_CAPACITY; i++) sent = native.sendEsp(udp, -1, handle, BATCH_CAPACITY)
    const took = Array.from({ length: 5 }, () => {
      batch.verdict.fill(Verdict.Forward)
      batch.reason.fill(DropReason.None)
      const before = performance.now()
      sent = native.sendEsp(udp, -1, handle, BATCH_CAPACITY)
      return performance.now() - before
    })
    expect(sent).toBeLessThan(BATCH_CAPACITY)
    // A few milliseconds where the machine has nothing else to do.
    expect(Math.min(...took)).toBeLessThan(500)
    for (let row = 0; row < BATCH_CAPACITY; row++) {
      expect(batch.verdict[row]).toBe(row < sent ? Verdict.Forward : Verdict.Drop)
      expect(batch.reason[row]).toBe(row < sent ? DropReason.None : DropReason.SendFailed)
    }
    expect(native.sendTo(udp, 0, subnet + 2, 4500, new Uint8Array(1400))).toBe(false)
  })
})

describe.skipIf(noTun !== '')('bare ESP over a TUN device', () => {
  it('is received behind IP options and after reassembly', () => {
    const tun = openTun(1)
    const raw = fds.keep(native.rawEspSocket(1, 2))
    const esp = (spi: number, size: number) => {
      const bytes = new Uint8Array(size).map((_, i) => i)
      new DataView(bytes.buffer).setUint32(0, spi)
      return bytes
    }
    const out = attached()
    const whole = esp(0x10001, 100)
    const options = new Uint8Array([1, 1, 1, 1, 1, 1, 1, 0])
    out.batch.push(ipPacket(subnet + 2, near, 50, whole, { options }))
    const large = esp(0x10003, 1600)
    out.batch.push(ipPacket(subnet + 2, near, 50, large.subarray(0, 1200), { id: 7, moreFragments: true }))
    out.batch.push(ipPacket(subnet + 2, near, 50, large.subarray(1200), { id: 7, fragmentOffset: 1200 }))
    out.batch.push(ipPacket(subnet + 2, near, 50, esp(0x10002, 100), {})) // the other worker's
    out.batch.push(ipPacket(subnet + 2, near, 50, new Uint8Array([1, 2]), {})) // too short for a SPI
    expect(native.writeTun(tun.fds[0]!, out.handle, 5)).toBe(5)

    const { batch, handle } = attached()
    const packets: Uint8Array[] = []
    while (packets.length < 2) {
      waitReadable(raw)
      batch.count = native.receiveRaw(raw, handle, 0)
      for (let row = 0; row < batch.count; row++) {
        if (batch.address[row] !== subnet + 2) continue // another process's
        expect(batch.local[row]).toBe(near)
        expect(batch.port[row]).toBe(0)
        expect(batch.verdict[row]).toBe(Verdict.Forward)
        packets.push(batch.packet(row).slice())
      }
    }
    expect(packets).toEqual([whole, large])
    expect(native.receiveRaw(raw, handle, 0)).toBe(0)
  })

  it('is fragmented where it is larger than the path, in UDP and bare', () => {
    const tun = openTun(1, 1280)
    const raw = fds.keep(native.rawEspSocket(0, 1))
    const udp = fds.keep(native.udpSocket(near, 40_002, false))
    const { batch, handle } = attached()
    for (const port of [0, 4500]) {
      const row = batch.push(new Uint8Array(1800).fill(3))
      batch.address[row] = subnet + 2
      batch.port[row] = port
      batch.local[row] = near
    }
    expect(native.sendEsp(udp, raw, handle, 2)).toBe(2)
    const fragments = readPackets(tun.fds[0]!, 4)
    expect(fragments.map(packet => packet[9])).toEqual([17, 17, 50, 50])
    expect(fragments.map(packet => readU16(packet, 6))).toEqual([0x2000, 157, 0x2000, 157])
    expect(fragments.map(packet => packet.length)).toEqual([1276, 20 + 1808 - 1256, 1276, 20 + 1800 - 1256])
  })
})
