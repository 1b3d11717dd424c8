/**
 * UDP of any number of clients through a gateway in namespaces, up, down or both: what was sent and what arrived, and what
 * the gateway's threads ran meanwhile. The clients seal their packets before, and whatever has left the gateway is drained,
 * so that neither takes the time of what is measured.
 */

import { sleep } from '../test/support/command.ts'
import type { Network } from '../test/support/netns.ts'
import type { Office } from '../test/support/office.ts'
import { gatewayPublic, lanHost } from '../test/support/plan.ts'
import { Drain, type Drained, datagrams } from './drain.ts'
import { SINK_PORT } from './load.ts'
import { timesOf } from './processors.ts'
import { Station } from './station.ts'

const ESP_PORT = 4500
const FIRST_ADDRESS = 120
/** Packets that are sealed ahead at most: 2 KiB of memory each. */
const MOST_PREPARED = 2_000_000
/** For what a gateway has not forwarded yet of the load before. */
export const RECOVERY_MILLIS = 1500
/** For what is under way when the load ends. */
const SETTLING_MILLIS = 150
/** Packets a second, of both directions together. */
export const FIRST_RATE = 4000
const LEAST_RATE = 500
const LAST_RATE = 1_024_000
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
const ALONE_ROUNDS = 8

export type Direction = 'up' | 'down' | 'both'

/** UDP of all clients, packets of `size` bytes, which `sealed` bytes bring to a client. */
export interface Udp {
  readonly inner: readonly string[]
  readonly size: number
  readonly sealed: number
  readonly direction: Direction
}
/** What became of one load: packets sent and arrived, the share lost, seconds, and nanoseconds of the gateway's threads. */
export interface Carried {
  readonly packets: number
  readonly sent: number
  readonly lost: number
  readonly cpu: number
  /** The same by thread, the busiest first. */
  readonly threads: readonly number[]
  readonly took: number
}
/** The most packets a second that arrived; nanoseconds of each at the highest rate that got through, and which that was. */
export interface Limit {
  readonly most: number
  /** Absent where nothing arrived. */
  readonly cost: number | undefined
  readonly passed: number
  /** What the gateway's threads ran then, the busiest first. */
  readonly threads: readonly number[]
  /** The load could not keep up. */
  readonly slow: boolean
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

/** A namespace with an address for each of so many clients, in which `load-clients` then runs. */
export async function raiseLoad(office: Office, clients: number): Promise<void> {
  const { network } = office
  await network.namespace('load')
  await network.wire({ namespace: 'load', name: 'eth0' }, { namespace: 'pub', name: 'load', bridge: 'br0' })
  for (let i = 0; i < clients; i++) await network.ip('load', `address add 203.0.113.${FIRST_ADDRESS + i}/24 dev eth0`)
  await network.ip('load', `route add ${lanHost}/32 via ${gatewayPublic}`)
}

export const startClients = (network: Network) => new Station(network, 'load', 'load-clients')
export const startLan = (network: Network) => new Station(network, 'lan', 'load-lan', lanHost)

export class UdpLoad {
  private readonly network: Network
  private readonly lan: Station
  private readonly clients: Station
  private readonly lanDrain: Drain
  private readonly clientsDrain: Drain

  constructor(network: Network, lan: Station, clients: Station) {
    this.network = network
    this.lan = lan
    this.clients = clients
    this.lanDrain = new Drain(network, 'lan', 'eth0', SINK_PORT)
    this.clientsDrain = new Drain(network, 'pub', 'gw', ESP_PORT)
  }

