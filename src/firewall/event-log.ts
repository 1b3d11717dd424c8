/** Which events ENABLE FIREWALL POLICY LOG= asks for, and how one is told in the log. */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import { DropReason } from '../packet/verdict.ts'
import type { FirewallEvent } from './events.ts'

const PROTOCOLS = ['TCP', 'UDP', 'ICMP', 'OTHER'] as const

/**
 * ALLOW, DENY and DENYDUMP (with the packet's first bytes), each of one direction, and by protocol: INATCP is what is allowed
 * in of TCP, OUTDDUDP what is denied outwards of UDP, with its bytes.
 */
export const LOG_OPTIONS: readonly string[] = [
  'ALLOW',
  'DENY',
  'DENYDUMP',
  ...['IN', 'OUT'].flatMap(way => [
    `${way}ALLOW`,
    `${way}DENY`,
    `${way}DDUMP`,
    ...['A', 'D', 'DD'].flatMap(what => PROTOCOLS.map(protocol => `${way}${what}${protocol}`)),
  ]),
]

/** Whether the event is to be logged under a policy's options, and with its bytes. */
export function logged(options: readonly string[], e: FirewallEvent): 'no' | 'yes' | 'dump' {
  if (e.action === 'notify') return 'no'
  const protocol = protocolName(e.protocol)
  const kind = ['tcp', 'udp', 'icmp'].includes(protocol) ? protocol : 'other'
  const asked = (what: string, letter: string) =>
    [what, `${e.direction}${what}`, `${e.direction}${letter}${kind}`].some(o => options.includes(o))
  if (e.action === 'allow') return asked('allow', 'a') ? 'yes' : 'no'
  if (asked('denydump', 'dd') || options.includes(`${e.direction}ddump`)) return 'dump'
  return asked('deny', 'd') ? 'yes' : 'no'
}

/** `tcp`, `udp`, `icmp`, or the number. */
export function protocolName(protocol: number): string {
  if (protocol === IpProtocol.Tcp) return 'tcp'
  if (protocol === IpProtocol.Udp) return 'udp'
  return protocol === IpProtocol.Icmp ? 'icmp' : String(protocol)
}

const attackTexts = {
  synattack: 'SYN flood',
  portscan: 'Port scan',
  hostscan: 'Host scan',
  udpattack: 'UDP flood',
  dosflood: 'ICMP flood',
  smurf: 'Smurf attack',
  smurfamp: 'Smurf amplification',
  land: 'Land attack',
  pingofdeath: 'Ping of death',
  tcptiny: 'Tiny TCP fragments',
  fragment: 'Overlapping or surplus fragments',
  ipspoof: 'IP spoofing',
  other: 'Malformed or source-routed packets',
} as const

const reasonTexts: Readonly<Record<number, string>> = {
  [DropReason.Policy]: 'Policy rejected',
  [DropReason.BadIp]: 'Malformed packet',
  [DropReason.Spoofed]: 'False source address',
  [DropReason.UnknownSession]: 'Unknown session',
  [DropReason.NoRoute]: 'No session has the destination',
  [DropReason.FlowTableFull]: 'Session table is full',
  [DropReason.SessionLimit]: 'Too many sessions',
}

/** Why: the attack, or what became of the packet, with the rule where one decided. */
export function reasonText(e: Pick<FirewallEvent, 'action' | 'attack' | 'reason' | 'rule'>): string {
  if (e.attack !== undefined) return attackTexts[e.attack]
  const kind = e.reason === DropReason.SessionLimit ? 'limit rule' : 'rule'
  const rule = e.rule === 0 ? '' : ` by ${kind} ${e.rule}`
  if (e.action === 'allow') return `Policy allowed${rule}`
  return `${reasonTexts[e.reason] ?? 'Dropped'}${rule}`
}

/** `192.0.2.1:80`, or the address alone where there are no ports. */
export function placeText(address: number, port: number, protocol: number): string {
  const ported = protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp
  return ported ? `${formatIpv4(address)}:${port}` : formatIpv4(address)
}

/** The first bytes as the router prints them: eight digits a word. */
export function headerText(header: Uint8Array): string {
  const words: string[] = []
  for (let at = 0; at < header.length; at += 4) {
    words.push(Array.from(header.subarray(at, at + 4), b => b.toString(16).padStart(2, '0')).join(''))
  }
  return words.join(' ')
}
