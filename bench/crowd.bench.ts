/**
 * A crowd at one gateway, in namespaces: thousands of clients dial in, stay for minutes with nothing but echoes and Hellos
 * to keep them up, and then all lose their power at once and dial anew. What it takes of memory and processor.
 *
 * `--clients=N` (10,000), `--longest=S` that each rush may take (150), `--minutes=N` they stay (2), `--profile=xp|win10`,
 * `--group=N`, `--within=S` the storm's seconds from the first to the last of them (30), `--storm=no`: the clients take more of
 * the machine than the gateway.
 */

import { readdirSync, readFileSync } from 'node:fs'
import type { Daemon } from '../test/support/command.ts'
import { whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { gatewayPublic, officeScript, preSharedKey } from '../test/support/plan.ts'
import type { Quantiles } from './load.ts'
import type { Crowd } from './load-crowd.ts'
import { note, skipped } from './rows.ts'
import { Station } from './station.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const clients = Number(option('clients') ?? 10_000)
const minutes = Number(option('minutes') ?? 2)
const within = Number(option('within') ?? 30)
const storms = option('storm') !== 'no'
const profile = option('profile') === 'win10' ? 'win10' : 'xp'
const group = Number(option('group') ?? (profile === 'xp' ? 2 : 20))

const LOAD_ADDRESS = '203.0.113.120'
const NETWORK = '100.64.0.0/16'
/** So many dial at a time while they gather, and how long everybody may take. */
const AT_ONCE = 64
const LONGEST_SECONDS = Number(option('longest') ?? 150)

interface Settled {
  readonly up: number
  readonly took: number
  readonly rate: number
  readonly lost: number
  readonly failures: Readonly<Record<string, number>>
  readonly millis: Quantiles
  /** From a message of IKE to its answer, in milliseconds. */
  readonly answers: Quantiles
}

interface Stayed {
  readonly up: number
  readonly lost: number
  readonly hellos: number
  readonly echoes: number
  readonly silent: number
}

function script(): string {
  const users = Array.from({ length: clients }, (_, i) => `add user=user${i} password=word${i} login=no`)
  return `${officeScript(`10.9.0.1-10.9.${clients >> 8}.${clients & 255}`)}${users.join('\n')}\n`
}

class CrowdBench {
  private readonly office = new Office()
  private crowd: Station | undefined
  private gateway: Daemon | undefined

  async play(): Promise<void> {
    const { office } = this
    const { network } = office
    try {
      await office.raise([])
      await network.namespace('load')
      await network.wire(
        { namespace: 'load', name: 'eth0', address: `${LOAD_ADDRESS}/24` },
        { namespace: 'pub', name: 'load', bridge: 'br0' },
      )
      // A whole network of addresses that nobody has to add.
      await network.ip('load', `route add local ${NETWORK} dev lo`)
      await network.ip('gw', `route add ${NETWORK} via ${LOAD_ADDRESS}`)
      this.gateway = await office.startGateway(script(), { forceEncapsulation: true, workers: 1 })
      this.crowd = new Station(network, 'load', 'load-crowd')
      await this.gather()
      await this.stay()
      if (storms) await this.storm()
    } finally {
      await this.crowd?.end()
      await this.gateway?.stop(20_000)
      await network.remove()
    }
  }

  private async gather(): Promise<void> {
    const order: Crowd = {
      ...{ profile, group, clients, first: '100.64.0.1', server: gatewayPublic, psk: preSharedKey },
      ...{ user: 'user', password: 'word' },
    }
    const empty = this.memory()
    const before = this.cpu()
    const settled = await this.crowd!.obey<Settled>({
      do: 'gather',
      atOnce: AT_ONCE,
      seconds: LONGEST_SECONDS,
      ...order,
    })
    this.told(`${clients} dial in, ${AT_ONCE} at a time`, settled, before)
    const full = this.memory()
    process.stdout.write(`  resident: ${mebibytes(empty.rss)} without them, ${mebibytes(full.rss)} with them\n`)
  }

  private async stay(): Promise<void> {
    const before = this.cpu()
    const byMinute: string[] = []
    const clock = setInterval(() => byMinute.push(mebibytes(this.memory().rss)), 60_000)
    const stayed = await this.crowd!.obey<Stayed>({ do: 'stay', seconds: minutes * 60 })
    clearInterval(clock)
    const cpu = share(before, this.cpu(), minutes * 60)
    const { rss, most } = this.memory()
    process.stdout.write(
      `${minutes} minutes: ${stayed.up} up, ${stayed.lost} lost; ${stayed.hellos} Hellos and ${stayed.echoes} echoes came, ` +
        `${stayed.silent} clients heard none; ${cpu}\n  resident: ${mebibytes(rss)}, at most ${mebibytes(most)}; by the minute ${byMinute.join(', ')}\n`,
    )
    note({
      what: `${clients} sessions, resident`,
      value: rss / 1024,
      unit: 'MiB',
      ratio: 2 ** 20 / rss,
      against: '1 GiB',
    })
    note({ what: `${clients} sessions for ${minutes} minutes, lost`, value: stayed.lost, unit: 'sessions' })
  }

  private async storm(): Promise<void> {
    const before = this.cpu()
    const settled = await this.crowd!.obey<Settled>({ do: 'storm', within, seconds: LONGEST_SECONDS })
    this.told(`${clients} dial anew within ${within} s`, settled, before)
    const { rss, most } = this.memory()
    process.stdout.write(`  resident: ${mebibytes(rss)}, at most ${mebibytes(most)}\n`)
  }

  private told(what: string, s: Settled, before: Cpu): void {
    const cpu = share(before, this.cpu(), s.took)
    const failures = Object.entries(s.failures).map(([why, n]) => `${n} ${why}`)
    process.stdout.write(
      `${what}: ${s.up} up after ${s.took.toFixed(1)} s, ${s.rate.toFixed(0)} a second; from dialling to up ` +
        `${shown(s.millis)}, from a message of IKE to its answer ${shown(s.answers)}; ` +
        `${failures.length === 0 ? 'no failure' : `failures: ${failures.join('; ')}`}; ${cpu}\n`,
    )
    note({ what: `${what}, up`, value: s.up, unit: 'sessions', ratio: s.up / clients, against: 'all' })
    note({ what, value: s.rate, unit: 'set-ups/s' })
  }

  private cpu(): Cpu {
    const tasks = readdirSync(`/proc/${this.pid}/task`).map(Number)
    const of = (task: number) => Number(readFileSync(`/proc/${this.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    return { total: tasks.reduce((sum, task) => sum + of(task), 0), main: of(this.pid) }
  }

  /** What started the daemon became it. */
  private get pid(): number {
    return this.gateway!.child.pid!
  }

  /** Of the gateway's process, in KiB. */
  private memory(): { rss: number; most: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const of = (name: string) => Number(new RegExp(`${name}:\\s*(\\d+)`).exec(status)?.[1])
    return { rss: of('VmRSS'), most: of('VmHWM') }
  }
}

interface Cpu {
  readonly total: number
  readonly main: number
}

function share(before: Cpu, after: Cpu, seconds: number): string {
  const percent = (n: number) => `${(n / seconds / 1e7).toFixed(1)} %`
  return `of a processor: control ${percent(after.main - before.main)}, all ${percent(after.total - before.total)}`
}

/** JSON has no NaN. */
const shown = (q: Quantiles) => (q.count === 0 ? 'never' : `${q.p50.toFixed(1)} ms at p50, ${q.p99.toFixed(1)} at p99`)
const mebibytes = (kibibytes: number) => `${(kibibytes / 1024).toFixed(0)} MiB`

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped('a crowd', obstacle)
else {
  await new CrowdBench().play()
}
