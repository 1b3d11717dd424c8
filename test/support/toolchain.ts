/** What tests of native code need beside Node, and how they say that it is absent. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}

type Need = readonly [what: string, there: boolean]

export const toolchain = {
  compiler: ['g++', has('g++')],
  openssl: ['libssl-dev', existsSync('/usr/include/openssl/evp.h')],
  valgrind: ['valgrind', has('valgrind') && existsSync('/usr/include/valgrind/memcheck.h')],
  objdump: ['objdump', has('objdump')],
  x86: ['an x86-64 processor', process.arch === 'x64'],
} as const satisfies Record<string, Need>

/** Why a test cannot run here, printed; empty where it can. */
export function lacking(...needs: readonly Need[]): string {
  const missing = needs.filter(([, there]) => !there).map(([what]) => what)
  if (missing.length > 0) console.warn(`skipped, for want of ${missing.join(' and ')}`)
  return missing.join(' and ')
}
