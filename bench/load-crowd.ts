/**
 * A crowd, a program for a network namespace: thousands of the project's own clients, each at an address of its own out of a
 * network that is local as a whole, which dial in, stay, and may all lose their power at once. Nothing of what they
 * say after their set-up is data: what keeps a session up must be enough.
 *
 * A line of JSON on stdin is an order, a line of JSON on stdout its answer; see `CrowdOrder`. `first`: comes before
 * everything else on this machine.
 */

import { randomBytes } from 'node:crypto'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { Deadlines, systemClock } from '../src/gateway/deadlines.ts'
import { loadNative } from '../src/gateway/native.ts'
import { NativeArithmetic } from '../src/gateway/native-arithmetic.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { computeBy } from '../src/ike/arithmetic.ts'
import { Batch } from '../src/packet/batch.ts'
import { type Ipv4, ipv4 } from '../src/packet/ip.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { profiles } from '../test/support/profiles.ts'
import { VpnClient } from '../test/support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../test/support/vpn-contract.ts'
import { openedAlready, quantiles } from './load.ts'

export interface Crowd {
  readonly profile: 'xp' | 'win10'
  /** Diffie-Hellman group of phase 1. */
  readonly group: number
  readonly clients: number
  /** The address of the first. */
  readonly first: string
  readonly server: string
  readonly psk: string
  /** User and password of client 7 are this and 7. */
  readonly user: string
  readonly password: string
}

export type CrowdOrder =
  /** Everybody dials, so many at a time, and again where it failed; answers when all are up, or `seconds` are over. */
  | ({ readonly do: 'gather'; readonly atOnce: number; readonly seconds: number } & Crowd)
  /** Everybody's power fails, and comes back for all at the same time, within so many seconds. */
  | { readonly do: 'storm'; readonly within: number; readonly seconds: number }
  /** Answers what keeps the sessions up during so many seconds. */
  | { readonly do: 'stay'; readonly seconds: number }

/** A user's patience before he dials again. */
const REDIAL_MILLIS = 5000
const PATIENCE_MILLIS = 60_000
const L2TP_HELLO = 6

/** Who dials, and what came of it. */
class Dialler {
  client: VpnClient
  /** When he began to want a connection, and to try this time. */
  wanted = 0
  hellos = 0
  echoes = 0
  /** When it asked something by IKE that is not answered yet. */
  asked: number | undefined

  constructor(client: VpnClient) {
    this.client = client
  }
}

class CrowdLoad {
  private readonly native = loadNative()
  private readonly engine = new NativeEngine(this.native)
  private readonly deadlines = new Deadlines(systemClock)
  private readonly inbound = new Batch()
  private readonly single = new Batch()
  private readonly udp: Readonly<Record<500 | 4500, number>>
  private readonly all: Dialler[] = []
  private crowd: Crowd | undefined
  private first: Ipv4 = 0
  private server: Ipv4 = 0
  private up = 0
  private dialling = 0
  private lost = 0
  private readonly failures = new Map<string, number>()
  private setUps: number[] = []
  private answers: number[] = []
  private readonly stale = { esp: 0 }

  constructor() {
    computeBy(new NativeArithmetic(this.native))
    this.udp = { 500: this.native.udpSocket(0, 500, false), 4500: this.native.udpSocket(0, 4500, false) }
    for (const port of [500, 4500] as const) this.native.watch(this.udp[port], () => this.receive(port))
  }

  async obey(order: CrowdOrder): Promise<object> {
    switch (order.do) {
      case 'gather':
        return await this.gather(order)
      case 'storm':
        return await this.storm(order.within, order.seconds)
      case 'stay':
        return await this.stay(order.seconds)
    }
  }

  private async gather(o: Extract<CrowdOrder, { do: 'gather' }>): Promise<object> {
    this.crowd = o
    this.first = ipv4(o.first)
    this.server = ipv4(o.server)
    for (let row = 0; row < o.clients; row++) this.all.push(new Dialler(this.client(row)))
    const began = performance.now()
    for (let row = 0; row < o.clients; ) {
      if (performance.now() > began + o.seconds * 1000) break
      if (this.dialling < o.atOnce) this.dial(row++)
      else await pause(2)
    }
    return await this.settled(began, o.seconds)
  }

  private async storm(within: number, seconds: number): Promise<object> {
    this.setUps = []
    this.answers = []
    this.failures.clear()
    this.up = this.dialling = this.lost = 0
    for (const [row, d] of this.all.entries()) {
      this.deadlines.set(d, undefined, () => undefined)
      d.client.esp.removeAll()
      d.client = this.client(row)
    }
    const began = performance.now()
    const each = (within * 1000) / this.all.length
    for (let row = 0; row < this.all.length; ) {
      const due = Math.min(this.all.length, each === 0 ? this.all.length : (performance.now() - began) / each)
      // Some at a time: whoever waits for an answer is to be heard meanwhile.
      for (let i = 0; i < 16 && row < due; i++) this.dial(row++)
      await (row < due ? new Promise(resolve => setImmediate(resolve)) : pause(1))
    }
    return await this.settled(began, seconds)
  }

  private async settled(began: number, seconds: number): Promise<object> {
    const { all } = this
    while (this.up < all.length && performance.now() < began + seconds * 1000) await pause(20)
    const took = (performance.now() - began) / 1000
    return {
      up: this.up,
      took,
      rate: this.up / took,
      lost: this.lost,
      failures: Object.fromEntries(this.failures),
      millis: quantiles(this.setUps),
      answers: quantiles(this.answers),
    }
  }

