/** The headers of one packet, read in place into fields that are used again for the next one (RFC 791, 792, 9293, 768). */

import { IpProtocol } from '../packet/ip.ts'
import { DropReason } from '../packet/verdict.ts'
import { IcmpType, IP_DONT_FRAGMENT, IP_FRAGMENT_OFFSET, IP_MORE_FRAGMENTS, IpOption, TcpFlag } from './constants.ts'

/** Set in the port that stands for an ICMP query's type, so that it never equals an identifier, which is 16 bits. */
const ICMP_QUERY = 0x10000

const MAX_IP_PAYLOAD = 65535
const UDP_HEADER = 8

/** The bits of `options`. */
export const OptionBit = { record_route: 1, security: 2, timestamp: 4, router_alert: 8 } as const
const SOURCE_ROUTED = 128

export class Headers {
  /** Where the packet is; set by those who report it, for events. */
  bytes: Uint8Array = new Uint8Array(0)
  /** Addresses as signed 32-bit numbers, which the engine keeps unboxed: `>>> 0` makes an Ipv4 of one. */
  source = 0
  destination = 0
  protocol = 0
  /** Bytes of the whole packet, as its header says. */
  totalLength = 0
  /** How many packets it is on the wire: more than one where it is a super-segment. */
  packets = 1
  /** Where the IP header starts in the bytes. */
  start = 0
  /** Where the IP payload starts, and its length. */
  transport = 0
  transportLength = 0
  identification = 0
  dontFragment = false
  moreFragments = false
  /** In bytes; in all but the first fragment the ports are 0. */
  fragmentOffset = 0
  /**
   * TCP and UDP ports. An ICMP query goes from its identifier to its type, the answer the other way, so that the answer
   * is the query's exact reverse. Everything else is 0.
   */
  sourcePort = 0
  destinationPort = 0
  tcpFlags = 0
  /** TCP's numbers, signed as they are compared, and the window as it stands in the header. */
  sequence = 0
  acknowledgement = 0
  window = 0
  /** Bytes of the TCP segment behind its header. */
  dataLength = 0
  icmpType = 0
  /** A bit for each of IP_OPTION_KINDS that the packet bears. */
  options = 0
  /** Where the packet went before we translated it; otherwise the destination. */
  originalDestination = 0
  originalPort = 0

  /**
   * Reads the packet of `length` bytes at `at`. Answers why it is no sound packet, or DropReason.None. Bytes behind the
   * total length are padding and not looked at.
   */
  read(bytes: Uint8Array, at: number, length: number): DropReason {
    if (length < 20 || bytes[at]! >>> 4 !== 4) return this.unreadable(at, length)
    const headerLength = (bytes[at]! & 15) * 4
    const totalLength = (bytes[at + 2]! << 8) | bytes[at + 3]!
    if (headerLength < 20 || headerLength > totalLength || totalLength > length) return this.unreadable(at, length)
    const fragment = (bytes[at + 6]! << 8) | bytes[at + 7]!
    this.start = at
    this.packets = 1
    this.totalLength = totalLength
    this.identification = (bytes[at + 4]! << 8) | bytes[at + 5]!
    this.dontFragment = (fragment & IP_DONT_FRAGMENT) !== 0
    this.moreFragments = (fragment & IP_MORE_FRAGMENTS) !== 0
    this.fragmentOffset = (fragment & IP_FRAGMENT_OFFSET) * 8
    this.protocol = bytes[at + 9]!
    this.source = readSigned(bytes, at + 12)
    this.destination = readSigned(bytes, at + 16)
    this.transport = at + headerLength
    this.transportLength = totalLength - headerLength
    this.tcpFlags = 0
    this.icmpType = 0
    this.sourcePort = 0
    this.destinationPort = 0
    this.sequence = 0
    this.acknowledgement = 0
    this.window = 0
    this.dataLength = 0
    this.options = headerLength > 20 ? readOptions(bytes, at + 20, this.transport) : 0
    this.originalDestination = this.destination
    this.originalPort = 0
    // Nobody on either side of a VPN may choose the way a packet takes; kernels refuse these options too.
    if ((this.options & SOURCE_ROUTED) !== 0) return DropReason.Policy
    // Past 65,535 bytes lies the ping of death.
    if (this.fragmentOffset + this.transportLength > MAX_IP_PAYLOAD) return DropReason.BadIp
    if (this.moreFragments && (this.transportLength & 7) !== 0) return DropReason.BadIp
    if (this.fragmentOffset === 0) return this.readTransport(bytes)
    // A second fragment that begins inside the TCP header rewrites its flags (RFC 1858 section 3, RFC 3128).
    return this.protocol === IpProtocol.Tcp && this.fragmentOffset < 20 ? DropReason.BadIp : DropReason.None
  }

  /** No packet that says where it goes: what is remembered of it is where it lies. */
  private unreadable(at: number, length: number): DropReason {
    this.start = at
    this.totalLength = length
    this.source = 0
    this.destination = 0
    this.originalDestination = 0
    this.originalPort = 0
    this.protocol = 0
    this.sourcePort = 0
    this.destinationPort = 0
    this.fragmentOffset = 0
    this.transportLength = 0
    this.moreFragments = false
    this.options = 0
    return DropReason.BadIp
  }

