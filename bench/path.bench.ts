/**
 * The whole path, in namespaces: what a byte and a packet cost the gateway's process, by /proc's count of its threads' time.
 * TCP up and down and small UDP packets, AES-256 and 3DES. `--seconds=N` for each measurement (3 otherwise); `--gateway=DIR`
 * measures another build of the gateway, for a comparison in one run with `--rounds=N`.
 */

import { readFileSync } from 'node:fs'
import { type Daemon, until } from '../test/support/command.ts'
import { project, whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import { timeOf } from './processors.ts'
import { note, skipped } from './rows.ts'
import type { Station } from './station.ts'
import { transfer } from './tcp-load.ts'
import { raiseLoad, startClients, startLan } from './udp-load.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const seconds = Number(option('seconds') ?? 3)
const rounds = Number(option('rounds') ?? 1)
const gateways = [...new Set([...(option('gateway')?.split(',') ?? []), project])]
const SMALL = 100
/** More packets a second than a gateway forwards beside the load that makes them. */
const RATE = 1_000_000

interface Measurement {
  readonly gateway: string
  readonly what: string
  readonly bytes: number
  readonly packets: number
  readonly cpuNanoseconds: number
  readonly wallSeconds: number
}

class Run {
  private readonly office = new Office()
  private readonly gatewayRoot: string
  private gateway: Daemon | undefined
  readonly results: Measurement[] = []

  constructor(gatewayRoot: string) {
    this.gatewayRoot = gatewayRoot
  }

  private async packets(): Promise<{ in: number; out: number }> {
    const { output } = await this.office.vpnctl('--json', 'show', 'counter')
    const counter = (name: string) => Number(new RegExp(`"${name}": ?(\\d+)`).exec(output)?.[1] ?? Number.NaN)
    return { in: counter('toTunPackets'), out: counter('sentPackets') }
  }

  /** Runs `load`, which answers the bytes that went (or 0: then each packet has SMALL), and notes what it cost. */
  private async measure(what: string, up: boolean, load: () => Promise<number>): Promise<void> {
    const before = await this.packets()
    const cpu = await timeOf(this.office.network, 'gw')
    const began = performance.now()
    const bytes = await load()
    const cpuNanoseconds = (await timeOf(this.office.network, 'gw')) - cpu
    const wallSeconds = (performance.now() - began) / 1000
    const after = await this.packets()
    const packets = up ? after.in - before.in : after.out - before.out
    const result = {
      gateway: this.gatewayRoot,
      what,
      bytes: bytes || packets * SMALL,
      packets,
      cpuNanoseconds,
      wallSeconds,
    }
    this.results.push(result)
    process.stdout.write(`${line(result)}\n`)
    if (gateways.length > 1) return
    note({ what: `${what}, CPU a byte`, value: cpuNanoseconds / result.bytes, unit: 'ns/byte' })
    note({ what: `${what}, CPU a packet`, value: cpuNanoseconds / packets, unit: 'ns/packet' })
    note({ what: `${what}, Gbit/s`, value: (result.bytes * 8) / wallSeconds / 1e9, unit: 'Gbit/s' })
  }

  async play(): Promise<void> {
    const { office } = this
    const { network } = office
    let lan: Station | undefined
    try {
      await office.raise([])
      await raiseLoad(office, 1)
      const argv = office.configure(officeScript().replace(' echo=30', ''), { forceEncapsulation: true, workers: 1 })
      this.gateway = network.start('gw', 'floatgated', `${this.gatewayRoot}/bin/floatgated`, ...argv)
      const said = () => readFileSync(this.gateway!.logFile, 'utf8')
      if (!(await until(() => said().includes('floatgate: ready'), 20_000))) throw new Error(said())
      lan = startLan(network)
      for (const profile of ['win10', 'xp'] as const) await this.playProfile(profile, lan)
    } finally {
      await lan?.end()
      await office.remove()
    }
  }

  private async playProfile(profile: 'win10' | 'xp', lan: Station): Promise<void> {
    const { network } = this.office
    const { user, password } = accounts.dialin1
    const suite = profile === 'xp' ? '3DES' : 'AES-256'
    const clients = startClients(network)
    try {
      const { connected } = await clients.obey<{ connected: string[] }>({
        ...{ do: 'dial', profile, clients: 1, server: gatewayPublic, psk: preSharedKey, user, password },
      })
      const blast = { do: 'blast', size: SMALL, seconds, rate: RATE }
      await clients.obey({ do: 'probe', to: lanHost, seconds: 0.3 })
      await this.measure(`${suite} ${SMALL} bytes down`, false, async () => {
        await lan.obey({ ...blast, to: connected })
        return 0
      })
      await this.measure(`${suite} ${SMALL} bytes up`, true, async () => {
        await clients.obey({ ...blast, to: lanHost })
        return 0
      })
      await clients.obey({ do: 'tun', to: lanHost })
      const moved = async (word: 'pour' | 'drain') => (await transfer(network, word, seconds, connected)).all
      await this.measure(`${suite} TCP down`, false, () => moved('drain'))
      await this.measure(`${suite} TCP up`, true, () => moved('pour'))
    } finally {
      await clients.end()
    }
  }
}

function line(m: Measurement): string {
  const gbits = (m.bytes * 8) / m.wallSeconds / 1e9
  return [
    m.what.padEnd(24),
    `${gbits.toFixed(3).padStart(7)} Gbit/s`,
    `${(m.packets / m.wallSeconds / 1000).toFixed(1).padStart(7)} k packets/s`,
    `${(m.cpuNanoseconds / m.bytes).toFixed(3).padStart(8)} ns/byte`,
    `${(m.cpuNanoseconds / m.packets).toFixed(0).padStart(7)} ns/packet`,
    `${((100 * m.cpuNanoseconds) / 1e9 / m.wallSeconds).toFixed(0).padStart(4)} % of a core`,
  ].join('  ')
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped("the gateway's process", obstacle)
else {
  const all: Measurement[] = []
  for (let round = 0; round < rounds; round++) {
    for (const gateway of gateways) {
      process.stdout.write(`${gateway}\n`)
      const r = new Run(gateway)
      await r.play()
      all.push(...r.results)
    }
  }
  if (gateways.length > 1 || rounds > 1) {
    process.stdout.write('least of all rounds, nanoseconds a byte and a packet\n')
    for (const what of new Set(all.map(m => m.what))) {
      const cells = gateways.map(gateway => {
        const mine = all.filter(m => m.what === what && m.gateway === gateway)
        const least = (of: (m: Measurement) => number) => Math.min(...mine.map(of))
        return `${least(m => m.cpuNanoseconds / m.bytes).toFixed(3)} ${least(m => m.cpuNanoseconds / m.packets).toFixed(0)}`
      })
      process.stdout.write(`${what.padEnd(24)}  ${cells.map(c => c.padStart(16)).join('  ')}\n`)
    }
  }
}
