import { createConnection } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AdminAnswer } from '../../src/gateway/caller.ts'
import { Log } from '../../src/gateway/log.ts'
import { Management } from '../../src/gateway/management.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { EMPTY_SITE } from '../../src/gateway/site.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { temporaryDirectory } from './fakes.ts'
import { World } from './world.ts'

/** A managed gateway in memory, whose host has the oddities that the test says; asked by its control socket. */
async function managed(told: readonly string[]) {
  const world = new World()
  const host = { oddities: [...told] }
  const socket = join(temporaryDirectory(), 'ctl.sock')
  const management = new Management({
    socket,
    native: loadNative(),
    commands: {
      control: world.control,
      secrets: world.secrets,
      log: new Log(() => undefined),
      system: () => {
        throw new Error('not asked for in these tests')
      },
      moreCounters: () => ({}),
      configure: async configuration => {
        world.control.configure(configuration)
        return host.oddities
      },
    },
    now: () => 0,
    wall: () => new Date(0),
    uid: process.getuid!(),
    told,
    current: () => ({
      devices: {
        byName: {},
        addresses: [],
        privateDevices: [],
        publicDevices: [],
        localAddress: ipv4('192.168.8.1'),
        sessionBlocks: [],
        warnings: [],
      },
      site: EMPTY_SITE,
    }),
  })
  expect(await management.start()).toEqual([])
  onTestFinished(() => management.stop())
  const ask = (command: string) =>
    new Promise<AdminAnswer>(resolve => {
      let text = ''
      const connection = createConnection(socket, () =>
        connection.write(`${JSON.stringify({ command, json: false })}\n`),
      )
      connection.on('data', data => (text += data))
      connection.on('end', () => resolve(JSON.parse(text) as AdminAnswer))
    })
  return { ask, host, management }
}

const DONE = 'Info (1036003): Operation successful.'

describe('the management of a gateway', () => {
  it('tells with a command what has become odd, and nothing twice', async () => {
    const { ask, host } = await managed(['no device lan0'])
    expect((await ask('add alias=a string=x')).text).toBe(DONE)
    host.oddities.push('no device pub0')
    expect((await ask('add alias=b string=x')).text).toBe(`Warning (2036001): no device pub0\n${DONE}`)
    expect((await ask('add alias=c string=x')).text).toBe(DONE)
    // Gone and there again is news.
    host.oddities.pop()
    expect((await ask('add alias=d string=x')).text).toBe(DONE)
    host.oddities.push('no device pub0')
    expect((await ask('add alias=e string=x')).text).toContain('no device pub0')
  })

  it('tells what the SSH server lacks', async () => {
    const { ask } = await managed([])
    expect((await ask('enable ssh server hostkey=9')).text.split('\n')).toEqual([
      expect.stringMatching(/^Warning \(2075001\): SSH server: ENCO key 9 is no RSA key of ours/),
      'Info (1075003): Operation successful.',
    ])
    expect((await ask('show ssh')).text).toMatch(/^State \.+ ENCO key 9 is no RSA key of ours$/m)
  })

  it('takes whom the kernel names as the gateway’s own user for root', async () => {
    const { ask } = await managed([])
    expect((await ask('show alias')).exit).toBe(0)
  })
})