  /** The packet quoted by the ICMP error that `outer` is: only as much of it as RFC 792 promises is read. */
  readQuoted(bytes: Uint8Array, outer: Headers): boolean {
    const at = outer.transport + 8
    const left = outer.transportLength - 8
    if (left < 28 || bytes[at]! >>> 4 !== 4) return false
    const headerLength = (bytes[at]! & 15) * 4
    if (headerLength < 20 || left < headerLength + 8) return false
    const fragment = (bytes[at + 6]! << 8) | bytes[at + 7]!
    if ((fragment & IP_FRAGMENT_OFFSET) !== 0) return false
    this.protocol = bytes[at + 9]!
    this.source = readSigned(bytes, at + 12)
    this.destination = readSigned(bytes, at + 16)
    this.readPorts(bytes, at + headerLength)
    return true
  }

  private readTransport(bytes: Uint8Array): DropReason {
    const t = this.transport
    const left = this.transportLength
    if (this.protocol === IpProtocol.Tcp) {
      if (left < 20) return DropReason.BadIp
      const headerLength = (bytes[t + 12]! >>> 4) * 4
      if (headerLength < 20 || headerLength > left) return DropReason.BadIp
      this.tcpFlags = bytes[t + 13]!
      this.sequence = readSigned(bytes, t + 4)
      this.acknowledgement = readSigned(bytes, t + 8)
      this.window = (bytes[t + 14]! << 8) | bytes[t + 15]!
      this.dataLength = left - headerLength
    } else if (this.protocol === IpProtocol.Udp || this.protocol === IpProtocol.Icmp) {
      if (left < 8) return DropReason.BadIp
    }
    this.readPorts(bytes, t)
    this.originalPort = this.destinationPort
    return DropReason.None
  }

  private readPorts(bytes: Uint8Array, t: number): void {
    this.sourcePort = 0
    this.destinationPort = 0
    if (this.protocol === IpProtocol.Tcp || this.protocol === IpProtocol.Udp) {
      this.sourcePort = (bytes[t]! << 8) | bytes[t + 1]!
      this.destinationPort = (bytes[t + 2]! << 8) | bytes[t + 3]!
    } else if (this.protocol === IpProtocol.Icmp) {
      const type = bytes[t]!
      const identifier = (bytes[t + 4]! << 8) | bytes[t + 5]!
      this.icmpType = type
      if (type === IcmpType.Echo || type === IcmpType.Timestamp) {
        this.sourcePort = identifier
        this.destinationPort = ICMP_QUERY | type
      } else if (type === IcmpType.EchoReply || type === IcmpType.TimestampReply) {
        this.sourcePort = ICMP_QUERY | (type === IcmpType.EchoReply ? IcmpType.Echo : IcmpType.Timestamp)
        this.destinationPort = identifier
      }
    }
  }

  /** Bytes of all the packets that it is on the wire: each has the headers. */
  get wireBytes(): number {
    if (this.packets === 1) return this.totalLength
    const headers =
      this.protocol === IpProtocol.Tcp ? this.totalLength - this.dataLength : this.transport - this.start + UDP_HEADER
    return this.totalLength + (this.packets - 1) * headers
  }

  /** A first SYN: the only TCP packet that asks for a connection. */
  get opensTcp(): boolean {
    return (this.tcpFlags & (TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Rst | TcpFlag.Fin)) === TcpFlag.Syn
  }

  /** An ICMP message that quotes the packet it is about. */
  get isIcmpError(): boolean {
    if (this.protocol !== IpProtocol.Icmp || this.fragmentOffset !== 0) return false
    const type = this.icmpType
    return (
      type === IcmpType.DestinationUnreachable ||
      type === IcmpType.SourceQuench ||
      type === IcmpType.TimeExceeded ||
      type === IcmpType.ParameterProblem
    )
  }

  /** It names gateways that it wants to pass. */
  get isSourceRouted(): boolean {
    return (this.options & SOURCE_ROUTED) !== 0
  }

  get isIcmpQuery(): boolean {
    return this.icmpType === IcmpType.Echo || this.icmpType === IcmpType.Timestamp
  }
}

/** An address as a signed number: an unsigned one above 2^31 would be boxed on its way out of here. */
export function readSigned(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Which of the options that matter the header bears. */
function readOptions(bytes: Uint8Array, start: number, end: number): number {
  let found = 0
  let at = start
  while (at < end) {
    const type = bytes[at]!
    if (type === IpOption.End) return found
    if (type === IpOption.NoOperation) {
      at++
      continue
    }
    if (type === IpOption.LooseSourceRoute || type === IpOption.StrictSourceRoute) found |= SOURCE_ROUTED
    else if (type === IpOption.RecordRoute) found |= OptionBit.record_route
    else if (type === IpOption.Security) found |= OptionBit.security
    else if (type === IpOption.Timestamp) found |= OptionBit.timestamp
    else if (type === IpOption.RouterAlert) found |= OptionBit.router_alert
    const length = at + 1 < end ? bytes[at + 1]! : 0
    if (length < 2) return found
    at += length
  }
  return found
}
