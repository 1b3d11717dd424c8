/**
 * What a flood of one client, or to one client, costs another on the same worker: how many of its echoes come back, and how
 * long they take, with the whole gateway in namespaces. `--seconds=N` for each measurement (3 otherwise); `--workers=N` (1);
 * `--rate=N` packets a second of the flood (400,000), of `--size=N` bytes (64); `--lan-offloads=off`. On few processors the flood's own sender takes the gateway's time, too.
 */

import { sleep } from '../test/support/command.ts'
import { whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import { CARD_MICROS, type Quantiles } from './load.ts'
import { note, skipped } from './rows.ts'
import { Station } from './station.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const seconds = Number(option('seconds') ?? 3)
const workers = Number(option('workers') ?? 1)
const GREEDY = '203.0.113.120'
const OTHER = '203.0.113.121'
/** Packets a second that are tried. */
const FLOOD = Number(option('rate') ?? 400_000)
const SIZE = Number(option('size') ?? 64)
const lanOffloads = option('lan-offloads') !== 'off'
const PROFILE = 'win10'

interface Echoes extends Quantiles {
  readonly sent: number
}

async function client(office: Office, namespace: string, user: keyof typeof accounts): Promise<Station> {
  const station = new Station(office.network, namespace, 'load-clients')
  const account = {
    server: gatewayPublic,
    psk: preSharedKey,
    user: accounts[user].user,
    password: accounts[user].password,
  }
  const { connected } = await station.obey<{ connected: string[] }>({
    do: 'dial',
    profile: PROFILE,
    clients: 1,
    ...account,
  })
  inner.set(station, connected)
  return station
}

/** The addresses that stations have inside. */
const inner = new Map<Station, readonly string[]>()

async function echoes(station: Station): Promise<Echoes> {
  return await station.obey<Echoes>({ do: 'probe', to: lanHost, seconds })
}

function tell(what: string, e: Echoes, quiet: Echoes): void {
  const came = e.count / e.sent
  process.stdout.write(
    `${what.padEnd(24)} ${(100 * came).toFixed(1).padStart(6)} % of ${e.sent} echoes, p50 ${e.p50.toFixed(0)} us, p99 ${e.p99.toFixed(0)} us\n`,
  )
  const against = 'a quiet gateway'
  note({
    what: `${what}: echoes that came back`,
    value: 100 * came,
    unit: '%',
    ratio: came / (quiet.count / quiet.sent),
    against,
  })
  note({ what: `${what}: round trip p50`, value: e.p50, unit: 'us', ratio: quiet.p50 / e.p50, against })
  note({ what: `${what}: round trip p99`, value: e.p99, unit: 'us', ratio: quiet.p99 / e.p99, against })
}

async function play(): Promise<void> {
  const office = new Office()
  const { network } = office
  const stations: Station[] = []
  try {
    await office.raise([])
    await network.mergeLikeCard('gw', 'lan0', CARD_MICROS)
    for (const [name, address] of [
      ['greedy', GREEDY],
      ['other', OTHER],
    ] as const) {
      await network.namespace(name)
      await network.wire({ namespace: name, name: 'eth0' }, { namespace: 'pub', name, bridge: 'br0' })
      await network.ip(name, `address add ${address}/24 dev eth0`)
      await network.ip(name, `route add ${lanHost}/32 via ${gatewayPublic}`)
    }
    const lan = new Station(network, 'lan', 'load-lan', lanHost)
    stations.push(lan)
    const gateway = await office.startGateway(officeScript(), { forceEncapsulation: true, workers, lanOffloads })
    const greedy = await client(office, 'greedy', 'dialin2')
    stations.push(greedy)
    const other = await client(office, 'other', 'dialin2')
    stations.push(other)
    await echoes(other)
    const quiet = await echoes(other)
    tell('quiet', quiet, quiet)
    for (const way of ['from a client', 'to a client'] as const) {
      const flood =
        way === 'from a client'
          ? greedy.obey<{ sent: number }>({ do: 'blast', to: lanHost, size: SIZE, seconds: seconds + 1, rate: FLOOD })
          : lan.obey<{ sent: number }>({
              do: 'blast',
              to: inner.get(greedy)!,
              size: SIZE,
              seconds: seconds + 1,
              rate: FLOOD,
            })
      await sleep(500)
      tell(`a flood ${way}`, await echoes(other), quiet)
      const { sent } = await flood
      process.stdout.write(`  ${(sent / (seconds + 1) / 1000).toFixed(0)} k packets a second were sent\n`)
      await sleep(500)
    }
    await gateway.stop(5000)
  } finally {
    for (const s of stations) await s.end()
    await network.remove()
  }
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped('fairness', obstacle)
else await play()
