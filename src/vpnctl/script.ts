/** A script on standard input: the gateway joins its wrapped lines and carries it out, and each answer is printed. */

import { createConnection } from 'node:net'
import type { Readable } from 'node:stream'
import type { ScriptAnswer } from '../gateway/admin-script.ts'
import { GONE, type Outcome, unreachable } from './ask.ts'

/** The worst of what became of the commands. As on the router, an error is told and the next line is carried out. */
export function runScript(
  path: string,
  json: boolean,
  input: Readable,
  print: (outcome: Outcome) => void,
): Promise<number> {
  return new Promise(resolve => {
    const socket = createConnection({ path, allowHalfOpen: true })
    let buffered = ''
    let worst: number | undefined
    let fault: NodeJS.ErrnoException | undefined
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      socket.write(`${JSON.stringify({ script: true })}\n`)
      input.pipe(socket)
    })
    socket.on('data', (data: string) => {
      const lines = (buffered + data).split('\n')
      buffered = lines.pop() ?? ''
      for (const line of lines) {
        const answer = JSON.parse(line) as ScriptAnswer
        if (answer.line === undefined) worst = answer.exit
        else print(outcome(answer.line, answer, json))
      }
    })
    socket.on('error', (e: NodeJS.ErrnoException) => {
      fault = e
    })
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      input.unpipe(socket)
      input.destroy()
      if (worst === undefined)
        print(fault ? unreachable(path, fault) : { exit: GONE, text: 'vpnctl: the gateway hung up in the midst of it' })
      resolve(worst ?? GONE)
    })
  })
}

function outcome(line: number, { exit, text, data }: ScriptAnswer, json: boolean): Outcome {
  if (exit !== 0) return { exit, text: `line ${line}: ${text}` }
  if (json && data !== undefined) return { exit, text: JSON.stringify(data, null, 2) }
  return { exit, text: text.replace(/^Warning \(/gm, `line ${line}: Warning (`) }
}
