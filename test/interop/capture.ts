/** What crosses the public segment, and an independent reader's opinion of it: Wireshark's, given the keys. */
import { statSync } from 'node:fs'
import { Daemon, must, until } from '../support/command.ts'
import type { EspKey } from './client.ts'
import { requireProgram } from './rootfs.ts'
import type { World } from './world.ts'

export interface Keys {
  readonly ike: readonly { readonly cookie: string; readonly key: string }[]
  readonly esp: readonly EspKey[]
}

/** What tshark made of a capture. */
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
}

export class Capture {
  readonly file: string
  readonly #dumpcap: Daemon

  private constructor(file: string, dumpcap: Daemon) {
    this.file = file
    this.#dumpcap = dumpcap
  }

  /** Starts to record at the gateway's port of the public segment. */
  static async start(world: World): Promise<Capture> {
    await requireProgram('tshark', 'tshark', line => process.stdout.write(`interop: ${line}\n`))
    await requireProgram('dumpcap', 'wireshark-common', line => process.stdout.write(`interop: ${line}\n`))
    const file = `${world.directory}/public.pcapng`
    // -P keeps the classic format; the kernel buffers nothing that is not written at once.
    const argv = world.inside('pub', 'dumpcap', '-q', '-P', '-i', 'gw', '-w', file)
    const dumpcap = world.keep(new Daemon('dumpcap', argv, `${world.directory}/dumpcap.log`))
    const size = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0
    await until(() => size() > 0 || !dumpcap.alive, 10_000)
    if (!dumpcap.alive) throw new Error(`dumpcap ended: ${dumpcap.ended}`)
    return new Capture(file, dumpcap)
  }

  async stop(): Promise<void> {
    await this.#dumpcap.stop(5000)
  }

  async read(keys: Keys): Promise<Reading> {
    const options = decryption(keys)
    const fields = ['frame.protocols', 'isakmp.flag_e', 'isakmp.hash', 'esp.icv_good', '_ws.malformed', '_ws.col.Info']
    const output = await must([
      ...['tshark', '-n', '-r', this.file, ...options, '-Y', 'isakmp || esp', '-T', 'fields', '-E', 'occurrence=f'],
      ...fields.flatMap(field => ['-e', field]),
    ])
    const rows = output.split('\n').flatMap(line => {
      const [protocols, encrypted, hash, icv, malformed, info] = line.split('\t')
      return info === undefined ? [] : [{ protocols: protocols!.split(':'), encrypted, hash, icv, malformed, info }]
    })
    const isTrue = (text: string | undefined) => text === '1' || text === 'True'
    const ike = rows.filter(row => row.protocols.includes('isakmp') && isTrue(row.encrypted))
    const esp = rows.filter(row => row.protocols.includes('esp'))
    const within = esp.map(row => row.protocols.slice(row.protocols.indexOf('ppp') + 1))
    return {
      ikeEncrypted: ike.length,
      // Each encrypted message of Main Mode, Quick Mode and Informational carries a HASH, found only when decrypted.
      ikeRead: ike.filter(row => row.hash).length,
      esp: esp.length,
      espGood: esp.filter(row => isTrue(row.icv)).length,
      l2tp: esp.filter(row => row.protocols.includes('l2tp')).length,
      inside: [...new Set(within.flat())].filter(name => name !== 'data'),
      malformed: rows.filter(row => row.malformed).map(row => row.info),
    }
  }
}

const ciphers: Record<string, string> = {
  'cbc(aes)': 'AES-CBC [RFC3602]',
  'cbc(des3_ede)': 'TripleDES-CBC [RFC2451]',
}
const macs: Record<string, string> = {
  'hmac(sha1)': 'HMAC-SHA-1-96 [RFC2404]',
  'hmac(md5)': 'HMAC-MD5-96 [RFC2403]',
}

/** tshark's options that give it the keys. */
function decryption(keys: Keys): string[] {
  const row = (table: string, ...columns: string[]) => `uat:${table}:${columns.map(text => `"${text}"`).join(',')}`
  return [
    'esp.enable_encryption_decode:TRUE',
    'esp.enable_authentication_check:TRUE',
    ...keys.ike.map(({ cookie, key }) => `uat:ikev1_decryption_table:${cookie},${key}`), // Bare hexadecimal, no text.
    ...keys.esp.map(sa => {
      const cipher = ciphers[sa.encryption] ?? sa.encryption
      const mac = macs[sa.integrity] ?? sa.integrity
      return row(
        'esp_sa',
        'IPv4',
        '*',
        '*',
        `0x${sa.spi}`,
        cipher,
        `0x${sa.encryptionKey}`,
        mac,
        `0x${sa.integrityKey}`,
      )
    }),
  ].flatMap(option => ['-o', option])
}
