/** Why a link did not come up, for SHOW ATTEMPT: what happened in one line, and what to change. */

import type { TunnelRefusal } from '../l2tp/effects.ts'
import type { PppDownCause } from '../ppp/effects.ts'
import type { Admission } from './residents.ts'

export interface Refusal {
  readonly text: string
  /** Empty where nothing is to be changed. */
  readonly remedy: string
}

/** Authentication or the address pool refused `name`. */
export function ofAdmission(name: string, reason: Extract<Admission, { kind: 'rejected' }>['reason']): Refusal {
  switch (reason) {
    case 'unknown-user':
      return {
        text: `unknown user "${name}"`,
        remedy: `check the name that was typed, or "add user=${name} password=... login=no"`,
      }
    case 'wrong-password':
      return {
        text: `wrong password for user "${name}"`,
        remedy: 'type the password again; upper and lower case differ',
      }
    case 'not-allowed':
      return { text: `user "${name}" is disabled`, remedy: `"enable user=${name}" lets this user in again` }
    case 'pool-empty':
      return {
        text: `no inner address is left for user "${name}"`,
        remedy: 'enlarge the pool ("show ip pool") or end sessions that are not needed ("reset session=N")',
      }
  }
}

/** L2TP opened no tunnel for the client. */
export function ofTunnel(refusal: TunnelRefusal, reason: string): Refusal {
  return { text: `L2TP failed: ${reason}`, remedy: TUNNEL_REMEDIES[refusal] }
}

const TUNNEL_REMEDIES: Readonly<Record<TunnelRefusal, string>> = {
  disabled: '"enable l2tp" and "enable l2tp server=lns"',
  'no-range': '"add l2tp ip=FIRST-LAST ppptemplate=N" with a range that holds the client’s address',
  version: 'let the client speak L2TP version 2 (RFC 2661)',
  challenge: 'take the tunnel’s secret out of the client’s settings: IPsec has told each who the other is',
  malformed: '',
}

/** PPP came to its end before it was up. */
export function ofLink(cause: PppDownCause, detail: string): Refusal {
  return { text: `PPP failed: ${detail}`, remedy: remedyOf(cause) }
}

function remedyOf(cause: PppDownCause): string {
  switch (cause) {
    case 'lcp-failed':
    case 'peer-refused':
      return 'let the client allow what the PPP template asks for (CHAP; MS-CHAPv2 as well with AUTHENTICATION=EITHER)'
    case 'ipcp-failed':
      return 'let the client obtain its IP address automatically'
    case 'lost':
    case 'peer-terminated':
      return 'see the client’s own message: it ended the connection'
    default:
      return ''
  }
}
