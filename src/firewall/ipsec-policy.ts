/**
 * IPsec policies as the filter they are on the router: each interface's list, in the order of its positions, of which the
 * first that matches decides over a clear packet. An interface with a policy lets nothing pass that none matches.
 *
 * This is the list's meaning in one place; `nft-ipsec.ts` says the same to the kernel, which carries the clear packets.
 */

import { IpProtocol, type Ipv4 } from '../packet/ip.ts'
import type { AddressRange } from './policy.ts'

/** A selector of ports. OPAQUE fits packets whose ports cannot be read: later fragments, and protocols without ports. */
export type PortSelector = number | 'any' | 'opaque'

export interface IpsecPolicyFilter {
  readonly name: string
  /** `ipsec`: must be protected, so never in clear. */
  readonly action: 'deny' | 'ipsec' | 'permit'
  /** Our side of the packet: its destination inwards, its source outwards. Undefined fits all. */
  readonly localAddress: AddressRange | undefined
  readonly remoteAddress: AddressRange | undefined
  readonly localPort: PortSelector
  readonly remotePort: PortSelector
  /** An IP protocol's number. OPAQUE fits ESP: what it carries cannot be read. */
  readonly protocol: number | 'any' | 'opaque'
  /** ICMP types, or undefined for any packet. */
  readonly icmpTypes: readonly number[] | undefined
  /** It asks for a name (LNAME, RNAME), which no clear packet bears. */
  readonly named: boolean
}

export interface IpsecPolicyList {
  /** AlliedWare's name of the interface. */
  readonly interface: string
  /** By position. Never empty. */
  readonly policies: readonly IpsecPolicyFilter[]
}

/** A clear packet as it is on the public side of all address translation. */
export interface ClearPacket {
  readonly direction: 'in' | 'out'
  readonly source: Ipv4
  readonly destination: Ipv4
  readonly protocol: number
  /** Undefined for protocols without ports and in later fragments. */
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmpType?: number
}

/** The policy that decides, or undefined where none matches: then the packet is dropped, as one that matches DENY or IPSEC. */
export function decide(policies: readonly IpsecPolicyFilter[], packet: ClearPacket): IpsecPolicyFilter | undefined {
  return policies.find(p => matches(p, packet))
}

function matches(p: IpsecPolicyFilter, packet: ClearPacket): boolean {
  const inward = packet.direction === 'in'
  return (
    !p.named &&
    within(p.localAddress, inward ? packet.destination : packet.source) &&
    within(p.remoteAddress, inward ? packet.source : packet.destination) &&
    fitsProtocol(p.protocol, packet.protocol) &&
    fitsPort(p.localPort, packet, inward ? packet.destinationPort : packet.sourcePort) &&
    fitsPort(p.remotePort, packet, inward ? packet.sourcePort : packet.destinationPort) &&
    (p.icmpTypes === undefined || (packet.icmpType !== undefined && p.icmpTypes.includes(packet.icmpType)))
  )
}

function within(range: AddressRange | undefined, address: Ipv4): boolean {
  return range === undefined || (address >= range.first && address <= range.last)
}

function fitsProtocol(selector: IpsecPolicyFilter['protocol'], protocol: number): boolean {
  return selector === 'any' || protocol === (selector === 'opaque' ? IpProtocol.Esp : selector)
}

function fitsPort(selector: PortSelector, packet: ClearPacket, port: number | undefined): boolean {
  if (selector === 'any') return true
  const hasPorts = packet.protocol === IpProtocol.Tcp || packet.protocol === IpProtocol.Udp
  const readable = hasPorts && port !== undefined
  return selector === 'opaque' ? !readable : readable && port === selector
}
