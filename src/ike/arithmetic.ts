/**
 * Who does the arithmetic of IKE: node:crypto, or whatever the gateway has that does the same faster. It is chosen once for
 * the whole process, as what comes out is the same.
 */

import { nodeArithmetic } from './node-arithmetic.ts'
import type { Group, Phase1Cipher, Phase1Hash } from './policy.ts'

/** Arguments have the lengths that the group or algorithm asks for, and stay the caller's. */
export interface Arithmetic {
  /** g^x, as a KE payload holds it. */
  publicValue(group: Group, privateKey: Uint8Array): Uint8Array
  /** g^xy at full length (on a curve its x coordinate), or undefined where the peer's value is not a fair one. */
  sharedSecret(group: Group, privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined
  hash(algorithm: Phase1Hash, parts: readonly Uint8Array[]): Uint8Array
  hmac(algorithm: Phase1Hash, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array
  /** CBC of whole blocks, written into `to`, which is as long as the text and may be the text itself. */
  crypt(cipher: Phase1Cipher, encrypt: boolean, key: Uint8Array, iv: Uint8Array, text: Uint8Array, to: Uint8Array): void
}

let chosen: Arithmetic = nodeArithmetic

export function arithmetic(): Arithmetic {
  return chosen
}

/** From now on this one computes. */
export function computeBy(other: Arithmetic): void {
  chosen = other
}
