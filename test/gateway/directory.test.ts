/** Directories of the gateway's own: made with what is missing above them, or refused at once. */

import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeDirectory } from '../../src/gateway/directory.ts'
import { temporaryDirectory } from './fakes.ts'

it('makes what is missing, closed to others, and takes what is there', () => {
  const path = join(temporaryDirectory(), 'a', 'b')
  makeDirectory(path, 0o700)
  makeDirectory(path, 0o700)
  for (const made of [path, join(path, '..')]) expect(statSync(made).mode & 0o777).toBe(0o700)
})

it('leaves the mode of what is there', () => {
  const path = temporaryDirectory()
  mkdirSync(join(path, 'open'), { mode: 0o755 })
  makeDirectory(join(path, 'open', 'c'), 0o700)
  expect(statSync(join(path, 'open')).mode & 0o777).toBe(0o755)
})

// Node 20's own recursive mkdir never comes back from there.
it('refuses where a file system takes no directories', () => {
  expect(() => makeDirectory('/proc/floatgate/state', 0o700)).toThrow(/'\/proc\/floatgate'/)
})

it('refuses below a file', () => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  expect(() => makeDirectory(file, 0o700)).toThrow(/EEXIST/)
  expect(() => makeDirectory(join(file, 'below'), 0o700)).toThrow(file)
})
