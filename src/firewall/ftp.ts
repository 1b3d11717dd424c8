/**
 * FTP's active mode (RFC 959 section 5.3.1, PORT), the only protocol that is looked into, and only where SET FIREWALL POLICY
 * FTPDATAPORT asks for it. A session that tells a server its own address and a port of 1024 or more in a whole command at the
 * start of a segment lets that server connect there once. Where the connection is translated the command is, too, and the
 * numbers of what follows are shifted by what it grew or shrank.
 */

import type { Millis } from '../machine.ts'
import { checksum, update32 } from '../packet/checksum.ts'
import { IpProtocol, transportChecksum } from '../packet/ip.ts'
import { TcpFlag, TcpOption } from './constants.ts'
import type { FlowTable } from './flow.ts'
import type { Headers } from './headers.ts'
import { read16, write16, write32 } from './rewrite.ts'

export const FTP_PORT = 21
export const FTP_DATA_PORT = 20
/** TCP option "SACK permitted" (RFC 2018 section 2). */
const SACK_PERMITTED = 4
const LOWEST_PORT = 1024
/** How long the server may take, and how many are awaited at once. */
const WAIT: Millis = 60_000
const ROWS = 256
/** `PORT 255,255,255,255,255,255` and the end of the line. */
const LONGEST = 32

/** Data connections that a server was asked to open. */
export class FtpExpectations {
  private readonly server = new Int32Array(ROWS)
  /** 20, or 0 for any. */
  private readonly serverPort = new Uint16Array(ROWS)
  private readonly session = new Uint32Array(ROWS)
  readonly client = new Int32Array(ROWS)
  readonly clientPort = new Uint16Array(ROWS)
  private readonly outside = new Int32Array(ROWS)
  private readonly outsidePort = new Uint16Array(ROWS)
  private readonly expires = new Float64Array(ROWS)
  private next = 0

  /** The row of what this client asked this server for already, or -1: a command that is sent again asks for the same. */
  known(server: number, client: number, port: number, now: Millis): number {
    for (let i = 0; i < ROWS; i++) {
      if (
        this.expires[i]! > now &&
        this.server[i] === server &&
        this.client[i] === client &&
        this.clientPort[i] === port
      )
        return i
    }
    return -1
  }

  outsidePortOf(row: number): number {
    return this.outsidePort[row]!
  }

  /** Expects a connection to `outside`, which is the client itself where nothing is translated. The oldest makes room. */
  expect(
    h: Headers,
    session: number,
    anyPort: boolean,
    port: number,
    outside: number,
    outsidePort: number,
    now: Millis,
  ) {
    const row = this.next
    this.next = (row + 1) % ROWS
    this.server[row] = h.destination
    this.serverPort[row] = anyPort ? 0 : FTP_DATA_PORT
    this.session[row] = session
    this.client[row] = h.source
    this.clientPort[row] = port
    this.outside[row] = outside
    this.outsidePort[row] = outsidePort
    this.expires[row] = now + WAIT
  }

  /** The row that expects a first SYN, by where it was sent to; or -1. */
  find(h: Headers, now: Millis): number {
    if (h.protocol !== IpProtocol.Tcp || !h.opensTcp) return -1
    for (let i = 0; i < ROWS; i++) {
      if (this.expires[i]! <= now || this.server[i] !== h.source) continue
      if (this.outside[i] !== h.originalDestination || this.outsidePort[i] !== h.originalPort) continue
      if (this.serverPort[i] === 0 || this.serverPort[i] === h.sourcePort) return i
    }
    return -1
  }

  /** The connection is there: no second one. */
  done(row: number): void {
    this.expires[row] = 0
  }

  forget(session: number): void {
    for (let i = 0; i < ROWS; i++) if (this.session[i] === session) this.expires[i] = 0
  }
}

/** The port of a PORT command that fills the segment's start and names the sender's own address; or 0. */
export function portCommand(bytes: Uint8Array, h: Headers): number {
  const start = h.transport + h.transportLength - h.dataLength
  const end = start + Math.min(h.dataLength, LONGEST)
  // "PORT ", in any case.
  if (h.dataLength < 5 || (bytes[start]! & 0xdf) !== 0x50 || (bytes[start + 1]! & 0xdf) !== 0x4f) return 0
  if ((bytes[start + 2]! & 0xdf) !== 0x52 || (bytes[start + 3]! & 0xdf) !== 0x54 || bytes[start + 4] !== 0x20) return 0
  let at = start + 5
  let address = 0
  let port = 0
  for (let field = 0; field < 6; field++) {
    let value = -1
    while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) {
      value = Math.max(value, 0) * 10 + bytes[at]! - 0x30
      at++
    }
    if (value < 0 || value > 255) return 0
    if (field < 4) address = (address << 8) | value
    else port = (port << 8) | value
    if (field < 5 && bytes[at++] !== 0x2c) return 0
  }
  if (at + 1 >= end || bytes[at] !== 13 || bytes[at + 1] !== 10 || at + 2 !== start + h.dataLength) return 0
  return address === h.source && port >= LOWEST_PORT && isSound(bytes, h) ? port : 0
}

