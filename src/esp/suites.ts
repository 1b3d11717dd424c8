/**
 * The sizes that follow from a suite: ciphers in CBC mode (RFC 2405, 2451, 3602) and truncated HMACs (RFC 2403, 2404,
 * 4868), and AES-GCM (RFC 4106).
 */

import type { Cipher, GcmCipher, Integrity, Suite } from './sa.ts'

/** SPI and sequence number, before the IV (RFC 4303 section 2). */
export const ESP_HEADER_SIZE = 8
/** Pad length and next header, behind the padding. */
export const ESP_TRAILER_SIZE = 2
/** The last sequence number of an SA without extended ones; none may follow it (RFC 4303 section 3.3.3). */
export const LAST_SEQUENCE = 0xffffffff
/** From this sequence number on an SA asks to be replaced: a sixteenth of its numbers is left. */
export const SOFT_SEQUENCE = 0xf0000000
/** Rows an engine has for peers: peers are numbered from 0. */
export const MAX_PEERS = 16384

export interface CipherSizes {
  readonly key: number
  readonly block: number
  readonly iv: number
}

export interface IntegritySizes {
  readonly key: number
  readonly icv: number
}

/** GCM's key material ends with the salt that its nonces begin with (RFC 4106 section 8.1). */
export const GCM_SALT_SIZE = 4
/** The tag that we speak: 128 bits (RFC 4106 section 6). */
const GCM_ICV = 16

/** In bytes. The key of 3DES is its three DES keys, parity bits included; that of GCM has its salt. GCM's text is whole words. */
export const cipherSizes: Readonly<Record<Cipher, CipherSizes>> = {
  des: { key: 8, block: 8, iv: 8 },
  '3des': { key: 24, block: 8, iv: 8 },
  aes128: { key: 16, block: 16, iv: 16 },
  aes192: { key: 24, block: 16, iv: 16 },
  aes256: { key: 32, block: 16, iv: 16 },
  aesgcm128: { key: 16 + GCM_SALT_SIZE, block: 4, iv: 8 },
  aesgcm192: { key: 24 + GCM_SALT_SIZE, block: 4, iv: 8 },
  aesgcm256: { key: 32 + GCM_SALT_SIZE, block: 4, iv: 8 },
}

/** In bytes: the ICV is 96 bits of MD5 and SHA-1, 128 bits of SHA-256 and GCM. */
export const integritySizes: Readonly<Record<Integrity, IntegritySizes>> = {
  md5: { key: 16, icv: 12 },
  sha1: { key: 20, icv: 12 },
  sha256: { key: 32, icv: 16 },
  gcm: { key: 0, icv: GCM_ICV },
}

export function isGcm(cipher: Cipher): cipher is GcmCipher {
  return cipher.startsWith('aesgcm')
}

/** As logs and SHOW name it: "aes256-sha1", "aesgcm256". */
export function suiteName(suite: Suite): string {
  return isGcm(suite.cipher) ? suite.cipher : `${suite.cipher}-${suite.integrity}`
}

/** The ICV of SHA-256 in the draft that came before RFC 4868, in bytes: old Androids and Linux kernels cut to it. */
export const DRAFT_SHA256_ICV = 12

/** Padding bytes that bring a payload of `length` bytes and the trailer to whole blocks: the fewest that do. */
export function paddingFor(block: number, length: number): number {
  return (block - ((length + ESP_TRAILER_SIZE) % block)) % block
}
