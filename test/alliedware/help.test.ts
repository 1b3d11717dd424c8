import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { complete } from '../../src/alliedware/completion.ts'
import { expected, helpText, optionsText, optionText } from '../../src/alliedware/help.ts'
import { notation } from '../../src/alliedware/keyword.ts'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { commandTable } from '../../src/alliedware/table.ts'

const options = (line: string) => expected(line).options.map(optionText)

describe('what may follow', () => {
  it.each([
    ['sh ipsec ', ['SA[=]', 'POLicy[=]', 'SASpecification[=]', 'BUNDlespecification[=]', 'COUNter[=]', 'UDPTUNnel']],
    ['show ipsec p', ['POLicy[=]']],
    ['add us', ['USEr[=]']],
    ['add user=x pri', ['PRivilege=']],
    ['add user=x password=y priv=', ['USer', 'MAnager', 'SEcurityofficer']],
    ['add user=x priv=m', ['MAnager']],
    ['enable isakmp debug=state,tr', ['TRACE', 'TRACEMore']],
    ['login x ', []],
    ['nonsense ', []],
    ['show isakmp nonsense ', []],
  ])('of %j', (line, words) => {
    expect(options(line)).toEqual(words)
  })

  it('is all verbs at the beginning, and not those without a command', () => {
    expect(options('')).toContain('SHow')
    expect(options('')).toContain('DISable')
    expect(options('')).not.toContain('TELnet')
  })

  it('leaves out what was given, and what belongs to the object without a value', () => {
    expect(options('set user=x ')).toContain('PRivilege=')
    expect(options('set user=x priv=user ')).not.toContain('PRivilege=')
    expect(options('set user ')).toContain('SEcuredelay=')
    expect(options('set user ')).not.toContain('PRivilege=')
  })

  it('is in words where the value is none of a list', () => {
    expect(optionsText('set user securedelay=', 79)).toBe(' Options : a number from 10 to 3600')
    expect(optionsText('nonsense ', 79)).toBe(' Options : none')
  })

  it('says where the command may end', () => {
    expect(optionsText('show isakmp sa', 79)).toBe(' Options : SA[=] <CR>')
    expect(expected('add user=x ').complete).toBe(false)
    expect(expected('add user=x password=y ').complete).toBe(true)
  })

  it('knows quotes: a space inside one ends no word', () => {
    expect(expected('add user="x y').value).toBe('a name of 1 to 64 characters')
    expect(options('add user="x y" pass')).toEqual(['PAssword='])
  })

  it('keeps to the width', () => {
    for (const line of ['', 'show ', 'add user=x ']) {
      for (const row of optionsText(line, 60).split('\n')) expect(row.length).toBeLessThanOrEqual(60)
    }
  })
})

describe('completion', () => {
  it.each([
    ['sh', 'ow '],
    ['SH', 'OW '],
    ['show ipsec po', 'licy'],
    ['add us', 'er'],
    ['add alias=x str', 'ing='],
    ['add user=x privilege=sec', 'urityofficer'],
    ['dis', 'able '],
    ['nonsense', ''],
    ['show isakmp sa ', ''],
  ])('of %j is %j', (line, insert) => {
    expect(complete(line).insert).toBe(insert)
  })

  it('goes as far as all that fit agree, and asks when it can go no further', () => {
    expect(complete('log')).toEqual({ insert: '', ambiguous: true })
    expect(complete('show ipsec s')).toEqual({ insert: 'a', ambiguous: false })
    expect(complete('create ipsec policy=x int=eth0 action=ipsec key')).toMatchObject({ ambiguous: false })
  })

  it('knows aliases, at the beginning only', () => {
    expect(complete('wh', ['who'])).toEqual({ insert: 'o ', ambiguous: false })
    expect(complete('show wh', ['who']).ambiguous).toBe(true)
  })

  it('of any shortest form is a word that the parser takes for the same', () => {
    const heads = commandTable.flatMap(e => {
      const word = e.path[0]
      return word ? [{ verb: e.verb, word }] : []
    })
    for (const { verb, word } of heads) {
      const { options: all } = expected(`${verb} ${word.name.slice(0, word.minimum)}`)
      expect(all.map(o => o.name)).toContain(word.name)
    }
  })

  it('never throws, and what it adds keeps a good command good', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), words => {
        const line = words.join('')
        const { insert } = complete(line)
        optionsText(line, 79)
        if (parseCommand(line).kind === 'command' && insert.trim() === '')
          expect(parseCommand(line + insert).kind).toBe('command')
      }),
      { numRuns: 500 },
    )
  })
})

const pieces = [
  'show',
  ' ',
  'ipsec',
  'sa',
  'pol',
  '=',
  'x',
  '"',
  'add',
  'user',
  'pass',
  ',',
  '<',
  '>',
  'firewall',
  'rule',
  '1',
]

describe('HELP', () => {
  it('lists the verbs, with their shortest forms', () => {
    const text = helpText('', 79)
    expect(text).toContain('CREate')
    expect(text).toContain('SHow')
  })

  it('tells the syntax of a command and what each value may be', () => {
    const text = helpText('add user', 79)
    expect(text).toMatch(/^ADD USEr= PAssword= \[DEscription=\]/)
    expect(text).toContain('PRivilege              USer, MAnager, SEcurityofficer')
    expect(text).toContain('(kept, without effect)')
  })

  it('lists the commands of a verb, each once', () => {
    const rows = helpText('show', 79).split('\n')
    expect(rows).toContain('SHow IPSec POLicy[=]')
    expect(new Set(rows).size).toBe(rows.length)
  })

  it('of anything else says so', () => {
    expect(helpText('nonsense', 79)).toContain('no help on "nonsense"')
    expect(helpText('show nonsense', 79)).toContain('no help')
  })

  it('shows every minimum as the table declares it', () => {
    for (const e of commandTable) {
      for (const w of e.path) expect(notation(w).slice(0, w.minimum)).toBe(w.name.slice(0, w.minimum).toUpperCase())
    }
  })
})
