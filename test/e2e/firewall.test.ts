/** Address translation on a running gateway: by the worker for an address of its own, by nftables for the host's. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until, which } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts, gatewayPublic, officeScript, places } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`address translation is not tried end to end: ${lacking}`)

/** An address of the public subnet that no device has. */
const GLOBAL = '203.0.113.8'
const far = places.c3.address

const ECHO = `require('dgram').createSocket('udp4').on('message', function (m, from) {
  this.send(from.address + ':' + from.port, from.port, from.address)
}).bind(7777, () => console.log('serving'))`
const SERVICE = `require('net').createServer(c => {
  c.on('error', () => {})
  c.end('for ' + c.remoteAddress)
}).listen(8000, '0.0.0.0', () => console.log('serving'))`
const ASK = `const s = require('dgram').createSocket('udp4')
setTimeout(() => { console.log('silence'); process.exit() }, 3000)
s.on('message', m => { console.log(String(m)); process.exit() })
s.bind(5000, () => s.send('x', 7777, process.argv[1]))`
const CALL = `const [host, port] = process.argv.slice(1)
setTimeout(() => { console.log('silence'); process.exit() }, 2000)
const c = require('net').connect(Number(port), host)
c.on('data', d => { console.log(String(d)); process.exit() })
c.on('error', e => { console.log(e.code); process.exit() })`

describe.skipIf(lacking !== undefined)('an office that translates for its clients', () => {
  const office = new Office()
  let client: ClientProgram

  const call = async (port: number, host = GLOBAL) =>
    (await office.inside('c3', process.execPath, '-e', CALL, host, String(port))).output.trim()

  beforeAll(async () => {
    await office.raise(['c1', 'c3'])
    const pair = 'add firewall policy=main nat=enhanced int=dyn-callers gblinterface=eth0'
    const forward = 'add firewall policy=main int=eth0 action=allow protocol=tcp user=dialin1 port=8000'
    const script = officeScript().replace(
      pair,
      `${pair} gblip=${GLOBAL}
${forward} rule=20 gblip=${GLOBAL} gblport=8080
${forward} rule=21 gblip=${gatewayPublic} gblport=8081`,
    )
    expect(script).toContain(GLOBAL)
    await office.startGateway(script)
    office.network.start('c3', 'echo', process.execPath, '-e', ECHO)
    client = office.dial('c1', accounts.dialin1, '--route', '192.168.8.0/24', '--route', `${far}/32`)
    await client.connected()
    office.network.start('c1', 'service', process.execPath, '-e', SERVICE)
  })
  afterAll(() => office.remove())

  it('a client goes out by the global address, in whole packets and in fragments', async () => {
    const { output } = await client.run(process.execPath, '-e', ASK, far)
    expect(output).toMatch(/^203\.0\.113\.8:\d+\n$/)
    expect(Number(output.trim().split(':')[1])).toBeGreaterThanOrEqual(8192)
    const ping = await client.run('ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', far)
    expect(ping.output).toContain('3 received')
    // Larger than the link: in fragments, out and back.
    const large = await client.run('ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', '-s', '4000', far)
    expect(large.output).toContain('2 received')
  })

  it('a forward to a user is served by the worker, and by nftables at the host’s own address', async () => {
    await until(async () => (await call(8080)) !== 'ECONNREFUSED', 60_000, 200)
    expect(await call(8080)).toBe(`for ${far}`)
    expect(await call(8081, gatewayPublic)).toBe(`for ${far}`)
    expect(await call(8000)).toBe('silence')
  })

  it('rules change under it: a deny at once, and no forward without its user', async () => {
    const deny = 'add firewall policy=main rule=10 int=eth0 action=deny protocol=tcp port=8000'.split(' ')
    expect((await office.vpnctl(...deny)).status).toBe(0)
    expect([await call(8080), await call(8081, gatewayPublic)]).toEqual(['silence', 'silence'])
    expect((await office.vpnctl('delete', 'firewall', 'policy=main', 'rule=10')).status).toBe(0)
    expect([await call(8080), await call(8081, gatewayPublic)]).toEqual([`for ${far}`, `for ${far}`])
    expect(await client.hangUp()).toBe('status 0')
    expect(await call(8080)).toBe('silence')
    expect(await call(8081, gatewayPublic)).not.toContain('for')
    const again = office.dial('c1', accounts.dialin1, '--route', '192.168.8.0/24', '--route', `${far}/32`)
    await again.connected()
    expect([await call(8080), await call(8081, gatewayPublic)]).toEqual([`for ${far}`, `for ${far}`])
    await again.hangUp()
  })
})

