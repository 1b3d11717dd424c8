/** A script to a configuration, with all that is wrong with it. */

import { carryOut, expandAlias } from './apply.ts'
import type { Fault, ScriptResult } from './config.ts'
import { draftOf, emptyConfiguration } from './draft.ts'
import type { FileReader } from './grammar.ts'
import { resolveVerb } from './keyword.ts'
import { joinLines, type LogicalLine } from './lines.ts'
import { parseCommand } from './parse.ts'
import { checkReferences, Origins } from './references.ts'
import { placeholderValues } from './token.ts'

export interface ScriptOptions {
  /** What placeholders stand for, by their text without angle brackets; case and spacing do not matter. */
  readonly values: Readonly<Record<string, string>>
  /** ENCO keys that the key store holds: a policy may name them without a warning. */
  readonly keys?: readonly number[]
  /** Reads files of flash that lists are in; absent: there are none. */
  readonly files?: FileReader
}

/** Of a line that a comment has swallowed. */
export const SUSPECT = 'taken as the rest of the comment above it: a command begins with a verb'

/**
 * Reads a whole script, from an empty configuration. Never throws: every fault is collected with its line, and a command
 * with a fault has no effect. Texts of faults hold no secrets.
 */
export function readScript(text: string, options: ScriptOptions): ScriptResult {
  const values = placeholderValues(options.values)
  const aliases = aliasNames(text)
  const { commands, suspects } = joinLines(
    text,
    word => resolveVerb(word) !== undefined || aliases.has(word.toLowerCase()),
  )
  const draft = draftOf(emptyConfiguration)
  const origins = new Origins()
  const faults: Fault[] = suspects.map(line => ({ line, severity: 'warning', text: SUSPECT }))
  const faultsOf = (text: string) => {
    const result = parseCommand(expandAlias(draft, text), values)
    return result.kind === 'faults' ? result.faults.length : 0
  }
  for (const { line, text } of commands.flatMap(c => separated(c, faultsOf))) {
    const result = parseCommand(expandAlias(draft, text), values)
    if (result.kind === 'faults') {
      for (const fault of result.faults) faults.push({ line, severity: 'error', text: fault })
      continue
    }
    const outcome = carryOut(draft, result.command, line, options.files)
    faults.push(...outcome.faults)
    if (outcome.kind === 'operation')
      faults.push({ line, severity: 'warning', text: 'a command for the prompt: it does nothing in a script' })
    else origins.note(result.command, line)
  }
  faults.push(...checkReferences(draft, origins, options.keys ?? []))
  faults.sort((a, b) => a.line - b.line)
  return { configuration: draft, faults }
}

/** A line with which a command has more wrong with it than without is a command of its own. */
export function separated(joined: LogicalLine, wrong: (text: string) => number): { line: number; text: string }[] {
  if (joined.doubts.length === 0) return [joined]
  const all = wrong(joined.text)
  const split = joined.doubts.find(d => wrong(d.before) < all)
  return split
    ? [
        { line: joined.line, text: split.before },
        { line: split.line, text: split.rest },
      ]
    : [joined]
}

/** The names that the script makes aliases of: a line may begin with them, too. */
export function aliasNames(text: string): ReadonlySet<string> {
  const names = text.matchAll(/^\s*add\s+ali\w*="?([^\s"]+)/gim)
  return new Set([...names].map(match => match[1]!.toLowerCase()))
}

/** A fault as it is printed: `line 12: CREATE ...`. */
export function formatFault(fault: Fault): string {
  return `line ${fault.line}: ${fault.severity === 'warning' ? 'warning: ' : ''}${fault.text}`
}
