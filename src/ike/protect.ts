/** Encryption of whole messages under the phase 1 key (RFC 2408 section 3.1, RFC 2409 section 5 and appendix B). */

import { concat, Writer } from '../packet/writer.ts'
import { blockLength, decrypt, encrypt } from './cipher.ts'
import { Flag, HEADER_LENGTH, Notify, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'
import { emitHeader, emitPayloads, type Header, type Payload, parseHeader, parsePayloads } from './message.ts'
import type { Phase1Cipher } from './policy.ts'

export interface Protection {
  readonly cipher: Phase1Cipher
  readonly key: Uint8Array
  /** Is shown what stands in each message in clear; unset unless somebody debugs. */
  observe?: ((message: ClearMessage) => void) | undefined
}

/** What an encrypted message holds. One that came in is not authenticated yet. */
export interface ClearMessage {
  readonly header: Header
  readonly payloads: readonly Payload[]
  readonly out: boolean
}

/** Encrypts a message, zero-padded to whole blocks. `iv` of the answer is that of the exchange's next message. */
export function protect(
  header: Header,
  payloads: readonly Payload[],
  p: Protection,
  iv: Uint8Array,
): { bytes: Uint8Array; iv: Uint8Array } {
  p.observe?.({ header, payloads, out: true })
  const clear = emitPayloads(payloads)
  const block = blockLength(p.cipher)
  const padding = (block - (clear.length % block)) % block
  const sealed = encrypt(p.cipher, p.key, iv, new Writer(clear.length + padding).put(clear).zeros(padding).bytes())
  const head = emitHeader({ ...header, flags: header.flags | Flag.Encryption }, payloads[0]!.type, sealed.length)
  return { bytes: concat(head, sealed), iv: sealed.slice(-block) }
}

export interface Unprotected {
  readonly payloads: Payload[]
  /** The bytes behind the first payload up to the end of the chain: what HASH(1) and HASH(2) cover. */
  readonly behindFirst: Uint8Array
  /** The IV of the exchange's next message. */
  readonly iv: Uint8Array
}

/**
 * Throws IkeError, `cleartext` or `bad-ciphertext`, where a message cannot be an encrypted one, whatever the key: no
 * judgement on the key follows from it.
 */
export function checkCiphertext(bytes: Uint8Array, p: Protection): void {
  const { nextPayload, flags } = parseHeader(bytes)
  if (!(flags & Flag.Encryption)) throw new IkeError('cleartext', Notify.InvalidFlags)
  const length = bytes.length - HEADER_LENGTH
  const broken = (detail: string) => new IkeError('bad-ciphertext', Notify.PayloadMalformed, detail)
  if (length === 0 || length % blockLength(p.cipher) !== 0) throw broken('ciphertext is not whole blocks')
  if (nextPayload === PayloadType.None) throw broken('encrypted message without payloads')
}

/** Decrypts a message. Padding behind the chain is ignored, whatever it holds. Throws IkeError; nothing is authenticated yet. */
export function unprotect(bytes: Uint8Array, p: Protection, iv: Uint8Array): Unprotected {
  checkCiphertext(bytes, p)
  const { nextPayload, ...header } = parseHeader(bytes)
  const sealed = bytes.subarray(HEADER_LENGTH)
  const block = blockLength(p.cipher)
  const clear = decrypt(p.cipher, p.key, iv, sealed)
  const { payloads, length } = parsePayloads(nextPayload, clear)
  p.observe?.({ header, payloads, out: false })
  const first = payloads[0]!.body.length + 4
  return { payloads, behindFirst: clear.slice(first, length), iv: sealed.slice(-block) }
}
