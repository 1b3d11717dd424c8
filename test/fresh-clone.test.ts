/** A clone in which nothing was built yet: what its programs say, and what `npm run setup` does where npm cannot fetch. */

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'floatgate-fresh-'))
/** As the programs name it; the folder for temporary files may itself be a link. */
const clone = join(realpathSync(scratch), 'clone')
/** The same clone, as one goes there by a link. */
const linked = join(scratch, 'linked')
for (const name of ['bin', 'scripts', 'package.json', 'package-lock.json'])
  cpSync(join(root, name), join(clone, name), { recursive: true })
symlinkSync(clone, linked)
afterAll(() => rmSync(scratch, { recursive: true }))

/** A program that does what this line of shell says. */
function program(name: string, line: string): string {
  const directory = join(scratch, 'programs')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, name), `#!/bin/sh\n${line}\n`)
  chmodSync(join(directory, name), 0o755)
  return directory
}

describe('a fresh clone', () => {
  it.each([
    ['floatgated', 3],
    ['vpnctl', 1],
  ])('has a %s that says what to run first, also by a link to it', (name, exit) => {
    const link = join(scratch, name)
    symlinkSync(join(clone, 'bin', name), link)
    for (const path of [join(clone, 'bin', name), join(linked, 'bin', name), link]) {
      const { status, stdout, stderr } = spawnSync(path, ['--help'], { encoding: 'utf8' })
      expect([status, stdout, stderr]).toEqual([
        exit,
        '',
        `${name}: nothing was built yet: run "npm run setup" in ${clone}\n`,
      ])
    }
  })

  it('says what it fetches before it does, bounds how long that takes, and what to do where it fails', () => {
    const asked = join(scratch, 'asked')
    const programs = program(
      'npm',
      `[ "$1" = config ] && echo https://mirror.example/ && exit 0
       echo "$@" > ${asked}
       echo "npm error EAI_AGAIN" >&2
       exit 1`,
    )
    // Nothing is to be installed for a test.
    program('apt-get', 'exit 0')
    const { status, stderr } = spawnSync(process.execPath, [join(linked, 'scripts', 'setup.mjs')], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${programs}:${process.env['PATH']}` },
    })
    expect(status).toBe(1)
    const lines = stderr.trimEnd().split('\n')
    const said = lines.findIndex(line => line.includes('packages comes from https://mirror.example/'))
    const failed = lines.indexOf('npm error EAI_AGAIN')
    expect(said).toBeGreaterThan(-1)
    expect(failed).toBeGreaterThan(said)
    expect(lines[failed + 1]).toContain('npm needs https://mirror.example/')
    expect(lines.at(-1)).toMatch(/^setup: "npm ci .*" failed \(exit 1\)$/)
    const limits = readFileSync(asked, 'utf8')
    const seconds = Number(/--fetch-timeout=(\d+)000/.exec(limits)?.[1])
    const retries = Number(/--fetch-retries=(\d+)/.exec(limits)?.[1])
    expect(seconds * (retries + 1)).toBeLessThanOrEqual(180)
  })
})
