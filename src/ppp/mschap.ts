/** How MS-CHAPv2 puts things into CHAP's packets (RFC 2759 sections 4 to 6); what they prove is AAA's business. */

import { toHex } from '../packet/bytes.ts'
import type { AuthenticationResult, RejectReason } from './effects.ts'

/** The value of a Response: peer challenge 16, reserved 8, NT-Response 24, flags 1. */
export const MSCHAP_LENGTH = 49

/** The Windows error numbers of a Failure: what the user gets to read. */
const MsChapError = { NoDialinPermission: 649, AuthenticationFailure: 691 } as const

/** What a Response's value holds. Reserved bytes and flags should be zero; clients that differ mean nothing by it. */
export function readResponse(value: Uint8Array): { peerChallenge: Uint8Array; ntResponse: Uint8Array } {
  return { peerChallenge: value.subarray(0, 16), ntResponse: value.subarray(24, 48) }
}

/** The message of a Success: the proof that we know the password, without which the client hangs up. */
export function successText(result: { readonly proof?: string | undefined; readonly message: string }): string {
  return `${result.proof ?? ''} M=${result.message}`
}

/** The message of a Failure; V=3 is the version of the change-password packet, which nobody is asked for. */
export function failureText(
  result: Extract<AuthenticationResult, { kind: 'rejected' }>,
  retry: boolean,
  challenge: Uint8Array,
): string {
  const error = mayRetry(result.reason) ? MsChapError.AuthenticationFailure : MsChapError.NoDialinPermission
  return `E=${error} R=${retry ? 1 : 0} C=${toHex(challenge).toUpperCase()} V=3 M=${result.message}`
}

/** Whether another name or password could help. The peer must not learn which of the two was wrong. */
export function mayRetry(reason: RejectReason): boolean {
  return reason === 'unknown-user' || reason === 'wrong-password'
}
