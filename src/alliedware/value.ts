/** What a parameter's value may be: each type checks a text, and says in words what it expects. */

import { Secret } from '../packet/bytes.ts'
import { formatIpv4, type Ipv4, maskPrefix, parseIpv4 } from '../packet/ip.ts'
import { type Keyword, keyword, resolve } from './keyword.ts'
import type { Kind } from './kind.ts'

/** Things whose names a value may be: those that commands make, and files. */
export type NameKind = Kind | 'file'

export interface ValueType<T> {
  /** For faults and help: `a number from 0 to 255`. */
  readonly expected: string
  /** The value, or undefined where the text is none of this type. */
  parse(text: string): T | undefined
  /** The text with its enumerated words written out; as typed where there is none of this. */
  canonical?(text: string): string
  /** Neither text nor value may appear in a fault, a log or a SHOW. */
  readonly secret?: true
  /** Whether the keyword may stand alone: `never` (the rule), `always` (a flag), or `either`. */
  readonly bare?: 'always' | 'either'
  /** The words that it takes, for help and completion; there may be other values. */
  readonly words?: readonly Keyword[]
  /** It is the name of one of these, for help and completion. */
  readonly names?: NameKind
}

/** The same type, of which help and completion know that it names something. */
export function naming<T>(names: NameKind, type: ValueType<T>): ValueType<T> {
  return { ...type, names }
}

export function number(min: number, max: number): ValueType<number> {
  return {
    expected: `a number from ${min} to ${max}`,
    parse: text => {
      if (!/^\d{1,10}$/.test(text)) return undefined
      const value = Number(text)
      return value >= min && value <= max ? value : undefined
    },
  }
}

/** One of some words, in the manuals' notation; the value is the full word in lower case. */
export function oneOf<const W extends readonly string[]>(...words: W): ValueType<Lowercase<W[number]>> {
  const keywords = words.map(keyword)
  const parse = (text: string) => resolve(text, keywords)?.name as Lowercase<W[number]> | undefined
  return {
    expected: words.map(w => w.toUpperCase()).join(', '),
    parse,
    canonical: text => parse(text) ?? text,
    words: keywords,
  }
}

/** Several words of one list, with commas between. */
export function listOf<const W extends readonly string[]>(...words: W): ValueType<readonly Lowercase<W[number]>[]> {
  const one = oneOf(...words)
  return {
    expected: `a list of ${one.expected}`,
    parse: text => {
      const values = text.split(',').map(word => one.parse(word.trim()))
      return values.includes(undefined) ? undefined : (values as Lowercase<W[number]>[])
    },
    canonical: text =>
      text
        .split(',')
        .map(word => one.canonical!(word.trim()))
        .join(','),
    ...(one.words && { words: one.words }),
  }
}

/** Several numbers with commas between. */
export function numberList(min: number, max: number): ValueType<readonly number[]> {
  const one = number(min, max)
  return {
    expected: `a list of numbers from ${min} to ${max}`,
    parse: text => {
      const values = text.split(',').map(word => one.parse(word.trim()))
      return values.some(v => v === undefined) ? undefined : (values as number[])
    },
  }
}

const switchWords = oneOf('ON', 'OFf', 'True', 'False', 'Yes', 'No')

/** The manuals vary between ON, TRUE and YES; all are taken everywhere. */
export const bool: ValueType<boolean> = {
  expected: 'ON, OFF, TRUE, FALSE, YES, NO',
  parse: text => {
    const word = switchWords.parse(text)
    return word === undefined ? undefined : word === 'on' || word === 'true' || word === 'yes'
  },
  canonical: switchWords.canonical!,
  ...(switchWords.words && { words: switchWords.words }),
}

/** The same where ON and OFF stand beside other values: ECHO={ON|OFF|seconds}. */
export const onOff: ValueType<'on' | 'off'> = {
  ...bool,
  parse: text => {
    const on = bool.parse(text)
    return on === undefined ? undefined : on ? 'on' : 'off'
  },
}

export const address: ValueType<Ipv4> = { expected: 'an IP address', parse: parseIpv4 }

/** A netmask: its ones stand before its zeros. */
export const mask: ValueType<Ipv4> = {
  expected: 'a netmask such as 255.255.255.0',
  parse: text => {
    const value = parseIpv4(text)
    return value !== undefined && maskPrefix(value) !== undefined ? value : undefined
  },
}

