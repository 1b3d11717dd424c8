/**
 * The whole gateway in namespaces, and SoftEther VPN server in its place with the same clients in the same run: packets a
 * second, Gbit/s, nanoseconds of the gateway's processes for each packet and byte, and the latency added to a round trip.
 *
 * `--seconds=N` for each measurement (0.5 otherwise); `--only=floatgate|softether`; `--clients=1,100`; `--suites=xp,win10`;
 * `--sizes=64,512,1400`. Rates double until a part is lost, or the load itself cannot keep up, which is then said. Kernel work in soft interrupts counts for whom the kernel charges with it.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { type Daemon, must, run, sleep } from '../test/support/command.ts'
import { project, whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import type { Quantiles } from './load.ts'
import { note, skipped } from './rows.ts'
import { fetchSoftEther, startSoftEther } from './softether.ts'
import { Station } from './station.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const list = (name: string, otherwise: string) => (option(name) ?? otherwise).split(',')
const seconds = Number(option('seconds') ?? 0.5)
const suites = { win10: 'AES', xp: '3DES' } as const
type Profile = keyof typeof suites
type Direction = 'up' | 'down' | 'both'
type Kind = 'floatgate' | 'softether'

const TCP_SECONDS = 2
const FIRST_ADDRESS = 120
/** Packets a second, of both directions together. */
const FIRST_RATE = 4000
const LEAST_RATE = 500
/** For what a gateway has not forwarded yet of the load before. */
const RECOVERY_MILLIS = 1500
const LAST_RATE = 512_000
/** The share that may be lost on the way of a rate that the gateway carries. */
const LOSS = 0.03
/** The share by which the load may miss its rate. */
const SLOW = 0.2

/** What was measured, by its name: figures of both gateways meet here. */
const figures = new Map<string, Partial<Record<Kind, number>>>()

/** The office with one gateway in it. */
class Bench {
  private readonly office = new Office()
  private readonly kind: Kind
  private lan: Station | undefined
  private clients: Station | undefined
  private begin = FIRST_RATE

  constructor(kind: Kind) {
    this.kind = kind
  }

  async play(): Promise<void> {
    const { office } = this
    const { network } = office
    try {
      await this.raise()
      const plain = await this.plainTrips()
      for (const profile of list('suites', 'win10,xp') as Profile[]) {
        for (const count of list('clients', '1,100').map(Number)) {
          const gateway = await this.startGateway()
          this.begin = FIRST_RATE
          this.clients = this.load()
          const name = `${suites[profile]}, ${count} client${count === 1 ? '' : 's'}`
          try {
            await this.playLoad(name, profile, count, plain)
          } catch (e) {
            skipped(`${this.kind}, ${name}`, (e as Error).message)
          }
          await this.clients.end()
          await gateway.stop(5000)
        }
      }
    } finally {
      await this.clients?.end()
      await this.lan?.end()
      await network.remove()
    }
  }

