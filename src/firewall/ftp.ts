/**
 * FTP's active mode, the only protocol that is looked into, and only where SET FIREWALL POLICY FTPDATAPORT asks for it. A
 * session that tells a server its own address and a port (ftp-command.ts) lets that server connect there once. Where the
 * connection is translated the command is, too, and the numbers of what follows are shifted by what it grew or shrank.
 */

import type { Millis } from '../machine.ts'
import { update32 } from '../packet/checksum.ts'
import { IpProtocol } from '../packet/ip.ts'
import { TcpFlag, TcpOption } from './constants.ts'
import type { FlowTable } from './flow.ts'
import { isSound, seal } from './ftp-command.ts'
import type { Headers } from './headers.ts'
import { read16, write16, write32 } from './rewrite.ts'

export const FTP_PORT = 21
export const FTP_DATA_PORT = 20
/** TCP option "SACK permitted" (RFC 2018 section 2). */
const SACK_PERMITTED = 4
/** How long the server may take, and how many are awaited at once. */
const WAIT: Millis = 60_000
const ROWS = 256

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
