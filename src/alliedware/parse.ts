/** One command, as it was typed, to one with every keyword written out and every value checked: by the table alone. */

import type { CommandEntry, ObjectWord, ParameterSpec } from './grammar.ts'
import { resolve, resolveVerb, stands, verbs } from './keyword.ts'
import { didYouMean } from './nearest.ts'
import { commandTable, entriesOf } from './table.ts'
import { fill, quote, type Token, tokenize } from './token.ts'

export interface Parameter {
  /** In full, lower case; as typed for a word of a command that takes any. */
  readonly name: string
  /** The value's text with its enumerated words written out; undefined for a keyword that stands alone. */
  readonly text: string | undefined
  /** The text must not be shown. */
  readonly secret: boolean
  /** Understood but without effect. */
  readonly held: boolean
}

export interface Command {
  readonly entry: CommandEntry
  /** In full, lower case: `show`. */
  readonly verb: string
  /** The object's words in full, lower case: `ipsec`, `policy`. */
  readonly object: readonly string[]
  /** The value in the object's path: the `main` of FIREWALL POLICY=main. */
  readonly value: string | undefined
  readonly parameters: readonly Parameter[]
  /** The path's value and the parameters' values as their types read them. */
  readonly of: unknown
  readonly args: Readonly<Record<string, unknown>>
  /** Words that stand alone, in a command that takes any. */
  readonly words: readonly string[]
  /** Placeholders that nothing fills. */
  readonly placeholders: readonly string[]
  /** As it was typed. */
  readonly typed: string
}

export type ParseResult =
  | { readonly kind: 'command'; readonly command: Command }
  /** No text of a fault holds a secret. */
  | { readonly kind: 'faults'; readonly faults: readonly string[] }

/** Parameters that hold a secret, in commands of modules that are not known. */
const secretWord = /pass|secret|community|key|value/

const verbNames = verbs.map(verb => verb.name)

const nothingFilled: ReadonlyMap<string, string> = new Map()

/**
 * Reads one command, aliases expanded, against the table.
 *
 * 1. the first word is the verb;
 * 2. words follow the paths of the verb's entries as far as they lead;
 * 3. of the entries that end there, the one whose selector was typed is meant;
 * 4. the rest are its parameters.
 */
export function parseCommand(typed: string, values = nothingFilled): ParseResult {
  const { tokens, unclosed } = tokenize(typed)
  const first = tokens[0]
  if (first === undefined) return { kind: 'faults', faults: ['expected a command'] }
  const verb = first.value === undefined ? resolveVerb(first.key) : undefined
  if (verb === undefined) {
    const meant = didYouMean(first.key, verbNames)
    return { kind: 'faults', faults: [`unknown command "${shown(first.key)}"${meant}`] }
  }
  if (unclosed === '"') return { kind: 'faults', faults: [`${verb.toUpperCase()}: a quote is not closed`] }

  const found = findEntry(verb, tokens)
  if ('fault' in found) return { kind: 'faults', faults: [found.fault] }
  const { entry, pathTokens } = found
  const heading = [verb, ...entry.path.map(word => word.name)].join(' ').toUpperCase()
  const faults: string[] = []
  const placeholders: string[] = []

  let value: string | undefined
  let of: unknown
  pathTokens.forEach((token, i) => {
    const word = entry.path[i]!
    if (token.value === undefined) return
    const filled = fill(token.value, values)
    value = filled.text
    if (filled.missing.length > 0) placeholders.push(...filled.missing)
    else if ((of = entry.of?.parse(value)) === undefined)
      faults.push(
        `${heading}: ${word.name.toUpperCase()}=${shown(value)}: expected ${entry.of?.expected ?? 'no value'}`,
      )
    else value = entry.of?.canonical?.(value) ?? value
  })

  const rest = readParameters(entry, heading, tokens.slice(1 + pathTokens.length), 2 + pathTokens.length, values)
  faults.push(...rest.faults)
  placeholders.push(...rest.placeholders)
  if (faults.length > 0) return { kind: 'faults', faults }
  const object = entry.path.map(word => word.name)
  const { parameters, args, words } = rest
  return {
    kind: 'command',
    command: {
      entry,
      verb,
      object,
      value,
      parameters,
      of,
      args,
      words,
      placeholders: [...new Set(placeholders)],
      typed,
    },
  }
}

type Found = { readonly entry: CommandEntry; readonly pathTokens: readonly Token[] } | { readonly fault: string }