/**
 * Writes another address and port into the command, whose segment then has another length: sets `h.totalLength` and answers by
 * how much it grew, 12 bytes at most: as many as ESP's trailer and check value leave free behind every packet. Addresses and ports of the headers are rewritten later, by what they change.
 */
export function writePortCommand(bytes: Uint8Array, h: Headers, address: number, port: number): number {
  const start = h.transport + h.transportLength - h.dataLength
  let at = start + 5
  for (let field = 0; field < 6; field++) {
    const value = field < 4 ? (address >>> (24 - 8 * field)) & 255 : field === 4 ? port >>> 8 : port & 255
    if (value >= 100) bytes[at++] = 0x30 + Math.floor(value / 100)
    if (value >= 10) bytes[at++] = 0x30 + (Math.floor(value / 10) % 10)
    bytes[at++] = 0x30 + (value % 10)
    bytes[at++] = field < 5 ? 0x2c : 13
  }
  bytes[at++] = 10
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

/** A damaged segment, or the first part of one, is left as it is: a new checksum would hide that. */
function isSound(bytes: Uint8Array, h: Headers): boolean {
  return segmentSum(bytes, h) === 0
}

/** The segment's checksum anew, under the addresses that its header has. */
function seal(bytes: Uint8Array, h: Headers): void {
  write16(bytes, h.transport + 16, 0)
  write16(bytes, h.transport + 16, segmentSum(bytes, h))
}

function segmentSum(bytes: Uint8Array, h: Headers): number {
  const address = (at: number) => ((read16(bytes, at) << 16) | read16(bytes, at + 2)) >>> 0
  const [source, destination] = [address(h.start + 12), address(h.start + 16)]
  return transportChecksum(bytes, h.transport, h.transportLength, source, destination, IpProtocol.Tcp)
}

/** Remembers that what follows the segment is shifted by `grown` more. One that was sent before is shifted already. */
export function shiftBehind(flows: FlowTable, row: number, sequence: number, grown: number): void {
  if (grown === 0 || (flows.shifted[row] === 1 && ((sequence - flows.shiftAt[row]!) | 0) <= 0)) return
  flows.shifted[row] = 1
  flows.shiftBefore[row] = flows.shiftAfter[row]!
  flows.shiftAfter[row] = flows.shiftAfter[row]! + grown
  flows.shiftAt[row] = sequence
}

/** Sets a client's sequence number right for the server. */
export function shiftSequence(bytes: Uint8Array, flows: FlowTable, row: number, h: Headers): void {
  if (flows.shifted[row] === 0) return
  const behind = ((h.sequence - flows.shiftAt[row]!) | 0) > 0
  renumber(bytes, h, 4, h.sequence, h.sequence + (behind ? flows.shiftAfter[row]! : flows.shiftBefore[row]!))
}

/** Sets a server's acknowledgement right for the client, in the packet and in the headers. */
export function shiftAcknowledgement(bytes: Uint8Array, flows: FlowTable, row: number, h: Headers): void {
  if (flows.shifted[row] === 0 || (h.tcpFlags & TcpFlag.Ack) === 0) return
  const before = flows.shiftBefore[row]!
  const behind = ((h.acknowledgement - before - flows.shiftAt[row]!) | 0) > 0
  const right = (h.acknowledgement - (behind ? flows.shiftAfter[row]! : before)) | 0
  renumber(bytes, h, 8, h.acknowledgement, right)
  h.acknowledgement = right
}

function renumber(bytes: Uint8Array, h: Headers, at: number, before: number, after: number): void {
  const check = h.transport + 16
  write32(bytes, h.transport + at, after)
  write16(bytes, check, update32(read16(bytes, check), before, after))
}

/** Takes "SACK permitted" out of a SYN: shifted numbers in SACK blocks would be one more thing to set right. */
export function refuseSack(bytes: Uint8Array, h: Headers): void {
  const end = h.transport + h.transportLength - h.dataLength
  if (!isSound(bytes, h)) return
  for (let at = h.transport + 20; at < end; ) {
    const kind = bytes[at]!
    if (kind === TcpOption.End) return
    const size = kind === TcpOption.NoOperation ? 1 : at + 1 < end ? bytes[at + 1]! : 0
    if (size < 1 || (size < 2 && kind !== TcpOption.NoOperation)) return
    if (kind === SACK_PERMITTED && size === 2) {
      bytes[at] = TcpOption.NoOperation
      bytes[at + 1] = TcpOption.NoOperation
      return seal(bytes, h)
    }
    at += size
  }
}