  /** One load of so many packets a second, of all directions together, for so many seconds. */
  async carry({ inner, size, sealed, direction }: Udp, rate: number, seconds: number): Promise<Carried> {
    const each = direction === 'both' ? rate / 2 : rate
    const nothing: Sent = { sent: 0 }
    const count = Math.min(MOST_PREPARED, Math.ceil(each * seconds))
    if (direction !== 'down') await this.clients.obey({ do: 'prepare', to: lanHost, size, count, among: inner.length })
    await this.lanDrain.open()
    await this.clientsDrain.open()
    const before = await timesOf(this.network, 'gw')
    const began = performance.now()
    const blast = { do: 'blast', size, seconds, rate: each }
    const sent = await Promise.all([
      direction === 'down' ? nothing : this.clients.obey<Sent>({ ...blast, to: lanHost, prepared: true }),
      direction === 'up' ? nothing : this.lan.obey<Sent>({ ...blast, to: inner }),
    ])
    const took = (performance.now() - began) / 1000
    await sleep(SETTLING_MILLIS)
    const ran = [...(await timesOf(this.network, 'gw'))].map(([thread, time]) => time - (before.get(thread) ?? 0))
    const threads = ran.sort((a, b) => b - a)
    const spent = threads.reduce((sum, each) => sum + each, 0)
    const up = datagrams(await this.lanDrain.close(), size)
    const down = datagrams(await this.clientsDrain.close(), sealed)
    // What is told of in the other direction is no load.
    const packets = (direction === 'down' ? 0 : up) + (direction === 'up' ? 0 : down)
    const all = sent[0].sent + sent[1].sent
    return { packets, sent: all, lost: 1 - packets / all, cpu: spent, threads, took }
  }

  /** Finds the rate of which a part is lost, by doubling from where it begins, or by halving. */
  async search(load: Udp, begin: number, seconds: number): Promise<Limit> {
    let most = 0
    let cost: number | undefined
    let passed = 0
    let slow = false
    let threads: readonly number[] = []
    for (let rate = begin; rate >= LEAST_RATE && rate <= LAST_RATE; ) {
      let step = await this.carry(load, rate, seconds)
      // Others use the machine too: once more, before it counts as the limit.
      if (step.packets === 0 || (step.lost > LOSS && step.lost < NEARLY)) {
        if (step.packets === 0) await sleep(RECOVERY_MILLIS)
        step = await this.carry(load, rate, seconds)
      }
      most = Math.max(most, step.packets / Math.max(seconds, step.took))
      const lost = step.lost > LOSS
      slow = step.sent < rate * Math.max(seconds, step.took) * (1 - SLOW)
      if (step.packets > 0 && (!lost || cost === undefined)) {
        cost = step.cpu / step.packets
        threads = step.threads
      }
      if (!lost) passed = Math.max(passed, rate)
      if (slow || (lost && passed > 0)) break
      if (!lost && rate < begin) break
      rate = lost ? rate / 2 : rate * 2
    }
    return { most, cost, passed, threads, slow }
  }

  /** Until everybody's addresses are known to everybody, packets are lost. */
  async settle(inner: readonly string[]): Promise<void> {
    for (let round = 0; round < WARM_RUNS && !(await this.everybodyIsKnown(inner)); round++)
      await sleep(RECOVERY_MILLIS)
  }

  /** Whether packets of both directions reach everybody, and are opened there. */
  private async everybodyIsKnown(inner: readonly string[]): Promise<boolean> {
    const arrived = async () => {
      const up = await this.lan.obey<Count>({ do: 'count' })
      const down = await this.clients.obey<Opened>({ do: 'count' })
      return up.received + down.received - down.unopened
    }
    const before = await arrived()
    const blast = { do: 'blast', size: 64, seconds: WARM_SECONDS, rate: FIRST_RATE }
    const sent = [
      await this.clients.obey<Sent>({ ...blast, to: lanHost }),
      await this.lan.obey<Sent>({ ...blast, to: inner }),
    ]
    await sleep(SETTLING_MILLIS)
    return (await arrived()) - before >= (sent[0]!.sent + sent[1]!.sent) * (1 - LOSS)
  }

  /** Bytes of the IP packet that brings a client one of so many bytes. */
  async sealedLength(inner: readonly string[], size: number): Promise<number> {
    for (let round = 0; round < ALONE_ROUNDS; round++) {
      await this.clientsDrain.open()
      let drained: Drained
      try {
        for (let i = 0; i < ALONE; i++) {
          await this.lan.obey<Sent>({ do: 'burst', to: inner[0]!, size, count: 1 })
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
}
