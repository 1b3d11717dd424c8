import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SessionState } from '../../src/alliedware/show/state.ts'
import type { AdminAnswer } from '../../src/gateway/caller.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { Log } from '../../src/gateway/log.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { commandWorld } from './command-world.ts'
import { anna, World } from './world.ts'

function setUp() {
  const world = new World()
  const lines: string[] = []
  const commands = commandWorld(world, { log: new Log(line => lines.push(line)) })
  const type = (text: string): Promise<AdminAnswer> => carryOut(commands, text, { uid: 0, pid: 4711 })
  const password = (name: string) => {
    const user = new SecretStore(dirname(world.secrets.path)).allUsers().find(u => u.name === name)
    return user && Buffer.from(user.password.reveal()).toString('utf8')
  }
  return { world, type, lines, password }
}

describe('a command from vpnctl', () => {
  it('shows who is connected, as text and as data', async () => {
    const { world, type } = setUp()
    expect((await type('show session')).data).toEqual([])
    const guest = world.guest(anna)
    world.connect(guest)
    const answer = await type('sh sess')
    expect(answer.exit).toBe(0)
    expect(answer.text).toContain('192.168.8.100')
    expect(answer.data).toMatchObject([
      { user: 'anna', address: '192.168.8.100', remote: '203.0.113.101:31002', suite: '3des-sha1', nat: 'client' },
    ])
  })

  it.each([
    'show session',
    'show attempt',
    'show isakmp sa',
    'show isakmp exchange',
    'show isakmp policy',
    'show ipsec sa',
    'show ipsec policy',
    'show l2tp tunnel',
    'show ppp',
    'show ip pool',
    'show user',
    'show log',
    'show counter',
    'show enco key',
    'show config dynamic',
  ])('answers "%s" over a live connection without a secret in it', async command => {
    const { world, type } = setUp()
    world.connect(world.guest(anna))
    const { exit, text, data } = await type(command)
    expect(exit, text).toBe(0)
    expect(text).not.toBe('')
    for (const secret of ['apples', 'bananas', 'roam-free-2005']) {
      expect(text).not.toContain(secret)
      expect(JSON.stringify(data) ?? '').not.toContain(secret)
    }
  })

  it('ends a session by its number or its user, and no other', async () => {
    const { world, type } = setUp()
    const first = world.guest(anna)
    const second = world.guest({ ...anna, user: 'ben', password: 'bananas', ports: { 500: 32_001, 4500: 32_002 } })
    world.connect(first)
    world.connect(second)
    expect((await type('reset user=nobody')).exit).toBe(1)
    expect((await type('reset session=99')).exit).toBe(1)
    expect((await type('reset user=BEN')).exit).toBe(0)
    world.advance(5000)
    expect(second.down).toBeDefined()
    expect(first.client.phase).toBe('up')
    const [live] = (await type('show session')).data as SessionState[]
    expect((await type(`reset session=${live!.id}`)).exit).toBe(0)
    world.advance(5000)
    expect((await type('show session')).data).toEqual([])
  })

  it('adds a user at once and for good, and takes it away again', async () => {
    const { world, type, lines, password } = setUp()
    expect((await type('add user=dora password="two dates" login=no')).exit).toBe(0)
    expect(password('dora')).toBe('two dates')
    expect((await type('add user=DORA password=again login=no')).text).toContain('exists already')
    expect(password('dora')).toBe('two dates')
    expect(world.control.configuration.users.map(u => u.name)).toContain('dora')
    const guest = world.guest({ ...anna, user: 'dora', password: 'two dates' })
    world.connect(guest)
    expect(guest.client.phase).toBe('up')
    expect((await type('delete user=dora')).exit).toBe(0)
    expect(password('dora')).toBeUndefined()
    world.advance(1000)
    expect(guest.client.phase).not.toBe('up')
    expect(lines.some(l => l.includes('two dates'))).toBe(false)
    expect(lines.some(l => l.includes('add user=dora') && l.includes('uid=0'))).toBe(true)
  })

  it('makes a key that counts from the next connection on, and keeps it out of the script', async () => {
    const { world, type } = setUp()
    expect((await type('destroy enco key=1')).exit).toBe(0)
    expect(world.secrets.key(1)).toBeUndefined()
    const before = world.guest(anna)
    world.connect(before, 70_000)
    expect(before.down).toMatchObject({ failed: 'IKE' })
    world.guests.length = 0
    expect((await type('create enco key=1 type=general value=other-key')).exit).toBe(0)
    // Made anew: what it was is gone.
    expect((await type('create enco key=1 type=general value=fresh-key-9')).exit).toBe(0)
    expect((await type('destroy enco key=2')).exit).toBe(1)
    expect(world.control.configuration.encoKeys).toEqual([])
    expect((await type('show config dynamic')).text).not.toContain('fresh-key-9')
    const after = world.guest({ ...anna, presharedKey: 'fresh-key-9', ports: { 500: 35_001, 4500: 35_002 } })
    world.connect(after)
    expect(after.client.phase).toBe('up')
  })

  it.each([
    ['frobnicate', 2],
    ['show', 2],
    ['show session=', 2],
    ['add user=x', 2],
    ['reset session=99', 1],
    ['', 0],
  ])('%j exits with %i', async (text, exit) => {
    const { type } = setUp()
    const answer = await type(text)
    expect([answer.exit, answer.text]).toEqual([exit, answer.text])
  })

  it('that is refused changes nothing', async () => {
    const { world, type } = setUp()
    const before = world.control.configuration
    const { exit, text } = await type('add user=anna password=other login=no')
    expect(exit).toBe(1)
    expect(text).toMatch(/^Error: /)
    expect(world.control.configuration).toBe(before)
    expect(world.secrets.allUsers()).toEqual([])
  })
})
