/** A scenario of logins by certificate, with the authority that the gateway keeps itself. */
import { must } from '../support/command.ts'
import { officeScript } from '../support/plan.ts'
import { aes128, type Certificate } from './client.ts'
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
  }
}

/** A certificate of the gateway's making lets the client in, behind NAT and without; a revoked one does not. */
async function certificate({ c1, c3, gateway }: Stage): Promise<string> {
  const command = gateway.command
  expect(command !== undefined, 'the gateway takes no commands')
  await command('create', 'ca')
  const password = 'Packed 4 travel'.replaceAll(' ', '-')
  const told = await command('create', 'certificate', 'user=dialin1', `password=${password}`)
  const file = /(\/\S+\.p12)/.exec(told)?.[1]
  expect(file !== undefined, `no file was made: ${told}`)
  const credentials = { ...aes128, certificate: await unpack(file, password) }

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
  await command('destroy', 'certificate', 'user=dialin1')
  const refusal = await expectRefusal(c1, 'ike', { ...credentials, ikePatienceSeconds: 6 })
  const verdict = await expectVerdict(gateway, seen, /revoked/i)
  return `${ups.join(', ')}; revoked: gave up after ${refusal.seconds} s; verdict: ${verdict}`
}

export const certificateScenarios: readonly Scenario[] = [
  {
    name: 'certificate',
    about: 'login by certificate with and without NAT; then the certificate is revoked',
    play: certificate,
    // Without LOCALID: the gateway is then who its certificate says, and strongSwan takes no other name.
    variant: { script: officeScript().replace('localid=local', 'authtype=rsasig') },
    beyondReference: 'it is set up for a pre-shared key',
  },
]
