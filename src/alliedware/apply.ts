/** Carries commands out on a configuration: one at the prompt, or one after another from a script. */

import type { Configuration, Fault, InertCommand } from './config.ts'
import { type Draft, draftOf, sameName } from './draft.ts'
import type { FileReader, Report } from './grammar.ts'
import { dropHeld, holdCommand, holdParameter } from './held.ts'
import { dropInert, dropSuperseded, inertMaker, keepInert, positioned } from './inert.ts'
import { isRemoval } from './kept.ts'
import { firstWord, isComment } from './lines.ts'
import { type Command, parseCommand } from './parse.ts'
import { placeholderValues } from './token.ts'

const noFiles: FileReader = () => undefined

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
 * `values` fills placeholders, by their names; `files` reads files of flash.
 */
export function applyCommand(
  configuration: Configuration,
  text: string,
  values: Readonly<Record<string, string>> = {},
  files: FileReader = noFiles,
): Outcome {
  if (text.trim() === '' || isComment(text)) return { configuration, faults: [], kind: 'nothing', command: undefined }
  const result = parseCommand(expandAlias(configuration, text), placeholderValues(values))
  if (result.kind === 'faults') {
    const faults = result.faults.map(fault => ({ line: 1, severity: 'error' as const, text: fault }))
    return { configuration, faults, kind: 'refused', command: undefined }
  }
  const draft = draftOf(configuration)
  const { kind, faults } = carryOut(draft, result.command, 1, files)
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
  files: FileReader = noFiles,
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
    file: name => files(name),
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
