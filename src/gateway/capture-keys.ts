/** The tables by which Wireshark reads IKEv1 and ESP: `ikev1_decryption_table` and `esp_sa` of its profile. */

import type { ChildSa } from '../ike/effects.ts'
import { toHex } from '../packet/bytes.ts'
import { formatIpv4 } from '../packet/ip.ts'

const CIPHERS: Readonly<Record<ChildSa['suite']['cipher'], string>> = {
  des: 'DES-CBC [RFC2405]',
  '3des': 'TripleDES-CBC [RFC2451]',
  aes128: 'AES-CBC [RFC3602]',
  aes192: 'AES-CBC [RFC3602]',
  aes256: 'AES-CBC [RFC3602]',
  aesgcm128: 'AES-GCM with 16 octet ICV [RFC4106]',
  aesgcm192: 'AES-GCM with 16 octet ICV [RFC4106]',
  aesgcm256: 'AES-GCM with 16 octet ICV [RFC4106]',
}
const INTEGRITIES: Readonly<Record<ChildSa['suite']['integrity'], string>> = {
  md5: 'HMAC-MD5-96 [RFC2403]',
  sha1: 'HMAC-SHA-1-96 [RFC2404]',
  sha256: 'HMAC-SHA-256-128 [RFC4868]',
  gcm: 'NULL',
}

/** GCM has none of its own, and Wireshark takes no empty number. */
const integrityKey = (key: Uint8Array) => (key.length === 0 ? '' : `0x${toHex(key)}`)

export class KeyTables {
  private readonly phase1 = new Map<string, string>()
  private readonly phase2 = new Map<string, string>()

  /** `cookie`: the initiator's, in hexadecimal. */
  ike(cookie: string, key: Uint8Array): void {
    this.phase1.set(cookie, `${cookie},${toHex(key)}`)
  }

  esp(sa: ChildSa): void {
    const [local, remote] = [formatIpv4(sa.local), formatIpv4(sa.remote.address)]
    const row = (source: string, destination: string, spi: number, keys: ChildSa['inboundKeys']) => {
      const cells = [
        ...['IPv4', source, destination, `0x${spi.toString(16).padStart(8, '0')}`],
        ...[CIPHERS[sa.suite.cipher], `0x${toHex(keys.encryption.reveal())}`],
        ...[INTEGRITIES[sa.suite.integrity], integrityKey(keys.integrity.reveal())],
      ]
      const text = cells.map(cell => `"${cell}"`).join(',')
      this.phase2.set(`${source} ${destination} ${spi}`, text)
    }
    row(remote, local, sa.inboundSpi, sa.inboundKeys)
    row(local, remote, sa.outboundSpi, sa.outboundKeys)
  }

  texts(): { readonly ike: string; readonly esp: string } {
    const lines = (rows: ReadonlyMap<string, string>) => [...rows.values()].map(row => `${row}\n`).join('')
    return { ike: lines(this.phase1), esp: lines(this.phase2) }
  }
}
