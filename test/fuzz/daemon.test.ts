/**
 * The running daemon under a storm:
 *
 *   attacker 203.0.113.7 ---- pub0 203.0.113.1 [gateway] lan0 192.168.8.1
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StormReport } from './daemon-storm.ts'
import { FUZZ_TIMEOUT } from './random.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tag = `ffz${process.pid}`
const gateway = `${tag}g`
const attacker = `${tag}a`

const SCRIPT = `
create enco key=1 type=general value=a-key-for-the-storm
add user=dialin1 password=friend1 login=no
create ppp template=1 bap=off ippool="pool" authentication=chap echo=30 lqr=off
enable l2tp
enable l2tp server=both
add l2tp ip=1.1.1.1-255.255.255.254 pptemplate=1
enable ip
add ip int=vlan1 ip=192.168.8.1
add ip int=eth0 ip=203.0.113.1 mask=255.255.255.0
create ip pool=pool ip=192.168.8.100-192.168.8.199
create ipsec sas=1 key=isakmp protocol=esp encalg=aes256 hashalg=sha mode=transport
create ipsec sas=2 key=isakmp protocol=esp encalg=3desouter hashalg=sha mode=transport
create ipsec bundle=1 key=isakmp string="1 or 2"
create ipsec policy="isakmp" int=eth0 ac=permit
set ipsec policy="isakmp" lp=500
create ipsec policy="isakmp_float" int=eth0 action=permit
set ipsec policy="isakmp_float" lport=4500
create ipsec policy="roaming" int=eth0 action=ipsec key=isakmp bundlespecification=1 isakmppolicy="roaming" peer=any
set ipsec policy="roaming" transport=udp lport=1701
create ipsec policy="internet" int=eth0 action=permit
enable ipsec
create isakmp policy="roaming" peer=any key=1
set isakmp policy="roaming" senddeletes=true localid=local natt=on
enable isakmp
`

function run(...command: string[]) {
  const [program, ...args] = command
  return spawnSync(program!, args, { encoding: 'utf8', timeout: 60_000, cwd: root })
}

function must(command: string): void {
  const r = run(...command.split(' '))
  if (r.status !== 0) throw new Error(`${command}: ${r.stderr || r.error?.message}`)
}

/** Why this host cannot run the test, or undefined. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  if (!existsSync('/dev/net/tun')) return 'no /dev/net/tun'
  const made = run('ip', 'netns', 'add', `${tag}x`)
  if (made.status !== 0) return `no network namespaces: ${made.error?.message ?? made.stderr.trim()}`
  run('ip', 'netns', 'del', `${tag}x`)
  return undefined
}

const why = obstacle()
if (why) process.stderr.write(`the storm on the daemon is skipped: ${why}\n`)

describe.skipIf(why !== undefined)('the daemon in a storm', () => {
  const directory = mkdtempSync(join(tmpdir(), 'floatgate-storm-'))
  const socket = join(directory, 'ctl.sock')
  let daemon: ChildProcess | undefined
  let log = ''

  /** A program inside a namespace, to its end. */
  function inside(space: string, ...command: string[]) {
    return run('ip', 'netns', 'exec', space, ...command)
  }

  function counters(): Record<string, Record<string, number>> {
    const r = run(join(root, 'bin/vpnctl'), '--json', '--socket', socket, 'show', 'counter')
    if (r.status !== 0) throw new Error(`show counter: ${r.stderr}`)
    return JSON.parse(r.stdout)
  }

  /** Resident memory in MiB. */
  function memory(): number {
    const status = readFileSync(`/proc/${daemon!.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  }

  beforeAll(async () => {
    if (!existsSync(join(root, 'dist/test/fuzz/daemon-storm.js'))) throw new Error('run "npm run build:ts" first')
    for (const space of [gateway, attacker]) {
      must(`ip netns add ${space}`)
      must(`ip -n ${space} link set lo up`)
    }
    must(`ip -n ${gateway} link add pub0 type veth peer name pub1 netns ${attacker}`)
    must(`ip -n ${gateway} link add lan0 type veth peer name lan1 netns ${attacker}`)
    must(`ip -n ${gateway} addr add 203.0.113.1/24 dev pub0`)
    must(`ip -n ${gateway} addr add 192.168.8.1/24 dev lan0`)
    must(`ip -n ${gateway} link set pub0 up`)
    must(`ip -n ${gateway} link set lan0 up`)
    must(`ip -n ${attacker} addr add 203.0.113.7/24 dev pub1`)
    must(`ip -n ${attacker} link set pub1 up`)
    writeFileSync(join(directory, 'gw.cfg'), SCRIPT)
    writeFileSync(join(directory, 'site.json'), JSON.stringify({ interfaces: { eth0: 'pub0', vlan1: 'lan0' } }))
    const args = ['netns', 'exec', gateway, join(root, 'bin/floatgated'), '--config', join(directory, 'gw.cfg')]
    args.push('--site', join(directory, 'site.json'), '--state', join(directory, 'state'), '--socket', socket)
    // ip and the shell replace themselves, so that the child is the daemon itself.
    const child = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    daemon = child
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', data => {
        log = (log + data).slice(-200_000)
        if (log.includes('floatgate: ready')) resolve()
      })
      child.on('exit', code => reject(new Error(`the daemon ended with ${code}: ${log}`)))
    })
  })

  afterAll(() => {
    daemon?.kill('SIGKILL')
    for (const space of [gateway, attacker]) run('ip', 'netns', 'del', space)
    rmSync(directory, { recursive: true, force: true })
  })

  it('serves genuine clients, counts what it refuses, and grows no larger', { timeout: FUZZ_TIMEOUT }, () => {
    const rounds =
      process.env['FUZZ_SECONDS'] === undefined ? 1 : 1 + Math.floor(Number(process.env['FUZZ_SECONDS']) / 15)
    const before = memory()
    for (let round = 1; round <= rounds; round++) {
      const program = join(root, 'dist/test/fuzz/daemon-storm.js')
      const r = inside(attacker, process.execPath, program, '203.0.113.1', 'a-key-for-the-storm', '20000', `${round}`)
      expect(r.stderr).toBe('')
      const report = JSON.parse(r.stdout) as StormReport
      expect([report.sent, report.raw]).toEqual([20_000, 5000])
      for (const c of report.connected) expect(c.millis, JSON.stringify(report.connected)).toBeDefined()
      // Nobody can use the gateway to multiply what he sends.
      expect(report.bytesBack).toBeLessThan(report.bytesSent)
    }

    expect(daemon!.exitCode).toBeNull()
    const c = counters()
    expect(c['gateway']!['bugs']).toBe(0)
    const ike = c['ike']!
    for (const reason of [
      'short-datagram',
      'length-mismatch',
      'version',
      'malformed',
      'unknown-cookie',
      'unexpected-payload',
    ])
      expect(ike[reason], reason).toBeGreaterThan(0)
    expect(ike['received']).toBeGreaterThan(5000)
    const data = c['data']!
    for (const reason of ['dropUnknownSpi', 'dropTruncated']) expect(data[reason], reason).toBeGreaterThan(0)
    expect(c['sockets']!['noMarker']).toBeGreaterThan(0)
    // A zero SPI is the marker of IKE in UDP alone.
    expect(data['puntIke']).toBe(0)
    expect(memory() - before).toBeLessThan(150)
    // What is limited in the log is counted still.
    expect(log.split('\n').length).toBeLessThan(20_000)
  })

  it('tells of each failed client in a plain line, and goes down cleanly', async () => {
    const r = run(join(root, 'bin/vpnctl'), '--socket', socket, 'show', 'attempt')
    expect(r.status).toBe(0)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested.
    expect(r.stdout).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(r.stdout.split('\n').every(line => line.length < 2000)).toBe(true)
    const child = daemon!
    child.removeAllListeners('exit')
    const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})
