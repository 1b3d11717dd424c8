/** The daemon as a program: how it starts, ends, checks its configuration, and shares a host with another one. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, lanHost, officeScript } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('floatgated', () => {
  const office = new Office()
  const floatgated = (...args: string[]) => run([`${project}/bin/floatgated`, ...args])

  beforeAll(() => office.raise(['c1']))
  afterAll(() => office.remove())

  it('ends with status 0 at SIGTERM, takes all it made with it, and tells its clients', async () => {
    const gateway = await office.startGateway()
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    const made = await office.traces()
    expect(made.some(t => t.startsWith('table'))).toBe(true)
    expect(made.some(t => t.startsWith('device'))).toBe(true)
    expect(made.some(t => t.startsWith(accounts.dialin1.address))).toBe(true)
    expect(made.some(t => t.startsWith(`proxy ${accounts.dialin1.address}`))).toBe(true)
    expect(made).toContain('proxy_delay of lan0')
    // What the host says to IPv6 neighbours of every device is not sent into the tunnels.
    const conf = '/proc/sys/net/ipv6/conf'
    const { output } = await office.inside('gw', 'sh', '-c', `[ ! -e ${conf} ] || cat ${conf}/fg0/disable_ipv6`)
    expect(output.trim()).toBe(existsSync(conf) ? '1' : '')
    gateway.child.kill('SIGTERM')
    expect(await client.ended()).toBe('status 15')
    await gateway.stop(60_000)
    expect(gateway.ended).toBe('status 0')
    expect(await office.traces()).toEqual([])
    expect(existsSync(office.socket)).toBe(false)
  })

  it('removes at its start what a kill -9 left', async () => {
    const killed = await office.startGateway()
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    killed.child.kill('SIGKILL')
    await client.hangUp()
    const left = await office.traces()
    expect(left.some(t => t.startsWith('table'))).toBe(true)
    expect(left.some(t => t.startsWith('proxy '))).toBe(true)
    expect(left).toContain('proxy_delay of lan0')

    const next = await office.startGateway()
    expect(readFileSync(next.logFile, 'utf8')).toContain('Removed what an earlier run left')
    const now = await office.traces()
    expect(now.filter(t => t.startsWith('proxy'))).toEqual([])
    expect(now.filter(t => t.startsWith('table'))).toHaveLength(1)
    const again = office.dial('c1', accounts.dialin1)
    expect(await again.connected()).toBe(accounts.dialin1.address)
    expect(await again.hangUp()).toBe('status 0')
    await next.stop(60_000)
    expect(await office.traces()).toEqual([])
  })

  it('is missed by vpnctl: status 3 and what to do', async () => {
    const { status, output } = await office.vpnctl('show', 'session')
    expect(status).toBe(3)
    expect(output).toContain(office.socket)
    expect(output).toMatch(/not running/)
  })

  it('finds nothing to say against a sound configuration', async () => {
    const { status, output } = await floatgated(...office.configure(), '--check')
    expect(output.trim().split('\n').at(-1)).toBe('ok')
    expect(status).toBe(0)
    expect(await office.traces()).toEqual([])
  })

  it('tells every fault of a configuration with its line, and starts nothing', async () => {
    const good = officeScript().trimStart()
    const args = office.configure(`${good}create nonsense thing=1\nadd user=late password=friend9 ip=300.1.1.1\n`)
    const line = good.split('\n').length
    const { status, output } = await floatgated(...args, '--check')
    expect(status).toBe(1)
    expect(output).toContain(`router.cfg: line ${line}: error`)
    expect(output).toContain(`router.cfg: line ${line + 1}: error`)
    expect(output).not.toContain('friend9')
    const served = await run(office.network.inside('gw', `${project}/bin/floatgated`, ...args))
    expect(served.status).toBe(1)
    expect(served.output).toContain('nothing was started')
    expect(await office.traces()).toEqual([])
  })

  it('reads its configuration again at SIGHUP, and keeps what it has where that is faulty', async () => {
    const gateway = await office.startGateway()
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    const said = () => readFileSync(gateway.logFile, 'utf8')

    writeFileSync(`${office.network.directory}/router.cfg`, 'create nonsense\n')
    gateway.child.kill('SIGHUP')
    await expect.poll(said).toContain('Reload refused')

    office.configure(`${officeScript()}add user=newcomer password=friend9 login=no\n`)
    gateway.child.kill('SIGHUP')
    await expect.poll(said).toContain('Configuration reloaded')
    const { output } = await client.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', lanHost)
    expect(output).toContain('2 received')
    expect(await client.hangUp()).toBe('status 0')

    const newcomer = office.dial('c1', { user: 'newcomer', password: 'friend9' })
    expect(await newcomer.connected()).toMatch(/^192\.168\.8\.1\d\d$/)
    expect(await newcomer.hangUp()).toBe('status 0')
    await gateway.stop(60_000)
  })

  it('reloads under a connected client, saves what it runs, and starts with what SET CONFIG chose', async () => {
    const gateway = await office.startGateway()
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()

    office.configure(`${officeScript()}add user=newcomer password=friend9 login=no\nset system name=Second\n`)
    const reloaded = await office.vpnctl('reload')
    expect(reloaded).toMatchObject({ status: 0 })
    expect(reloaded.output).toContain('+ add user=newcomer password=*** login=no\n')
    expect(reloaded.output).toContain('+ set system name="Second"\n')
    expect(reloaded.output).not.toContain('friend9')
    const { output } = await client.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', lanHost)
    expect(output).toContain('2 received')

    expect(await office.vpnctl('create', 'config=vpn.cfg')).toMatchObject({ status: 0 })
    expect(await office.vpnctl('set', 'config=vpn.cfg')).toMatchObject({ status: 0 })
    expect((await office.vpnctl('restart', 'router', 'config=vpn.cfg')).status).toBe(0)
    expect(await client.ended()).not.toBe('')
    await gateway.stop(60_000)

    const withoutScript = office.configure('create nonsense\n').slice(2)
    const again = office.network.start('gw', 'floatgated-flash', `${project}/bin/floatgated`, ...withoutScript)
    await expect.poll(() => readFileSync(again.logFile, 'utf8')).toContain('floatgate: ready')
    expect((await office.vpnctl('show', 'config')).output).toMatch(/vpn\.cfg \(exists\)[\s\S]*flash\/vpn\.cfg/)
    const newcomer = office.dial('c1', { user: 'newcomer', password: 'friend9' })
    await newcomer.connected()
    expect(await newcomer.hangUp()).toBe('status 0')
    await again.stop(60_000)
    rmSync(`${office.state}/boot.json`)
    expect(await office.traces()).toEqual([])
  })

  it('runs beside another one in another namespace', async () => {
    const other = new Office()
    try {
      await other.raise(['c1'])
      const gateways = [await office.startGateway(), await other.startGateway()]
      const clients = [office.dial('c1', accounts.dialin1), other.dial('c1', accounts.dialin1)]
      expect(await Promise.all(clients.map(c => c.connected()))).toEqual([
        accounts.dialin1.address,
        accounts.dialin1.address,
      ])
      for (const client of clients) {
        const { output } = await client.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', lanHost)
        expect(output).toContain('2 received')
      }
      await gateways[0]!.stop(60_000)
      expect(gateways[0]!.ended).toBe('status 0')
      const { output } = await clients[1]!.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', lanHost)
      expect(output).toContain('2 received')
      expect(await other.show('session')).toHaveLength(1)
      await gateways[1]!.stop(60_000)
    } finally {
      await other.remove()
    }
  })
})
