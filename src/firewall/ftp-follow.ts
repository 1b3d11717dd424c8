/**
 * A client's segments to an FTP server: what it asks the server to open is expected, and called what it is outside.
 *
 * A command that comes in parts cannot be read, nor written anew. Its first part is held back, and what is behind it: a
 * sender that repeats it puts into one segment what is waiting. Where it does not, the parts pass as they are, and the server
 * refuses an address that is not the client's.
 */

import type { Millis } from '../machine.ts'
import { IpProtocol } from '../packet/ip.ts'
import type { FlowTable } from './flow.ts'
import { FTP_DATA_PORT, FTP_PORT, shiftBehind, shiftSequence } from './ftp.ts'
import { isPartOfCommand, portCommand, writePortCommand } from './ftp-command.ts'
import type { Headers } from './headers.ts'
import { drawPort } from './nat.ts'
import type { FirewallTables } from './tables.ts'

/** How often a part is held back: repetitions come after some 0.3 and 0.6 seconds. */
const TIMES_HELD = 2

/** Answers false where the segment is held back. */
export function followFtp(
  bytes: Uint8Array,
  tables: FirewallTables,
  h: Headers,
  row: number,
  policy: number,
  now: Millis,
): boolean {
  const { flows, ftp, answer } = tables
  if (h.protocol !== IpProtocol.Tcp || h.destinationPort !== FTP_PORT) return true
  if (h.dataLength > 0 && isHeld(bytes, flows, h, row)) return false
  const sequence = h.sequence
  const port = h.dataLength === 0 ? 0 : portCommand(bytes, h)
  const mate = flows.mate[row]!
  const outside = mate < 0 ? h.source : flows.destination[mate]!
  if (port !== 0) {
    const known = ftp.known(h.destination, h.source, port, now)
    answer.source = h.destination
    answer.sourcePort = FTP_DATA_PORT
    answer.destination = outside
    answer.destinationPort = port
    const drawn = known >= 0 || outside === h.source || drawPort(tables, h.protocol, now)
    const outsidePort = known >= 0 ? ftp.outsidePortOf(known) : answer.destinationPort
    if (!drawn) return true
    if (known < 0) ftp.expect(h, flows.session[row]!, tables.ruleset.ftp[policy] === 2, port, outside, outsidePort, now)
    if (mate >= 0) shiftBehind(flows, row, sequence, writePortCommand(bytes, h, outside, outsidePort))
  }
  shiftSequence(bytes, flows, row, h)
  return true
}

function isHeld(bytes: Uint8Array, flows: FlowTable, h: Headers, row: number): boolean {
  const held = flows.held[row]!
  const behind = held === 0 ? -1 : (h.sequence - flows.heldAt[row]!) | 0
  if (held > 0 && held <= TIMES_HELD && behind > 0) return true
  if (!isPartOfCommand(bytes, h)) {
    // It has come whole.
    if (held > 0 && behind === 0) flows.held[row] = 0
    return false
  }
  // An older part than the one that is held has its turn already.
  if (held > 0 && behind < 0) return false
  if (behind !== 0) {
    flows.held[row] = 1
    flows.heldAt[row] = h.sequence
    return true
  }
  if (held <= TIMES_HELD) flows.held[row] = held + 1
  return held < TIMES_HELD
}
