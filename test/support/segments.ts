/** Super-segments for tests: the arithmetic in TypeScript, making them, and putting chains of packets together. */

import type { Batch } from '../../src/packet/batch.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { headersOf, type SegmentArithmetic } from '../../src/packet/cut.ts'
import { emitIpv4, IpProtocol, type Ipv4, readIpv4, TcpFlag, transportChecksum } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'

/** The oracle of the native one. */
export class SegmentReference implements SegmentArithmetic {
  copy(from: Batch, row: number, header: number, at: number, into: Batch, first: number, count: number): void {
    const packet = from.packet(row)
    let next = at
    for (let i = first; i < first + count; i++) {
      const part = into.length[i]! - header
      into.packet(i).set(packet.subarray(0, header))
      into.packet(i).set(packet.subarray(next, next + part), header)
      next += part
    }
  }

  sum(batch: Batch, first: number, count: number): void {
    for (let i = first; i < first + count; i++) setChecksums(batch.packet(i))
  }
}

/** Makes both checksums of a TCP or UDP packet right. */
export function setChecksums(packet: Uint8Array): void {
  const header = (packet[0]! & 15) * 4
  const protocol = packet[9]!
  put16(packet, 10, 0)
  put16(packet, 10, checksum(packet, 0, header))
  const place = header + (protocol === IpProtocol.Tcp ? 16 : 6)
  put16(packet, place, 0)
  const check = transport(packet, header)
  put16(packet, place, check === 0 && protocol === IpProtocol.Udp ? 0xffff : check)
}

export function hasRightChecksums(packet: Uint8Array): boolean {
  const header = (packet[0]! & 15) * 4
  return checksum(packet, 0, header) === 0 && transport(packet, header) === 0
}

function transport(packet: Uint8Array, header: number): number {
  const ends = [readIpv4(packet, 12), readIpv4(packet, 16)] as const
  return transportChecksum(packet, header, packet.length - header, ...ends, packet[9]!)
}

export interface TcpFields {
  readonly source: Ipv4
  readonly destination: Ipv4
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgement?: number
  readonly flags?: number
  readonly window?: number
  /** A multiple of four bytes. */
  readonly options?: Uint8Array
  readonly identification?: number
  readonly dontFragment?: boolean
  readonly payload: Uint8Array
}

export function tcpPacket(f: TcpFields): Uint8Array {
  const options = f.options ?? new Uint8Array(0)
  const header = new Uint8Array(20)
  const view = new DataView(header.buffer)
  view.setUint16(0, f.sourcePort)
  view.setUint16(2, f.destinationPort)
  view.setUint32(4, f.sequence >>> 0)
  view.setUint32(8, (f.acknowledgement ?? 1) >>> 0)
  view.setUint8(12, (20 + options.length) << 2)
  view.setUint8(13, f.flags ?? TcpFlag.Ack)
  view.setUint16(14, f.window ?? 1000)
  const { source, destination, identification = 1, dontFragment = true } = f
  const ip = { source, destination, identification, dontFragment, protocol: IpProtocol.Tcp }
  const packet = emitIpv4({ ...ip, payload: concat(header, options, f.payload) })
  setChecksums(packet)
  return packet
}

/** Puts a super-segment behind the slots of a batch that is made for reading, as its row says then. */
export function pushSuper(batch: Batch, packet: Uint8Array, segment: number, at: number): number {
  const i = batch.add(packet.length)
  batch.bytes.set(packet, at)
  batch.offset[i] = at
  batch.segment[i] = segment
  return i
}

/** What is written to the TUN device, in that order: the rows of each chain. */
export function chains(batch: Batch): number[][] {
  const taken = new Set<number>()
  const out: number[][] = []
  for (let i = 0; i < batch.count; i++) {
    if (taken.has(i) || batch.verdict[i] !== Verdict.Forward) continue
    const chain = [i]
    for (let row = batch.next[i]!; row !== 0; row = batch.next[row]!) {
      chain.push(row)
      taken.add(row)
    }
    out.push(chain)
  }
  return out
}

/** The one packet that a chain is. */
export function assemble(batch: Batch, chain: readonly number[]): Uint8Array {
  const [head] = chain
  const header = headersOf(batch, head!)
  const packet = concat(batch.packet(head!), ...chain.slice(1).map(row => batch.packet(row).subarray(header)))
  put16(packet, 2, packet.length)
  const start = (packet[0]! & 15) * 4
  if (packet[9] === IpProtocol.Udp) put16(packet, start + 4, packet.length - start)
  else packet[start + 13]! |= batch.packet(chain.at(-1)!)[start + 13]!
  setChecksums(packet)
  return packet
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}
