/** The machine that a gateway runs on: it is killed and started anew, shut down in order, or stands still for a while. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Configuration } from '../../src/alliedware/config.ts'
import type { Engine } from '../../src/esp/engine.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import type { Millis } from '../../src/machine.ts'
import { Secret } from '../../src/packet/bytes.ts'
import type { Endpoint, Ipv4 } from '../../src/packet/ip.ts'
import { seededDice } from '../support/dice.ts'
import { type GatewaySurroundings, MemoryGateway } from '../support/memory-gateway.ts'
import type { Agenda } from './agenda.ts'

export const PRESHARED_KEY = 'roam-free-2005'
/** How long a gateway that shuts down gives its last words. */
const FAREWELL_MILLIS = 200
/** What a socket holds while nobody reads it. */
const SOCKET_BUFFER = 200
const MARKER_LENGTH = 4

export interface GatewayHostOptions {
  readonly seed: string
  readonly configuration: Configuration
  readonly workers: number
  readonly agenda: Agenda
  readonly local: Ipv4
  readonly publicAddress: Ipv4 | undefined
  readonly forceEncapsulation: boolean
  readonly later: (deed: () => void) => void
  readonly log: (line: string) => void
  readonly engine: (() => Engine) | undefined
  /** Acted on what an Informational message says. */
  readonly informed: (message: Uint8Array) => void
  readonly toClient: GatewaySurroundings['toClient']
  readonly toLan: GatewaySurroundings['toLan']
  readonly posted: NonNullable<GatewaySurroundings['posted']>
}

export class GatewayHost {
  gateway: MemoryGateway | undefined
  /** Added to the wall clock. */
  wallOffset: Millis = 0
  private readonly o: GatewayHostOptions
  private readonly secrets = officeSecrets()
  /** It is shutting down. */
  leaving = false
  private incarnation = 0
  private frozen = false
  private backlog: (() => void)[] = []

  constructor(o: GatewayHostOptions) {
    this.o = o
    this.start()
  }

  get serves(): boolean {
    return this.gateway !== undefined && !this.frozen
  }

  start(): void {
    if (this.gateway) return
    const { o } = this
    const { agenda } = o
    const incarnation = ++this.incarnation
    const alive = () => incarnation === this.incarnation
    this.gateway = new MemoryGateway(o.configuration, o.workers, {
      clock: {
        now: () => agenda.now,
        after: (delay, then) => agenda.in(delay, () => alive() && this.run(then)),
      },
      wall: () => new Date(Date.UTC(2026, 0, 1) + agenda.now + this.wallOffset),
      dice: seededDice(`gateway ${incarnation} of ${o.seed}`),
      local: o.local,
      ...(o.publicAddress === undefined ? {} : { publicAddress: o.publicAddress }),
      forceEncapsulation: o.forceEncapsulation,
      secrets: this.secrets,
      log: o.log,
      later: deed => o.later(() => alive() && deed()),
      ...(o.engine ? { engine: o.engine } : {}),
      toClient: o.toClient,
      toLan: o.toLan,
      posted: o.posted,
    })
  }

  /** Power fails: whatever it knew is gone, and nobody is told. */
  kill(): void {
    this.gateway = undefined
    this.leaving = false
    this.incarnation++
    this.backlog = []
  }

  /** It says good-bye to everybody first, and is gone when that is on its way. */
  shutDown(): void {
    const incarnation = this.incarnation
    this.leaving = true
    this.run(() => this.gateway?.control.shutdown())
    this.o.agenda.in(FAREWELL_MILLIS, () => incarnation === this.incarnation && this.kill())
  }

  /** The process stands still, as in a paused virtual machine; time does not. */
  freeze(duration: Millis): void {
    if (this.frozen) return
    this.frozen = true
    this.o.agenda.in(duration, () => {
      this.frozen = false
      for (const deed of this.backlog.splice(0)) this.o.later(deed)
    })
  }

  receive(port: 0 | 500 | 4500, remote: Endpoint, bytes: Uint8Array): void {
    if (this.backlog.length < SOCKET_BUFFER) this.run(() => this.take(port, remote, bytes))
  }

  private take(port: 0 | 500 | 4500, remote: Endpoint, bytes: Uint8Array): void {
    const { gateway } = this
    if (!gateway) return
    const before = informationalsOf(gateway)
    gateway.receive(port, remote, bytes)
    if (informationalsOf(gateway) > before) this.o.informed(port === 4500 ? bytes.subarray(MARKER_LENGTH) : bytes)
  }

  fromLan(packet: Uint8Array): void {
    if (this.backlog.length < SOCKET_BUFFER) this.run(() => this.gateway?.fromLan(packet))
  }

  run(deed: () => void): void {
    if (!this.gateway) return
    if (this.frozen) this.backlog.push(deed)
    else this.o.later(deed)
  }
}

/** How many Informational messages it took for authentic and new. */
function informationalsOf(gateway: MemoryGateway): number {
  return gateway.control.ike['context'].counters.get('informational') ?? 0
}

let office: SecretStore | undefined

/** The pre-shared key's store: one for all, since nobody changes it. */
export function officeSecrets(): SecretStore {
  if (office) return office
  const directory = mkdtempSync(join(tmpdir(), 'floatgate-simulation-'))
  try {
    office = new SecretStore(directory)
    office.setKey(1, 'general', Secret.fromText(PRESHARED_KEY))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return office
}
