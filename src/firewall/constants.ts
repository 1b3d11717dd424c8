/** Registry numbers and the room's own limits. */

/** ICMP message types (RFC 792). */
export const IcmpType = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  SourceQuench: 4,
  Echo: 8,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
} as const

/** ICMP destination unreachable, code 4: fragmentation needed and DF set (RFC 792, RFC 1191). */
export const ICMP_FRAGMENTATION_NEEDED = 4

/** TCP option kinds (RFC 9293 section 3.2). */
export const TcpOption = { End: 0, NoOperation: 1, MaximumSegmentSize: 2, WindowScale: 3 } as const

/** IPv4 option types (RFC 791 section 3.1, RFC 2113). */
export const IpOption = {
  End: 0,
  NoOperation: 1,
  RecordRoute: 7,
  Timestamp: 68,
  Security: 130,
  LooseSourceRoute: 131,
  StrictSourceRoute: 137,
  RouterAlert: 148,
} as const

export { TcpFlag } from '../packet/ip.ts'

/** The "don't fragment" and "more fragments" bits and the fragment offset of the header's fourth word (RFC 791). */
export const IP_DONT_FRAGMENT = 0x4000
export const IP_MORE_FRAGMENTS = 0x2000
export const IP_FRAGMENT_OFFSET = 0x1fff

/** IPv4 header (20) plus TCP header (20), both without options: what an MSS leaves out of an MTU. */
export const IP_TCP_HEADERS = 40

/** Flows one worker tracks, and how many of them one session may hold. */
export const MAX_FLOWS = 65536
export const MAX_FLOWS_PER_SESSION = 8192

/** Timeouts that no command sets, in milliseconds. */
export const Timeout = {
  /** A TCP connection that is not yet answered, or was picked up in the middle. */
  tcpOpening: 60_000,
  /** A TCP connection after both FINs, or a RST. */
  tcpClosing: 30_000,
  /** A UDP flow until one direction has passed 5 packets and another packet goes. */
  udpUnproven: 300_000,
  /** What a configured timeout of 0 minutes means. */
  zero: 30_000,
  /** How long later fragments may follow a first one; hosts wait up to 60 seconds or more (RFC 1122 section 3.3.2). */
  fragment: 30_000,
} as const

/**
 * Where translated ports come from: clear of the ports below, on which this gateway or its host may listen (a client that
 * got port 4500 could have other peers' packets taken for its own answers).
 */
export const NAT_FIRST_PORT = 8192
export const NAT_LAST_PORT = 65535
/** Draws of a port before the search goes on from the last one by steps. */
export const NAT_DRAWS = 16
export const NAT_STEPS = 512

/** Packets in one direction after which the configured UDP timeout holds. */
export const UDP_PROOF_PACKETS = 5
/** SIP: exempt from the wait for that proof. */
export const SIP_PORT = 5060