describe.skipIf(lacking !== undefined)('with several workers', () => {
  const office = new Office()
  beforeAll(async () => {
    await office.raise(['c1', 'c2', 'c3'])
    const pair = 'add firewall policy=main nat=enhanced int=dyn-callers gblinterface=eth0'
    const oneToOne = 'add firewall policy=main nat=standard int=dyn-callers gblinterface=eth0'
    const address = accounts.dialin1.address
    const script = officeScript().replace(pair, `${pair}\n${oneToOne} ip=${address} gblip=${GLOBAL}`)
    await office.startGateway(script, { workers: 2 })
    office.network.start('c3', 'echo', process.execPath, '-e', ECHO)
  })
  afterAll(() => office.remove())

  it('an address that is one session’s own comes to its worker; who shares one is nftables’', async () => {
    const routes = ['--route', '192.168.8.0/24', '--route', `${far}/32`]
    const other = office.dial('c2', accounts.dialin2, ...routes)
    await other.connected()
    const own = office.dial('c1', accounts.dialin1, ...routes)
    await own.connected()
    expect((await own.run(process.execPath, '-e', ASK, far)).output).toBe(`${GLOBAL}:5000\n`)
    expect((await other.run(process.execPath, '-e', ASK, far)).output).toMatch(new RegExp(`^${gatewayPublic}:\\d+\\n$`))
    await own.hangUp()
    await other.hangUp()
  })
})

describe.skipIf(lacking !== undefined)('where nft refuses a table', () => {
  const office = new Office()
  const path = process.env['PATH']
  const refusing = () => `${office.network.directory}/refusing`
  beforeAll(async () => {
    await office.raise(['c1', 'c3'])
    // An nft that refuses whatever holds a certain port while a file is there.
    const programs = `${office.network.directory}/bin`
    mkdirSync(programs)
    const nft = await which('nft')
    const lines = ['#!/bin/sh', `[ -e ${refusing()} ] || exec ${nft} "$@"`, `input=$(cat)`]
    lines.push('case "$input" in *4242*) echo "Error: no room for it" >&2; exit 1;; esac')
    lines.push(`printf '%s\\n' "$input" | exec ${nft} "$@"`)
    writeFileSync(`${programs}/nft`, lines.join('\n'), { mode: 0o755 })
    process.env['PATH'] = `${programs}:${path}`
    await office.startGateway(officeScript())
  })
  afterAll(async () => {
    process.env['PATH'] = path
    await office.remove()
  })

  it('a live change is refused whole, with the reason, and what runs goes on', async () => {
    const client = office.dial('c1', accounts.dialin1, '--route', '192.168.8.0/24')
    await client.connected()
    const tables = () => office.inside('gw', 'nft', 'list', 'ruleset')
    const rules = async () => (await office.vpnctl('show', 'config', 'dynamic=firewall')).output
    const script = readFileSync(`${office.network.directory}/router.cfg`, 'utf8')
    const [table, configuration] = [(await tables()).output, await rules()]
    writeFileSync(refusing(), '')
    const words = 'add firewall policy=main rule=40 int=eth0 action=allow protocol=tcp port=4242'
    const refused = await office.vpnctl(...words.split(' '))
    expect(refused.status).toBe(1)
    expect(refused.output).toContain('no room for it')
    writeFileSync(`${office.network.directory}/router.cfg`, `${script}\n${words}\ndelete user=dialin1\n`)
    const reloaded = await office.vpnctl('reload')
    expect(reloaded.status).toBe(1)
    expect(reloaded.output).toContain('no room for it')
    expect(await rules()).toBe(configuration)
    expect(withoutCounts((await tables()).output)).toBe(withoutCounts(table))
    // The user whom the reload would have deleted is still there, and his connection; others change what they like.
    expect((await client.run('ping', '-n', '-c', '1', '-W', '3', '192.168.8.10')).output).toContain('1 received')
    expect((await office.vpnctl('set', 'system', 'name=Still')).status).toBe(0)
    rmSync(refusing())
    expect((await office.vpnctl(...words.split(' '))).status).toBe(0)
    expect((await tables()).output).toContain('4242')
    await client.hangUp()
  })
})

function withoutCounts(ruleset: string): string {
  return ruleset.replace(/counter packets \d+ bytes \d+/g, 'counter')
}
