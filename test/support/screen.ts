/** A terminal's screen, as much of it as our output uses: what a person would see after these bytes. */

import { width } from '../../src/gateway/line-editor.ts'

export class Screen {
  column = 0
  bells = 0
  private readonly columns: number
  private rowIndex = 0
  private rows: string[][] = [[]]

  constructor(columns: number, _rows: number) {
    this.columns = columns
  }

  write(text: string): void {
    for (let at = 0; at < text.length; ) {
      const sequence = text[at] === '\x1b' ? /^\[(\d*)([A-Za-z])/.exec(text.slice(at + 1)) : null
      if (sequence) {
        this.control(sequence[2]!, sequence[1] === '' ? undefined : Number(sequence[1]))
        at += 1 + sequence[0].length
        continue
      }
      const char = String.fromCodePoint(text.codePointAt(at)!)
      at += char.length
      this.put(char)
    }
  }

  /** The row the cursor is in. */
  line(): string {
    return this.rows[this.rowIndex]!.join('').trimEnd()
  }

  /** The cursor's row, up to a column. */
  row(columns: number): string {
    return this.rows[this.rowIndex]!.slice(0, columns).join('')
  }

  get height(): number {
    return this.rows.length
  }

  text(): string {
    return this.rows
      .map(row => row.join('').trimEnd())
      .join('\n')
      .trimEnd()
  }

  private put(char: string): void {
    if (char === '\r') this.column = 0
    else if (char === '\n') {
      this.rowIndex++
      this.rows[this.rowIndex] ??= []
    } else if (char === '\x07') this.bells++
    else if (char < ' ') throw new Error(`the screen was sent ${JSON.stringify(char)}`)
    else this.print(char)
  }

  private print(char: string): void {
    const wide = width(char)
    if (this.column + wide > this.columns) {
      this.column = 0
      this.put('\n')
    }
    const row = this.rows[this.rowIndex]!
    while (row.length < this.column) row.push(' ')
    row[this.column] = char
    if (wide === 2) row[this.column + 1] = ''
    this.column += wide
  }

  private control(letter: string, number: number | undefined): void {
    const row = this.rows[this.rowIndex]!
    if (letter === 'K') row.length = Math.min(row.length, this.column)
    else if (letter === 'D') this.column = Math.max(0, this.column - (number ?? 1))
    else if (letter === 'H') {
      this.rowIndex = 0
      this.column = 0
    } else if (letter === 'J') this.rows = [[]]
    else throw new Error(`the screen was sent an unknown sequence ${letter}`)
  }
}
