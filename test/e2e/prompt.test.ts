/** The prompt of a running gateway: on a terminal of the host, and over SSH from the office's network. */

import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, gatewayLan, gatewayPublic, officeScript } from '../support/plan.ts'

const missing = ['ssh', 'script'].find(program => spawnSync('which', [program]).status !== 0)
const lacking = (await whyNoNetwork()) ?? (missing === undefined ? undefined : `${missing} is not installed`)
if (lacking !== undefined) console.warn(`end-to-end tests of the prompt are left out: ${lacking}`)

const SCRIPT = `${officeScript()}
add user=secoff password=seven-seals privilege=securityofficer login=yes
add ssh user=secoff password=by-word
enable ssh server hostkey=2
`

describe.skipIf(lacking !== undefined)('the prompt of a running gateway', () => {
  const office = new Office()

  beforeAll(async () => {
    await office.raise(['c1'])
    await office.startGateway(SCRIPT)
  })
  afterAll(() => office.remove())

  it('shows the connected client on a terminal', async () => {
    const client = office.dial('c1', accounts.dialin1)
    await client.connected()
    const command = `${project}/bin/vpnctl --socket ${office.socket}`
    const { status, output } = await run(['script', '-qefc', command, '/dev/null'], {
      input: 'show session\rlogoff\r',
    })
    expect(status).toBe(0)
    expect(output).toMatch(/SecOff .*> /)
    expect(output).toContain(accounts.dialin1.address)
    expect(await client.hangUp()).toBe('status 0')
  })

  it('is served over SSH to the private side, and not to the public one', async () => {
    const askpass = `${office.network.directory}/askpass`
    writeFileSync(askpass, '#!/bin/sh\necho by-word\n')
    chmodSync(askpass, 0o700)
    const ssh = (place: string, host: string, seconds: number, ...words: string[]) =>
      run(
        office.network.inside(
          place,
          ...['ssh', '-F', '/dev/null', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'StrictHostKeyChecking=no'],
          ...['-o', `ConnectTimeout=${seconds}`, '-o', 'LogLevel=ERROR', '-o', 'NumberOfPasswordPrompts=1'],
          ...[`secoff@${host}`, ...words],
        ),
        { environment: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' } },
      )
    expect((await ssh('lan', gatewayLan, 30, 'show', 'ssh')).status).toBe(255)
    const made = await office.vpnctl('create', 'enco', 'key=2', 'type=rsa', 'length=2048')
    expect(made.output).toMatch(/^Fingerprint: SHA256:\S+\nInfo \(1039003\): Operation successful\.$/m)
    const inside = await ssh('lan', gatewayLan, 30, 'show', 'ssh')
    expect(inside.output).toContain(`${gatewayLan} port 22`)
    expect(inside.status).toBe(0)
    expect((await ssh('pub', gatewayPublic, 3, 'show', 'ssh')).status).toBe(255)
  })
})
