/**
 * Physical lines to commands. The router takes one line for one command; scripts copied from a document come with their
 * long lines wrapped, and those are put together again here.
 *
 * The rule, within a run of lines without a blank one between:
 * 1. a line whose first word is a verb (or an alias), and a line that begins with `#` or `*#`, starts anew;
 * 2. a line that closes the quote or the placeholder left open before it continues it, whatever its first word;
 * 3. a line that begins with `parameter=` continues the command before it;
 * 4. any other line continues the comment before it;
 * 5. and it continues the command before it where a page's width explains the break: its first word would have made the
 *    line before too long. Otherwise it stands alone, so that a mistyped verb is told by its own line.
 * A blank line, or a fence or rule of the document, ends the run.
 */

import { tokenize } from './token.ts'

export interface LogicalLine {
  /** Where it began, from 1. */
  readonly line: number
  readonly text: string
  /**
   * Where by rule 5, or by rule 2 against rule 1, another line was joined, in case the whole makes no sense: the text up to
   * there, and the rest.
   */
  readonly doubts: readonly { readonly before: string; readonly line: number; readonly rest: string }[]
}

export interface JoinedLines {
  readonly commands: readonly LogicalLine[]
  /** Lines taken as the rest of a comment although they look like a command with a mistyped verb. */
  readonly suspects: readonly number[]
}

/** The narrowest page that is taken for the reason of a break, in characters. */
const NARROWEST_PAGE = 60
/** Longer than any command can be: such a line is not continued. */
const LONGEST_COMMAND = 4096

/** Joins the lines of a script; `startsCommand` says whether a first word is a verb or an alias. */
export function joinLines(script: string, startsCommand: (word: string) => boolean): JoinedLines {
  const joiner = new LineJoiner(startsCommand)
  const commands = script
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .flatMap(raw => joiner.push(raw))
  return { commands: [...commands, ...joiner.end()], suspects: joiner.suspects }
}

/** The same for lines that come one after another. */
export class LineJoiner {
  readonly suspects: number[] = []
  private readonly startsCommand: (word: string) => boolean
  private command: Joining | undefined
  private inComment = false
  private before = ''
  private line = 0

  constructor(startsCommand: (word: string) => boolean) {
    this.startsCommand = startsCommand
  }

  /** A command waits for the next line, which may continue it. */
  get waits(): boolean {
    return this.command !== undefined
  }

  /** Takes the next line; answers the command that ends before it. */
  push(raw: string): LogicalLine[] {
    this.line++
    const { line, command } = this
    const text = raw.trim()
    const wrapped = this.before.length + 1 + firstWord(text).length > NARROWEST_PAGE
    this.before = raw.trimEnd()
    const open = command !== undefined && command.text.length < LONGEST_COMMAND ? command : undefined
    if (text === '' || isFence(text)) return this.end()
    if (isComment(text)) {
      const ended = this.end()
      this.inComment = true
      return ended
    }
    if (open && closes(open.text, text)) {
      if (this.startsCommand(firstWord(text))) open.doubts.push({ length: open.text.length, line })
      open.text = join(open.text, text)
    } else if (this.startsCommand(firstWord(text))) return this.begin(line, text)
    else if (this.inComment) {
      if (!wrapped || /^[a-z]+\s+([a-z]+\s+)?[a-z]+=\S/i.test(text)) this.suspects.push(line)
    } else if (open && /^[a-z]+=/i.test(text)) open.text = join(open.text, text)
    else if (open && wrapped) {
      open.doubts.push({ length: open.text.length, line })
      open.text = join(open.text, text)
    } else return this.begin(line, text)
    return []
  }

  /** The command that was left; what follows begins anew. */
  end(): LogicalLine[] {
    const { command } = this
    this.command = undefined
    this.inComment = false
    return command ? [logicalLine(command)] : []
  }

  private begin(line: number, text: string): LogicalLine[] {
    const ended = this.end()
    this.command = { line, text, doubts: [] }
    return ended
  }
}

interface Joining {
  readonly line: number
  text: string
  readonly doubts: { readonly length: number; readonly line: number }[]
}

function logicalLine({ line, text, doubts }: Joining): LogicalLine {
  return {
    line,
    text,
    doubts: doubts.map(d => ({
      before: text.slice(0, d.length),
      line: d.line,
      rest: text.slice(d.length).trimStart(),
    })),
  }
}

export function isComment(text: string): boolean {
  return /^\s*\*?#/.test(text)
}

export function firstWord(text: string): string {
  return /^\S*/.exec(text.trimStart())![0]
}

function isFence(text: string): boolean {
  return /^(```|~~~|-{3,}$)/.test(text)
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
