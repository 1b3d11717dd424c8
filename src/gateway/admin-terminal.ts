/**
 * A terminal over the control socket. After `{"terminal":{"columns":80,"rows":24}}` both sides send JSON lines: vpnctl
 * `{"keys":"..."}` and `{"columns":..,"rows":..}`, we `{"screen":"..."}`, and hang up at the end.
 */

import type { Socket } from 'node:net'
import type { TerminalEnd, Wire } from './terminals.ts'

/** What vpnctl sends. */
export type TerminalInput = { readonly keys: string } | { readonly columns: number; readonly rows: number }

/** What it gets. */
export interface TerminalOutput {
  readonly screen: string
}

const LONGEST_LINE = 262_144
/** A terminal that takes nothing any more must not fill our memory. */
const MOST_UNREAD = 4_194_304

export function serveTerminal(socket: Socket, buffered: string, start: (wire: Wire) => TerminalEnd | undefined): void {
  const wire: Wire = {
    write: screen => {
      if (socket.writableLength > MOST_UNREAD) socket.destroy()
      else if (socket.writable) socket.write(`${JSON.stringify({ screen } satisfies TerminalOutput)}\n`)
    },
    close: () => socket.end(),
  }
  const end = start(wire)
  if (end === undefined) return
  let text = buffered
  const take = () => {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
      const line = text.slice(0, at)
      text = text.slice(at + 1)
      if (input(line, end)) continue
      socket.destroy()
      return
    }
    if (text.length > LONGEST_LINE) socket.destroy()
  }
  socket.on('data', (data: string) => {
    text += data
    take()
  })
  socket.on('end', () => socket.end())
  socket.on('close', () => end.hungUp())
  take()
}

function input(line: string, end: TerminalEnd): boolean {
  try {
    const { keys, columns, rows } = JSON.parse(line) as { keys?: unknown; columns?: unknown; rows?: unknown }
    if (typeof keys === 'string') end.keys(keys)
    else if (typeof columns === 'number' && typeof rows === 'number') end.resize(columns, rows)
    else return false
    return true
  } catch {
    return false
  }
}
