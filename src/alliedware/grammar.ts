/** The shape of the command table: verb, object path, parameters with their types, and what the command does. */

import type { Draft } from './draft.ts'
import { type Keyword, keyword } from './keyword.ts'
import type { Kind } from './kind.ts'
import { naming, type ValueType } from './value.ts'

/** The headings of a written script, in order. */
export const sections = [
  'SYSTEM',
  'LOAD',
  'USER',
  'PPP',
  'L2TP',
  'IP',
  'FIREWALL',
  'SSH',
  'IPSEC',
  'LOG',
  'SNMP',
  'OTHER',
  'ALIAS',
] as const
export type Section = (typeof sections)[number]

/** The modules of SHOW CONFIG DYNAMIC=module: the sections, and what stands in another's. */
export const sectionWords: readonly Keyword[] = [...sections, 'ISAKMP', 'RADIUS'].map(section => ({
  name: section.toLowerCase(),
  minimum: 2,
}))

export interface ObjectWord extends Keyword {
  readonly value: 'none' | 'optional' | 'required'
}

export interface ParameterSpec extends Keyword {
  readonly type: ValueType<unknown>
  /** Understood but without effect: held and written back beside the object. */
  readonly held: boolean
}

/** What a command does: changes the configuration, is held in it, or asks the running gateway for something. */
export type Effect = 'act' | 'hold' | 'operate'

/** How `apply` says what went wrong; it changes nothing after a complaint. */
export interface Report {
  readonly line: number
  error(text: string): void
  warn(text: string): void
  /** An object that is not there: an error, unless a command that waits for its placeholders would make it. */
  missing(kind: Kind, identity: string | number): void
  /** The text of a file of flash; undefined where it is not there. */
  file(name: string): string | undefined
}

/** How files of flash are read, by the name as it was typed. Throws an Error where one is none to read. */
export type FileReader = (name: string) => string | undefined

export interface CommandEntry {
  readonly verb: string
  readonly path: readonly ObjectWord[]
  /** The type of the value in the path. */
  readonly of: ValueType<unknown> | undefined
  readonly parameters: readonly ParameterSpec[]
  /** Parameters that must be there. */
  readonly needs: readonly string[]
  /** The parameter by which this entry is told from others of the same path. */
  readonly selector: string | undefined
  /** Second spellings of parameters. */
  readonly synonyms: Readonly<Record<string, string>>
  readonly section: Section
  readonly effect: Effect
  readonly kind: Kind | undefined
  /** Any further words and parameters are taken unchecked. */
  readonly free: boolean
  /** What tells the object from others of its kind. */
  identity(of: unknown, args: Readonly<Record<string, unknown>>): string
  apply(draft: Draft, of: unknown, args: Readonly<Record<string, unknown>>, report: Report): void
}

export type Parameters = Readonly<Record<string, ValueType<unknown>>>

/** The values of parameters, by their full names in lower case; a parameter that was not given is not there. */
export type Arguments<P extends Parameters> = {
  readonly [K in keyof P as Lowercase<K & string>]?: P[K] extends ValueType<infer T> ? T : never
}

/** A command as the `commands` files write it; names are in the manuals' notation (`POLicy`). */
export interface Definition<T, P extends Parameters> {
  readonly verb: string
  /** `IPSec POLicy=`: words of the object; `=` where it takes a value, `=?` where it may. */
  readonly path: string
  readonly of?: ValueType<T>
  readonly parameters?: P
  /** Parameters without effect here: taken, held, written back with a SET of the same object. */
  readonly held?: Parameters
  readonly needs?: readonly (keyof Arguments<P> & string)[]
  readonly selector?: keyof Arguments<P> & string
  readonly synonyms?: Readonly<Record<string, string>>
  readonly section?: Section
  readonly kind?: Kind
  readonly free?: boolean
  readonly identity?: (of: T, args: Arguments<P>) => string
  readonly apply?: (draft: Draft, of: T, args: Arguments<P>, report: Report) => void
}

type NoParameters = Readonly<Record<never, ValueType<unknown>>>

/** A command that changes the configuration. */
export function act<T, P extends Parameters = NoParameters>(definition: Definition<T, P>): CommandEntry {
  return entry('act', definition)
}

/** A command that is understood and kept, without effect. */
export function hold<T, P extends Parameters = NoParameters>(definition: Definition<T, P>): CommandEntry {
  return entry('hold', definition)
}

/** A command to the running gateway: SHOW, RESET, debugging, files. */
export function operate<T, P extends Parameters = NoParameters>(definition: Definition<T, P>): CommandEntry {
  return entry('operate', definition)
}

function entry<T, P extends Parameters>(effect: Effect, d: Definition<T, P>): CommandEntry {
  const specs = (parameters: Parameters, held: boolean): ParameterSpec[] =>
    Object.entries(parameters).map(([notation, type]) => ({ ...keyword(notation), type, held }))
  return {
    verb: d.verb,
    path: d.path === '' ? [] : d.path.split(' ').map(objectWord),
    // Unless it tells more than its own name, what a command is about is named by its value.
    of: d.of && d.kind !== undefined && d.identity === undefined && !d.of.names ? naming(d.kind, d.of) : d.of,
    parameters: [...specs(d.parameters ?? {}, false), ...specs(d.held ?? {}, true)],
    needs: d.needs ?? [],
    selector: d.selector,
    synonyms: d.synonyms ?? {},
    section: d.section ?? 'OTHER',
    effect,
    kind: d.kind,
    free: d.free ?? false,
    // The parser checks `of` and every argument against the types given here before it hands them over.
    identity: (of, args) =>
      (d.identity ? d.identity(of as T, args as Arguments<P>) : of === undefined ? '' : String(of)).toLowerCase(),
    apply: (draft, of, args, report) => d.apply?.(draft, of as T, args as Arguments<P>, report),
  }
}

function objectWord(notation: string): ObjectWord {
  const [word, value] = notation.split('=')
  return { ...keyword(word!), value: value === undefined ? 'none' : value === '?' ? 'optional' : 'required' }
}
