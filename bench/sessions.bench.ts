/**
 * What a packet costs the gateway's worker, kernel and all, by how many sessions send or get packets in turn: 10,000 of them are up, and
 * the first so many of them have traffic. UDP of 64 and 1,400 bytes, up and down, AES-128-SHA1, one worker, in namespaces.
 *
 * Never are two packets in a row of one session. So where 64 take turns, which is a batch, no packet is merged with another on
 * its way, as none is of 10,000, and the ratios are to that. One session's packets do go by the train, and its row says so.
 *
 * `--clients=N` (10,000), `--rate=N` packets a second (50,000), `--seconds=N` of each load (0.4), `--rounds=N` of which the
 * least counts (3).
 */

import { sleep } from '../test/support/command.ts'
import { whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { gatewayPublic, officeScript, preSharedKey } from '../test/support/plan.ts'
import { giveProcessors, stepAside } from './processors.ts'
import { note, skipped } from './rows.ts'
import { RECOVERY_MILLIS, startClients, startLan, type Udp, UdpLoad } from './udp-load.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const clients = Number(option('clients') ?? 10_000)
const rate = Number(option('rate') ?? 50_000)
const seconds = Number(option('seconds') ?? 0.4)
const rounds = Number(option('rounds') ?? 3)

const LOAD_ADDRESS = '203.0.113.120'
const NETWORK = '100.64.0.0/16'
/** So many have no two packets in a batch. */
const BATCH = 64
const counts = [...new Set([1, BATCH, 1000, clients])].filter(n => n <= clients)
const SIZES = [64, 1400]
/** Of a load that counts: what the machine's other users took the time for. */
const MOST_LOST = 0.3

interface Measured {
  readonly udp: Udp
  readonly of: number
  cost: number
  lost: number
}

function script(): string {
  const users = Array.from({ length: clients }, (_, i) => `add user=user${i} password=word${i} login=no`)
  return `${officeScript(`10.9.0.1-10.9.${clients >> 8}.${clients & 255}`)}${users.join('\n')}\n`
}

async function play(office: Office): Promise<void> {
  const { network } = office
  await office.raise([])
  await network.namespace('load')
  await network.wire(
    { namespace: 'load', name: 'eth0', address: `${LOAD_ADDRESS}/24` },
    { namespace: 'pub', name: 'load', bridge: 'br0' },
  )
  // A whole network of addresses that nobody has to add.
  await network.ip('load', `route add local ${NETWORK} dev lo`)
  await network.ip('gw', `route add ${NETWORK} via ${LOAD_ADDRESS}`)
  await stepAside()
  const gateway = await office.startGateway(script(), { forceEncapsulation: true, workers: 1 })
  const lan = startLan(network)
  const load = startClients(network)
  try {
    const { connected } = await load.obey<{ connected: string[] }>({
      ...{ do: 'dial', profile: 'win10', esp: { cipher: 'aes128', integrity: 'sha1' }, clients, first: '100.64.0.1' },
      ...{ server: gatewayPublic, psk: preSharedKey, user: 'user', password: 'word', numbered: true },
    })
    await giveProcessors(network, 'gw')
    const udp = new UdpLoad(network, lan, load)
    await udp.settle(connected.slice(0, BATCH))
    const loads: Measured[] = []
    for (const size of SIZES) {
      const sealed = await udp.sealedLength(connected, size)
      for (const direction of ['up', 'down'] as const) {
        for (const of of counts) {
          const inner = connected.slice(0, of)
          loads.push({ udp: { inner, size, sealed, direction }, of, cost: Number.POSITIVE_INFINITY, lost: 1 })
        }
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const one of loads) {
        const { packets, threads, lost } = await udp.carry(one.udp, rate, seconds)
        if (packets === 0) {
          await sleep(RECOVERY_MILLIS)
          continue
        }
        one.lost = Math.min(one.lost, lost)
        // The worker is the busiest thread.
        if (lost <= MOST_LOST) one.cost = Math.min(one.cost, threads[0]! / packets)
      }
    }
    for (const one of loads) tell(one, loads)
  } finally {
    await load.end()
    await lan.end()
    await gateway.stop(20_000)
  }
}

function tell(one: Measured, all: readonly Measured[]): void {
  const { size, direction } = one.udp
  const what = `${one.of} of ${clients} sessions in turn, UDP ${size} ${direction}`
  if (one.cost === Number.POSITIVE_INFINITY) {
    if (one.lost === 1) process.exitCode = 1
    return skipped(what, `${(100 * one.lost).toFixed(0)} % were lost at least`)
  }
  const base = all.find(o => o.of === BATCH && o.udp.size === size && o.udp.direction === direction)
  const against = `${BATCH} sessions`
  const known = base !== undefined && base.cost < Number.POSITIVE_INFINITY
  const beside = known && one.of > BATCH ? { ratio: base.cost / one.cost, against } : {}
  const remark = one.of === 1 ? 'by the train' : ''
  note({ what, value: one.cost, unit: 'ns/packet', ...beside, ...(remark === '' ? {} : { remark }) })
  const times = 'ratio' in beside ? `  ${(1 / beside.ratio).toFixed(2)} times that of ${against}` : ''
  process.stdout.write(`${what.padEnd(50)} ${one.cost.toFixed(0).padStart(6)} ns/packet${times}  ${remark}\n`)
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped("many sessions' packets, kernel and all", obstacle)
else {
  const office = new Office()
  try {
    await play(office)
  } finally {
    await office.remove()
  }
}
