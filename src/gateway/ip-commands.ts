/**
 * One `ip` that lives as long as the gateway and takes a command a line: to start a program for each session, a process of
 * hundreds of megabytes would have to be copied each time, and control would stand still meanwhile.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { LateWriter } from './late-writer.ts'

/** Commands that are remembered for the words of a refusal. */
const REMEMBERED = 4096
/** How `ip` says which command the lines before were about. */
const FAILED = /^Command failed -:(\d+)/

export class IpCommands {
  private child: ChildProcess | undefined
  private given = 0
  private readonly commands = new Map<number, string>()
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
  }

  /** Resolves when everything given has been carried out. */
  end(): Promise<void> {
    this.lines.flush()
    const { child } = this
    if (!child) return Promise.resolve()
    child.ref()
    return new Promise(resolve => {
      child.once('close', () => resolve())
      child.stdin!.end()
    })
  }

  private start(): ChildProcess {
    this.given = 0
    this.commands.clear()
    // In a group of its own: Ctrl-C in the gateway's terminal is not for it, which has routes to remove yet.
    const child = spawn(this.program, ['-force', '-batch', '-'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const take = (data: Buffer) => this.take(data.toString('utf8'))
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.stdin.on('error', () => undefined)
    const gone = (why: string) => {
      if (this.child !== child) return
      this.child = undefined
      if (why !== '') this.refused([...this.commands.values()].at(-1) ?? '', why)
    }
    // A start that fails ends without waiting for it.
    child.unref()
    for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as Socket).unref()
    child.on('error', e => gone(e.message))
    child.on('close', (status, signal) => gone(child.stdin.writableEnded ? '' : `it ended: ${signal ?? status}`))
    return child
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
      this.refused(this.commands.get(Number(failed[1])) ?? '', this.said.join(' '))
      this.said = []
    }
  }
}
