import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import forge from 'node-forge'
import { expect, it } from 'vitest'
import type { CertificateState } from '../../src/alliedware/show/certificate.ts'
import type { AdminAnswer } from '../../src/gateway/caller.ts'
import { decoded } from '../../src/gateway/certificates.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { Log } from '../../src/gateway/log.ts'
import { Pki } from '../../src/gateway/pki.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { rsaClient } from '../support/authority.ts'
import { windowsXp } from '../support/profiles.ts'
import { commandWorld } from './command-world.ts'
import { temporaryDirectory } from './fakes.ts'
import { OFFICE, World } from './world.ts'

function setUp() {
  const world = new World({ script: `${OFFICE}set isakmp policy=roaming1 authtype=rsasig\n` })
  const { wall } = world.control.world
  const pki = new Pki(temporaryDirectory(), wall)
  Object.assign(world.control.world, { credentials: () => pki.credentials })
  const lines: string[] = []
  const commands = commandWorld(world, {
    pki,
    serverAddress: () => '203.0.113.1',
    log: new Log(line => lines.push(line)),
  })
  const type = (text: string): Promise<AdminAnswer> => carryOut(commands, text, { uid: 0, pid: 4711 })
  return { world, type, lines, pki }
}

/** A Windows XP into which the file was imported. */
function guestWith(world: World, path: string, password: string, port: number) {
  const file = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(readFileSync(path, 'latin1')), password)
  const bag = (type: string) => file.getBags({ bagType: type })[type]![0]!
  const certificate = decoded(bag(forge.pki.oids['certBag']!).cert!)
  const key = createPrivateKey(forge.pki.privateKeyToPem(bag(forge.pki.oids['pkcs8ShroudedKeyBag']!).key!))
  return world.guest({
    profile: { ...windowsXp, ike: { ...windowsXp.ike, rsa: rsaClient({ certificate, key }) } },
    user: 'anna',
    password: 'apples',
    address: ipv4('10.1.0.11'),
    outer: ipv4('203.0.113.101'),
    ports: { 500: port, 4500: port + 1 },
  })
}

const fileOf = (a: AdminAnswer) => /are in (\S+\.p12)/.exec(a.text)![1]!

it('a client connects with the file that CREATE CERTIFICATE made, until DESTROY CERTIFICATE', async () => {
  const { world, type, lines } = setUp()
  expect(await type('create certificate user=anna')).toMatchObject({
    exit: 1,
    text: expect.stringContaining('CREATE CA'),
  })
  expect((await type('create ca name="Example VPN"')).text).toContain('for 203.0.113.1')
  const made = await type('create certificate user=anna password="long enough"')
  expect(made).toMatchObject({ exit: 0, text: expect.stringContaining('Computer account') })
  expect(made.text).not.toContain('long enough')

  const guest = guestWith(world, fileOf(made), 'long enough', 31_001)
  world.connect(guest)
  expect(guest.client.phase).toBe('up')
  expect(guest.innerAddress).toBe('192.168.8.100')
  expect([...world.control.peers.all.values()].map(p => p.identity)).toEqual(['CN=anna, O=Example VPN'])

  const shown = await type('sh cert')
  expect(shown.data as CertificateState).toMatchObject({
    authorities: [{ name: 'CN=Example VPN' }],
    server: { name: 'CN=203.0.113.1, O=Example VPN', calledAs: ['203.0.113.1'] },
    clients: [{ user: 'anna', state: 'good' }],
    issuing: true,
  })
  expect(shown.text).toMatch(/anna +good +20\d\d-\d\d-\d\d/)

  expect((await type('destroy certificate user=anna')).text).toContain('Revoked 1 of "anna"; 1 connected')
  expect([...world.control.peers.all.keys()]).toEqual([])
  const again = guestWith(world, fileOf(made), 'long enough', 32_001)
  world.connect(again, 5000)
  expect(again.client.phase).not.toBe('up')
  expect(world.attempts.at(-1)).toMatchObject({
    outcome: 'failed',
    text: expect.stringContaining('"CN=anna, O=Example VPN", serial number'),
    remedy: expect.stringContaining('CREATE CERTIFICATE'),
  })
  expect((await type('show certificate user=anna')).text).toContain('revoked')
  expect(await type('destroy certificate user=anna')).toMatchObject({ exit: 1 })
  expect(lines.join('\n')).toContain('Certificates changed: destroy certificate user=anna')
})

it('a password that nobody gave is made, and told once', async () => {
  const { world, type, lines } = setUp()
  await type('create ca')
  const made = await type('create certificate user=anna')
  const password = /password is (\S+)/.exec(made.text)![1]!
  expect(password).toMatch(/^[a-z2-9]{12}$/)
  expect(lines.join('\n')).not.toContain(password)
  const guest = guestWith(world, fileOf(made), password, 31_001)
  world.connect(guest)
  expect(guest.client.phase).toBe('up')
})

it('the gateway is called as clients dial it', async () => {
  const { type, pki } = setUp()
  await type('create ca server=vpn.example.org')
  expect(pki.credentials!.chain[0]!.name).toBe('CN=vpn.example.org, O=Floatgate VPN')
  await type('create certificate server=198.51.100.9')
  expect(pki.credentials!.chain[0]!.name).toBe('CN=198.51.100.9, O=Floatgate VPN')
  await type('create certificate server')
  expect(pki.credentials!.chain[0]!.name).toBe('CN=203.0.113.1, O=Floatgate VPN')
  expect(await type('create ca')).toMatchObject({ exit: 1 })
  expect(await type('create certificate')).toMatchObject({ exit: 2 })
})

it('a LOCALID that our certificate does not bear is told, with the names that it has', async () => {
  const { world, type, pki } = setUp()
  await type('create ca server=vpn.example.org')
  const oddities = (localId: string | undefined) => {
    const { configuration: c } = world.control
    const policies = c.isakmp.policies.map(p => ({ ...p, localId }))
    return pki.oddities({ ...c, isakmp: { ...c.isakmp, policies } })
  }
  for (const fine of [undefined, 'VPN.example.org', '203.0.113.1']) expect(oddities(fine)).toEqual([])
  expect(oddities('local')).toEqual([
    'LOCALID "local" of ISAKMP policy "roaming1" is not in our certificate (vpn.example.org), so clients may refuse us: leave it out, or make one that has it',
  ])
  // A user's name is another kind of name than a host's.
  expect(oddities('vpn@example.org')).toHaveLength(1)
})

it('a gateway without certificates says so to the operator, before and after a client comes', async () => {
  const { world, type, pki } = setUp()
  expect(pki.oddities(world.control.configuration)).toEqual([
    'ISAKMP policy "roaming1" wants certificates: CREATE CA makes them',
  ])
  expect((await type('show certificate')).text).toContain('CREATE CA makes one')
  await type('create ca')
  expect(pki.oddities(world.control.configuration)).toEqual([])
})
