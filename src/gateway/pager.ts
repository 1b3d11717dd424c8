/** Long output a page at a time: `--More--`, as the router asks. */

import { width } from './line-editor.ts'

export const MORE = '--More--  (<space> = next page, <CR> = one line, C = continuous, Q = quit)'

export class Pager {
  private readonly write: (text: string) => void
  private rows: string[] = []

  constructor(write: (text: string) => void) {
    this.write = write
  }

  /** Prints as much as a page holds: `height` rows with the question in the last of them; 0 is no end. */
  start(text: string, columns: number, height: number): void {
    this.rows = text
      .replace(/\n$/, '')
      .split(/\r?\n/)
      .flatMap(line => broken(line, columns))
    this.page(height === 0 ? Number.POSITIVE_INFINITY : Math.max(1, height - 1))
  }

  /** More is to come: keys are for us. */
  get waits(): boolean {
    return this.rows.length > 0
  }

  /** One key of an answer. */
  key(key: string, height: number): void {
    const lower = key.toLowerCase()
    let count: number
    if (key === ' ') count = Math.max(1, height - 1)
    else if (key === '\r' || key === '\n') count = 1
    else if (lower === 'c') count = Number.POSITIVE_INFINITY
    else if (lower === 'q' || key === '\x03') count = 0
    else return
    this.write('\r\x1b[K')
    if (count === 0) this.rows = []
    this.page(count)
  }

  private page(count: number): void {
    const shown = this.rows.splice(0, Math.min(count, this.rows.length))
    // The last row alone in place of the question about it.
    if (this.rows.length === 1 && count > 1) shown.push(...this.rows.splice(0))
    this.write(shown.map(row => `${row}\r\n`).join(''))
    if (this.rows.length > 0) this.write(MORE)
  }
}

/** A line as rows of the screen, broken where the terminal would break it. */
function broken(line: string, columns: number): string[] {
  const rows: string[] = []
  let row = ''
  let used = 0
  for (const char of line) {
    const wide = width(char)
    if (used + wide > columns) {
      rows.push(row)
      row = ''
      used = 0
    }
    row += char
    used += wide
  }
  return [...rows, row]
}
