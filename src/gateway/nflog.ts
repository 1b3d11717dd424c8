/**
 * Messages of the kernel's nfnetlink_log (linux/netlink.h, linux/netfilter/nfnetlink_log.h): we bind a group and hear of the
 * packets that nft's `log group` sends there. Netlink's own numbers are in the host's byte order, its attributes' in the
 * network's.
 */

import { endianness } from 'node:os'

const LITTLE = endianness() === 'LE'

const NLMSG_ERROR = 2
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
/** NFNL_SUBSYS_ULOG, in a message type's upper byte. */
const ULOG = 4 << 8
const PACKET = ULOG | 0
const CONFIG = ULOG | 1

const Config = { Command: 1, Mode: 2, Timeout: 4, Threshold: 5 } as const
const Command = { Bind: 1 } as const
const COPY_PACKET = 2
const Attribute = { Payload: 9, Prefix: 10 } as const

const HEADER = 16
/** nfgenmsg: family, version, group. */
const GENERIC = 4
const ATTRIBUTE_HEADER = 4
/** Attribute numbers bear two flags. */
const ATTRIBUTE_TYPE = 0x3fff

export interface LoggedPacket {
  /** As the rule says it. */
  readonly prefix: string
  /** From the IP header on, as much as was asked for. */
  readonly bytes: Uint8Array
}

/** Asks to hear of a group's packets: so many bytes of each, up to `threshold` in one message, after `timeout` at the latest. */
export function emitBind(group: number, snapLength: number, threshold: number, timeoutMillis: number): Uint8Array[] {
  const mode = Uint8Array.of(...big32(snapLength), COPY_PACKET, 0)
  return [
    emit(group, attribute(Config.Command, Uint8Array.of(Command.Bind))),
    emit(
      group,
      attribute(Config.Mode, mode),
      attribute(Config.Threshold, Uint8Array.of(...big32(threshold))),
      // In hundredths of a second.
      attribute(Config.Timeout, Uint8Array.of(...big32(Math.ceil(timeoutMillis / 10)))),
    ),
  ]
}

/** The error number of an answer to what was asked, 0 for done; undefined where it is no answer. */
export function parseAnswer(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < HEADER + 4 || view.getUint16(4, LITTLE) !== NLMSG_ERROR) return undefined
  return -view.getInt32(HEADER, LITTLE)
}

/** The packets in what one receive gave. Whatever has not the form that it should have ends the search. */
export function parsePackets(bytes: Uint8Array): LoggedPacket[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const packets: LoggedPacket[] = []
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, LITTLE)
    if (length < HEADER || length > bytes.length - at) return packets
    if (view.getUint16(at + 4, LITTLE) === PACKET) {
      const packet = parsePacket(bytes, view, at + HEADER + GENERIC, at + length)
      if (packet !== undefined) packets.push(packet)
    }
    at += aligned(length)
  }
  return packets
}

function parsePacket(bytes: Uint8Array, view: DataView, start: number, end: number): LoggedPacket | undefined {
  let prefix = ''
  let payload: Uint8Array | undefined
  for (let at = start; at + ATTRIBUTE_HEADER <= end; ) {
    const length = view.getUint16(at, LITTLE)
    if (length < ATTRIBUTE_HEADER || length > end - at) return undefined
    const value = bytes.subarray(at + ATTRIBUTE_HEADER, at + length)
    const type = view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE
    if (type === Attribute.Payload) payload = value
    else if (type === Attribute.Prefix) prefix = text(value)
    at += aligned(length)
  }
  return payload && { prefix, bytes: payload }
}

/** Printable ASCII up to the final zero. */
function text(value: Uint8Array): string {
  const end = value.indexOf(0)
  const characters = Array.from(end < 0 ? value : value.subarray(0, end), b => (b > 31 && b < 127 ? b : 63))
  return String.fromCharCode(...characters.slice(0, 127))
}

function emit(group: number, ...attributes: Uint8Array[]): Uint8Array {
  const size = attributes.reduce((sum, a) => sum + a.length, HEADER + GENERIC)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, size, LITTLE)
  view.setUint16(4, CONFIG, LITTLE)
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, LITTLE)
  view.setUint16(HEADER + 2, group)
  let at = HEADER + GENERIC
  for (const a of attributes) {
    bytes.set(a, at)
    at += a.length
  }
  return bytes
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(aligned(ATTRIBUTE_HEADER + value.length))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, ATTRIBUTE_HEADER + value.length, LITTLE)
  view.setUint16(2, type, LITTLE)
  bytes.set(value, ATTRIBUTE_HEADER)
  return bytes
}

function aligned(length: number): number {
  return (length + 3) & ~3
}

function big32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
}
