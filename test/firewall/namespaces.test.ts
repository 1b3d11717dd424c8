/**
 * The table in a real kernel, packet by packet:
 *
 *   pub 203.0.113.7 ---- wan 203.0.113.1 [gw] lan 192.168.8.1 ---- 192.168.8.20 lan
 *                                        fg0 10.9.0.1 ---- 10.9.0.50 vpn   (a veth in the TUN device's place)
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nftablesDelete, nftablesTable } from '../../src/firewall/nftables.ts'
import type { Firewall } from '../../src/firewall/policy.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { firewall, LAN_HOST, OFFICE, OFFICE_RULES, one, port, rule, SURROUNDINGS } from './office.ts'

const tag = `fgt${process.pid}`
const ns = { gw: `${tag}g`, pub: `${tag}p`, lan: `${tag}l`, vpn: `${tag}v` }

function run(command: string[], input?: string) {
  const [program, ...args] = command
  return spawnSync(program!, args, { encoding: 'utf8', input, timeout: 60_000 })
}

function must(command: string, input?: string): void {
  const result = run(command.split(' '), input)
  if (result.status !== 0) throw new Error(`${command}: ${result.stderr || result.error?.message}`)
}

/** Why this host cannot run the test, or undefined. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const made = run(['ip', 'netns', 'add', `${tag}x`])
  if (made.status !== 0) return `no network namespaces: ${made.error?.message ?? made.stderr.trim()}`
  const nft = run(['ip', 'netns', 'exec', `${tag}x`, 'nft', '-f', '-'], nftablesDelete('probe'))
  run(['ip', 'netns', 'del', `${tag}x`])
  return nft.status === 0 ? undefined : `nft: ${nft.error?.message ?? nft.stderr.trim()}`
}

/** Answers each datagram with the sender's address, and each connection with its far address. */
const SERVER = `
const dgram = require('dgram'), net = require('net')
const [host, udp, tcp] = process.argv.slice(1)
let waiting = 0
const ready = () => { if (--waiting === 0) console.log('ready') }
const list = x => x.split(',').filter(Boolean).map(Number)
waiting = list(udp).length + list(tcp).length
for (const port of list(udp)) {
  const s = dgram.createSocket('udp4')
  s.on('message', (m, from) => s.send(from.address + ':' + from.port, from.port, from.address))
  s.bind(port, host, ready)
}
for (const port of list(tcp)) {
  net.createServer(c => { c.on('error', () => {}); c.on('data', d => c.write(c.remoteAddress + ' ' + d)) }).listen(port, host, ready)
}`

const CLIENT = `
const dgram = require('dgram'), net = require('net')
const [kind, host, port, from, wait] = process.argv.slice(1)
setTimeout(() => { console.log('silence'); process.exit() }, Number(wait))
const done = x => { console.log(String(x)); process.exit() }
if (kind === 'udp') {
  const s = dgram.createSocket('udp4')
  s.on('message', done)
  s.on('error', e => done(e.code))
  s.bind(Number(from), () => s.send('x', Number(port), host))
} else {
  const c = net.connect(Number(port), host, () => c.write('hello'))
  c.on('data', done)
  c.on('error', e => done(e.code))
}`

const servers: ChildProcess[] = []

function serve(where: string, host: string, udp: string, tcp: string): Promise<void> {
  const child = spawn('ip', ['netns', 'exec', where, process.execPath, '-e', SERVER, host, udp, tcp])
  servers.push(child)
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', code => reject(new Error(`server exited with ${code}`)))
  })
}

/** The answer's text, which comes soon where there is one, or 'silence'. */
function ask(where: string, kind: 'udp' | 'tcp', host: string, to: number, from = 0, wait = 20_000): string {
  const args = ['netns', 'exec', where, process.execPath, '-e', CLIENT, kind, host, ...[to, from, wait].map(String)]
  return run(['ip', ...args]).stdout.trim()
}

/** Whether none comes. */
function isSilent(where: string, kind: 'udp' | 'tcp', host: string, to: number): boolean {
  return ask(where, kind, host, to, 0, 700) === 'silence'
}

function pings(where: string, host: string, seconds = 20): boolean {
  return run(['ip', 'netns', 'exec', where, 'ping', '-c', '1', '-W', String(seconds), host]).status === 0
}

