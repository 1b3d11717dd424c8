/** What may follow a command that is being typed, and HELP: read from the table that the parser reads. */

import type { CommandEntry, ObjectWord, ParameterSpec } from './grammar.ts'
import { type HelpFile, helpFileStart, helpFileTopic } from './help-file.ts'
import { isMaking } from './kept.ts'
import { firstNameOf, type Keyword, notation, resolve, resolveVerb, stands, verbs } from './keyword.ts'
import { type Names, noNames } from './names.ts'
import { fitsValue, parseCommand } from './parse.ts'
import { commandTable, entriesOf } from './table.ts'
import { quote, type Token, tokenize } from './token.ts'
import type { ValueType } from './value.ts'

/** A keyword that may come next, and whether a value follows it. */
export interface Option extends Keyword {
  readonly value: 'none' | 'optional' | 'required'
  /** The name of something, as it is to be typed; undefined for a keyword. */
  readonly literal?: string
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

/** Of a thousand users nobody wants to read all. */
const MOST_OPTIONS = 100

const nothing = { options: [], value: undefined, complete: false } as const

/** What may follow `line`, which ends where the cursor stands; `names` are those of what there is. */
export function expected(line: string, names: Names = noNames): Expected {
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
    const found = valueType(last.key, words, entries, depth, ending)
    if (found === undefined) return { typed, ...nothing }
    const { type } = found
    const item = type.words === undefined ? typed : typed.slice(typed.lastIndexOf(',') + 1)
    const options = begun(item, [
      ...(type.words ?? []).map(w => ({ ...w, value: 'none' as const })),
      ...(found.makes ? [] : namedOptions(type, names, item, unclosed === '"')),
    ])
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
): { readonly type: ValueType<unknown>; readonly makes: boolean } | undefined {
  const word = resolve(key, words)
  const taking = word && entries.find(e => e.path[depth]?.name === word.name && e.of && e.path[depth]?.value !== 'none')
  // What is about to be made has no name yet.
  if (taking?.of) return { type: taking.of, makes: isMaking(taking) && taking.kind === taking.of.names }
  for (const e of ending) {
    const spec = resolve(key, e.parameters)
    if (spec && spec.type.bare !== 'always') return { type: spec.type, makes: false }
  }
  return undefined
}

/** The names of what there is; one that needs quotes is offered where none of it is typed, or a quote is open. */
function namedOptions(type: ValueType<unknown>, names: Names, typed: string, inQuotes: boolean): Option[] {
  if (type.names === undefined) return []
  return names(type.names).flatMap(name => {
    const literal = inQuotes ? `${name.replaceAll('"', '""')}"` : quote(name)
    if (!inQuotes && literal !== name && typed !== '') return []
    return [{ name: name.toLowerCase(), minimum: name.length, value: 'none' as const, literal }]
  })
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
  return option.literal?.replace(/(?<!^".*)"$/, '') ?? notation(option) + after
}

/** What `?` prints: lines no wider than `width`. */
export function optionsText(line: string, width: number, names: Names = noNames): string {
  const { options, value, complete } = expected(line, names)
  const words = options.slice(0, MOST_OPTIONS).map(optionText)
  if (options.length > words.length) words.push(`... (${options.length - words.length} more)`)
  const keywords = options.some(o => o.literal === undefined)
  if (value !== undefined && !keywords) {
    const known = words.length > 0 ? `\n${listed(words, complete, width).replace('Options :', '         ')}` : ''
    return ` Options : ${value}${known}`
  }
  if (value !== undefined) return listed(words, complete, width)
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

/** HELP of the file that SET HELP names, and of the command table. */
export function help(topic: string, width: number, file: HelpFile | undefined): string {
  if (file === undefined) return helpText(topic, width)
  if (topic.trim() === '') return [helpText('', width), helpFileStart(file, width)].join('\n\n').trimEnd()
  const found = helpFileTopic(file, topic, width)
  if (found === undefined) return helpText(topic, width)
  return isTopic(topic) ? `${found}\n\n${helpText(topic, width)}` : found
}

/** Whether the words lead into the command table. */
function isTopic(topic: string): boolean {
  const { tokens } = tokenize(topic)
  const verb = resolveVerb(tokens[0]?.key ?? '')
  return verb !== undefined && follow(verb, tokens).depth === tokens.length - 1
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
  const kept = (e: CommandEntry) => e.free && e.effect === 'hold'
  const ending = entries.filter(e => e.path.length === depth)
  const exact = ending.every(kept) ? ending : ending.filter(e => !kept(e))
  if (exact.length === 1 || entries.length <= 4) {
    return (exact.length > 0 && depth > 0 ? exact : entries).map(e => syntax(e, width)).join('\n\n')
  }
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
