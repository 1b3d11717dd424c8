/** CAPTURE over a live gateway: whose packets are in it, how it ends, who may, and that Wireshark reads it by its tables. */

import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { privilegeFor } from '../../src/alliedware/privilege.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { Reader } from '../../src/packet/reader.ts'
import { must, which } from '../support/command.ts'
import { espProposal } from '../support/offers.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld } from './command-world.ts'
import { temporaryDirectory } from './fakes.ts'
import { anna, type Guest, type GuestOptions, LAN_HOST, OFFICE, ping, World } from './world.ts'

const ben: GuestOptions = { ...anna, user: 'ben', password: 'bananas', ports: { 500: 32_001, 4500: 32_002 } }
const carl: GuestOptions = { profile: windows10, user: 'carl', password: 'cherries', address: ipv4('203.0.113.50') }

/** It offers AES-GCM alone. */
const dora: GuestOptions = {
  ...carl,
  address: ipv4('203.0.113.51'),
  profile: {
    ...windows10,
    quickProposals: (spi, _, mode) => [espProposal(1, spi, { cipher: 'aesgcm256', integrity: 'gcm' }, mode)],
  },
}
const script = OFFICE.replace('encalg=aes256 hashalg=sha ', 'encalg=aesgcm256 ')

const ROOT = { uid: 0, pid: 1, from: 'vpnctl (uid 0)' }

function setUp(options?: ConstructorParameters<typeof World>[0]) {
  const world = new World(options)
  const captures = join(temporaryDirectory(), 'captures')
  const commands = commandWorld(world, { captures })
  const type = (text: string, caller: Parameters<typeof carryOut>[2] = ROOT) => carryOut(commands, text, caller)
  return { world, type, captures }
}

function pings(world: World, guest: Guest, count: number): void {
  for (let i = 0; i < count; i++) {
    world.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    world.fromLan(ping(LAN_HOST, guest.client.address, true))
  }
}

/** The file of a capture that is over, once its last byte is written: it is closed then. */
async function written(path: string): Promise<Uint8Array> {
  const descriptors = '/proc/self/fd'
  const isOpen = () => readdirSync(descriptors).some(fd => linkAt(join(descriptors, fd)) === realpathSync(path))
  await expect.poll(isOpen).toBe(false)
  return readFileSync(path)
}

/** Where it leads; nowhere where it is gone by now. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** Interface, source and destination of each packet. */
function packets(capture: Uint8Array): { inner: boolean; source: string; destination: string; protocol: number }[] {
  const r = new Reader(capture)
  const found = []
  while (r.left > 0) {
    const type = r.u32()
    const body = new Reader(r.copy(r.u32() - 12))
    r.u32()
    if (type !== 6) continue
    const inner = body.u32() === 1
    body.copy(8)
    const length = body.u32()
    body.u32()
    const ip = body.copy(length)
    const view = new DataView(ip.buffer, ip.byteOffset)
    found.push({
      inner,
      source: formatIpv4(view.getUint32(12)),
      destination: formatIpv4(view.getUint32(16)),
      protocol: ip[9]!,
    })
  }
  return found
}

