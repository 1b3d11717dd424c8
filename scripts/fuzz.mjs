// `npm run fuzz`: coverage-guided fuzzing of every parser. `-- PARSER` takes one alone, `--cases N` and `--seconds N`
// bound each, `--seed N` makes another run. See test/fuzz/main.ts.

import { root, setup } from './setup.mjs'

setup()
process.chdir(root)
await import('../dist/test/fuzz/main.js')
