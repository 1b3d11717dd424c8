/** Distinguished names in words (RFC 4514), most significant part last as certificates are usually read: CN=alice, O=Example. */

import { printable } from '../packet/bytes.ts'
import { DerError, Elements, oid, single, Tag } from './der.ts'

const attributeNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'E',
}
const BMP_STRING = 0x1e
/** Attributes told of one name. */
const MAX_TOLD = 12

export interface NamePart {
  readonly attribute: string
  readonly value: string
}

/** The parts of a DER name, in its own order; every character is safe for a log. Throws DerError. */
export function nameParts(der: Uint8Array): NamePart[] {
  const parts: NamePart[] = []
  for (const set of single(der, Tag.Sequence)) {
    if (set.tag !== Tag.Set) throw new DerError('name')
    for (const pair of new Elements(set.content)) {
      if (pair.tag !== Tag.Sequence) throw new DerError('name')
      const fields = new Elements(pair.content)
      const type = oid(fields.next())
      const value = fields.next()
      const text = value.tag === BMP_STRING ? value.content.filter((_, i) => i % 2 === 1) : value.content
      if (parts.length < MAX_TOLD) parts.push({ attribute: attributeNames[type] ?? type, value: printable(text, 64) })
    }
  }
  return parts
}

/** A DER name in words, or undefined where it is none. */
export function nameText(der: Uint8Array): string | undefined {
  try {
    const parts = nameParts(der).map(p => `${p.attribute}=${p.value}`)
    return parts.length === 0 ? undefined : parts.reverse().join(', ')
  } catch (e) {
    if (e instanceof DerError) return undefined
    throw e
  }
}
