/** The daemon with the simulated client, end to end: through the tunnel, and nothing left of it afterwards. */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  AttemptState,
  IpPoolState,
  IpsecSaState,
  IsakmpSaState,
  SessionState,
} from '../../src/alliedware/show/state.ts'
import { PATIENCE_MILLIS, until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { pattern } from '../support/pattern.ts'
import { accounts, gatewayPublic, lanHost, natPublic } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

async function expectPings(client: ClientProgram, ...options: string[]): Promise<void> {
  const { output } = await client.run('ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', ...options, lanHost)
  expect(output).toContain('3 packets transmitted, 3 received')
}

async function expectDownload(client: ClientProgram, bytes: number): Promise<void> {
  const program = `
    const body = await (await fetch('http://${lanHost}/${bytes}')).arrayBuffer()
    const { createHash } = await import('node:crypto')
    console.log(createHash('sha256').update(new Uint8Array(body)).digest('hex'))`
  const { output } = await client.run(process.execPath, '--input-type=module', '-e', program)
  expect(output.trim()).toBe(createHash('sha256').update(pattern(bytes)).digest('hex'))
}

describe.skipIf(lacking !== undefined)('a simulated client and floatgated', () => {
  const office = new Office()

  beforeAll(async () => {
    await office.raise()
    await office.startGateway()
  })
  afterAll(() => office.remove())

  /** Every list is empty, and every address is free again. */
  async function expectNothingLeft(): Promise<void> {
    const left = async () => {
      const lists = ['session', 'isakmp sa', 'ipsec sa', 'l2tp tunnel', 'ppp']
      const shown = await Promise.all(lists.map(async what => [what, (await office.show(what)).length] as const))
      return Object.fromEntries(shown.filter(([, length]) => length > 0))
    }
    await until(async () => Object.keys(await left()).length === 0, 60_000, 100)
    expect(await left()).toEqual({})
    const [pool] = await office.show<IpPoolState>('ip pool')
    expect(pool).toMatchObject({ used: [], free: pool!.size })
    expect((await office.traces()).filter(t => t.startsWith('proxy') || t.startsWith('192.168.8.'))).toEqual([])
  }

  it('serves Windows XP behind a NAT: its own address, ping, a download, an orderly end', async () => {
    const client = office.dial('c1', accounts.dialin1)
    expect(await client.connected()).toBe(accounts.dialin1.address)
    await expectPings(client)
    await expectPings(client, '-s', '1372', '-M', 'do')
    await expectDownload(client, 2_000_000)

    const [session] = await office.show<SessionState>('session')
    expect(session).toMatchObject({
      user: 'dialin1',
      identity: 'XPCLIENT',
      address: accounts.dialin1.address,
      nat: 'client',
      // XP offers 3DES with MD5 first; the bundle prefers SHA-1.
      suite: '3des-sha1',
    })
    expect(session!.remote.startsWith(`${natPublic}:`)).toBe(true)
    expect(session!.bytesOut).toBeGreaterThan(2_000_000)
    expect(await client.hangUp()).toBe('status 0')
    await expectNothingLeft()
    const attempt = (await office.show<AttemptState>('attempt')).at(-1)
    expect(attempt).toMatchObject({ user: 'dialin1', outcome: 'ended' })
    expect(attempt!.setupMillis).toBeGreaterThan(0)
    expect(attempt!.setupMillis).toBeLessThan(PATIENCE_MILLIS)
  })

  it('serves two clients behind one NAT at once, alike in tunnel ID and computer name', async () => {
    const one = office.dial('c1', accounts.dialin1, '--tunnel-id', '1', '--name', 'TWIN')
    const two = office.dial('c2', accounts.dialin2, '--tunnel-id', '1', '--name', 'TWIN')
    const addresses = await Promise.all([one.connected(), two.connected()])
    expect(addresses[0]).toBe(accounts.dialin1.address)
    expect(addresses[1]).toMatch(/^192\.168\.8\.1\d\d$/)
    await Promise.all([expectPings(one), expectPings(two)])
    await Promise.all([expectDownload(one, 500_000), expectDownload(two, 500_000)])

    const sessions = await office.show<SessionState>('session')
    expect(sessions.map(s => s.user).sort()).toEqual(['dialin1', 'dialin2'])
    expect(new Set(sessions.map(s => s.remote)).size).toBe(2)
    expect(await one.hangUp()).toBe('status 0')
    await expectPings(two)
    expect(await two.hangUp()).toBe('status 0')
    await expectNothingLeft()
  })

  it('serves a client without a NAT by native ESP', async () => {
    const client = office.dial('c3', accounts.dialin3)
    expect(await client.connected()).toMatch(/^192\.168\.8\.1\d\d$/)
    await expectPings(client)
    await expectDownload(client, 500_000)
    const [sa] = await office.show<IpsecSaState>('ipsec sa')
    expect(sa).toMatchObject({ encapsulation: 'none', suite: '3des-sha1' })
    const [session] = await office.show<SessionState>('session')
    expect(session).toMatchObject({ user: 'dialin3', identity: '203.0.113.50', nat: 'none' })
    expect(await client.hangUp()).toBe('status 0')
    await expectNothingLeft()
  })

  it('serves Windows 10: elliptic curve, AES, RFC 3947', async () => {
    const client = office.dial('c2', accounts.dialin2, '--profile', 'win10')
    await client.connected()
    await expectPings(client)
    await expectDownload(client, 2_000_000)
    const [isakmp] = await office.show<IsakmpSaState>('isakmp sa')
    expect(isakmp).toMatchObject({ group: 20, natTraversal: 'rfc3947', nat: 'client', identity: '10.1.0.12' })
    const [session] = await office.show<SessionState>('session')
    expect(session).toMatchObject({ suite: 'aes256-sha1', user: 'dialin2' })
    expect(await client.hangUp()).toBe('status 0')
    await expectNothingLeft()
  })

  it('connects, carries data and ends over a path that loses every twentieth packet', async () => {
    const rule = 'type filter hook forward priority -10\nnumgen random mod 20 < 1 drop'
    const loss = `table ip loss {\nchain through {\n${rule}\n}\n}`
    expect((await office.inside('nat', 'nft', loss)).status).toBe(0)
    const client = office.dial('c1', accounts.dialin3)
    await client.connected()
    await expectDownload(client, 100_000)
    expect(await client.hangUp()).toBe('status 0')
    expect((await office.inside('nat', 'nft', 'delete', 'table', 'ip', 'loss')).status).toBe(0)
    // Each farewell that was lost leaves something to the gateway's own watch over it, for minutes: it is ended here by hand.
    for (const { id } of await office.show<SessionState>('session')) await office.vpnctl('reset', `session=${id}`)
    for (const p of new Set((await office.show<IpsecSaState>('ipsec sa')).map(sa => sa.policy)))
      expect((await office.vpnctl('reset', 'ipsec', `policy=${p}`)).status).toBe(0)
    for (const { policy } of await office.show<IsakmpSaState>('isakmp sa'))
      await office.vpnctl('reset', 'isakmp', `policy=${policy}`)
    await expectNothingLeft()
  })

  it('goes on through new SAs without losing a packet', async () => {
    const client = office.dial('c1', accounts.dialin2)
    await client.connected()
    const before = (await office.show<IpsecSaState>('ipsec sa')).map(sa => sa.inSpi)
    const pings = client.run('ping', '-n', '-c', '20', '-i', '0.1', '-W', '5', lanHost)
    await new Promise(resolve => setTimeout(resolve, 500))
    client.daemon.child.kill('SIGUSR2')
    expect((await pings).output).toContain('20 packets transmitted, 20 received')
    const fresh = async () =>
      (await office.show<IpsecSaState>('ipsec sa')).filter(sa => !before.includes(sa.inSpi) && sa.state === 'Valid')
    await until(async () => (await fresh()).length > 0)
    const after = await fresh()
    expect(after).toHaveLength(1)
    expect(await client.hangUp()).toBe('status 0')
    await expectNothingLeft()
  })

  it('gives a user who comes back without a farewell the old place at once', async () => {
    const lost = office.dial('c1', accounts.dialin1)
    await lost.connected()
    lost.daemon.child.kill('SIGKILL')
    await lost.ended()
    const back = office.dial('c1', accounts.dialin1)
    expect(await back.connected()).toBe(accounts.dialin1.address)
    await expectPings(back)
    const sessions = await office.show<SessionState>('session')
    expect(sessions.map(s => s.address)).toEqual([accounts.dialin1.address])
    expect(await back.hangUp()).toBe('status 0')
    await expectNothingLeft()
  })

  it('ends a session from the gateway, and the client hears of it', async () => {
    const client = office.dial('c2', accounts.dialin2)
    await client.connected()
    const [session] = await office.show<SessionState>('session')
    const { status } = await office.vpnctl('reset', `session=${session!.id}`)
    expect(status).toBe(0)
    expect(await client.ended()).toBe('status 15')
    expect(client.output).toContain('terminated by the gateway')
    await expectNothingLeft()
  })

  it('lets nobody at L2TP who did not come through IPsec', async () => {
    const sccrq = 'c802006500000000000000008008000000000001'
    const knock = `
      const { createSocket } = await import('node:dgram')
      const socket = createSocket('udp4')
      socket.on('message', () => { console.log('answered'); process.exit(1) })
      socket.on('error', () => {})
      socket.send(Buffer.from('${sccrq}', 'hex'), 1701, '${gatewayPublic}')
      setTimeout(() => { console.log('silence'); process.exit(0) }, 1000)`
    const { output } = await office.inside('c3', process.execPath, '--input-type=module', '-e', knock)
    expect(output.trim()).toBe('silence')
    expect(await office.show('l2tp tunnel')).toEqual([])
  })
})
