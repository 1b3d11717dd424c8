/**
 * A whole gateway and its clients in one process and in virtual time: the real Control over fake sockets, with a data path
 * that is the workers' own Forwarder around the reference engine.
 */

import { createHash } from 'node:crypto'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { type Endpoint, emitIpv4, formatIpv4, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { concat } from '../../src/packet/writer.ts'
import type { OfficeFacts } from '../../src/ppp/dhcp.ts'
import { seededDice } from '../support/dice.ts'
import { configurationOf, MemoryGateway, SERVICES } from '../support/memory-gateway.ts'
import { type VpnProfile, windowsXp } from '../support/profiles.ts'
import { VpnClient } from '../support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../support/vpn-contract.ts'
import { FakeClock, temporaryDirectory } from './fakes.ts'

export const SERVER = ipv4('203.0.113.1')
export const LAN_HOST = ipv4('192.168.8.10')

/** An office gateway: one pre-shared key, three users, a pool of two addresses. */
export const OFFICE = `
set system name=Gate
add user=anna password=apples login=no
add user=ben password=bananas login=no
add user=carl password=cherries login=no ipaddress=192.168.8.50
create ip pool=callers ip=192.168.8.100-192.168.8.101
create ppp template=1 ippool=callers authentication=chap echo=30
set ppp dnsprimary=192.168.8.2
${SERVICES}`

export interface GuestOptions {
  readonly profile: VpnProfile
  readonly user: string
  readonly password: string
  readonly presharedKey?: string
  /** How many tunnels it has opened since it booted. */
  readonly tunnelId?: number
  /** Makes its random numbers others than those of an earlier guest of the same name. */
  readonly life?: number
  /** As the client knows itself, and as it comes out of its NAT; the same where there is none. */
  readonly address: Ipv4
  readonly outer?: Ipv4
  /** What its NAT makes of source port 500 and 4500. */
  readonly ports?: { readonly 500: number; readonly 4500: number }
}

/** At home, behind a NAT. */
export const anna: GuestOptions = {
  profile: windowsXp,
  user: 'anna',
  password: 'apples',
  address: ipv4('10.1.0.11'),
  outer: ipv4('203.0.113.101'),
  ports: { 500: 31_001, 4500: 31_002 },
}

/** A client in the world, with what it told. */
export class Guest {
  readonly client: VpnClient
  readonly o: GuestOptions
  readonly events: VpnClientEffect[] = []
  /** Inner packets that reached it. */
  readonly received: Uint8Array[] = []
  /** Sees every packet on the way to the gateway or back, with the client's own port (0: native ESP); false loses it. */
  pass: (direction: 'up' | 'down', port: 0 | 500 | 4500, bytes: Uint8Array) => boolean = () => true

  constructor(o: GuestOptions) {
    this.o = o
    this.client = new VpnClient({
      profile: o.profile,
      dice: seededDice(`guest ${o.user} ${o.address}${o.life === undefined ? '' : ` ${o.life}`}`),
      address: o.address,
      server: SERVER,
      presharedKey: o.presharedKey ?? 'roam-free-2005',
      user: o.user,
      password: o.password,
      peer: 1,
      ...(o.tunnelId === undefined ? {} : { tunnelId: o.tunnelId }),
    })
  }

  get outer(): Ipv4 {
    return this.o.outer ?? this.o.address
  }

  outerPort(port: 500 | 4500): number {
    return this.o.ports?.[port] ?? port
  }

  get innerAddress(): string {
    return formatIpv4(this.client.address)
  }

  /** The last word, once it is down. */
  get down() {
    return this.events.find(e => e.kind === 'down')
  }
}

export interface WorldOptions {
  readonly script?: string
  readonly workers?: number
  /** The gateway's own address where a NAT stands before it: guests dial SERVER all the same. */
  readonly local?: Ipv4
  /** What its site file states. */
  readonly publicAddress?: Ipv4
  readonly forceEncapsulation?: boolean
  readonly office?: OfficeFacts
}

export class World {
  readonly clock = new FakeClock(1_000_000)
  readonly gateway: MemoryGateway
  readonly log: string[] = []
  /** What control did to the data path, to the network and towards the clients, in order, without keys. */
  readonly deeds: string[] = []
  readonly guests: Guest[] = []
  /** Packets that came out of the TUN device towards the LAN. */
  readonly toLan: Uint8Array[] = []
  readonly secrets = new SecretStore(temporaryDirectory())
  /** What is under way: carried out one behind the other, so that nothing is re-entrant. */
  private readonly wire: (() => void)[] = []
  private delivering = false

  constructor(options: WorldOptions = {}) {
    this.secrets.setKey(1, 'general', Secret.fromText('roam-free-2005'))
    this.gateway = new MemoryGateway(configurationOf(options.script ?? OFFICE), options.workers ?? 2, {
      clock: this.clock,
      wall: () => new Date(Date.UTC(2026, 0, 1) + this.clock.now()),
      dice: seededDice('gateway'),
      local: options.local ?? SERVER,
      ...(options.publicAddress === undefined ? {} : { publicAddress: options.publicAddress }),
      ...(options.forceEncapsulation === undefined ? {} : { forceEncapsulation: options.forceEncapsulation }),
      ...(options.office === undefined ? {} : { office: options.office }),
      secrets: this.secrets,
      log: line => this.log.push(line),
      later: deed => this.later(deed),
      toClient: (remote, port, bytes) => this.toGuest(remote, port, bytes),
      toLan: packet => this.toLan.push(packet),
      deed: text => this.deeds.push(text),
    })
    this.take()
  }

  get control() {
    return this.gateway.control
  }

  get routes() {
    return this.gateway.routes
  }

  get steering() {
    return this.gateway.steering
  }

  get workers() {
    return this.gateway.workers
  }

  get stats() {
    return this.gateway.stats
  }

  guest(o: GuestOptions): Guest {
    const guest = new Guest(o)
    this.guests.push(guest)
    return guest
  }

  /** The guest does something, and everything that follows from it at this moment happens. */
  act(guest: Guest, input: VpnClientInput): void {
    this.later(() => this.handle(guest, input))
  }

  /** Time goes by, with every deadline of both sides on the way. */
  advance(milliseconds: number): void {
    const end = this.clock.now() + milliseconds
    for (;;) {
      const deadlines = [this.clock.next, ...this.guests.map(g => g.client.deadline)].filter(d => d !== undefined)
      const next = Math.min(...deadlines, end)
      this.later(() => this.clock.advance(Math.max(0, next - this.clock.now())))
      for (const g of this.guests) {
        if ((g.client.deadline ?? Number.POSITIVE_INFINITY) > this.clock.now()) continue
        this.later(() => this.handle(g, { kind: 'deadline' }))
      }
      if (next >= end) return
    }
  }

  connect(guest: Guest, patience = 20_000): void {
    this.act(guest, { kind: 'start' })
    for (let waited = 0; waited < patience && guest.client.phase !== 'up' && !guest.down; waited += 100)
      this.advance(100)
  }

  /** The deeds since the last call. */
  take(): string[] {
    return this.deeds.splice(0)
  }

  get attempts() {
    return this.control.attempts.states()
  }

  /** A packet from the LAN into the TUN device. */
  fromLan(packet: Uint8Array): void {
    this.later(() => this.gateway.fromLan(packet))
  }

  private later(deed: () => void): void {
    this.wire.push(deed)
    if (this.delivering) return
    this.delivering = true
    try {
      for (let next = this.wire.shift(); next; next = this.wire.shift()) next()
    } finally {
      this.delivering = false
    }
  }

  // -------------------------------------------------------------------------------------------------------- the guests

  private handle(guest: Guest, input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const effects: VpnClientEffect[] = []
    guest.client.handle(input, this.clock.now(), effects)
    for (const e of effects) {
      if (e.kind === 'ipPacket') guest.received.push(e.bytes.slice())
      else if (e.kind === 'send') this.fromGuest(guest, e.port, e.bytes.slice())
      else if (e.kind === 'sendEsp') this.fromGuest(guest, 0, e.bytes.slice())
      else guest.events.push(e)
    }
  }

  private fromGuest(guest: Guest, port: 0 | 500 | 4500, bytes: Uint8Array): void {
    if (!guest.pass('up', port, bytes)) return
    const remote = { address: guest.outer, port: port === 0 ? 0 : guest.outerPort(port) }
    this.later(() => this.gateway.receive(port, remote, bytes))
  }

  private toGuest(remote: Endpoint, port: 0 | 500 | 4500, bytes: Uint8Array): void {
    const guest = this.guests.find(g => g.outer === remote.address && (port === 0 || g.outerPort(port) === remote.port))
    if (!guest?.pass('down', port, bytes)) return
    this.later(() => this.handle(guest, port === 0 ? { kind: 'esp', bytes } : { kind: 'datagram', port, bytes }))
  }
}

/** An ICMP echo request or, with `reply`, what answers it. */
export function ping(source: Ipv4, destination: Ipv4, reply = false): Uint8Array {
  const message = concat(Uint8Array.of(reply ? 0 : 8, 0, 0, 0, 0, 7, 0, 1), createHash('sha1').update('ping').digest())
  const check = checksum(message, 0, message.length)
  message[2] = check >>> 8
  message[3] = check
  return emitIpv4({ source, destination, protocol: IpProtocol.Icmp, payload: message })
}
