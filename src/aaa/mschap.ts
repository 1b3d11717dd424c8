/** The arithmetic of MS-CHAPv2 (RFC 2759 section 8): what proves the password to us, and what proves it to the client. */

import { createCipheriv, createHash } from 'node:crypto'
import { equalSecret, Secret } from '../packet/bytes.ts'
import { md4 } from './md4.ts'

const text = (words: string) => Buffer.from(words, 'latin1')

/** The two constants of section 8.7. */
const MAGIC_1 = text('Magic server to client signing constant')
const MAGIC_2 = text('Pad to make it do more than one iteration')

/** NtPasswordHash: MD4 over the password in UTF-16LE. It is as good as the password to whoever has it. */
export function ntHash(password: Secret): Secret {
  const words = Buffer.from(password.reveal()).toString('utf8')
  return new Secret(md4(Buffer.from(words, 'utf16le')))
}

/** ChallengeHash, 8 bytes. `name` is what the client sent: its logon domain takes no part. */
export function challengeHash(peerChallenge: Uint8Array, challenge: Uint8Array, name: Uint8Array): Uint8Array {
  const user = name.subarray(name.lastIndexOf(0x5c) + 1)
  return createHash('sha1').update(peerChallenge).update(challenge).update(user).digest().subarray(0, 8)
}

/** The NT-Response, 24 bytes: the challenge's hash under three DES keys that are the password's hash, cut in three. */
export function ntResponse(hash: Secret, challenge: Uint8Array): Uint8Array {
  const keys = new Uint8Array(21)
  keys.set(hash.reveal())
  return Buffer.concat([0, 7, 14].map(at => des(keys.subarray(at, at + 7), challenge)))
}

/** Whether `response` proves knowledge of the password; its time does not depend on how much of it is right. */
export function verifyNtResponse(hash: Secret, challenge: Uint8Array, response: Uint8Array): boolean {
  return equalSecret(ntResponse(hash, challenge), response)
}

/** GenerateAuthenticatorResponse: `S=` and 40 upper-case digits, without which the client hangs up (error 778). */
export function authenticatorResponse(hash: Secret, response: Uint8Array, challenge: Uint8Array): string {
  const first = createHash('sha1').update(md4(hash.reveal())).update(response).update(MAGIC_1).digest()
  const proof = createHash('sha1').update(first).update(challenge).update(MAGIC_2).digest('hex')
  return `S=${proof.toUpperCase()}`
}

/** One block of DES: Triple DES with the same key three times, for single DES has left OpenSSL's usual set. */
function des(key: Uint8Array, block: Uint8Array): Uint8Array {
  const once = withParity(key)
  const cipher = createCipheriv('des-ede3', Buffer.concat([once, once, once]), null).setAutoPadding(false)
  return Buffer.concat([cipher.update(block), cipher.final()])
}

/** Seven bytes spread over the upper seven bits of eight; DES takes no notice of the lowest, its parity. */
function withParity(key: Uint8Array): Uint8Array {
  let bits = 0n
  for (const byte of key) bits = (bits << 8n) | BigInt(byte)
  return Uint8Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(49 - 7 * i)) & 0x7fn) << 1)
}
