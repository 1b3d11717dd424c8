/**
 * What the data path leaves to the garbage collector, and how long that stops it: garbage.ts, in a thread that is made as a
 * worker of the gateway is.
 */

import { Worker } from 'node:worker_threads'
import { collectWithoutHelp, workerLimits } from '../src/gateway/collector.ts'

collectWithoutHelp()
const thread = new Worker(new URL('./garbage.js', import.meta.url), {
  argv: process.argv.slice(2),
  resourceLimits: workerLimits,
})
thread.on('exit', code => {
  process.exitCode = code
})
