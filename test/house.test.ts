/** The house rules that a machine can check: who may import whom, what each room must not touch, and what must agree. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { dropReasonNames, PuntReason, puntReasonNames, Verdict } from '../src/packet/verdict.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** Every file under `folder` whose name ends so, by its path from the root. */
function files(folder: string, ...endings: string[]): string[] {
  return readdirSync(join(root, folder)).flatMap(name => {
    const path = `${folder}/${name}`
    if (name === 'node_modules' || name === 'build') return []
    if (statSync(join(root, path)).isDirectory()) return files(path, ...endings)
    return endings.some(e => name.endsWith(e)) ? [path] : []
  })
}

const sources = files('src', '.ts')
const tests = files('test', '.ts')

/** The code of a file: without comments, and without what stands in quotes where `strings` says so. */
function code(path: string, strings: 'keep' | 'drop'): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g
  return read(path).replace(token, found => (found.startsWith('/') ? '' : strings === 'keep' ? found : "''"))
}

interface Import {
  readonly from: string
  /** As it is written. */
  readonly what: string
  /** Path from the root, for one of our own files. */
  readonly to: string | undefined
  readonly typeOnly: boolean
}

function imports(path: string): Import[] {
  const text = code(path, 'keep')
  const found: Import[] = []
  const add = (what: string, typeOnly: boolean) => {
    const to = what.startsWith('.') ? relative(root, join(root, dirname(path), what)) : undefined
    found.push({ from: path, what, to, typeOnly })
  }
  for (const m of text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm))
    add(m[2]!, m[1] !== undefined)
  for (const m of text.matchAll(/^import\s*['"]([^'"]+)['"]/gm)) add(m[1]!, false)
  for (const m of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)) add(m[1]!, false)
  return found
}

const all = sources.flatMap(imports)
const room = (path: string) => path.split('/')[1]!
const shown = (list: readonly Import[]) => list.map(i => `${i.from} imports ${i.what}`)

const PROTOCOL_ROOMS = ['ike', 'esp', 'l2tp', 'ppp', 'firewall', 'aaa']

