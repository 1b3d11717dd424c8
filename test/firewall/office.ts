/** The firewall that the AR450S note builds for its office, and packets to try it with. */

import { buildRuleset } from '../../src/firewall/compile.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import {
  FIREWALL_DEFAULTS,
  type Firewall,
  type FirewallPolicy,
  type FirewallRule,
  RULE_DEFAULTS,
} from '../../src/firewall/policy.ts'
import type { Ruleset } from '../../src/firewall/ruleset.ts'
import type { Surroundings } from '../../src/firewall/surroundings.ts'
import { FirewallTables } from '../../src/firewall/tables.ts'
import { Batch } from '../../src/packet/batch.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { emitIpv4, emitUdp, IpProtocol, type Ipv4, ipv4, transportChecksum, writeIpv4 } from '../../src/packet/ip.ts'
import { dropReasonNames, Verdict } from '../../src/packet/verdict.ts'

export const OFFICE = ipv4('203.0.113.1')
export const LAN_GATEWAY = ipv4('192.168.8.1')
export const LAN_HOST = ipv4('192.168.8.20')
export const INTERNET = ipv4('198.51.100.7')
export const ALICE = ipv4('192.168.8.50')
export const BOB = ipv4('192.168.8.51')
export const CAROL = ipv4('192.168.8.52')

export const ALICE_ROW = { session: 1, peer: 11, address: ALICE, user: 'alice', mtu: 1400 }
export const BOB_ROW = { session: 2, peer: 12, address: BOB, user: 'Bob', mtu: 1280 }

export function rule(r: Partial<FirewallRule> & Pick<FirewallRule, 'number' | 'action' | 'interface'>): FirewallRule {
  return { ...RULE_DEFAULTS, ...r }
}

export const one = (address: Ipv4) => ({ first: address, last: address })
export const port = (first: number, last = first) => ({ first, last })

const office = {
  ip: one(OFFICE),
  globalIp: one(OFFICE),
  protocol: IpProtocol.Udp,
  action: 'allow',
  interface: 'eth0',
} as const

/** Rules 1 to 3 of the note: IKE, NAT traversal, and L2TP out of IPsec. */
export const OFFICE_RULES: readonly FirewallRule[] = [
  rule({ ...office, number: 1, port: port(500), globalPort: port(500) }),
  rule({ ...office, number: 2, port: port(4500), globalPort: port(4500) }),
  rule({ ...office, number: 3, port: port(1701), globalPort: port(1701), encapsulation: 'ipsec' }),
]

export function policy(change: Partial<FirewallPolicy> = {}): FirewallPolicy {
  return {
    name: 'main',
    interfaces: [
      { name: 'vlan1', type: 'private', method: 'dynamic' },
      { name: 'dyn-dynamic', type: 'private', method: 'dynamic' },
      { name: 'eth0', type: 'public', method: 'dynamic' },
    ],
    dynamics: [{ name: 'dynamic', users: [], any: true, none: false }],
    nats: [
      { kind: 'enhanced', interface: 'vlan1', ip: undefined, globalInterface: 'eth0', globalIp: undefined },
      { kind: 'enhanced', interface: 'dyn-dynamic', ip: undefined, globalInterface: 'eth0', globalIp: undefined },
    ],
    rules: OFFICE_RULES,
    ...FIREWALL_DEFAULTS,
    ...change,
  }
}

export function firewall(change: Partial<FirewallPolicy> = {}): Firewall {
  return { enabled: true, policies: [policy(change)] }
}

export const SURROUNDINGS: Surroundings = {
  interfaces: [
    { name: 'eth0', device: 'wan', address: OFFICE, mask: ipv4('255.255.255.0') },
    { name: 'vlan1', device: 'lan', address: LAN_GATEWAY, mask: ipv4('255.255.255.0') },
  ],
}

/** A worker's tables with Alice and Bob connected. */
export function tables(rules: Firewall = firewall(), surroundings = SURROUNDINGS): FirewallTables {
  const t = new FirewallTables(0x5eed, { flows: 4096, perSession: 1024 })
  t.setRuleset(buildRuleset(rules, surroundings))
  t.install(ALICE_ROW)
  t.install(BOB_ROW)
  return t
}

export function ruleset(rules: Firewall = firewall()): Ruleset {
  return buildRuleset(rules, SURROUNDINGS)
}

/** What became of one packet from session's client: 'Forward' or the drop reason's name. */
export function fromClient(t: FirewallTables, session: number, packet: Uint8Array, now = 0): string {
  const batch = new Batch()
  const i = batch.push(packet)
  batch.session[i] = session
  filterIn(batch, t, now)
  return outcome(batch, i)
}

