/** The ciphers and hashes of phase 1 (RFC 2409 appendix A, RFC 2405, RFC 2451, RFC 3602). */

import { Arena } from '../packet/arena.ts'
import { arithmetic } from './arithmetic.ts'
import type { Phase1Cipher, Phase1Hash, Phase2Suite } from './policy.ts'

interface Cipher {
  readonly keyLength: number
  readonly blockLength: number
}

const ciphers: Readonly<Record<Phase1Cipher, Cipher>> = {
  des: { keyLength: 8, blockLength: 8 },
  '3des': { keyLength: 24, blockLength: 8 },
  aes128: { keyLength: 16, blockLength: 16 },
  aes192: { keyLength: 24, blockLength: 16 },
  aes256: { keyLength: 32, blockLength: 16 },
}

/** What AES-GCM takes of the key material behind its key: the salt of its nonces (RFC 4106 section 8.1). */
const GCM_SALT_LENGTH = 4
const gcmKeyLengths = {
  aesgcm128: 16 + GCM_SALT_LENGTH,
  aesgcm192: 24 + GCM_SALT_LENGTH,
  aesgcm256: 32 + GCM_SALT_LENGTH,
} as const
const integrityKeyLengths = { md5: 16, sha1: 20, sha256: 32, gcm: 0 } as const

/** Of a cipher of either phase. */
export function keyLength(cipher: Phase2Suite['cipher']): number {
  return cipher in gcmKeyLengths
    ? gcmKeyLengths[cipher as keyof typeof gcmKeyLengths]
    : ciphers[cipher as Phase1Cipher].keyLength
}

export function blockLength(cipher: Phase1Cipher): number {
  return ciphers[cipher].blockLength
}

/** Bytes of key that an HMAC of ESP takes: the length of its hash (RFC 2403, 2404, 4868). GCM takes none of its own. */
export function integrityKeyLength(integrity: Phase2Suite['integrity']): number {
  return integrityKeyLengths[integrity]
}

/** CBC encryption of whole blocks in place. */
export function encrypt(cipher: Phase1Cipher, key: Uint8Array, iv: Uint8Array, text: Uint8Array): void {
  arithmetic().crypt(cipher, true, key, iv, text, text)
}

const texts = new Arena()

/** CBC decryption of whole blocks. */
export function decrypt(cipher: Phase1Cipher, key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array {
  const text = texts.take(sealed.length)
  arithmetic().crypt(cipher, false, key, iv, sealed, text)
  return text
}

export function hash(algorithm: Phase1Hash, ...parts: readonly Uint8Array[]): Uint8Array {
  return arithmetic().hash(algorithm, parts)
}

/** The pseudo-random function: HMAC of the negotiated hash, since no peer negotiates another (RFC 2409 section 4). */
export function prf(algorithm: Phase1Hash, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return arithmetic().hmac(algorithm, key, parts)
}
