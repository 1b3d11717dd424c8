/**
 * A whole gateway and its clients in one process and in virtual time: the real Control over fake sockets, with a data path
 * that is the workers' own Forwarder around the reference engine.
 */

import { createHash } from 'node:crypto'
import { readScript } from '../../src/alliedware/script.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { Control } from '../../src/gateway/control.ts'
import { Forwarder, type Wires } from '../../src/gateway/forwarder.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import type { FromWorker, ToWorker } from '../../src/gateway/messages.ts'
import type { DataPath, HostNetwork, IkeSockets } from '../../src/gateway/ports.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { Stats } from '../../src/gateway/stats.ts'
import { BATCH_CAPACITY, type Batch } from '../../src/packet/batch.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { type Endpoint, emitIpv4, formatIpv4, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import { seededDice } from '../support/dice.ts'
import type { VpnProfile } from '../support/profiles.ts'
import { VpnClient } from '../support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../support/vpn-contract.ts'
import { FakeClock, temporaryDirectory } from './fakes.ts'

export const SERVER = ipv4('203.0.113.1')
export const LAN_HOST = ipv4('192.168.8.10')
const MARKER = new Uint8Array(4)

/** An office gateway: one pre-shared key, three users, a pool of two addresses. */
export const OFFICE = `
set system name=Gate
add user=anna password=apples login=no
add user=ben password=bananas login=no
add user=carl password=cherries login=no ipaddress=192.168.8.50
create ip pool=callers ip=192.168.8.100-192.168.8.101
create ppp template=1 ippool=callers authentication=chap echo=30
set ppp dnsprimary=192.168.8.2
enable l2tp
enable l2tp server=both
add l2tp ip=1.1.1.1-255.255.255.254 ppptemplate=1
enable ip
add ip interface=vlan1 ipaddress=192.168.8.1
add ip interface=eth0 ipaddress=203.0.113.1
enable firewall
create firewall policy=main
create firewall policy=main dynamic=roaming
add firewall policy=main dynamic=roaming user=ANY
add firewall policy=main interface=vlan1 type=private
add firewall policy=main interface=dyn-roaming type=private
add firewall policy=main interface=eth0 type=public
create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=aes256 hashalg=sha mode=transport
create ipsec saspecification=2 keymanagement=isakmp protocol=esp encalg=3desouter hashalg=sha mode=transport
create ipsec bundlespecification=1 keymanagement=isakmp string="1 or 2"
create ipsec policy=roaming interface=eth0 action=ipsec keymanagement=isakmp bundlespecification=1 peeraddress=any isakmppolicy=roaming1
set ipsec policy=roaming transportprotocol=udp lport=1701
enable ipsec
create isakmp policy=roaming1 peer=any key=1
set isakmp policy=roaming1 senddeletes=true
enable isakmp
`

/** One data-path thread as it is, but for the thread and the sockets. */
class MemoryWorker implements Wires {
  readonly forwarder: Forwarder
  /** What lies in its sockets and in its TUN queue. */
  readonly arrived: { readonly remote: Endpoint; readonly bytes: Uint8Array }[] = []
  readonly tun: Uint8Array[] = []
  private readonly out: {
    readonly toLan: (packet: Uint8Array) => unknown
    readonly toPeer: (remote: Endpoint, packet: Uint8Array) => void
    readonly tell: (message: FromWorker) => void
  }

  constructor(worker: number, stats: Stats, out: MemoryWorker['out']) {
    this.out = out
    this.forwarder = new Forwarder({
      worker,
      engine: new ReferenceEngine(seededDice('worker')),
      wires: this,
      stats,
      seed: 1,
    })
  }

  receive(batch: Batch, raw: boolean): number {
    batch.clear()
    const mine = this.arrived.filter(a => (a.remote.port === 0) === raw).slice(0, BATCH_CAPACITY)
    for (const a of mine) {
      this.arrived.splice(this.arrived.indexOf(a), 1)
      const i = batch.push(a.bytes)
      batch.address[i] = a.remote.address
      batch.port[i] = a.remote.port
      batch.local[i] = SERVER
    }
    return batch.count
  }

