/**
 * The whole gateway in namespaces, and SoftEther VPN server in its place with the same clients in the same run: packets a
 * second, Gbit/s, nanoseconds of the gateway's processes for each packet and byte, and the latency added to a round trip.
 *
 * `--seconds=N` for each measurement (0.4 otherwise); `--only=floatgate|softether`; `--clients=1,100`;
 * `--suites=aes,3des,gcm`; `--sizes=64,512,1400`; `--lan-offloads=off`. Rates double until a part is lost, or the
 * load itself cannot keep up, which is then said. Either gateway has one processor, the load the others: see processors.ts.
 */

import { type Daemon, sleep } from '../test/support/command.ts'
import { whyNoNetwork } from '../test/support/netns.ts'
import type { EspOffer } from '../test/support/offers.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import { Beside, type Kind } from './beside.ts'
import { CARD_MICROS, type Quantiles, TCP_WARM_MILLIS } from './load.ts'
import { giveProcessors, receiveAside, stepAside, timeOf } from './processors.ts'
import { skipped } from './rows.ts'
import { fetchSoftEther, firstLease, startSoftEther } from './softether.ts'
import type { Station } from './station.ts'
import { transfer } from './tcp-load.ts'
import { FIRST_RATE, RECOVERY_MILLIS, raiseLoad, startClients, startLan, type Udp, UdpLoad } from './udp-load.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const list = (name: string, otherwise: string) => (option(name) ?? otherwise).split(',')
const seconds = Number(option('seconds') ?? 0.4)

interface Suite {
  readonly name: string
  readonly profile: 'win10' | 'xp'
  readonly esp: EspOffer
  /** Whether SoftEther has it. */
  readonly common: boolean
}
const suites: Readonly<Record<string, Suite>> = {
  aes: { name: 'AES', profile: 'win10', esp: { cipher: 'aes128', integrity: 'sha1' }, common: true },
  '3des': { name: '3DES', profile: 'xp', esp: { cipher: '3des', integrity: 'sha1' }, common: true },
  gcm: { name: 'GCM', profile: 'win10', esp: { cipher: 'aesgcm128' }, common: false },
}
function suiteOf(key: string): Suite {
  const suite = suites[key]
  if (suite === undefined) throw new Error(`no suite ${key}; there are ${Object.keys(suites).join(', ')}`)
  return suite
}

/** Whether ours has the LAN's device merge UDP: off, to see what that brings. */
const lanOffloads = option('lan-offloads') !== 'off'
const TCP_SECONDS = Math.max(1.5, seconds)
const ECHO_SECONDS = Math.max(2, seconds)
/** The devices that take what the gateway sends. */
const RECEIVERS = [
  ['lan', 'eth0'],
  ['load', 'eth0'],
  ['pub', 'gw'],
  ['pub', 'load'],
] as const
/** Echoes go for so many rounds before they count: a LAN may wait for an ARP answer at first. */
const ECHO_ROUNDS = 8
const SETTLED_MICROSECONDS = 100_000
/** A transfer that takes less of its processor is limited by the load. */
const BUSY = 0.9

/** The office with one gateway after the other in it. */
class Bench {
  private readonly office = new Office()
  private lan: Station | undefined
  private clients: Station | undefined
  private udp: UdpLoad | undefined
  private begin = FIRST_RATE

  async play(kinds: readonly Kind[]): Promise<void> {
    try {
      await this.raise()
      const plain = await this.plainTrips()
      for (const suite of list('suites', 'aes,3des,gcm').map(suiteOf)) {
        for (const count of list('clients', '1,100').map(Number)) {
          const beside = new Beside(`${suite.name}, ${count} client${count === 1 ? '' : 's'}`)
          for (const kind of kinds) {
            if (kind === 'softether' && !suite.common) continue
            try {
              await this.playLoad(beside, kind, suite, count, plain)
            } catch (e) {
              beside.failed(kind, (e as Error).message)
            }
          }
          beside.note()
        }
      }
    } finally {
      await this.clients?.end()
      await this.lan?.end()
      await this.office.remove()
    }
  }

  /** The office without clients, and a namespace with an address for each client of the load. */
  private async raise(): Promise<void> {
    await stepAside()
    await this.office.raise([])
    await this.office.network.mergeLikeCard('gw', 'lan0', CARD_MICROS)
    await raiseLoad(this.office, Math.max(...list('clients', '1,100').map(Number)))
    this.lan = startLan(this.office.network)
  }

  /** Round trips through the same namespaces where the kernel forwards and no tunnel is. */
  private async plainTrips(): Promise<Quantiles> {
    const station = startClients(this.office.network)
    try {
      await station.obey({ do: 'probe', to: lanHost, seconds: 0.3 })
      return await station.obey<Quantiles>({ do: 'probe', to: lanHost, seconds: ECHO_SECONDS })
    } finally {
      await station.end()
    }
  }

  private async startGateway(kind: Kind): Promise<Daemon> {
    const { user, password } = accounts.dialin2
    if (kind === 'floatgate') {
      return await this.office.startGateway(officeScript(), { forceEncapsulation: true, workers: 1, lanOffloads })
    }
    return await startSoftEther(this.office.network, { psk: preSharedKey, user, password, dns: lanHost })
  }

