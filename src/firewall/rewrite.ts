/** Another source or destination in a packet's headers, its checksums set right by what changed alone (RFC 1624, RFC 3022). */

import { update16, update32 } from '../packet/checksum.ts'
import { IpProtocol } from '../packet/ip.ts'
import type { Tuple } from './flow.ts'
import type { Headers } from './headers.ts'

/** Writes the tuple into the packet; a later fragment has no ports and gets the addresses alone. */
export function rewrite(bytes: Uint8Array, h: Headers, to: Tuple): void {
  const { start, transport: t } = h
  const source = read32(bytes, start + 12)
  const destination = read32(bytes, start + 16)
  let ip = read16(bytes, start + 10)
  ip = update32(update32(ip, source, to.source), destination, to.destination)
  write16(bytes, start + 10, ip)
  write32(bytes, start + 12, to.source)
  write32(bytes, start + 16, to.destination)
  if (h.fragmentOffset !== 0) return

  if (h.protocol === IpProtocol.Icmp) {
    // A query's identifier: the end of the tuple that is no type.
    const identifier = to.sourcePort <= 0xffff ? to.sourcePort : to.destinationPort
    write16(bytes, t + 2, update16(read16(bytes, t + 2), read16(bytes, t + 4), identifier))
    write16(bytes, t + 4, identifier)
    return
  }
  const at = checksumPlace(h.protocol)
  if (at < 0) return
  let check = read16(bytes, t + at)
  // A UDP datagram without a checksum has none to set right (RFC 768).
  const none = h.protocol === IpProtocol.Udp && check === 0
  check = update32(update32(check, source, to.source), destination, to.destination)
  check = update16(check, read16(bytes, t), to.sourcePort)
  check = update16(check, read16(bytes, t + 2), to.destinationPort)
  if (!none) write16(bytes, t + at, check === 0 && h.protocol === IpProtocol.Udp ? 0xffff : check)
  write16(bytes, t, to.sourcePort)
  write16(bytes, t + 2, to.destinationPort)
}

/** Gives a fragment another identification, so that those of two hosts behind one address never mix (RFC 4963). */
export function reidentify(bytes: Uint8Array, h: Headers, identification: number): void {
  const { start } = h
  write16(bytes, start + 10, update16(read16(bytes, start + 10), h.identification, identification))
  write16(bytes, start + 4, identification)
}

/** Where a segment's checksum with its pseudo-header lies, or -1 for protocols without one. */
export function checksumPlace(protocol: number): number {
  return protocol === IpProtocol.Tcp ? 16 : protocol === IpProtocol.Udp ? 6 : -1
}

export function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

export function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
