/**
 * A script over the control socket. After `{"script":true}` vpnctl sends the script as it is and its end; we send a JSON line
 * for each command, `{"line":3,"exit":0,"text":"...","data":...}`, and at the end one with the worst `exit` alone.
 */

import type { Socket } from 'node:net'
import type { AdminAnswer } from './caller.ts'
import { ScriptRunner, type ScriptWorld } from './script-runner.ts'

/** What vpnctl gets: of a command, or, without a line, of the whole. */
export interface ScriptAnswer extends Omit<AdminAnswer, 'follow'> {
  readonly line?: number
}

export type ScriptHandler = Omit<ScriptWorld, 'told'>

/** A script that is longer may come in parts: a socket that nobody reads is not filled without end. */
const MOST_UNREAD = 4_194_304

export function serveScript(socket: Socket, buffered: string, handler: ScriptHandler): void {
  const send = (answer: ScriptAnswer) => {
    if (socket.writableLength > MOST_UNREAD) socket.destroy()
    else if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`)
  }
  const runner = new ScriptRunner({
    ...handler,
    told: (line, { exit, text, data }) => send({ line, exit, text, ...(data !== undefined && { data }) }),
  })
  const take = (text: string) => {
    if (!runner.feed(text)) socket.destroy()
  }
  socket.on('data', take)
  socket.on('end', () => {
    void runner.end().then(exit => {
      send({ exit, text: '' })
      socket.end()
    })
  })
  socket.on('close', () => runner.stop())
  take(buffered)
}
