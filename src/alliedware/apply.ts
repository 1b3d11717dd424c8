/** Carries commands out on a configuration: one at the prompt, or one after another from a script. */

import { nextPosition } from './commands/ipsec.ts'
import type { Configuration, Fault, InertCommand } from './config.ts'
import { type Draft, draftOf, sameName } from './draft.ts'
import type { Kind, Report } from './grammar.ts'
import { firstWord, isComment } from './lines.ts'
import { type Command, commandText, objectText, type Parameter, parameterText, parseCommand } from './parse.ts'
import { placeholderValues } from './token.ts'

export type OutcomeKind =
  /** It changed the configuration. */
  | 'acted'
  /** It is understood, without effect, and held. */
  | 'held'
  /** It waits for its placeholders. */
  | 'inert'
  /** It is a command to the running gateway: the caller carries it out. */
  | 'operation'
  /** A comment or an empty line. */
  | 'nothing'
  /** Something is wrong with it; the configuration is as it was. */
  | 'refused'

export interface Outcome {
  readonly configuration: Configuration
  readonly faults: readonly Fault[]
  readonly kind: OutcomeKind
  /** The command as it was understood, unless it was refused before that. */
  readonly command: Command | undefined
}

/**
 * Carries out one command as typed at the prompt; the given configuration stays as it is.
 *
 * Faults have line 1. References to things that are not there yet are no fault, as they are at the end of a script.
 * `values` fills placeholders, by their names.
 */
export function applyCommand(
  configuration: Configuration,
  text: string,
  values: Readonly<Record<string, string>> = {},
): Outcome {
  if (text.trim() === '' || isComment(text)) return { configuration, faults: [], kind: 'nothing', command: undefined }
  const result = parseCommand(expandAlias(configuration, text), placeholderValues(values))
  if (result.kind === 'faults') {
    const faults = result.faults.map(fault => ({ line: 1, severity: 'error' as const, text: fault }))
    return { configuration, faults, kind: 'refused', command: undefined }
  }
  const draft = draftOf(configuration)
  const { kind, faults } = carryOut(draft, result.command, 1)
  const changed = kind === 'acted' || kind === 'held' || kind === 'inert'
  return { configuration: changed ? draft : configuration, faults, kind, command: result.command }
}

/** The text with its first word replaced where that is an alias. An alias is not looked for in what it stands for. */
export function expandAlias(configuration: Pick<Configuration, 'aliases'>, text: string): string {
  const start = text.trimStart()
  const word = firstWord(start)
  const alias = configuration.aliases.find(a => sameName(a.name, word))
  return alias ? alias.string + start.slice(word.length) : text
}

/** Carries a command out on the draft, which is unchanged where the outcome is `refused`. */
export function carryOut(
  draft: Draft,
  command: Command,
  line: number,
): { readonly kind: OutcomeKind; readonly faults: readonly Fault[] } {
  if (command.entry.effect === 'operate') return { kind: 'operation', faults: [] }
  if (command.placeholders.length > 0) {
    keepInert(draft, command, line, command.placeholders)
    return { kind: 'inert', faults: [] }
  }

  const faults: Fault[] = []
  let maker: InertCommand | undefined
  const report: Report = {
    line,
    error: text => faults.push({ line, severity: 'error', text: `${heading(command)}: ${text}` }),
    warn: text => faults.push({ line, severity: 'warning', text: `${heading(command)}: ${text}` }),
    missing: (kind, identity) => {
      maker = inertMaker(draft, kind, String(identity))
      if (maker === undefined) report.error(`${kind} "${identity}" does not exist`)
    },
  }
  if (command.entry.effect === 'hold') holdCommand(draft, command, report)
  else command.entry.apply(draft, command.of, positioned(draft, command), report)

  if (faults.some(fault => fault.severity === 'error')) return { kind: 'refused', faults }
  if (maker !== undefined) {
    // What it is about waits for placeholders itself: so does this, or both go.
    if (isRemoval(command)) dropInert(draft, command)
    else keepInert(draft, command, line, maker.placeholders)
    return { kind: 'inert', faults }
  }
  dropSuperseded(draft, command)
  if (command.entry.effect === 'hold') return { kind: 'held', faults }
  if (isRemoval(command)) dropHeld(draft, command)
  for (const parameter of command.parameters) if (parameter.held) holdParameter(draft, command, parameter, line)
  return { kind: 'acted', faults }
}

function heading(command: Command): string {
  return [command.verb, ...command.object].join(' ').toUpperCase()
}

function isRemoval(command: Command): boolean {
  return command.verb === 'delete' || command.verb === 'destroy'
}

function isMaking(command: Command): boolean {
  return command.verb === 'add' || command.verb === 'create'
}

// --- Inert commands: what they would make is there for those that refer to it.

const parsedInert = new WeakMap<{ readonly text: string }, Command | null>()

/** The command of a held or inert text; null where it is none any more. */
function reread(kept: { readonly text: string }): Command | null {
  let command = parsedInert.get(kept)
  if (command === undefined) {
    const result = parseCommand(kept.text)
    command = result.kind === 'command' ? result.command : null
    parsedInert.set(kept, command)
  }
  return command
}

export function identityOf(command: Command): string {
  const { of, value } = command
  // A name that is itself a placeholder still tells its object from others.
  return of === undefined && value !== undefined ? value.toLowerCase() : command.entry.identity(of, command.args)
}

