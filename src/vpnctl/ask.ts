/** One command to the gateway, over its control socket, and what comes after its answer. */

import { createConnection } from 'node:net'
import type { TerminalOutput } from '../gateway/admin-terminal.ts'
import type { AdminAnswer, AdminRequest } from '../gateway/caller.ts'

export interface Outcome {
  readonly exit: number
  readonly text: string
}

/** The gateway is not there. */
export const GONE = 3

/** Never rejects: a gateway that is not there is an outcome, too. What comes after the answer comes until that ends, or this is interrupted. `more` is told each piece. */
export function follow(
  path: string,
  command: string,
  json: boolean,
  more: (text: string) => void,
  first: (o: Outcome) => void,
): Promise<number> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    let buffered = ''
    let exit: number | undefined
    socket.setEncoding('utf8')
    socket.on('connect', () =>
      socket.write(`${JSON.stringify({ command, json, follow: true } satisfies AdminRequest)}\n`),
    )
    socket.on('data', (data: string) => {
      const lines = (buffered + data).split('\n')
      buffered = lines.pop() ?? ''
      for (const line of lines) {
        if (exit !== undefined) more((JSON.parse(line) as TerminalOutput).screen)
        else {
          const answer = outcome(line, json)
          exit = answer.exit
          first(answer)
        }
      }
    })
    const interrupted = () => socket.end()
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
    const done = (status: number) => {
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', interrupted)
      resolve(status)
    }
    socket.on('error', (e: NodeJS.ErrnoException) => {
      if (exit === undefined) first(unreachable(path, e))
      exit ??= GONE
    })
    socket.on('close', () => {
      if (exit === undefined) first(outcome('', json))
      done(exit ?? GONE)
    })
  })
}

export function unreachable(path: string, e: NodeJS.ErrnoException): Outcome {
  if (e.code === 'EACCES') {
    return { exit: GONE, text: `vpnctl: not allowed to use ${path}: run as root or as a member of its group` }
  }
  const why = e.code === 'ENOENT' || e.code === 'ECONNREFUSED' ? 'the gateway is not running' : e.message
  return { exit: GONE, text: `vpnctl: ${path}: ${why} (start it with floatgated, or name its socket with --socket)` }
}

function outcome(line: string, json: boolean): Outcome {
  try {
    const answer = JSON.parse(line) as AdminAnswer
    const text = json && answer.data !== undefined ? JSON.stringify(answer.data, null, 2) : answer.text
    return { exit: answer.exit, text }
  } catch {
    return { exit: GONE, text: 'vpnctl: the gateway hung up without an answer' }
  }
}
