/** What may follow a command that is being typed, and HELP: read from the table that the parser reads. */

import type { CommandEntry, ObjectWord, ParameterSpec } from './grammar.ts'
import { firstNameOf, type Keyword, notation, resolve, resolveVerb, stands, verbs } from './keyword.ts'
import { fitsValue, parseCommand } from './parse.ts'
import { commandTable, entriesOf } from './table.ts'
import { type Token, tokenize } from './token.ts'
import type { ValueType } from './value.ts'

/** A keyword that may come next, and whether a value follows it. */
export interface Option extends Keyword {
  readonly value: 'none' | 'optional' | 'required'
}

export interface Expected {
  /** What was typed of the word (or of the value) at the end. */
  readonly typed: string
  readonly options: readonly Option[]
  /** What the value at the end must be, in words; undefined where a keyword is expected. */
  readonly value: string | undefined
  /** The command may end here. */
  readonly complete: boolean
}

const nothing = { options: [], value: undefined, complete: false } as const

/** What may follow `line`, which ends where the cursor stands. */
export function expected(line: string): Expected {
  const { tokens, unclosed } = tokenize(line)
  const open = unclosed === '"' || !/(^|\s)$/.test(line)
  const last = open ? tokens.at(-1) : undefined
  const before = last ? tokens.slice(0, -1) : tokens
  const typed = last === undefined ? '' : last.value === undefined ? last.key : textOf(last)

  const first = before[0]
  if (first === undefined) {
    if (last?.value !== undefined) return { typed, ...nothing }
    return { typed, options: begun(typed, usedVerbs), value: undefined, complete: isCommand(line) }
  }
  const verb = first.value === undefined ? resolveVerb(first.key) : undefined
  if (verb === undefined) return { typed, ...nothing }
  const { entries, depth } = follow(verb, before)
  const inPath = before.length === 1 + depth
  const words = inPath ? pathOptions(entries, depth) : []
  const ending = chosen(
    entries.filter(e => e.path.length === depth && e.path.every((word, i) => fitsValue(word, before[1 + i]!))),
    before.slice(1 + depth),
  )
  const given = new Set(
    before.slice(1 + depth).flatMap(t => ending.flatMap(e => resolve(t.key, e.parameters)?.name ?? [])),
  )

  if (last?.value !== undefined) {
    const type = valueType(last.key, words, entries, depth, ending)
    if (type === undefined) return { typed, ...nothing }
    const item = typed.slice(typed.lastIndexOf(',') + 1)
    const options = begun(
      item,
      (type.words ?? []).map(w => ({ ...w, value: 'none' as const })),
    )
    return { typed: item, options, value: type.expected, complete: isCommand(line) }
  }
  const parameters = distinct(
    ending.flatMap(e => e.parameters.filter(p => !(p.name in e.synonyms)).map(parameterOption)),
  )
  const options = [...words, ...parameters.filter(p => !given.has(p.name))]
  return { typed, options: begun(typed, options), value: undefined, complete: isCommand(line) }
}

const usedVerbs: readonly Option[] = verbs
  .filter(v => commandTable.some(e => e.verb === firstNameOf(v.name)))
  .map(v => ({ ...v, value: 'none' }))

function isCommand(line: string): boolean {
  return parseCommand(line).kind === 'command'
}

function textOf(token: Token): string {
  return (token.value ?? []).map(part => ('text' in part ? part.text : `<${part.placeholder}>`)).join('')
}

/** What a line is about, as far as it can be told of one that may be wrong: the first word of its object. */
export function objectOf(line: string): string | undefined {
  const { tokens } = tokenize(line)
  const verb = resolveVerb(tokens[0]?.key ?? '')
  return verb === undefined ? undefined : resolve(tokens[1]?.key ?? '', pathOptions(entriesOf(verb), 0))?.name
}

/** The entries that the words lead to, and how many of the words are of their path. */
function follow(verb: string, tokens: readonly Token[]): { entries: readonly CommandEntry[]; depth: number } {
  let entries = entriesOf(verb)
  let depth = 0
  for (const token of tokens.slice(1)) {
    const word = resolve(token.key, pathOptions(entries, depth))
    if (word === undefined) break
    entries = entries.filter(e => e.path[depth]?.name === word.name)
    depth++
  }
  return { entries, depth }
}

/** Where a selector was typed its entry is meant; else all of them still may be. */
function chosen(ending: readonly CommandEntry[], tokens: readonly Token[]): readonly CommandEntry[] {
  const selected = ending.find(e => {
    const selector = e.parameters.find(p => p.name === e.selector)
    return selector && tokens.some(t => stands(t.key.toLowerCase(), selector))
  })
  return selected ? [selected] : ending
}

function pathOptions(entries: readonly CommandEntry[], depth: number): Option[] {
  return distinct(entries.flatMap(e => e.path[depth] ?? []))
}

function parameterOption({ name, minimum, type }: ParameterSpec): Option {
  const value = type.bare === 'always' ? 'none' : type.bare === 'either' ? 'optional' : 'required'
  return { name, minimum, value }
}

