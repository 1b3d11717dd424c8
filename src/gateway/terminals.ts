/** Everyone who has a prompt now: local terminals and SSH. One clock for all of them, and a place to tell them things. */

import type { AdminAnswer } from './caller.ts'
import type { Operator } from './operator.ts'
import { Prompt, type PromptWorld } from './prompt.ts'

/** The terminal's own end: what it shows, and how it is let go. */
export interface Wire {
  write(text: string): void
  close(): void
}

/** Our end, for whoever carries the keys. */
export interface TerminalEnd {
  keys(text: string): void
  resize(columns: number, rows: number): void
  hungUp(): void
}

export type PromptSurroundings = Pick<
  PromptWorld,
  'access' | 'configuration' | 'helpFile' | 'names' | 'now' | 'understood'
> & {
  readonly perform: (operator: Operator, text: string, own?: boolean) => Promise<AdminAnswer>
}

/** Terminals at a time; more are refused. */
const MOST = 64
const TICK_MILLIS = 1000

export class Terminals {
  private readonly surroundings: PromptSurroundings
  private readonly open = new Map<Prompt, { readonly operator: Operator; readonly wire: Wire }>()
  private timer: NodeJS.Timeout | undefined
  private lastNumber = 0

  constructor(surroundings: PromptSurroundings) {
    this.surroundings = surroundings
  }

  /** A prompt on a terminal; undefined, and the terminal let go with a word, where there are too many. */
  start(operator: Operator, wire: Wire, columns: number, rows: number): TerminalEnd | undefined {
    if (this.open.size >= MOST) {
      wire.write('Too many terminals are open.\r\n')
      wire.close()
      return undefined
    }
    operator.terminal = ++this.lastNumber
    const late: { prompt?: Prompt } = {}
    const { perform, ...rest } = this.surroundings
    const prompt = new Prompt(
      {
        ...rest,
        operator,
        perform: (text, own) => perform(operator, text, own),
        write: text => wire.write(text),
        close: () => {
          if (late.prompt) this.forget(late.prompt)
          wire.close()
        },
      },
      columnsOf(columns),
      rowsOf(rows),
    )
    late.prompt = prompt
    this.open.set(prompt, { operator, wire })
    this.timer ??= setInterval(() => {
      for (const p of [...this.open.keys()]) p.tick()
    }, TICK_MILLIS)
    return {
      keys: text => prompt.keys(text),
      resize: (c, r) => prompt.resize(columnsOf(c), rowsOf(r)),
      hungUp: () => this.forget(prompt),
    }
  }

  operators(): Operator[] {
    return [...this.open.values()].map(t => t.operator).filter(o => o.privilege !== undefined)
  }

  /** Tells everybody who is logged in as more than a user. */
  announce(text: string): void {
    for (const [prompt, { operator }] of this.open) {
      if (operator.privilege !== undefined && operator.privilege !== 'user') prompt.print(text)
    }
  }

  /** Prints on one terminal; false where it is gone. */
  tell(terminal: number, text: string): boolean {
    for (const [prompt, { operator }] of this.open) {
      if (operator.terminal !== terminal) continue
      prompt.print(text)
      return true
    }
    return false
  }

  /** Lets the terminals go of those operators whom `which` names. */
  close(which: (operator: Operator) => boolean): void {
    for (const [prompt, { operator, wire }] of [...this.open]) {
      if (!which(operator)) continue
      this.forget(prompt)
      wire.close()
    }
  }

  private forget(prompt: Prompt): void {
    this.open.delete(prompt)
    if (this.open.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}

/** Terminals tell 0 where they do not know. */
function columnsOf(columns: number): number {
  return columns >= 20 && columns <= 1000 ? Math.floor(columns) : 80
}

function rowsOf(rows: number): number {
  return rows >= 3 && rows <= 1000 ? Math.floor(rows) : 24
}
