/** One command to the gateway, over its control socket. */

import { createConnection } from 'node:net'
import type { AdminAnswer, AdminRequest } from '../gateway/admin.ts'

export interface Outcome {
  readonly exit: number
  readonly text: string
}

/** The gateway is not there. */
export const GONE = 3

/** Never rejects: a gateway that is not there is an outcome, too. */
export function ask(path: string, request: AdminRequest): Promise<Outcome> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    let answer = ''
    socket.on('error', (e: NodeJS.ErrnoException) => resolve(unreachable(path, e)))
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.setEncoding('utf8')
    socket.on('data', (data: string) => {
      answer += data
    })
    socket.on('end', () => resolve(outcome(answer, request.json)))
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
