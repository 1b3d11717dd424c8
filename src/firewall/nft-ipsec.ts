/**
 * The IPsec policies in nft's words, for the clear packets of the devices they are attached to: inwards before anything
 * else, outwards behind all translation, as the router's order of work has it.
 *
 * Two kinds of packets are never asked about: ESP of this host itself, which is our own SAs' (UDP-encapsulated ESP and IKE
 * do need their PERMIT, as on the router), and DHCP, by which the host has its address.
 */

import { IpProtocol } from '../packet/ip.ts'
import type { IpsecPolicyFilter, IpsecPolicyList, PortSelector } from './ipsec-policy.ts'
import type { NftablesInput } from './nft-input.ts'
import { device, join, range } from './nft-match.ts'
import { bySessions } from './nft-places.ts'

/** Where nft counts what a policy decided: its rule's comment. nft's strings have no escapes. */
export function ipsecComment(policy: string, direction: 'in' | 'out'): string {
  return `ipsec ${direction} ${policy.replace(/["\\]/g, '_')}`
}

/** The comment of what no policy of an interface matched. */
export function unmatchedComment(name: string, direction: 'in' | 'out'): string {
  return `ipsec ${direction} none of ${name}`
}

/** A list and the device of its interface. */
export interface PlacedList {
  readonly list: IpsecPolicyList
  readonly device: string
}

/** Those whose interface has a device. */
export function placedLists(
  lists: readonly IpsecPolicyList[],
  deviceOf: (name: string) => string | undefined,
): PlacedList[] {
  return lists.flatMap(list => {
    const name = deviceOf(list.interface)
    return name === undefined ? [] : [{ list, device: name }]
  })
}

/** For what leaves; for what enters see nft-entrances.ts. */
export function ipsecOutChains(input: NftablesInput, placed: readonly PlacedList[]): string[] {
  if (placed.length === 0) return []
  return [
    'chain ipsec_out {',
    '  type filter hook postrouting priority srcnat + 10; policy accept;',
    ...(placed.some(p => p.device === input.tunDevice) ? [] : bySessions(input, 'oif', 'accept')),
    ...placed.map((p, i) => `  oifname ${device(p.device)} meta nfproto ipv4 jump ipsec_out_${i}`),
    '}',
    ...placed.flatMap(({ list }, i) => [`chain ipsec_out_${i} {`, ...listLines(list, 'out'), '}']),
  ]
}

/** The rules of a list for one direction, of which the last one lets nothing go by. */
export function listLines(list: IpsecPolicyList, direction: 'in' | 'out'): string[] {
  const inward = direction === 'in'
  return [
    `  meta l4proto ${IpProtocol.Esp} fib ${inward ? 'daddr' : 'saddr'} type local accept`,
    `  udp sport ${inward ? 67 : 68} udp dport ${inward ? 68 : 67} accept`,
    ...list.policies.flatMap(p => policyLines(p, direction)),
    `  counter drop comment "${unmatchedComment(list.interface, direction)}"`,
  ]
}

function policyLines(p: IpsecPolicyFilter, direction: 'in' | 'out'): string[] {
  if (p.named || isContradictory(p)) return []
  const [near, far] = direction === 'in' ? ['d', 's'] : ['s', 'd']
  const addresses = join(
    p.localAddress && `ip ${near}addr ${range(p.localAddress)}`,
    p.remoteAddress && `ip ${far}addr ${range(p.remoteAddress)}`,
    protocolMatch(p),
    p.icmpTypes && `icmp type { ${p.icmpTypes.join(', ')} }`,
  )
  const verdict = `counter ${p.action === 'permit' ? 'accept' : 'drop'} comment "${ipsecComment(p.name, direction)}"`
  return portMatches(p, near!, far!).map(ports => `  ${join(addresses, ports, verdict)}`)
}

/** Selectors that no packet fits: nft refuses to write some of them down. */
function isContradictory(p: IpsecPolicyFilter): boolean {
  const { protocol } = p
  const numbered = typeof p.localPort === 'number' || typeof p.remotePort === 'number'
  if (p.icmpTypes !== undefined && (numbered || (protocol !== 'any' && protocol !== IpProtocol.Icmp))) return true
  return numbered && protocol !== 'any' && protocol !== IpProtocol.Tcp && protocol !== IpProtocol.Udp
}

function protocolMatch(p: IpsecPolicyFilter): string | undefined {
  if (p.protocol === 'opaque') return `meta l4proto ${IpProtocol.Esp}`
  return p.protocol === 'any' ? undefined : `meta l4proto ${p.protocol}`
}

/** One match, or two for OPAQUE: no ports at all, or a later fragment. */
function portMatches(p: IpsecPolicyFilter, near: string, far: string): string[] {
  const named = [number(p.localPort, near), number(p.remotePort, far)].filter(text => text !== undefined)
  const withPorts = `meta l4proto { ${IpProtocol.Tcp}, ${IpProtocol.Udp} }`
  if (p.localPort !== 'opaque' && p.remotePort !== 'opaque') {
    // What most packets fail at comes first.
    return [named.length === 0 ? '' : join(...named, withPorts, 'ip frag-off & 0x1fff == 0')]
  }
  // A port that can be read beside one that cannot: no packet is so.
  if (named.length > 0) return []
  return [`meta l4proto != { ${IpProtocol.Tcp}, ${IpProtocol.Udp} }`, join(withPorts, 'ip frag-off & 0x1fff != 0')]
}

function number(selector: PortSelector, side: string): string | undefined {
  return typeof selector === 'number' ? `th ${side}port ${selector}` : undefined
}
