/**
 * Clients that connect to a gateway in memory, and the same datagrams given to another one like it, with the same dice and
 * at the same times: then nothing but the gateway runs.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Engine } from '../src/esp/engine.ts'
import { type CryptoName, loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import type { Dice, Millis } from '../src/machine.ts'
import type { Endpoint } from '../src/packet/ip.ts'
import { ipv4 } from '../src/packet/ip.ts'
import { Agenda } from '../test/network/agenda.ts'
import { officeSecrets, PRESHARED_KEY } from '../test/network/gateway-host.ts'
import { seededDice } from '../test/support/dice.ts'
import { configurationOf, MemoryGateway, SERVICES } from '../test/support/memory-gateway.ts'
import type { VpnProfile } from '../test/support/profiles.ts'
import { VpnClient } from '../test/support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../test/support/vpn-contract.ts'

const SERVER = ipv4('203.0.113.1')
const FIRST = ipv4('100.64.0.1')
/** Between two clients' starts, and until all are up: before anybody's HELLO or echo is due. */
const STEP: Millis = 20
const PATIENCE: Millis = 10_000

interface Datagram {
  readonly at: Millis
  readonly port: 0 | 500 | 4500
  readonly remote: Endpoint
  readonly bytes: Uint8Array
}

const script = (clients: number) => `
set system name=Gate
${Array.from({ length: clients }, (_, i) => `add user=user${i} password=word${i} login=no`).join('\n')}
create ip pool=callers ip=10.9.0.1-10.9.${clients >> 8}.${clients & 255}
create ppp template=1 ippool=callers authentication=chap
${SERVICES}`

/** A gateway on its own agenda, and what lies before it to be done. */
class Scene {
  readonly agenda = new Agenda()
  readonly gateway: MemoryGateway
  private readonly wire: (() => void)[] = []

  constructor(
    clients: number,
    dice: Dice,
    engine: Engine,
    toClient?: (remote: Endpoint, port: 0 | 500 | 4500, bytes: Uint8Array) => void,
  ) {
    const { agenda } = this
    this.gateway = new MemoryGateway(configurationOf(script(clients)), 1, {
      clock: { now: () => agenda.now, after: (delay, then) => agenda.in(delay, then) },
      wall: () => new Date(agenda.now),
      dice,
      local: SERVER,
      secrets: officeSecrets(),
      log: () => undefined,
      later: deed => this.wire.push(deed),
      toClient,
      toLan: () => undefined,
      engine: () => engine,
    })
    this.drain()
  }

  later(deed: () => void): void {
    this.wire.push(deed)
  }

  drain(): void {
    for (let i = 0; i < this.wire.length; i++) this.wire[i]!()
    this.wire.length = 0
  }

  until(end: Millis): void {
    this.agenda.until(end, () => this.drain())
  }

  /** Those that come are in order: a heap of them would be work of the bench's. */
  receive(d: Datagram): void {
    const { agenda } = this
    if (d.at > agenda.now) this.until(d.at - 1)
    agenda.now = d.at
    this.gateway.receive(d.port, d.remote, d.bytes)
    this.drain()
  }

