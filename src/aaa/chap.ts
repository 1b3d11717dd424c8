/** The arithmetic of CHAP with MD5 (RFC 1994 section 4.1). */

import { hash } from 'node:crypto'
import type { Secret } from '../packet/bytes.ts'
import { equalSecret } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'

/** MD5 over identifier, secret and challenge: the value of a Response, 16 bytes. */
export function chapMd5(identifier: number, secret: Secret, challenge: Uint8Array): Uint8Array {
  const message = concat(Uint8Array.of(identifier), secret.reveal(), challenge)
  const digest = hash('md5', message, 'buffer')
  message.fill(0)
  return digest
}

/** Whether `response` proves knowledge of `secret`; its time does not depend on how much of it is right. */
export function verifyChapMd5(
  identifier: number,
  secret: Secret,
  challenge: Uint8Array,
  response: Uint8Array,
): boolean {
  return equalSecret(chapMd5(identifier, secret, challenge), response)
}
