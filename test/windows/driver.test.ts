/** The driver of Windows images against a real gateway: its scenarios, its agent, and the simulated client behind that. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Stage } from '../interop/expectations.ts'
import type { Gateway } from '../interop/gateway.ts'
import { type SwitchOn, WindowsClient } from '../interop/windows-client.ts'
import type { Image } from '../interop/windows-images.ts'
import { phonebook, settingsFile } from '../interop/windows-phonebook.ts'
import { compileForLinux } from '../interop/windows-program.ts'
import { windowsScenarios } from '../interop/windows-scenarios.ts'
import { versions } from '../interop/windows-versions.ts'
import { Daemon, which } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { gatewayPublic, preSharedKey } from '../support/plan.ts'

const lacking = (await whyNoNetwork()) ?? ((await which('ping')) ? undefined : 'the program ping is missing')
if (lacking !== undefined) console.warn(`the driver of Windows images is left out: ${lacking}`)

const image: Image = {
  name: 'pretender',
  path: 'a namespace',
  version: versions.xp,
  way: 'phonebook',
  login: 'psk',
  medium: 'floppy',
  memoryMegabytes: 1,
  processors: 1,
  bootSeconds: 20,
  rekey: 30,
  qemu: [],
}

describe.skipIf(lacking !== undefined)('a guest that plays Windows', () => {
  const office = new Office()
  const guests: Daemon[] = []
  let pretended = '5.1.2600'

  /** A process in the place's namespace instead of a machine: the agent's line is a socket. */
  const switchOn: SwitchOn = async place => {
    const directory = `${office.network.directory}/pretender-${guests.length}`
    mkdirSync(directory)
    writeFileSync(`${directory}/RASPHONE.PBK`, phonebook(gatewayPublic, true, image))
    writeFileSync(`${directory}/SETTINGS.INI`, settingsFile(gatewayPublic, preSharedKey, image))
    const client = `${process.execPath} ${project}/dist/test/support/client-main.js --server ${gatewayPublic}`
    const environment = [
      ...[`FG_GUEST=${project}/test/windows/namespace-guest`, `FG_DIRECTORY=${directory}`],
      ...[`FG_CLIENT=${client}`, `FG_PRETEND=${pretended}`],
    ]
    const argv = ['env', ...environment, `${office.network.directory}/agent`, 'fd:3', `${directory}/`]
    const inside = office.network.inside(place === 'nat' ? 'c1' : 'c3', ...argv)
    const daemon = new Daemon('pretender', inside, `${directory}/agent.log`, true)
    guests.push(daemon)
    const line = daemon.child.stdio[3] as Duplex
    line.setEncoding('latin1')
    line.on('error', () => undefined)
    return {
      kind: 'a namespace',
      get alive() {
        return daemon.alive
      },
      wire: { write: text => void line.write(text, 'latin1'), listen: take => void line.on('data', take) },
      cutPower: () => daemon.stop(),
    }
  }

  let floatgated: Daemon
  const gateway: Gateway = {
    name: 'floatgated',
    get alive() {
      return floatgated.alive
    },
    start: async () => undefined,
    stop: async () => undefined,
    cutPower: async () => undefined,
    log: async () => readFileSync(floatgated.logFile, 'utf8'),
    show: what => office.show(what),
  }
  const stage = { gateway } as unknown as Stage
  const client = new WindowsClient(image, `${tmpdir()}/floatgate-pretender`, switchOn)
  const scenarios = windowsScenarios('pretender', 'psk', 'a namespace', async () => client)
  const play = async (name: string) => await scenarios.find(s => s.name === `pretender-${name}`)!.play(stage)

  beforeAll(async () => {
    await office.raise()
    await compileForLinux(`${office.network.directory}/agent`)
    floatgated = await office.startGateway()
  })
  afterAll(async () => {
    for (const guest of guests) await guest.stop()
    await office.remove()
  })

  it('connects, pings, fetches and hangs up', async () => {
    expect(await play('visit')).toMatch(/linux 5\.1\.2600 on a namespace, .*; up [\d.]+ s, 192\.168\.8\.50, ping /)
  })

  it('has RAS errors that stand beside the verdicts of the gateway', async () => {
    expect(await play('wrong-password')).toMatch(/^RAS 691: user name or password is wrong, .* verdict: .*password/)
    expect(await play('wrong-key')).toMatch(/^RAS 789: IKE failed.* verdict: .*pre-shared key/)
  })

  it('renews its quick mode under pings', async () => {
    expect(await play('rekey')).toMatch(/^quick mode renewed after \d+ s, 0 pings lost/)
  })

  it('comes back after its plug was pulled', async () => {
    expect(await play('power-cut')).toMatch(/after the cut [\d.]+ s/)
  })

  it('moves to the segment without NAT', async () => {
    expect(await play('bare')).toContain('192.168.8.50')
  })

  it('fails its scenario with both sides in words, is switched off, and starts anew for the next', async () => {
    const before = guests.length
    await client.configure('another key')
    await expect(play('bare')).rejects.toThrow(
      /no connection after .* RAS 789: .*; the gateway says: .*pre-shared key.*\nthe guest's logs: /s,
    )
    expect(guests.at(-1)!.alive).toBe(false)
    expect(await play('bare')).toContain('192.168.8.50')
    expect(guests.length).toBe(before + 1)
  })

  it('is refused when it is another Windows than was said', async () => {
    await client.cutPower()
    pretended = '6.1.7601'
    await expect(play('visit')).rejects.toThrow('a namespace is not Windows xp: it says version 6.1.7601')
  })
})
