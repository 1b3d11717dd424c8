/**
 * Pre-shared keys that somebody who sat in the middle of one attempt could find by trying (CVE-2018-5389): told to the
 * operator, without the key.
 */

import type { Configuration } from '../alliedware/config.ts'
import type { SecretStore } from './secret-store.ts'

/** Bits of a key that is out of reach of who tries them all. */
const ENOUGH_BITS = 64
/** How many characters there are of each kind. */
const KINDS: readonly (readonly [RegExp, number])[] = [
  [/[0-9]/, 10],
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/[^0-9a-zA-Z]/, 33],
]

/** One line for each key of the ISAKMP policies that is too short, or of too few different characters. */
export function guessableKeys(c: Configuration, secrets: Pick<SecretStore, 'sharedKey'>): string[] {
  const ids = new Set(c.isakmp.policies.flatMap(p => (p.authType === 'rsasig' || p.key === undefined ? [] : [p.key])))
  return [...ids].flatMap(id => {
    const key = secrets.sharedKey(id)
    if (key === undefined || bitsAtMost(key.reveal()) >= ENOUGH_BITS) return []
    return [`ENCO key ${id} could be guessed by trying: 16 random characters, or more, are safe`]
  })
}

/** What a key can hold if it was drawn from the kinds of characters that are in it; words hold less. */
function bitsAtMost(key: Uint8Array): number {
  const text = Buffer.from(key).toString('latin1')
  const alphabet = KINDS.reduce((sum, [kind, size]) => (kind.test(text) ? sum + size : sum), 0)
  const distinct = new Set(text).size
  // A character that comes again and again was not drawn.
  return Math.min(text.length, 2 * distinct) * Math.log2(Math.max(alphabet, 1))
}
