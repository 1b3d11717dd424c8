/**
 * Messages of the kernel's connection tracking (linux/netfilter/nfnetlink_conntrack.h) about connections that are gone.
 * Netlink's own numbers are in the host's byte order, its attributes' in the network's.
 */

import { endianness } from 'node:os'
import { type Ipv4, readIpv4 } from '../packet/ip.ts'

const LITTLE = endianness() === 'LE'

/** NFNL_SUBSYS_CTNETLINK, in a message type's upper byte, and IPCTNL_MSG_CT_DELETE. */
const GONE = (1 << 8) | 2
/** The multicast group where the kernel tells it, as a bit. */
export const CONNTRACK_GONE_GROUP = 4
const AF_INET = 2

const Connection = { Original: 1, Reply: 2, CountersOriginal: 9, CountersReply: 10, Timestamp: 20 } as const
const TupleAttribute = { Ip: 1, Protocol: 2 } as const
const IpAttribute = { Source: 1, Destination: 2 } as const
const ProtocolAttribute = { Number: 1, SourcePort: 2, DestinationPort: 3, IcmpId: 4 } as const
const Counter = { Packets: 1, Bytes: 2 } as const
const Time = { Start: 1, Stop: 2 } as const

const HEADER = 16
/** nfgenmsg: family, version, resource. */
const GENERIC = 4
const ATTRIBUTE_HEADER = 4
/** Attribute numbers bear two flags. */
const ATTRIBUTE_TYPE = 0x3fff

interface ConntrackEnds {
  source: Ipv4
  sourcePort: number
  destination: Ipv4
  destinationPort: number
}

/** A connection that is gone. What goes back is told as it came back: with the true far end, behind any translation. */
export interface GoneConnection {
  readonly protocol: number
  readonly original: Readonly<ConntrackEnds>
  readonly reply: Readonly<ConntrackEnds>
  readonly packetsForward: number
  readonly packetsReverse: number
  readonly bytesForward: number
  readonly bytesReverse: number
  /** Of the wall, in milliseconds; undefined where the kernel takes no note of it. */
  readonly started: number | undefined
  readonly ended: number | undefined
}

/**
 * The IPv4 connections in what one receive gave, but for those that the kernel did not count. Whatever has not the form that it
 * should have ends the search.
 */
export function parseGone(bytes: Uint8Array): GoneConnection[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found: GoneConnection[] = []
  for (let at = 0; at + HEADER + GENERIC <= bytes.length; ) {
    const length = view.getUint32(at, LITTLE)
    if (length < HEADER + GENERIC || length > bytes.length - at) return found
    if (view.getUint16(at + 4, LITTLE) === GONE && bytes[at + HEADER] === AF_INET) {
      const connection = parseConnection(bytes.subarray(at + HEADER + GENERIC, at + length))
      if (connection !== undefined) found.push(connection)
    }
    at += (length + 3) & ~3
  }
  return found
}

function parseConnection(bytes: Uint8Array): GoneConnection | undefined {
  const of = attributes(bytes)
  const [original, reply] = [tuple(of.get(Connection.Original)), tuple(of.get(Connection.Reply))]
  const [forward, reverse] = [of.get(Connection.CountersOriginal), of.get(Connection.CountersReply)]
  if (original === undefined || reply === undefined || forward === undefined) return undefined
  const time = attributes(of.get(Connection.Timestamp))
  const millis = (value: Uint8Array | undefined) => (value === undefined ? undefined : big(value, 1_000_000n))
  return {
    protocol: original.protocol,
    original: original.ends,
    reply: reply.ends,
    packetsForward: counter(forward, Counter.Packets),
    packetsReverse: counter(reverse, Counter.Packets),
    bytesForward: counter(forward, Counter.Bytes),
    bytesReverse: counter(reverse, Counter.Bytes),
    started: millis(time.get(Time.Start)),
    ended: millis(time.get(Time.Stop)),
  }
}

function tuple(bytes: Uint8Array | undefined): { protocol: number; ends: ConntrackEnds } | undefined {
  const of = attributes(bytes)
  const [ip, protocol] = [attributes(of.get(TupleAttribute.Ip)), attributes(of.get(TupleAttribute.Protocol))]
  const [source, destination] = [ip.get(IpAttribute.Source), ip.get(IpAttribute.Destination)]
  const number = protocol.get(ProtocolAttribute.Number)
  if (source?.length !== 4 || destination?.length !== 4 || number?.length !== 1) return undefined
  // A ping goes from its identifier to nowhere.
  const sourcePort = protocol.get(ProtocolAttribute.SourcePort) ?? protocol.get(ProtocolAttribute.IcmpId)
  return {
    protocol: number[0]!,
    ends: {
      source: readIpv4(source, 0),
      sourcePort: port(sourcePort),
      destination: readIpv4(destination, 0),
      destinationPort: port(protocol.get(ProtocolAttribute.DestinationPort)),
    },
  }
}

function port(value: Uint8Array | undefined): number {
  return value?.length === 2 ? (value[0]! << 8) | value[1]! : 0
}

function counter(bytes: Uint8Array | undefined, which: number): number {
  const value = attributes(bytes).get(which)
  return value === undefined ? 0 : big(value, 1n)
}

function big(value: Uint8Array, unit: bigint): number {
  if (value.length !== 8) return 0
  return Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0) / unit)
}

/** Attributes by their numbers, as far as they have the form that they should have. */
function attributes(bytes: Uint8Array | undefined): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  if (bytes === undefined) return found
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length; ) {
    const length = view.getUint16(at, LITTLE)
    if (length < ATTRIBUTE_HEADER || length > bytes.length - at) return found
    found.set(view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE, bytes.subarray(at + ATTRIBUTE_HEADER, at + length))
    at += (length + 3) & ~3
  }
  return found
}
