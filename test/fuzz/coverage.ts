/**
 * Which code ran since the last look, by V8's own block coverage: what a fuzzer needs to know whether an input went where
 * none was before. A look costs milliseconds, so it is taken once a batch of inputs.
 */

import { Session } from 'node:inspector'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** One script: which of its characters ran, and where its blocks meet. */
interface Script {
  covered: Uint8Array
  readonly borders: Set<number>
}

export class Coverage {
  private readonly session = new Session()
  private readonly scripts = new Map<string, Script>()
  private readonly wanted: (url: string) => boolean
  private now = new Uint8Array(1 << 16)
  /** What the last look found new. */
  private fresh: { readonly of: Script; readonly at: number }[] = []

  /** Counts from here on, in the scripts that `wanted` tells by their URL. */
  constructor(wanted: (url: string) => boolean) {
    this.wanted = wanted
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    // What ran before does not count.
    this.look()
    this.scripts.clear()
  }

  /** How many characters ran for the first time ever since the last look. */
  look(): number {
    this.fresh = []
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error
      for (const script of answer.result) if (this.wanted(script.url)) this.merge(script)
    })
    return this.fresh.length
  }

  /** Takes back what the last look found new, so that it can be found again; what is given back puts it there once more. */
  forget(): () => void {
    const { fresh } = this
    for (const { of, at } of fresh) of.covered[at] = 0
    return () => {
      for (const { of, at } of fresh) of.covered[at] = 1
    }
  }

  /** Blocks that ran: the stretches of code between the places where one count gave way to another. */
  get blocks(): number {
    let blocks = 0
    for (const { covered, borders } of this.scripts.values()) for (const at of borders) if (covered[at] === 1) blocks++
    return blocks
  }

  stop(): void {
    this.session.post('Profiler.stopPreciseCoverage')
    this.session.disconnect()
  }

  private merge({ url, functions }: ScriptCoverage): void {
    let end = 0
    for (const f of functions) for (const r of f.ranges) end = Math.max(end, r.endOffset)
    if (this.now.length < end) this.now = new Uint8Array(end * 2)
    const { now } = this
    now.fill(0, 0, end)
    const script = this.scripts.get(url) ?? { covered: new Uint8Array(0), borders: new Set<number>() }
    this.scripts.set(url, script)
    // Outer ranges come before the inner ones, which know better.
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges) {
        now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
        script.borders.add(startOffset).add(endOffset)
      }
    if (script.covered.length < end) {
      const larger = new Uint8Array(end)
      larger.set(script.covered)
      script.covered = larger
    }
    const { covered } = script
    for (let at = 0; at < end; at++)
      if (now[at] === 1 && covered[at] === 0) {
        covered[at] = 1
        this.fresh.push({ of: script, at })
      }
  }
}
