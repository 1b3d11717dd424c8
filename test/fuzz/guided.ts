/**
 * A fuzzer that is led by coverage: it damages inputs that it has, keeps those that reach code which none reached before,
 * and goes on with them. The same seed gives the same inputs, as long as the code is the same.
 */

import { Coverage } from './coverage.ts'
import { join, mutate, Rng } from './random.ts'

/** One parser, or a machine behind one. */
export interface Target {
  readonly name: string
  /** Inputs to begin with. */
  readonly seeds: () => readonly Uint8Array[]
  /** Pieces that damage is made of. */
  readonly dictionary: readonly Uint8Array[]
  /** Each case takes milliseconds: tests that try many of each try fewer of these. */
  readonly slow?: boolean
  /** Whose code counts: parts of the paths of scripts. */
  readonly covers: readonly string[]
  /** Takes any bytes; throws only where there is a bug. */
  readonly run: (bytes: Uint8Array) => void
}

export interface Find {
  readonly bytes: Uint8Array
  readonly what: string
}

export interface Outcome {
  readonly cases: number
  readonly blocks: number
  /** Everything worth keeping, shortest first. */
  readonly corpus: readonly Uint8Array[]
  readonly finds: readonly Find[]
  readonly seconds: number
}

const BATCH = 1024
const MAX_INPUT = 4096
const MAX_FINDS = 10
/** One input that takes longer than this is a find as well. */
const SLOW_MILLIS = 500

/** Damages `corpus` for so many cases, or until `seconds` are over. */
export function fuzz(
  target: Target,
  corpus: readonly Uint8Array[],
  limits: { readonly cases: number; readonly seconds: number; readonly seed: number; readonly finds?: number },
): Outcome {
  const rng = new Rng(limits.seed)
  const first = byLength([...target.seeds(), ...corpus])
  /** What is damaged: seeds too that reach nothing new, since their damage may. */
  const pool = [...first]
  const coverage = new Coverage(url => target.covers.some(part => url.includes(part)))
  const kept: Uint8Array[] = []
  const finds: Find[] = []
  const began = performance.now()
  const tried = (bytes: Uint8Array) => {
    const began = performance.now()
    const what =
      attempt(target, bytes) ?? (performance.now() - began > SLOW_MILLIS ? slowness(target, bytes) : undefined)
    if (what !== undefined && !finds.some(f => f.what === what)) finds.push({ bytes, what })
  }
  for (const bytes of first) {
    tried(bytes)
    if (coverage.look() > 0) kept.push(bytes)
  }
  let cases = 0
  while (
    cases < limits.cases &&
    finds.length < (limits.finds ?? MAX_FINDS) &&
    performance.now() - began < 1000 * limits.seconds
  ) {
    const batch = Array.from({ length: Math.min(BATCH, limits.cases - cases) }, () => damaged(rng, pool, target))
    for (const bytes of batch) tried(bytes)
    cases += batch.length
    if (coverage.look() === 0) continue
    const fresh = reaching(target, byLength(batch), coverage)
    kept.push(...fresh)
    pool.push(...fresh)
  }
  const seconds = (performance.now() - began) / 1000
  const { blocks } = coverage
  coverage.stop()
  return { cases, blocks, corpus: byLength(kept), finds, seconds }
}

/** Those inputs of a batch that reach what neither the corpus nor an earlier one of the batch does, found by halving. */
function reaching(target: Target, batch: readonly Uint8Array[], coverage: Coverage): readonly Uint8Array[] {
  if (batch.length === 1) return batch
  const again = coverage.forget()
  const middle = batch.length >> 1
  const fresh = [batch.slice(0, middle), batch.slice(middle)].flatMap(half => {
    for (const bytes of half) attempt(target, bytes)
    return coverage.look() > 0 ? reaching(target, half, coverage) : []
  })
  // Code that ran by chance, and does not run again, is not looked for any more.
  again()
  return fresh
}

/** What is wrong with how the target takes these bytes; undefined where nothing is. */
export function attempt(target: Target, bytes: Uint8Array): string | undefined {
  try {
    target.run(bytes.slice())
  } catch (e) {
    return e instanceof Error ? `${e.name}: ${e.message} ${(e.stack ?? '').split('\n')[1]?.trim() ?? ''}` : String(e)
  }
  return undefined
}

/** Whether it is the input that takes long, and not a machine that has other things to do. */
function slowness(target: Target, bytes: Uint8Array): string | undefined {
  for (let i = 0; i < 3; i++) {
    const began = performance.now()
    attempt(target, bytes)
    if (performance.now() - began <= SLOW_MILLIS) return undefined
  }
  return `slow: ${bytes.length} bytes`
}

/** One damaged input: of one of the corpus, or of two of them joined. */
export function damaged(rng: Rng, corpus: readonly Uint8Array[], target: Target): Uint8Array {
  let bytes = rng.pick(corpus)
  if (rng.chance(15)) {
    const other = rng.pick(corpus)
    bytes = join(bytes.slice(0, rng.below(bytes.length + 1)), other.slice(rng.below(other.length + 1)))
  }
  return mutate(rng, bytes, target.dictionary).slice(0, MAX_INPUT)
}

function byLength(inputs: readonly Uint8Array[]): Uint8Array[] {
  return [...inputs].sort((a, b) => a.length - b.length)
}
