/** CBC ciphers and truncated HMACs in plain TypeScript, for the reference engine; none of them needs to be fast. */

import { cbc } from '@noble/ciphers/aes.js'
import { hmac } from '@noble/hashes/hmac.js'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import forge from 'node-forge'
import type { Cipher, Integrity } from './sa.ts'
import { integritySizes } from './suites.ts'

/** Whole blocks in, as many bytes out. */
export interface CbcCipher {
  encrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array
  decrypt(iv: Uint8Array, encrypted: Uint8Array): Uint8Array
}

/** The ICV of a message, already truncated. */
export type Mac = (message: Uint8Array) => Uint8Array

export function cbcCipher(cipher: Cipher, key: Uint8Array): CbcCipher {
  const own = key.slice()
  if (cipher === 'des' || cipher === '3des') return desCbc(cipher === 'des' ? 'DES-CBC' : '3DES-CBC', own)
  return {
    encrypt: (iv, plain) => cbc(own, iv, { disablePadding: true }).encrypt(plain),
    decrypt: (iv, encrypted) => cbc(own, iv, { disablePadding: true }).decrypt(encrypted),
  }
}

export function mac(integrity: Integrity, key: Uint8Array): Mac {
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
