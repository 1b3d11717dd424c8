/**
 * What the fuzzer keeps of a target between runs, in test/fuzz/corpus/<target>: `seeds.txt` where inputs cannot be made
 * when they are needed, `kept.txt` with inputs that reach something, `finds.txt` with those that once found a bug. One
 * input a line, in base64.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export type Kind = 'seeds' | 'kept' | 'finds'

/** From the project's root, where its commands are run. */
const place = (target: string, kind: Kind) => `test/fuzz/corpus/${target}/${kind}.txt`

export function stored(target: string, kind: Kind): Uint8Array[] {
  const path = place(target, kind)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => new Uint8Array(Buffer.from(line, 'base64')))
}

export function store(target: string, kind: Kind, inputs: readonly Uint8Array[]): void {
  const path = place(target, kind)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, inputs.map(bytes => `${Buffer.from(bytes).toString('base64')}\n`).join(''))
}
