/**
 * `npm run fuzz -- [parser ...] --cases N --seconds N --seed N`: coverage-guided fuzzing of everything that reads what a
 * stranger wrote. Without a parser's name all of them have their turn. What reaches something new is kept in
 * test/fuzz/corpus, and what finds a bug too: there it fails `npm test` until it is mended. Ends 1 where something was
 * found.
 */

import { parseArgs } from 'node:util'
import { fuzz } from './guided.ts'
import { store, stored } from './stored.ts'
import { targets } from './targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
  },
})
const number = (text: string): number => {
  const n = Number(text)
  if (Number.isSafeInteger(n) && n >= 0) return n
  process.stderr.write(`fuzz: "${text}" is no whole number\n`)
  process.exit(2)
}
const limits = { cases: number(values.cases), seconds: number(values.seconds), seed: number(values.seed) }
const unknown = positionals.filter(name => !targets.some(t => t.name === name))
if (unknown.length > 0) {
  process.stderr.write(`fuzz: no parser ${unknown.join(', ')}; there are ${targets.map(t => t.name).join(', ')}\n`)
  process.exit(2)
}

let found = 0
const row = (cells: readonly (string | number)[]) =>
  process.stdout.write(`${cells.map((c, i) => (i === 0 ? String(c).padEnd(16) : String(c).padStart(10))).join('')}\n`)
row(['parser', 'cases', 'blocks', 'corpus', 'bytes', 'finds', 'cases/s'])
for (const target of targets) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue
  const { cases, blocks, corpus, finds, seconds } = fuzz(target, stored(target.name, 'kept'), limits)
  const bytes = corpus.reduce((sum, c) => sum + c.length, 0)
  row([target.name, cases, blocks, corpus.length, bytes, finds.length, Math.round(cases / seconds)])
  store(target.name, 'kept', corpus)
  if (finds.length > 0) store(target.name, 'finds', [...stored(target.name, 'finds'), ...finds.map(f => f.bytes)])
  for (const f of finds) process.stdout.write(`  ${f.what}\n`)
  found += finds.length
}
process.exit(found > 0 ? 1 : 0)
