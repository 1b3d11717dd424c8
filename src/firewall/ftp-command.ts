/**
 * The commands by which an FTP client says where it can be called: PORT (RFC 959 section 4.1.2) and EPRT (RFC 2428 section 2)
 * with an IPv4 address, as whole lines that fill a segment, and written anew with another address and port.
 */

import { checksum } from '../packet/checksum.ts'
import { IpProtocol, transportChecksum } from '../packet/ip.ts'
import type { Headers } from './headers.ts'
import { read16, write16 } from './rewrite.ts'

const LOWEST_PORT = 1024
/** `PORT 255,255,255,255,255,255` or `EPRT |1|255.255.255.255|65535|` and the end of the line. */
const LONGEST = 34
/** "PORT " and "EPRT ", in capitals. */
const PORT = Uint8Array.of(0x50, 0x4f, 0x52, 0x54, 0x20)
const EPRT = Uint8Array.of(0x45, 0x50, 0x52, 0x54, 0x20)
const WORD = PORT.length
/** EPRT's number for IPv4. */
const IPV4 = 0x31
const [CR, LF, COMMA, DOT, ZERO] = [13, 10, 0x2c, 0x2e, 0x30]

/** Where the last number that was read ends. */
let end = 0

/** The port of a command that fills the segment and names the sender's own address; or 0. */
export function portCommand(bytes: Uint8Array, h: Headers): number {
  const start = h.transport + h.transportLength - h.dataLength
  const stop = start + h.dataLength
  if (h.dataLength > LONGEST) return 0
  const port = begins(bytes, start, stop, PORT)
    ? readPort(bytes, start + WORD, stop, h.source)
    : begins(bytes, start, stop, EPRT)
      ? readExtended(bytes, start + WORD, stop, h.source)
      : 0
  if (port < LOWEST_PORT || end + 2 !== stop || bytes[end] !== CR || bytes[end + 1] !== LF) return 0
  return isSound(bytes, h) ? port : 0
}

/** Whether the segment is only the beginning of such a command. */
export function isPartOfCommand(bytes: Uint8Array, h: Headers): boolean {
  const start = h.transport + h.transportLength - h.dataLength
  const stop = start + h.dataLength
  if (h.dataLength === 0 || h.dataLength > LONGEST) return false
  for (let at = start; at < stop; at++) if (bytes[at] === LF) return false
  return begins(bytes, start, stop, PORT) || begins(bytes, start, stop, EPRT)
}

/** The segment's first bytes, as far as it has them, in any case. */
function begins(bytes: Uint8Array, start: number, stop: number, word: Uint8Array): boolean {
  for (let i = 0; i < WORD && start + i < stop; i++) {
    const letter = bytes[start + i]!
    if ((letter >= 0x61 && letter <= 0x7a ? letter - 32 : letter) !== word[i]) return false
  }
  return true
}

/** `h1,h2,h3,h4,p1,p2` */
function readPort(bytes: Uint8Array, from: number, stop: number, own: number): number {
  let at = from
  let address = 0
  let port = 0
  for (let field = 0; field < 6; field++) {
    const value = readNumber(bytes, at, stop)
    if (value < 0 || value > 255) return 0
    if (field < 4) address = (address << 8) | value
    else port = (port << 8) | value
    if (field < 5 && bytes[end] !== COMMA) return 0
    at = end + 1
  }
  return address === own ? port : 0
}

/** `|1|a.b.c.d|port|`, with any delimiter. */
function readExtended(bytes: Uint8Array, from: number, stop: number, own: number): number {
  const delimiter = bytes[from]!
  if (from + 3 >= stop || isDigit(delimiter) || bytes[from + 1] !== IPV4 || bytes[from + 2] !== delimiter) return 0
  let at = from + 3
  let address = 0
  for (let field = 0; field < 4; field++) {
    const value = readNumber(bytes, at, stop)
    if (value < 0 || value > 255 || bytes[end] !== (field < 3 ? DOT : delimiter)) return 0
    address = (address << 8) | value
    at = end + 1
  }
  const port = readNumber(bytes, at, stop)
  if (port > 65535 || bytes[end] !== delimiter) return 0
  end++
  return address === own ? port : 0
}

/** -1 where there is none. Sets `end`. */
function readNumber(bytes: Uint8Array, from: number, stop: number): number {
  let value = 0
  for (end = from; end < stop && end < from + 5 && isDigit(bytes[end]!); end++) value = value * 10 + bytes[end]! - ZERO
  return end === from ? -1 : value
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9
}

/**
 * Writes another address and port into the command, whose segment then has another length: sets `h.totalLength` and answers by
 * how much it grew, 12 bytes at most: as many as ESP's trailer and check value leave free behind every packet. Addresses and
 * ports of the headers are rewritten later, by what they change.
 */
export function writePortCommand(bytes: Uint8Array, h: Headers, address: number, port: number): number {
  const start = h.transport + h.transportLength - h.dataLength
  const extended = (bytes[start]! & 0xdf) === EPRT[0]
  const delimiter = bytes[start + WORD]!
  let at = start + WORD
  if (extended) at += 3
  for (let field = 0; field < 4; field++) {
    at = writeNumber(bytes, at, (address >>> (24 - 8 * field)) & 255)
    bytes[at++] = !extended ? COMMA : field < 3 ? DOT : delimiter
  }
  if (extended) {
    at = writeNumber(bytes, at, port)
    bytes[at++] = delimiter
  } else {
    at = writeNumber(bytes, at, port >>> 8)
    bytes[at++] = COMMA
    at = writeNumber(bytes, at, port & 255)
  }
  bytes[at++] = CR
  bytes[at++] = LF
  const grown = at - start - h.dataLength
  h.dataLength += grown
  h.transportLength += grown
  h.totalLength += grown
  write16(bytes, h.start + 2, h.totalLength)
  write16(bytes, h.start + 10, 0)
  write16(bytes, h.start + 10, checksum(bytes, h.start, h.transport - h.start))
  seal(bytes, h)
  return grown
}

/** Answers the place behind it. */
function writeNumber(bytes: Uint8Array, from: number, value: number): number {
  let at = from
  for (let unit = 10_000; unit >= 1; unit /= 10) {
    if (value >= unit || unit === 1) bytes[at++] = ZERO + (Math.floor(value / unit) % 10)
  }
  return at
}

/** A damaged segment, or the first part of one, is left as it is: a new checksum would hide that. */
export function isSound(bytes: Uint8Array, h: Headers): boolean {
  return segmentSum(bytes, h) === 0
}

/** The segment's checksum anew, under the addresses that its header has. */
export function seal(bytes: Uint8Array, h: Headers): void {
  write16(bytes, h.transport + 16, 0)
  write16(bytes, h.transport + 16, segmentSum(bytes, h))
}

function segmentSum(bytes: Uint8Array, h: Headers): number {
  const address = (at: number) => ((read16(bytes, at) << 16) | read16(bytes, at + 2)) >>> 0
  const [source, destination] = [address(h.start + 12), address(h.start + 16)]
  return transportChecksum(bytes, h.transport, h.transportLength, source, destination, IpProtocol.Tcp)
}
