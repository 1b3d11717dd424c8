/** Which queue of a TUN device gets the packets of an address that several workers share, packet by packet from the kernel. */

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownerOfPort, portOfWorker, portsOfWorker } from '../../src/firewall/nat-ports.ts'
import { BATCH_CAPACITY } from '../../src/packet/batch.ts'
import { internetChecksum, ipPacket, readU16, readU32 } from './packets.ts'
import { attached, Descriptors, ipv4, native } from './support.ts'

/** Why there can be no TUN device here, or an empty string. */
function obstacle(): string {
  try {
    for (const fd of native.tunOpen('fgs%d', 1).fds) native.close(fd)
    return ''
  } catch (e) {
    return (e as Error).message
  }
}
const lacking = obstacle()
if (lacking) console.log(`shared addresses are not steered: ${lacking}`)

const WORKERS = 3
const TCP = 6
const UDP = 17
const ICMP = 1
/** A subnet of RFC 2544's benchmarking range that is ours alone while this process lives. */
const subnet = ipv4('198.18.0.0') + (process.pid % 512) * 256
const far = subnet + 200
const shared = subnet + 10
const dotted = (address: number) => [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
const ip = (...words: string[]) => execFileSync('ip', words)

const fds = new Descriptors()
let outside = 0
let queues: number[] = []
let maps = { addresses: 0, ports: 0 }

function bytes(...words: number[]): Uint8Array {
  return Uint8Array.from(words.flatMap(w => [w >>> 8, w & 255]))
}

const tcp = (from: number, to: number) => bytes(from, to, 0, 1, 0, 0, 0x5010, 100, 0, 0)
const udp = (from: number, to: number, size = 8) => {
  const payload = new Uint8Array(8 + size)
  payload.set(bytes(from, to, 8 + size, 0))
  return payload
}
const echo = (type: number, identifier: number) => bytes(type << 8, 0, identifier, 1)
/** An error about a packet that went out from the shared address. */
function error(type: number, protocol: number, payload: Uint8Array, options = 0): Uint8Array {
  const quoted = ipPacket(shared, far, protocol, payload, { options: new Uint8Array(options).fill(1) })
  const message = new Uint8Array(8 + quoted.length)
  message.set(bytes((type << 8) | 1, 0, 0, 0))
  message.set(quoted, 8)
  return message
}

/** Writes packets into the device outside; answers the queue in which each came out, by its IP identification. */
function queuesOf(packets: readonly Uint8Array[]): number[] {
  const { batch, handle } = attached()
  const got = new Map<number, number>()
  for (const [i, packet] of packets.entries()) {
    number(packet, i)
    send(packet)
  }
  for (const [queue, fd] of queues.entries()) {
    for (let more = true; more; ) {
      batch.count = native.readTun(fd, handle, 0, BATCH_CAPACITY)
      more = batch.count > 0
      for (let row = 0; row < batch.count; row++) {
        const p = batch.packet(row)
        if (p[0]! >> 4 === 4 && readU32(p, 12) === far) got.set(readU16(p, 4), queue)
      }
    }
  }
  return packets.map((_, i) => got.get(i) ?? -1)
}

/** Gives a packet another identification. */
function number(packet: Uint8Array, identification: number): void {
  packet.set(bytes(identification), 4)
  packet.set([0, 0], 10)
  packet.set(bytes(internetChecksum(packet.subarray(0, (packet[0]! & 15) * 4))), 10)
}

function send(packet: Uint8Array): void {
  const { batch, handle } = attached()
  batch.push(packet)
  expect(native.writeTun(outside, handle, 1)).toBe(1)
}

describe.skipIf(lacking !== '')('a global address that three workers share', () => {
  beforeEach(() => {
    const tun = native.tunOpen('fgs%d', WORKERS)
    queues = tun.fds.map(fd => fds.keep(fd))
    ip('addr', 'add', `${dotted(subnet + 1)}/24`, 'dev', tun.name)
    ip('link', 'set', tun.name, 'up')
    const other = native.tunOpen('fgs%d', 1)
    outside = fds.keep(other.fds[0]!)
    ip('link', 'set', other.name, 'up')
    ip('route', 'add', `${dotted(far)}/32`, 'dev', other.name)
    writeFileSync(`/proc/sys/net/ipv4/conf/${other.name}/forwarding`, '1')
    maps = native.steerTun(queues[0]!, WORKERS, 64)
    for (const map of Object.values(maps)) fds.keep(map)
    native.steerTunShare(maps.addresses, shared)
  })
  afterEach(() => fds.closeAll())

  it('hands TCP, UDP and pings over by the port that their owner drew, and errors by what they quote', () => {
    const ports = [8192, 8447, 8448, 8704, 8960, 20_000, 40_001, 65_535]
    const kinds: ((port: number) => Uint8Array)[] = [
      port => ipPacket(far, shared, TCP, tcp(443, port)),
      port => ipPacket(far, shared, UDP, udp(53, port)),
      port => ipPacket(far, shared, UDP, udp(53, port), { options: new Uint8Array(8).fill(1) }),
      port => ipPacket(far, shared, ICMP, echo(0, port)),
      port => ipPacket(far, shared, ICMP, echo(14, port)),
      port => ipPacket(far, shared, ICMP, error(3, UDP, udp(port, 53))),
      port => ipPacket(far, shared, ICMP, error(11, TCP, tcp(port, 443))),
      port => ipPacket(far, shared, ICMP, error(12, TCP, tcp(port, 443), 12)),
      port => ipPacket(far, shared, ICMP, error(3, ICMP, echo(8, port))),
    ]
    const packets = kinds.flatMap(make => ports.map(make))
    const wanted = kinds.flatMap(() => ports.map(port => ownerOfPort(port, WORKERS)))
    expect(queuesOf(packets)).toEqual(wanted)
    expect(new Set(wanted).size).toBe(WORKERS)
  })

  it('what bears no port comes to the first worker, and a short packet harms nobody', () => {
    const odd = [
      ipPacket(far, shared, 47, bytes(0, 0x880b, 0, 0)),
      ipPacket(far, shared, TCP, new Uint8Array(3)),
      ipPacket(far, shared, ICMP, new Uint8Array(7)),
      ipPacket(far, shared, ICMP, error(3, 47, new Uint8Array(8))),
      ipPacket(far, shared, ICMP, error(3, UDP, udp(9000, 53)).subarray(0, 20)),
      ipPacket(far, shared, ICMP, bytes(0x0500, 0, 0, 0, 0, 0)),
    ]
    expect(queuesOf(odd)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('later fragments follow the first of their datagram; without it they come to the first worker', () => {
    const port = portOfWorker(5, 2, WORKERS)
    const other = portOfWorker(700, 1, WORKERS)
    const parts = (to: number, protocol = UDP) => {
      const whole = udp(53, to, 2400)
      return [0, 1200].map(from =>
        ipPacket(far, shared, protocol, whole.subarray(from, from + 1200), {
          fragmentOffset: from,
          moreFragments: from === 0,
        }),
      )
    }
    const sendParts = (packets: readonly Uint8Array[], ids: readonly number[]) => {
      // One identification for each datagram: queuesOf numbers them, so these are sent by themselves.
      const { batch, handle } = attached()
      const seen: number[] = []
      for (const [i, packet] of packets.entries()) {
        number(packet, ids[i]!)
        send(packet)
        for (const [queue, fd] of queues.entries()) {
          batch.count = native.readTun(fd, handle, 0, BATCH_CAPACITY)
          for (let row = 0; row < batch.count; row++) {
            if (readU32(batch.packet(row), 12) === far) seen.push(queue)
          }
        }
      }
      return seen
    }
    const [a, b] = [parts(port), parts(other)]
    expect(sendParts([a[0]!, b[0]!, b[1]!, a[1]!], [7, 8, 8, 7])).toEqual([2, 1, 1, 2])
    expect(sendParts([a[1]!], [9])).toEqual([0])
    // The same identification of another protocol, and of a datagram that came since.
    expect(sendParts([b[0]!, parts(port)[1]!], [7, 7])).toEqual([1, 1])
  })

  it('a port that a rule forwards is its session’s worker’s, until the rule goes; other addresses are nobody’s ports', () => {
    const own = portOfWorker(0, 1, WORKERS)
    const packets = () => [
      ipPacket(far, shared, TCP, tcp(1000, 80)),
      ipPacket(far, shared, UDP, udp(1000, 80)),
      ipPacket(far, shared, TCP, tcp(1000, own)),
      ipPacket(far, shared + 1, TCP, tcp(1000, own)),
      ipPacket(far, shared, ICMP, error(3, TCP, tcp(80, 1000))),
    ]
    const block = ownerOfPort(80, WORKERS)
    expect(queuesOf(packets())).toEqual([block, block, 1, 0, block])
    native.steerTunSetPort(maps.ports, shared, TCP, 80, 2)
    native.steerTunSetPort(maps.ports, shared, TCP, own, 0)
    expect(queuesOf(packets())).toEqual([2, block, 0, 0, 2])
    native.steerTunDeletePort(maps.ports, shared, TCP, 80)
    native.steerTunDeletePort(maps.ports, shared, TCP, own)
    native.steerTunDeletePort(maps.ports, shared, TCP, own)
    native.steerTunSet(maps.addresses, shared + 1, 2)
    expect(queuesOf(packets())).toEqual([block, block, 1, 2, block])
    native.steerTunDelete(maps.addresses, shared)
    expect(queuesOf(packets())).toEqual([0, 0, 0, 2, 0])
  })
})

describe('blocks of ports', () => {
  it('give every port to exactly one worker, and each about as many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), workers => {
        const counts = Array.from({ length: workers }, (_, w) => portsOfWorker(w, workers))
        expect(counts.reduce((sum, n) => sum + n, 0)).toBe(65_536 - 8192)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(256)
        for (const [w, count] of counts.entries()) {
          for (const index of [0, 255, 256, count - 1]) {
            const port = portOfWorker(index, w, workers)
            expect(port).toBeGreaterThanOrEqual(8192)
            expect(port).toBeLessThan(65_536)
            expect(ownerOfPort(port, workers)).toBe(w)
          }
        }
      }),
    )
  })

  it('are drawn from whole: each index is another port', () => {
    const ports = Array.from({ length: portsOfWorker(1, 5) }, (_, i) => portOfWorker(i, 1, 5))
    expect(new Set(ports).size).toBe(ports.length)
  })
})
