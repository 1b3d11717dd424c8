/**
 * The instructions of the native kernels as callgrind counts them, which repeat exactly where the compiler is the same:
 * beside those of bench/instructions.json, and under other keys and data, which must not change one.
 * UPDATE_COUNTS=1 writes the file anew.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { lacking, toolchain } from '../support/toolchain.ts'

const file = fileURLToPath(new URL('../../bench/instructions.json', import.meta.url))
const native = fileURLToPath(new URL('../../native/', import.meta.url))
/** By compiler: instructions by kernel. */
type Table = Readonly<Record<string, Readonly<Record<string, number>>>>

/** Other compilers than those of the file make other code; what is twice as much of it is a fault all the same. */
const GROSS = 2
/** What a change may do to a kernel without a word. */
const UNSAID = 0.02

function build(folder: string): string {
  const program = join(folder, 'kernels')
  execFileSync(join(native, 'test/des.sh'), ['build-kernels', program], { stdio: 'pipe' })
  return program
}

function count(program: string, folder: string, seed: string): Record<string, number> {
  const output = join(folder, `counts.${seed}`)
  execFileSync('valgrind', ['-q', '--tool=callgrind', `--callgrind-out-file=${output}`, program, seed], {
    stdio: 'pipe',
  })
  const counts: Record<string, number> = {}
  for (const name of readdirSync(folder).filter(f => f.startsWith(`counts.${seed}.`))) {
    const text = readFileSync(join(folder, name), 'utf8')
    const kernel = /^desc: Trigger: Client Request: (.+)$/m.exec(text)?.[1]
    if (kernel) counts[kernel] = Number(/^(?:summary|totals): (\d+)/m.exec(text)![1])
  }
  return counts
}

const needs = [toolchain.compiler, toolchain.openssl, toolchain.valgrind, toolchain.x86]
test.skipIf(lacking(...needs))(
  'the kernels take the instructions that they are known to take, whatever keys and data',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernels-'))
    try {
      const program = build(folder)
      const counts = count(program, folder, '1')
      expect(count(program, folder, '2')).toEqual(counts)

      const compiler = `g++ ${spawnSync('g++', ['-dumpfullversion']).stdout.toString().trim()}`
      const known: Table = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
      if (process.env['UPDATE_COUNTS']) {
        const sorted = Object.fromEntries(Object.entries({ ...known[compiler], ...counts }).sort())
        writeFileSync(file, `${JSON.stringify({ ...known, [compiler]: sorted }, undefined, 2)}\n`)
        return
      }
      const same = known[compiler]
      if (same === undefined) console.warn(`no counts of ${compiler} are known: only twice as many would be told`)
      const expected = same ?? Object.values(known)[0]!
      const most = same === undefined ? GROSS : 1 + UNSAID
      const least = same === undefined ? 0 : 1 - UNSAID
      const off = Object.entries(counts).filter(([kernel, n]) => {
        const wanted = expected[kernel]
        if (wanted === undefined) console.warn(`${kernel}: ${n}; no processor like this one was counted on`)
        return wanted !== undefined && !(n <= wanted * most && n >= wanted * least)
      })
      expect(Object.keys(counts).filter(kernel => kernel in expected).length).toBeGreaterThanOrEqual(5)
      expect(off.map(([kernel, n]) => `${kernel}: ${n}, and ${expected[kernel]} are known`)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  600_000,
)
