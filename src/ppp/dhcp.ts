/**
 * DHCPINFORM (RFC 2131 section 3.4): after IPCP Windows asks over the link for what IPCP cannot tell, its routes and the
 * DNS suffix. It has its address, so there is nothing to lease and nothing to remember.
 */

import { emitIpv4, emitUdp, IpProtocol, type Ipv4, prefixMask, readIpv4, writeIpv4 } from '../packet/ip.ts'
import { concat } from '../packet/writer.ts'

export interface DhcpRoute {
  readonly network: Ipv4
  /** Length of the prefix, 0 to 32. */
  readonly length: number
}

/** What a client of the office may know. */
export interface OfficeFacts {
  readonly dnsSuffix: string | undefined
  /** The networks behind the gateway. */
  readonly routes: readonly DhcpRoute[]
}

export interface DhcpAnswer extends OfficeFacts {
  /** Our end of the link, and the client's. */
  readonly server: Ipv4
  readonly client: Ipv4
  readonly dns: readonly (Ipv4 | undefined)[]
  readonly wins: readonly (Ipv4 | undefined)[]
}

const ServerPort = 67
const ClientPort = 68
const Op = { Request: 1, Reply: 2 } as const
const MessageType = { Ack: 5, Inform: 8 } as const
const MAGIC_COOKIE = Uint8Array.of(99, 130, 83, 99)
const HEADER = 236
/** The least length of a message (RFC 951): some relays and clients take nothing shorter. */
const LEAST_MESSAGE = 300
const LONGEST_OPTION = 255

/** RFC 2132; 121 is RFC 3442's and 249 is what Windows called the same thing before. */
const Option = {
  Pad: 0,
  SubnetMask: 1,
  DomainNameServer: 6,
  DomainName: 15,
  NetbiosNameServer: 44,
  MessageType: 53,
  ServerIdentifier: 54,
  ParameterRequestList: 55,
  ClasslessRoutes: 121,
  MicrosoftRoutes: 249,
  End: 255,
} as const

/** The IP packet that answers the DHCPINFORM in `packet`; undefined where that is none of this client's. */
export function answerInform(packet: Uint8Array, a: DhcpAnswer): Uint8Array | undefined {
  const message = bootpOf(packet)
  if (message === undefined || message[0] !== Op.Request || readIpv4(message, 12) !== a.client) return undefined
  const asked = readOptions(message.subarray(HEADER + MAGIC_COOKIE.length))
  if (asked?.get(Option.MessageType)?.[0] !== MessageType.Inform) return undefined
  const reply = concat(replyHeader(message), MAGIC_COOKIE, options(a, asked.get(Option.ParameterRequestList)))
  const padded = new Uint8Array(Math.max(reply.length, LEAST_MESSAGE))
  padded.set(reply)
  const ends = { source: a.server, destination: a.client }
  return emitIpv4({ ...ends, protocol: IpProtocol.Udp, payload: emitUdp(ServerPort, ClientPort, padded, ends) })
}

/** The BOOTP message in an IP packet, or undefined where it cannot be one. */
function bootpOf(packet: Uint8Array): Uint8Array | undefined {
  const ip = (packet[0]! & 15) * 4
  if (packet.length < ip + 8) return undefined
  const length = (packet[ip + 4]! << 8) | packet[ip + 5]!
  if (length < 8 + HEADER + MAGIC_COOKIE.length || ip + length > packet.length) return undefined
  const message = packet.subarray(ip + 8, ip + length)
  return MAGIC_COOKIE.every((byte, i) => message[HEADER + i] === byte) ? message : undefined
}

/** The client's transaction, flags, address and hardware address go back as they came; all else is zero. */
function replyHeader(message: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER)
  header.set(message.subarray(0, 8))
  header[0] = Op.Reply
  header[3] = 0
  header.set(message.subarray(10, 16), 10)
  header.set(message.subarray(28, 44), 28)
  return header
}

/** Options by their codes; undefined where one goes beyond the message. Of two of one code the first counts. */
function readOptions(bytes: Uint8Array): Map<number, Uint8Array> | undefined {
  const found = new Map<number, Uint8Array>()
  for (let at = 0; at < bytes.length && bytes[at] !== Option.End; ) {
    const code = bytes[at++]!
    if (code === Option.Pad) continue
    const length = bytes[at++]
    if (length === undefined || at + length > bytes.length) return undefined
    if (!found.has(code)) found.set(code, bytes.subarray(at, at + length))
    at += length
  }
  return found
}

/** What we know of what was asked for; a client without a list of wishes hears all of it. */
function options(a: DhcpAnswer, wishes: Uint8Array | undefined): Uint8Array {
  const known: readonly (readonly [number, Uint8Array])[] = [
    [Option.SubnetMask, addresses([prefixMask(32)])],
    [Option.DomainNameServer, addresses(a.dns)],
    [Option.DomainName, new TextEncoder().encode(a.dnsSuffix ?? '')],
    [Option.NetbiosNameServer, addresses(a.wins)],
    [Option.ClasslessRoutes, routes(a)],
    [Option.MicrosoftRoutes, routes(a)],
  ]
  const parts = [option(Option.MessageType, Uint8Array.of(MessageType.Ack))]
  parts.push(option(Option.ServerIdentifier, addresses([a.server])))
  for (const [code, value] of known) {
    const wanted = wishes === undefined || wishes.includes(code)
    if (wanted && value.length > 0 && value.length <= LONGEST_OPTION) parts.push(option(code, value))
  }
  return concat(...parts, Uint8Array.of(Option.End))
}

function option(code: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(code, value.length), value)
}

function addresses(list: readonly (Ipv4 | undefined)[]): Uint8Array {
  return concat(...list.filter(a => a !== undefined).map(address))
}

function address(a: Ipv4): Uint8Array {
  const bytes = new Uint8Array(4)
  writeIpv4(bytes, 0, a)
  return bytes
}

/** RFC 3442: the prefix's length, its bytes without those beyond it, and the router, which is our end of the link. */
function routes(a: DhcpAnswer): Uint8Array {
  const router = address(a.server)
  return concat(
    ...a.routes.flatMap(({ network, length }) => [
      Uint8Array.of(length),
      address(network).subarray(0, Math.ceil(length / 8)),
      router,
    ]),
  )
}
