/** The certificates in a PKCS #7 message that signs nothing, as Windows wraps a chain (RFC 2315 section 9.1). */

import { equal } from '../packet/bytes.ts'
import { context, DerError, Elements, oid, single, Tag } from './der.ts'

const SIGNED_DATA = '1.2.840.113549.1.7.2'
/** More are not looked at. */
const MOST = 8

interface Wrapped {
  readonly whole: Uint8Array
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
}

/** The client's own certificate first. A set has no order: its own is the one that issued none of the others. Throws DerError. */
export function certificatesOf(bytes: Uint8Array): Uint8Array[] {
  const outer = single(bytes, Tag.Sequence)
  if (oid(outer.next()) !== SIGNED_DATA) throw new DerError('no signed data')
  const signed = outer.into(context(0)).into(Tag.Sequence)
  signed.take(Tag.Integer)
  signed.take(Tag.Set)
  signed.take(Tag.Sequence)
  const found: Wrapped[] = []
  for (const e of new Elements(signed.optional(context(0))?.content ?? new Uint8Array(0))) {
    if (e.tag === Tag.Sequence && found.length < MOST) found.push(namesOf(e.whole))
  }
  const own = found.find(c => !found.some(o => o !== c && equal(o.issuer, c.subject)))
  return [...found.filter(c => c === own), ...found.filter(c => c !== own)].map(c => c.whole)
}

function namesOf(whole: Uint8Array): Wrapped {
  const tbs = single(whole, Tag.Sequence).into(Tag.Sequence)
  tbs.optional(context(0))
  tbs.take(Tag.Integer)
  tbs.take(Tag.Sequence)
  const issuer = tbs.take(Tag.Sequence).whole
  tbs.take(Tag.Sequence)
  return { whole, issuer, subject: tbs.take(Tag.Sequence).whole }
}
