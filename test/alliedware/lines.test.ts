/** Physical lines to commands, and commands to words. */

import { describe, expect, it } from 'vitest'
import { resolveVerb } from '../../src/alliedware/keyword.ts'
import { joinLines } from '../../src/alliedware/lines.ts'
import { fill, placeholderValues, quote, tokenize } from '../../src/alliedware/token.ts'

const join = (text: string) => joinLines(text, word => resolveVerb(word) !== undefined)
const commands = (text: string) => join(text).commands.map(c => `${c.line}: ${c.text}`)

describe('joining lines', () => {
  it('keeps the line where the command began', () => {
    expect(commands('# one\n\nadd user=x\n  login=no\nenable ip\n')).toEqual(['3: add user=x login=no', '5: enable ip'])
  })

  it('lets a blank line end a command, and so does a fence or a rule', () => {
    expect(commands('enable ip\n\nlogin=no')).toEqual(['1: enable ip', '3: login=no'])
    expect(commands('enable ip\n```\nlogin=no')).toEqual(['1: enable ip', '3: login=no'])
    expect(commands('enable ip\n---\nlogin=no')).toEqual(['1: enable ip', '3: login=no'])
  })

  it('lets a comment go on until a verb', () => {
    const long = '# This NAT definition allows the Internet to remote users by providing'
    expect(commands(`${long}\naddress translation.\n*${long}\nanother\nenable ip`)).toEqual(['5: enable ip'])
  })

  it('points at a line that a comment swallowed although it looks like a command', () => {
    const long = '# The pool has the inner addresses that are handed out to clients'
    expect(join(`${long}\nadf user=x password=y`).suspects).toEqual([2])
    expect(join(`${long}\nof ranges (e.g. ip=1.2.3.4)`).suspects).toEqual([])
  })

  it('lets a line stand alone that no page width broke: a mistyped verb is told by its own line', () => {
    expect(commands('enable isakmp\nfrobnicate everything')).toEqual(['1: enable isakmp', '2: frobnicate everything'])
    expect(join('# a comment\nfrobnicate everything')).toEqual({ commands: [], suspects: [2] })
    expect(commands('create enco key=1 type=general\nvalue=abc')).toEqual([
      '1: create enco key=1 type=general value=abc',
    ])
  })

  it('goes on with an open quote or placeholder although a verb comes next', () => {
    expect(commands('add alias=x string="show\nset x" \nenable ip')).toEqual([
      '1: add alias=x string="show set x"',
      '3: enable ip',
    ])
    expect(commands('set ppp dnsprimary=<address\nadd here> x=1')).toEqual([
      '1: set ppp dnsprimary=<address add here> x=1',
    ])
  })

  it('does not let a quote that is never closed eat the commands behind it', () => {
    expect(commands('set system name="oops\nenable ip\nset ppp x=1')).toEqual([
      '1: set system name="oops',
      '2: enable ip',
      '3: set ppp x=1',
    ])
  })

  it('does not tell a number sign inside a command from any other character', () => {
    expect(commands('add user=x password=#1 description="a # b"')).toEqual([
      '1: add user=x password=#1 description="a # b"',
    ])
  })
})

describe('words', () => {
  const words = (text: string) => tokenize(text).tokens.map(t => [t.key, t.value])

  it('are keywords and values', () => {
    expect(words('a b=c  d="e f"')).toEqual([
      ['a', undefined],
      ['b', [{ text: 'c' }]],
      ['d', [{ text: 'e f' }]],
    ])
  })

  it('hold quotes doubled inside quotes', () => {
    expect(words('a="b""c" d="" e=f"g')).toEqual([
      ['a', [{ text: 'b"c' }]],
      ['d', [{ text: '' }]],
      ['e', [{ text: 'f"g' }]],
    ])
  })

  it('take a placeholder whole, alone or as a part', () => {
    expect(words('a=<your address, if any> b=<one>-<the other> c=x.x.x.x-x.x.x.x d=X.X.X.X')).toEqual([
      ['a', [{ placeholder: 'your address, if any' }]],
      ['b', [{ placeholder: 'one' }, { text: '-' }, { placeholder: 'the other' }]],
      ['c', [{ placeholder: 'x.x.x.x-x.x.x.x' }]],
      ['d', [{ placeholder: 'X.X.X.X' }]],
    ])
  })

  it('take angle brackets literally in quotes, and where they are not a pair', () => {
    expect(words('a="<b>" c=d<e f=g')).toEqual([
      ['a', [{ text: '<b>' }]],
      ['c', [{ text: 'd<e' }]],
      ['f', [{ text: 'g' }]],
    ])
  })

  it('are filled by name, whatever its case and spacing', () => {
    const values = placeholderValues({ 'Next-Hop   address': '1.2.3.4', empty: '' })
    expect(fill(tokenize('x=<next- hop Address>').tokens[0]!.value!, values)).toEqual({ text: '1.2.3.4', missing: [] })
    expect(fill(tokenize('x=<empty>').tokens[0]!.value!, values)).toEqual({ text: '<empty>', missing: ['empty'] })
  })

  it.each(['', 'plain', 'two words', '"', 'a"b', '<a>', 'x.x.x.x', '#', 'a=b', '""', 'tab\there', '\u00a0'])(
    'read back as themselves once written: %j',
    text => {
      const parts = tokenize(`k=${quote(text)} next`).tokens[0]!.value!
      expect(parts.map(p => ('text' in p ? p.text : '?')).join('')).toBe(text)
    },
  )
})
