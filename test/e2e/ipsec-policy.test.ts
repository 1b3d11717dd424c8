/** IPsec policies on a running gateway: a VPN-only office, its order of positions, and what each policy counts. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttemptState, IpsecPolicyState } from '../../src/alliedware/show/state.ts'
import { until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, lanHost, officeScript, places } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`IPsec policies are not tried end to end: ${lacking}`)

const catchAll = /^create ipsec policy="internet".*\n/m

describe.skipIf(lacking !== undefined)('an office whose IPsec policies let only the VPN pass', () => {
  const office = new Office()
  const outside = places.c3.address

  beforeAll(async () => {
    await office.raise(['c1', 'c3'])
    await office.startGateway(officeScript().replace(catchAll, ''))
  })
  afterAll(() => office.remove())

  const reaches = async (namespace: string, address: string) => {
    const { output } = await office.inside(namespace, 'ping', '-n', '-c', '1', '-W', '1', address)
    return output.includes('1 received')
  }
  const policy = async (name: string) =>
    (await office.show<IpsecPolicyState>('ipsec policy')).find(p => p.name === name)!

  it('serves clients, and keeps the LAN from the Internet', async () => {
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    const { output } = await client.run('ping', '-n', '-c', '4', '-i', '0.2', '-W', '5', lanHost)
    expect(output).toContain('4 received')
    const { counters } = await policy('all_roaming')
    expect(counters.inProcessDone).toBeGreaterThanOrEqual(4)
    expect((await policy('isakmp_float')).counters.inPermit).toBeGreaterThan(0)
    expect(await reaches('lan', outside)).toBe(false)
    expect(await reaches('gw', outside)).toBe(false)
    await client.hangUp()
  })

  it('drops clear L2TP by the policy that protects it', async () => {
    const before = (await policy('all_roaming')).counters.inDeny
    const send = `const s = require('dgram').createSocket('udp4'); s.bind(1701, () => s.send('clear', 1701, '203.0.113.1', () => s.close()))`
    await office.inside('c3', process.execPath, '-e', send)
    await until(async () => (await policy('all_roaming')).counters.inDeny > before, 60_000, 100)
    expect((await policy('all_roaming')).counters.inDeny).toBe(before + 1)
  })

  it('lets the LAN out as soon as a policy permits it, and counts it', async () => {
    const made = await office.vpnctl('create', 'ipsec', 'policy=internet', 'int=eth0', 'action=permit')
    expect(made.output).toContain('Operation successful.')
    expect(await reaches('lan', outside)).toBe(true)
    const { position, counters } = await policy('internet')
    expect(position).toBe(4)
    expect(counters.outPermit).toBe(1)
    expect(counters.inPermit).toBe(1)
  })

  it('protects nothing once that stands first, and says so', async () => {
    const moved = await office.vpnctl('set', 'ipsec', 'policy=internet', 'position=1')
    expect(moved.status).toBe(0)
    const client = office.dial('c1', accounts.dialin1)
    await expect(client.connected()).rejects.toThrow()
    const [attempt] = (await office.show<AttemptState>('attempt tail=1')).slice(-1)
    expect(attempt!.text).toContain('IPsec policy "internet" with ACTION=PERMIT comes before any with ACTION=IPSEC')
    await office.vpnctl('set', 'ipsec', 'policy=internet', 'position=100')
    const again = office.dial('c1', accounts.dialin1)
    await again.connected()
    await again.hangUp()
  })
})