  private async playLoad(beside: Beside, kind: Kind, suite: Suite, count: number, plain: Quantiles): Promise<void> {
    const { user, password } = accounts.dialin2
    const gateway = await this.startGateway(kind)
    this.clients = startClients(this.office.network)
    this.udp = new UdpLoad(this.office.network, this.lan!, this.clients)
    this.begin = FIRST_RATE
    try {
      await giveProcessors(this.office.network, 'gw')
      const { connected } = await this.clients.obey<{ connected: string[] }>({
        ...{ do: 'dial', profile: suite.profile, esp: suite.esp, clients: count },
        // SoftEther gives one lease a second, and takes a client's word for an address.
        ...(kind === 'softether' ? { asksFor: firstLease } : {}),
        ...{ server: gatewayPublic, psk: preSharedKey, user, password },
      })
      await this.warm(beside, kind)
      if (count === 1) await this.latency(beside, kind, plain)
      await this.udp.settle(connected)
      for (const size of list('sizes', '64,512,1400').map(Number)) {
        const sealed = await this.udp.sealedLength(connected, size)
        for (const direction of ['up', 'down', 'both'] as const) {
          await this.measure(beside, kind, { inner: connected, size, sealed, direction })
        }
      }
      // What the last load left in a gateway's queues is over.
      await this.udp.settle(connected)
      await this.tcp(beside, kind, connected)
    } finally {
      await this.clients.end()
      await gateway.stop(5000)
    }
  }

  /** Echoes until as good as all come back: what the first ones wait for is ARP, and no latency of a gateway's. */
  private async warm(beside: Beside, kind: Kind): Promise<void> {
    let first: number | undefined
    for (let round = 0; round < ECHO_ROUNDS; round++) {
      const echoes = await this.clients!.obey<Echoes>({ do: 'probe', to: lanHost, seconds: 0.3 })
      first ??= echoes.first
      if (first === undefined || echoes.count < echoes.sent * 0.99 || echoes.p999 > SETTLED_MICROSECONDS) continue
      return beside.tell(kind, 'first echo', first / 1000, 'ms', 'less')
    }
    throw new Error('echoes are late or lost')
  }

  private async latency(beside: Beside, kind: Kind, plain: Quantiles): Promise<void> {
    const trips = await this.clients!.obey<Echoes>({ do: 'probe', to: lanHost, seconds: ECHO_SECONDS })
    for (const q of ['p50', 'p99', 'p999'] as const) {
      beside.tell(kind, `round trip ${q} added`, Math.max(0, trips[q] - plain[q]), 'us', 'less')
    }
    if (trips.count < trips.sent * 0.99) beside.failed(kind, `${trips.sent - trips.count} echoes were lost`)
  }

  private async measure(beside: Beside, kind: Kind, load: Udp): Promise<void> {
    const { size, direction } = load
    const { most, cost, passed, slow } = await this.udp!.search(load, this.begin, seconds)
    this.begin = Math.max(FIRST_RATE, passed / 2)
    const what = `UDP ${size} ${direction}`
    if (cost === undefined) return beside.failed(kind, `${what}: nothing arrived`)
    const remark = slow ? 'the load was the limit' : undefined
    beside.tell(kind, what, most / 1000, 'k packets/s', 'more', remark)
    beside.tell(kind, `${what}, Gbit/s`, (most * size * 8) / 1e9, 'Gbit/s', 'more', remark)
    beside.tell(kind, `${what}, CPU a packet`, cost, 'ns/packet', 'less')
    beside.tell(kind, `${what}, CPU a byte`, cost / size, 'ns/byte', 'less')
  }

  /** One connection of each client, up, down, and as many of both. */
  private async tcp(beside: Beside, kind: Kind, inner: readonly string[]): Promise<void> {
    await this.clients!.obey({ do: 'tun', to: lanHost })
    for (const [namespace, device] of RECEIVERS) await receiveAside(this.office.network, namespace, device, true)
    for (const [direction, words] of [
      ['up', ['pour']],
      ['down', ['drain']],
      ['both', ['pour', 'drain']],
    ] as const) {
      const cpu = await timeOf(this.office.network, 'gw')
      const moved = await Promise.all(words.map(word => transfer(this.office.network, word, TCP_SECONDS, inner)))
      const spent = (await timeOf(this.office.network, 'gw')) - cpu
      await sleep(RECOVERY_MILLIS)
      const bytes = moved.reduce((sum, each) => sum + each.all, 0)
      const steady = moved.reduce((sum, each) => sum + each.steady, 0)
      const busy = spent / 1e9 / (TCP_SECONDS + TCP_WARM_MILLIS / 1000)
      const remark = busy < BUSY ? `with ${(busy * 100).toFixed(0)} % of its processor` : undefined
      beside.tell(kind, `TCP ${direction}`, (steady * 8) / TCP_SECONDS / 1e9, 'Gbit/s', 'more', remark)
      beside.tell(kind, `TCP ${direction}, CPU a byte`, spent / bytes, 'ns/byte', 'less')
    }
    for (const [namespace, device] of RECEIVERS) await receiveAside(this.office.network, namespace, device, false)
  }
}

interface Echoes extends Quantiles {
  readonly sent: number
  readonly first?: number
}

/** What there is to be measured. */
async function kinds(): Promise<Kind[]> {
  const only = option('only')
  const found: Kind[] = only === 'softether' ? [] : ['floatgate']
  if (only === 'floatgate') return found
  const fetched = await fetchSoftEther()
  if ('obstacle' in fetched) skipped('SoftEther VPN server', fetched.obstacle)
  else {
    process.stdout.write(`SoftEther VPN server ${fetched.version}\n`)
    found.push('softether')
  }
  return found
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped('the whole gateway', obstacle)
else await new Bench().play(await kinds())
