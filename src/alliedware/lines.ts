/**
 * Physical lines to commands. The router takes one line for one command; scripts copied from a document come with their
 * long lines wrapped, and those are put together again here.
 *
 * The rule, within a run of lines without a blank one between:
 * 1. a line whose first word is a verb (or an alias), and a line that begins with `#` or `*#`, starts anew;
 * 2. any other line continues the one before it, command or comment, with one space between;
 * 3. a line that closes the quote or the placeholder left open before it continues it, whatever its first word.
 * A blank line, or a document's fence, ends the run.
 */

import { tokenize } from './token.ts'

export interface LogicalLine {
  /** Where it began, from 1. */
  readonly line: number
  readonly text: string
}

export interface JoinedLines {
  readonly commands: readonly LogicalLine[]
  /** Lines taken as the rest of a comment although they look like a command with a mistyped verb. */
  readonly suspects: readonly number[]
}

/** Longer than any command can be: such a line is not continued. */
const LONGEST_COMMAND = 4096

/** Joins the lines of a script; `startsCommand` says whether a first word is a verb or an alias. */
export function joinLines(script: string, startsCommand: (word: string) => boolean): JoinedLines {
  const commands: LogicalLine[] = []
  const suspects: number[] = []
  let command: { line: number; text: string } | undefined
  let inComment = false

  const end = () => {
    if (command) commands.push(command)
    command = undefined
    inComment = false
  }

  const physical = script.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  for (const [index, raw] of physical.entries()) {
    const line = index + 1
    const text = raw.trim()
    if (text === '' || isFence(text)) {
      end()
    } else if (isComment(text)) {
      end()
      inComment = true
    } else if (command && command.text.length < LONGEST_COMMAND && closes(command.text, text)) {
      command.text = join(command.text, text)
    } else if (startsCommand(firstWord(text))) {
      end()
      command = { line, text }
    } else if (inComment) {
      if (/^[a-z]+\s+([a-z]+\s+)?[a-z]+=\S/i.test(text)) suspects.push(line)
    } else if (command && command.text.length < LONGEST_COMMAND) {
      command.text = join(command.text, text)
    } else {
      end()
      command = { line, text }
    }
  }
  end()
  return { commands, suspects }
}

export function isComment(text: string): boolean {
  return /^\s*\*?#/.test(text)
}

export function firstWord(text: string): string {
  return /^\S*/.exec(text.trimStart())![0]
}

function isFence(text: string): boolean {
  return /^(```|~~~)/.test(text)
}

/** Whether `next` holds the end of what `text` left open. */
function closes(text: string, next: string): boolean {
  if (!/["<]/.test(text)) return false
  const open = tokenize(text).unclosed
  if (open === undefined) return false
  return open === '"' ? next.includes('"') : /^[^<"=]*>/.test(next)
}

/** One space between; none where the break fell behind the hyphen of a word inside a placeholder. */
function join(text: string, next: string): string {
  return /<[^>]*\w-$/.test(text) ? text + next : `${text} ${next}`
}
