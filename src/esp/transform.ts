/** CBC ciphers, truncated HMACs and GCM in plain TypeScript, for the reference engine; none of them needs to be fast. */

import { cbc, gcm } from '@noble/ciphers/aes.js'
import { hmac } from '@noble/hashes/hmac.js'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import forge from 'node-forge'
import { equalSecret } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import type { Cipher, GcmCipher, Integrity, SaKeys, Suite } from './sa.ts'
import { GCM_SALT_SIZE, integritySizes, isGcm } from './suites.ts'

/** What an SA does to the text of a packet; `header` is its SPI and sequence number. */
export interface Protection {
  /** The encrypted text, and the ICV of `icv` bytes behind it. */
  seal(header: Uint8Array, iv: Uint8Array, text: Uint8Array, icv: number): Uint8Array
  /** The text, or undefined where the ICV, its last `icv` bytes, is wrong. */
  open(header: Uint8Array, iv: Uint8Array, sealed: Uint8Array, icv: number): Uint8Array | undefined
}

export function protection(suite: Suite, keys: SaKeys): Protection {
  const { cipher, integrity } = suite
  if (isGcm(cipher)) return gcmProtection(keys.encryption.reveal())
  const cbcOf = cbcCipher(cipher, keys.encryption.reveal())
  const sign = mac(integrity as HmacIntegrity, keys.integrity.reveal())
  return {
    seal: (header, iv, text, icv) => {
      const encrypted = cbcOf.encrypt(iv, text)
      return concat(encrypted, sign(concat(header, iv, encrypted)).subarray(0, icv))
    },
    open: (header, iv, sealed, icv) => {
      const encrypted = sealed.subarray(0, sealed.length - icv)
      const right = equalSecret(sign(concat(header, iv, encrypted)).subarray(0, icv), sealed.subarray(encrypted.length))
      return right ? cbcOf.decrypt(iv, encrypted) : undefined
    },
  }
}

/** AES-GCM (RFC 4106): the nonce is salt and IV; SPI and sequence number are authenticated beside the text. */
function gcmProtection(key: Uint8Array): Protection {
  const own = key.slice(0, key.length - GCM_SALT_SIZE)
  const salt = key.slice(own.length)
  return {
    seal: (header, iv, text) => gcm(own, concat(salt, iv), header).encrypt(text),
    open: (header, iv, sealed) => {
      try {
        return gcm(own, concat(salt, iv), header).decrypt(sealed)
      } catch {
        return undefined
      }
    },
  }
}

/** Whole blocks in, as many bytes out. */
export interface CbcCipher {
  encrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array
  decrypt(iv: Uint8Array, encrypted: Uint8Array): Uint8Array
}

type HmacIntegrity = Exclude<Integrity, 'gcm'>

/** The ICV of a message, already truncated. */
export type Mac = (message: Uint8Array) => Uint8Array

export function cbcCipher(cipher: Exclude<Cipher, GcmCipher>, key: Uint8Array): CbcCipher {
  const own = key.slice()
  if (cipher === 'des' || cipher === '3des') return desCbc(cipher === 'des' ? 'DES-CBC' : '3DES-CBC', own)
  return {
    encrypt: (iv, plain) => cbc(own, iv, { disablePadding: true }).encrypt(plain),
    decrypt: (iv, encrypted) => cbc(own, iv, { disablePadding: true }).decrypt(encrypted),
  }
}

export function mac(integrity: HmacIntegrity, key: Uint8Array): Mac {
  const own = key.slice()
  const { icv } = integritySizes[integrity]
  const hash = { md5, sha1, sha256 }[integrity]
  return message => hmac(hash, own, message).subarray(0, icv)
}

/** node-forge speaks in strings of one character a byte. */
function desCbc(algorithm: 'DES-CBC' | '3DES-CBC', key: Uint8Array): CbcCipher {
  const forgeKey = forge.util.createBuffer(text(key))
  const run = (cipher: forge.cipher.BlockCipher, iv: Uint8Array, input: Uint8Array): Uint8Array => {
    cipher.start({ iv: text(iv) })
    cipher.update(forge.util.createBuffer(text(input)))
    // A padding function that does nothing, since ESP pads by itself; the types know only the one without argument.
    const finish = cipher.finish as (pad: () => boolean) => boolean
    finish.call(cipher, () => true)
    return new Uint8Array(Buffer.from(cipher.output.getBytes(), 'latin1'))
  }
  return {
    encrypt: (iv, plain) => run(forge.cipher.createCipher(algorithm, forgeKey.copy()), iv, plain),
    decrypt: (iv, encrypted) => run(forge.cipher.createDecipher(algorithm, forgeKey.copy()), iv, encrypted),
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
