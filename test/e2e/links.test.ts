/** Devices that an administrator sets down and up again under live sessions. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, lanHost } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('a device that was down and is up again', () => {
  const office = new Office()

  beforeAll(() => office.raise(['c1']))
  afterAll(() => office.remove())

  it('carries the sessions on: the TUN device with its routes, the LAN’s with its proxy ARP entries', async () => {
    const gateway = await office.startGateway()
    const client = office.dial('c1', accounts.dialin1)
    const inner = await client.connected()
    const reaches = async () => (await client.run('ping', '-n', '-c', '1', '-W', '1', lanHost)).status === 0
    const isReached = async () => (await office.inside('lan', 'ping', '-n', '-c', '1', '-W', '1', inner)).status === 0
    expect(await until(reaches)).toBe(true)
    for (const device of ['fg0', 'lan0']) {
      for (const way of ['down', 'up']) await office.network.ip('gw', `link set ${device} ${way}`)
      expect(await until(reaches), `a client behind ${device}`).toBe(true)
      // Nobody answers for the client any more but the gateway.
      await office.network.ip('lan', 'neigh flush all')
      expect(await until(isReached), `the LAN before ${device}`).toBe(true)
    }
    expect(readFileSync(gateway.logFile, 'utf8')).toMatch(/fg0 was down, .* it is up again, with its routes/)
    expect(readFileSync(gateway.logFile, 'utf8')).not.toMatch(/ip .* failed/)
    expect(await client.hangUp()).toBe('status 0')
    await gateway.stop(60_000)
    expect(await office.traces()).toEqual([])
  })
})
