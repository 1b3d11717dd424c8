/** Runs other programs: `ip` and `nft`. */

import { spawn } from 'node:child_process'

/** A listing of the largest policy fits; whatever prints more is cut. */
const MAX_OUTPUT = 16 << 20

export interface RunResult {
  readonly status: number
  readonly output: string
}

/** Runs one program with `input` on its standard input; never throws: a missing program is status 127. */
export function run(program: string, args: readonly string[], input = ''): Promise<RunResult> {
  return new Promise(resolve => {
    let output = ''
    const child = spawn(program, [...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    const take = (data: Buffer) => {
      if (output.length < MAX_OUTPUT) output += data.toString('utf8')
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.stdin.on('error', () => undefined)
    child.on('error', e => resolve({ status: 127, output: e.message }))
    child.on('close', status => resolve({ status: status ?? 1, output: output.trim() }))
    child.stdin.end(input)
  })
}