describe('CAPTURE', () => {
  it('has the packets of one user, outside and inside, and nobody else’s', async () => {
    const { world, type, captures } = setUp()
    const [first, second] = [world.guest(anna), world.guest(carl)]
    world.connect(first)
    world.connect(second)
    const answer = await type('capture user=anna file=anna.pcapng seconds=10')
    expect(answer.exit, answer.text).toBe(0)
    pings(world, first, 4)
    pings(world, second, 4)
    world.advance(11_000)
    const path = join(captures, 'anna.pcapng')
    const all = packets(await written(path))
    const inner = all.filter(p => p.inner)
    expect(inner.map(p => p.source)).toEqual(
      Array.from({ length: 4 }, () => [first.innerAddress, formatIpv4(LAN_HOST)]).flat(),
    )
    const outer = all.filter(p => !p.inner)
    expect(outer.length).toBeGreaterThanOrEqual(8)
    for (const p of outer) expect([p.source, p.destination]).toContain('203.0.113.101')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(existsSync(`${path}.esp_sa`)).toBe(false)
    expect(world.log.some(line => line.includes('Capture of user anna') && line.includes('uid 0'))).toBe(true)
    expect(world.log.some(line => line.includes('10 seconds are over'))).toBe(true)
    // Nothing is copied any more.
    pings(world, first, 1)
    expect(packets(await written(path))).toHaveLength(all.length)
  })

  it('of one second says so', async () => {
    const { world, type } = setUp()
    world.connect(world.guest(anna))
    expect((await type('capture user=anna file=short.pcapng seconds=1')).exit).toBe(0)
    world.advance(2000)
    expect(world.log.filter(line => line.includes('over')).map(line => /the .* over/.exec(line)?.[0])).toEqual([
      'the second is over',
    ])
  })

  it('ends when it is full, or when it is told to, and there is one at a time', async () => {
    const { world, type, captures } = setUp()
    const guest = world.guest(anna)
    world.connect(guest)
    expect((await type('disable capture')).exit).toBe(1)
    expect((await type('capture user=anna file=one.pcapng megabytes=1 seconds=3600')).exit).toBe(0)
    expect((await type('capture user=anna file=two.pcapng')).text).toContain('under way')
    pings(world, guest, 4000)
    expect(world.log.some(line => line.includes('the file is full'))).toBe(true)
    expect((await written(join(captures, 'one.pcapng'))).length).toBeLessThanOrEqual(1_000_000)
    expect((await type('capture session=1 file=three.pcapng')).exit).toBe(0)
    expect((await type('disable capture')).exit).toBe(0)
    expect(world.log.some(line => line.includes('ended by uid 0'))).toBe(true)
  })

  it('follows a client from its first datagram, and ends with whoever asked', async () => {
    const { world, type, captures } = setUp()
    const { follow } = await type('capture peer=203.0.113.101 file=peer.pcapng keys=yes')
    const heard: string[] = []
    let done = false
    const stop = follow!.start(
      text => heard.push(text) > 0,
      () => {
        done = true
      },
    )
    const guest = world.guest(anna)
    world.connect(guest)
    pings(world, guest, 4)
    stop()
    expect(heard).toHaveLength(1)
    expect(heard[0]).toMatch(/^Capture ended: \d+ packets, \d+ bytes: ended by uid 0/)
    expect(done).toBe(true)
    const path = join(captures, 'peer.pcapng')
    const all = packets(await written(path))
    expect(all[0]).toEqual({ inner: false, source: '203.0.113.101', destination: '203.0.113.1', protocol: 17 })
    expect(all.filter(p => p.inner)).toHaveLength(8)
    const ike = readFileSync(`${path}.ikev1_decryption_table`, 'utf8')
    const esp = readFileSync(`${path}.esp_sa`, 'utf8')
    expect(ike).toMatch(/^[0-9a-f]{16},[0-9a-f]{48}\n$/)
    expect(esp.trim().split('\n')).toHaveLength(2)
    expect(esp).toContain('"TripleDES-CBC [RFC2451]"')
    for (const table of ['ikev1_decryption_table', 'esp_sa'])
      expect(statSync(`${path}.${table}`).mode & 0o777).toBe(0o600)
  })

  it('is for security officers, and only root on the host chooses the directory', async () => {
    const { world, type, captures } = setUp()
    world.connect(world.guest(anna))
    const parsed = parseCommand('capture user=anna file=x.pcapng')
    expect(parsed.kind === 'command' && privilegeFor(parsed.command, false)).toBe('securityofficer')
    const officer = { uid: 0, pid: 1, user: 'secoff', from: 'ssh 192.0.2.9' }
    const elsewhere = join(temporaryDirectory(), 'x.pcapng')
    expect((await type(`capture user=anna file=${elsewhere}`, officer)).exit).toBe(1)
    for (const file of ['../x', '.hidden', 'a/b']) expect((await type(`capture user=anna file=${file}`)).exit).toBe(1)
    expect((await type('capture file=x.pcapng')).exit).toBe(1)
    expect((await type('capture user=anna session=1 file=x.pcapng')).exit).toBe(1)
    expect((await type('capture user=anna file=x.pcapng', officer)).exit).toBe(0)
    expect((await type('disable capture', officer)).exit).toBe(0)
    expect((await type('capture user=anna file=x.pcapng', officer)).text).toContain('exists already')
    writeFileSync(elsewhere, 'something')
    expect((await type(`capture user=anna file=${elsewhere}`)).text).toContain('exists already')
    expect(existsSync(join(captures, 'x.pcapng'))).toBe(true)
  })

  const noWireshark = which('tshark').then(path => path === undefined)

  it('is read by Wireshark with its tables: ESP opens, L2TP and the pings are seen', async ({ skip }) => {
    if (await noWireshark) {
      console.warn('the capture is not read by an independent program: there is no tshark on this host')
      skip()
    }
    const { world, type, captures } = setUp({ script })
    for (const who of [ben, carl, dora]) {
      const address = formatIpv4(who.outer ?? who.address)
      await type(`capture peer=${address} file=${address}.pcapng keys=yes`)
      const guest = world.guest(who)
      world.connect(guest)
      pings(world, guest, 4)
      await type('disable capture')
      const path = join(captures, `${address}.pcapng`)
      await written(path)
      const rows = (file: string) => readFileSync(`${path}.${file}`, 'utf8').trim().split('\n')
      const tables = [
        ...rows('ikev1_decryption_table').map(row => `uat:ikev1_decryption_table:${row}`),
        ...rows('esp_sa').map(row => `uat:esp_sa:${row}`),
        'esp.enable_encryption_decode:TRUE',
        'esp.enable_authentication_check:TRUE',
      ].flatMap(o => ['-o', o])
      const fields = ['frame.interface_name', 'frame.protocols', 'isakmp.exchangetype', 'isakmp.hash', 'esp.icv_good']
      const output = await must([
        'tshark',
        '-n',
        '-r',
        path,
        ...tables,
        '-T',
        'fields',
        ...fields.flatMap(f => ['-e', f]),
      ])
      const seen = output
        .split('\n')
        .map(line => line.split('\t'))
        .filter(row => row.length === fields.length)
      const inner = seen.filter(([name]) => name === 'inner')
      expect(inner).toHaveLength(8)
      for (const [, protocols] of inner) expect(protocols).toMatch(/ip:icmp/)
      const esp = seen.filter(([, protocols]) => protocols!.includes('esp'))
      expect(esp.length).toBeGreaterThan(20)
      for (const [, protocols, , , good] of esp) {
        expect(protocols).toContain('l2tp')
        expect(good).toMatch(/^(1|True)$/)
      }
      const quick = seen.filter(([, , exchange]) => exchange === '32')
      expect(quick.length).toBeGreaterThanOrEqual(3)
      for (const [, , , hash] of quick) expect(hash).not.toBe('')
    }
  })
})
