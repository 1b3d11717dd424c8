// Programs that tests use and the machine need not have: Debian packages are unpacked under dist/tools, and nothing is installed,
// so that no service is started and no file of the machine's own is touched.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, say } from './setup.mjs'

/** Unpacks the packages where `shows` is not there yet; what cannot be had is left, and the tests say that they skip. */
export function unpack(name, packages, shows) {
  const into = join(root, 'dist', 'tools', name)
  if (existsSync(join(into, shows))) return
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into, { recursive: true })
  say(`unpacking ${packages.join(' ')} into dist/tools/${name}`)
  const apt = (...args) => spawnSync('apt-get', args, { cwd: into, encoding: 'utf8', timeout: 45_000 }).status === 0
  if (!apt('download', ...packages) && !(apt('update') && apt('download', ...packages))) {
    say(`${packages.join(' ')} cannot be had: the tests that need them are skipped`)
    return
  }
  for (const file of readdirSync(into).filter(f => f.endsWith('.deb'))) {
    spawnSync('dpkg', ['-x', file, '.'], { cwd: into })
    rmSync(join(into, file))
  }
}
