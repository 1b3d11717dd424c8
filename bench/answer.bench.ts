/**
 * How long IKE's answers take while the data path is saturated: clients dial in one after the other, at first by themselves, and
 * then while another one sends all that the worker can take and more. They go first on their own processor, as on machines of
 * their own. `--clients=N` dial (200), `--rate=N` packets a second are sent meanwhile (200,000).
 */

import { whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, lanHost, officeScript, preSharedKey } from '../test/support/plan.ts'
import type { Quantiles } from './load.ts'
import type { Order } from './load-clients.ts'
import type { CrowdOrder } from './load-crowd.ts'
import { note, skipped } from './rows.ts'
import { Station } from './station.ts'

const option = (name: string, otherwise: number) =>
  Number(process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise)
const clients = option('clients', 200)
const rate = option('rate', 200_000)

const SECONDS = 20
const SIZE = 512
const NETWORK = '100.64.0.0/16'
const TARGET_MILLIS = 50

async function play(office: Office, stations: Station[]): Promise<void> {
  const { network } = office
  await office.raise([])
  for (const [name, address] of [
    ['load', '203.0.113.120'],
    ['crowd', '203.0.113.121'],
  ] as const) {
    await network.namespace(name)
    await network.wire(
      { namespace: name, name: 'eth0', address: `${address}/24` },
      { namespace: 'pub', name, bridge: 'br0' },
    )
  }
  await network.ip('crowd', `route add local ${NETWORK} dev lo`)
  await network.ip('gw', `route add ${NETWORK} via 203.0.113.121`)
  const users = Array.from({ length: clients }, (_, i) => `add user=user${i} password=word${i} login=no`)
  const script = `${officeScript(`10.9.0.1-10.9.${(clients >> 8) + 1}.255`)}${users.join('\n')}\n`
  const gateway = await office.startGateway(script, { forceEncapsulation: true, workers: 1 })
  try {
    const [lan, load, crowd] = [
      new Station(network, 'lan', 'load-lan', lanHost),
      new Station(network, 'load', 'load-clients'),
      new Station(network, 'crowd', 'load-crowd', 'first'),
    ]
    stations.push(lan, load, crowd)
    const door = { server: gatewayPublic, psk: preSharedKey }
    const { user, password } = accounts.dialin2
    const dial: Order = { do: 'dial', profile: 'win10', clients: 1, user, password, ...door }
    await load.obey(dial)
    const gather: CrowdOrder = {
      ...{ do: 'gather', atOnce: 1, seconds: 3 * SECONDS, profile: 'win10', group: 20, clients },
      ...{ first: '100.64.0.1', user: 'user', password: 'word', ...door },
    }
    tell('nothing else', await crowd.obey<Answered>(gather))
    const blast: Order = { do: 'blast', to: lanHost, size: SIZE, seconds: SECONDS, rate }
    const storm: CrowdOrder = { do: 'storm', within: SECONDS * 0.8, seconds: 2 * SECONDS }
    const [{ sent }, busy] = await Promise.all([load.obey<{ sent: number }>(blast), crowd.obey<Answered>(storm)])
    tell(`${(sent / SECONDS / 1000).toFixed(0)} k packets/s`, busy)
    const { p99 } = busy.answers
    const what = "answer of IKE's at p99 while packets saturate the worker"
    note({ what, value: p99, unit: 'ms', ratio: TARGET_MILLIS / p99, against: `${TARGET_MILLIS} ms` })
  } finally {
    await gateway.stop(10_000)
  }
}

interface Answered {
  readonly up: number
  readonly answers: Quantiles
}

function tell(beside: string, { up, answers }: Answered): void {
  const { count, p50, p99, p999 } = answers
  process.stdout.write(
    `beside ${beside}: ${up} of ${clients} up, ${count} answers, ${p50.toFixed(1)} ms at p50, ${p99.toFixed(1)} at p99, ${p999.toFixed(1)} at p99.9\n`,
  )
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped("IKE's answers", obstacle)
else {
  const office = new Office()
  const stations: Station[] = []
  try {
    await play(office, stations)
  } finally {
    for (const station of stations) await station.end()
    await office.remove()
  }
}
