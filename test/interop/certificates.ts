/** A scenario of logins by certificate, with the authority that the gateway keeps itself. */
import { readFileSync } from 'node:fs'
import { must } from '../support/command.ts'
import { officeScript } from '../support/plan.ts'
import type { Connection } from './client.ts'
import {
  expect,
  expectPings,
  expectRefusal,
  expectSessions,
  expectVerdict,
  newestAttempt,
  type Scenario,
  type Stage,
  up,
} from './expectations.ts'
import { requireProgram } from './rootfs.ts'
import { aes128, type Certificate } from './settings.ts'

/** The PKCS #12 file's parts as the client takes them. */
async function unpack(file: string, password: string): Promise<Certificate> {
  await requireProgram('openssl', 'openssl', line => process.stderr.write(`interop: ${line}\n`))
  const part = (...options: string[]) =>
    must(['openssl', 'pkcs12', '-legacy', '-in', file, '-passin', `pass:${password}`, '-nodes', ...options])
  const pem = (text: string) => text.slice(text.indexOf('-----BEGIN')).trim()
  return {
    authority: pem(await part('-cacerts', '-nokeys')),
    own: pem(await part('-clcerts', '-nokeys')),
    key: pem(await part('-nocerts')),
    pkcs12: readFileSync(file, 'base64'),
    password,
  }
}

/** What a client logs in with: a certificate of the gateway's making, under the authority that it keeps itself. */
async function issued({ gateway }: Stage) {
  const command = gateway.command
  expect(command !== undefined, 'the gateway takes no commands')
  await command('create', 'ca').catch(error => {
    if (!String(error).includes('there already')) throw error
  })
  const password = 'Packed-4-travel'
  const told = await command('create', 'certificate', 'user=dialin1', `password=${password}`)
  const file = /(\/\S+\.p12)/.exec(told)?.[1]
  expect(file !== undefined, `no file was made: ${told}`)
  const credentials = { ...aes128, certificate: await unpack(file, password) }
  return { credentials, revoke: () => command('destroy', 'certificate', 'user=dialin1') }
}

/** A certificate of the gateway's making lets the client in, behind NAT and without; a revoked one does not. */
async function certificate(stage: Stage): Promise<string> {
  const { c1, c3, gateway } = stage
  const { credentials, revoke } = await issued(stage)

  const ups: string[] = []
  for (const client of [c1, c3]) {
    const connection = await client.connect(credentials)
    await expectPings(client)
    await expectSessions(gateway, 'dialin1')
    expect(await client.disconnect(), `${client.name} could not leave cleanly`)
    await expectSessions(gateway)
    ups.push(up(connection))
  }

  const seen = await newestAttempt(gateway)
  await revoke()
  const refusal = await expectRefusal(c1, 'ike', { ...credentials, ikePatienceSeconds: 6 })
  const verdict = await expectVerdict(gateway, seen, /revoked/i)
  return `${ups.join(', ')}; revoked: gave up after ${refusal.seconds} s; verdict: ${verdict}`
}

/** How many IP packets were put together from fragments, by what `cat /proc/net/snmp` prints. */
function reassembled(snmp: string): number {
  const [names, values] = snmp.split('\n').filter(line => line.startsWith('Ip: '))
  const column = names!.split(' ').indexOf('ReasmOKs')
  return Number(values!.split(' ')[column])
}

/** Long messages cross a narrow network both ways: in IKE's own fragments, then in IP's. */
async function longMessages(stage: Stage): Promise<string> {
  const { world, c1, gateway } = stage
  const { credentials, revoke } = await issued(stage)
  const ikeFragments = async () =>
    Number(/\bfragment +(\d+)/.exec((await gateway.command?.('show', 'counter')) ?? '')?.[1] ?? 0)
  const before = await ikeFragments()
  const first = await c1.connect({ ...credentials, fragments: 'small' })
  const came = (await ikeFragments()) - before
  const went = await c1.logged(c1.daemon.fragmentTaken)
  await expectPings(c1)
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  expect(came >= 2 && went >= 2, `${came} IKE fragments came to the gateway, ${went} to the client`)

  const snmp = async () => [
    reassembled(await must(world.network.inside('gw', 'cat', '/proc/net/snmp'))),
    reassembled(await c1.must('cat /proc/net/snmp')),
  ]
  const [atGateway, atClient] = (await snmp()) as [number, number]
  const mtu = (size: number) =>
    Promise.all([world.network.ip('gw', `link set pub0 mtu ${size}`), c1.must(`ip link set vec0 mtu ${size}`)])
  let second: Connection
  try {
    await mtu(700)
    second = await c1.connect({ ...credentials, fragments: 'none' })
    await expectPings(c1)
    expect(await c1.disconnect(), 'the client could not leave cleanly')
  } finally {
    await mtu(1500)
  }
  const [toGateway, toClient] = (await snmp()) as [number, number]
  expect(toGateway > atGateway, 'no IP fragments came to the gateway')
  expect(toClient > atClient, 'no IP fragments came to the client')
  await revoke()
  return `${came} IKE fragments came, ${went} went, ${up(first)}; in IP fragments ${up(second)}`
}

// Without LOCALID: the gateway is then who its certificate says, and the clients take no other name.
const variant = { script: officeScript().replace('localid=local', 'authtype=rsasig') }

export const certificateScenarios: readonly Scenario[] = [
  {
    name: 'certificate',
    about: 'login by certificate with and without NAT; then the certificate is revoked',
    play: certificate,
    variant,
    beyondReference: 'it is set up for a pre-shared key',
  },
  {
    name: 'long-messages',
    about: 'certificates in IKE fragments of 600 bytes, then in IP fragments, both ways',
    play: longMessages,
    variant,
    beyondReference: 'it is set up for a pre-shared key',
  },
]
