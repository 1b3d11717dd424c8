/** A script on standard input: one command a line. As on the router, an error is told and the next line is carried out. */

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { GONE, type Outcome } from './ask.ts'

/** The worst of what became of the lines; a gateway that is gone ends it. */
export async function runScript(
  input: Readable,
  run: (command: string) => Promise<Outcome>,
  print: (outcome: Outcome) => void,
): Promise<number> {
  let worst = 0
  let line = 0
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    line++
    if (/^\s*(\*?#|$)/.test(text)) continue
    const outcome = await run(text)
    print(outcome.exit === 0 ? outcome : { ...outcome, text: `line ${line}: ${outcome.text}` })
    worst = Math.max(worst, outcome.exit)
    if (outcome.exit === GONE) break
  }
  return worst
}
