import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IpCommands } from '../../src/gateway/ip-commands.ts'

/** No command here changes anything, and the host has no such device. */
const NOWHERE = 'route del 192.0.2.7/32 dev no-such-device'

describe('the one ip that takes every command', () => {
  let refusals: string[][]
  let commands: IpCommands
  beforeEach(() => {
    refusals = []
    commands = new IpCommands((command, said) => refusals.push([command, said]))
  })
  afterEach(() => commands.end())

  it('carries them out in order, and tells of each that was refused, with its own words', async () => {
    commands.give('link show dev lo')
    commands.give(NOWHERE)
    commands.give('link show dev lo')
    commands.give('neigh del proxy 192.0.2.8 dev no-such-device')
    await commands.end()
    expect(refusals.map(r => r[0])).toEqual([NOWHERE, 'neigh del proxy 192.0.2.8 dev no-such-device'])
    expect(refusals[0]![1]).toMatch(/Cannot find device/)
  })

  it('takes thousands at once, and still knows which one it was', async () => {
    for (let i = 0; i < 3000; i++) commands.give(i === 2000 ? NOWHERE : '')
    await commands.end()
    expect(refusals.map(r => r[0])).toEqual([NOWHERE])
  })

  it('goes on behind one at which ip ends itself', async () => {
    const missing = (host: number) => `neigh del proxy 192.0.2.${host} dev lo`
    for (const command of ['', missing(8), missing(9), '', NOWHERE, missing(10)]) commands.give(command)
    await commands.end()
    expect(refusals.map(r => r[0])).toEqual([missing(8), missing(9), NOWHERE, missing(10)])
    for (const [command, said] of refusals)
      expect(said).toContain(command === NOWHERE ? 'Cannot find device' : 'RTNETLINK')
  })

  it('says so where there is no such program, and tries it anew with the next command', async () => {
    const none = new IpCommands((command, said) => refusals.push([command, said]), '/no/such/ip')
    for (let i = 0; i < 2; i++) {
      none.give(NOWHERE)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    expect(refusals.map(r => r[0])).toEqual([NOWHERE, NOWHERE])
    expect(refusals[0]![1]).toContain('ENOENT')
  })

  it('is none of those whom Ctrl-C in a terminal ends', async () => {
    commands.give(NOWHERE)
    await expect.poll(() => refusals.length).toBe(1)
    const { pid } = commands['child']!
    // The fifth word of its line, behind a name in brackets.
    const group = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[2]
    expect(group).toBe(String(pid))
  })

  it('starts another one where it was ended', async () => {
    commands.give(NOWHERE)
    await expect.poll(() => refusals.length).toBe(1)
    const pid = commands['child']!.pid!
    spawnSync('kill', ['-9', String(pid)])
    await expect.poll(() => refusals.length).toBe(2)
    expect(refusals[1]![1]).toContain('SIGKILL')
    commands.give(NOWHERE)
    await expect.poll(() => refusals.length).toBe(3)
    expect(commands['child']!.pid).not.toBe(pid)
  })
})
