import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { complete } from '../../src/alliedware/completion.ts'
import { expected, help, helpText, optionsText, optionText } from '../../src/alliedware/help.ts'
import { notation } from '../../src/alliedware/keyword.ts'
import { namesOf } from '../../src/alliedware/names.ts'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { readScript } from '../../src/alliedware/script.ts'
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
    ['show config dynamic=ip,l', ['LOad', 'L2tp', 'LOg']],
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

describe('HELP with a file', () => {
  const file = {
    name: 'site.hlp',
    text: 'Ask Vienna first.\r\n\r\n# New caller\nADD USER, then tell them\tthe key.\n\n# New office\nAsk.\n# Show user\nOurs are in Vienna.\n',
  }

  it('says by itself what the file begins with, and what it has', () => {
    const text = help('', 79, file)
    expect(text).toContain('A command is a verb')
    expect(text.endsWith('Ask Vienna first.\n\nsite.hlp has: New caller, New office, Show user')).toBe(true)
  })

  it('finds a topic of the file, by its beginning too, and what the table has of the same name', () => {
    expect(help('NEW  caller', 79, file)).toBe('New caller\n\nADD USER, then tell them        the key.')
    expect(help('new', 79, file)).toMatch(/^New caller\n\n[\s\S]*\n\nNew office\n\nAsk\.$/)
    expect(help('show user', 79, file)).toMatch(/^Show user\n\nOurs are in Vienna\.\n\nSHow USEr/)
    expect(help('add user', 79, file)).toBe(helpText('add user', 79))
    expect(help('nonsense', 79, file)).toBe(helpText('nonsense', 79))
  })

  it('is that of the table where there is none, or an empty one', () => {
    expect(help('', 79, undefined)).toBe(helpText('', 79))
    expect(help('', 79, { name: 'x.hlp', text: '' })).toBe(helpText('', 79))
  })

  it('lets nothing move the reader’s cursor', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        for (const line of help('', 40, { name: 'x.hlp', text }).split('\n')) expect(line).not.toMatch(/[\p{Cc}]/u)
      }),
    )
  })
})

describe('names of what there is', () => {
  const { configuration } = readScript(
    `add user=anna password=apples login=no
add user=Anton password=x login=no
add user="two words" password=x login=no
add ip interface=eth0 ipaddress=192.0.2.1
create ip pool=callers ip=192.168.8.100
create ppp template=7 ippool=callers authentication=chap
create ipsec saspecification=3 keymanagement=isakmp protocol=esp encalg=des hashalg=sha
create ipsec policy=roaming interface=eth0 action=permit
create isakmp policy=Roaming1 peer=any key=1
create firewall policy=main
create firewall policy=main dynamic=callers
add alias=who string="show session"`,
    { values: {}, keys: [1] },
  )
  const names = namesOf(configuration, { file: () => ['boot.cfg', 'vpn.cfg'], 'ENCO key': () => ['1', '20'] })

  it.each([
    ['delete user=an', '', true],
    ['delete user=a', 'n', false],
    ['delete user=ann', 'a', false],
    ['show user=ant', 'on', false],
    ['show user=b', '', true],
    ['show user=', '', true],
    ['show user="tw', 'o words"', false],
    ['show user=tw', '', true],
    ['set ppp temp=1 ippool=c', 'allers', false],
    ['create isakmp policy=x peer=any key=2', '0', false],
    ['set ipsec policy=roaming isakmp=r', 'oaming1', false],
    ['show isa pol=', 'Roaming1', false],
    ['sh ipsec poli=r', 'oaming', false],
    ['destroy ipsec sas=', '3', false],
    ['add ip route=0.0.0.0 int=e', 'th0', false],
    ['add fire policy=m', 'ain', false],
    ['add fire policy=main int=dyn', '-callers', false],
    ['set config=v', 'pn.cfg', false],
    ['set config=', '', true],
    ['delete alias=w', 'ho', false],
    // A new one has no name yet.
    ['add user=an', '', true],
    ['create isakmp policy=r', '', true],
  ])('complete %j', (line, insert, ambiguous) => {
    expect(complete(line, [], names)).toEqual({ insert, ambiguous })
  })

  it('are listed behind what the value may be', () => {
    expect(optionsText('delete user=', 79, names)).toBe(
      ' Options : a name of 1 to 64 characters\n           anna Anton "two words"',
    )
    expect(optionsText('set config=', 79, names)).toBe(' Options : NONE boot.cfg vpn.cfg')
    expect(optionsText('delete user="t', 79, names)).toContain('two words')
  })

  it('are no more than a page can hold', () => {
    const many = (kind: string) => (kind === 'user' ? Array.from({ length: 1000 }, (_, i) => `u${i}`) : [])
    const text = optionsText('delete user=', 79, many)
    expect(text).toContain('u99 ... (900 more)')
    expect(text.split('\n').length).toBeLessThan(12)
  })
})