/** Of fg0 in the gateway. */
let tunIndex: number | undefined

function apply(rules: Firewall): void {
  const text = nftablesTable({
    firewall: rules,
    tableName: 'floatgate_test',
    devices: { eth0: 'wan', vlan1: 'lan' },
    interfaces: SURROUNDINGS.interfaces,
    tunDevice: 'fg0',
    tunIndex,
    ports: [500, 4500],
  })
  must(`ip netns exec ${ns.gw} nft -f -`, text ?? nftablesDelete('floatgate_test'))
}

function link(gatewayDevice: string, gatewayAddress: string, other: string, address: string, route: string): void {
  must(`ip link add ${gatewayDevice} netns ${ns.gw} type veth peer name far0 netns ${other}`)
  must(`ip -n ${ns.gw} addr add ${gatewayAddress}/24 dev ${gatewayDevice}`)
  must(`ip -n ${ns.gw} link set ${gatewayDevice} up`)
  must(`ip -n ${other} addr add ${address}/24 dev far0`)
  must(`ip -n ${other} link set far0 up`)
  must(`ip -n ${other} link set lo up`)
  must(`ip -n ${other} route add ${route} via ${gatewayAddress}`)
}

const why = obstacle()
if (why !== undefined) {
  console.log(`the table is not tried in a kernel: ${why}`)
} else {
  describe('the table in a kernel', () => {
    beforeAll(async () => {
      for (const n of Object.values(ns)) must(`ip netns add ${n}`)
      must(`ip -n ${ns.gw} link set lo up`)
      // The public host knows the private networks too: nothing but the firewall stands between.
      link('wan', '203.0.113.1', ns.pub, '203.0.113.7', '192.168.8.0/24')
      must(`ip -n ${ns.pub} route add 10.9.0.0/24 via 203.0.113.1`)
      link('lan', '192.168.8.1', ns.lan, '192.168.8.20', 'default')
      link('fg0', '10.9.0.1', ns.vpn, '10.9.0.50', 'default')
      must(`ip netns exec ${ns.gw} sysctl -qw net.ipv4.ip_forward=1`)
      tunIndex = Number(/^\d+/.exec(run(['ip', '-n', ns.gw, '-o', 'link', 'show', 'fg0']).stdout)![0])
      await Promise.all([
        serve(ns.gw, '0.0.0.0', '500,4500,1701,53', '22'),
        serve(ns.pub, '0.0.0.0', '9000,4500', '9000'),
        serve(ns.lan, '0.0.0.0', '9000', '80'),
        serve(ns.vpn, '0.0.0.0', '9000', '80'),
      ])
      apply(firewall())
    })

    afterAll(() => {
      for (const s of servers) s.kill()
      for (const n of Object.values(ns)) run(['ip', 'netns', 'del', n])
    })

    test('IKE and NAT traversal are reachable from outside', () => {
      expect(ask(ns.pub, 'udp', '203.0.113.1', 500)).toMatch(/^203\.0\.113\.7:/)
      expect(ask(ns.pub, 'udp', '203.0.113.1', 4500)).toMatch(/^203\.0\.113\.7:/)
    })

    test('clear L2TP, other ports and ping are not', () => {
      expect(isSilent(ns.pub, 'udp', '203.0.113.1', 1701)).toBe(true)
      expect(isSilent(ns.pub, 'udp', '203.0.113.1', 53)).toBe(true)
      expect(isSilent(ns.pub, 'tcp', '203.0.113.1', 22)).toBe(true)
      expect(pings(ns.pub, '203.0.113.1', 1)).toBe(false)
    })

    test('the gateway is open to the LAN', () => {
      expect(ask(ns.lan, 'tcp', '192.168.8.1', 22)).toContain('hello')
      expect(pings(ns.lan, '192.168.8.1')).toBe(true)
    })

    test('outside reaches neither LAN nor sessions', () => {
      expect(pings(ns.pub, '192.168.8.20', 1)).toBe(false)
      expect(isSilent(ns.pub, 'tcp', '192.168.8.20', 80)).toBe(true)
      expect(pings(ns.pub, '10.9.0.50', 1)).toBe(false)
      expect(isSilent(ns.pub, 'udp', '10.9.0.50', 9000)).toBe(true)
    })

    test('LAN and sessions reach outside as the gateway', () => {
      expect(ask(ns.lan, 'udp', '203.0.113.7', 9000)).toMatch(/^203\.0\.113\.1:/)
      expect(ask(ns.vpn, 'tcp', '203.0.113.7', 9000)).toContain('203.0.113.1')
      expect(pings(ns.vpn, '203.0.113.7')).toBe(true)
    })

    test('a list of Ethernet addresses is about who sends', () => {
      const shown = run(['ip', '-n', ns.lan, '-j', 'link', 'show', 'far0']).stdout
      const [{ address }] = JSON.parse(shown) as [{ address: string }]
      const denying = (hardware: string) =>
        firewall({
          lists: [{ name: 'cards', addresses: [], file: 'cards.txt', hardware: ['02:00:00:00:00:01', hardware] }],
          rules: [
            ...OFFICE_RULES,
            rule({ number: 9, action: 'deny', interface: 'vlan1', protocol: 17, list: 'cards' }),
          ],
        })
      apply(denying(address))
      expect(isSilent(ns.lan, 'udp', '203.0.113.7', 9000)).toBe(true)
      expect(ask(ns.lan, 'tcp', '203.0.113.7', 9000)).toContain('203.0.113.1')
      apply(denying('02:00:00:00:00:02'))
      expect(ask(ns.lan, 'udp', '203.0.113.7', 9000)).toMatch(/^203\.0\.113\.1:/)
      apply(firewall())
    })

    test('nobody inside gets a translation on a port that the gateway listens on', () => {
      const answer = ask(ns.lan, 'udp', '203.0.113.7', 4500, 4500)
      expect(answer).toMatch(/^203\.0\.113\.1:/)
      expect(Number(answer.split(':')[1])).toBeGreaterThanOrEqual(8192)
    })

    test('LAN and sessions reach each other untranslated', () => {
      expect(ask(ns.vpn, 'udp', '192.168.8.20', 9000)).toMatch(/^10\.9\.0\.50:/)
      expect(ask(ns.lan, 'udp', '10.9.0.50', 9000)).toMatch(/^192\.168\.8\.20:/)
    })

    test('a connection that is up outlives the table', async () => {
      must(`ip netns exec ${ns.gw} nft -f -`, nftablesDelete('floatgate_test'))
      const script = `
        const c = require('net').connect(22, '203.0.113.1', () => console.log('up'))
        c.on('data', d => console.log(String(d)))
        process.stdin.on('data', d => c.write(d))`
      const child = spawn('ip', ['netns', 'exec', ns.pub, process.execPath, '-e', script])
      servers.push(child)
      const line = () => new Promise<string>(resolve => child.stdout.once('data', d => resolve(String(d))))
      expect(await line()).toContain('up')
      apply(firewall())
      child.stdin.write('still here')
      expect(await line()).toContain('still here')
      expect(isSilent(ns.pub, 'tcp', '203.0.113.1', 22)).toBe(true)
    })

    test('rules open a port forward and a service, and deny goes before allow', () => {
      const tcp = { action: 'allow', interface: 'eth0', protocol: 6 } as const
      apply(
        firewall({
          rules: [
            ...OFFICE_RULES,
            rule({
              ...tcp,
              number: 4,
              ip: one(LAN_HOST),
              port: port(80),
              globalIp: one(OFFICE),
              globalPort: port(8080),
            }),
            rule({ ...tcp, number: 5, ip: one(OFFICE), port: port(22) }),
            rule({
              number: 6,
              action: 'deny',
              interface: 'vlan1',
              protocol: 17,
              port: port(9000),
              remoteIp: one(ipv4('203.0.113.7')),
            }),
          ],
        }),
      )
      expect(ask(ns.pub, 'tcp', '203.0.113.1', 8080)).toBe('203.0.113.7 hello')
      expect(isSilent(ns.pub, 'tcp', '192.168.8.20', 22)).toBe(true)
      expect(ask(ns.pub, 'tcp', '203.0.113.1', 22)).toBe('203.0.113.7 hello')
      expect(isSilent(ns.lan, 'udp', '203.0.113.7', 9000)).toBe(true)
      expect(ask(ns.lan, 'tcp', '203.0.113.7', 9000)).toContain('hello')
    })
  })
}
