/** A VPN client in Windows: its machine, its agent, and what the agent is asked to do. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { pattern } from '../support/pattern.ts'
import { lanHost } from '../support/plan.ts'
import type { Gateway } from './gateway.ts'
import { Agent, AgentLost, type Wire } from './windows-agent.ts'
import { explainRasError } from './windows-errors.ts'
import type { Image } from './windows-images.ts'
import type { Words } from './windows-line.ts'
import type { Segment } from './windows-network.ts'

export interface Account {
  readonly user: string
  readonly password: string
}

export interface Dialed {
  /** The RAS error; 0 is connected. */
  readonly error: number
  readonly seconds: number
  readonly address: string
}

/** The connection failed: what Windows says of it. */
export class RasFailure extends Error {
  readonly error: number

  constructor(name: string, { error, seconds }: Dialed) {
    super(`${name}: no connection after ${seconds.toFixed(1)} s, ${explainRasError(error)}`)
    this.error = error
  }
}

const patience = { dial: 180_000, download: 300_000 } as const

/** What a hello says in words; throws when it is another Windows than the image was said to hold. */
export function identify(image: Pick<Image, 'path' | 'version'>, hello: Words): string {
  const version = hello['version'] ?? ''
  if (!image.version.is(version)) {
    throw new Error(`${image.path} is not Windows ${image.version.name}: it says version ${version}`)
  }
  const pack = Number(hello['pack'] ?? 0) > 0 ? ` SP${hello['pack']}` : ''
  return `${hello['system']} ${version}${pack}`
}

/** A guest that is switched on. */
export interface Running {
  /** What it runs on. */
  readonly kind: string
  readonly alive: boolean
  /** The end of its serial line. */
  readonly wire: Wire
  /** Pulls the plug. */
  cutPower(): Promise<void>
}

/** Switches the guest on in a place; it is off then. */
export type SwitchOn = (place: Segment, gateway: Gateway) => Promise<Running>

export class WindowsClient {
  readonly image: Image
  private readonly logs: string
  private readonly switchOn: SwitchOn
  private machine: Running | undefined
  private agent: Agent | undefined
  private place: Segment | undefined
  /** In one line: what runs, on what, and how long it took to start. */
  description = ''

  /** @param logs directory for what the guest has to tell of a failure */
  constructor(image: Image, logs: string, switchOn: SwitchOn) {
    this.image = image
    this.logs = logs
    this.switchOn = switchOn
  }

  get name(): string {
    return this.image.name
  }

  /** Switches it on in this place, or leaves it on there. Throws when no agent of the right version says hello. */
  async start(place: Segment, gateway: Gateway): Promise<void> {
    if (this.machine?.alive && this.place === place) return
    await this.cutPower()
    const begin = performance.now()
    this.machine = await this.switchOn(place, gateway)
    this.place = place
    this.agent = new Agent(this.machine.wire)
    try {
      await this.meet(this.agent, this.machine.kind, begin)
    } catch (error) {
      await this.cutPower()
      throw error
    }
  }

  private async meet(agent: Agent, kind: string, begin: number): Promise<void> {
    const { image } = this
    const hello = await agent.greet(image.bootSeconds * 1000)
    const system = identify(image, hello)
    const { disk } = await agent.ask('hello')
    if (disk !== 'read')
      throw new Error(`the agent of ${image.name} could not read SETTINGS.INI on the lab's ${image.medium}`)
    const seconds = ((performance.now() - begin) / 1000).toFixed(0)
    this.description = `${system} on ${kind}, started in ${seconds} s`
    await agent.ask('configure', {}, patience.dial)
  }

  /** Has the connection use another pre-shared key. */
  async configure(key: string): Promise<void> {
    await this.ask('configure', { psk: key }, patience.dial)
  }

  /** Dials and answers how it ended. */
  async dial(account: Account): Promise<Dialed> {
    const { user, password } = account
    const { error, millis, address } = await this.ask('dial', { user, password }, patience.dial)
    return { error: Number(error), seconds: Number(millis) / 1000, address: address ?? '' }
  }

  /** Dials; throws `RasFailure` with Windows' word for it where it does not connect. */
  async connect(account: Account): Promise<Dialed> {
    const dialed = await this.dial(account)
    if (dialed.error !== 0 || dialed.address === '') throw new RasFailure(this.name, dialed)
    return dialed
  }

  async hangUp(): Promise<void> {
    const error = Number((await this.ask('hangup', {}, patience.dial))['error'])
    if (error !== 0) throw new Error(`${this.name} could not hang up: ${explainRasError(error)}`)
    const { connected } = await this.ask('status')
    if (connected !== 'no') throw new Error(`${this.name} hung up and is still connected`)
  }

  /** Pings the LAN host; `whole` forbids fragments. */
  async ping(count: number, bytes = 32, whole = false): Promise<{ sent: number; received: number; millis: number }> {
    const words = { host: lanHost, count: String(count), bytes: String(bytes), whole: whole ? 'yes' : 'no' }
    const answer = await this.ask('ping', words, count * 3500 + 10_000)
    return { sent: Number(answer['sent']), received: Number(answer['received']), millis: Number(answer['millis']) }
  }

  /** Fetches `bytes` from the LAN host and compares; Mbit/s. */
  async download(bytes: number): Promise<number> {
    const got = await this.ask('download', { host: lanHost, path: `/${bytes}` }, patience.download)
    const wanted = crc32(pattern(bytes)).toString(16).padStart(8, '0')
    if (got['status'] !== '200' || Number(got['bytes']) !== bytes || got['crc'] !== wanted) {
      throw new Error(
        `${this.name}: ${got['bytes']} of ${bytes} bytes came, status ${got['status']}, CRC ${got['crc']}`,
      )
    }
    return (bytes * 8) / 1000 / Math.max(1, Number(got['millis']))
  }

  /** Saves what Windows knows of its last connection and answers where. */
  async saveLogs(): Promise<string> {
    mkdirSync(this.logs, { recursive: true })
    if (!this.agent || !this.machine?.alive) return this.logs
    for (const what of ['last', 'addresses', 'routes', 'ike', 'ipsec', 'events']) {
      const text = await this.agent.collect(what).catch((error: Error) => {
        if (error instanceof AgentLost) throw error
        return error.message
      })
      writeFileSync(`${this.logs}/${what}.log`, text, 'latin1')
    }
    return this.logs
  }

  async cutPower(): Promise<void> {
    this.agent?.forget()
    await this.machine?.cutPower()
    this.machine = undefined
    this.agent = undefined
  }

  private async ask(...request: Parameters<Agent['ask']>): ReturnType<Agent['ask']> {
    if (!this.agent) throw new AgentLost(`${this.name} is off`)
    return await this.agent.ask(...request)
  }
}