  readTun(batch: Batch): number {
    batch.clear()
    for (const packet of this.tun.splice(0, BATCH_CAPACITY)) batch.push(packet)
    return batch.count
  }

  writeTun(batch: Batch): number {
    return this.each(batch, i => this.out.toLan(batch.packet(i).slice()))
  }

  send(batch: Batch): number {
    return this.each(batch, i =>
      this.out.toPeer({ address: batch.address[i]!, port: batch.port[i]! }, batch.packet(i).slice()),
    )
  }

  tell(message: FromWorker): void {
    this.out.tell(message)
  }

  private each(batch: Batch, deed: (i: number) => void): number {
    let done = 0
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] !== Verdict.Forward) continue
      deed(i)
      done++
    }
    return done
  }
}

export interface GuestOptions {
  readonly profile: VpnProfile
  readonly user: string
  readonly password: string
  readonly presharedKey?: string
  /** As the client knows itself, and as it comes out of its NAT; the same where there is none. */
  readonly address: Ipv4
  readonly outer?: Ipv4
  /** What its NAT makes of source port 500 and 4500. */
  readonly ports?: { readonly 500: number; readonly 4500: number }
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
      dice: seededDice(`guest ${o.user} ${o.address}`),
      address: o.address,
      server: SERVER,
      presharedKey: o.presharedKey ?? 'roam-free-2005',
      user: o.user,
      password: o.password,
      peer: 1,
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

export class World {
  readonly clock = new FakeClock(1_000_000)
  readonly control: Control
  readonly log: string[] = []
  /** What control did to the data path, to the network and towards the clients, in order, without keys. */
  readonly deeds: string[] = []
  readonly guests: Guest[] = []
  /** Packets that came out of the TUN device towards the LAN. */
  readonly toLan: Uint8Array[] = []
  readonly routes = new Map<Ipv4, { mtu: number; proxy: string | undefined }>()
  readonly steering = new Map<Ipv4, number>()
  readonly workers: MemoryWorker[]
  readonly stats: Stats
  readonly secrets = new SecretStore(temporaryDirectory())
  /** What is under way: carried out one behind the other, so that nothing is re-entrant. */
  private readonly wire: (() => void)[] = []
  private delivering = false