function sameObject(a: Command, b: Command): boolean {
  return a.entry.kind !== undefined && a.entry.kind === b.entry.kind && identityOf(a) === identityOf(b)
}

/** The inert command that would make the object. */
export function inertMaker(
  configuration: Pick<Configuration, 'inert'>,
  kind: Kind,
  identity: string,
): InertCommand | undefined {
  return configuration.inert.find(inert => {
    const command = reread(inert)
    return (
      command !== null &&
      isMaking(command) &&
      command.entry.kind === kind &&
      identityOf(command) === identity.toLowerCase()
    )
  })
}

function keepInert(draft: Draft, command: Command, line: number, placeholders: readonly string[]): void {
  dropSuperseded(draft, command)
  const typed = command.typed.trim()
  // Quoted text keeps its spaces; elsewhere the traces of wrapped lines go.
  let text = typed.includes('"')
    ? typed
    : typed.replace(/\s+/g, ' ').replace(/<[^<>=]+>/g, blank => blank.replace(/(\w)- /g, '$1-'))
  if (takesPosition(command)) text += ` position=${freePosition(draft, command)}`
  draft.inert.push({ line, text, placeholders: [...placeholders] })
}

function dropInert(draft: Draft, command: Command): void {
  draft.inert = draft.inert.filter(inert => {
    const other = reread(inert)
    return other === null || !sameObject(other, command)
  })
}

/** A command carried out takes the place of an inert one that says the same with placeholders. */
function dropSuperseded(draft: Draft, command: Command): void {
  if (draft.inert.length === 0) return
  const names = new Set(command.parameters.map(p => p.name))
  draft.inert = draft.inert.filter(inert => {
    const other = reread(inert)
    if (other === null || other.entry !== command.entry || identityOf(other) !== identityOf(command)) return true
    return !(isMaking(command) && command.entry.kind !== undefined) && !other.parameters.every(p => names.has(p.name))
  })
}

// --- Positions: a policy that waits keeps its place among the others, since the first match wins.

function takesPosition(command: Command): boolean {
  return (
    command.verb === 'create' &&
    command.entry.kind === 'IPsec policy' &&
    !command.parameters.some(p => p.name === 'position')
  )
}

function freePosition(draft: Draft, command: Command): number {
  const on = command.args['interface']
  if (typeof on !== 'string') return 1
  let next = nextPosition(draft.ipsec.policies, on)
  for (const inert of draft.inert) {
    const other = reread(inert)
    if (other?.verb !== 'create' || other.entry.kind !== 'IPsec policy' || other.args['interface'] !== on) continue
    const position = other.args['position']
    if (typeof position === 'number' && position >= next) next = position + 1
  }
  return next
}

function positioned(draft: Draft, command: Command): Readonly<Record<string, unknown>> {
  return takesPosition(command) ? { ...command.args, position: freePosition(draft, command) } : command.args
}

// --- Held commands.

function holdCommand(draft: Draft, command: Command, report: Report): void {
  const text = commandText(command)
  const kept = draft.held.map(held => ({ held, command: reread(held) }))
  const same = kept.filter(k => k.command !== null && sameObject(k.command, command))
  const { kind } = command.entry
  if (kind !== undefined && isMaking(command)) {
    if (same.length > 0) return report.error(`${kind} "${command.value}" exists already`)
  } else if (kind !== undefined && same.length === 0) {
    return report.missing(kind, identityOf(command))
  }
  if (kind !== undefined && isRemoval(command)) {
    draft.held = draft.held.filter(held => !same.some(k => k.held === held))
    return
  }
  draft.held = kept.filter(k => k.command === null || !replaces(command, k.command)).map(k => k.held)
  draft.held.push({ line: report.line, text, section: command.entry.section })
}

/** Whether a held command says nothing any more once the new one stands. */
function replaces(now: Command, before: Command): boolean {
  if (commandText(now) === commandText(before)) return true
  const rest = (c: Command) => objectText(c, '')
  if (rest(now).toLowerCase() !== rest(before).toLowerCase()) return false
  const switches = ['enable', 'disable']
  if (switches.includes(now.verb) && switches.includes(before.verb))
    return !now.entry.free || commandText(now).slice(now.verb.length) === commandText(before).slice(before.verb.length)
  if (now.verb !== 'set' || before.verb !== 'set' || now.entry.free) return false
  return before.parameters.every(p => now.parameters.some(q => q.name === p.name))
}

/** A parameter without effect, as a SET of its own. */
function holdParameter(draft: Draft, command: Command, parameter: Parameter, line: number): void {
  const object = objectText(command, 'set')
  const prefix = `${object} ${parameter.name}=`.toLowerCase()
  draft.held = draft.held.filter(held => !held.text.toLowerCase().startsWith(prefix))
  draft.held.push({ line, text: `${object} ${parameterText(parameter)}`, section: command.entry.section })
}

/** What was held about an object that is gone. */
function dropHeld(draft: Draft, command: Command): void {
  const prefix = `${objectText(command, 'set')} `.toLowerCase()
  const whole = command.parameters.length === 0
  if (whole) draft.held = draft.held.filter(held => !held.text.toLowerCase().startsWith(prefix))
}
