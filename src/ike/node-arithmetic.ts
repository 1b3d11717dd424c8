/** IKE's arithmetic on node:crypto: Diffie-Hellman (RFC 2409 section 6, RFC 3526, RFC 5903), hashes, HMACs, CBC ciphers. */

import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createECDH,
  createHash,
  createHmac,
  type DiffieHellman,
  getDiffieHellman,
} from 'node:crypto'
import { concat } from '../packet/writer.ts'
import type { Arithmetic } from './arithmetic.ts'
import type { Group, Phase1Cipher } from './policy.ts'

const curves: Partial<Record<Group, string>> = { 19: 'prime256v1', 20: 'secp384r1' }

/** Single DES runs as 3DES with three equal keys: OpenSSL 3 has no single DES outside its legacy provider. */
const ciphers: Readonly<Record<Phase1Cipher, string>> = {
  des: 'des-ede3-cbc',
  '3des': 'des-ede3-cbc',
  aes128: 'aes-128-cbc',
  aes192: 'aes-192-cbc',
  aes256: 'aes-256-cbc',
}

export const nodeArithmetic: Arithmetic = {
  publicValue(group, privateKey) {
    const curve = curves[group]
    if (curve === undefined) {
      const d = calculator(group)
      d.setPrivateKey(privateKey)
      return leftPad(d.generateKeys(), d.getPrime().length)
    }
    const e = createECDH(curve)
    e.setPrivateKey(privateKey)
    // RFC 5903 section 7: both coordinates, without the byte that says "uncompressed".
    return new Uint8Array(e.getPublicKey()).slice(1)
  },

  sharedSecret(group, privateKey, peer) {
    const curve = curves[group]
    try {
      if (curve === undefined) {
        const d = calculator(group)
        d.setPrivateKey(privateKey)
        return leftPad(d.computeSecret(peer), d.getPrime().length)
      }
      const e = createECDH(curve)
      e.setPrivateKey(privateKey)
      // RFC 5903 section 9: the x coordinate alone. OpenSSL checks that the point is on the curve.
      return leftPad(e.computeSecret(concat(Uint8Array.of(4), peer)), peer.length / 2)
    } catch {
      return undefined
    }
  },

  hash(algorithm, parts) {
    const h = createHash(algorithm)
    for (const p of parts) h.update(p)
    return new Uint8Array(h.digest())
  },

  hmac(algorithm, key, parts) {
    const h = createHmac(algorithm, key)
    for (const p of parts) h.update(p)
    return new Uint8Array(h.digest())
  },

  crypt(cipher, encrypt, key, iv, text, to) {
    const whole = cipher === 'des' ? concat(key, key, key) : key
    const make = encrypt ? createCipheriv : createDecipheriv
    const c = make(ciphers[cipher], whole, iv).setAutoPadding(false)
    to.set(concat(c.update(text), c.final()))
  },
}

const calculators = new Map<Group, DiffieHellman>()

/** One calculator a group: making one costs OpenSSL a primality test of the small primes. Keys are set before each use. */
function calculator(group: Group): DiffieHellman {
  let d = calculators.get(group)
  if (!d) {
    d = createDiffieHellman(getDiffieHellman(`modp${group}`).getPrime(), 2)
    calculators.set(group, d)
  }
  return d
}

function leftPad(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(bytes, length - bytes.length)
  return out
}