  get sessions(): number {
    return this.gateway.routes.size
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
/** Empties V8's young space; what survives twice has grown old. */
const sweep = () => collect({ type: 'minor' })

export class RecordedSetups {
  readonly clients: number
  /** The clients connect in so many parts, each of which is timed by itself. */
  readonly parts: number
  private readonly datagrams: Datagram[] = []
  private readonly throws: Uint8Array[] = []
  private readonly end: Millis
  /** The one that played last, with all that it holds. */
  gateway: MemoryGateway | undefined

  /** Lets so many clients of a profile connect, and notes every datagram of theirs and every throw of the gateway's dice. */
  constructor(profile: VpnProfile, clients: number, parts = 1) {
    this.clients = clients
    this.parts = parts
    const dice = seededDice('gateway')
    const byAddress = new Map<number, (input: VpnClientInput) => void>()
    const scene: Scene = new Scene(
      clients,
      length => {
        const thrown = dice(length)
        this.throws.push(thrown.slice())
        return thrown
      },
      new NativeEngine(loadNative()),
      (remote, port, bytes) => {
        const give = byAddress.get(remote.address)!
        scene.later(() => give(port === 0 ? { kind: 'esp', bytes } : { kind: 'datagram', port, bytes }))
      },
    )
    for (let i = 0; i < clients; i++) this.add(scene, profile, i, byAddress)
    this.end = scene.agenda.now + STEP * clients + PATIENCE
    scene.until(this.end)
    if (scene.sessions !== clients) throw new Error(`${scene.sessions} of ${clients} clients came up`)
  }

  /**
   * The same for a gateway that has just begun; answers how much processor time each part took, in seconds. A new gateway
   * has tables of 27 MB: where there are many of them, V8 collects everything, throws away compiled code with it, and does
   * part of that while others are timed.
   */
  play(engine: Engine = new NativeEngine(loadNative())): number[] {
    let thrownSoFar = 0
    const scene = new Scene(
      this.clients,
      length => {
        const thrown = this.throws[thrownSoFar++]
        if (thrown?.length !== length) throw new Error('another dialogue than the one recorded')
        return thrown.slice()
      },
      engine,
    )
    const arriving = this.datagrams.map(d => ({ ...d, bytes: d.bytes.slice() }))
    this.gateway = scene.gateway
    // What was prepared costs nothing of the time that is taken, and what the gateway leaves behind all of it.
    sweep()
    sweep()
    const seconds: number[] = []
    for (let part = 1, next = 0; part <= this.parts; part++) {
      const before = process.cpuUsage()
      for (const end = (arriving.length * part) / this.parts; next < end; next++) scene.receive(arriving[next]!)
      if (part === this.parts) scene.until(this.end)
      sweep()
      const { user, system } = process.cpuUsage(before)
      seconds.push((user + system) / 1e6)
    }
    if (scene.sessions !== this.clients) throw new Error(`${scene.sessions} of ${this.clients} clients came up`)
    return seconds
  }

  /** How much of it ESP's engine takes, which does nothing but arithmetic, in seconds. `crypto` leaves only one to do it. */
  playEsp(crypto?: CryptoName): number {
    const { engine, seconds } = timed(new NativeEngine(loadNative(), crypto))
    this.play(engine)
    return seconds()
  }

  /** Datagrams to the gateway, a set-up. */
  get datagramsEach(): number {
    return this.datagrams.length / this.clients
  }

  private add(
    scene: Scene,
    profile: VpnProfile,
    i: number,
    byAddress: Map<number, (input: VpnClientInput) => void>,
  ): void {
    const address = FIRST + i
    const client = new VpnClient({
      profile,
      dice: seededDice(`client ${i}`),
      address,
      server: SERVER,
      presharedKey: PRESHARED_KEY,
      user: `user${i}`,
      password: `word${i}`,
      peer: 1,
    })
    const give = (input: VpnClientInput | { readonly kind: 'deadline' }) => {
      const effects: VpnClientEffect[] = []
      client.handle(input, scene.agenda.now, effects)
      for (const e of effects) {
        if (e.kind !== 'send' && e.kind !== 'sendEsp') continue
        const port = e.kind === 'send' ? e.port : 0
        const d = { at: scene.agenda.now, port, remote: { address, port }, bytes: e.bytes.slice() } as const
        scene.later(() => {
          this.datagrams.push({ ...d, bytes: d.bytes.slice() })
          scene.gateway.receive(d.port, d.remote, d.bytes)
        })
      }
      if (client.deadline !== undefined) scene.agenda.at(client.deadline, () => due())
    }
    const due = () => {
      if ((client.deadline ?? Number.POSITIVE_INFINITY) <= scene.agenda.now) give({ kind: 'deadline' })
    }
    byAddress.set(address, give)
    scene.agenda.in(STEP * (i + 1), () => give({ kind: 'start' }))
  }
}

/** An engine, and how much processor time its calls took, without what it takes to look at the clock. */
function timed(engine: Engine): { engine: Engine; seconds: () => number } {
  let microseconds = 0
  let calls = 0
  const watched = new Proxy(engine, {
    get: (of, property) => {
      const value: unknown = Reflect.get(of, property, of)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        const before = process.cpuUsage()
        const result: unknown = value.apply(of, args)
        const { user, system } = process.cpuUsage(before)
        microseconds += user + system
        calls++
        return result
      }
    },
  })
  return { engine: watched, seconds: () => (microseconds - calls * lookMicroseconds()) / 1e6 }
}

function lookMicroseconds(): number {
  const LOOKS = 10_000
  const before = process.cpuUsage()
  for (let i = 0; i < LOOKS; i++) process.cpuUsage()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / LOOKS
}
