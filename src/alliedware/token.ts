/** A command's words: quotes, `key=value`, and placeholders (`<your password>`, `x.x.x.x-x.x.x.x`) as one value. */

/** A piece of a value: text as it stands, or the name of a placeholder that a site file fills. */
export type Part = { readonly text: string } | { readonly placeholder: string }

export interface Token {
  /** What stands before `=`, or the whole word. */
  readonly key: string
  /** Undefined where there was no `=`. */
  readonly value: readonly Part[] | undefined
}

export interface Tokens {
  readonly tokens: readonly Token[]
  /** A quote or a placeholder was opened and not closed. */
  readonly unclosed: '"' | '<' | undefined
}

const SPACE = /\s/
/** What may stand between `<` and `>`: words, commas; no `=`, so that a stray `<` cannot eat the next parameter. */
const PLACEHOLDER = /<([^<>"=]*[^<>"=\s][^<>"=]*)>/y
const OPEN_PLACEHOLDER = /<[^<>"=]*$/y
/** The addresses that documents leave to the reader. */
const ADDRESS_PLACEHOLDER = /^x\.x\.x\.x(-x\.x\.x\.x)?$/i

/**
 * Splits a joined command into its words.
 *
 * A quote opens only where a value (or word) begins; inside, two quotes stand for one. Anything else is taken as it is.
 */
export function tokenize(text: string): Tokens {
  const tokens: Token[] = []
  let unclosed: Tokens['unclosed']
  let at = 0

  const quoted = (): string => {
    let out = ''
    for (at++; at < text.length; at++) {
      if (text[at] !== '"') out += text[at]
      else if (text[at + 1] === '"') {
        out += '"'
        at++
      } else {
        at++
        return out
      }
    }
    unclosed = '"'
    return out
  }

  const value = (): Part[] => {
    const parts: Part[] = []
    if (text[at] === '"') parts.push({ text: quoted() })
    let plain = ''
    while (at < text.length && !SPACE.test(text[at]!)) {
      if (text[at] === '<') {
        PLACEHOLDER.lastIndex = at
        const match = PLACEHOLDER.exec(text)
        if (match) {
          if (plain !== '') parts.push({ text: plain })
          plain = ''
          parts.push({ placeholder: tidy(match[1]!) })
          at = PLACEHOLDER.lastIndex
          continue
        }
        OPEN_PLACEHOLDER.lastIndex = at
        if (OPEN_PLACEHOLDER.test(text)) unclosed = '<'
      }
      plain += text[at++]
    }
    if (plain !== '')
      parts.push(parts.length === 0 && ADDRESS_PLACEHOLDER.test(plain) ? { placeholder: plain } : { text: plain })
    return parts
  }

  while (at < text.length) {
    if (SPACE.test(text[at]!)) {
      at++
      continue
    }
    let key = text[at] === '"' ? quoted() : ''
    while (at < text.length && !SPACE.test(text[at]!) && text[at] !== '=') key += text[at++]
    if (text[at] === '=') {
      at++
      tokens.push({ key, value: value() })
    } else tokens.push({ key, value: undefined })
  }
  return { tokens, unclosed }
}

/** A placeholder's text with single spaces, and hyphens that a wrapped line tore off put back. */
function tidy(name: string): string {
  return name
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/(\w)- /g, '$1-')
}

/** The form in which placeholders are looked up: `next- hop  Address` is `next-hop address`. */
export function placeholderKey(name: string): string {
  return tidy(name).toLowerCase()
}

/** Values by placeholder, whatever case and spacing their names were written with. */
export function placeholderValues(values: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(values).map(([name, value]) => [placeholderKey(name), value]))
}

/** A value with its placeholders filled, and those that could not be: an empty value fills nothing. */
export function fill(
  parts: readonly Part[],
  values: ReadonlyMap<string, string>,
): { readonly text: string; readonly missing: readonly string[] } {
  const missing: string[] = []
  let text = ''
  for (const part of parts) {
    if ('text' in part) {
      text += part.text
      continue
    }
    const value = values.get(placeholderKey(part.placeholder))
    if (value === undefined || value === '') {
      missing.push(part.placeholder)
      text += ADDRESS_PLACEHOLDER.test(part.placeholder) ? part.placeholder : `<${part.placeholder}>`
    } else text += value
  }
  return { text, missing }
}

/** A value as it must be written so that it reads back as itself: quoted only where it has to be. */
export function quote(value: string): string {
  const plain = value !== '' && !/[\s<]/.test(value) && !value.startsWith('"') && !ADDRESS_PLACEHOLDER.test(value)
  return plain ? value : `"${value.replaceAll('"', '""')}"`
}
