/** ICMP errors about translated packets (RFC 5508 section 4): inside and outside go back to what the sender knows. */

import type { Millis } from '../machine.ts'
import { checksum, update16, update32 } from '../packet/checksum.ts'
import { IpProtocol } from '../packet/ip.ts'
import type { Headers } from './headers.ts'
import { checksumPlace, read16, write16, write32 } from './rewrite.ts'
import type { FirewallTables } from './tables.ts'

/**
 * The row of the translated flow whose packet the error quotes, as it meets packets that go the error's own way; or -1. The
 * error must go to the quoted packet's sender.
 */
export function quotedRow(bytes: Uint8Array, tables: FirewallTables, h: Headers, hook: number, now: Millis): number {
  const q = tables.quoted
  if (tables.flows.translated === 0 || !q.readQuoted(bytes, h) || q.source !== h.originalDestination) return -1
  return tables.flows.findTranslated(hook, q.destination, q.destinationPort, q.source, q.sourcePort, q.protocol, now)
}

/**
 * Rewrites the error about a packet of the flow in `row`. The quoted packet becomes what its sender sent, and the error goes
 * there. Answers false where the message was damaged already: its checksum is made anew and must not hide that.
 */
export function rewriteError(bytes: Uint8Array, tables: FirewallTables, h: Headers, row: number): boolean {
  const { flows, quoted: q } = tables
  const { start, transport: t, transportLength } = h
  if (h.moreFragments || checksum(bytes, t, transportLength) !== 0) return false
  const mate = flows.mate[row]!
  const source = flows.source[mate]!
  const sourcePort = flows.sourcePort[mate]!
  const destination = flows.destination[mate]!
  const destinationPort = flows.destinationPort[mate]!
  const inner = t + 8
  const body = inner + (bytes[inner]! & 15) * 4
  write32(bytes, inner + 12, source)
  write32(bytes, inner + 16, destination)
  write16(bytes, inner + 10, 0)
  write16(bytes, inner + 10, checksum(bytes, inner, body - inner))
  const check = checksumPlace(q.protocol)
  if (check >= 0 && body + check + 2 <= t + transportLength) {
    const before = read16(bytes, body + check)
    let after = update32(update32(before, q.source, source), q.destination, destination)
    after = update16(update16(after, q.sourcePort, sourcePort), q.destinationPort, destinationPort)
    if (before !== 0 || q.protocol === IpProtocol.Tcp) write16(bytes, body + check, after)
  }
  if (check >= 0) {
    write16(bytes, body, sourcePort)
    write16(bytes, body + 2, destinationPort)
  } else if (q.protocol === IpProtocol.Icmp) {
    const identifier = sourcePort <= 0xffff ? sourcePort : destinationPort
    write16(bytes, body + 2, update16(read16(bytes, body + 2), read16(bytes, body + 4), identifier))
    write16(bytes, body + 4, identifier)
  }
  write16(bytes, t + 2, 0)
  write16(bytes, t + 2, checksum(bytes, t, transportLength))

  // A host that was the far end itself has another name there; a router on the way has not.
  if (h.source === flows.source[row]) write32(bytes, start + 12, destination)
  write32(bytes, start + 16, source)
  write16(bytes, start + 10, 0)
  write16(bytes, start + 10, checksum(bytes, start, t - start))
  return true
}
