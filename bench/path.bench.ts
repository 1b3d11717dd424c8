/**
 * The whole path, in namespaces: what a byte and a packet cost the gateway's process, by /proc's count of its threads' time.
 * TCP up and down and small UDP packets, AES-256 and 3DES. `--seconds=N` for each measurement (3 otherwise); `--gateway=DIR`
 * measures another build of the gateway, for a comparison in one run with `--rounds=N`.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { type Daemon, run, until } from '../test/support/command.ts'
import { project, whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import { note, skipped } from './rows.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const seconds = Number(option('seconds') ?? 3)
const rounds = Number(option('rounds') ?? 1)
const gateways = [...new Set([...(option('gateway')?.split(',') ?? []), project])]
const SMALL = 100

interface Measurement {
  readonly gateway: string
  readonly what: string
  readonly bytes: number
  readonly packets: number
  readonly cpuNanoseconds: number
  readonly wallSeconds: number
}

/** Nanoseconds that all threads of a process have run. */
function cpuTime(pid: number): number {
  let total = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return total
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
    const pid = this.gateway!.child.pid!
    const before = await this.packets()
    const cpu = cpuTime(pid)
    const began = performance.now()
    const bytes = await load()
    const cpuNanoseconds = cpuTime(pid) - cpu
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
    try {
      await office.raise(['c3'])
      const argv = office.configure(officeScript().replace(' echo=30', ''), { forceEncapsulation: true, workers: 1 })
      this.gateway = office.network.start('gw', 'floatgated', `${this.gatewayRoot}/bin/floatgated`, ...argv)
      const said = () => readFileSync(this.gateway!.logFile, 'utf8')
      if (!(await until(() => said().includes('floatgate: ready'), 20_000))) throw new Error(said())
      office.network.start('lan', 'load', process.execPath, host, 'serve', lanHost)
      for (const profile of ['win10', 'xp'] as const) await this.playProfile(profile)
    } finally {
      await office.remove()
    }
  }

  private async playProfile(profile: 'win10' | 'xp'): Promise<void> {
    const { office } = this
    const { user, password } = accounts.dialin1
    const account = ['--user', user, '--password', password, '--psk', preSharedKey]
    const argv = [process.execPath, `${project}/dist/bench/load-client.js`, '--server', gatewayPublic, ...account]
    const client = office.network.start('c3', `client-${profile}`, ...argv, '--profile', profile)
    const said = () => readFileSync(client.logFile, 'utf8')
    if (!(await until(() => said().includes('connected'), 20_000))) throw new Error(said())
    const inner = /connected (\S+)/.exec(said())![1]!
    const suite = profile === 'xp' ? '3DES' : 'AES-256'
    const load = async (where: string, ...words: string[]) => {
      const argv = office.network.inside(where, process.execPath, host, ...words)
      const { status, output } = await run(argv, { timeoutMillis: seconds * 1000 + 20_000 })
      if (status !== 0) throw new Error(output)
      return Number(output)
    }
    await load('c3', 'take', lanHost, '1')
    await this.measure(`${suite} TCP down`, false, () => load('c3', 'take', lanHost, String(seconds)))
    await this.measure(`${suite} TCP up`, true, () => load('c3', 'send', lanHost, String(seconds)))
    await this.measure(`${suite} ${SMALL} bytes down`, false, async () => {
      await load('lan', 'blast', lanHost, inner, String(SMALL), String(seconds))
      return 0
    })
    await this.measure(`${suite} ${SMALL} bytes up`, true, async () => {
      await load('c3', 'blast', inner, lanHost, String(SMALL), String(seconds))
      return 0
    })
    client.child.kill('SIGKILL')
    await until(() => !client.alive, 2000)
    await office.vpnctl('disconnect', user)
  }
}

const host = `${project}/dist/bench/load-host.js`

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
