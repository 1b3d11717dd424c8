/**
 * `npm run simulate`: plays seeds, one after the other, and tells what they went through. `--seeds N` plays so many,
 * `--from N` begins elsewhere than at 1, `--brief` makes each short, `--seed N` plays one alone and shows all that happens. Ends 1 where something
 * that must hold did not.
 */

import { parseArgs } from 'node:util'
import { Explored } from './explored.ts'
import { brief } from './plan.ts'
import { Simulation } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    brief: { type: 'boolean' },
  },
})
const number = (text: string | undefined, otherwise: number): number => {
  const n = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(n) && n >= 0) return n
  process.stderr.write(`simulate: "${text}" is no whole number\n`)
  process.exit(2)
}

const single = values.seed === undefined ? undefined : number(values.seed, 0)
const first = single ?? number(values.from, 1)
const count = single === undefined ? number(values.seeds, 100) : 1
const explored = new Explored()
const began = process.hrtime.bigint()
let failed = 0
for (let seed = first; seed < first + count; seed++) {
  try {
    const trace = single === undefined ? undefined : (line: string) => process.stdout.write(`${line}\n`)
    explored.add(new Simulation(seed, { ...(trace ? { trace } : {}), ...(values.brief ? { plan: brief } : {}) }).run())
  } catch (e) {
    failed++
    process.stdout.write(
      `seed ${seed} FAILED ${(e as Error).message}\n  replay: npm run simulate -- --seed ${seed}${values.brief ? ' --brief' : ''}\n`,
    )
    if (single !== undefined) process.stdout.write(`${((e as Error).cause as Error).stack}\n`)
  }
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9
process.stdout.write(`${explored.text()}\n${count} seeds, ${failed} failed, ${seconds.toFixed(1)} s\n`)
process.exit(failed > 0 ? 1 : 0)
