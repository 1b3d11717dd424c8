/** The router's page: heads over a dashed rule, dotted leaders, counters two a row, text wrapped under its column. */

/** How wide a terminal is taken to be: the rule's length, and where long text wraps. */
export const PAGE_WIDTH = 79
/** How far notes below a row stand in, and what is left for their text. */
const NOTE_INDENT = 4
export const NOTE_WIDTH = PAGE_WIDTH - NOTE_INDENT
/** Blanks between two columns, at least. */
const GAP = 2

export interface Column<Row> {
  readonly head: string
  /** The least width, the gap to the next column included; longer content widens the column. */
  readonly width: number
  readonly text: (row: Row) => string | number | undefined
}

/** The lines of a page as one text, without blanks at line ends and without a newline at its end. */
export function page(...parts: readonly (string | readonly string[])[]): string {
  return parts
    .flat()
    .map(line => line.trimEnd())
    .join('\n')
}

/** A titled table, or the words for an empty one. `notes` are lines that stand indented below their row. */
export function list<Row>(
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  empty: string,
  notes?: (row: Row) => readonly string[],
): string {
  return rows.length === 0 ? empty : page(title, '', table(columns, rows, notes))
}

export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  notes: (row: Row) => readonly string[] = () => [],
): string[] {
  const cells = rows.map(row => columns.map(c => clean(c.text(row))))
  const widths = columns.map((c, i) =>
    Math.max(c.width, c.head.length + GAP, longest(cells.map(row => row[i]!.length)) + GAP),
  )
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => text.padEnd(widths[i]!))
      .join('')
      .trimEnd()
  const head = line(columns.map(c => c.head))
  return [
    head,
    rule(Math.max(PAGE_WIDTH, head.length)),
    ...rows.flatMap((row, i) => [line(cells[i]!), ...notes(row).map(note => ' '.repeat(NOTE_INDENT) + note)]),
  ]
}

export function rule(width: number = PAGE_WIDTH): string {
  return '-'.repeat(width)
}

/** `Name ............ value`; further values of one name stand below the first. */
export function leaders(
  entries: readonly (readonly [name: string, value: string | number | undefined | readonly string[]])[],
  width = 34,
): string[] {
  const column = Math.max(width, longest(entries.map(([name]) => name.length)) + 4)
  return entries.flatMap(([name, value]) => {
    const [first, ...more] = Array.isArray(value) ? value : [value]
    return [
      `${name} ${'.'.repeat(column - name.length - 1)} ${dash(first)}`,
      ...more.map(text => `${' '.repeat(column)} ${dash(text)}`),
    ]
  })
}

/** `Name: value` beside each other, for the notes below a row. */
export function facts(entries: readonly (readonly [name: string, value: string | number | undefined])[]): string {
  return entries.map(([name, value]) => `${name}: ${dash(value)}`).join('   ')
}

/** Counters, two a row, in the order given. */
export function pairs(counters: readonly (readonly [name: string, value: number])[]): string[] {
  const cells = counters.map(([name, value]) => ({ name: clean(name), value: countText(name, value) }))
  const names = Math.max(24, longest(cells.map(c => c.name.length)) + 1)
  const values = Math.max(10, longest(cells.map(c => c.value.length)))
  const texts = cells.map(c => c.name.padEnd(names) + c.value.padStart(values))
  const rows: string[] = []
  for (let i = 0; i < texts.length; i += 2) rows.push(`  ${texts.slice(i, i + 2).join('    ')}`)
  return rows
}

/** Text broken at blanks into lines no longer than `width`; a longer word is cut. At least one line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let rest = clean(text).trim()
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width)
    const end = blank > 0 ? blank : width
    lines.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return rest === '' && lines.length > 0 ? lines : [...lines, rest]
}

/** A peer chooses its names: none may move the reader's cursor, start a line of its own or turn the text around. */
export function clean(value: string | number | undefined): string {
  return value === undefined ? '' : String(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
}

/** The value, or `-` where there is none. */
export function dash(value: string | number | undefined): string {
  return clean(value).trim() || '-'
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

/** `512 B`, `1.2 MB`: powers of 1000. */
export function bytesText(bytes: number): string {
  const units = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB']
  if (bytes < 1000) return `${bytes} B`
  let value = bytes / 1000
  let unit = 0
  // What would round up to 1000.0 belongs to the next unit.
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(1)} ${units[unit]}`
}

/** `00:00:23`, `1 day 02:03:04`. */
export function durationText(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  const days = Math.floor(seconds / 86_400)
  const clock = `${two((seconds % 86_400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
  return days === 0 ? clock : `${days} ${days === 1 ? 'day' : 'days'} ${clock}`
}

/** Day of the month and time, as the router's log has it; what is no ISO 8601 time stays as it is. */
export function dayTime(iso: string): string {
  const [, , , day, time] = isoParts(iso) ?? []
  return day === undefined ? clean(iso) : `${day} ${time}`
}

/** `09:41:02 21-Feb-2005`; what is no ISO 8601 time stays as it is. */
export function timeDate(iso: string): string {
  const [, year, month, day, time] = isoParts(iso) ?? []
  return day === undefined ? clean(iso) : `${time} ${day}-${MONTHS[Number(month) - 1]}-${year}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function isoParts(iso: string): RegExpExecArray | null {
  return /^(\d{4})-(0[1-9]|1[0-2])-(\d\d)T(\d\d:\d\d:\d\d)/.exec(iso)
}

function countText(name: string, value: number): string {
  return /bytes/i.test(name) ? bytesText(value) : String(value)
}

function longest(lengths: readonly number[]): number {
  return lengths.reduce((a, b) => Math.max(a, b), 0)
}
