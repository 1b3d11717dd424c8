/** Payload bodies with an inner structure, the SA apart: identification, notification, delete, NAT-OA (RFC 2408 section 3, RFC 2407 section 4.6, RFC 3947 section 5.2). */

import { NOTHING, printable, toHex } from '../packet/bytes.ts'
import { formatIpv4, type Ipv4, ipv4Bytes, readIpv4 } from '../packet/ip.ts'
import { Reader } from '../packet/reader.ts'
import { Writer } from '../packet/writer.ts'
import { DOI_IPSEC, IdType, Notify } from './constants.ts'
import { nameText } from './distinguished-name.ts'
import { asIkeError, malformed } from './message.ts'

export interface Identification {
  readonly type: number
  /** IP protocol, 0 for any. */
  readonly protocol: number
  /** 0 for any. */
  readonly port: number
  readonly data: Uint8Array
}

export interface Notification {
  readonly doi: number
  readonly protocol: number
  readonly spi: Uint8Array
  readonly type: number
  readonly data: Uint8Array
}

export interface Deletion {
  readonly doi: number
  readonly protocol: number
  /** All of the same length. */
  readonly spiSize: number
  readonly spis: readonly Uint8Array[]
}

function parsing<T>(bytes: Uint8Array, read: (r: Reader) => T): T {
  try {
    return read(new Reader(bytes))
  } catch (e) {
    throw asIkeError(e)
  }
}

/** Throws IkeError. */
export function parseIdentification(bytes: Uint8Array): Identification {
  return parsing(bytes, r => {
    const id = { type: r.u8(), protocol: r.u8(), port: r.u16(), data: r.rest() }
    if (id.type === IdType.Ipv4Address && id.data.length !== 4) throw malformed('IPv4 identity is not four bytes long')
    if (id.type === IdType.Ipv4Subnet && id.data.length !== 8)
      throw malformed('subnet identity is not eight bytes long')
    return id
  })
}

export function emitIdentification(id: Identification): Uint8Array {
  return new Writer(4 + id.data.length).u8(id.type).u8(id.protocol).u16(id.port).put(id.data).bytes()
}

export function addressIdentification(address: Ipv4, protocol = 0, port = 0): Identification {
  return { type: IdType.Ipv4Address, protocol, port, data: ipv4Bytes(address) }
}

/** An identity in words, the protocol and port aside; also what a policy's remote identity is compared with. */
export function formatIdentity(id: Identification): string {
  switch (id.type) {
    case IdType.Ipv4Address:
      return formatIpv4(readIpv4(id.data))
    case IdType.Ipv4Subnet:
      return `${formatIpv4(readIpv4(id.data))}/${formatIpv4(readIpv4(id.data, 4))}`
    case IdType.Fqdn:
    case IdType.UserFqdn:
    case IdType.KeyId:
      return printable(id.data)
    case IdType.DerAsn1Dn:
      return nameText(id.data) ?? `dn:${toHex(id.data.subarray(0, 128))}`
    default:
      return `type${id.type}:${toHex(id.data.subarray(0, 64))}`
  }
}

/** An identity with its selectors, for messages to the operator. */
export function describeIdentity(id: Identification): string {
  return `${formatIdentity(id)} ${id.protocol}/${id.port}`
}

/** Throws IkeError. */
export function parseNotification(bytes: Uint8Array): Notification {
  return parsing(bytes, r => {
    const doi = r.u32()
    const protocol = r.u8()
    const spiSize = r.u8()
    const type = r.u16()
    return { doi, protocol, type, spi: r.copy(spiSize), data: r.rest() }
  })
}

export function emitNotification(n: Notification): Uint8Array {
  const w = new Writer(8 + n.spi.length + n.data.length)
  return w.u32(n.doi).u8(n.protocol).u8(n.spi.length).u16(n.type).put(n.spi).put(n.data).bytes()
}

/** Throws IkeError. */
export function parseDeletion(bytes: Uint8Array): Deletion {
  return parsing(bytes, r => {
    const doi = r.u32()
    const protocol = r.u8()
    const spiSize = r.u8()
    const count = r.u16()
    if (count * spiSize !== r.left) throw malformed('DELETE does not hold as many SPIs as it says')
    // With an SPI size of 0 the count may be anything up to 65535 and says nothing: keep one at most.
    const spis = Array.from({ length: spiSize === 0 ? Math.min(count, 1) : count }, () => r.copy(spiSize))
    return { doi, protocol, spiSize, spis }
  })
}

export function emitDeletion(d: Deletion): Uint8Array {
  const w = new Writer()
  w.u32(d.doi).u8(d.protocol).u8(d.spiSize).u16(d.spis.length)
  for (const spi of d.spis) w.put(spi)
  return w.bytes()
}

/** The original address in a NAT-OA, or undefined where it is empty (a patched XP that is not behind a NAT) or not IPv4. */
export function parseNatOa(bytes: Uint8Array): Ipv4 | undefined {
  if (bytes.length !== 8 || bytes[0] !== IdType.Ipv4Address) return undefined
  return readIpv4(bytes, 4)
}

export function emitNatOa(address: Ipv4): Uint8Array {
  return new Writer(8).u8(IdType.Ipv4Address).zeros(3).put(ipv4Bytes(address)).bytes()
}

const notifyNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Notify).map(([name, value]) => [value, name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toUpperCase()]),
)

/** The name of a notify message type as the RFC writes it, e.g. NO-PROPOSAL-CHOSEN. */
export function notifyName(type: number): string {
  return notifyNames.get(type) ?? `notify ${type}`
}

/** A notification of the IPsec DOI. */
export function notification(
  type: number,
  protocol: number,
  spi: Uint8Array,
  data: Uint8Array = NOTHING,
): Notification {
  return { doi: DOI_IPSEC, protocol, spi, type, data }
}