/** What every room may import. */
const COMMON = ['machine.ts', 'heap.ts']
/** What each room may import beside itself, src/machine.ts and src/heap.ts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'machine.ts': [],
  'heap.ts': [],
  packet: [],
  ...Object.fromEntries(PROTOCOL_ROOMS.map(r => [r, ['packet']])),
  alliedware: ['packet', ...PROTOCOL_ROOMS],
  gateway: ['packet', ...PROTOCOL_ROOMS, 'alliedware'],
  vpnctl: ['gateway'],
}

describe('the layout', () => {
  it('has the rooms of ARCHITECTURE.md and no other', () => {
    expect(readdirSync(join(root, 'src')).sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  })

  it('is the fixed one at the top', () => {
    const entries = readdirSync(root)
    for (const name of ['package.json', 'src', 'native', 'bench', 'test', 'README.md', 'ARCHITECTURE.md', 'LICENSE']) {
      expect(entries).toContain(name)
    }
    const folders = entries.filter(name => !name.startsWith('.') && statSync(join(root, name)).isDirectory())
    const made = ['node_modules', 'dist']
    expect(folders.filter(name => !made.includes(name)).sort()).toEqual(
      ['bench', 'bin', 'docs', 'examples', 'native', 'scripts', 'src', 'test'].sort(),
    )
  })

  /** Files that may be longer than the rest. A reason each. */
  const LONG: Readonly<Record<string, string>> = {}
  const LONGEST = 350

  it('has no native header that hides one of the system where native/ is searched first', () => {
    const headers = readdirSync(`${root}/native`).filter(f => f.endsWith('.h'))
    expect(headers).toContain('batch.h')
    expect(headers.filter(f => existsSync(`/usr/include/${f}`))).toEqual([])
  })

  it('keeps files short enough to be read in one go', () => {
    const long = sources.filter(path => read(path).trimEnd().split('\n').length > LONGEST && !(path in LONG))
    expect(long).toEqual([])
    for (const path of Object.keys(LONG)) expect(sources).toContain(path)
  })

  it('opens every file with a sentence about it', () => {
    expect(sources.filter(path => !/^(#!.*\n)?\/\*\*/.test(read(path)))).toEqual([])
  })
})

describe('imports', () => {
  it('are found: the search itself works', () => {
    expect(all.length).toBeGreaterThan(300)
    expect(all).toContainEqual({
      from: 'src/gateway/native-engine.ts',
      what: '../esp/rules.ts',
      to: 'src/esp/rules.ts',
      typeOnly: false,
    })
    expect(all.some(i => i.from === 'src/vpnctl/ask.ts' && i.typeOnly)).toBe(true)
  })

  it('run in no circle: only types may look back', () => {
    const next = new Map(sources.map(path => [path, all.filter(i => i.from === path && !i.typeOnly)]))
    /** The files of a circle, or nothing; who was seen is on none. */
    const seen = new Set<string>()
    const circle = (path: string, way: readonly string[]): readonly string[] => {
      if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
      if (seen.has(path)) return []
      for (const { to } of next.get(path) ?? []) {
        const found = to === undefined ? [] : circle(to, [...way, path])
        if (found.length > 0) return found
      }
      seen.add(path)
      return []
    }
    expect(sources.map(path => circle(path, [])).filter(found => found.length > 0)).toEqual([])
  })

  it('go from right to left, and never across', () => {
    const wrong = all.filter(i => {
      if (i.to === undefined) return false
      const [own, other] = [room(i.from), room(i.to)]
      return !(own === other || COMMON.includes(other) || MAY_IMPORT[own]?.includes(other))
    })
    expect(shown(wrong)).toEqual([])
  })

  it('name files of ours as they are', () => {
    expect(shown(all.filter(i => i.to !== undefined && !sources.includes(i.to)))).toEqual([])
  })

  it('bring nothing of the host into a protocol room: node:crypto computes, that is all', () => {
    const pure = [...COMMON, 'packet', 'alliedware', ...PROTOCOL_ROOMS]
    // The oracle of the native engine: algorithms written by others, so that no mistake is made twice.
    const oracles = /^(@noble\/(ciphers|hashes)\/|node-forge$)/
    const wrong = all.filter(i => {
      if (i.to !== undefined || !pure.includes(room(i.from))) return false
      if (PROTOCOL_ROOMS.includes(room(i.from)) && i.what === 'node:crypto') return false
      return !(room(i.from) === 'esp' && oracles.test(i.what))
    })
    expect(shown(wrong)).toEqual([])
  })

  it('give vpnctl types of the gateway, and nothing that runs', () => {
    expect(
      shown(all.filter(i => room(i.from) === 'vpnctl' && i.to?.startsWith('src/gateway/') && !i.typeOnly)),
    ).toEqual([])
  })

  it('load the addon in one place', () => {
    const loaders = sources.filter(path =>
      /\bcreateRequire\b|\brequire\(|\.node\b['"`]|\bdlopen\b/.test(code(path, 'keep')),
    )
    expect(loaders).toEqual(['src/gateway/native.ts'])
  })

  it('never come by way of a default or a barrel', () => {
    expect(sources.filter(path => /^export (default\b|\*)/m.test(code(path, 'drop')))).toEqual([])
  })
})

describe('protocol rooms', () => {
  const pure = sources.filter(path => [...PROTOCOL_ROOMS, 'packet', 'alliedware', ...COMMON].includes(room(path)))

  it.each([
    ['a clock', /\bDate\b(?!\/)|\bperformance\b|\bhrtime\b/],
    [
      'dice of their own',
      /\bMath\.random\b|\brandomBytes\b|\brandomInt\b|\brandomFill|\bgetRandomValues\b|\brandomUUID\b/,
    ],
    ['the process', /\bprocess\./],
    ['a console', /\bconsole\b/],
    ['a timer', /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bnextTick\b/],
    ['the network', /\bfetch\(|\bWebSocket\b/],
  ])('have not %s: what they need is an argument', (_, forbidden) => {
    expect(pure.filter(path => forbidden.test(code(path, 'drop')))).toEqual([])
  })

  it('are what the checks above look at', () => {
    expect(pure.length).toBeGreaterThan(100)
    expect(/\bDate\b/.test(code('src/gateway/log.ts', 'drop'))).toBe(true)
    expect(/\bprocess\./.test(code('src/gateway/deadlines.ts', 'drop'))).toBe(true)
  })
})

describe('what is said twice', () => {
  /** The members of a C++ enum class, by name. */
  function cppEnum(name: string): Record<string, number> {
    const body = new RegExp(`enum class ${name} : uint8_t \\{([^}]*)\\}`).exec(read('native/batch.h'))?.[1] ?? ''
    return Object.fromEntries([...body.matchAll(/(\w+) = (\d+)/g)].map(m => [m[1]!, Number(m[2])]))
  }

  it('is the same in C++ and in TypeScript: verdicts and reasons', () => {
    expect(cppEnum('Verdict')).toEqual({ ...Verdict })
    expect(cppEnum('DropReason')).toEqual(Object.fromEntries(dropReasonNames.map((name, i) => [name, i])))
    expect(cppEnum('PuntReason')).toEqual({ ...PuntReason })
  })

  it('has a counter and a test for every reason to drop or to punt', () => {
    const texts = tests.filter(path => path !== 'test/house.test.ts').map(read)
    const mentioned = (kind: string, name: string) =>
      texts.some(t => new RegExp(`\\b${kind}\\.${name}\\b|['"\`](drop|punt)?${name}['"\`]`).test(t))
    expect(dropReasonNames.slice(1).filter(name => !mentioned('DropReason', name))).toEqual([])
    expect(puntReasonNames.slice(1).filter(name => !mentioned('PuntReason', name))).toEqual([])
  })
})

describe('the documents', () => {
  const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts
  const documents = ['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'SECURITY.md', ...files('docs', '.md')]

  it.each(documents)('name scripts that are there: %s', path => {
    const named = [...read(path).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(m => m[1] ?? m[2]!)
    expect(named.filter(name => !(name in scripts))).toEqual([])
  })

  it('name npm start and npm test first of all', () => {
    const named = [...read('README.md').matchAll(/\bnpm (\w+)/g)].map(m => m[1])
    expect(named[0]).toBe('start')
    expect(named).toContain('test')
  })

  it('link to files that are there', () => {
    const broken = documents.flatMap(path =>
      [...read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(m => m[1]!)
        .filter(target => !/^[a-z]+:/.test(target))
        .filter(target => {
          try {
            statSync(join(root, dirname(path), target))
            return false
          } catch {
            return true
          }
        })
        .map(target => `${path}: ${target}`),
    )
    expect(broken).toEqual([])
  })

  it('stand behind scripts whose files exist', () => {
    const run = Object.values(scripts).flatMap(s => [...s.matchAll(/\bscripts\/[\w.-]+/g)].map(m => m[0]))
    expect(run.length).toBeGreaterThan(3)
    for (const path of run) expect(statSync(join(root, path)).isFile()).toBe(true)
  })
})
