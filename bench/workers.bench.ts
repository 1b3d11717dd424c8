/**
 * What a second worker brings: UDP of 16 clients, up and down, AES and 3DES, through the whole gateway in namespaces with
 * one worker and with two. Packets a second; nanoseconds of the gateway's threads for each packet, which are the same where
 * workers share nothing; and how evenly the work is spread over them.
 *
 * The gateway has as many processors as workers, and the load the others. Where there are no others it takes part of the
 * gateway's, and packets a second are then less than the gateway's own. `--seconds=N` for each measurement (0.4 otherwise);
 * `--workers=1,2`; `--size=N` (1,400).
 */

import { whyNoNetwork } from '../test/support/netns.ts'
import type { EspOffer } from '../test/support/offers.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayPublic, officeScript, preSharedKey } from '../test/support/plan.ts'
import { giveProcessors, stepAside } from './processors.ts'
import { note, skipped } from './rows.ts'
import { FIRST_RATE, type Limit, raiseLoad, startClients, startLan, UdpLoad } from './udp-load.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const seconds = Number(option('seconds') ?? 0.4)
const size = Number(option('size') ?? 1400)
const counts = (option('workers') ?? '1,2').split(',').map(Number)
const CLIENTS = 16

const suites: readonly (readonly [string, 'win10' | 'xp', EspOffer])[] = [
  ['AES', 'win10', { cipher: 'aes128', integrity: 'sha1' }],
  ['3DES', 'xp', { cipher: '3des', integrity: 'sha1' }],
]

/** What each load came to with the first number of workers. */
const alone = new Map<string, Limit>()

async function play(office: Office, workers: number): Promise<void> {
  const { network } = office
  await stepAside(workers)
  const lan = startLan(network)
  try {
    for (const [suite, profile, esp] of suites) {
      const gateway = await office.startGateway(officeScript(), { forceEncapsulation: true, workers })
      const clients = startClients(network)
      try {
        await giveProcessors(network, 'gw', workers)
        const { user, password } = accounts.dialin2
        const { connected: inner } = await clients.obey<{ connected: string[] }>({
          ...{ do: 'dial', profile, esp, clients: CLIENTS },
          ...{ server: gatewayPublic, psk: preSharedKey, user, password },
        })
        const udp = new UdpLoad(network, lan, clients)
        await udp.settle(inner)
        const sealed = await udp.sealedLength(inner, size)
        let begin = FIRST_RATE
        for (const direction of ['up', 'down', 'both'] as const) {
          const limit = await udp.search({ inner, size, sealed, direction }, begin, seconds)
          begin = Math.max(FIRST_RATE, limit.passed / 4)
          tell(`${suite}, UDP ${size} ${direction}`, workers, limit)
        }
      } finally {
        await clients.end()
        await gateway.stop(5000)
      }
    }
  } finally {
    await lan.end()
  }
}

function tell(load: string, workers: number, limit: Limit): void {
  const what = `${load}, ${workers} worker${workers === 1 ? '' : 's'}`
  if (limit.cost === undefined) {
    process.exitCode = 1
    return skipped(what, 'nothing arrived')
  }
  if (workers === counts[0]) alone.set(load, limit)
  const first = alone.get(load)
  const against = `${counts[0]} worker${counts[0] === 1 ? '' : 's'}`
  const beside = (ratio: number) => (workers === counts[0] || first?.cost === undefined ? {} : { ratio, against })
  const evenly = limit.threads[workers - 1]! / limit.threads[0]!
  const remark = limit.slow ? { remark: 'the load was the limit' } : {}
  const rows = [
    { what, value: limit.most / 1000, unit: 'k packets/s', ...beside(limit.most / (first?.most ?? 0)), ...remark },
    {
      what: `${what}, CPU a packet`,
      value: limit.cost,
      unit: 'ns/packet',
      ...beside((first?.cost ?? Number.NaN) / limit.cost),
    },
    ...(workers === 1 ? [] : [{ what: `${what}, least busy of them`, value: 100 * evenly, unit: '% of the busiest' }]),
  ]
  for (const row of rows) {
    note(row)
    const ratio = 'ratio' in row ? `  ${row.ratio!.toFixed(2)} x ${against}` : ''
    const said = 'remark' in row ? `  (${row.remark})` : ''
    process.stdout.write(`${row.what.padEnd(48)} ${row.value.toFixed(1).padStart(9)} ${row.unit}${ratio}${said}\n`)
  }
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped('several workers', obstacle)
else {
  const office = new Office()
  try {
    await office.raise([])
    await raiseLoad(office, CLIENTS)
    for (const workers of counts) await play(office, workers)
  } finally {
    await office.remove()
  }
}
