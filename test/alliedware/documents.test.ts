/** docs/alliedware.md and the command table: each command and each parameter stands in both, with the same short form. */

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { neighbourCommands } from '../../src/alliedware/commands/neighbours.ts'
import type { CommandEntry } from '../../src/alliedware/grammar.ts'
import { notation, verbs } from '../../src/alliedware/keyword.ts'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { commandTable } from '../../src/alliedware/table.ts'

const text = readFileSync(new URL('../../docs/alliedware.md', import.meta.url), 'utf8')

interface Row {
  readonly section: string
  /** The first column: the commands. */
  readonly commands: string
  readonly whole: string
}

const rows: readonly Row[] = text.split(/^## /m).flatMap(part =>
  part
    .split('\n')
    .filter(line => line.startsWith('| '))
    .map(line => ({
      section: part.split('\n')[0]!,
      commands: line.split(/(?<!\\)\|/)[1]!.trim(),
      whole: line,
    })),
)

const named = (where: string, word: string) => new RegExp(`(?<![\\w])${word}(?![\\w])`).test(where)
const verbOf = (e: CommandEntry) => notation(verbs.find(v => v.name === e.verb)!)
const wordsOf = (e: CommandEntry) => [verbOf(e), ...e.path.map(notation)]
const rowsOf = (e: CommandEntry) => rows.filter(r => wordsOf(e).every(word => named(r.commands, word)))
const table = commandTable.filter(e => !neighbourCommands.includes(e))

describe('docs/alliedware.md', () => {
  it('is read: the search itself works', () => {
    expect(rows.length).toBeGreaterThan(100)
    expect(rows.some(r => r.section === 'Log' && r.commands.startsWith('CREate'))).toBe(true)
  })

  it('names every command', () => {
    expect([...new Set(table.filter(e => rowsOf(e).length === 0).map(e => wordsOf(e).join(' ')))]).toEqual([])
  })

  it('names every parameter, beside its command or in a row that goes on about it', () => {
    const missing = table.flatMap(e => {
      const sections = new Set(rowsOf(e).map(r => r.section))
      const about = [...rowsOf(e), ...rows.filter(r => sections.has(r.section) && r.commands.startsWith('...'))]
      return e.parameters
        .filter(p => !(p.name in e.synonyms) && !about.some(r => named(r.whole, notation(p))))
        .map(p => `${wordsOf(e).join(' ')}: ${notation(p)}`)
    })
    expect([...new Set(missing)]).toEqual([])
  })

  it('names the modules that are held unchecked', () => {
    const section = text.slice(text.indexOf('## Modules that are not here'))
    const modules = new Set(neighbourCommands.map(e => e.path[0]!.name.toUpperCase()))
    expect([...modules].filter(name => !named(section, name))).toEqual([])
  })

  it('has no keyword that the table has not', () => {
    const known = new Set([
      ...verbs.map(notation),
      ...commandTable.flatMap(e => [
        ...e.path.map(notation),
        ...e.parameters.map(notation),
        ...[e.of, ...e.parameters.map(p => p.type)].flatMap(type => (type?.words ?? []).map(notation)),
      ]),
    ])
    const keywords = rows.flatMap(r => r.commands.match(/\b[A-Z][A-Z0-9_]+[a-z][a-z0-9_]*\b/g) ?? [])
    // Words of commands that take any.
    for (const word of ['IDentproxy', 'TCPSetupproxy']) known.add(word)
    expect([...new Set(keywords)].filter(word => !known.has(word))).toEqual([])
  })
})

describe('commands that documents show', () => {
  const project = new URL('../../', import.meta.url)
  // The table above has notations in place of commands.
  const documents = readdirSync(new URL('docs', project)).filter(f => f.endsWith('.md') && f !== 'alliedware.md')
  const shown = ['README.md', ...documents.map(f => `docs/${f}`)].flatMap(file => {
    const words = readFileSync(new URL(file, project), 'utf8')
    const lines = [...words.matchAll(/^(?:bin\/)?vpnctl (?![[-])(.+)$/gm)]
    const inline = [...words.matchAll(/`(?:vpnctl |(?=show |reset ))(?![[<-]|[A-Z ]+`)([^`\n]+)`/g)]
    return [...lines, ...inline].map(([, command]) => ({ file, command: command!.replace(/ (#.*|--json)$/, '') }))
  })

  it('are found: the search itself works', () => {
    expect(shown.length).toBeGreaterThan(30)
    expect(shown).toContainEqual({ file: 'docs/troubleshooting.md', command: 'show counter=data' })
  })

  it('are such as can be typed', () => {
    const faults = shown.flatMap(({ file, command }) => {
      const read = parseCommand(command)
      return read.kind === 'faults' ? [`${file}: ${command}: ${read.faults.join('; ')}`] : []
    })
    expect(faults).toEqual([])
  })
})

describe('commands that a remedy names', () => {
  const folder = new URL('../../src/', import.meta.url)
  const named = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(f => f.endsWith('.ts'))
    .flatMap(file => {
      const quoted = /"((?:show|add|set|enable|disable|create|reset|delete|capture) [^"\n]*)"/g
      return [...readFileSync(new URL(file, folder), 'utf8').matchAll(quoted)].map(([, command]) => ({
        file,
        command: command!
          .replace(/\$\{[^}]*\}|\.\.\.|NAME/g, 'x')
          .replace(/FIRST-LAST/g, '10.0.0.1-10.0.0.2')
          .replace(/=N\b/g, '=1'),
      }))
    })

  it('can be typed as they stand there', () => {
    expect(named.map(n => n.command)).toContain('show counter=ike')
    const faults = named.flatMap(({ file, command }) => {
      const read = parseCommand(command)
      return read.kind === 'faults' ? [`${file}: ${command}: ${read.faults.join('; ')}`] : []
    })
    expect(faults).toEqual([])
  })
})
