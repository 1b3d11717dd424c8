import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface Row {
  readonly attack: string
  readonly proofs: readonly { readonly file: string; readonly title: string }[]
}

/** The rows of every table of docs/attacks.md. */
function rows(): Row[] {
  const lines = readFileSync('docs/attacks.md', 'utf8').split('\n')
  return lines
    .filter(line => line.startsWith('| ') && !line.startsWith('| what an attacker does'))
    .map(line => {
      const [attack = '', , proved = ''] = line.slice(2, -2).split(' | ')
      const proofs = [...proved.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)].map(m => ({ file: m[1]!, title: m[2]! }))
      return { attack, proofs }
    })
}

/** The titles of a file's tests, as they are written. */
function titles(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const opening =
    /\b(?:it|test)(?:\.each[\s\S]*?)?(?:\.\w+(?:\([^()]*\))?)?\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`([^`]*)`)/g
  const plain = [...text.matchAll(opening)].map(m => m[1] ?? m[2] ?? m[3] ?? '')
  // Behind a table of cases the title is the first argument of what the table gives back.
  const tabled = [...text.matchAll(/\]\)\(\s*'((?:\\.|[^'\\])*)'|\w\)\(\s*'((?:\\.|[^'\\])*)'/g)].map(
    m => m[1] ?? m[2]!,
  )
  return [...plain, ...tabled].map(title => title.replace(/\\(.)/g, '$1'))
}

describe('the table of attacks', () => {
  const all = rows()

  it('is read at all, and finds titles of every form', () => {
    expect(all.length).toBeGreaterThan(35)
    expect(titles('test/ike/faults.test.ts')).toContain('never throw, in whatever state the exchange is')
    expect(titles('test/ike/faults.test.ts')).toContain('points off the curve are refused in group %i')
    expect(titles('test/conversations/attacks.test.ts')).toContain('ESP without %s is agreed to with nobody')
    expect(titles('test/ike/faults.test.ts')).not.toContain('what no test is called')
  })

  it('has a test for each of them', () => {
    expect(all.filter(row => row.proofs.length === 0).map(row => row.attack)).toEqual([])
  })

  it('names tests that are there', () => {
    const missing = all.flatMap(row =>
      row.proofs
        .filter(({ file, title }) => !existsSync(file) || !titles(file).includes(title))
        .map(({ file, title }) => `${file}: ${title}`),
    )
    expect(missing).toEqual([])
  })
})
