/** IPv4 packets made by hand, for tests that talk to the kernel: independent of what src/packet makes. */

export const readU16 = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!
export const readU32 = (bytes: Uint8Array, at: number) => readU16(bytes, at) * 0x10000 + readU16(bytes, at + 2)

/** The Internet checksum of bytes whose own checksum field is zero. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export interface IpFields {
  readonly id?: number
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  /** A multiple of four bytes. */
  readonly options?: Uint8Array
}

export function ipPacket(
  from: number,
  to: number,
  protocol: number,
  payload: Uint8Array,
  fields: IpFields = {},
): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  const headerLength = 20 + options.length
  const bytes = new Uint8Array(headerLength + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, 0x40 | (headerLength / 4))
  view.setUint16(2, bytes.length)
  view.setUint16(4, fields.id ?? 0)
  view.setUint16(6, (fields.moreFragments ? 0x2000 : 0) | ((fields.fragmentOffset ?? 0) / 8))
  view.setUint8(8, 64)
  view.setUint8(9, protocol)
  view.setUint32(12, from)
  view.setUint32(16, to)
  bytes.set(options, 20)
  view.setUint16(10, internetChecksum(bytes.subarray(0, headerLength)))
  bytes.set(payload, headerLength)
  return bytes
}
