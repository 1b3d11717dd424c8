/** An independent reader's opinion of a capture: Wireshark's, given the keys. */

import type { Cipher, Integrity } from '../../src/esp/sa.ts'
import { must } from './command.ts'

export interface IkeKey {
  /** Sixteen hexadecimal digits, of the initiator. */
  readonly cookie: string
  /** What encrypts IKE's messages, in hexadecimal. */
  readonly key: string
}

/** One direction's SA, numbers in hexadecimal. */
export interface EspKey {
  readonly spi: string
  readonly encryption: Cipher
  readonly encryptionKey: string
  readonly integrity: Integrity
  readonly integrityKey: string
}

export interface Keys {
  readonly ike: readonly IkeKey[]
  readonly esp: readonly EspKey[]
}

/** What tshark found in a packet of IKE or ESP. */
export interface Dissection {
  /** From the outside to the inside, such as ip, udp, udpencap, esp, udp, l2tp, ppp, chap. */
  readonly protocols: readonly string[]
  readonly source: string
  /** ISAKMP's exchange type; undefined where it is none. */
  readonly exchange: number | undefined
  readonly encrypted: boolean
  /** Whether a HASH payload was seen: each encrypted message has one, found only when it was decrypted. */
  readonly hashed: boolean
  readonly icvGood: boolean
  /** L2TP's Message Type; undefined where it is no control message, or one without any. */
  readonly l2tpMessage: number | undefined
  /** PPP's protocol, and the code of its control packet. */
  readonly pppProtocol: number | undefined
  readonly pppCode: number | undefined
  readonly malformed: boolean
  /** What Wireshark's experts call an error. */
  readonly error: boolean
  /** Wireshark's own line about it, for messages. */
  readonly info: string
}

/** PI_ERROR: the severity above chats, notes and warnings. */
const EXPERT_ERROR = 0x800000

const fields = [
  ...['frame.protocols', 'ip.src', 'isakmp.exchangetype', 'isakmp.flag_e', 'isakmp.hash', 'esp.icv_good'],
  ...['l2tp.avp.message_type', 'ppp.protocol', 'ppp.code', 'chap.code'],
  ...['_ws.malformed', '_ws.expert.severity', '_ws.col.Info'],
]

/**
 * Has tshark read every packet of IKE and ESP in a capture, in their order. With `checksums` a wrong one of IPv4 or UDP is
 * an error: without a NAT alone, since behind one the inner UDP checksum is made over addresses that nobody sees.
 */
export async function dissect(file: string, keys: Keys, checksums = false): Promise<Dissection[]> {
  const options = [...decryption(keys), ...(checksums ? checked : [])].flatMap(option => ['-o', option])
  const output = await must([
    ...['tshark', '-n', '-r', file, ...options, '-Y', 'isakmp || esp', '-T', 'fields', '-E', 'occurrence=a'],
    ...fields.flatMap(field => ['-e', field]),
  ])
  // What it has to say on the side has no columns.
  const rows = output.split('\n').map(line => line.split('\t'))
  return rows
    .filter(row => row.length === fields.length)
    .map(
      ([protocols, source, exchange, encrypted, hash, icv, message, ppp, code, chap, malformed, severity, info]) => ({
        protocols: protocols!.split(':'),
        source: first(source!),
        exchange: number(exchange!),
        encrypted: isTrue(encrypted!),
        hashed: hash !== '',
        icvGood: isTrue(icv!),
        l2tpMessage: number(message!),
        pppProtocol: number(ppp!),
        pppCode: number(code || chap!),
        malformed: malformed !== '',
        error: severity!.split(',').some(s => (number(s) ?? 0) >= EXPERT_ERROR),
        info: info!,
      }),
    )
}

/** Fields that occur more than once are listed from the outside to the inside. */
const first = (text: string) => text.split(',')[0]!
const number = (text: string) => (text === '' ? undefined : Number(first(text)))
const isTrue = (text: string) => first(text) === '1' || first(text) === 'True'

/** What tshark made of a whole capture. */
export interface Reading {
  /** Encrypted IKE messages, and those of them whose payloads tshark could read. */
  readonly ikeEncrypted: number
  readonly ikeRead: number
  /** ESP packets, those with a good integrity check value, and those in which L2TP was found. */
  readonly esp: number
  readonly espGood: number
  readonly l2tp: number
  /** The protocols found inside PPP. */
  readonly inside: readonly string[]
  readonly malformed: readonly string[]
  /** Packets in which Wireshark's experts see an error. */
  readonly errors: readonly string[]
}

export function summarize(packets: readonly Dissection[]): Reading {
  const ike = packets.filter(p => p.protocols.includes('isakmp') && p.encrypted)
  const esp = packets.filter(p => p.protocols.includes('esp'))
  const within = esp.flatMap(p =>
    p.protocols.includes('ppp') ? p.protocols.slice(p.protocols.indexOf('ppp') + 1) : [],
  )
  return {
    ikeEncrypted: ike.length,
    ikeRead: ike.filter(p => p.hashed).length,
    esp: esp.length,
    espGood: esp.filter(p => p.icvGood).length,
    l2tp: esp.filter(p => p.protocols.includes('l2tp')).length,
    inside: [...new Set(within)].filter(name => name !== 'data'),
    malformed: packets.filter(p => p.malformed).map(p => p.info),
    errors: packets.filter(p => p.error).map(p => p.info),
  }
}

const ciphers: Partial<Record<Cipher, string>> = {
  '3des': 'TripleDES-CBC [RFC2451]',
  aes128: 'AES-CBC [RFC3602]',
  aes192: 'AES-CBC [RFC3602]',
  aes256: 'AES-CBC [RFC3602]',
}
const macs: Partial<Record<Integrity, string>> = {
  sha1: 'HMAC-SHA-1-96 [RFC2404]',
  md5: 'HMAC-MD5-96 [RFC2403]',
}

const checked = ['ip.check_checksum:TRUE', 'udp.check_checksum:TRUE']

/** tshark's preferences that give it the keys. */
function decryption(keys: Keys): string[] {
  const row = (table: string, ...columns: string[]) => `uat:${table}:${columns.map(text => `"${text}"`).join(',')}`
  return [
    'esp.enable_encryption_decode:TRUE',
    'esp.enable_authentication_check:TRUE',
    ...keys.ike.map(({ cookie, key }) => `uat:ikev1_decryption_table:${cookie},${key}`), // Bare hexadecimal, no text.
    ...keys.esp.map(sa => {
      const [cipher, mac] = [ciphers[sa.encryption], macs[sa.integrity]]
      if (!cipher || !mac) throw new Error(`no name known for ${sa.encryption} with ${sa.integrity}`)
      const security = [cipher, `0x${sa.encryptionKey}`, mac, `0x${sa.integrityKey}`]
      return row('esp_sa', 'IPv4', '*', '*', `0x${sa.spi}`, ...security)
    }),
  ]
}
