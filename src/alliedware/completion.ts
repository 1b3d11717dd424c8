/** Completion of the keyword (or of the enumerated value) at the end of what is typed, by the same table as the parser. */

import { expected, type Option } from './help.ts'
import { type Names, noNames } from './names.ts'

export interface Completion {
  /** What to put in at the cursor; empty where there is nothing to add. */
  readonly insert: string
  /** Still more than one word fits, or none that is known: the operator wants to see what may follow. */
  readonly ambiguous: boolean
}

/** Completes `line`, which ends where the cursor stands; `aliases` are words that may begin it, too. */
export function complete(line: string, aliases: readonly string[] = [], names: Names = noNames): Completion {
  const { typed, options, value } = expected(line, names)
  const alone = /^\s*\S*$/.test(line) ? aliases.filter(a => a.toLowerCase().startsWith(typed.toLowerCase())) : []
  const words: Option[] = [
    ...options,
    ...alone.map(name => ({ name: name.toLowerCase(), minimum: name.length, value: 'none' as const })),
  ]
  const [only, ...others] = words
  if (only === undefined) return { insert: '', ambiguous: true }
  if (others.length > 0) {
    const rest = commonStart(words.map(textOf)).slice(typed.length)
    return { insert: words.some(w => w.literal) ? rest : like(typed, rest), ambiguous: rest === '' }
  }
  // Where the next key may be `=`, or a comma behind a value, it is the operator's.
  const after = only.value === 'required' ? '=' : only.value === 'none' && value === undefined ? ' ' : ''
  const rest = textOf(only).slice(typed.length)
  return { insert: (only.literal === undefined ? like(typed, rest) : rest) + after, ambiguous: false }
}

/** What is to be typed: names keep their case. */
const textOf = (option: Option) => option.literal ?? option.name

function commonStart(names: readonly string[]): string {
  let start = names[0] ?? ''
  for (const name of names) while (!name.toLowerCase().startsWith(start.toLowerCase())) start = start.slice(0, -1)
  return start
}

/** Goes on in capitals where the operator types capitals. */
function like(typed: string, rest: string): string {
  return /[A-Z]/.test(typed) && !/[a-z]/.test(typed) ? rest.toUpperCase() : rest
}
