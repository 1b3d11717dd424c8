/**
 * The load's outer side, a program for a network namespace: any number of the project's own clients, each at an address of
 * its own, that share one native engine and send and receive by the batch. Nothing but the set-up is done packet by packet.
 *
 * A line of JSON on stdin is an order, a line of JSON on stdout its answer; see `Order`.
 */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { Batch } from '../src/packet/batch.ts'
import { emitIpv4, emitUdp, formatIpv4, IpProtocol, type Ipv4, ipv4, readIpv4 } from '../src/packet/ip.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { concat } from '../src/packet/writer.ts'
import { type EspOffer, espProposal } from '../test/support/offers.ts'
import { profiles, type VpnProfile } from '../test/support/profiles.ts'
import { VpnClient } from '../test/support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../test/support/vpn-contract.ts'
import { blast, ECHO_PORT, openedAlready, quantiles, SINK_PORT } from './load.ts'

export type Order =
  /** Dials in, so many at a time; answers the inner addresses. */
  | {
      readonly do: 'dial'
      readonly profile: 'xp' | 'win10'
      /** The one suite that is offered; absent: what the profile offers. */
      readonly esp?: EspOffer
      readonly clients: number
      readonly server: string
      readonly psk: string
      readonly user: string
      readonly password: string
    }
  /** UDP through all tunnels in turn, IP packets of `size` bytes; answers how many were sent. */
  | {
      readonly do: 'blast'
      readonly to: string
      readonly size: number
      readonly seconds: number
      readonly rate: number
    }
  /** So many of them at once. */
  | { readonly do: 'burst'; readonly to: string; readonly size: number; readonly count: number }
  /** Echoes through the first tunnel, or past it where there is none; answers round trips in microseconds. */
  | { readonly do: 'probe'; readonly to: string; readonly seconds: number }
  /** Gives all tunnels together a TUN device with their addresses and a route to `to`. */
  | { readonly do: 'tun'; readonly to: string }
  /** Answers how many datagrams came to this namespace so far, and how many of them did not open. */
  | { readonly do: 'count' }

const FIRST_PORT = 40_000
const AT_ONCE = 8
const PPP_IPV4 = Uint8Array.of(0xff, 0x03, 0x00, 0x21)
const UDP_HEADER = 8
const PATIENCE = 20_000

/** Every order's doing; `clients[row]` is the peer of that row in the engine. */
class Load {
  private readonly native = loadNative()
  private readonly engine = new NativeEngine(this.native)
  private readonly udp: Readonly<Record<500 | 4500, number>>
  private readonly plain: number
  private readonly inbound = new Batch()
  private readonly outbound = new Batch()
  private readonly single = new Batch()
  private readonly addresses: readonly Ipv4[]
  private readonly clients: VpnClient[] = []
  private readonly timers: (NodeJS.Timeout | undefined)[] = []
  private server: Ipv4 = 0
  private unopened = 0
  private tun = -1
  private trips: number[] = []
  private failure = ''