  constructor(options: { script?: string; workers?: number } = {}) {
    const workers = options.workers ?? 2
    this.stats = Stats.forWorkers(workers)
    this.workers = Array.from(
      { length: workers },
      (_, number) =>
        new MemoryWorker(number, this.stats, {
          toLan: packet => this.toLan.push(packet),
          toPeer: (remote, packet) => this.toGuest(remote, remote.port === 0 ? 0 : 4500, packet),
          tell: message => this.control.fromWorker(number, message),
        }),
    )
    this.secrets.setKey(1, 'general', Secret.fromText('roam-free-2005'))
    const wall = () => new Date(Date.UTC(2026, 0, 1) + this.clock.now())
    const result = readScript(options.script ?? OFFICE, { values: {}, keys: [1] })
    const errors = result.faults.filter(f => f.severity === 'error')
    if (errors.length > 0) throw new Error(errors.map(f => f.text).join('; '))
    this.control = new Control(
      {
        clock: this.clock,
        wall,
        dice: seededDice('gateway'),
        log: new Log(line => this.log.push(line), wall, Severity.Detail),
        sockets: this.sockets(),
        data: this.dataPath(),
        network: this.hostNetwork(),
        stats: this.stats,
        secrets: this.secrets,
        publicAddress: () => undefined,
        surroundings: () => ({
          interfaces: [
            { name: 'vlan1', device: 'lan0', address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') },
            { name: 'eth0', device: 'pub0', address: SERVER, mask: ipv4('255.255.255.0') },
          ],
          routes: [],
          own: [ipv4('192.168.8.1')],
        }),
      },
      result.configuration,
    )
    this.control.publishRules()
    this.take()
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
    const destination = ((packet[16]! << 24) | (packet[17]! << 16) | (packet[18]! << 8) | packet[19]!) >>> 0
    const number = this.steering.get(destination) ?? 0
    this.later(() => {
      const worker = this.workers[number]!
      worker.tun.push(packet)
      worker.forwarder.fromTun(() => this.clock.now())
    })
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
    this.later(() => {
      if (port === 500) return this.control.datagram({ address: SERVER, port: 500 }, remote, bytes)
      const isIke = port === 4500 && bytes.length > 4 && MARKER.every((b, i) => bytes[i] === b)
      if (isIke) return this.control.datagram({ address: SERVER, port: 4500 }, remote, bytes.subarray(4))
      this.open(remote, bytes)
    })
  }

  private toGuest(remote: Endpoint, port: 0 | 500 | 4500, bytes: Uint8Array): void {
    const guest = this.guests.find(g => g.outer === remote.address && (port === 0 || g.outerPort(port) === remote.port))
    if (!guest?.pass('down', port, bytes)) return
    this.later(() => this.handle(guest, port === 0 ? { kind: 'esp', bytes } : { kind: 'datagram', port, bytes }))
  }

  // ----------------------------------------------------------------------------------------------------- the data path

  /** A packet that came to a worker's socket. */
  private open(remote: Endpoint, bytes: Uint8Array): void {
    const spi = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
    const worker = this.workers[bytes.length < 4 ? 0 : spi % this.workers.length]!
    worker.arrived.push({ remote, bytes })
    worker.forwarder.fromPublic(remote.port === 0, () => this.clock.now())
  }

  private obey(number: number, m: ToWorker): void {
    if (m.kind === 'stop') return
    const { forwarder } = this.workers[number]!
    forwarder.obey(m, this.clock.now())
    forwarder.flush(this.clock.now())
  }

  private dataPath(): DataPath {
    return {
      workers: this.workers.length,
      post: (worker, message) => {
        if (message.kind !== 'inject' && message.kind !== 'injectFrame') this.deeds.push(describe(worker, message))
        this.later(() => this.obey(worker, message))
      },
      steer: (address, worker) => {
        this.deeds.push(`steer ${formatIpv4(address)} to ${worker === undefined ? 'nobody' : `worker ${worker}`}`)
        if (worker === undefined) this.steering.delete(address)
        else this.steering.set(address, worker)
      },
    }
  }

  private sockets(): IkeSockets {
    return {
      send: (local, remote, bytes) => {
        const exchange = { 2: 'Main', 5: 'Informational', 32: 'Quick' }[bytes[18]!] ?? `exchange ${bytes[18]}`
        this.deeds.push(`send ${exchange} Mode from ${local.port}`)
        const port = local.port === 4500 ? 4500 : 500
        this.toGuest(remote, port, port === 4500 ? concat(MARKER, bytes) : bytes.slice())
      },
      keepalive: (_, remote) => this.toGuest(remote, 4500, Uint8Array.of(0xff)),
    }
  }

  private hostNetwork(): HostNetwork {
    return {
      addSession: (address, mtu, proxy) => {
        this.deeds.push(`route ${formatIpv4(address)} mtu ${mtu}${proxy ? ` proxy ${proxy}` : ''}`)
        this.routes.set(address, { mtu, proxy })
      },
      removeSession: address => {
        this.deeds.push(`unroute ${formatIpv4(address)}`)
        this.routes.delete(address)
      },
      proxyDevice: address => ((address & 0xffffff00) >>> 0 === ipv4('192.168.8.0') ? 'lan0' : undefined),
      publicMtu: 1500,
      localAddress: ipv4('192.168.8.1'),
    }
  }
}

function describe(worker: number, m: ToWorker): string {
  switch (m.kind) {
    case 'setPath':
      return `setPath peer ${m.peer} port ${m.port}`
    case 'installInbound':
    case 'installOutbound':
      return `${m.kind} peer ${m.sa.peer} ${m.sa.suite.cipher}-${m.sa.suite.integrity}`
    case 'removeSa':
    case 'removePeer':
      return `${m.kind} peer ${m.peer}`
    case 'installSession':
      return `installSession ${m.ids.session} of peer ${m.ids.peer}`
    case 'networkUp':
      return `networkUp ${m.row.session} on worker ${worker}: ${formatIpv4(m.row.address)} of peer ${m.row.peer}`
    case 'networkDown':
    case 'removeSession':
      return `${m.kind} ${m.session} on worker ${worker}`
    default:
      return `${m.kind} on worker ${worker}`
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
