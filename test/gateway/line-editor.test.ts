import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EditorEvent, LineEditor, width } from '../../src/gateway/line-editor.ts'
import { MORE, Pager } from '../../src/gateway/pager.ts'
import { Screen } from '../support/screen.ts'

const up = '\x1b[A'
const down = '\x1b[B'
const left = '\x1b[D'

function terminal(columns = 60, rows = 24) {
  const screen = new Screen(columns, rows)
  const editor = new LineEditor(columns, text => screen.write(text))
  const lines: string[] = []
  const events: EditorEvent['kind'][] = []
  editor.start('> ')
  const type = (text: string) => {
    let rest = text
    while (rest !== '') {
      const taken = editor.keys(rest)
      rest = taken.rest
      const { event } = taken
      if (!event) continue
      events.push(event.kind)
      if (event.kind === 'line') lines.push(event.text)
      if (event.kind === 'line' || event.kind === 'interrupt') editor.start('> ')
    }
  }
  return { screen, editor, type, lines, events }
}

describe('the line editor', () => {
  it('echoes what is typed and hands the line over', () => {
    const { screen, type, lines } = terminal()
    type('show sess')
    expect(screen.line()).toBe('> show sess')
    type('ion\r')
    expect(lines).toEqual(['show session'])
    expect(screen.text()).toBe('> show session\n>')
  })

  it('takes Enter in each form for one line', () => {
    const { type, lines } = terminal()
    type('a\rb\nc\r\nd\r\n')
    expect(lines).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each([
    ['Backspace', 'abc\x7f', 'ab', 2],
    ['Ctrl-H', 'abc\x08', 'ab', 2],
    ['left and typing', `ac${left}b`, 'abc', 2],
    ['Ctrl-A and typing', 'bc\x01a', 'abc', 1],
    ['Home in its three forms', 'c\x1b[Hb\x1b[1~a\x1bOH', 'abc', 0],
    ['Ctrl-E', 'ab\x01\x05c', 'abc', 3],
    ['End', 'ab\x01\x1b[Fc', 'abc', 3],
    ['Delete', 'xabc\x01\x1b[3~', 'abc', 0],
    ['Ctrl-D in the line', 'xabc\x01\x04', 'abc', 0],
    ['Ctrl-K', `abcd${left}\x0b`, 'abc', 3],
    ['Ctrl-U', `xxabc${left}${left}${left}\x15`, 'abc', 0],
    ['Ctrl-W', 'abc def \x17', 'abc ', 4],
    ['Ctrl-L', 'abc\x0c', 'abc', 3],
    ['a sequence in pieces', 'ac\x1b|[|D|b', 'abc', 2],
    ['a sequence that nobody knows', 'ab\x1b[17~c', 'abc', 3],
    ['control characters', 'a\x00b\x1cc', 'abc', 3],
    ['keys beyond the ends', `${left}\x7fabc\x1b[C`, 'abc', 3],
  ])('knows %s', (_, keys, text, cursor) => {
    const { screen, type, editor } = terminal()
    for (const piece of keys.split('|')) type(piece)
    expect(screen.line()).toBe(`> ${text}`.trimEnd())
    expect(screen.column).toBe(2 + cursor)
    expect(editor.beforeCursor).toBe(text.slice(0, cursor))
  })

  it('recalls lines by arrows and by Ctrl-B and Ctrl-F, and gives back the one that was begun', () => {
    const { screen, type } = terminal()
    type('first\rsecond\rsecond\r\rthird')
    const seen = (key: string) => {
      type(key)
      return screen.line()
    }
    expect([up, '\x02', up].map(seen)).toEqual(['> second', '> first', '> first'])
    expect([down, '\x06', down].map(seen)).toEqual(['> second', '> third', '> third'])
  })

  it('remembers a hundred lines', () => {
    const { screen, type } = terminal()
    for (let i = 0; i < 130; i++) type(`line ${i}\r`)
    for (let i = 0; i < 200; i++) type(up)
    expect(screen.line()).toBe('> line 30')
  })

  it('recalls by what the line begins with (Ctrl-P)', () => {
    const { screen, type } = terminal()
    type('show user\radd alias=x string=y\rshow log\rsh\x10')
    expect(screen.line()).toBe('> show log')
    type('\x10')
    expect(screen.line()).toBe('> show user')
  })

  it('keeps no secret: not on the screen, not in the history', () => {
    const { screen, editor, type, lines } = terminal()
    type('login x\r')
    editor.start('Password: ', true)
    type('ti?ger\x7fs\r')
    expect(lines.at(-1)).toBe('ti?ges')
    expect(screen.text()).not.toMatch(/tig|ge/)
    type(up)
    expect(screen.line()).toBe('> login x')
  })

  it('asks for help at once, but not inside quotes, in a comment, nor behind Ctrl-V', () => {
    const { type, events, lines } = terminal()
    type('show ?')
    expect(events).toEqual(['help'])
    type('\x15"what?" \x16?\r# why?\r')
    expect(events).toEqual(['help', 'line', 'line'])
    expect(lines).toEqual(['"what?" ?', '# why?'])
  })

  it('tells Tab, Ctrl-C and Ctrl-D on an empty line', () => {
    const { type, events, lines } = terminal()
    type('sh\t x\x03\x04')
    expect(events).toEqual(['complete', 'interrupt', 'end'])
    expect(lines).toEqual([])
  })

  it('moves a line that is longer than the row sideways', () => {
    const { screen, type } = terminal(20)
    type('abcdefghijklmnopqrstuvwxyz')
    expect(screen.line()).toBe('> jklmnopqrstuvwxyz')
    expect(screen.height).toBe(1)
    type('\x01')
    expect(screen.line()).toBe('> abcdefghijklmnopq')
    expect(screen.column).toBe(2)
  })

  it('counts the columns of wide and of combining characters', () => {
    const { screen, type } = terminal()
    type(`日本${left}x`)
    expect(screen.line()).toBe('> 日x本')
    expect(width('日本')).toBe(4)
    expect(width('e\u0301')).toBe(1)
  })

  it('rings for a line beyond all measure', () => {
    const { screen, type, lines } = terminal()
    type(`${'x'.repeat(5000)}\r`)
    expect(lines[0]!.length).toBe(4096)
    expect(screen.bells).toBeGreaterThan(0)
  })

  it('shows what it holds, whatever is typed', () => {
    const keys = fc.constantFrom(
      'a',
      'b',
      ' ',
      '\x7f',
      '\x01',
      '\x05',
      left,
      '\x1b[C',
      up,
      down,
      '\x17',
      '\x0b',
      '\r',
      '日',
    )
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 60 }), pressed => {
        const { screen, type, editor } = terminal(30)
        for (const key of pressed) type(key)
        const before = editor.beforeCursor
        expect(screen.column).toBe(2 + Math.min(width(before), screen.column - 2))
        expect(screen.line().startsWith('>')).toBe(true)
        // The cursor stands behind the end of what is before it.
        const shown = screen.row(screen.column).slice(2)
        expect(before.endsWith(shown)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the pager', () => {
  const text = Array.from({ length: 50 }, (_, i) => `line ${i + 1}`).join('\n')
  const paging = (rows = 10) => {
    const screen = new Screen(60, 200)
    const pager = new Pager(t => screen.write(t))
    pager.start(text, 60, rows)
    return { screen, pager, press: (key: string) => pager.key(key, rows) }
  }

  it('asks after a page', () => {
    const { screen, pager } = paging()
    expect(screen.text().split('\n')).toEqual([...text.split('\n').slice(0, 9), MORE.slice(0, 60), MORE.slice(60)])
    expect(pager.waits).toBe(true)
  })

  it('goes on by page, by line, without end, or stops', () => {
    for (const [keys, last] of [
      [' ', 'line 18'],
      ['\r', 'line 10'],
      [' \r\r', 'line 20'],
      ['c', 'line 50'],
      ['C', 'line 50'],
      ['q', 'line 9'],
      ['x', 'line 9'],
    ] as const) {
      const screen = new Screen(80, 200)
      const pager = new Pager(t => screen.write(t))
      pager.start(text, 80, 10)
      for (const key of keys) pager.key(key, 10)
      const rows = screen
        .text()
        .split('\n')
        .filter(row => row !== MORE && row !== '')
      expect(rows.at(-1)).toBe(last)
      expect(pager.waits).toBe(!'cCq'.includes(keys.at(-1)!))
    }
  })

  it('never asks about one row alone, and not at all where it all fits', () => {
    const screen = new Screen(80, 50)
    const pager = new Pager(t => screen.write(t))
    pager.start('a\nb\nc', 80, 3)
    expect(pager.waits).toBe(false)
    pager.start(text, 80, 0)
    expect(pager.waits).toBe(false)
  })

  it('counts the rows of a line that the terminal breaks', () => {
    const screen = new Screen(80, 50)
    const pager = new Pager(t => screen.write(t))
    pager.start(`${'x'.repeat(200)}\nlast\none`, 80, 4)
    expect(pager.waits).toBe(true)
    expect(screen.text().split('\n').slice(0, 3).join('')).toBe('x'.repeat(200))
  })
})
