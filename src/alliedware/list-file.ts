/**
 * Files of flash that firewall lists and templates are read from: one entry a line. Behind an address a name may stand; what
 * begins with `#` or `;` is a comment.
 */

import type { AddressRange } from '../firewall/policy.ts'
import { formatIpv4, prefixMask } from '../packet/ip.ts'
import { addressRange } from './value.ts'

/** More are not read. */
const MOST_ENTRIES = 10_000

export type Entries<T> = { readonly entries: readonly T[] } | { readonly fault: string }

/** Addresses, ranges with a hyphen, and networks as `10.0.0.0/8`. */
export function readAddresses(text: string): Entries<AddressRange> {
  return read(text, 'an IP address, a range of them or a network', line => {
    const [, range, word] = /^([\d.]+ - [\d.]+)(?:\s|$)/.exec(line) ?? /^()(\S+)/.exec(line) ?? []
    return range ? addressRange.parse(range.replaceAll(' ', '')) : networkOf(word ?? '')
  })
}

/** Ethernet addresses, as `00-11-22-33-44-55` or with colons; in lower case, with colons. */
export function readHardware(text: string): Entries<string> {
  return read(text, 'an Ethernet address', line => {
    const word = line.split(/\s/)[0]!.toLowerCase()
    return /^[0-9a-f]{2}([-:])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/.test(word) ? word.replaceAll('-', ':') : undefined
  })
}

/** User names, in lower case; a name may have blanks in it. */
export function readUsers(text: string): Entries<string> {
  return read(text, 'a user name of 1 to 64 characters', line => (line.length <= 64 ? line.toLowerCase() : undefined))
}

function networkOf(word: string): AddressRange | undefined {
  const [address, length] = word.split('/')
  if (length === undefined) return addressRange.parse(word)
  const one = addressRange.parse(address!)
  if (one === undefined || one.first !== one.last || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined
  const mask = prefixMask(Number(length))
  const first = (one.first & mask) >>> 0
  return addressRange.parse(`${formatIpv4(first)}-${formatIpv4((first | ~mask) >>> 0)}`)
}

function read<T>(text: string, expected: string, entry: (line: string) => T | undefined): Entries<T> {
  const entries: T[] = []
  const seen = new Set<string>()
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || /^[#;]/.test(line)) continue
    const value = entry(line)
    if (value === undefined) return { fault: `line ${i + 1}: expected ${expected}` }
    const key = JSON.stringify(value)
    if (!seen.has(key)) entries.push(value)
    seen.add(key)
    if (entries.length > MOST_ENTRIES) return { fault: `it has more than ${MOST_ENTRIES} entries` }
  }
  return entries.length === 0 ? { fault: 'there is nothing in it' } : { entries }
}