function valueType(
  key: string,
  words: readonly Option[],
  entries: readonly CommandEntry[],
  depth: number,
  ending: readonly CommandEntry[],
): ValueType<unknown> | undefined {
  const word = resolve(key, words)
  const taking = word && entries.find(e => e.path[depth]?.name === word.name && e.of && e.path[depth]?.value !== 'none')
  if (taking) return taking.of
  for (const e of ending) {
    const spec = resolve(key, e.parameters)
    if (spec && spec.type.bare !== 'always') return spec.type
  }
  return undefined
}

/** One of each name; where it takes a value here and none there, the value is optional. */
function distinct(options: readonly (ObjectWord | Option)[]): Option[] {
  const found = new Map<string, Option>()
  for (const { name, minimum, value } of options) {
    const other = found.get(name)
    found.set(name, { name, minimum, value: other === undefined || other.value === value ? value : 'optional' })
  }
  return [...found.values()]
}

function begun(typed: string, options: readonly Option[]): Option[] {
  const start = typed.toLowerCase()
  return options.filter(o => o.name.startsWith(start))
}

/** An option as help shows it: `POLicy=`, `SA[=]`, `COUNter`. */
export function optionText(option: Option): string {
  const after = { none: '', optional: '[=]', required: '=' }[option.value]
  return notation(option) + after
}

/** What `?` prints: lines no wider than `width`. */
export function optionsText(line: string, width: number): string {
  const { options, value, complete } = expected(line)
  const words = options.map(optionText)
  if (value !== undefined) return words.length > 0 ? listed(words, complete, width) : ` Options : ${value}`
  if (words.length === 0 && !complete) return ' Options : none'
  return listed(words, complete, width)
}

function listed(words: readonly string[], complete: boolean, width: number): string {
  const head = ' Options : '
  const lines: string[] = []
  let text = head
  for (const word of [...words, ...(complete ? ['<CR>'] : [])]) {
    if (text.length + word.length > width && text.trim() !== 'Options :') {
      lines.push(text.trimEnd())
      text = ' '.repeat(head.length)
    }
    text += `${word} `
  }
  return [...lines, text.trimEnd()].join('\n')
}

/** HELP: the verbs; HELP with the beginning of a command: its syntax and what each value may be. */
export function helpText(topic: string, width: number): string {
  const words = topic.trim()
  if (words === '') {
    const intro = 'A command is a verb, what it is about, and parameters in any order. Capitals are the shortest form.'
    const how = 'HELP VERB OBJECT tells the syntax; "?" lists what may follow; Tab completes.'
    return [intro, how, '', listed(usedVerbs.map(notation), false, width)].join('\n')
  }
  const { tokens } = tokenize(words)
  const verb = resolveVerb(tokens[0]?.key ?? '')
  if (verb === undefined) return `There is no help on "${words}". HELP alone lists the verbs.`
  const { entries, depth } = follow(verb, tokens)
  if (depth < tokens.length - 1)
    return `There is no help on "${words}". HELP ${verb.toUpperCase()} lists what there is.`
  const exact = entries.filter(e => e.path.length === depth)
  if (exact.length === 1 || entries.length <= 4) {
    return (exact.length > 0 && depth > 0 ? exact : entries).map(e => syntax(e, width)).join('\n\n')
  }
  const kept = (e: CommandEntry) => e.free && e.effect === 'hold'
  return [...new Set(entries.filter(e => !kept(e)).map(heading))].join('\n')
}

function heading(e: CommandEntry): string {
  const verb = verbs.find(v => v.name === e.verb)
  const path = e.path.map(w => optionText(w))
  return [verb ? notation(verb) : e.verb, ...path].join(' ')
}

function syntax(e: CommandEntry, width: number): string {
  const shown = e.parameters.filter(p => !(p.name in e.synonyms))
  const words = shown.map(p => {
    const text = optionText(parameterOption(p))
    return e.needs.includes(p.name) ? text : `[${text}]`
  })
  const lines: string[] = []
  let text = heading(e)
  for (const word of words) {
    if (text.length + 1 + word.length > width) {
      lines.push(text)
      text = '   '
    }
    text += ` ${word}`
  }
  lines.push(text)
  const values = [
    ...e.path.flatMap(w => (w.value !== 'none' && e.of ? [[notation(w), valueText(e.of)] as const] : [])),
    ...shown.filter(p => p.type.bare !== 'always').map(p => [notation(p), valueText(p.type, p.held)] as const),
  ]
  return [...lines, ...values.map(([name, value]) => `    ${name.padEnd(22)} ${value}`)].join('\n')
}

function valueText(type: ValueType<unknown>, held = false): string {
  const { words } = type
  const exact = words !== undefined && words.map(w => w.name.toUpperCase()).join(', ') === type.expected
  return (exact ? words.map(notation).join(', ') : type.expected) + (held ? ' (kept, without effect)' : '')
}
