/** RSA keys of the SSH server and its users: pairs made here (CREATE ENCO KEY TYPE=RSA), public ones as OpenSSH writes them. */

import { createHash, createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'

/** SSH clients refuse less. */
export const SHORTEST_RSA_BITS = 1024
export const USUAL_RSA_BITS = 2048

/** A private key in PKCS #1, PEM: what the SSH library reads. */
export async function makeRsaKey(bits: number): Promise<Uint8Array> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return new Uint8Array(Buffer.from(privateKey, 'utf8'))
}

/** A private key of a file, in PEM as OpenSSL or OpenSSH write it, as we keep it; undefined where it is none, or not RSA. */
export function importRsaKey(pem: string): Uint8Array | undefined {
  try {
    // OpenSSH has a form of its own, which Node does not read.
    const parsed = /^-----BEGIN OPENSSH/.test(pem) ? ssh2.utils.parseKey(pem) : undefined
    if (parsed instanceof Error || (parsed && !('getPrivatePEM' in parsed))) return undefined
    const key = createPrivateKey(parsed?.getPrivatePEM() ?? pem)
    if (key.asymmetricKeyType !== 'rsa') return undefined
    return new Uint8Array(Buffer.from(key.export({ type: 'pkcs1', format: 'pem' }) as string, 'utf8'))
  } catch {
    return undefined
  }
}

export interface PublicRsaKey {
  readonly bits: number
  /** `ssh-rsa AAAA...` */
  readonly line: string
  /** `SHA256:...`, as SSH clients show it. */
  readonly fingerprint: string
  /** As it travels (RFC 4253 section 6.6). */
  readonly blob: Buffer
  /** We have the private key. */
  readonly ours: boolean
}

/** The public half of a stored key, or undefined where it is none. */
export function publicRsaKey(stored: Uint8Array): PublicRsaKey | undefined {
  const text = Buffer.from(stored).toString('utf8')
  try {
    const ours = text.startsWith('-----BEGIN')
    const blob = ours ? blobOf(text) : Buffer.from(text.split(' ')[1] ?? '', 'base64')
    const [name, exponent, modulus] = fields(blob)
    if (name?.toString('latin1') !== 'ssh-rsa' || !exponent || !modulus) return undefined
    const line = `ssh-rsa ${blob.toString('base64')}`
    const hash = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')
    return { bits: bitLength(modulus), line, fingerprint: `SHA256:${hash}`, blob, ours }
  } catch {
    return undefined
  }
}

function blobOf(pem: string): Buffer {
  const { n, e } = createPublicKey(pem).export({ format: 'jwk' })
  return Buffer.concat([Buffer.from('ssh-rsa'), mpint(e), mpint(n)].flatMap(field => [length(field), field]))
}

/** A positive number, with a zero before a set top bit (RFC 4251 section 5). */
function mpint(base64url: string | undefined): Buffer {
  const bytes = Buffer.from(base64url ?? '', 'base64url')
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function length(field: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(field.length)
  return bytes
}

function fields(blob: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < blob.length; ) {
    const size = blob.readUInt32BE(at)
    if (at + 4 + size > blob.length) throw new RangeError('a field is cut off')
    found.push(blob.subarray(at + 4, at + 4 + size))
    at += 4 + size
  }
  return found
}

function bitLength(modulus: Buffer): number {
  const bytes = modulus[0] === 0 ? modulus.subarray(1) : modulus
  return bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24
}
