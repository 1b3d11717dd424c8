/** One SSH session (RFC 4254 section 6): a prompt on a pseudo terminal, a script without one, or one command. */

import { StringDecoder } from 'node:string_decoder'
import type { ServerChannel, Session } from 'ssh2'
import type { Configuration } from '../alliedware/config.ts'
import type { AdminAnswer } from './caller.ts'
import type { Operator } from './operator.ts'
import { ScriptRunner } from './script-runner.ts'
import type { Terminals } from './terminals.ts'

export interface SshOperators {
  /** Who has logged in as that SSH user. */
  readonly operator: (user: string, place: string) => Operator
  readonly terminals: Terminals
  readonly perform: (operator: Operator, text: string) => Promise<AdminAnswer>
  readonly configuration: () => Configuration
}

const MOST_UNREAD = 4_194_304

export function serveSession(session: Session, user: string, place: string, w: SshOperators): void {
  const operator = w.operator(user, place)
  let size: { columns: number; rows: number } | undefined
  let resize: (columns: number, rows: number) => void = () => undefined
  session.on('pty', (accept, _, info) => {
    size = { columns: info.cols, rows: info.rows }
    accept?.()
  })
  session.on('window-change', (accept, _, info) => {
    accept?.()
    resize(info.cols, info.rows)
  })
  session.on('shell', accept => {
    const channel = accept()
    channel.on('error', () => undefined)
    if (size === undefined) return script(channel, operator, w)
    const decoder = new StringDecoder('utf8')
    const wire = {
      write: (text: string) => {
        // A client that takes nothing any more must not fill our memory.
        if (channel.writableLength > MOST_UNREAD) channel.close()
        else channel.write(text)
      },
      close: () => leave(channel, 0),
    }
    const end = w.terminals.start(operator, wire, size.columns, size.rows)
    if (end === undefined) return
    resize = end.resize
    channel.on('data', (data: Buffer) => end.keys(decoder.write(data)))
    channel.on('close', end.hungUp)
    // No more keys will come: what was typed is still done, then it is as if the terminal were left.
    channel.on('end', () => end.keys('\x03\x04'))
  })
  session.on('exec', (accept, _, info) => {
    const channel = accept()
    channel.on('error', () => undefined)
    void one(channel, operator, w, info.command).then(exit => leave(channel, exit))
  })
}

/** `--json` before or behind a SHOW gives its data. */
async function one(channel: ServerChannel, operator: Operator, w: SshOperators, text: string): Promise<number> {
  const command = text.trim().replace(/^--json\s+|\s+--json$/, '')
  const answer = await w.perform(operator, command)
  const asked = command !== text.trim() && answer.data !== undefined
  const out = asked ? JSON.stringify(answer.data, null, 2) : answer.text
  if (out !== '') (answer.exit === 0 ? channel : channel.stderr).write(`${out}\n`)
  return answer.exit
}

/** Line after line; an error is told, and the next line is carried out, as the router does. */
function script(channel: ServerChannel, operator: Operator, w: SshOperators): void {
  const decoder = new StringDecoder('utf8')
  const runner = new ScriptRunner({
    configuration: w.configuration,
    perform: text => w.perform(operator, text),
    told: (_, { exit, text }) => {
      if (text !== '') (exit === 0 ? channel : channel.stderr).write(`${text}\n`)
    },
  })
  channel.on('data', (data: Buffer) => {
    if (!runner.feed(decoder.write(data))) leave(channel, 2)
  })
  channel.on('end', () => void runner.end().then(exit => leave(channel, exit)))
  channel.on('close', () => runner.stop())
}

function leave(channel: ServerChannel, exit: number): void {
  channel.exit(exit)
  channel.end()
}