  private async stay(seconds: number): Promise<object> {
    for (const d of this.all) d.hellos = d.echoes = 0
    const lost = this.lost
    await pause(seconds * 1000)
    const sum = (of: (d: Dialler) => number) => this.all.reduce((n, d) => n + of(d), 0)
    return {
      up: this.up,
      lost: this.lost - lost,
      hellos: sum(d => d.hellos),
      echoes: sum(d => d.echoes),
      silent: this.all.filter(d => d.hellos + d.echoes === 0).length,
    }
  }

  private client(row: number): VpnClient {
    const { profile, group, psk, user, password } = this.crowd!
    const whole = profiles[profile]
    const ike = { ...whole.ike, offers: whole.ike.offers.filter(o => o.group === group) }
    const client = new VpnClient({
      profile: { ...whole, ike },
      presharedKey: psk,
      user: `${user}${row}`,
      password: `${password}${row}`,
      computerName: `PC${row}`,
      address: this.first + row,
      server: this.server,
      dice: length => new Uint8Array(randomBytes(length)),
      engine: openedAlready(this.engine, row),
      batch: this.single,
      peer: row,
      patienceMillis: PATIENCE_MILLIS,
    })
    this.listen(client, row)
    return client
  }

  /** Counts what the gateway asks to know whether the client is still there. */
  private listen({ lac, ppp }: VpnClient, row: number): void {
    const toLac = lac.handle.bind(lac)
    const toPpp = ppp.receive.bind(ppp)
    const counted: Pick<typeof lac, 'handle'> & Pick<typeof ppp, 'receive'> = {
      handle: (input, now, effects) => {
        if (input.kind === 'message' && input.bytes.length >= 20 && input.bytes[19] === L2TP_HELLO)
          this.all[row]!.hellos++
        toLac(input, now, effects)
      },
      receive: (frame, now) => {
        const at = frame[0] === 0xff ? 2 : 0
        if (frame[at] === 0xc0 && frame[at + 1] === 0x21 && frame[at + 2] === 9) this.all[row]!.echoes++
        return toPpp(frame, now)
      },
    }
    Object.assign(lac, { handle: counted.handle })
    Object.assign(ppp, { receive: counted.receive })
  }

  private dial(row: number): void {
    const d = this.all[row]!
    d.wanted = performance.now()
    this.dialling++
    this.handle(row, { kind: 'start' })
  }

  private handle(row: number, input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const d = this.all[row]!
    const { client } = d
    const before = client.phase
    const effects: VpnClientEffect[] = []
    client.handle(input, systemClock.now(), effects)
    for (const effect of effects) {
      if (effect.kind === 'send') {
        if (isIke(effect.port, effect.bytes)) d.asked = performance.now()
        this.native.sendTo(this.udp[effect.port], this.first + row, this.server, effect.port, effect.bytes)
      } else if (effect.kind === 'networkUp') {
        this.up++
        this.dialling--
        this.setUps.push(performance.now() - d.wanted)
      } else if (effect.kind === 'down') return this.down(row, before, `${effect.failed ?? ''}: ${effect.reason}`)
    }
    this.deadlines.set(d, client.deadline, () => this.handle(row, { kind: 'deadline' }))
  }

  /** The first answer to what was asked last: a repetition of the question starts anew. */
  private answered(d: Dialler): void {
    if (d.asked !== undefined) this.answers.push(performance.now() - d.asked)
    d.asked = undefined
  }

  private down(row: number, before: VpnClient['phase'], why: string): void {
    this.failures.set(why, (this.failures.get(why) ?? 0) + 1)
    const d = this.all[row]!
    if (before === 'up') {
      this.up--
      this.lost++
      this.dialling++
      d.wanted = performance.now()
    }
    d.client = this.client(row)
    this.deadlines.set(d, systemClock.now() + REDIAL_MILLIS, () => this.handle(row, { kind: 'start' }))
  }

  private receive(port: 500 | 4500): void {
    const { native, engine, inbound: batch } = this
    for (let round = 0; round < 8; round++) {
      batch.count = native.receiveUdp(this.udp[port], engine.attach(batch), 0)
      if (batch.count === 0) return
      if (port === 4500) engine.open(batch)
      for (let i = 0; i < batch.count; i++) {
        const esp = port === 4500 && batch.verdict[i] === Verdict.Forward
        if (port === 4500 && !esp && batch.verdict[i] !== Verdict.Punt) {
          this.stale.esp++
          continue
        }
        const row = esp ? batch.peer[i]! : batch.local[i]! - this.first
        if (row < 0 || row >= this.all.length) continue
        if (!esp) this.answered(this.all[row]!)
        this.handle(row, { kind: 'datagram', port, bytes: batch.packet(i).slice() })
      }
    }
  }
}

function isIke(port: 500 | 4500, bytes: Uint8Array): boolean {
  return port === 500 || (bytes.length > 4 && bytes.subarray(0, 4).every(byte => byte === 0))
}

const pause = (millis: number) => new Promise(resolve => setTimeout(resolve, millis))

if (process.argv[2] === 'first') setPriority(0, -20)
const load = new CrowdLoad()
for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${JSON.stringify(await load.obey(JSON.parse(line) as CrowdOrder))}\n`)
  } catch (e) {
    process.stdout.write(`${JSON.stringify({ failed: (e as Error).stack })}\n`)
  }
}
process.exit(0)
