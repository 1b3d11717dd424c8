/**
 * A whole gateway and its clients in one process and in virtual time: the real Control over fake sockets, with a data path
 * in memory that is the worker's, stage by stage, around the reference engine.
 */

import { createHash } from 'node:crypto'
import { readScript } from '../../src/alliedware/script.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import { FirewallTables } from '../../src/firewall/tables.ts'
import { Control } from '../../src/gateway/control.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import type { SaMessage, ToWorker } from '../../src/gateway/messages.ts'
import type { DataPath, HostNetwork, IkeSockets } from '../../src/gateway/ports.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { Stats } from '../../src/gateway/stats.ts'
import { decapsulate as decapsulateL2tp } from '../../src/l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../../src/l2tp/encapsulate.ts'
import { L2tpTable } from '../../src/l2tp/table.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { type Endpoint, emitIpv4, formatIpv4, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import { decapsulate as decapsulatePpp } from '../../src/ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../../src/ppp/encapsulate.ts'
import { PppTable } from '../../src/ppp/table.ts'
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

/** One data-path thread as it would be, without threads and sockets. */
class MemoryWorker {
  readonly engine = new ReferenceEngine(seededDice('worker'))
  readonly l2tp = new L2tpTable()
  readonly ppp = new PppTable()
  readonly firewall = new FirewallTables(1)
  readonly batch = new Batch()
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
  /** Return false to lose a packet on the way to the gateway or back. */
  pass: (direction: 'up' | 'down') => boolean = () => true

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
    this.workers = Array.from({ length: workers }, () => new MemoryWorker())
    this.stats = Stats.forWorkers(workers)
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
        publicAddress: undefined,
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
      const { batch, firewall, ppp, l2tp } = this.workers[number]!
      batch.clear()
      batch.push(packet)
      filterOut(batch, firewall, this.clock.now())
      encapsulatePpp(batch, ppp)
      encapsulateL2tp(batch, l2tp)
      this.seal(number)
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
    if (!guest.pass('up')) return
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
    if (!guest?.pass('down')) return
    this.later(() => this.handle(guest, port === 0 ? { kind: 'esp', bytes } : { kind: 'datagram', port, bytes }))
  }

  // ----------------------------------------------------------------------------------------------------- the data path

  /** A packet that came to a worker's socket: the way of the worker's own `fromPublic`. */
  private open(remote: Endpoint, bytes: Uint8Array): void {
    const spi = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
    const number = bytes.length < 4 ? 0 : spi % this.workers.length
    const { batch, engine, firewall, l2tp, ppp } = this.workers[number]!
    batch.clear()
    batch.push(bytes)
    batch.address[0] = remote.address
    batch.port[0] = remote.port
    batch.local[0] = SERVER
    if (engine.open(batch) > 0) this.control.fromWorker(number, { kind: 'engine', events: engine.takeEvents() })
    decapsulateL2tp(batch, l2tp)
    decapsulatePpp(batch, ppp)
    filterIn(batch, firewall, this.clock.now())
    const verdict = batch.verdict[0]
    if (verdict === Verdict.Forward) {
      this.stats.addSession(batch.session[0]!, 1, batch.length[0]!, false)
      this.toLan.push(batch.packet(0).slice())
    } else if (verdict === Verdict.Drop) this.stats.addDrop(number, batch.reason[0]!)
    else {
      this.control.fromWorker(number, {
        kind: 'punt',
        reason: batch.reason[0]!,
        peer: batch.peer[0]!,
        session: batch.session[0]!,
        sa: batch.sa[0]!,
        local: batch.local[0]!,
        address: batch.address[0]!,
        port: batch.port[0]!,
        bytes: batch.packet(0).slice(),
      })
    }
  }

  private seal(number: number): void {
    const { batch, engine } = this.workers[number]!
    if (engine.seal(batch) > 0) this.control.fromWorker(number, { kind: 'engine', events: engine.takeEvents() })
    if (batch.verdict[0] !== Verdict.Forward) {
      this.stats.addDrop(number, batch.reason[0]!)
      return
    }
    const remote = { address: batch.address[0]!, port: batch.port[0]! }
    this.toGuest(remote, remote.port === 0 ? 0 : 4500, batch.packet(0).slice())
  }

  private obey(number: number, m: ToWorker): void {
    const w = this.workers[number]!
    switch (m.kind) {
      case 'setPath':
        return w.engine.setPath(m)
      case 'installInbound':
        return w.engine.installInbound({ ...association(m.sa), replayWindow: m.sa.replayWindow })
      case 'installOutbound':
        return w.engine.installOutbound(association(m.sa))
      case 'removeSa':
        w.engine.removeInbound(m.inboundSpi)
        return w.engine.removeOutbound(m.peer, m.outboundSpi)
      case 'removePeer':
        return w.engine.removePeer(m.peer)
      case 'installSession':
        return w.l2tp.install(m.ids)
      case 'networkUp':
        w.firewall.install(m.row)
        if (m.row.peer !== 0) w.ppp.set(m.row.session, { up: true, ...m })
        return
      case 'networkDown':
        w.ppp.clear(m.session)
        return w.firewall.remove(m.session)
      case 'removeSession':
        w.l2tp.remove(m.session)
        w.ppp.clear(m.session)
        return w.firewall.remove(m.session)
      case 'setRuleset':
        return w.firewall.setRuleset(m.ruleset)
      case 'inject':
      case 'injectFrame':
        w.batch.clear()
        w.batch.push(m.bytes)
        w.batch.peer[0] = m.peer
        w.batch.protocol[0] = IpProtocol.Udp
        if (m.kind === 'injectFrame') {
          w.batch.session[0] = m.session
          encapsulateL2tp(w.batch, w.l2tp)
        }
        return this.seal(number)
      case 'stop':
        return
    }
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

function association(m: SaMessage) {
  return {
    spi: m.spi,
    peer: m.peer,
    suite: m.suite,
    keys: { encryption: new Secret(m.encryptionKey), integrity: new Secret(m.integrityKey) },
    limits: { softBytes: m.softBytes, hardBytes: m.hardBytes },
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
