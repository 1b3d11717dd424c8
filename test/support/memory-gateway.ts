/**
 * A whole gateway in one process: the real Control over sockets, data path and host network made of memory. The data path is
 * the workers' own Forwarder around the reference engine.
 */

import type { Configuration } from '../../src/alliedware/config.ts'
import { readScript } from '../../src/alliedware/script.ts'
import type { Engine } from '../../src/esp/engine.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { Headers } from '../../src/firewall/headers.ts'
import { ownerOfPort } from '../../src/firewall/nat-ports.ts'
import { Control } from '../../src/gateway/control.ts'
import type { Clock } from '../../src/gateway/deadlines.ts'
import { Forwarder, type Wires } from '../../src/gateway/forwarder.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import type { FromWorker, ToWorker } from '../../src/gateway/messages.ts'
import type { DataPath, HostNetwork, IkeSockets } from '../../src/gateway/ports.ts'
import { puntOf } from '../../src/gateway/punt-ring.ts'
import type { SecretStore } from '../../src/gateway/secret-store.ts'
import { Stats } from '../../src/gateway/stats.ts'
import type { Dice } from '../../src/machine.ts'
import type { Batch } from '../../src/packet/batch.ts'
import { type Endpoint, formatIpv4, type Ipv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import type { OfficeFacts } from '../../src/ppp/dhcp.ts'
import { seededDice } from './dice.ts'

const MARKER = new Uint8Array(4)

/** What a script of an office that serves everybody says, but for its users, pool and PPP template. */
export const SERVICES = `enable l2tp
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

/** What a gateway of memory stands in. */
export interface GatewaySurroundings {
  readonly clock: Clock
  readonly wall: () => Date
  readonly dice: Dice
  /** The address its sockets have. */
  readonly local: Ipv4
  /** The one that clients dial, where a NAT hides the first. */
  readonly publicAddress?: Ipv4
  readonly forceEncapsulation?: boolean
  readonly office?: OfficeFacts
  readonly secrets: SecretStore
  readonly log: (line: string) => void
  /** Carries out a deed behind the one in hand, so that nothing is re-entrant. */
  readonly later: (deed: () => void) => void
  /** A packet from our port 500 or 4500, or native ESP (0), as it lies on the wire; absent where nobody gets any. */
  readonly toClient?: ((remote: Endpoint, from: 0 | 500 | 4500, bytes: Uint8Array) => void) | undefined
  /** A packet that came out of the TUN device. */
  readonly toLan: (packet: Uint8Array) => void
  /** What control posts to the data path, before it is carried out: keys are still in it. */
  readonly posted?: (worker: number, message: ToWorker) => void
  /** A worker's ESP; without it the reference does the work. */
  readonly engine?: () => Engine
  /** What control does to the network and towards the clients, in words. */
  readonly deed?: (text: string) => void
}

/** The configuration in a script. Throws where it has a fault. */
export function configurationOf(script: string): Configuration {
  const result = readScript(script, { values: {}, keys: [1] })
  const errors = result.faults.filter(f => f.severity === 'error')
  if (errors.length > 0) throw new Error(errors.map(f => f.text).join('; '))
  return result.configuration
}

/** One data-path thread as it is, but for the thread and the sockets. */
export class MemoryWorker implements Wires {
  readonly engine: Engine
  readonly forwarder: Forwarder
  /** What lies in its sockets and in its TUN queue. */
  readonly arrived: { readonly remote: Endpoint; readonly bytes: Uint8Array }[] = []
  readonly tun: Uint8Array[] = []
  private readonly local: Ipv4
  private readonly out: {
    readonly toLan: (packet: Uint8Array) => unknown
    readonly toPeer: ((remote: Endpoint, packet: Uint8Array) => void) | undefined
    readonly tell: (message: FromWorker) => void
  }

  constructor(worker: number, local: Ipv4, stats: Stats, out: MemoryWorker['out'], engine?: Engine) {
    this.engine = engine ?? new ReferenceEngine(seededDice('worker'))
    this.local = local
    this.out = out
    this.forwarder = new Forwarder({
      worker,
      engine: this.engine,
      wires: this,
      stats,
      seed: 1,
    })
  }

  receive(batch: Batch, raw: boolean, most: number): number {
    batch.clear()
    const { arrived } = this
    let left = 0
    for (const a of arrived) {
      if ((a.remote.port === 0) !== raw || batch.count === most) {
        arrived[left++] = a
        continue
      }
      const i = batch.push(a.bytes)
      batch.address[i] = a.remote.address
      batch.port[i] = a.remote.port
      batch.local[i] = this.local
    }
    arrived.length = left
    return batch.count
  }

  readTun(batch: Batch, most: number): number {
    batch.clear()
    for (const packet of this.tun.splice(0, most)) batch.push(packet)
    return batch.count
  }

  writeTun(batch: Batch): number {
    return this.each(batch, i => this.out.toLan(batch.copy(i)))
  }

  send(batch: Batch): number {
    const { toPeer } = this.out
    return this.each(batch, i => toPeer?.({ address: batch.address[i]!, port: batch.port[i]! }, batch.copy(i)))
  }

  tell(message: FromWorker): void {
    this.out.tell(message)
  }

  punt(batch: Batch, i: number): void {
    this.out.tell(puntOf(batch, i))
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

export class MemoryGateway {
  readonly control: Control
  readonly log: Log
  readonly routes = new Map<Ipv4, { mtu: number; proxy: string | undefined }>()
  readonly steering = new Map<Ipv4, number>()
  /** Addresses that the workers share by ports, and ports of them that are one worker's. */
  readonly shared = new Set<Ipv4>()
  readonly steeredPorts = new Map<string, number>()
  readonly workers: MemoryWorker[]
  readonly stats: Stats
  private readonly around: GatewaySurroundings

  constructor(configuration: Configuration, workers: number, around: GatewaySurroundings) {
    this.around = around
    this.stats = Stats.forWorkers(workers)
    this.workers = Array.from(
      { length: workers },
      (_, number) =>
        new MemoryWorker(
          number,
          around.local,
          this.stats,
          {
            toLan: packet => around.toLan(packet),
            toPeer:
              around.toClient && ((remote, packet) => around.toClient?.(remote, remote.port === 0 ? 0 : 4500, packet)),
            tell: message => this.control.fromWorker(number, message),
          },
          around.engine?.(),
        ),
    )
    const { clock, wall, dice, secrets } = around
    this.log = new Log(line => around.log(line), wall, Severity.Detail)
    this.control = new Control(
      {
        clock,
        wall,
        dice,
        log: this.log,
        sockets: this.sockets(),
        data: this.dataPath(),
        network: this.hostNetwork(),
        stats: this.stats,
        secrets,
        publicAddress: () => around.publicAddress,
        forceEncapsulation: () => around.forceEncapsulation ?? false,
        office: () => around.office ?? { dnsSuffix: undefined, routes: [] },
        surroundings: () => ({
          interfaces: [
            { name: 'vlan1', device: 'lan0', address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') },
            { name: 'eth0', device: 'pub0', address: around.local, mask: ipv4('255.255.255.0') },
          ],
          routes: [],
          own: [ipv4('192.168.8.1')],
        }),
      },
      configuration,
    )
    this.control.publishRules()
  }

  /** A packet on one of our sockets: port 500 or 4500, or native ESP (0). */
  receive(port: 0 | 500 | 4500, remote: Endpoint, bytes: Uint8Array): void {
    const { local } = this.around
    if (port === 500) return this.control.datagram({ address: local, port: 500 }, remote, bytes)
    const isIke = port === 4500 && bytes.length > 4 && readIpv4(bytes) === 0
    if (isIke) return this.control.datagram({ address: local, port: 4500 }, remote, bytes.subarray(4))
    const worker = this.workers[bytes.length < 4 ? 0 : readIpv4(bytes) % this.workers.length]!
    worker.arrived.push({ remote: port === 0 ? { address: remote.address, port: 0 } : remote, bytes })
    worker.forwarder.fromPublic(port === 0, () => this.around.clock.now())
  }

  /** A packet into the TUN device. */
  fromLan(packet: Uint8Array): void {
    const worker = this.workers[this.queueOf(packet)]!
    worker.tun.push(packet)
    worker.forwarder.fromTun(() => this.around.clock.now())
  }

  /** As the TUN device's program has it; of a shared address whole packets alone. */
  private queueOf(packet: Uint8Array): number {
    const address = readIpv4(packet, 16)
    if (!this.shared.has(address)) return this.steering.get(address) ?? 0
    const h = new Headers()
    if (h.read(packet, 0, packet.length) !== 0) return 0
    const quoted = new Headers()
    const about = h.isIcmpError ? quoted.readQuoted(packet, h) && quoted : h
    if (!about) return 0
    // An ICMP query's other port is its type.
    const [first, other] = h.isIcmpError
      ? [about.sourcePort, about.destinationPort]
      : [about.destinationPort, about.sourcePort]
    const port = first > 0xffff ? other : first
    const steered = this.steeredPorts.get(`${formatIpv4(address)} ${about.protocol} ${port}`)
    return steered ?? ownerOfPort(port, this.workers.length)
  }

  private obey(number: number, m: ToWorker): void {
    if (m.kind === 'stop') return
    const { forwarder } = this.workers[number]!
    const now = this.around.clock.now()
    forwarder.obey(m, now)
    forwarder.flush(now)
  }

  private dataPath(): DataPath {
    const { around } = this
    return {
      workers: this.workers.length,
      post: (worker, message) => {
        around.posted?.(worker, message)
        if (message.kind !== 'inject' && message.kind !== 'injectFrame') around.deed?.(describe(worker, message))
        around.later(() => this.obey(worker, message))
      },
      steer: (address, worker) => {
        around.deed?.(`steer ${formatIpv4(address)} to ${worker === undefined ? 'nobody' : `worker ${worker}`}`)
        if (worker === undefined) this.steering.delete(address)
        else this.steering.set(address, worker)
        this.shared.delete(address)
      },
      share: address => {
        around.deed?.(`share ${formatIpv4(address)}`)
        this.shared.add(address)
      },
      steerPort: (address, protocol, port, worker) => {
        const key = `${formatIpv4(address)} ${protocol} ${port}`
        around.deed?.(`steer ${key} to ${worker === undefined ? 'nobody' : `worker ${worker}`}`)
        if (worker === undefined) this.steeredPorts.delete(key)
        else this.steeredPorts.set(key, worker)
      },
    }
  }

  private sockets(): IkeSockets {
    const { around } = this
    return {
      send: (local, remote, bytes) => {
        around.deed?.(`send ${exchanges[bytes[18]!] ?? `exchange ${bytes[18]}`} Mode from ${local.port}`)
        const port = local.port === 4500 ? 4500 : 500
        around.toClient?.(remote, port, port === 4500 ? concat(MARKER, bytes) : bytes.slice())
      },
      keepalive: (_, remote) => around.toClient?.(remote, 4500, Uint8Array.of(0xff)),
    }
  }

  private hostNetwork(): HostNetwork {
    const { around } = this
    return {
      addSession: (address, mtu, proxy) => {
        around.deed?.(`route ${formatIpv4(address)} mtu ${mtu}${proxy ? ` proxy ${proxy}` : ''}`)
        this.routes.set(address, { mtu, proxy })
      },
      removeSession: address => {
        around.deed?.(`unroute ${formatIpv4(address)}`)
        this.routes.delete(address)
      },
      proxyDevice: address => ((address & 0xffffff00) >>> 0 === ipv4('192.168.8.0') ? 'lan0' : undefined),
      publicMtu: 1500,
      localAddress: ipv4('192.168.8.1'),
    }
  }
}

const exchanges: Readonly<Record<number, string>> = { 2: 'Main', 5: 'Informational', 32: 'Quick' }

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
