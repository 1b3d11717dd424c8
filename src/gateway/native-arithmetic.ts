/** IKE's arithmetic in the native addon: on OpenSSL without its objects; P-384, MODP groups and DES decryption by code of our own. */

import type { Arithmetic } from '../ike/arithmetic.ts'
import { nodeArithmetic } from '../ike/node-arithmetic.ts'
import type { Group, Phase1Cipher, Phase1Hash } from '../ike/policy.ts'
import type { Native } from './native.ts'

/** Longer messages than any of IKE go to node:crypto. */
const ROOM = 32_768

const hashes: Readonly<Record<Phase1Hash, { readonly number: number; readonly length: number }>> = {
  md5: { number: 0, length: 16 },
  sha1: { number: 1, length: 20 },
  sha256: { number: 2, length: 32 },
}
const ciphers: Readonly<Record<Phase1Cipher, number>> = { des: 0, '3des': 1, aes128: 2, aes192: 3, aes256: 4 }
/** Bytes of a public value and of a secret. */
const lengths: Readonly<Record<Group, readonly [value: number, secret: number]>> = {
  1: [96, 96],
  2: [128, 128],
  5: [192, 192],
  14: [256, 256],
  19: [64, 32],
  20: [96, 48],
}

export class NativeArithmetic implements Arithmetic {
  private readonly native: Native
  /** Handed over with every call: small arrays, each by itself, would cost more than what is computed of them. */
  private readonly room = new Uint8Array(ROOM)

  private readonly vectors: boolean

  /** Without `vectors` MODP groups are computed as on processors that have no such instructions. */
  constructor(native: Native, vectors = true) {
    this.native = native
    this.vectors = vectors
  }

  publicValue(group: Group, privateKey: Uint8Array): Uint8Array {
    this.room.set(privateKey)
    this.native.dhPublic(group, this.room, this.vectors)
    return this.room.slice(0, lengths[group][0])
  }

  sharedSecret(group: Group, privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
    this.room.set(privateKey)
    this.room.set(peer, privateKey.length)
    return this.native.dhShared(group, this.room, this.vectors) ? this.taken(lengths[group][1]) : undefined
  }

  hash(algorithm: Phase1Hash, parts: readonly Uint8Array[]): Uint8Array {
    const end = this.put(0, parts)
    if (end === undefined) return nodeArithmetic.hash(algorithm, parts)
    const { number, length } = hashes[algorithm]
    this.native.digest(number, this.room, end)
    return this.room.slice(0, length)
  }

  hmac(algorithm: Phase1Hash, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
    const end = this.put(this.put(0, [key]), parts)
    if (end === undefined) return nodeArithmetic.hmac(algorithm, key, parts)
    const { number, length } = hashes[algorithm]
    this.native.hmac(number, this.room, key.length, end - key.length)
    return this.taken(length)
  }

  crypt(
    cipher: Phase1Cipher,
    encrypt: boolean,
    key: Uint8Array,
    iv: Uint8Array,
    text: Uint8Array,
    to: Uint8Array,
  ): void {
    const end = this.put(0, [key, iv, text])
    if (end === undefined) return nodeArithmetic.crypt(cipher, encrypt, key, iv, text, to)
    this.native.cbc(ciphers[cipher], encrypt, this.room, text.length)
    to.set(this.room.subarray(end - text.length, end))
  }

  /** Where the parts end that begin at `at`; undefined where there is no room for them. */
  private put(at: number | undefined, parts: readonly Uint8Array[]): number | undefined {
    if (at === undefined) return undefined
    for (const part of parts) {
      if (at + part.length > ROOM) return undefined
      this.room.set(part, at)
      at += part.length
    }
    return at
  }

  /** A secret, which does not stay in the room. */
  private taken(length: number): Uint8Array {
    const secret = this.room.slice(0, length)
    this.room.fill(0, 0, length)
    return secret
  }
}
