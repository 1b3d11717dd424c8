/**
 * The data of a Terminate-Request in words. Windows sends its magic number, the constant 00 3C CD 74 and a RAS error as
 * 32 bits; others send text, or nothing (RFC 1661 section 5.5).
 */

import { printable } from '../packet/bytes.ts'
import { Reader } from '../packet/reader.ts'

const MICROSOFT_MARK = 0x003ccd74

/** What the peer says about its leaving; an empty string where it says nothing. */
export function terminateReason(data: Uint8Array): string {
  const error = microsoftError(data)
  if (error === undefined) return printable(data, 80).trim()
  if (error === 0) return 'the user hung up'
  const words = rasErrors[error]
  return words === undefined ? `Windows error ${error}` : `Windows error ${error}: ${words}`
}

/** The RAS error of a Windows Terminate-Request, or undefined where it is none. */
export function microsoftError(data: Uint8Array): number | undefined {
  if (data.length < 12) return undefined
  const r = new Reader(data, 4)
  return r.u32() === MICROSOFT_MARK ? r.u32() : undefined
}

/** The errors of rasdial that a client can meet once PPP has begun. */
const rasErrors: Readonly<Record<number, string>> = {
  619: 'the port was disconnected',
  628: 'the connection was ended before it was complete',
  629: 'the other side ended the connection',
  645: 'authentication failed inside the client',
  646: 'the account may not log on at this hour',
  647: 'the account is disabled',
  648: 'the password has expired',
  649: 'the account has no dial-in permission',
  668: 'the connection was dropped',
  676: 'the line is busy',
  678: 'no answer',
  691: 'user name or password was not accepted',
  718: 'timed out waiting for a PPP answer from the server',
  719: 'the server ended the PPP link',
  720: 'no PPP control protocol is configured on the client',
  721: 'the server does not respond to PPP',
  722: 'an invalid PPP packet arrived',
  726: 'IPX cannot be used for this call',
  728: 'no adapter is bound to IP',
  731: 'the protocol is not configured',
  732: 'PPP negotiation does not converge',
  733: 'the server refuses this network protocol',
  734: 'LCP was terminated',
  735: 'the server refused the address that the client asks for',
  736: 'the server ended the network protocol',
  737: 'the line is looped back',
  738: 'the server assigned no address',
  739: 'the logon credentials cannot be used with this authentication',
  741: 'the client cannot encrypt as its settings require',
  742: 'the server cannot encrypt as the client requires (MPPE)',
  743: 'the server requires encryption that the client does not offer',
  751: 'the callback number is invalid',
  778: 'the server could not prove its identity (mutual authentication)',
  781: 'no valid certificate was found for encryption',
  919: 'the two sides share no authentication protocol',
}
