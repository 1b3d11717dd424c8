/** Keys, hashes and IVs of phase 1 and phase 2 (RFC 2409 sections 5, 5.5 and appendix B). */

import { concat } from '../packet/writer.ts'
import { blockLength, hash, integrityKeyLength, keyLength, prf } from './cipher.ts'
import type { Phase1Cipher, Phase1Hash, Phase2Suite } from './policy.ts'

const ZERO = Uint8Array.of(0)
const ONE = Uint8Array.of(1)
const TWO = Uint8Array.of(2)

/** What phase 1 knows after both public values and nonces are exchanged. */
export interface Skeyids {
  readonly skeyid: Uint8Array
  readonly skeyidD: Uint8Array
  readonly skeyidA: Uint8Array
  readonly skeyidE: Uint8Array
}

export interface SkeyidInput {
  readonly hash: Phase1Hash
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  readonly sharedSecret: Uint8Array
  readonly initiatorCookie: Uint8Array
  readonly responderCookie: Uint8Array
}

/** SKEYID for pre-shared keys, and the three keys that grow from it. */
export function deriveSkeyids(i: SkeyidInput, presharedKey: Uint8Array): Skeyids {
  return growSkeyids(i, prf(i.hash, presharedKey, i.initiatorNonce, i.responderNonce))
}

/** SKEYID for signatures (RFC 2409 section 5): both nonces are the key, the shared secret is what is hashed. */
export function deriveSignatureSkeyids(i: SkeyidInput): Skeyids {
  return growSkeyids(i, prf(i.hash, concat(i.initiatorNonce, i.responderNonce), i.sharedSecret))
}

/** SKEYID_d, SKEYID_a and SKEYID_e from a SKEYID, however authentication made it. */
export function growSkeyids(
  i: Pick<SkeyidInput, 'hash' | 'sharedSecret' | 'initiatorCookie' | 'responderCookie'>,
  skeyid: Uint8Array,
): Skeyids {
  const { hash: algorithm, sharedSecret, initiatorCookie, responderCookie } = i
  const skeyidD = prf(algorithm, skeyid, sharedSecret, initiatorCookie, responderCookie, ZERO)
  const skeyidA = prf(algorithm, skeyid, skeyidD, sharedSecret, initiatorCookie, responderCookie, ONE)
  const skeyidE = prf(algorithm, skeyid, skeyidA, sharedSecret, initiatorCookie, responderCookie, TWO)
  return { skeyid, skeyidD, skeyidA, skeyidE }
}

/** The encryption key of phase 1: SKEYID_e, stretched where it is too short (appendix B). */
export function encryptionKey(algorithm: Phase1Hash, cipher: Phase1Cipher, skeyidE: Uint8Array): Uint8Array {
  const wanted = keyLength(cipher)
  if (skeyidE.length >= wanted) return skeyidE.slice(0, wanted)
  let block = prf(algorithm, skeyidE, ZERO)
  let key = block
  while (key.length < wanted) {
    block = prf(algorithm, skeyidE, block)
    key = concat(key, block)
  }
  return key.slice(0, wanted)
}

/** The IV of message 5: hash of both public values, the initiator's first. */
export function firstIv(
  algorithm: Phase1Hash,
  cipher: Phase1Cipher,
  initiatorPublic: Uint8Array,
  responderPublic: Uint8Array,
): Uint8Array {
  return hash(algorithm, initiatorPublic, responderPublic).slice(0, blockLength(cipher))
}

/** The IV of the first message of a Quick Mode or Informational exchange. */
export function exchangeIv(
  algorithm: Phase1Hash,
  cipher: Phase1Cipher,
  lastPhase1Block: Uint8Array,
  messageId: number,
): Uint8Array {
  return hash(algorithm, lastPhase1Block, messageIdBytes(messageId)).slice(0, blockLength(cipher))
}

export interface AuthenticationInput {
  readonly hash: Phase1Hash
  readonly skeyid: Uint8Array
  readonly initiatorPublic: Uint8Array
  readonly responderPublic: Uint8Array
  readonly initiatorCookie: Uint8Array
  readonly responderCookie: Uint8Array
  /** The body of the initiator's SA payload as it was sent. */
  readonly sa: Uint8Array
}

/** HASH_I; `identity` is the body of IDii. */
export function initiatorHash(i: AuthenticationInput, identity: Uint8Array): Uint8Array {
  return prf(
    i.hash,
    i.skeyid,
    i.initiatorPublic,
    i.responderPublic,
    i.initiatorCookie,
    i.responderCookie,
    i.sa,
    identity,
  )
}

/** HASH_R; `identity` is the body of IDir. */
export function responderHash(i: AuthenticationInput, identity: Uint8Array): Uint8Array {
  return prf(
    i.hash,
    i.skeyid,
    i.responderPublic,
    i.initiatorPublic,
    i.responderCookie,
    i.initiatorCookie,
    i.sa,
    identity,
  )
}

/** HASH(1) of Quick Mode and of Informational: `rest` is everything behind the HASH payload, padding excluded. */
export function hash1(algorithm: Phase1Hash, skeyidA: Uint8Array, messageId: number, rest: Uint8Array): Uint8Array {
  return prf(algorithm, skeyidA, messageIdBytes(messageId), rest)
}

/** HASH(2) of Quick Mode; `nonce` is the initiator's. */
export function hash2(
  algorithm: Phase1Hash,
  skeyidA: Uint8Array,
  messageId: number,
  nonce: Uint8Array,
  rest: Uint8Array,
): Uint8Array {
  return prf(algorithm, skeyidA, messageIdBytes(messageId), nonce, rest)
}

/** HASH(3) of Quick Mode. */
export function hash3(
  algorithm: Phase1Hash,
  skeyidA: Uint8Array,
  messageId: number,
  initiatorNonce: Uint8Array,
  responderNonce: Uint8Array,
): Uint8Array {
  return prf(algorithm, skeyidA, ZERO, messageIdBytes(messageId), initiatorNonce, responderNonce)
}

export interface KeymatInput {
  readonly hash: Phase1Hash
  readonly skeyidD: Uint8Array
  /** The new Diffie-Hellman secret where there is perfect forward secrecy. */
  readonly sharedSecret: Uint8Array | undefined
  readonly protocol: number
  /** Four bytes: the SPI that the receiver of this direction chose. */
  readonly spi: Uint8Array
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
}

/** KEYMAT of one direction, `length` bytes of it. */
export function keymat(i: KeymatInput, length: number): Uint8Array {
  const seed = [Uint8Array.of(i.protocol), i.spi, i.initiatorNonce, i.responderNonce]
  if (i.sharedSecret) seed.unshift(i.sharedSecret)
  const blocks: Uint8Array[] = []
  for (let made = 0; made < length; ) {
    const last = blocks.at(-1)
    const block = last ? prf(i.hash, i.skeyidD, last, ...seed) : prf(i.hash, i.skeyidD, ...seed)
    blocks.push(block)
    made += block.length
  }
  return concat(...blocks).slice(0, length)
}

/** The keys of one direction of an ESP SA: encryption key first, then the integrity key (RFC 2401 section 4.6.2). */
export function espKeys(i: KeymatInput, suite: Phase2Suite): { encryption: Uint8Array; integrity: Uint8Array } {
  const encryption = keyLength(suite.cipher)
  const keys = keymat(i, encryption + integrityKeyLength(suite.integrity))
  return { encryption: keys.slice(0, encryption), integrity: keys.slice(encryption) }
}

export function messageIdBytes(messageId: number): Uint8Array {
  return Uint8Array.of(messageId >>> 24, messageId >>> 16, messageId >>> 8, messageId)
}
