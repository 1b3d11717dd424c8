// `npm run simulate`: the whole gateway, its clients and a bad Internet between them, in one process and in virtual time.
// `--seeds N` plays the seeds 1 to N, `--seed N` one alone with everything that happens; `--jobs N` and `--engine native`: see
// test/network/main.ts.

import { setup } from './setup.mjs'

setup()
await import('../dist/test/network/main.js')
