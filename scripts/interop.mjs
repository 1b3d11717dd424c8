// npm run interop: makes what is missing (dependencies, addon, dist), then plays the gateway against real clients.
// See test/interop/main.ts for what it does and which arguments it takes.

import { setup } from './setup.mjs'

setup()
// In this same process, so that Ctrl-C reaches the one that has to clean up.
await import('../dist/test/interop/main.js')
