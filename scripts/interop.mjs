// npm run interop: makes what is missing (dependencies, addon, dist), then plays the gateway against real clients.
// See test/interop/main.ts for what it does and which arguments it takes.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const setup = spawnSync(process.execPath, [here('setup.mjs')], { stdio: 'inherit' })
if (setup.status !== 0) process.exit(setup.status ?? 1)

// In this same process, so that Ctrl-C reaches the one that has to clean up.
await import('../dist/test/interop/main.js')
