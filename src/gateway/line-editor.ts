/**
 * Line editing on a terminal, as a machine: what is typed goes in, what the terminal must show comes out, and lines that were
 * entered. It knows nothing of sockets; the local terminal and SSH have the same one.
 *
 * Keys: arrows, Home, End, Delete, Backspace, Ctrl-A and Ctrl-E (ends of the line), Ctrl-B and Ctrl-F or up and down (recall),
 * Ctrl-P (recall what begins as typed), Ctrl-K, Ctrl-U, Ctrl-W, Ctrl-L, Ctrl-V (the next key as it is), Tab, `?`.
 */

export type EditorEvent =
  | { readonly kind: 'line'; readonly text: string }
  /** `?` where it is no part of a value. */
  | { readonly kind: 'help' }
  | { readonly kind: 'complete' }
  /** Ctrl-C: the line was given up. */
  | { readonly kind: 'interrupt' }
  /** Ctrl-D on an empty line. */
  | { readonly kind: 'end' }

const HISTORY = 100
const LONGEST_LINE = 4096
const BELL = '\x07'
const ESCAPE = '\x1b'
/** Behind ESC: `[` or `O`, numbers, and a letter or `~`; and the beginning of that. */
const SEQUENCE = /^[[O]([\d;]*)([A-Za-z~])/
const OPEN_SEQUENCE = /^(?:[[O][\d;]{0,16})?$/

const moves: Readonly<Record<string, string>> = {
  A: 'older',
  B: 'newer',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '7~': 'home',
  '4~': 'end',
  '8~': 'end',
  '3~': 'delete',
}

const controls: Readonly<Record<string, string>> = {
  '\x01': 'home',
  '\x02': 'older',
  '\x05': 'end',
  '\x06': 'newer',
  '\x08': 'backspace',
  '\x0b': 'cutEnd',
  '\x0c': 'redraw',
  '\x10': 'match',
  '\x15': 'cutAll',
  '\x16': 'literal',
  '\x17': 'cutWord',
  '\x7f': 'backspace',
}

export class LineEditor {
  columns: number
  private readonly write: (text: string) => void
  private prompt = ''
  private secret = false
  private chars: string[] = []
  private cursor = 0
  /** The first character that is seen, where the line is longer than the row. */
  private left = 0
  private history: string[] = []
  /** Where in the history we are; its length is the line that is being typed. */
  private recalled = 0
  private draft = ''
  private literal = false
  private afterReturn = false
  private pending = ''

  constructor(columns: number, write: (text: string) => void) {
    this.columns = columns
    this.write = write
  }

  /** Shows a prompt with an empty line. A secret line is not echoed and not remembered. */
  start(prompt: string, secret = false): void {
    this.prompt = prompt
    this.secret = secret
    this.set('')
    this.recalled = this.history.length
    this.draft = ''
    this.draw()
  }

  forget(): void {
    this.history = []
    this.recalled = 0
  }

  /** What was typed before the cursor. */
  get beforeCursor(): string {
    return this.chars.slice(0, this.cursor).join('')
  }

  /** Takes away the line from the screen, for something else to be printed; `draw` brings it back. */
  erase(): void {
    this.write('\r\x1b[K')
  }

  /** Takes keys until one is an event; the rest of them is handed back, since it may not be for this line. */
  keys(text: string): { readonly event: EditorEvent | undefined; readonly rest: string } {
    let rest = this.pending + text
    this.pending = ''
    while (rest !== '') {
      if (rest.startsWith(ESCAPE) && !this.literal) {
        const behind = rest.slice(1)
        if (OPEN_SEQUENCE.test(behind)) {
          this.pending = rest
          return { event: undefined, rest: '' }
        }
        const sequence = SEQUENCE.exec(behind)
        if (sequence) {
          const [whole, numbers, letter] = sequence
          rest = behind.slice(whole.length)
          this.act(moves[letter === '~' ? `${numbers}~` : letter!])
          continue
        }
      }
      const key = String.fromCodePoint(rest.codePointAt(0)!)
      rest = rest.slice(key.length)
      const event = this.key(key)
      if (event) return { event, rest }
    }
    return { event: undefined, rest: '' }
  }

  /** Puts text in at the cursor. */
  insert(text: string): void {
    const added = [...text]
    if (this.chars.length + added.length > LONGEST_LINE) {
      this.write(BELL)
      return
    }
    const atEnd = this.cursor === this.chars.length
    this.chars.splice(this.cursor, 0, ...added)
    this.cursor += added.length
    if (this.secret) return
    if (atEnd && width(this.prompt) + width(this.chars.slice(this.left).join('')) < this.columns) this.write(text)
    else this.draw()
  }

  draw(): void {
    const room = Math.max(8, this.columns - 1 - width(this.prompt))
    if (this.cursor < this.left) this.left = this.cursor
    while (width(this.chars.slice(this.left, this.cursor).join('')) > room) this.left++
    let end = this.left
    let used = 0
    while (!this.secret && end < this.chars.length && used + width(this.chars[end]!) <= room)
      used += width(this.chars[end++]!)
    const shown = this.chars.slice(this.left, end).join('')
    const back = width(this.chars.slice(this.cursor, end).join(''))
    this.write(`\r${this.prompt}${shown}\x1b[K${!this.secret && back > 0 ? `\x1b[${back}D` : ''}`)
  }

  private key(key: string): EditorEvent | undefined {
    const afterReturn = this.afterReturn
    this.afterReturn = false
    if (this.literal) {
      this.literal = false
      if (key >= ' ' && key !== '\x7f') this.insert(key)
      return undefined
    }
    if (key === '\n' && afterReturn) return undefined
    if (key === '\r' || key === '\n') {
      this.afterReturn = key === '\r'
      return this.enter()
    }
    if (key === '\x03') {
      this.write('\r\n')
      this.set('')
      return { kind: 'interrupt' }
    }
    if (key === '\x04') {
      if (this.chars.length === 0) return { kind: 'end' }
      this.act('delete')
    } else if (this.secret && (key === '\t' || key === '?')) {
      if (key === '?') this.insert(key)
    } else if (key === '\t') return { kind: 'complete' }
    else if (key === '?' && this.asksForHelp()) return { kind: 'help' }
    else if (key in controls) this.act(controls[key])
    else if (key >= ' ' && !/\p{Cc}/u.test(key)) this.insert(key)
    return undefined
  }

  /** Not inside quotes, nor in a comment. */
  private asksForHelp(): boolean {
    const text = this.beforeCursor
    return (text.match(/"/g) ?? []).length % 2 === 0 && !/^\s*\*?#/.test(text)
  }

  private enter(): EditorEvent {
    const text = this.chars.join('')
    if (!this.secret) {
      if (this.cursor < this.chars.length || this.left > 0) {
        this.cursor = this.chars.length
        this.draw()
      }
      if (text.trim() !== '' && text !== this.history.at(-1)) this.history.push(text)
      if (this.history.length > HISTORY) this.history.shift()
    }
    this.write('\r\n')
    this.set('')
    return { kind: 'line', text }
  }

  private act(action: string | undefined): void {
    switch (action) {
      case 'left':
        if (this.cursor > 0) this.cursor--
        break
      case 'right':
        if (this.cursor < this.chars.length) this.cursor++
        break
      case 'home':
        this.cursor = 0
        break
      case 'end':
        this.cursor = this.chars.length
        break
      case 'backspace':
        if (this.cursor > 0) this.chars.splice(--this.cursor, 1)
        break
      case 'delete':
        this.chars.splice(this.cursor, 1)
        break
      case 'cutEnd':
        this.chars.length = this.cursor
        break
      case 'cutAll':
        this.chars.splice(0, this.cursor)
        this.cursor = 0
        break
      case 'cutWord':
        this.cutWord()
        break
      case 'older':
        this.recall(this.recalled - 1)
        break
      case 'newer':
        this.recall(this.recalled + 1)
        break
      case 'match':
        this.recallMatching()
        break
      case 'literal':
        this.literal = true
        return
      case 'redraw':
        this.write('\x1b[H\x1b[2J')
        break
      default:
        return
    }
    this.draw()
  }

  private cutWord(): void {
    let start = this.cursor
    while (start > 0 && this.chars[start - 1] === ' ') start--
    while (start > 0 && this.chars[start - 1] !== ' ') start--
    this.chars.splice(start, this.cursor - start)
    this.cursor = start
  }

  private recall(index: number): void {
    if (this.secret || index < 0 || index > this.history.length) return
    if (this.recalled === this.history.length) this.draft = this.chars.join('')
    this.recalled = index
    this.set(this.history[index] ?? this.draft)
  }

  /** The latest line that begins with what stands before the cursor; again: the one before it. */
  private recallMatching(): void {
    const start = this.beforeCursor.toLowerCase()
    const { cursor } = this
    for (let i = this.recalled - 1; i >= 0; i--) {
      if (!this.history[i]!.toLowerCase().startsWith(start)) continue
      this.recall(i)
      this.cursor = cursor
      return
    }
    this.write(BELL)
  }

  private set(text: string): void {
    this.chars = [...text]
    this.cursor = this.chars.length
    this.left = 0
  }
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** Columns that the text takes. */
export function width(text: string): number {
  let columns = 0
  for (const char of text) columns += /\p{M}|\u200d/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return columns
}