/** What became of one packet read from the TUN device. */
export function toClient(t: FirewallTables, packet: Uint8Array, now = 0): string {
  const batch = new Batch()
  const i = batch.push(packet)
  filterOut(batch, t, now)
  return outcome(batch, i)
}

export function outcome(batch: Batch, i: number): string {
  return batch.verdict[i] === Verdict.Forward ? 'Forward' : dropReasonNames[batch.reason[i]!]!
}

export function udp(
  source: Ipv4,
  sourcePort: number,
  destination: Ipv4,
  destinationPort: number,
  size = 4,
): Uint8Array {
  const payload = emitUdp(sourcePort, destinationPort, new Uint8Array(size), { source, destination })
  return emitIpv4({ source, destination, protocol: IpProtocol.Udp, payload })
}

export const TCP = { FIN: 1, SYN: 2, RST: 4, ACK: 16 } as const

export interface TcpNumbers {
  readonly sequence: number
  readonly acknowledgement: number
  readonly window: number
}

export function tcp(
  source: Ipv4,
  sourcePort: number,
  destination: Ipv4,
  destinationPort: number,
  flags: number,
  options: Uint8Array = new Uint8Array(0),
  numbers: Partial<TcpNumbers> = {},
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const payload = emitTcp(source, sourcePort, destination, destinationPort, flags, options, data, numbers)
  return emitIpv4({ source, destination, protocol: IpProtocol.Tcp, payload })
}

export function emitTcp(
  source: Ipv4,
  sourcePort: number,
  destination: Ipv4,
  destinationPort: number,
  flags: number,
  options: Uint8Array = new Uint8Array(0),
  data: Uint8Array = new Uint8Array(0),
  numbers: Partial<TcpNumbers> = {},
): Uint8Array {
  const header = 20 + Math.ceil(options.length / 4) * 4
  const bytes = new Uint8Array(header + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, sourcePort)
  view.setUint16(2, destinationPort)
  view.setUint32(4, numbers.sequence ?? 0x01020304)
  view.setUint32(8, numbers.acknowledgement ?? 0)
  view.setUint8(12, (header / 4) << 4)
  view.setUint8(13, flags)
  view.setUint16(14, numbers.window ?? 0xffff)
  bytes.set(options, 20)
  bytes.set(data, header)
  view.setUint16(16, transportChecksum(bytes, 0, bytes.length, source, destination, IpProtocol.Tcp))
  return bytes
}

/** An ICMP query or answer. */
export function icmp(source: Ipv4, destination: Ipv4, type: number, identifier: number): Uint8Array {
  return icmpMessage(source, destination, type, 0, identifier, new Uint8Array(16))
}

/** An ICMP error about `packet`, as a host or router at `source` would send it to the packet's sender. */
export function icmpError(source: Ipv4, destination: Ipv4, packet: Uint8Array): Uint8Array {
  return icmpMessage(source, destination, 3, 3, 0, packet.slice(0, 28))
}

export function icmpMessage(
  source: Ipv4,
  destination: Ipv4,
  type: number,
  code: number,
  word: number,
  data: Uint8Array,
) {
  const payload = new Uint8Array(8 + data.length)
  payload[0] = type
  payload[1] = code
  payload[4] = word >>> 8
  payload[5] = word
  payload.set(data, 8)
  const check = checksum(payload, 0, payload.length)
  payload[2] = check >>> 8
  payload[3] = check
  return emitIpv4({ source, destination, protocol: IpProtocol.Icmp, payload })
}

/** The fragments of a packet without options, as a router would send them. */
export function fragments(packet: Uint8Array, mtu: number, identification: number): Uint8Array[] {
  const chunk = (mtu - 20) & ~7
  const out: Uint8Array[] = []
  for (let at = 0; at < packet.length - 20; at += chunk) {
    const data = packet.slice(20 + at, 20 + at + chunk)
    const bytes = new Uint8Array(20 + data.length)
    bytes.set(packet.subarray(0, 20))
    bytes.set(data, 20)
    const view = new DataView(bytes.buffer)
    view.setUint16(2, bytes.length)
    view.setUint16(4, identification)
    view.setUint16(6, (at + chunk < packet.length - 20 ? 0x2000 : 0) | (at / 8))
    view.setUint16(10, 0)
    view.setUint16(10, checksum(bytes, 0, 20))
    out.push(bytes)
  }
  return out
}

/** The packet with another source, its header checksum set right. */
export function withSource(packet: Uint8Array, source: Ipv4): Uint8Array {
  const out = packet.slice()
  writeIpv4(out, 12, source)
  const view = new DataView(out.buffer)
  view.setUint16(10, 0)
  view.setUint16(10, checksum(out, 0, 20))
  return out
}
