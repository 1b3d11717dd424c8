/** A client's computer at home: it dials, dials again when it was cut off, sleeps, crashes and comes back. */

import type { Millis } from '../../src/machine.ts'
import { Batch } from '../../src/packet/batch.ts'
import type { Ipv4 } from '../../src/packet/ip.ts'
import type { Rng } from '../fuzz/random.ts'
import { seededDice } from '../support/dice.ts'
import type { DeleteForm } from '../support/ike-client.ts'
import type { VpnProfile } from '../support/profiles.ts'
import { VpnClient } from '../support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../support/vpn-contract.ts'
import type { Agenda } from './agenda.ts'
import type { Explored } from './explored.ts'
import { PRESHARED_KEY } from './gateway-host.ts'
import type { Link } from './link.ts'
import type { Nat } from './nat.ts'

/** One for all clients: each call of a client's is through with it when it returns. */
const batch = new Batch()
/** More wakes at one moment than any client has reasons for. */
const MAX_WAKES = 1000
/**
 * The gateway speaks to a live session at least every half minute. After this silence the user of a client that never asks
 * whether its gateway is there hangs up and dials again.
 */
const USER_PATIENCE = 120_000

export interface HouseOptions {
  readonly index: number
  readonly seed: string
  readonly user: string
  readonly password: string
  /** Whether the gateway knows it by this password. */
  readonly welcome: boolean
  readonly profile: VpnProfile
  /** As the computer knows itself, and without a NAT the Internet as well. */
  readonly address: Ipv4
  readonly server: Ipv4
  /** How it tells at the end that its SAs are over. */
  readonly deletes: DeleteForm
  /** Whether its tunnels all have ID 1; otherwise it counts. */
  readonly sameTunnelId: boolean
  readonly link: Link
  readonly agenda: Agenda
  readonly rng: Rng
  readonly explored: Explored
  readonly send: (house: House, port: 0 | 500 | 4500, bytes: Uint8Array) => void
  readonly received: (house: House, packet: Uint8Array) => void
  readonly trace: (text: string) => void
}

export class House {
  readonly o: HouseOptions
  nat: Nat | undefined
  client: VpnClient | undefined
  /** Whether its user wants to be connected. */
  wanted = false
  asleep = false
  /** How often it has dialled. */
  dials = 0
  private heard: Millis = 0
  private cancelWake: (() => void) | undefined
  private wakes = { at: 0, count: 0 }
  /** Switched off. */
  off = false

  constructor(o: HouseOptions, nat: Nat | undefined) {
    this.o = o
    this.nat = nat
  }

  get name(): string {
    return this.o.user
  }

  get connected(): boolean {
    return this.client?.phase === 'up' && !this.asleep
  }

  /** The user wants in. */
  want(): void {
    this.wanted = true
    this.dial()
  }

  private dial(): void {
    const { o } = this
    if (this.client || !this.wanted || this.asleep || this.off) return
    this.dials++
    o.trace(`${this.name} dials`)
    this.client = new VpnClient({
      profile: o.profile,
      dice: seededDice(`dial ${this.dials} of ${o.index} in ${o.seed}`),
      address: o.address,
      server: o.server,
      presharedKey: PRESHARED_KEY,
      user: o.user,
      password: o.password,
      computerName: `PC${o.index}`,
      tunnelId: o.sameTunnelId ? 1 : this.dials,
      deletes: o.deletes,
      batch,
      peer: 1,
    })
    this.handle({ kind: 'start' })
  }

  handle(input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const { client } = this
    if (!client || this.asleep) return
    const effects: VpnClientEffect[] = []
    client.handle(input, this.o.agenda.now, effects)
    // What lies in the batch is copied before anything else happens.
    const deeds = effects.map(e => (e.kind === 'ipPacket' ? { ...e, bytes: e.bytes.slice() } : e))
    for (const e of deeds) this.carryOut(e)
    this.rearm()
  }

  private carryOut(e: VpnClientEffect): void {
    const { o } = this
    switch (e.kind) {
      case 'send':
        return o.send(this, e.port, e.bytes.slice())
      case 'sendEsp':
        return o.send(this, 0, e.bytes.slice())
      case 'ipPacket':
        return o.received(this, e.bytes)
      case 'networkUp':
        o.explored.connects++
        if (o.profile.lac.helloMillis === undefined) this.watchSilence(this.client)
        return o.trace(`${this.name} is connected`)
      case 'down': {
        if (e.failed === 'authentication') o.explored.refusals++
        else if (e.failed) o.explored.cutOff++
        o.trace(`${this.name} is down: ${e.failed ?? 'as it wanted'}: ${e.reason}`)
        this.client = undefined
        // Who was refused tries less often.
        const wait = o.welcome ? 1000 + o.rng.below(14_000) : 60_000 + o.rng.below(600_000)
        if (this.wanted) o.explored.redials++
        o.agenda.in(wait, () => this.dial())
        return
      }
      case 'step':
        return
    }
  }

  receive(port: 0 | 500 | 4500, bytes: Uint8Array): void {
    if (port !== 500 && bytes.length > 8) this.heard = this.o.agenda.now
    if (port === 0) this.handle({ kind: 'esp', bytes })
    else this.handle({ kind: 'datagram', port, bytes })
  }

  private watchSilence(client: VpnClient | undefined): void {
    const { agenda, explored, trace } = this.o
    this.heard = agenda.now
    const look = (): void => {
      if (this.client !== client || client?.phase !== 'up') return
      if (this.asleep || agenda.now - this.heard < USER_PATIENCE) {
        agenda.in(USER_PATIENCE / 4, look)
        return
      }
      explored.impatience++
      trace(`${this.name}'s user loses patience`)
      this.handle({ kind: 'disconnect' })
    }
    agenda.in(USER_PATIENCE, look)
  }

  /** The computer stops at once, and dials again when it has been off for so long. */
  crash(duration: Millis | undefined): void {
    this.client = undefined
    this.cancelWake?.()
    if (duration === undefined) {
      this.wanted = false
      return
    }
    this.off = true
    this.o.agenda.in(duration, () => {
      this.off = false
      this.dial()
    })
  }

  /** The lid is shut: the client stands still, and goes on as if nothing had been. */
  sleep(duration: Millis): void {
    if (this.asleep) return
    this.asleep = true
    this.cancelWake?.()
    this.o.agenda.in(duration, () => {
      this.asleep = false
      if (this.client) this.rearm()
      else this.dial()
    })
  }

  hangUp(comeBack: Millis | undefined): void {
    this.wanted = false
    this.handle({ kind: 'disconnect' })
    if (comeBack !== undefined) this.o.agenda.in(comeBack, () => this.want())
  }

  private rearm(): void {
    const { agenda } = this.o
    this.cancelWake?.()
    const { client } = this
    if (client?.deadline === undefined) return
    this.cancelWake = agenda.at(client.deadline, () => {
      if (this.wakes.at !== agenda.now) this.wakes = { at: agenda.now, count: 0 }
      if (++this.wakes.count > MAX_WAKES) throw new Error(`${this.name} is woken without end`)
      if (this.client === client) this.handle({ kind: 'deadline' })
    })
  }
}
