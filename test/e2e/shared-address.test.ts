/** Many clients on two workers that go out by one global address, each worker by its own ports of it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownerOfPort } from '../../src/firewall/nat-ports.ts'
import { until } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { ClientProgram, Office } from '../support/office.ts'
import { gatewayPublic, natInside, officeScript, type Place, places, preSharedKey } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`a shared address is not tried end to end: ${lacking}`)

/** An address of the public subnet that no device has. */
const GLOBAL = '203.0.113.8'
const far = places.c3.address
const CLIENTS = 8
const FLOWS = 12
const PAGE = 20_000

const ECHO = `require('dgram').createSocket('udp4').on('message', function (m, from) {
  this.send(from.address + ':' + from.port + ' ' + m.length, from.port, from.address)
}).bind(7777, () => {})
require('net').createServer(c => {
  c.on('error', () => {})
  c.end(c.remoteAddress + ':' + c.remotePort + ' ' + 'x'.repeat(${PAGE}))
}).listen(8000, '0.0.0.0', () => console.log('serving'))`
const SERVICE = `require('net').createServer(c => {
  c.on('error', () => {})
  c.end('user ' + process.argv[1] + ' for ' + c.remoteAddress)
}).listen(8000, '0.0.0.0', () => console.log('serving'))`
/** Many flows of UDP, some larger than the link, and of TCP: prints how each was seen. */
const ASK = `const [host, flows] = process.argv.slice(1)
const seen = []
const done = () => { console.log(JSON.stringify(seen)); process.exit() }
const note = text => { seen.push(text); if (seen.length === flows * 2) done() }
setTimeout(done, 45000)
for (let i = 0; i < flows; i++) {
  const s = require('dgram').createSocket('udp4')
  const size = i % 4 === 0 ? 3000 : 10
  const ask = () => s.send(Buffer.alloc(size), 7777, host)
  const again = setInterval(ask, 1000)
  s.once('message', m => { clearInterval(again); note('udp ' + m) })
  ask()
  let text = ''
  const c = require('net').connect(8000, host)
  c.on('data', d => { text += d })
  c.on('error', e => note('tcp ' + e.code))
  c.on('end', () => note('tcp ' + text.split(' ')[0] + ' ' + text.length))
}`
/** A port that nobody listens on: what comes back is an ICMP error. */
const REFUSED = `const s = require('dgram').createSocket('udp4')
setTimeout(() => { console.log('silence'); process.exit() }, 10000)
s.on('error', e => { console.log(e.code); process.exit() })
s.connect(9, process.argv[1], () => setInterval(() => s.send('x'), 500))`
const CALL = `const [host, port] = process.argv.slice(1)
setTimeout(() => { console.log('silence'); process.exit() }, 5000)
const c = require('net').connect(Number(port), host)
c.on('data', d => { console.log(String(d)); process.exit() })
c.on('error', e => { console.log(e.code); process.exit() })`