export interface Range<T> {
  readonly first: T
  readonly last: T
}

/** One address, or two with a hyphen between, the lower one first. */
export const addressRange: ValueType<Range<Ipv4>> = {
  expected: 'an IP address or a range such as 192.168.8.100-192.168.8.199, the lower one first',
  parse: text => {
    const [from, to, more] = text.split('-')
    const first = parseIpv4(from!)
    const last = to === undefined ? first : parseIpv4(to)
    return first === undefined || last === undefined || more !== undefined || last < first ? undefined : { first, last }
  },
}

export function formatRange(range: Range<Ipv4>): string {
  return range.first === range.last ? formatIpv4(range.first) : `${formatIpv4(range.first)}-${formatIpv4(range.last)}`
}

/** Without control characters, which no written script could carry. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u

export function text(min: number, max: number): ValueType<string> {
  return {
    expected: min === 0 ? `at most ${max} printable characters` : `${min} to ${max} printable characters`,
    parse: value => (value.length >= min && value.length <= max && PRINTABLE.test(value) ? value : undefined),
  }
}

/** A name: printable, without quotes or white space at its ends. */
export function name(max: number): ValueType<string> {
  const inner = text(1, max)
  return {
    expected: `a name of 1 to ${max} characters`,
    parse: value => (value.trim() === value && !value.includes('"') ? inner.parse(value) : undefined),
  }
}

/** A name of letters, digits, `_` and `-`. */
export function identifier(max: number): ValueType<string> {
  return {
    expected: `a name of 1 to ${max} letters, digits, _ and -`,
    parse: value => (value.length <= max && /^[a-z0-9_-]+$/i.test(value) ? value : undefined),
  }
}

/** `eth0`, `vlan1`, `ppp0-1`, `dyn-NAME`; in lower case. */
export const interfaceName: ValueType<string> = {
  expected: 'an interface such as eth0 or vlan1',
  names: 'IP interface',
  parse: value => (value.length <= 31 && /^[a-z][a-z0-9_-]*$/i.test(value) ? value.toLowerCase() : undefined),
}

/** A file in the router's flash: `name.ext`. */
export const fileName: ValueType<string> = {
  expected: 'a file name such as vpn.cfg',
  names: 'file',
  parse: value => (/^([a-z]+:)?[a-z0-9_-]{1,28}\.[a-z0-9]{1,4}$/i.test(value) ? value : undefined),
}

export const hostName: ValueType<string> = {
  expected: 'a host name',
  parse: value => (value.length <= 253 && /^[a-z0-9.-]*[a-z][a-z0-9.-]*$/i.test(value) ? value : undefined),
}

/** A password or shared secret as text: case matters. */
export function secretText(min: number, max: number): ValueType<Secret> {
  const inner = text(min, max)
  return {
    expected: inner.expected,
    parse: value => (inner.parse(value) === undefined ? undefined : Secret.fromText(value)),
    secret: true,
  }
}

/** The first of the two types that takes the text. */
export function either<A, B>(a: ValueType<A>, b: ValueType<B>): ValueType<A | B> {
  return {
    expected: `${a.expected} or ${b.expected}`,
    parse: value => a.parse(value) ?? b.parse(value),
    canonical: value => {
      const type: ValueType<A | B> = a.parse(value) === undefined ? b : a
      return type.canonical?.(value) ?? value
    },
    ...((a.words || b.words) && { words: [...(a.words ?? []), ...(b.words ?? [])] }),
    ...((a.names ?? b.names) && { names: (a.names ?? b.names)! }),
  }
}

/** A keyword that stands alone. */
export const flag: ValueType<true> = { expected: 'no value', parse: () => undefined, bare: 'always' }

/** A keyword that may stand alone, which reads as `true`. */
export function optional<T>(type: ValueType<T>): ValueType<T | true> {
  return { ...type, bare: 'either' }
}

/** A number, or a word that stands for one. */
export function keywordNumber(max: number, words: Readonly<Record<string, number>>): ValueType<number> {
  const keywords = Object.entries(words).map(([notation, value]) => ({ ...keyword(notation), value }))
  const plain = number(0, max)
  return {
    expected: `${keywords.map(k => k.name.toUpperCase()).join(', ')} or ${plain.expected}`,
    parse: value => resolve(value, keywords)?.value ?? plain.parse(value),
    canonical: value => resolve(value, keywords)?.name ?? value,
    words: keywords,
  }
}
