/** The local terminal: carries keys to the gateway's prompt and its screen back. All else is the gateway's. */

import { createConnection } from 'node:net'
import type { ReadStream, WriteStream } from 'node:tty'
import type { TerminalInput, TerminalOutput } from '../gateway/admin-terminal.ts'
import { GONE, unreachable } from './ask.ts'

/** Resolves with the exit status when the prompt is left. */
export function runTerminal(path: string, input: ReadStream, output: WriteStream): Promise<number> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    let served = false
    let buffered = ''
    const size = () => ({ columns: output.columns ?? 80, rows: output.rows ?? 24 })
    const send = (message: TerminalInput) => socket.write(`${JSON.stringify(message)}\n`)
    const leave = (status: number, text = '') => {
      input.setRawMode(false)
      input.pause()
      input.removeAllListeners('data')
      output.removeAllListeners('resize')
      process.removeAllListeners('SIGTERM')
      process.removeAllListeners('SIGHUP')
      if (text !== '') process.stderr.write(`${text}\n`)
      resolve(status)
    }
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      socket.write(`${JSON.stringify({ terminal: size() })}\n`)
      input.setRawMode(true)
      input.setEncoding('utf8')
      input.on('data', (keys: string) => send({ keys }))
      input.on('end', () => socket.end())
      output.on('resize', () => send(size()))
      // The terminal must not be left raw.
      process.on('SIGTERM', () => socket.end())
      process.on('SIGHUP', () => socket.end())
    })
    socket.on('data', (data: string) => {
      served = true
      buffered += data
      const lines = buffered.split('\n')
      buffered = lines.pop() ?? ''
      for (const line of lines) output.write((JSON.parse(line) as TerminalOutput).screen)
    })
    let error: NodeJS.ErrnoException | undefined
    socket.on('error', e => {
      error = e
    })
    socket.on('close', () => {
      if (error !== undefined) leave(GONE, unreachable(path, error).text)
      else if (served) leave(0)
      else leave(GONE, 'vpnctl: the gateway hung up without an answer')
    })
  })
}
