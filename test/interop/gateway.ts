/** The gateway under test: `floatgated` in front of the office, asked through `vpnctl`. */
import { readFileSync } from 'node:fs'
import type { Daemon } from '../support/command.ts'
import { gatewayPublic } from '../support/plan.ts'
import type { World } from './world.ts'

/** How a scenario's gateway differs from the usual one. */
export interface Variant {
  /** Its script instead of the office's. */
  readonly script?: string
  /** It stands behind a NAT of its own, which has the public address; its site file says so. */
  readonly behindNat?: boolean
}

export interface Gateway {
  readonly name: string
  readonly alive: boolean
  start(variant?: Variant): Promise<void>
  stop(): Promise<void>
  /** Ends it without a word to anyone. */
  cutPower(): Promise<void>
  /** Everything it logged since its start. */
  log(): Promise<string>
  /** Has it answer a command in the router's language; absent where the gateway has no such thing. */
  readonly command?: (...words: string[]) => Promise<string>
  /** What a SHOW command lists, as data; absent likewise. */
  readonly show?: <T>(what: string) => Promise<readonly T[]>
}

export class Floatgate implements Gateway {
  readonly name = 'floatgated'
  readonly #world: World
  #daemon: Daemon | undefined

  constructor(world: World) {
    this.#world = world
  }

  get alive(): boolean {
    return this.#daemon?.alive ?? false
  }

  async start({ script, behindNat = false }: Variant = {}): Promise<void> {
    const device = await this.#world.setNatInFront(behindNat)
    const site = { interfaces: { eth0: device, vlan1: 'lan0' }, ...(behindNat ? { publicAddress: gatewayPublic } : {}) }
    this.#daemon = await this.#world.office.startGateway(script, site)
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop(5000)
  }

  async cutPower(): Promise<void> {
    await this.#daemon?.stop()
  }

  async log(): Promise<string> {
    return this.#daemon ? readFileSync(this.#daemon.logFile, 'utf8') : ''
  }

  readonly command = async (...words: string[]): Promise<string> => {
    const { status, output } = await this.#world.office.vpnctl(...words)
    if (status !== 0) throw new Error(`vpnctl ${words.join(' ')}: status ${status}\n${output.slice(-500)}`)
    return output
  }

  readonly show = <T>(what: string): Promise<readonly T[]> => this.#world.office.show<T>(what)
}
