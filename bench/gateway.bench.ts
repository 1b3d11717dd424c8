/**
 * The whole gateway in namespaces, and SoftEther VPN server in its place with the same clients in the same run: packets a
 * second, Gbit/s, nanoseconds of the gateway's processes for each packet and byte, and the latency added to a round trip.
 *
 * `--seconds=N` for each measurement (0.4 otherwise); `--only=floatgate|softether`; `--clients=1,100`;
 * `--suites=aes,3des,gcm`; `--sizes=64,512,1400`. Rates double until a part is lost, or the load itself cannot keep up,
 * which is then said. Either gateway has one processor, the load the others: see processors.ts.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { type Daemon, must, run, sleep } from '../test/support/command.ts'
import { project, whyNoNetwork } from '../test/support/netns.ts'
import type { EspOffer } from '../test/support/offers.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import { Beside, type Kind } from './beside.ts'
import { Drain, type Drained, datagrams } from './drain.ts'
import { type Quantiles, SINK_PORT, TCP_WARM_MILLIS } from './load.ts'
import { giveProcessor, receiveAside, stepAside } from './processors.ts'
import { skipped } from './rows.ts'
import { fetchSoftEther, firstLease, startSoftEther } from './softether.ts'
import { Station } from './station.ts'

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
type Direction = 'up' | 'down' | 'both'

const ESP_PORT = 4500
const TCP_SECONDS = Math.max(1.5, seconds)
const ECHO_SECONDS = Math.max(2, seconds)
const FIRST_ADDRESS = 120
/** Packets a second, of both directions together. */
const FIRST_RATE = 4000
const LEAST_RATE = 500
const LAST_RATE = 1_024_000
/** Packets that are sealed ahead at most: 2 KiB of memory each. */
const MOST_PREPARED = 2_000_000
/** For what a gateway has not forwarded yet of the load before. */
const RECOVERY_MILLIS = 1500
/** For what is under way when the load ends. */
const SETTLING_MILLIS = 150
/** The share that may be lost on the way of a rate that the gateway carries; up to which a rate is tried once more. */
const LOSS = 0.03
const NEARLY = 0.2
/** The share by which the load may miss its rate. */
const SLOW = 0.2
const WARM_RUNS = 6
const WARM_SECONDS = 0.3
/** Packets one by one, to see how long one is that is sealed. */
const ALONE = 5
const ALONE_MILLIS = 5
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
  private readonly lanDrain = new Drain(this.office.network, 'lan', 'eth0', SINK_PORT)
  private readonly clientsDrain = new Drain(this.office.network, 'pub', 'gw', ESP_PORT)
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
    const { network } = this.office
    await stepAside()
    await this.office.raise([])
    await network.namespace('load')
    await network.wire({ namespace: 'load', name: 'eth0' }, { namespace: 'pub', name: 'load', bridge: 'br0' })
    const most = Math.max(...list('clients', '1,100').map(Number))
    for (let i = 0; i < most; i++) await network.ip('load', `address add 203.0.113.${FIRST_ADDRESS + i}/24 dev eth0`)
    await network.ip('load', `route add ${lanHost}/32 via ${gatewayPublic}`)
    this.lan = new Station(network, 'lan', 'load-lan', lanHost)
  }

  private load(): Station {
    return new Station(this.office.network, 'load', 'load-clients')
  }

  /** Round trips through the same namespaces where the kernel forwards and no tunnel is. */
  private async plainTrips(): Promise<Quantiles> {
    const station = this.load()
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
      return await this.office.startGateway(officeScript(), { forceEncapsulation: true, workers: 1 })
    }
    return await startSoftEther(this.office.network, { psk: preSharedKey, user, password, dns: lanHost })
  }

  private async playLoad(beside: Beside, kind: Kind, suite: Suite, count: number, plain: Quantiles): Promise<void> {
    const { user, password } = accounts.dialin2
    const gateway = await this.startGateway(kind)
    this.clients = this.load()
    this.begin = FIRST_RATE
    try {
      await giveProcessor(this.office.network, 'gw')
      const { connected } = await this.clients.obey<{ connected: string[] }>({
        ...{ do: 'dial', profile: suite.profile, esp: suite.esp, clients: count },
        // SoftEther gives one lease a second, and takes a client's word for an address.
        ...(kind === 'softether' ? { asksFor: firstLease } : {}),
        ...{ server: gatewayPublic, psk: preSharedKey, user, password },
      })
      await this.warm(beside, kind)
      if (count === 1) await this.latency(beside, kind, plain)
      // Until everybody's addresses are known to everybody, packets are lost.
      await this.settle(connected)
      for (const size of list('sizes', '64,512,1400').map(Number)) {
        const sealed = await this.sealedLength(connected, size)
        for (const direction of ['up', 'down', 'both'] as const) {
          await this.measure(beside, kind, { inner: connected, size, sealed, direction })
        }
      }
      // What the last load left in a gateway's queues is over.
      await this.settle(connected)
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

  /**
   * Finds the rate of which a part is lost, by doubling, from half of where the last search ended, or halving. The most that
   * arrived counts, and the cost of the highest rate that got through.
   */
  private async measure(beside: Beside, kind: Kind, load: Udp): Promise<void> {
    const { size, direction } = load
    let most = 0
    let cost: number | undefined
    let passed = 0
    let slow = false
    for (let rate = this.begin; rate >= LEAST_RATE && rate <= LAST_RATE; ) {
      let step = await this.run(load, rate)
      // Others use the machine too: once more, before it counts as the limit.
      if (step.packets === 0 || (step.lost > LOSS && step.lost < NEARLY)) {
        if (step.packets === 0) await sleep(RECOVERY_MILLIS)
        step = await this.run(load, rate)
      }
      most = Math.max(most, step.packets / Math.max(seconds, step.took))
      const lost = step.lost > LOSS
      slow = step.sent < rate * Math.max(seconds, step.took) * (1 - SLOW)
      if (step.packets > 0 && (!lost || cost === undefined)) cost = step.cpu / step.packets
      if (!lost) passed = Math.max(passed, rate)
      if (slow || (lost && passed > 0)) break
      if (!lost && rate < this.begin) break
      rate = lost ? rate / 2 : rate * 2
    }
    this.begin = Math.max(FIRST_RATE, passed / 2)
    const what = `UDP ${size} ${direction}`
    if (cost === undefined) return beside.failed(kind, `${what}: nothing arrived`)
    const remark = slow ? 'the load was the limit' : undefined
    beside.tell(kind, what, most / 1000, 'k packets/s', 'more', remark)
    beside.tell(kind, `${what}, Gbit/s`, (most * size * 8) / 1e9, 'Gbit/s', 'more', remark)
    beside.tell(kind, `${what}, CPU a packet`, cost, 'ns/packet', 'less')
    beside.tell(kind, `${what}, CPU a byte`, cost / size, 'ns/byte', 'less')
  }

  /**
   * One load; `rate` is of all directions together. The clients seal their packets before, and whatever has left the
   * gateway is drained, so that neither takes the time of what is measured.
   */
  private async run({ inner, size, sealed, direction }: Udp, rate: number) {
    const each = direction === 'both' ? rate / 2 : rate
    const clients = this.clients!
    const nothing: Sent = { sent: 0 }
    const count = Math.min(MOST_PREPARED, Math.ceil(each * seconds))
    if (direction !== 'down') await clients.obey({ do: 'prepare', to: lanHost, size, count })
    await this.lanDrain.open()
    await this.clientsDrain.open()
    const cpu = await this.cpuTime()
    const began = performance.now()
    const blast = { do: 'blast', size, seconds, rate: each }
    const sent = await Promise.all([
      direction === 'down' ? nothing : clients.obey<Sent>({ ...blast, to: lanHost, prepared: true }),
      direction === 'up' ? nothing : this.lan!.obey<Sent>({ ...blast, to: inner }),
    ])
    const took = (performance.now() - began) / 1000
    await sleep(SETTLING_MILLIS)
    const spent = (await this.cpuTime()) - cpu
    const up = datagrams(await this.lanDrain.close(), size)
    const down = datagrams(await this.clientsDrain.close(), sealed)
    // What is told of in the other direction is no load.
    const packets = (direction === 'down' ? 0 : up) + (direction === 'up' ? 0 : down)
    const all = sent[0].sent + sent[1].sent
    return { packets, sent: all, lost: 1 - packets / all, cpu: spent, took }
  }

  private async settle(inner: readonly string[]): Promise<void> {
    for (let round = 0; round < WARM_RUNS && !(await this.everybodyIsKnown(inner)); round++)
      await sleep(RECOVERY_MILLIS)
  }

  /** Whether packets of both directions reach everybody, and are opened there. */
  private async everybodyIsKnown(inner: readonly string[]): Promise<boolean> {
    const arrived = async () => {
      const [up, down] = [
        await this.lan!.obey<Count>({ do: 'count' }),
        await this.clients!.obey<Opened>({ do: 'count' }),
      ]
      return up.received + down.received - down.unopened
    }
    const before = await arrived()
    const blast = { do: 'blast', size: 64, seconds: WARM_SECONDS, rate: FIRST_RATE }
    const sent = [
      await this.clients!.obey<Sent>({ ...blast, to: lanHost }),
      await this.lan!.obey<Sent>({ ...blast, to: inner }),
    ]
    await sleep(SETTLING_MILLIS)
    return (await arrived()) - before >= (sent[0]!.sent + sent[1]!.sent) * (1 - LOSS)
  }

  /** Bytes of the IP packet that brings a client one of so many bytes. */
  private async sealedLength(inner: readonly string[], size: number): Promise<number> {
    for (let round = 0; round < ECHO_ROUNDS; round++) {
      await this.clientsDrain.open()
      let drained: Drained
      try {
        for (let i = 0; i < ALONE; i++) {
          await this.lan!.obey<Sent>({ do: 'burst', to: inner[0]!, size, count: 1 })
          await sleep(ALONE_MILLIS)
        }
      } finally {
        drained = await this.clientsDrain.close()
      }
      // Something else may have come with them.
      if (drained.trains === ALONE && drained.bytes % ALONE === 0) return drained.bytes / ALONE
    }
    throw new Error(`packets of ${size} bytes to a client do not come alone`)
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
      const cpu = await this.cpuTime()
      const moved = await Promise.all(words.map(word => this.transfer(word, inner)))
      const spent = (await this.cpuTime()) - cpu
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

  private async transfer(word: 'pour' | 'drain', inner: readonly string[]): Promise<Moved> {
    const host = `${project}/dist/bench/load-lan.js`
    const words = [word, lanHost, String(TCP_SECONDS), ...inner]
    const argv = this.office.network.inside('load', process.execPath, host, ...words)
    const said = await must(argv, { timeoutMillis: 1000 * TCP_SECONDS + 20_000 })
    const [all, steady] = said.split(' ').map(Number)
    return { all: all!, steady: steady! }
  }

  /** Nanoseconds that all threads of all processes in the gateway's namespace have run. */
  private async cpuTime(): Promise<number> {
    const { output } = await run(['ip', 'netns', 'pids', `${this.office.network.id}-gw`])
    let total = 0
    for (const pid of output.trim().split('\n').filter(Boolean)) {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
      }
    }
    return total
  }
}

/** Bytes of a transfer, and of its steady part. */
interface Moved {
  readonly all: number
  readonly steady: number
}
/** UDP of all clients, packets of `size` bytes, which `sealed` bytes bring to a client. */
interface Udp {
  readonly inner: readonly string[]
  readonly size: number
  readonly sealed: number
  readonly direction: Direction
}
interface Sent {
  readonly sent: number
}
interface Count {
  readonly received: number
}
interface Opened extends Count {
  readonly unopened: number
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