  /** The office without clients, and a namespace with an address for each client of the load. */
  private async raise(): Promise<void> {
    const { network } = this.office
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
      return await station.obey<Quantiles>({ do: 'probe', to: lanHost, seconds: Math.max(2, seconds) })
    } finally {
      await station.end()
    }
  }

  private async startGateway(): Promise<Daemon> {
    const { user, password } = accounts.dialin2
    if (this.kind === 'floatgate') {
      return await this.office.startGateway(officeScript(), { forceEncapsulation: true, workers: 1 })
    }
    return await startSoftEther(this.office.network, { psk: preSharedKey, user, password, dns: lanHost })
  }

  private async playLoad(name: string, profile: Profile, count: number, plain: Quantiles): Promise<void> {
    const { user, password } = accounts.dialin2
    const account = { server: gatewayPublic, psk: preSharedKey, user, password }
    const dialed = await this.clients!.obey<{ connected: string[] }>({
      do: 'dial',
      profile,
      clients: count,
      ...account,
    })
    const inner = dialed.connected
    if (count === 1) await this.latency(name, plain)
    // Until everybody's addresses are known to everybody, packets are lost.
    await this.run(inner, 64, 'both', FIRST_RATE)
    for (const size of list('sizes', '64,512,1400').map(Number)) {
      for (const direction of ['up', 'down', 'both'] as const) await this.measure(name, inner, size, direction)
    }
    await this.tcp(name, inner)
  }

  private async latency(name: string, plain: Quantiles): Promise<void> {
    await this.clients!.obey({ do: 'probe', to: lanHost, seconds: 0.3 })
    const trips = await this.clients!.obey<Quantiles & { sent: number }>({
      do: 'probe',
      to: lanHost,
      seconds: Math.max(2, seconds),
    })
    for (const q of ['p50', 'p99', 'p999'] as const) {
      this.tell(`${name}, round trip ${q} added`, Math.max(0, trips[q] - plain[q]), 'us', 'less')
    }
    if (trips.count < trips.sent * 0.99)
      skipped(`${this.kind}, ${name}`, `${trips.sent - trips.count} echoes were lost`)
  }

  /**
   * Finds the rate of which a part is lost, by doubling, from half of where the last search ended, or halving. The most that
   * arrived counts, and the cost of the highest rate that got through.
   */
  private async measure(name: string, inner: readonly string[], size: number, direction: Direction): Promise<void> {
    const what = `${name}, UDP ${size} ${direction}`
    let most = 0
    let cost: number | undefined
    let passed = 0
    for (let rate = this.begin; rate >= LEAST_RATE && rate <= LAST_RATE; ) {
      let step = await this.run(inner, size, direction, rate)
      // Others use the machine too: once more, before it counts as the limit.
      if (step.packets < step.sent * (1 - LOSS)) {
        if (step.packets === 0) await sleep(RECOVERY_MILLIS)
        step = await this.run(inner, size, direction, rate)
      }
      most = Math.max(most, step.packets / step.took)
      const slow = step.sent / step.took < rate * (1 - SLOW)
      const lost = step.packets < step.sent * (1 - LOSS)
      if (slow && !lost)
        process.stdout.write(`the load was the limit: it sent ${(step.sent / step.took / 1000).toFixed(0)} k/s\n`)
      if (step.packets > 0 && (!lost || cost === undefined)) cost = step.cpu / step.packets
      if (!lost) passed = Math.max(passed, rate)
      if (slow || (lost && passed > 0)) break
      if (!lost && rate < this.begin) break
      rate = lost ? rate / 2 : rate * 2
    }
    this.begin = Math.max(FIRST_RATE, passed / 2)
    if (cost === undefined) return skipped(`${this.kind}, ${what}`, 'nothing arrived')
    this.tell(what, most / 1000, 'k packets/s', 'more')
    this.tell(`${what}, Gbit/s`, (most * size * 8) / 1e9, 'Gbit/s', 'more')
    this.tell(`${what}, CPU a packet`, cost, 'ns/packet', 'less')
    this.tell(`${what}, CPU a byte`, cost / size, 'ns/byte', 'less')
  }

  /** One load; `rate` is of all directions together. */
  private async run(inner: readonly string[], size: number, direction: Direction, rate: number) {
    const each = direction === 'both' ? rate / 2 : rate
    const { lan, clients } = this
    const nothing: Sent = { sent: 0 }
    const before = await this.arrivals()
    const cpu = await this.cpuTime()
    const began = performance.now()
    const sent = await Promise.all([
      direction === 'down' ? nothing : clients!.obey<Sent>({ do: 'blast', to: lanHost, size, seconds, rate: each }),
      direction === 'up' ? nothing : lan!.obey<Sent>({ do: 'blast', to: inner, size, seconds, rate: each }),
    ])
    const took = (performance.now() - began) / 1000
    await sleep(200)
    const after = await this.arrivals()
    const up = direction === 'down' ? 0 : after.up - before.up
    const down = direction === 'up' ? 0 : after.down - before.down
    return {
      packets: up + down,
      sent: sent[0].sent + sent[1].sent,
      cpu: (await this.cpuTime()) - cpu,
      took,
    }
  }

  private async arrivals(): Promise<{ up: number; down: number }> {
    const up = await this.lan!.obey<Count>({ do: 'count' })
    const down = await this.clients!.obey<Count>({ do: 'count' })
    return { up: up.received, down: down.received }
  }

  /** One connection of each client, up, down, and as many of both. */
  private async tcp(name: string, inner: readonly string[]): Promise<void> {
    await this.clients!.obey({ do: 'tun', to: lanHost })
    for (const [direction, words] of [
      ['up', ['pour']],
      ['down', ['drain']],
      ['both', ['pour', 'drain']],
    ] as const) {
      const cpu = await this.cpuTime()
      const moved = await Promise.all(words.map(word => this.transfer(word, inner)))
      const bytes = moved.reduce((sum, each) => sum + each)
      const spent = (await this.cpuTime()) - cpu
      this.tell(`${name}, TCP ${direction}`, (bytes * 8) / TCP_SECONDS / 1e9, 'Gbit/s', 'more')
      this.tell(`${name}, TCP ${direction}, gateway's CPU`, spent / bytes, 'ns/byte', 'less')
    }
  }

  private async transfer(word: 'pour' | 'drain', inner: readonly string[]): Promise<number> {
    const host = `${project}/dist/bench/load-lan.js`
    const words = [word, lanHost, String(TCP_SECONDS), ...inner]
    const argv = this.office.network.inside('load', process.execPath, host, ...words)
    return Number(await must(argv, { timeoutMillis: 1000 * TCP_SECONDS + 20_000 }))
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

  private tell(name: string, value: number, unit: string, better: 'more' | 'less'): void {
    if (!Number.isFinite(value)) return skipped(`${this.kind}, ${name}`, 'nothing arrived')
    const both = figures.get(name) ?? {}
    both[this.kind] = value
    figures.set(name, both)
    const { floatgate, softether } = both
    const compared = floatgate !== undefined && softether !== undefined
    const ratio = compared ? (better === 'more' ? floatgate / softether : softether / floatgate) : undefined
    const times = ratio === undefined ? '' : `  ${ratio.toFixed(1)} x SoftEther`
    process.stdout.write(
      `${this.kind.padEnd(10)} ${name.padEnd(52)} ${value.toFixed(3).padStart(12)} ${unit}${times}\n`,
    )
    note({ what: `${this.kind}: ${name}`, value, unit })
    if (ratio !== undefined && Number.isFinite(ratio)) {
      note({ what: `floatgate: ${name}`, value: floatgate!, unit, ratio, against: 'SoftEther' })
    }
  }
}

interface Sent {
  readonly sent: number
}
interface Count {
  readonly received: number
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped('the whole gateway', obstacle)
else {
  const only = option('only')
  if (only === undefined || only === 'floatgate') await new Bench('floatgate').play()
  if (only === undefined || only === 'softether') {
    const fetched = await fetchSoftEther()
    if ('obstacle' in fetched) skipped('SoftEther VPN server', fetched.obstacle)
    else {
      process.stdout.write(`SoftEther VPN server ${fetched.version}\n`)
      await new Bench('softether').play()
    }
  }
}
