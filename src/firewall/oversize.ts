/** A packet that is larger than its session's link: split (RFC 791 section 3.2), or answered (RFC 1191 section 4). */

import { BATCH_CAPACITY, type Batch } from '../packet/batch.ts'
import { checksum } from '../packet/checksum.ts'
import { headersOf } from '../packet/cut.ts'
import { IpProtocol, writeIpv4 } from '../packet/ip.ts'
import { ICMP_FRAGMENTATION_NEEDED, IcmpType, IP_MORE_FRAGMENTS } from './constants.ts'
import type { Headers } from './headers.ts'

const IP_HEADER = 20
/** An ICMP error's own headers, and the size that no error exceeds (RFC 1812 section 4.3.2.3). */
const ERROR_HEADERS = 28
const MAX_ERROR = 576

/**
 * Splits packet `i` into fragments of at most `mtu` bytes: the first stays in its row, the others become new rows at the
 * batch's end, marked as forwarded to the same session and peer. The slots behind the batch's last row must be free.
 * Answers false, with nothing changed, where the rows do not suffice or the header has options.
 */
export function split(batch: Batch, i: number, h: Headers, mtu: number): boolean {
  const chunk = (mtu - IP_HEADER) & ~7
  const payload = h.totalLength - IP_HEADER
  if (h.transport - h.start !== IP_HEADER || chunk < 8) return false
  const more = Math.ceil(payload / chunk) - 1
  if (batch.count + more > BATCH_CAPACITY) return false

  const bytes = batch.bytes
  const start = h.start
  for (let k = 1; k <= more; k++) {
    const length = Math.min(chunk, payload - k * chunk)
    const row = batch.add(IP_HEADER + length)
    const at = batch.offset[row]!
    bytes.copyWithin(at, start, start + IP_HEADER)
    bytes.copyWithin(at + IP_HEADER, h.transport + k * chunk, h.transport + k * chunk + length)
    writeFragment(bytes, at, length, h.fragmentOffset + k * chunk, k < more || h.moreFragments)
    batch.peer[row] = batch.peer[i]!
    batch.session[row] = batch.session[i]!
  }
  writeFragment(bytes, start, chunk, h.fragmentOffset, true)
  batch.length[i] = IP_HEADER + chunk
  return true
}

/**
 * Lets the super-segment `i` be cut into packets of at most `mtu` bytes. Answers false where that cannot be: datagrams have
 * the size that they have.
 */
export function narrow(batch: Batch, i: number, h: Headers, mtu: number): boolean {
  const room = mtu - headersOf(batch, i)
  if (h.protocol !== IpProtocol.Tcp || room < 1) return false
  batch.segment[i] = room
  return true
}

function writeFragment(bytes: Uint8Array, at: number, payload: number, offset: number, more: boolean): void {
  put16(bytes, at + 2, IP_HEADER + payload)
  put16(bytes, at + 6, (more ? IP_MORE_FRAGMENTS : 0) | (offset >>> 3))
  put16(bytes, at + 10, 0)
  put16(bytes, at + 10, checksum(bytes, at, IP_HEADER))
}

/**
 * Adds to `replies` the ICMP error that tells the sender of the packet in `h` to send `mtu` bytes at most. Its source is
 * the client's address: an own address of the gateway would be a martian to the kernel that reads it from the TUN device,
 * and the client's comes from where its route points. No error answers an error or a later fragment (RFC 1122 section
 * 3.2.2). Answers whether one was made.
 */
export function replyTooBig(replies: Batch, bytes: Uint8Array, h: Headers, mtu: number): boolean {
  if (h.isIcmpError || h.fragmentOffset !== 0 || h.source === 0 || h.source >>> 0 >= 0xe0000000) return false
  if (replies.count >= BATCH_CAPACITY) return false
  const quoted = Math.min(h.totalLength, MAX_ERROR - ERROR_HEADERS)
  const length = ERROR_HEADERS + quoted
  const at = replies.offset[replies.add(length)]!
  const out = replies.bytes
  for (let k = 0; k < ERROR_HEADERS; k++) out[at + k] = 0
  for (let k = 0; k < quoted; k++) out[at + ERROR_HEADERS + k] = bytes[h.start + k]!
  out[at] = 0x45
  put16(out, at + 2, length)
  out[at + 8] = 64
  out[at + 9] = IpProtocol.Icmp
  writeIpv4(out, at + 12, h.destination)
  writeIpv4(out, at + 16, h.source)
  put16(out, at + 10, checksum(out, at, IP_HEADER))
  out[at + 20] = IcmpType.DestinationUnreachable
  out[at + 21] = ICMP_FRAGMENTATION_NEEDED
  put16(out, at + 26, mtu)
  put16(out, at + 22, checksum(out, at + 20, length - IP_HEADER))
  return true
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}
