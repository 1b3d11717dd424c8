/** Encryption of whole messages under the phase 1 key (RFC 2408 section 3.1, RFC 2409 section 5 and appendix B). */

import { Reader } from '../packet/reader.ts'
import { Writer } from '../packet/writer.ts'
import { blockLength, decrypt, encrypt } from './cipher.ts'
import { Flag, HEADER_LENGTH, Notify, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'
import {
  chainLength,
  type Header,
  type ParsedHeader,
  type Payload,
  parseHeader,
  parsePayloads,
  putHeader,
  putPayloads,
} from './message.ts'
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
  const length = chainLength(payloads)
  const block = blockLength(p.cipher)
  const padding = (block - (length % block)) % block
  const w = new Writer(HEADER_LENGTH + length + padding)
  putHeader(w, header, payloads[0]!.type, length + padding, header.flags | Flag.Encryption)
  putPayloads(w, payloads)
  const bytes = w.zeros(padding).bytes()
  encrypt(p.cipher, p.key, iv, bytes.subarray(HEADER_LENGTH))
  return { bytes, iv: lastBlock(bytes, block) }
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
export function checkCiphertext({ nextPayload, flags }: ParsedHeader, bytes: Uint8Array, p: Protection): void {
  if (!(flags & Flag.Encryption)) throw new IkeError('cleartext', Notify.InvalidFlags)
  const length = bytes.length - HEADER_LENGTH
  if (length === 0 || length % blockLength(p.cipher) !== 0) throw broken('ciphertext is not whole blocks')
  if (nextPayload === PayloadType.None) throw broken('encrypted message without payloads')
}

function broken(detail: string): IkeError {
  return new IkeError('bad-ciphertext', Notify.PayloadMalformed, detail)
}

/**
 * Decrypts a message, whose header may have been read already. Padding behind the chain is ignored, whatever it holds.
 * Throws IkeError; nothing is authenticated yet.
 */
export function unprotect(
  bytes: Uint8Array,
  p: Protection,
  iv: Uint8Array,
  header: ParsedHeader = parseHeader(bytes),
): Unprotected {
  checkCiphertext(header, bytes, p)
  const clear = decrypt(p.cipher, p.key, iv, bytes.subarray(HEADER_LENGTH))
  const { payloads, length } = parsePayloads(header.nextPayload, clear)
  p.observe?.({ header, payloads, out: false })
  const first = payloads[0]!.body.length + 4
  const behindFirst = new Reader(clear, first).part(length - first)
  return { payloads, behindFirst, iv: lastBlock(bytes, blockLength(p.cipher)) }
}

function lastBlock(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.slice(bytes.length - length)
}
