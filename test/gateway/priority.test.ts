import { getPriority, setPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { raiseThisThread, Steps } from '../../src/gateway/priority.ts'

it('the thread that asks comes before those that it has started', async () => {
  const before = getPriority(0)
  const worker = new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => parentPort.postMessage(require('node:os').getPriority(0)))",
    { eval: true },
  )
  try {
    const raised = raiseThisThread(Steps.worker)
    expect(getPriority(0)).toBe(raised ? Math.max(-20, before - 10) : before)
    const answer = new Promise(resolve => worker.once('message', resolve))
    worker.postMessage('')
    expect(await answer).toBe(before)
  } finally {
    setPriority(0, before)
    await worker.terminate()
  }
})
