/** Messages to syslog servers: their form, their bounds, and that they arrive. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { logDefaults, outputDefaults } from '../../src/alliedware/log-config.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import { SyslogSender, syslogMessage } from '../../src/gateway/syslog.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { operatorWorld } from './operators.ts'

const message = {
  time: '2026-02-03T04:05:06.789Z',
  severity: 4,
  module: 'PPP',
  type: 'VINT',
  subtype: 'UP',
  text: 'ppp0: up',
}

describe('a syslog message', () => {
  it.each([
    ['normal', 'default', '<29>Feb  3 04:05:06 gate floatgate: PPP/VINT/UP: ppp0: up'],
    ['normal', 'local1', '<141>Feb  3 04:05:06 gate floatgate: PPP/VINT/UP: ppp0: up'],
    ['extended', 'local7', '<189>1 2026-02-03T04:05:06.789Z gate floatgate - PPP/VINT/UP - ppp0: up'],
  ] as const)('in %s form, facility %s', (format, facility, expected) => {
    expect(syslogMessage({ format, facility }, message, 'gate').toString()).toBe(expected)
  })

  it('turns the router’s severities round', () => {
    const levels = [0, 1, 2, 3, 4, 5, 6, 7].map(severity => {
      const text = syslogMessage({ format: 'normal', facility: 'default' }, { ...message, severity }, 'g').toString()
      return Number(/^<(\d+)>/.exec(text)![1]) & 7
    })
    expect(levels).toEqual([7, 7, 7, 6, 5, 4, 3, 2])
  })

  it('is one line of bounded length, whole characters to its end', () => {
    const long = { ...message, text: `a\nb\u0000${'é'.repeat(3000)}` }
    for (const format of ['normal', 'extended'] as const) {
      const bytes = syslogMessage({ format, facility: 'default' }, long, 'my gate\n')
      expect(bytes.length).toBeLessThanOrEqual(format === 'normal' ? 1024 : 2048)
      expect(bytes.length).toBeGreaterThan(1000)
      expect(bytes.toString()).toMatch(/ mygate .*a b é+$/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
      expect(bytes.toString()).not.toMatch(/[\u0000-\u001f]/)
    }
  })
})

async function receiver() {
  const socket = createSocket('udp4')
  onTestFinished(() => void socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const got: string[] = []
  socket.on('message', bytes => got.push(bytes.toString()))
  return { port: socket.address().port, got }
}

describe('the log', () => {
  it('sends to the server of CREATE LOG OUTPUT what its filters take, until it is disabled', async () => {
    const { port, got } = await receiver()
    const sender = new SyslogSender(() => 'gate', Date.now)
    onTestFinished(() => sender.close())
    const { commands, log, world } = await operatorWorld()
    const shared = world.gateway.log
    shared.sendBy((output, m) => sender.send(output, m))
    const type = async (text: string) => expect((await carryOut(commands, text, { uid: 0, pid: 1 })).exit, text).toBe(0)
    await type(`create log output=1 destination=syslog server=127.0.0.1 port=${port}`)
    await type('add log output=1 module=ISAK severity=>=4')
    const say = (severity: number, module: string, text: string) => shared.add({ severity, module, text })
    say(4, 'ISAK', 'first')
    say(3, 'ISAK', 'not severe')
    say(7, 'PPP', 'another module')
    say(5, 'ISAK', 'second')
    await expect.poll(() => got.map(line => line.slice(line.lastIndexOf(' ') + 1))).toEqual(['first', 'second'])
    await type('disable log output=1')
    say(7, 'ISAK', 'third')
    await type('enable log output=1')
    say(7, 'ISAK', 'fourth')
    await expect.poll(() => got.length).toBe(3)
    expect(got[2]).toContain('fourth')
    expect((await carryOut({ ...commands, log: shared }, 'show log output=1', { uid: 0, pid: 1 })).data).toMatchObject([
      { id: '1', server: `127.0.0.1:${port}`, taken: 3, enabled: true },
    ])
    expect(log.entries().length).toBeGreaterThan(0)
  })

  it('sends no flood', async () => {
    const { port, got } = await receiver()
    const clock = { now: 5000 }
    const sender = new SyslogSender(
      () => 'gate',
      () => clock.now,
    )
    onTestFinished(() => sender.close())
    const output = { ...outputDefaults, id: 1, destination: 'syslog' as const, server: ipv4('127.0.0.1'), port }
    for (let i = 0; i < 1000; i++) sender.send(output, message)
    expect(sender.lost).toBe(800)
    clock.now += 1000
    sender.send(output, message)
    expect(sender.lost).toBe(800)
    await expect.poll(() => got.length).toBeGreaterThan(0)
    sender.send({ ...output, server: undefined }, message)
    expect(sender.lost).toBe(800)
  })

  it('keeps as many messages as its buffer has room for, and those that its filters take', () => {
    const log = new Log(() => undefined)
    const [temporary] = logDefaults.outputs
    const say = (text: string, severity: number = Severity.Info) => log.add({ severity, module: 'SYS', text })
    for (let i = 0; i < 30; i++) say(`${i}`)
    log.configure({ enabled: true, outputs: [{ ...temporary!, messages: 10 }] })
    expect(log.entries().map(e => e.text)).toEqual(['20', '21', '22', '23', '24', '25', '26', '27', '28', '29'])
    say('30')
    expect(log.entries()).toHaveLength(10)
    const filters = [
      {
        id: 1,
        action: 'process' as const,
        severity: { first: 1, last: 1 },
        module: undefined,
        type: undefined,
        subtype: undefined,
        text: undefined,
      },
    ]
    log.configure({ enabled: true, outputs: [{ ...temporary!, filters }] })
    say('trivial', Severity.Trivial)
    say('31')
    expect(log.entries().at(-1)!.text).toBe('trivial')
    log.configure({ ...logDefaults, enabled: false })
    say('32')
    expect(log.entries().at(-1)!.text).toBe('trivial')
    log.clear()
    expect(log.entries()).toEqual([])
  })
})
