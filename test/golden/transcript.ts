/**
 * A dialogue between a client and the gateway as text: every datagram that crossed the public network, and the keys that
 * it takes to read them.
 *
 *   # what it is about
 *   client 203.0.113.101          addresses as the public network sees them
 *   gateway 203.0.113.1
 *   ike COOKIE KEY                what encrypts IKE, by initiator cookie
 *   esp SPI CIPHER KEY MAC KEY    one direction's SA
 *   0 > 31001-500 HEX             milliseconds, direction (> is towards the gateway), the client's port and the gateway's
 *   0 < esp HEX                   IP protocol 50, where there is no UDP around it
 */

import type { Cipher, Integrity } from '../../src/esp/sa.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { emitIpv4, emitUdp, formatIpv4, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import type { CapturedPacket } from '../../src/packet/pcap.ts'
import type { EspKey, IkeKey } from '../support/tshark.ts'

export interface Datagram {
  /** Since the dialogue began. */
  readonly millis: number
  readonly direction: 'up' | 'down'
  /** Absent for native ESP. */
  readonly ports: { readonly client: number; readonly gateway: number } | undefined
  /** Behind the UDP header, or behind the IP header where there is none. */
  readonly bytes: Uint8Array
}

export interface Transcript {
  readonly about: string
  readonly client: Ipv4
  readonly gateway: Ipv4
  readonly ike: readonly IkeKey[]
  readonly esp: readonly EspKey[]
  readonly datagrams: readonly Datagram[]
}

export function emitTranscript(t: Transcript): string {
  return [
    `# ${t.about}`,
    `client ${formatIpv4(t.client)}`,
    `gateway ${formatIpv4(t.gateway)}`,
    ...t.ike.map(k => `ike ${k.cookie} ${k.key}`),
    ...t.esp.map(k => `esp ${k.spi} ${k.encryption} ${k.encryptionKey} ${k.integrity} ${k.integrityKey}`),
    ...t.datagrams.map(({ millis, direction, ports, bytes }) => {
      const way = ports ? `${ports.client}-${ports.gateway}` : 'esp'
      return `${millis} ${direction === 'up' ? '>' : '<'} ${way} ${toHex(bytes)}`
    }),
    '',
  ].join('\n')
}

export function parseTranscript(text: string): Transcript {
  const lines = text.trimEnd().split('\n')
  const about = lines.shift()!.slice(2)
  const rows = (word: string) => lines.map(line => line.split(' ')).filter(columns => columns[0] === word)
  const address = (word: string) => ipv4(rows(word)[0]![1]!)
  return {
    about,
    client: address('client'),
    gateway: address('gateway'),
    ike: rows('ike').map(([, cookie, key]) => ({ cookie: cookie!, key: key! })),
    esp: rows('esp').map(([, spi, encryption, encryptionKey, integrity, integrityKey]) => ({
      spi: spi!,
      encryption: encryption as Cipher,
      encryptionKey: encryptionKey!,
      integrity: integrity as Integrity,
      integrityKey: integrityKey!,
    })),
    datagrams: lines.filter(line => /^\d/.test(line)).map(parseDatagram),
  }
}

function parseDatagram(line: string): Datagram {
  const m = /^(\d+) ([<>]) (?:esp|(\d+)-(\d+)) ((?:[0-9a-f]{2})+)$/.exec(line)
  if (!m) throw new Error(`no datagram: ${line.slice(0, 60)}`)
  const [, millis, arrow, client, gateway, hex] = m
  return {
    millis: Number(millis),
    direction: arrow === '>' ? 'up' : 'down',
    ports: client === undefined ? undefined : { client: Number(client), gateway: Number(gateway) },
    bytes: fromHex(hex!),
  }
}

/** The packets as the gateway's public interface saw them. */
export function toPackets(t: Transcript): CapturedPacket[] {
  const begin = Date.UTC(2026, 0, 1)
  return t.datagrams.map(({ millis, direction, ports, bytes }, i) => {
    const up = direction === 'up'
    const ends = up ? { source: t.client, destination: t.gateway } : { source: t.gateway, destination: t.client }
    const [from, to] = up ? [ports?.client, ports?.gateway] : [ports?.gateway, ports?.client]
    const native = from === undefined || to === undefined
    return {
      at: begin + millis,
      direction: up ? 'inbound' : 'outbound',
      bytes: emitIpv4({
        ...ends,
        protocol: native ? IpProtocol.Esp : IpProtocol.Udp,
        payload: native ? bytes : emitUdp(from, to, bytes, ends),
        identification: i + 1,
      }),
    }
  })
}