/** Steps 2 and 3. */
function findEntry(verb: string, tokens: readonly Token[]): Found {
  let entries = entriesOf(verb)
  if (entries.length === 0) return { fault: `${verb.toUpperCase()}: a command of the router's that is not here` }
  let depth = 0
  for (;;) {
    const token = tokens[depth + 1]
    const words = distinct(entries.flatMap(e => e.path[depth] ?? []))
    const word = token && resolve(token.key, words)
    if (word === undefined) break
    entries = entries.filter(e => e.path[depth]?.name === word.name)
    depth++
  }
  const pathTokens = tokens.slice(1, 1 + depth)
  const heading = [verb, ...(entries[0]?.path.slice(0, depth) ?? []).map(word => word.name)].join(' ').toUpperCase()
  const ending = entries.filter(e => e.path.length === depth)
  const next = distinct(entries.flatMap(e => e.path[depth] ?? [])).map(word => word.name.toUpperCase())
  if (ending.length === 0) {
    const wrong = tokens[depth + 1]
    const expected = `expected ${next.join(', ')}`
    if (wrong === undefined) return { fault: `${heading}: ${expected}` }
    return { fault: `${heading} "${shown(wrong.key)}": ${expected}${didYouMean(wrong.key, next)}` }
  }
  const fitting = ending.filter(e => e.path.every((word, i) => fitsValue(word, pathTokens[i]!)))
  if (fitting.length === 0) {
    const wanting = ending.flatMap(e => e.path.find(word => word.value === 'required') ?? [])[0]
    if (wanting === undefined) return { fault: `${heading}: takes no value` }
    return { fault: `${heading}: a value is missing: ${wanting.name.toUpperCase()}=...` }
  }
  const keys = tokens.slice(1 + depth).map(token => token.key.toLowerCase())
  const selected = fitting.find(e => {
    const selector = e.parameters.find(p => p.name === e.selector)
    return selector && keys.some(key => stands(key, selector))
  })
  const entry = selected ?? fitting.find(e => e.selector === undefined)
  if (entry) return { entry, pathTokens }
  const selectors = fitting.map(e => e.selector!.toUpperCase())
  return { fault: `${heading}: expected ${[...next, ...new Set(selectors)].join(', ')}` }
}

/** Whether the word of the path has a value where it must, and none where it must not. */
export function fitsValue(word: ObjectWord, token: Token): boolean {
  return word.value === 'optional' || (word.value === 'required') === (token.value !== undefined)
}

interface Read {
  readonly parameters: Parameter[]
  readonly args: Record<string, unknown>
  readonly words: string[]
  readonly placeholders: string[]
  readonly faults: string[]
}

/** Step 4. `position` is the number of the first token among the command's words. */
function readParameters(
  entry: CommandEntry,
  heading: string,
  tokens: readonly Token[],
  position: number,
  values: ReadonlyMap<string, string>,
): Read {
  const read: Read = { parameters: [], args: {}, words: [], placeholders: [], faults: [] }
  // A mistyped command with a password may hold it where no password is expected.
  const discreet = entry.free || entry.parameters.some(p => p.type.secret)
  const given = new Set<string>()
  for (const [index, token] of tokens.entries()) {
    const spec = resolve(token.key, entry.parameters)
    if (spec === undefined && entry.free) {
      readFree(token, values, read)
    } else if (spec === undefined) {
      const what = discreet ? `word ${position + index} is not a parameter` : `"${shown(token.key)}" is not a parameter`
      read.faults.push(`${heading}: ${what}; expected ${parameterNames(entry)}`)
    } else {
      const name = entry.synonyms[spec.name] ?? spec.name
      if (given.has(name)) read.faults.push(`${heading}: ${name.toUpperCase()} is given twice`)
      else readParameter(spec, name, heading, token, values, read)
      given.add(name)
    }
  }
  if (entry.verb === 'set' && tokens.length === 0 && entry.needs.length === 0 && entry.parameters.length > 0)
    read.faults.push(`${heading}: expected ${parameterNames(entry)}`)
  for (const need of entry.needs) {
    if (!given.has(need)) read.faults.push(`${heading}: ${need.toUpperCase()} is missing`)
  }
  return read
}

