/**
 * Cached replies and the gaps between retransmissions (RFC 2408 section 5.1). A repeated identical request gets the
 * identical reply; nothing is sent on a timer towards a peer that has not proved its address, so nobody can use us as
 * an amplifier.
 */

import { equal } from '../packet/bytes.ts'
import { hash } from './cipher.ts'
import type { IsakmpPolicy } from './policy.ts'

/** How many of an exchange's last requests are remembered: main mode has three. */
const REMEMBERED = 3

interface Remembered {
  readonly length: number
  readonly digest: Uint8Array
  readonly reply: Uint8Array | undefined
}

export class Replies {
  private readonly entries: Remembered[] = []

  /** Remembers a request that was dealt with; without a reply, a repetition of it is answered with silence. */
  remember(request: Uint8Array, reply: Uint8Array | undefined): void {
    this.entries.push({ length: request.length, digest: digest(request), reply })
    if (this.entries.length > REMEMBERED) this.entries.shift()
  }

  /** How many requests are remembered. */
  get size(): number {
    return this.entries.length
  }

  /** What is known of an identical request. */
  find(request: Uint8Array): { readonly reply: Uint8Array | undefined } | undefined {
    let wanted: Uint8Array | undefined
    for (const e of this.entries) {
      // What is no repetition mostly has another length already: then it is not hashed only to hear that it is new.
      if (e.length !== request.length) continue
      wanted ??= digest(request)
      if (equal(e.digest, wanted)) return e
    }
    return undefined
  }
}

function digest(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes)
}

/**
 * Seconds to wait after a message was sent `count` times (from 1). The incremental series with a timeout of 4 is
 * 4, 8, 16, 24, 32, 40, 48, 56, as the AR450S documents by example.
 */
export function retransmissionGapSeconds(
  policy: Pick<IsakmpPolicy, 'messageTimeoutSeconds' | 'messageBackoff'>,
  count: number,
): number {
  const timeout = policy.messageTimeoutSeconds
  return policy.messageBackoff === 'none' || count === 1 ? timeout : 2 * timeout * (count - 1)
}