describe.skipIf(lacking !== undefined)('a global address of two workers', () => {
  const office = new Office()
  const clients: { readonly name: string; readonly program: ClientProgram }[] = []
  const inside = (name: string, ...argv: string[]) => office.inside(name, process.execPath, '-e', ...argv)

  beforeAll(async () => {
    await office.raise(['c1', 'c3'])
    const n = office.network
    const names = Array.from({ length: CLIENTS }, (_, i) => `k${i}`)
    const pair = 'add firewall policy=main nat=enhanced int=dyn-callers gblinterface=eth0'
    const forward = (i: number) =>
      `add firewall policy=main rule=${20 + i} int=eth0 action=allow protocol=tcp user=user${i} port=8000 gblip=${GLOBAL} gblport=${8080 + i}`
    const users = names.map((_, i) => `add user=user${i} password=word${i} login=no`)
    const script = officeScript().replace(
      pair,
      `${pair} gblip=${GLOBAL}\n${names.map((_, i) => forward(i)).join('\n')}`,
    )
    await office.startGateway(`${script}\n${users.join('\n')}\n`, { workers: 2 })
    // All clients are one host to the far one, which is sparing with errors.
    await office.inside('c3', 'sh', '-c', 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit')
    office.network.start('c3', 'echo', process.execPath, '-e', ECHO)
    for (const [i, name] of names.entries()) {
      await n.namespace(name)
      await n.wire(
        { namespace: name, name: 'eth0', address: `10.1.0.${100 + i}/24` },
        { namespace: 'nat', name, bridge: 'br0' },
      )
      await n.ip(name, `route add default via ${natInside}`)
      const argv = ['--server', gatewayPublic, '--psk', preSharedKey, '--user', `user${i}`, '--password', `word${i}`]
      const daemon = n.start(
        name,
        `client-${name}`,
        ...[process.execPath, `${project}/dist/test/support/client-main.js`, ...argv],
        ...['--route', '192.168.8.0/24', '--route', `${far}/32`],
      )
      clients.push({ name, program: new ClientProgram(daemon, n, name as Place) })
    }
    await Promise.all(clients.map(c => c.program.connected()))
    for (const [i, { name }] of clients.entries())
      office.network.start(name, `service-${name}`, process.execPath, '-e', SERVICE, String(i))
  })
  afterAll(() => office.remove())

  it('carries every flow of everybody, in fragments and super-segments too, and no port twice', async () => {
    const answers = await Promise.all(clients.map(c => inside(c.name, ASK, far, String(FLOWS))))
    const owners = new Set<number>()
    const used = new Set<string>()
    for (const { output } of answers) {
      const seen = JSON.parse(output.trim().split('\n').at(-1)!) as string[]
      expect(seen, output).toHaveLength(2 * FLOWS)
      const ports = seen.map(text => {
        const [, protocol, port, size] = /^(udp|tcp) 203\.0\.113\.8:(\d+) (\d+)$/.exec(text) ?? []
        expect(port, text).toBeDefined()
        if (protocol === 'tcp') expect(Number(size)).toBeGreaterThan(PAGE)
        else expect(['10', '3000']).toContain(size)
        expect(used.has(`${protocol} ${port}`)).toBe(false)
        used.add(`${protocol} ${port}`)
        return Number(port)
      })
      const mine = new Set(ports.map(port => ownerOfPort(port, 2)))
      expect(mine.size).toBe(1)
      for (const owner of mine) owners.add(owner)
    }
    expect(used.size).toBe(CLIENTS * 2 * FLOWS)
    expect([...owners].sort()).toEqual([0, 1])
    const table = await office.inside('gw', 'nft', 'list', 'ruleset')
    expect(table.output).not.toMatch(/snat|masquerade.*203\.0\.113\.8/)
  })

  it('brings pings back, and errors to whoever they are about', async () => {
    const pings = await Promise.all(
      clients.map(c => office.inside(c.name, 'ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', '-s', '3000', far)),
    )
    for (const { output } of pings) expect(output).toContain('3 received')
    const errors = await Promise.all(clients.map(c => inside(c.name, REFUSED, far)))
    expect(errors.map(e => e.output.trim())).toEqual(clients.map(() => 'ECONNREFUSED'))
  })

  it('serves forwards to users of either worker, from outside and from one another', async () => {
    const call = async (name: string, port: number) => (await inside(name, CALL, GLOBAL, String(port))).output.trim()
    for (const i of clients.keys()) await until(async () => (await call('c3', 8080 + i)) !== 'ECONNREFUSED')
    for (const i of clients.keys()) expect(await call('c3', 8080 + i)).toBe(`user ${i} for ${far}`)
    const [a, b] = [0, 1]
    for (const { name } of [clients[a]!, clients[b]!]) {
      const device = /dev (\S+)/.exec(await office.network.ip(name, `route get ${far}`))?.[1]
      await office.network.ip(name, `route add ${GLOBAL}/32 dev ${device}`)
    }
    expect(await call(clients[a]!.name, 8080 + b)).toBe(`user ${b} for ${GLOBAL}`)
    expect(await call(clients[b]!.name, 8080 + a)).toBe(`user ${a} for ${GLOBAL}`)
    await clients[b]!.program.hangUp()
    expect(await call('c3', 8080 + b)).toBe('silence')
    expect(await call('c3', 8080 + a)).toBe(`user ${a} for ${far}`)
  })
})
