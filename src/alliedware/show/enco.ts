/** SHOW ENCO and ENCO KEY: who does the cryptography, and which keys the store holds. Their values are shown nowhere. */

import { type Column, dash, leaders, list, page } from './layout.ts'

export interface EncoKeyState {
  readonly id: number
  readonly type: string
  /** Bytes; bits of an RSA key. */
  readonly length: number
  readonly description: string
  /** Whom the key is for, as SET ENCO KEY says. */
  readonly module: string
  readonly ipAddress: string
}

export interface RsaKeyState extends EncoKeyState {
  /** Whether the private key is here, too. */
  readonly private: boolean
  readonly fingerprint: string
  readonly publicKey: string
}

/** SHOW ENCO. */
export interface EncoState {
  /** The libraries that do the work. */
  readonly crypto: string
  readonly workers: number
  readonly keys: number
  readonly ciphers: readonly string[]
  readonly hashes: readonly string[]
}

export function printEnco(s: EncoState): string {
  return page(
    'ENCO Module Configuration',
    '',
    leaders([
      ['Cryptography', s.crypto],
      ['Workers', s.workers],
      ['Keys', s.keys],
      ['Encryption', s.ciphers.join(', ')],
      ['Hashes', s.hashes.join(', ')],
    ]),
  )
}

const columns: readonly Column<EncoKeyState>[] = [
  { head: 'ID', width: 6, text: k => k.id },
  { head: 'Type', width: 11, text: k => k.type.toUpperCase() },
  { head: 'Length', width: 11, text: k => `${k.length} ${k.type === 'rsa' ? 'bits' : 'bytes'}` },
  { head: 'Description', width: 26, text: k => dash(k.description) },
  { head: 'Mod', width: 9, text: k => dash(k.module) },
  { head: 'IP', width: 15, text: k => dash(k.ipAddress) },
]

export function printEncoKeys(keys: readonly EncoKeyState[]): string {
  return list(
    'ENCO Keys',
    columns,
    keys.toSorted((a, b) => a.id - b.id),
    'No keys.',
  )
}

/** What everybody may know of an RSA key. The public key stands on a line of its own, to be copied. */
export function printRsaKey(k: RsaKeyState): string {
  const rows = leaders([
    ['ENCO Key', k.id],
    ['Type', k.private ? 'RSA, with the private key' : 'RSA, the public key'],
    ['Length', `${k.length} bits`],
    ['Description', k.description],
    ['Module', k.module],
    ['IP Address', k.ipAddress],
    ['Fingerprint', k.fingerprint],
  ])
  return page(rows, '', k.publicKey)
}
