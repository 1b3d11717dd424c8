/**
 * The load's outer side, a program for a network namespace: any number of the project's own clients, each at an address of
 * its own, that share one native engine and send and receive by the batch. Nothing but the set-up is done packet by packet.
 *
 * A line of JSON on stdin is an order, a line of JSON on stdout its answer; see `Order`.
 */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { loadNative } from '../src/gateway/native.ts'
import { NativeArithmetic } from '../src/gateway/native-arithmetic.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { computeBy } from '../src/ike/arithmetic.ts'
import { Batch, COALESCED_ROOM, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { emitIpv4, emitUdp, formatIpv4, IpProtocol, type Ipv4, ipv4 } from '../src/packet/ip.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { type EspOffer, proposalOfMany } from '../test/support/offers.ts'
import { profiles, type VpnProfile } from '../test/support/profiles.ts'
import { VpnClient } from '../test/support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../test/support/vpn-contract.ts'
import { blast, datagramsReceived, ECHO_PORT, openedAlready, quantiles } from './load.ts'
import { Packets, SOURCE_PORT } from './load-packets.ts'

export type Order =
  /** Dials in, so many at a time; answers the inner addresses. */
  | {
      readonly do: 'dial'
      readonly profile: 'xp' | 'win10'
      /** The one suite that is offered, without a limit of bytes; absent: what the profile offers. */
      readonly esp?: EspOffer
      /** The inner address that the first asks for, the second for the next and so on; absent: any. */
      readonly asksFor?: string
      /** The outer address of the first, of a network that is local as a whole; absent: the addresses of eth0. */
      readonly first?: string
      /** User and password of client 7 are these and 7. */
      readonly numbered?: boolean
      readonly clients: number
      readonly server: string
      readonly psk: string
      readonly user: string
      readonly password: string
    }
  /** Seals so many packets now, of the first `among` clients in turn, which the next blasts of the same kind then send. */
  | {
      readonly do: 'prepare'
      readonly to: string
      readonly size: number
      readonly count: number
      readonly among?: number
    }
  /** UDP through all tunnels in turn, IP packets of `size` bytes; answers how many were sent. */
  | {
      readonly do: 'blast'
      readonly to: string
      readonly size: number
      readonly seconds: number
      readonly rate: number
      /** Only what is prepared. */
      readonly prepared?: boolean
    }
  /** So many of them at once. */
  | { readonly do: 'burst'; readonly to: string; readonly size: number; readonly count: number }
  /** Echoes through the first tunnel, or past it where there is none; answers round trips in microseconds, the first one's too. */
  | { readonly do: 'probe'; readonly to: string; readonly seconds: number }
  /** Gives all tunnels together a TUN device with their addresses and a route to `to`. */
  | { readonly do: 'tun'; readonly to: string }
  /** Answers how many datagrams came to this namespace so far, and how many of them did not open. */
  | { readonly do: 'count' }

/** SoftEther takes seconds for each, in which it does nothing. */
const AT_ONCE = 25
const UDP_HEADER = 8
const PATIENCE = 20_000
const EACH = 1000
const REDIAL_MILLIS = 1000
const LIFETIME_SECONDS = 3600
/** Batches that are received before something else has its turn. */
const ROUNDS = 8

type DialOrder = Extract<Order, { do: 'dial' }>

/** Every order's doing; `clients[row]` is peer `row + 1` in the engine. */
class Load {
  private readonly native = loadNative()
  private readonly engine = new NativeEngine(this.native)
  private readonly udp: Readonly<Record<500 | 4500, number>>
  private readonly plain: number
  private readonly packets: Packets
  private inbound = new Batch()
  private readonly single = new Batch()
  private addresses: readonly Ipv4[]
  private rows = new Map<Ipv4, number>()
  private readonly clients: VpnClient[] = []
  private readonly timers: (NodeJS.Timeout | undefined)[] = []
  private server: Ipv4 = 0
  private unopened = 0
  private writeTun: ((batch: Batch) => void) | undefined
  private trips: number[] = []
  private failure = ''
  private dialled: DialOrder | undefined
  /** Clients that are about to dial again, and how often one did. */
  private waiting = 0
  private redials = 0

  constructor() {
    computeBy(new NativeArithmetic(this.native))
    this.addresses = ownAddresses()
    this.udp = { 500: this.native.udpSocket(0, 500, false), 4500: this.native.udpSocket(0, 4500, false) }
    this.plain = this.native.udpSocket(0, SOURCE_PORT, false)
    this.packets = new Packets(this.native, this.engine, this.udp[4500], () => this.takeEvents())
    for (const port of [500, 4500] as const) this.native.watch(this.udp[port], () => this.receive(port))
    this.native.watch(this.plain, () => {
      const echo = new Uint8Array(128)
      while (this.native.receiveOne(this.plain, echo)) this.trip(echo)
    })
  }

  async obey(order: Order): Promise<object> {
    switch (order.do) {
      case 'dial':
        return await this.dial(order)
      case 'prepare':
        this.packets.prepare(this.clients.slice(0, order.among), ipv4(order.to), order.size, order.count)
        return {}
      case 'blast':
        return { sent: await blast(order.seconds, order.rate, this.sender(order)) }
      case 'burst':
        return { sent: this.sender(order)(order.count) }
      case 'probe':
        return await this.probe(ipv4(order.to), order.seconds)
      case 'tun':
        return this.openTun(order.to)
      case 'count':
        return { received: datagramsReceived(), unopened: this.unopened }
    }
  }

  // ---------------------------------------------------------------------------------------------------------- set-up

  private async dial(o: DialOrder): Promise<object> {
    const { first } = o
    if (first !== undefined) this.addresses = Array.from({ length: o.clients }, (_, i) => ipv4(first) + i)
    this.rows = new Map(this.addresses.slice(0, o.clients).map((address, row) => [address, row]))
    if (this.addresses.length < o.clients) throw new Error(`${this.addresses.length} addresses, ${o.clients} clients`)
    this.dialled = o
    this.server = ipv4(o.server)
    for (let row = 0; row < o.clients; row++) this.clients.push(this.newClient(row, o))
    const end = performance.now() + PATIENCE + EACH * o.clients
    for (let row = 0; this.failure === '' && this.clients.some(c => c.phase !== 'up'); ) {
      const dialing = this.clients.filter(c => c.phase !== 'idle' && c.phase !== 'up').length + this.waiting
      const up = this.clients.filter(c => c.phase === 'up').length
      if (performance.now() > end) throw new Error(`only ${up} of ${o.clients} connected in time`)
      if (dialing < AT_ONCE && row < o.clients) this.handle(row++, { kind: 'start' })
      else await pause(5)
    }
    if (this.failure !== '') throw new Error(this.failure)
    this.clients.forEach((client, row) => {
      this.packets.install(client, row)
    })
    return { connected: this.clients.map(c => formatIpv4(c.address)), redials: this.redials }
  }

  private newClient(row: number, o: DialOrder): VpnClient {
    const { esp } = o
    const like: VpnProfile = profiles[o.profile]
    const suite = (spi: Uint8Array, mode: number) => proposalOfMany(spi, [esp!], mode, LIFETIME_SECONDS, 'windows')
    const profile: VpnProfile =
      esp === undefined ? like : { ...like, quickProposals: (spi, _, mode) => [suite(spi, mode)] }
    // One group for everybody: some servers number the transform that they choose anew.
    const offers = profile.ike.offers.filter(offer => offer.group === 14)
    const ike = { ...profile.ike, offers, takesReworded: true }
    return new VpnClient({
      // Windows asks for IPv6 and compression as well: SoftEther then waits for four seconds.
      profile: { ...profile, refusesServerBehindNat: false, ike, ppp: 'plain' },
      presharedKey: o.psk,
      user: o.numbered === true ? `${o.user}${row}` : o.user,
      password: o.numbered === true ? `${o.password}${row}` : o.password,
      address: this.addresses[row]!,
      server: this.server,
      dice: length => new Uint8Array(randomBytes(length)),
      engine: openedAlready(this.engine, row + 1),
      batch: this.single,
      peer: row + 1,
      ...(o.asksFor === undefined ? {} : { asksFor: ipv4(o.asksFor) + row }),
      patienceMillis: PATIENCE,
    })
  }

  /** A user dials again. SoftEther refuses whose repetition crosses its answer. */
  private down(row: number, why: string): void {
    if (this.clients[row]!.address !== 0 || ++this.redials > this.clients.length) {
      this.failure = `client ${row}: ${why}`
      return
    }
    clearTimeout(this.timers[row])
    this.clients[row] = this.newClient(row, this.dialled!)
    this.waiting++
    setTimeout(() => {
      this.waiting--
      this.handle(row, { kind: 'start' })
    }, REDIAL_MILLIS)
  }

  private handle(row: number, input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const client = this.clients[row]!
    const effects: VpnClientEffect[] = []
    client.handle(input, performance.now(), effects)
    for (const effect of effects) {
      if (effect.kind === 'send') {
        this.native.sendTo(this.udp[effect.port], this.addresses[row]!, this.server, effect.port, effect.bytes)
      } else if (effect.kind === 'ipPacket') this.arrived(row, effect.bytes)
      else if (effect.kind === 'down') return this.down(row, `${effect.failed ?? ''} ${effect.reason}`)
    }
    clearTimeout(this.timers[row])
    const { deadline } = client
    if (deadline === undefined) return
    const wait = Math.max(0, deadline - performance.now()) + 1
    this.timers[row] = setTimeout(() => this.handle(row, { kind: 'deadline' }), wait)
  }

  // ------------------------------------------------------------------------------------------------------- coming in

  private receive(port: 500 | 4500): void {
    for (let round = 0; round < ROUNDS; round++) {
      const { native, engine, inbound: batch } = this
      batch.count = native.receiveUdp(this.udp[port], engine.attach(batch), 0)
      if (port === 4500) this.open(batch)
      else for (let i = 0; i < batch.count; i++) this.control(batch.local[i]!, port, batch.packet(i).slice())
      if (batch.count < NEAR_CAPACITY) return
    }
    // What lies in the batch's memory no poller tells of.
    setImmediate(() => this.receive(port))
  }

  private open(batch: Batch): void {
    const { engine } = this
    if (engine.open(batch) > 0) this.takeEvents()
    const count = batch.count
    for (let i = 0; i < count; i++) {
      if (batch.verdict[i] === Verdict.Punt) this.control(batch.local[i]!, 4500, batch.packet(i).slice())
      else if (batch.verdict[i] !== Verdict.Forward) this.unopened++
      else this.opened(batch, i)
    }
    this.writeTun?.(batch)
  }

  private control(local: Ipv4, port: 500 | 4500, bytes: Uint8Array): void {
    const row = this.rows.get(local)
    if (row !== undefined) this.handle(row, { kind: 'datagram', port, bytes })
  }

  /** Data is counted, timed or written to the device; all else is the client's. */
  private opened(batch: Batch, i: number): void {
    const at = batch.offset[i]!
    const header = dataHeader(batch.bytes, at, batch.length[i]!)
    const row = batch.peer[i]! - 1
    if (header === 0) {
      batch.verdict[i] = Verdict.Drop
      this.handle(row, { kind: 'datagram', port: 4500, bytes: batch.packet(i).slice() })
      return
    }
    batch.offset[i] = at + header
    batch.length[i] = batch.length[i]! - header
    const inner = at + header
    // An echo's answer: UDP from port 7, behind an IP header without options.
    if (batch.bytes[inner + 9] === IpProtocol.Udp) {
      const port = (batch.bytes[inner + 20]! << 8) | batch.bytes[inner + 21]!
      if (port === ECHO_PORT) this.trip(batch.bytes.subarray(inner + 28, inner + 36))
      batch.verdict[i] = Verdict.Drop
    } else if (this.writeTun === undefined) batch.verdict[i] = Verdict.Drop
  }

  private arrived(row: number, packet: Uint8Array): void {
    if (row === 0 && packet[9] === IpProtocol.Udp && packet[21] === ECHO_PORT) this.trip(packet.subarray(28))
  }

  private takeEvents(): void {
    for (const event of this.engine.takeEvents()) {
      if (event.kind === 'soft') this.handle(event.peer - 1, { kind: 'rekey' })
    }
  }

  // -------------------------------------------------------------------------------------------------------- going out

  /** Sends so many UDP packets through all tunnels in turn, and answers how many. */
  private sender(o: { to: string; size: number; prepared?: boolean }): (count: number) => number {
    if (o.prepared === true) return count => this.packets.sendPrepared(count)
    return this.packets.sender(this.clients, ipv4(o.to), o.size)
  }

  private async probe(to: Ipv4, seconds: number): Promise<object> {
    const [client] = this.clients
    const end = performance.now() + seconds * 1000
    const stamp = new Uint8Array(36)
    this.trips = []
    let sent = 0
    for (; performance.now() < end; sent++) {
      new DataView(stamp.buffer).setFloat64(0, performance.now())
      if (client === undefined) this.native.sendTo(this.plain, 0, to, ECHO_PORT, stamp)
      else {
        const payload = emitUdp(SOURCE_PORT, ECHO_PORT, stamp)
        this.packets.sendFirst(emitIpv4({ source: client.address, destination: to, protocol: IpProtocol.Udp, payload }))
      }
      await pause(1)
    }
    await pause(100)
    return { sent, first: this.trips[0], ...quantiles(this.trips) }
  }

  private trip(stamp: Uint8Array): void {
    const at = new DataView(stamp.buffer, stamp.byteOffset).getFloat64(0)
    this.trips.push((performance.now() - at) * 1000)
  }

  // ------------------------------------------------------------------------------------------------------------- TUN

  /** From here on datagrams come coalesced, and one that is counted may be many. */
  private openTun(to: string): object {
    this.native.coalesceUdp(this.udp[4500])
    this.inbound = new Batch(COALESCED_ROOM)
    const { name, write } = this.packets.openTun(this.clients, to)
    this.writeTun = write
    return { tun: name }
  }
}

/** Bytes of the UDP, L2TP and PPP headers in front of an IPv4 packet, or 0 where there is something else in it. */
function dataHeader(bytes: Uint8Array, from: number, length: number): number {
  const l2tp = from + UDP_HEADER
  const flags = bytes[l2tp]!
  if (length < UDP_HEADER + 10 || flags & 0x80) return 0
  let at = l2tp + (flags & 0x40 ? 8 : 6)
  if (flags & 0x08) at += 4
  if (flags & 0x02) at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
  if (bytes[at] === 0xff && bytes[at + 1] === 0x03) at += 2
  if (bytes[at] === 0) at++
  return bytes[at] === 0x21 ? at + 1 - from : 0
}

/** This namespace's addresses on eth0, in the order in which they were given. */
function ownAddresses(): Ipv4[] {
  const links = JSON.parse(execFileSync('ip', ['-j', '-4', 'address', 'show', 'dev', 'eth0'], { encoding: 'utf8' }))
  return (links as { addr_info: { local: string }[] }[]).flatMap(l => l.addr_info.map(a => ipv4(a.local)))
}

const pause = (millis: number) => new Promise(resolve => setTimeout(resolve, millis))

const load = new Load()
for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${JSON.stringify(await load.obey(JSON.parse(line) as Order))}\n`)
  } catch (e) {
    process.stdout.write(`${JSON.stringify({ failed: (e as Error).message })}\n`)
  }
}
process.exit(0)
