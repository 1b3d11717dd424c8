/** UDP of the LAN that its device merges: asked for while the gateway serves, and every datagram arrives as it was sent. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Daemon, must, until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts } from '../support/plan.ts'
import { type Flow, playTrains, whole } from '../support/udp-trains.ts'

const FEATURE = 'rx-udp-gro-forwarding'
/** Longer than a sender needs for a few datagrams, however busy the machine is. */
const MERGING_MICROS = 3000

/** Why there is nothing to be tried here, or undefined. */
async function obstacle(): Promise<string | undefined> {
  const noNetwork = await whyNoNetwork()
  if (noNetwork !== undefined) return noNetwork
  const office = new Office()
  try {
    await office.raise([])
    if ((await office.network.feature('gw', 'lan0', FEATURE)) === 'undefined') return `the kernel has no ${FEATURE}`
    return undefined
  } finally {
    await office.remove()
  }
}
const lacking = await obstacle()
if (lacking !== undefined) console.warn(`UDP that the LAN merges is left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('UDP that the LAN’s device merges', () => {
  const office = new Office()
  const { network } = office
  let gateway: Daemon
  let client: ClientProgram
  let inner = ''

  beforeAll(async () => {
    await office.raise(['c3'])
    await network.mergeLikeCard('gw', 'lan0', MERGING_MICROS)
    gateway = await office.startGateway()
    client = office.dial('c3', accounts.dialin3, '--profile', 'win10')
    inner = await client.connected()
    // Nothing has to wait for ARP, behind which the sender's kernel keeps few.
    await must(network.inside('lan', 'ping', '-n', '-c', '1', '-W', '10', inner))
    const rules = `table inet trains {
      chain f { type filter hook forward priority 0; oifname "fg0" udp dport 7000-7999 counter; }
    }`
    await must(network.inside('gw', 'nft', '-f', '-'), { input: rules })
  })
  afterAll(() => office.remove())

  /** What came of each flow, what the sender was told, and the packets that nftables saw. */
  async function play(flows: readonly Flow[], patience?: number) {
    const before = await trains()
    const played = await playTrains(network, flows, { namespace: 'c3', address: inner }, patience)
    return { ...played, trains: (await trains()) - before }
  }

  async function trains(): Promise<number> {
    const listed = await must(network.inside('gw', 'nft', 'list', 'table', 'inet', 'trains'))
    return Number(/counter packets (\d+)/.exec(listed)![1])
  }

  it('is asked for, and shown', async () => {
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    expect((await office.vpnctl('show', 'system')).output).toContain('LAN UDP-GRO')
    expect(readFileSync(gateway.logFile, 'utf8')).toContain(`${FEATURE} is on for lan0`)
  })

  it('arrives byte for byte and in order: odd sizes, a short last one, two flows in turn', async () => {
    const flows: Flow[] = [
      { port: 7001, count: 150, bytes: 1301, last: 77, checksum: true, pmtu: 2 },
      { port: 7002, count: 150, bytes: 499, last: 3, checksum: true, pmtu: 2 },
    ]
    // What was not merged at all shows nothing: a sender that has no processor leaves too long a time between two.
    const merged = await until(async () => {
      const { taken, trains } = await play(flows)
      expect(taken).toEqual(Object.fromEntries(flows.map(f => [f.port, whole(f)])))
      return trains < 150
    })
    expect(merged).toBe(true)
  })

  it('arrives without a checksum beside some with one', async () => {
    const flows: Flow[] = [
      { port: 7003, count: 60, bytes: 700, last: 701, checksum: false, pmtu: 2 },
      { port: 7004, count: 60, bytes: 700, last: 20, checksum: true, pmtu: 2 },
    ]
    const { taken } = await play(flows)
    expect(taken).toEqual(Object.fromEntries(flows.map(f => [f.port, whole(f)])))
  })

  it('arrives in fragments where it is larger than the link and may be cut', async () => {
    const flow: Flow = { port: 7005, count: 40, bytes: 1450, last: 9, checksum: true, pmtu: 0 }
    const { taken } = await play([flow])
    expect(taken).toEqual({ 7005: whole(flow) })
  })

  it('is refused with the link’s MTU where it may not', async () => {
    const large: Flow = { port: 7006, count: 40, bytes: 1450, last: 1450, checksum: true, pmtu: 3 }
    const small: Flow = { port: 7007, count: 40, bytes: 900, last: 9, checksum: true, pmtu: 3 }
    const { taken, told } = await play([large, small], 3)
    const [route] = JSON.parse(await network.ip('gw', `-j route get ${inner}`)) as { metrics: { mtu: number }[] }[]
    expect(told).toBe(String(route!.metrics[0]!.mtu))
    expect(Number(told)).toBeLessThan(1478)
    expect(taken['7006']).toMatchObject({ count: 0 })
    expect(taken['7007']).toEqual(whole(small))
  })

  it('is told of a port where nobody listens', async () => {
    const program = `const s = require('dgram').createSocket('udp4')
      s.on('error', e => { console.log(e.code); process.exit() })
      setTimeout(() => { console.log('silence'); process.exit() }, 5000)
      s.connect(7999, '${inner}', () => { for (let i = 0; i < 20; i++) s.send('x'.repeat(900)) })`
    const { output } = await office.inside('lan', process.execPath, '-e', program)
    expect(output.trim()).toBe('ECONNREFUSED')
  })

  it('is asked of a device that comes in the place of another, which answers for the clients, too', async () => {
    await network.ip('gw', 'link del lan0')
    await office.wireLan()
    await network.mergeLikeCard('gw', 'lan0', MERGING_MICROS)
    expect(await until(async () => (await network.feature('gw', 'lan0', FEATURE)) === 'true')).toBe(true)
    const reaches = async () => (await office.inside('lan', 'ping', '-n', '-c', '1', '-W', '1', inner)).status === 0
    expect(await until(reaches)).toBe(true)
  })

  it('is as it was found after the end, also where that was a kill -9', async () => {
    gateway.child.kill('SIGKILL')
    await until(() => !gateway.alive)
    await gateway.stop()
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    gateway = await office.startGateway()
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    await gateway.stop(60_000)
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('false')
    gateway = await office.startGateway(undefined, { lanOffloads: false })
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('false')
    expect((await office.vpnctl('show', 'system')).output).toContain('LAN none')
  })
})
