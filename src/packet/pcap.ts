/** Captures in the pcapng format (draft-ietf-opsawg-pcapng): one section, interfaces of bare IPv4 packets. */

import { encodeText } from './bytes.ts'
import { concat, Writer } from './writer.ts'

const Block = { SectionHeader: 0x0a0d0d0a, InterfaceDescription: 1, EnhancedPacket: 6 } as const
/** Read as anything else, it tells that numbers stand the other way round. Ours stand in network order. */
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** LINKTYPE_IPV4: each packet begins with its IPv4 header. */
const LINK_TYPE_IPV4 = 228
/** The interface's packets are whole, whatever their length. */
const NO_SNAP_LENGTH = 0
const OptionCode = { End: 0, Comment: 1, InterfaceName: 2, PacketFlags: 2 } as const
const Direction = { inbound: 1, outbound: 2 } as const
/** Timestamps count microseconds where no option says otherwise. */
const MICROS_PER_MILLI = 1000
const TWO_32 = 0x1_0000_0000

export interface CapturedPacket {
  /** Milliseconds since the beginning of 1970, in fractions where the clock has them. */
  readonly at: number
  /** From the IPv4 header on. */
  readonly bytes: Uint8Array
  /** As the interface's host sees it. */
  readonly direction?: keyof typeof Direction
  readonly comment?: string
  /** Which of the header's interfaces; the first where it is left out. */
  readonly interface?: number
}

/** A whole capture. Times are never negative; `interfaceName` is what Wireshark shows for the interface. */
export function emitPcapng(packets: readonly CapturedPacket[], interfaceName?: string): Uint8Array {
  return concat(emitPcapngHeader(interfaceName), ...packets.map(emitPcapngPacket))
}

/** What a capture begins with, its interfaces among it: packets may be appended as they come. */
export function emitPcapngHeader(interfaceNames?: string | readonly string[]): Uint8Array {
  const w = new Writer()
  block(w, Block.SectionHeader, () => {
    w.u32(BYTE_ORDER_MAGIC).u16(1).u16(0)
    w.u32(0xffffffff).u32(0xffffffff) // The section's length is not known beforehand.
  })
  const names = typeof interfaceNames === 'object' ? interfaceNames : [interfaceNames]
  for (const name of names) {
    block(w, Block.InterfaceDescription, () => {
      w.u16(LINK_TYPE_IPV4).u16(0).u32(NO_SNAP_LENGTH)
      if (name === undefined) return
      option(w, OptionCode.InterfaceName, encodeText(name))
      w.u16(OptionCode.End).u16(0)
    })
  }
  return w.bytes()
}

/** One packet of an interface that the header described. */
export function emitPcapngPacket({ at, bytes, direction, comment, interface: number }: CapturedPacket): Uint8Array {
  const w = new Writer(64 + bytes.length)
  const micros = Math.round(at * MICROS_PER_MILLI)
  block(w, Block.EnhancedPacket, () => {
    w.u32(number ?? 0)
    w.u32(Math.floor(micros / TWO_32)).u32(micros % TWO_32)
    w.u32(bytes.length).u32(bytes.length)
    padded(w, bytes)
    if (comment !== undefined) option(w, OptionCode.Comment, encodeText(comment))
    if (direction !== undefined) option(w, OptionCode.PacketFlags, Uint8Array.of(0, 0, 0, Direction[direction]))
    if (comment !== undefined || direction !== undefined) w.u16(OptionCode.End).u16(0)
  })
  return w.bytes()
}

/** A block counts itself whole, and says so at both ends, so that a capture can be read backwards as well. */
function block(w: Writer, type: number, body: () => void): void {
  const begin = w.length
  w.u32(type).u32(0)
  body()
  const length = w.length + 4 - begin
  w.setU32(begin + 4, length)
  w.u32(length)
}

/** What does not fit an option's length field is cut off. */
function option(w: Writer, code: number, value: Uint8Array): void {
  const fitting = value.subarray(0, 0xffff)
  w.u16(code).u16(fitting.length)
  padded(w, fitting)
}

/** Whatever is not made of words of four bytes is filled up to them. */
function padded(w: Writer, bytes: Uint8Array): void {
  w.put(bytes).zeros(-bytes.length & 3)
}
