/** User traffic: pings of which each has a number, so that wherever one comes out, it is known where it went in. */

import { checksum } from '../../src/packet/checksum.ts'
import { emitIpv4, IpProtocol, type Ipv4, readIpv4 } from '../../src/packet/ip.ts'

const MARK = 0x46474154
/** ICMP header, mark and number. */
const LEAST = 16
const IP_HEADER = 20

export function numberedPing(number: number, source: Ipv4, destination: Ipv4, filler: number): Uint8Array {
  const payload = new Uint8Array(LEAST + filler)
  const view = new DataView(payload.buffer)
  payload[0] = 8
  view.setUint16(4, number >>> 16)
  view.setUint16(6, number & 0xffff)
  view.setUint32(8, MARK)
  view.setUint32(12, number)
  for (let i = LEAST; i < payload.length; i++) payload[i] = i + number
  view.setUint16(2, checksum(payload, 0, payload.length))
  return emitIpv4({ source, destination, protocol: IpProtocol.Icmp, payload })
}

/** The number of a ping, or undefined where it is none of ours. */
export function numberOf(packet: Uint8Array): number | undefined {
  if (packet.length < IP_HEADER + LEAST || packet[9] !== IpProtocol.Icmp) return undefined
  return readIpv4(packet, IP_HEADER + 8) === MARK ? readIpv4(packet, IP_HEADER + 12) : undefined
}
