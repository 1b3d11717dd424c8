/** Commands on the host: run to their end, or kept running and later ended by their own process id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export interface Outcome {
  /** Exit status; 124 when it ran out of time, 127 when it could not be started. */
  readonly status: number
  /** Standard output and standard error, as they came. */
  readonly output: string
}

export interface RunOptions {
  readonly input?: string
  readonly timeoutMillis?: number
  readonly environment?: Readonly<Record<string, string>>
  /** Shown each line as it comes, for steps that take their time. */
  readonly onLine?: (line: string) => void
}

/** Runs a command to its end. Never throws: a command that cannot be started has status 127. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise(resolve => {
    const [program, ...rest] = argv
    const child = spawn(program!, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.environment },
    })
    let output = ''
    let partial = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, options.timeoutMillis ?? 60_000)
    const take = (chunk: Buffer) => {
      const text = chunk.toString()
      output += text
      if (!options.onLine) return
      const lines = (partial + text).split('\n')
      partial = lines.pop()!
      for (const line of lines) options.onLine(line)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.stdin.on('error', () => {}) // A command may end without reading its input.
    child.stdin.end(options.input ?? '')
    child.on('error', error => {
      clearTimeout(timer)
      resolve({ status: 127, output: error.message })
    })
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ status: late ? 124 : (code ?? 128), output })
    })
  })
}

/** Runs a command that has to succeed and returns its output; throws with the command and what it said otherwise. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, output } = await run(argv, options)
  if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}\n${output.slice(-2000)}`)
  return output
}

/** Where a program is found on this host, or undefined. */
export async function which(program: string): Promise<string | undefined> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`
  const { status, output } = await run(['sh', '-c', 'command -v "$0"', program], { environment: { PATH: path } })
  return status === 0 ? output.trim() : undefined
}

export const sleep = (millis: number): Promise<void> => new Promise(resolve => setTimeout(resolve, millis))

/** What a machine that has other things to do may take for anything that comes at once otherwise. */
export const PATIENCE_MILLIS = 60_000

/** Asks again until the answer is truthy; the last answer when the time is over. */
export async function until<T>(
  ask: () => T | Promise<T>,
  timeoutMillis = PATIENCE_MILLIS,
  stepMillis = 50,
): Promise<T> {
  const end = Date.now() + timeoutMillis
  for (;;) {
    const answer = await ask()
    if (answer || Date.now() > end) return answer
    await sleep(stepMillis)
  }
}

/**
 * A program that keeps running, leader of its own process group. The kernel ends it with this process (parent death
 * signal), so even a runner that is killed outright leaves no program behind.
 */
export class Daemon {
  readonly name: string
  readonly logFile: string
  readonly child: ChildProcess
  /** How it ended, once it has. */
  ended: string | undefined

  /** @param line whether the program gets one end of a socket as file descriptor 3 */
  constructor(name: string, argv: readonly string[], logFile: string, line = false) {
    this.name = name
    this.logFile = logFile
    const log = openSync(logFile, 'a')
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      stdio: line ? ['ignore', log, log, 'pipe'] : ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    this.child.on('error', error => {
      this.ended ??= error.message
    })
    this.child.on('exit', (code, signal) => {
      this.ended ??= signal ? `signal ${signal}` : `status ${code}`
    })
  }

  get alive(): boolean {
    return this.ended === undefined
  }

  /** Asks the program to end, and after `graceMillis` ends its whole group. Returns when it is gone. */
  async stop(graceMillis = 0): Promise<void> {
    const pid = this.child.pid
    if (pid === undefined) return
    if (this.alive && graceMillis > 0) {
      this.child.kill('SIGTERM')
      await until(() => !this.alive, graceMillis)
    }
    const alive = this.alive
    try {
      process.kill(-pid, 'SIGKILL') // Also what it may have left of its group.
    } catch {
      // Nothing was left.
    }
    if (alive) await until(() => !this.alive, 5000)
  }
}
