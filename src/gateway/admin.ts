/** The control socket: one JSON line asks, one JSON line answers. No TCP; who asks is known by the kernel (SO_PEERCRED). */

import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { type ScriptHandler, serveScript } from './admin-script.ts'
import { serveTerminal } from './admin-terminal.ts'
import type { AdminAnswer, AdminRequest, Caller, Follow } from './caller.ts'
import { makeDirectory } from './directory.ts'
import type { Native } from './native.ts'
import type { TerminalEnd, Wire } from './terminals.ts'

export type AdminHandler = (request: AdminRequest, caller: Caller) => Promise<AdminAnswer> | AdminAnswer

/** A terminal instead of a request: `{"terminal":{"columns":80,"rows":24}}`. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

export type TerminalHandler = (wire: Wire, size: TerminalSize, caller: Caller) => TerminalEnd | undefined

/** Who carries out the commands of a caller's script. */
export type ScriptHandlers = (caller: Caller) => ScriptHandler

/** The longest request: a command line is far shorter. */
const MAX_REQUEST = 16_384
const IDLE_MILLIS = 30_000
/** Somebody who takes nothing any more must not fill our memory. */
const MOST_UNREAD = 1_048_576

export class AdminSocket {
  private readonly server: Server
  private readonly path: string
  private readonly native: Native
  private readonly handler: AdminHandler
  private readonly terminal: TerminalHandler | undefined
  private readonly scripts: ScriptHandlers | undefined
  private readonly open = new Set<Socket>()

  constructor(
    path: string,
    native: Native,
    handler: AdminHandler,
    terminal?: TerminalHandler,
    scripts?: ScriptHandlers,
  ) {
    this.path = path
    this.native = native
    this.handler = handler
    this.terminal = terminal
    this.scripts = scripts
    this.server = createServer({ allowHalfOpen: true }, socket => this.serve(socket))
  }

  /** Listens with mode 0660. A socket that nobody answers on is an earlier run's and is replaced; a live one is an error. */
  async listen(): Promise<void> {
    makeDirectory(dirname(this.path), 0o755)
    if (await answers(this.path)) throw new Error(`${this.path}: a gateway is already serving there`)
    rmSync(this.path, { force: true })
    const mask = process.umask(0o117)
    try {
      await new Promise<void>((resolve, reject) => {
        this.server.once('error', reject)
        this.server.listen(this.path, resolve)
      })
      chmodSync(this.path, 0o660)
    } finally {
      process.umask(mask)
    }
  }

  close(): void {
    this.server.close()
    for (const s of this.open) s.destroy()
    rmSync(this.path, { force: true })
  }

  private serve(socket: Socket): void {
    let buffered = ''
    let caller: Caller
    try {
      caller = this.caller(socket)
    } catch {
      socket.destroy()
      return
    }
    this.open.add(socket)
    socket.setEncoding('utf8')
    socket.setTimeout(IDLE_MILLIS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.open.delete(socket))
    const receive = (data: string) => {
      buffered += data
      const end = buffered.indexOf('\n')
      if ((end < 0 ? buffered.length : end) > MAX_REQUEST) {
        socket.destroy()
        return
      }
      if (end < 0) return
      // One request a connection: what follows it is not heard.
      socket.off('data', receive)
      const size = this.terminal && terminalSize(buffered.slice(0, end))
      if (size) {
        socket.setTimeout(0)
        serveTerminal(socket, buffered.slice(end + 1), wire => this.terminal?.(wire, size, caller))
        return
      }
      const line = buffered.slice(0, end)
      if (this.scripts && isScript(line)) {
        socket.setTimeout(0)
        serveScript(socket, buffered.slice(end + 1), this.scripts(caller))
        return
      }
      void this.answer(line, caller).then(({ follow, ...answer }) => {
        socket.write(`${JSON.stringify(answer)}\n`)
        if (follow !== undefined && asksToFollow(line)) serveFollow(socket, follow)
        else socket.end()
      })
    }
    socket.on('data', receive)
  }

  private async answer(line: string, caller: Caller): Promise<AdminAnswer> {
    let request: AdminRequest
    try {
      const parsed = JSON.parse(line) as Partial<AdminRequest>
      if (typeof parsed.command !== 'string') throw new Error('no command')
      request = { command: parsed.command, json: parsed.json === true }
    } catch {
      return { exit: 2, text: 'not a request' }
    }
    try {
      return await this.handler(request, caller)
    } catch (e) {
      return { exit: 1, text: `internal error: ${e instanceof Error ? e.message : String(e)}` }
    }
  }

  private caller(socket: Socket): Caller {
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const { uid, pid } = this.native.peerCredentials(fd)
    return { uid, pid }
  }
}

function asksToFollow(line: string): boolean {
  return (JSON.parse(line) as Partial<AdminRequest>).follow === true
}

/** Until either side hangs up, or the time is over. */
function serveFollow(socket: Socket, follow: Follow): void {
  socket.setTimeout(0)
  const stop = follow.start(
    text => {
      if (!socket.writable || socket.writableLength > MOST_UNREAD) return false
      socket.write(`${JSON.stringify({ screen: text })}\n`)
      return true
    },
    () => socket.end(),
  )
  const end = setTimeout(() => socket.end(), follow.millis)
  socket.resume()
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    clearTimeout(end)
    stop()
  })
}

function isScript(line: string): boolean {
  try {
    return (JSON.parse(line) as { script?: unknown } | null)?.script === true
  } catch {
    return false
  }
}

function terminalSize(line: string): TerminalSize | undefined {
  try {
    const { terminal } = JSON.parse(line) as { terminal?: { columns?: unknown; rows?: unknown } }
    if (typeof terminal?.columns !== 'number' || typeof terminal.rows !== 'number') return undefined
    return { columns: terminal.columns, rows: terminal.rows }
  } catch {
    return undefined
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createConnection(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
