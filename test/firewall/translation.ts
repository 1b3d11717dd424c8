/** Helpers for tests of address translation: what leaves, read back, with its checksums looked at. */

import { expect } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import type { FirewallNat, FirewallPolicy, FirewallRule } from '../../src/firewall/policy.ts'
import type { Surroundings } from '../../src/firewall/surroundings.ts'
import { FirewallTables } from '../../src/firewall/tables.ts'
import { Batch } from '../../src/packet/batch.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { formatIpv4, IpProtocol, type Ipv4, ipv4, readIpv4, transportChecksum } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { ALICE, ALICE_ROW, BOB_ROW, firewall, outcome, SURROUNDINGS } from './office.ts'

/** An address that the gateway alone owns. */
export const GLOBAL = ipv4('203.0.113.8')
export const AROUND: Surroundings = {
  ...SURROUNDINGS,
  sessions: [{ first: ALICE, last: ALICE + 9 }],
  ports: [500, 4500, 1701],
}

export function nat(change: Partial<FirewallNat>): FirewallNat {
  return {
    kind: 'enhanced',
    interface: 'dyn-dynamic',
    ip: undefined,
    globalInterface: 'eth0',
    globalIp: { first: GLOBAL, last: GLOBAL },
    ...change,
  }
}

export const ENHANCED = nat({})

/** Alice and Bob connected, under these translations and rules. */
export function translating(
  nats: readonly FirewallNat[],
  rules: readonly FirewallRule[] = [],
  change: Partial<FirewallPolicy> = {},
  around: Surroundings = AROUND,
  size = { flows: 4096, perSession: 2048 },
  worker = 0,
): FirewallTables {
  const t = new FirewallTables(0x5eed, size, undefined, worker)
  t.setRuleset(buildRuleset(firewall({ nats, rules, ...change }), around))
  t.install(ALICE_ROW)
  t.install(BOB_ROW)
  return t
}

/** The packet as it left, or why it did not. */
export function sent(t: FirewallTables, session: number, packet: Uint8Array, now = 0): Uint8Array | string {
  const batch = new Batch()
  const i = batch.push(packet)
  batch.session[i] = session
  filterIn(batch, t, now)
  return batch.verdict[i] === Verdict.Forward ? batch.packet(i).slice() : outcome(batch, i)
}

/** The packet as it came to its session, or why it did not. */
export function received(t: FirewallTables, packet: Uint8Array, now = 0): Uint8Array | string {
  const batch = new Batch()
  const i = batch.push(packet)
  filterOut(batch, t, now)
  return batch.verdict[i] === Verdict.Forward ? batch.packet(i).slice() : outcome(batch, i)
}

export interface Seen {
  readonly source: Ipv4
  readonly destination: Ipv4
  readonly protocol: number
  readonly sourcePort: number
  readonly destinationPort: number
}

/** Reads a whole packet's ends; fails where a checksum is wrong. An ICMP query's identifier is both ports. */
export function read(packet: Uint8Array | string): Seen {
  if (typeof packet === 'string') throw new Error(`the packet did not pass: ${packet}`)
  const protocol = packet[9]!
  const [source, destination] = [readIpv4(packet, 12), readIpv4(packet, 16)]
  const word = (at: number) => (packet[at]! << 8) | packet[at + 1]!
  expect(checksum(packet, 0, 20)).toBe(0)
  const whole = (word(6) & 0x3fff) === 0
  if (protocol === IpProtocol.Icmp) {
    if (whole) expect(checksum(packet, 20, packet.length - 20)).toBe(0)
    return { source, destination, protocol, sourcePort: word(24), destinationPort: word(24) }
  }
  if (whole && !(protocol === IpProtocol.Udp && word(26) === 0)) {
    expect(transportChecksum(packet, 20, packet.length - 20, source, destination, protocol)).toBe(0)
  }
  return { source, destination, protocol, sourcePort: word(20), destinationPort: word(22) }
}

/** `10.0.0.1:80 > 10.0.0.2:90` */
export function ends(packet: Uint8Array | string): string {
  const s = read(packet)
  return `${formatIpv4(s.source)}:${s.sourcePort} > ${formatIpv4(s.destination)}:${s.destinationPort}`
}
