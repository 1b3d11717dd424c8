/**
 * One `ip` that lives as long as the gateway and takes a command a line: to start a program for each session, a process of
 * hundreds of megabytes would have to be copied each time, and control would stand still meanwhile.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { LateWriter } from './late-writer.ts'

/** Commands that are remembered, for the words of a refusal and to be given again. */
const REMEMBERED = 16_384
/** `ip` ends where the kernel refuses one of these, -force or not, and what stands behind it is lost. */
const MAY_END = /^neigh /
/** No command: that `ip` tells of it shows that it came past the command before. */
const MARK = 'past'
/** How `ip` says which command the lines before were about. */
const FAILED = /^Command failed -:(\d+)/

export class IpCommands {
  private child: ChildProcess | undefined
  private given = 0
  /** By their lines, those that may not have been carried out yet; and the lines of marks that were not come to yet. */
  private readonly commands = new Map<number, string>()
  private readonly marks = new Set<number>()
  private readonly lines = new LateWriter(text => this.child?.stdin?.write(text))
  private said: string[] = []
  private rest = ''
  private readonly refused: (command: string, said: string) => void
  private readonly program: string

  /** `refused` hears of every command that could not be carried out. */
  constructor(refused: (command: string, said: string) => void, program = 'ip') {
    this.refused = refused
    this.program = program
  }

  /** Gives a command, which is carried out behind those before it. */
  give(command: string): void {
    this.child ??= this.start()
    this.commands.set(++this.given, command)
    if (this.given > REMEMBERED) this.commands.delete(this.given - REMEMBERED)
    this.lines.add(`${command}\n`)
    if (!MAY_END.test(command)) return
    this.marks.add(++this.given)
    this.lines.add(`${MARK}\n`)
  }

  /** Resolves when everything given has been carried out. */
  async end(): Promise<void> {
    while (this.child) {
      const { child } = this
      this.lines.flush()
      child.ref()
      await new Promise<void>(resolve => {
        child.once('close', () => resolve())
        child.stdin!.end()
      })
    }
  }

  private start(): ChildProcess {
    this.given = 0
    this.commands.clear()
    this.marks.clear()
    this.said = []
    // In a group of its own: Ctrl-C in the gateway's terminal is not for it, which has routes to remove yet.
    const child = spawn(this.program, ['-force', '-batch', '-'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const take = (data: Buffer) => this.take(data.toString('utf8'))
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.stdin.on('error', () => undefined)
    const gone = (why: string) => {
      if (this.child !== child) return
      // What still waits was for this one.
      this.lines.flush()
      this.child = undefined
      if (why !== '') this.refused([...this.commands.values()].at(-1) ?? '', why)
    }
    // A start that fails ends without waiting for it.
    child.unref()
    for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as Socket).unref()
    child.on('error', e => gone(e.message))
    child.on('close', (status, signal) => {
      const [mark] = this.marks
      const early = signal === null && mark !== undefined
      gone(early || child.stdin.writableEnded ? '' : `it ended: ${signal ?? status}`)
      if (early) this.goOn(mark - 1)
    })
    return child
  }

  /**
   * `ip` ended at this line. Another has the rest, and this command as well unless it was the first: an `ip` of some age does
   * not know that a device was deleted and made anew.
   */
  private goOn(line: number): void {
    const rest = [...this.commands].filter(([n]) => n > line || (n === line && line > 1)).map(([, command]) => command)
    if (line === 1) this.refused(this.commands.get(line) ?? '', this.said.join(' '))
    this.said = []
    for (const command of rest) this.give(command)
  }

  private take(text: string): void {
    const lines = `${this.rest}${text}`.split('\n')
    this.rest = lines.pop()!
    for (const line of lines) {
      const failed = FAILED.exec(line)
      if (!failed) {
        this.said.push(line)
        continue
      }
      const at = Number(failed[1])
      if (!this.marks.has(at)) this.refused(this.commands.get(at) ?? '', this.said.join(' '))
      this.said = []
      this.carriedOut(at)
    }
  }

  /** It has come to this line: those before it need not be remembered. */
  private carriedOut(at: number): void {
    for (const lines of [this.commands, this.marks]) {
      for (const line of lines.keys()) {
        if (line > at) break
        lines.delete(line)
      }
    }
  }
}
