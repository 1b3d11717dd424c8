/**
 * `npm run simulate`: plays seeds and tells what they went through. `--seeds N` plays so many, `--from N` begins elsewhere than
 * at 1, `--brief` makes each short, `--engine native` opens and seals with the addon, `--jobs N` shares the seeds among so many
 * processes, `--seed N` plays one alone and shows all that happens. Ends 1 where something that must hold did not.
 */

import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { engines, isEngineName } from './engines.ts'
import { Explored } from './explored.ts'
import { brief } from './plan.ts'
import { Simulation } from './simulation.ts'

/** What a process that plays seeds is asked, one by one, and answers. */
interface Answer {
  readonly seed: number
  readonly explored?: Explored
  readonly fault?: string
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    jobs: { type: 'string' },
    engine: { type: 'string' },
    brief: { type: 'boolean' },
  },
})
const engine = values.engine ?? 'reference'
if (!isEngineName(engine)) usage(`"${engine}" is no engine: native or reference`)
const options = { ...engines[engine](), ...(values.brief ? { plan: brief } : {}) }
const flags = [...(values.brief ? ['--brief'] : []), ...(values.engine ? ['--engine', engine] : [])]

if (process.send) process.on('message', (seed: number) => process.send!(play(seed)))
else if (values.seed !== undefined) alone(number(values.seed, 0))
else await all()

/** Plays one seed and shows everything. */
function alone(seed: number): never {
  const began = process.hrtime.bigint()
  const trace = (line: string) => process.stdout.write(`${line}\n`)
  try {
    finish(new Simulation(seed, { ...options, trace }).run(), 1, 0, began)
  } catch (e) {
    tell({ seed, fault: (e as Error).message })
    process.stdout.write(`${((e as Error).cause as Error).stack}\n`)
    finish(new Explored(), 1, 1, began)
  }
}

function play(seed: number): Answer {
  try {
    return { seed, explored: new Simulation(seed, options).run() }
  } catch (e) {
    return { seed, fault: (e as Error).message }
  }
}

async function all(): Promise<never> {
  const began = process.hrtime.bigint()
  const first = number(values.from, 1)
  const count = number(values.seeds, 100)
  const explored = new Explored()
  let failed = 0
  let next = first
  const take = (answer: Answer) => {
    if (answer.explored) explored.add(answer.explored)
    else failed++
    tell(answer)
  }
  const worker = async () => {
    const child = fork(fileURLToPath(import.meta.url), flags)
    while (next < first + count) {
      const seed = next++
      const answer = await new Promise<Answer>(resolve => {
        const ended = (code: number | null) => resolve({ seed, fault: `its process ended with ${code}` })
        child.once('exit', ended)
        child.once('message', message => {
          child.off('exit', ended)
          resolve(message as Answer)
        })
        child.send(seed)
      })
      take(answer)
    }
    child.disconnect()
  }
  const jobs = Math.min(count, number(values.jobs, availableParallelism()))
  if (jobs > 1) await Promise.all(Array.from({ length: jobs }, worker))
  else while (next < first + count) take(play(next++))
  finish(explored, count, failed, began)
}

function tell({ seed, fault }: Answer): void {
  if (fault === undefined) return
  const command = ['npm run simulate -- --seed', seed, ...flags].join(' ')
  process.stdout.write(`seed ${seed} FAILED ${fault}\n  replay: ${command}\n`)
}

function finish(explored: Explored, count: number, failed: number, began: bigint): never {
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  process.stdout.write(`${explored.text()}\n${count} seeds, ${failed} failed, ${seconds.toFixed(1)} s\n`)
  process.exit(failed > 0 ? 1 : 0)
}

function number(text: string | undefined, otherwise: number): number {
  const n = text === undefined ? otherwise : Number(text)
  return Number.isSafeInteger(n) && n >= 0 ? n : usage(`"${text}" is no whole number`)
}

function usage(text: string): never {
  process.stderr.write(`simulate: ${text}\n`)
  process.exit(2)
}