  constructor() {
    this.addresses = ownAddresses()
    this.udp = { 500: this.native.udpSocket(0, 500, false), 4500: this.native.udpSocket(0, 4500, false) }
    this.plain = this.native.udpSocket(0, FIRST_PORT, false)
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
      case 'blast':
        return { sent: await blast(order.seconds, order.rate, this.sender(ipv4(order.to), order.size)) }
      case 'burst':
        return { sent: this.sender(ipv4(order.to), order.size)(order.count) }
      case 'probe':
        return await this.probe(ipv4(order.to), order.seconds)
      case 'tun':
        return this.openTun(order.to)
      case 'count':
        return { received: datagramsReceived(), unopened: this.unopened }
    }
  }

  // ---------------------------------------------------------------------------------------------------------- set-up

  private async dial(o: Extract<Order, { do: 'dial' }>): Promise<object> {
    this.server = ipv4(o.server)
    const { esp } = o
    const like: VpnProfile = profiles[o.profile]
    const profile: VpnProfile =
      esp === undefined ? like : { ...like, quickProposals: (spi, _, mode) => [espProposal(1, spi, esp, mode)] }
    // One group for everybody: some servers number the transform that they choose anew.
    const offers = profile.ike.offers.filter(offer => offer.group === 14)
    const ike = { ...profile.ike, offers, takesReworded: true }
    if (this.addresses.length < o.clients) throw new Error(`${this.addresses.length} addresses, ${o.clients} clients`)
    for (let row = 0; row < o.clients; row++) {
      this.clients.push(
        new VpnClient({
          profile: { ...profile, refusesServerBehindNat: false, ike },
          presharedKey: o.psk,
          user: o.user,
          password: o.password,
          address: this.addresses[row]!,
          server: this.server,
          dice: length => new Uint8Array(randomBytes(length)),
          engine: openedAlready(this.engine, row),
          batch: this.single,
          peer: row,
          patienceMillis: PATIENCE,
        }),
      )
    }
    const end = performance.now() + PATIENCE + (PATIENCE * o.clients) / 25
    for (let row = 0; row < o.clients; ) {
      const dialing = this.clients.filter(c => c.phase !== 'idle' && c.phase !== 'up').length
      if (this.failure !== '') throw new Error(this.failure)
      if (performance.now() > end) throw new Error(`only ${row - dialing} of ${o.clients} connected in time`)
      if (dialing < AT_ONCE) this.handle(row++, { kind: 'start' })
      else await pause(5)
    }
    while (this.clients.some(c => c.phase !== 'up')) {
      if (this.failure !== '') throw new Error(this.failure)
      if (performance.now() > end) throw new Error('not every client connected in time')
      await pause(5)
    }
    return { connected: this.clients.map(c => formatIpv4(c.address)) }
  }

  private handle(row: number, input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const client = this.clients[row]!
    const effects: VpnClientEffect[] = []
    client.handle(input, performance.now(), effects)
    for (const effect of effects) {
      if (effect.kind === 'send') {
        this.native.sendTo(this.udp[effect.port], this.addresses[row]!, this.server, effect.port, effect.bytes)
      } else if (effect.kind === 'ipPacket') this.arrived(row, effect.bytes)
      else if (effect.kind === 'down') this.failure = `client ${row}: ${effect.failed ?? ''} ${effect.reason}`
    }
    clearTimeout(this.timers[row])
    const { deadline } = client
    if (deadline === undefined) return
    const wait = Math.max(0, deadline - performance.now()) + 1
    this.timers[row] = setTimeout(() => this.handle(row, { kind: 'deadline' }), wait)
  }

  // ------------------------------------------------------------------------------------------------------- coming in

  private receive(port: 500 | 4500): void {
    const { native, engine, inbound: batch } = this
    const handle = engine.attach(batch)
    batch.count = native.receiveUdp(this.udp[port], handle, 0)
    if (port === 500) {
      for (let i = 0; i < batch.count; i++) this.control(batch.local[i]!, port, batch.packet(i).slice())
      return
    }
    if (engine.open(batch) > 0) this.takeEvents()
    const count = batch.count
    for (let i = 0; i < count; i++) {
      if (batch.verdict[i] === Verdict.Punt) this.control(batch.local[i]!, port, batch.packet(i).slice())
      else if (batch.verdict[i] !== Verdict.Forward) this.unopened++
      else this.opened(batch, i)
    }
    if (this.tun >= 0) native.writeTun(this.tun, handle, count)
  }

  private control(local: Ipv4, port: 500 | 4500, bytes: Uint8Array): void {
    const row = this.addresses.indexOf(local)
    if (row >= 0 && row < this.clients.length) this.handle(row, { kind: 'datagram', port, bytes })
  }

  /** Data is counted, timed or written to the device; all else is the client's. */
  private opened(batch: Batch, i: number): void {
    const at = batch.offset[i]!
    const header = dataHeader(batch.bytes, at, batch.length[i]!)
    const row = batch.peer[i]!
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
    } else if (this.tun < 0) batch.verdict[i] = Verdict.Drop
  }

  private arrived(row: number, packet: Uint8Array): void {
    if (row === 0 && packet[9] === IpProtocol.Udp && packet[21] === ECHO_PORT) this.trip(packet.subarray(28))
  }

  private takeEvents(): void {
    for (const event of this.engine.takeEvents()) {
      if (event.kind === 'soft') this.handle(event.peer, { kind: 'rekey' })
    }
  }

  // -------------------------------------------------------------------------------------------------------- going out

  /** The UDP, L2TP and PPP headers in front of a client's IP packet of `length` bytes; a UDP checksum of 0 is none. */
  private headers(client: VpnClient, length: number): Uint8Array {
    const [session] = client.lac.calls.keys()
    const l2tp = client.lac.data(session!, concat(PPP_IPV4, new Uint8Array(length))).subarray(0, -length)
    return emitUdp(1701, 1701, concat(l2tp, new Uint8Array(length))).subarray(0, UDP_HEADER + l2tp.length)
  }

  /** Sends so many UDP packets of `size` bytes through all tunnels in turn, and answers how many. */
  private sender(to: Ipv4, size: number): (count: number) => number {
    const packets = this.clients.map(client => {
      const payload = emitUdp(FIRST_PORT, SINK_PORT, new Uint8Array(size - 28))
      const ip = { source: client.address, destination: to, protocol: IpProtocol.Udp, payload }
      return concat(this.headers(client, size), emitIpv4(ip))
    })
    const batch = this.outbound
    let next = 0
    return count => {
      batch.clear()
      for (let i = 0; i < count; i++) {
        const row = next++ % packets.length
        batch.push(packets[row]!)
        batch.peer[i] = row
        batch.protocol[i] = IpProtocol.Udp
      }
      return this.seal(batch)
    }
  }

  private seal(batch: Batch): number {
    if (this.engine.seal(batch) > 0) this.takeEvents()
    return this.native.sendEsp(this.udp[4500], -1, this.engine.attach(batch), batch.count)
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
        const payload = emitUdp(FIRST_PORT, ECHO_PORT, stamp)
        const ip = emitIpv4({ source: client.address, destination: to, protocol: IpProtocol.Udp, payload })
        this.outbound.clear()
        this.outbound.push(concat(this.headers(client, ip.length), ip))
        this.outbound.peer[0] = 0
        this.outbound.protocol[0] = IpProtocol.Udp
        this.seal(this.outbound)
      }
      await pause(1)
    }
    await pause(100)
    return { sent, ...quantiles(this.trips) }
  }

  private trip(stamp: Uint8Array): void {
    const at = new DataView(stamp.buffer, stamp.byteOffset).getFloat64(0)
    this.trips.push((performance.now() - at) * 1000)
  }

  // ------------------------------------------------------------------------------------------------------------- TUN

  private openTun(to: string): object {
    const { name, fds } = this.native.tunOpen('load%d', 1)
    this.tun = fds[0]!
    const addresses = this.clients.map(client => `address add ${formatIpv4(client.address)}/32 dev ${name}`)
    const commands = [...addresses, `link set ${name} mtu 1400 up`, `route replace ${to}/32 dev ${name}`]
    execFileSync('ip', ['-batch', '-'], { input: commands.join('\n') })
    const rows = new Map(this.clients.map((client, row) => [client.address, row]))
    const reading = new Batch()
    const handle = this.engine.attach(reading)
    this.native.watch(this.tun, () => {
      reading.count = this.native.readTun(this.tun, handle, 0)
      for (let i = 0; i < reading.count; i++) {
        const length = reading.length[i]!
        const row = rows.get(readIpv4(reading.bytes, reading.offset[i]! + 12)) ?? 0
        const headers = this.headers(this.clients[row]!, length)
        const at = reading.offset[i]! - headers.length
        reading.bytes.set(headers, at)
        reading.offset[i] = at
        reading.length[i] = length + headers.length
        reading.peer[i] = row
        reading.protocol[i] = IpProtocol.Udp
      }
      this.seal(reading)
    })
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

/** UDP datagrams for this namespace, also those for which a socket had no room. */
function datagramsReceived(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('Udp:'))
    .map(line => line.split(' '))
  const value = (name: string) => Number(values![names!.indexOf(name)])
  return value('InDatagrams') + value('InErrors')
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
