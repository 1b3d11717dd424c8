// `npm run bench`: sets everything up and runs every benchmark of bench/, one after the other. Arguments choose among them
// by name, and those that begin with -- are passed on.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, setup } from './setup.mjs'

setup()
const folder = join(root, 'dist', 'bench')
const args = process.argv.slice(2)
const options = args.filter(a => a.startsWith('--'))
const names = args.filter(a => !a.startsWith('--'))
let status = 0
for (const file of readdirSync(folder).filter(f => f.endsWith('.bench.js'))) {
  const name = file.replace('.bench.js', '')
  if (names.length > 0 && !names.includes(name)) continue
  process.stdout.write(`== ${name}\n`)
  const r = spawnSync('node', ['--expose-gc', join(folder, file), ...options], { cwd: root, stdio: 'inherit' })
  if (r.status !== 0) status = 1
}
process.exit(status)
