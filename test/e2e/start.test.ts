/** Starts on hosts that are not as they should be: what is said, and that nothing is left half way. */

import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts, lanHost, officeScript } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('a start', () => {
  const office = new Office()
  const scratch = () => office.network.directory
  /** An nft that does what this line says. */
  const nft = (line: string) => {
    const directory = `${scratch()}/nft-${Buffer.from(line).toString('hex').slice(0, 16)}`
    mkdirSync(directory, { recursive: true })
    writeFileSync(`${directory}/nft`, `#!/bin/sh\n${line}\n`)
    chmodSync(`${directory}/nft`, 0o755)
    return ['env', `PATH=${directory}:${process.env['PATH']}`]
  }
  const started = (args: string[], ...before: string[]) =>
    run(office.network.inside('gw', ...before, `${project}/bin/floatgated`, ...args))

  beforeAll(() => office.raise(['c1']))
  afterAll(() => office.remove())

  it('with an addon of older sources ends at once, and says what to run', async () => {
    const copy = `${scratch()}/copy`
    const addon = `${copy}/native/build/Release/floatgate.node`
    for (const directory of [`${copy}/dist`, `${copy}/bin`, addon]) mkdirSync(directory, { recursive: true })
    cpSync(`${project}/dist/src`, `${copy}/dist/src`, { recursive: true })
    cpSync(`${project}/bin/floatgated`, `${copy}/bin/floatgated`)
    for (const name of ['package.json', 'node_modules']) symlinkSync(`${project}/${name}`, `${copy}/${name}`)
    // What Node loads of a directory of that name.
    writeFileSync(`${addon}/package.json`, '{}')
    const real = JSON.stringify(`${project}/native/build/Release/floatgate.node`)
    writeFileSync(`${addon}/index.js`, `const { now, ...older } = require(${real}); module.exports = older\n`)
    const argv = [`${copy}/bin/floatgated`, ...office.configure()]
    const { status, output } = await run(office.network.inside('gw', ...argv))
    expect(output).toContain('the native addon was built from other sources than the program (it has no now)')
    expect(output).toContain('run "npm run setup"')
    expect(status).toBe(3)
    expect(await office.traces()).toEqual([])
  })

  it('whose firewall the host refuses does not serve, and leaves nothing', async () => {
    const { status, output } = await started(office.configure(), ...nft('echo "Error: no such kernel" >&2; exit 1'))
    expect(output).toContain("the firewall's nftables table was refused: Error: no such kernel\nNothing was started")
    expect(output).toContain('"hostFirewall": false')
    expect(output).not.toContain('floatgate: ready')
    expect(status).toBe(3)
    expect(await office.traces()).toEqual([])
  })

  it('whose site file says that another firewall guards the host makes no table, and filters sessions', async () => {
    const args = office.configure(undefined, { hostFirewall: false })
    const log = office.network.start('gw', 'unguarded', ...nft('exit 1'), `${project}/bin/floatgated`, ...args)
    const said = () => readFileSync(log.logFile, 'utf8')
    await expect.poll(said).toContain('floatgate: ready')
    expect(said()).toContain('warning: "hostFirewall": false in the site file')
    const client: ClientProgram = office.dial('c1', accounts.dialin1)
    await client.connected()
    const { output } = await client.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', lanHost)
    expect(output).toContain('2 received')
    expect((await office.traces()).filter(t => t.startsWith('table'))).toEqual([])
    expect((await office.show<{ name: string }>('firewall policy')).map(p => p.name)).toEqual(['main'])
    expect(await client.hangUp()).toBe('status 0')
    await log.stop(60_000)
    expect(log.ended).toBe('status 0')
  })

  it('puts its table back when somebody removes it, and says so', async () => {
    const gateway = await office.startGateway()
    const table = async () => (await office.inside('gw', 'nft', 'list', 'tables')).output
    expect(await table()).toContain('floatgate_')
    const rules = async () => (await office.inside('gw', 'nft', '-s', 'list', 'ruleset')).output
    const before = await rules()
    await office.inside('gw', 'nft', 'flush', 'ruleset')
    await expect.poll(table).toContain('floatgate_')
    expect(await rules()).toBe(before)
    const told = async () => (await office.vpnctl('show', 'log')).output
    await expect.poll(told).toContain("Somebody removed the firewall's nftables table")
    // A table of somebody else's is none of ours.
    await office.inside('gw', 'nft', 'add', 'table', 'ip', 'strange')
    await office.inside('gw', 'nft', 'delete', 'table', 'ip', 'strange')
    expect((await told()).split('Somebody removed').length).toBe(2)
    await gateway.stop(60_000)
    expect(await office.traces()).toEqual([])
  })

  it('has what is for a client that is away go nowhere, though its pool lies apart from the LAN', async () => {
    await office.network.ip('gw', 'route add default via 203.0.113.254')
    const way = async (to: string) => /dev (\S+)/.exec(await office.network.ip('gw', `route get ${to}`))?.[1]
    expect(await way('10.9.0.5')).toBe('pub0')
    const gateway = await office.startGateway(officeScript('10.9.0.0-10.9.0.31'))
    await expect.poll(() => way('10.9.0.5')).toMatch(/^fg/)
    const device = await way('10.9.0.5')
    expect(await Promise.all(['10.9.0.0', '10.9.0.31', '10.9.0.32', '192.168.8.99'].map(way))).toEqual([
      ...[device, device, 'pub0', 'lan0'],
    ])
    const client = office.dial('c1', accounts.dialin2)
    const address = await client.connected()
    expect(address).toMatch(/^10\.9\.0\./)
    expect((await client.run('ping', '-c', '3', '-i', '0.2', '-W', '5', lanHost)).status).toBe(0)
    await client.hangUp()
    const routes = () => office.network.ip('gw', 'route show')
    await expect.poll(routes).not.toContain(`${address} dev`)
    expect(await way(address)).toBe(device)
    await gateway.stop(60_000)
    expect(await way('10.9.0.5')).toBe('pub0')
    await office.network.ip('gw', 'route del default')
    expect(await office.traces()).toEqual([])
  })

  it('whose TUN device somebody deletes ends, and says why, once', async () => {
    const gateway = await office.startGateway()
    await office.network.ip('gw', 'link del fg0')
    await expect.poll(() => gateway.ended).toBe('status 4')
    const said = readFileSync(gateway.logFile, 'utf8')
    expect(said.split('The TUN device is gone: somebody deleted it').length).toBe(2)
    expect(said).toContain('a supervisor can start it anew')
    expect(said).not.toContain('Bug in')
    expect(await office.traces()).toEqual([])
  })

  it('takes a device without cable for one that is there, only down', async () => {
    await office.network.ip('lan', 'link set eth0 down')
    const propose = `
      const { firstSite } = await import('${project}/scripts/first-site.mjs')
      console.log(JSON.stringify(firstSite()))`
    const { output } = await office.inside('gw', process.execPath, '--input-type=module', '-e', propose)
    const { site, words } = JSON.parse(output) as { site: object; words: string }
    expect(site).toMatchObject({
      interfaces: { eth0: 'pub0', vlan1: 'lan0' },
      values: { 'office Internet address': '203.0.113.1', 'office private LAN address': '192.168.8.1' },
    })
    expect(words).toBe('eth0 is pub0, vlan1 is lan0 (which is down)')

    const gateway = await office.startGateway()
    const said = readFileSync(gateway.logFile, 'utf8')
    expect(said).toContain('warning: device lan0 (vlan1) is down or has no cable')
    expect(said).not.toContain('does not have the address')
    await office.network.ip('lan', 'link set eth0 up')
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    await expect
      .poll(() => office.traces())
      .toContainEqual(expect.stringMatching(`^proxy ${accounts.dialin1.address} dev lan0`))
    expect(await client.hangUp()).toBe('status 0')
    await gateway.stop(60_000)
  })
})