function readParameter(
  spec: ParameterSpec,
  name: string,
  heading: string,
  token: Token,
  values: ReadonlyMap<string, string>,
  read: Read,
): void {
  const { type, held } = spec
  const label = name.toUpperCase()
  const secret = type.secret === true
  if (token.value === undefined) {
    if (type.bare === undefined) read.faults.push(`${heading}: ${label}: expected ${type.expected}`)
    read.args[name] = true
    read.parameters.push({ name, text: undefined, secret, held })
    return
  }
  const { text, missing } = fill(token.value, values)
  if (type.bare === 'always') {
    read.faults.push(`${heading}: ${label} takes no value`)
  } else if (missing.length > 0) {
    read.placeholders.push(...missing)
    read.parameters.push({ name, text, secret, held })
  } else {
    const value = type.parse(text)
    if (value === undefined)
      read.faults.push(`${heading}: ${label}${secret ? '' : `=${shown(text)}`}: expected ${type.expected}`)
    read.args[name] = value
    read.parameters.push({ name, text: type.canonical?.(text) ?? text, secret, held })
  }
}

/** A word or parameter of a command that takes any. */
function readFree(token: Token, values: ReadonlyMap<string, string>, read: Read): void {
  if (token.value === undefined) {
    read.words.push(token.key)
    read.parameters.push({ name: token.key, text: undefined, secret: false, held: false })
    return
  }
  const { text, missing } = fill(token.value, values)
  const name = token.key.toLowerCase()
  read.placeholders.push(...missing)
  read.parameters.push({ name, text, secret: secretWord.test(name), held: false })
}

function parameterNames(entry: CommandEntry): string {
  const names = entry.parameters.filter(p => !(p.name in entry.synonyms)).map(p => p.name.toUpperCase())
  return names.length === 0 ? 'none' : names.join(', ')
}

function distinct(words: readonly ObjectWord[]): ObjectWord[] {
  return [...new Map(words.map(word => [word.name, word])).values()]
}

/** Text of an operator's, fit for one line of a fault. */
function shown(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '?')
  return clean.length > 60 ? `${clean.slice(0, 60)}...` : clean
}

/** The verb and object written out: `set ppp template=1`. */
export function objectText(command: Command, verb = command.verb): string {
  const value = command.value === undefined ? '' : `=${quote(command.value)}`
  return `${[verb, ...command.object].join(' ')}${value}`
}

/** `name=value` with quotes where they must be, or the bare keyword. */
export function parameterText({ name, text }: Parameter): string {
  return text === undefined ? quoteWord(name) : `${quoteWord(name)}=${quote(text)}`
}

/** The whole command with its keywords written out. Holds secrets as they are. */
export function commandText(command: Command): string {
  return [objectText(command), ...command.parameters.map(parameterText)].join(' ')
}

function quoteWord(word: string): string {
  return /[\s"=]/.test(word) || word === '' ? `"${word.replaceAll('"', '""')}"` : word
}

/** A held or inert command as it may be shown: every secret masked; one that cannot be read is not shown at all. */
export function maskSecrets(typed: string): string {
  const result = parseCommand(typed)
  if (result.kind === 'faults') return '***'
  const { command } = result
  const parameters = command.parameters.map(p => {
    if (p.text === undefined) return parameterText(p)
    const waits = /^<[^<>"=]+>$/.test(p.text) || /^x\.x\.x\.x/i.test(p.text)
    if (command.entry.kind === 'alias') return `${p.name}=${quote(maskAlias(p.text))}`
    return waits ? `${p.name}=${p.text}` : p.secret ? `${p.name}=***` : parameterText(p)
  })
  return [objectText(command), ...parameters].join(' ')
}

/** What an alias stands for, as it may be shown: a command or the beginning of one, as it was typed where it holds no secret. */
export function maskAlias(text: string): string {
  const masked = maskSecrets(text)
  if (masked !== '***') return masked.includes('=***') ? masked : text
  // Only a part of a command, or none: whatever may be short for a secret's name has a secret behind it.
  return tokenize(text)
    .tokens.map(t => {
      if (t.value === undefined) return quoteWord(t.key)
      const shown = t.value.map(part => ('text' in part ? part.text : `<${part.placeholder}>`)).join('')
      return mayBeSecret(t.key.toLowerCase()) ? `${t.key}=***` : `${quoteWord(t.key)}=${quote(shown)}`
    })
    .join(' ')
}

function mayBeSecret(key: string): boolean {
  return (
    key === '' ||
    secretWord.test(key) ||
    commandTable.some(e => e.parameters.some(p => p.type.secret && stands(key, p)))
  )
}
