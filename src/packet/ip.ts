/** IPv4 addresses and the headers of IPv4 (RFC 791), UDP (RFC 768), TCP (RFC 9293) and ICMP (RFC 792). */

import { checksum, fold, sum16 } from './checksum.ts'

/** An IPv4 address as an unsigned 32-bit number: 192.168.8.50 is 0xc0a80832. */
export type Ipv4 = number

/** A UDP or TCP endpoint. */
export interface Endpoint {
  readonly address: Ipv4
  readonly port: number
}

export const IpProtocol = { Icmp: 1, Tcp: 6, Udp: 17, Esp: 50 } as const

/** TCP control bits (RFC 9293 section 3.1). */
export const TcpFlag = { Fin: 0x01, Syn: 0x02, Rst: 0x04, Psh: 0x08, Ack: 0x10, Cwr: 0x80 } as const

/** The number of a dotted quad, or undefined where the text is none. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!m) return undefined
  let value = 0
  for (let i = 1; i <= 4; i++) {
    const part = Number(m[i])
    if (part > 255) return undefined
    value = value * 256 + part
  }
  return value
}

/** Like parseIpv4, for text that the program itself wrote; throws RangeError. */
export function ipv4(text: string): Ipv4 {
  const value = parseIpv4(text)
  if (value === undefined) throw new RangeError(`not an IPv4 address: ${text}`)
  return value
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

export function formatEndpoint(e: Endpoint): string {
  return `${formatIpv4(e.address)}:${e.port}`
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port
}

/** The four bytes of an address, in network order. */
export function ipv4Bytes(address: Ipv4): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}

/** The address at `at`; the caller has checked the length. */
export function readIpv4(bytes: Uint8Array, at = 0): Ipv4 {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function writeIpv4(bytes: Uint8Array, at: number, address: Ipv4): void {
  bytes[at] = address >>> 24
  bytes[at + 1] = address >>> 16
  bytes[at + 2] = address >>> 8
  bytes[at + 3] = address
}

/** The netmask of a prefix length from 0 to 32. */
export function prefixMask(length: number): Ipv4 {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
}

/** The prefix length of a netmask, or undefined where its ones are not contiguous. */
export function maskPrefix(mask: Ipv4): number | undefined {
  const zeros = ~mask >>> 0
  if ((zeros & (zeros + 1)) !== 0) return undefined
  return Math.clz32(zeros)
}

/** Whether `address` lies in the subnet of `network` under `mask`. */
export function inSubnet(address: Ipv4, network: Ipv4, mask: Ipv4): boolean {
  return ((address ^ network) & mask) === 0
}

/** An IPv4 packet (20-byte header, no options) around `payload`. */
export function emitIpv4(p: {
  source: Ipv4
  destination: Ipv4
  protocol: number
  payload: Uint8Array
  ttl?: number
  identification?: number
  dontFragment?: boolean
}): Uint8Array {
  const bytes = new Uint8Array(20 + p.payload.length)
  bytes[0] = 0x45
  bytes[2] = bytes.length >>> 8
  bytes[3] = bytes.length
  bytes[4] = (p.identification ?? 0) >>> 8
  bytes[5] = p.identification ?? 0
  if (p.dontFragment) bytes[6] = 0x40
  bytes[8] = p.ttl ?? 64
  bytes[9] = p.protocol
  writeIpv4(bytes, 12, p.source)
  writeIpv4(bytes, 16, p.destination)
  const check = checksum(bytes, 0, 20)
  bytes[10] = check >>> 8
  bytes[11] = check
  bytes.set(p.payload, 20)
  return bytes
}

/** A UDP datagram; with `pseudo` its checksum is computed, without it the checksum is 0 (none, RFC 768). */
export function emitUdp(
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  pseudo?: { source: Ipv4; destination: Ipv4 },
): Uint8Array {
  const length = 8 + payload.length
  const bytes = new Uint8Array(length)
  bytes[0] = sourcePort >>> 8
  bytes[1] = sourcePort
  bytes[2] = destinationPort >>> 8
  bytes[3] = destinationPort
  bytes[4] = length >>> 8
  bytes[5] = length
  bytes.set(payload, 8)
  if (pseudo) {
    const check = transportChecksum(bytes, 0, length, pseudo.source, pseudo.destination, IpProtocol.Udp) || 0xffff
    bytes[6] = check >>> 8
    bytes[7] = check
  }
  return bytes
}

/** The checksum of a UDP or TCP segment with its pseudo-header; 0 over a segment that holds a right one. */
export function transportChecksum(
  bytes: Uint8Array,
  offset: number,
  length: number,
  source: Ipv4,
  destination: Ipv4,
  protocol: number,
): number {
  const pseudo = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length
  return fold(sum16(bytes, offset, length, pseudo))
}
