/** The gateway under test: `floatgated` in front of the office, asked through `vpnctl`. */
import { readFileSync } from 'node:fs'
import type { Daemon } from '../support/command.ts'
import type { Office } from '../support/office.ts'

export interface Gateway {
  readonly name: string
  readonly alive: boolean
  start(): Promise<void>
  stop(): Promise<void>
  /** Everything it logged since its start. */
  log(): Promise<string>
  /** Has it answer a command in the router's language; absent where the gateway has no such thing. */
  readonly command?: (...words: string[]) => Promise<string>
  /** What a SHOW command lists, as data; absent likewise. */
  readonly show?: <T>(what: string) => Promise<readonly T[]>
}

export class Floatgate implements Gateway {
  readonly name = 'floatgated'
  readonly #office: Office
  #daemon: Daemon | undefined

  constructor(office: Office) {
    this.#office = office
  }

  get alive(): boolean {
    return this.#daemon?.alive ?? false
  }

  async start(): Promise<void> {
    this.#daemon = await this.#office.startGateway()
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop(5000)
  }

  async log(): Promise<string> {
    return this.#daemon ? readFileSync(this.#daemon.logFile, 'utf8') : ''
  }

  readonly command = async (...words: string[]): Promise<string> => {
    const { status, output } = await this.#office.vpnctl(...words)
    if (status !== 0) throw new Error(`vpnctl ${words.join(' ')}: status ${status}\n${output.slice(-500)}`)
    return output
  }

  readonly show = <T>(what: string): Promise<readonly T[]> => this.#office.show<T>(what)
}
