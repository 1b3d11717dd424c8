/** The user database beside the script: what was done at the prompt outlives a restart, and the script goes before it. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { load } from '../../src/gateway/loading.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { flashWorld } from './operators.ts'

async function gateway() {
  const w = await flashWorld()
  writeFileSync(
    w.script,
    'add user=anna password=apples login=no\nadd user=boss password=b1 privilege=manager login=yes\n',
  )
  await w.done('purge user')
  await w.done('reload')
  /** The users of a gateway that is started anew: of the script, and of what is on disk beside it. */
  const restarted = () => {
    const { keys, users } = { keys: [], users: new SecretStore(join(w.world.secrets.path, '..')).allUsers() }
    return load(w.files.places(), { keys, users }).configuration.users
  }
  const summary = (users: ReturnType<typeof restarted>) =>
    users.map(u => [u.name, u.privilege, u.login, Buffer.from(u.password.reveal()).toString('utf8')])
  return { ...w, now: () => summary(w.configuration().users), later: () => summary(restarted()) }
}

const ANNA = ['anna', 'user', false, 'apples']
const BOSS = ['boss', 'manager', true, 'b1']

describe('a user made at the prompt', () => {
  it('stays, whoever it is, without a saved script, through a reload and a restart', async () => {
    const g = await gateway()
    await g.done('add user=dora password=dates login=no')
    await g.done('add user=chief password=c1 privilege=securityofficer login=yes description=Chief')
    const all = [ANNA, BOSS, ['dora', 'user', false, 'dates'], ['chief', 'securityofficer', true, 'c1']]
    expect(g.now()).toEqual(all)
    expect(g.later()).toEqual(all)
    expect((await g.done('reload')).text).toContain('No command differs.')
    expect(g.now()).toEqual(all)
    await g.done('set user=chief password=c2')
    await g.done('disable user=dora')
    expect(g.later()[3]).toEqual(['chief', 'securityofficer', true, 'c2'])
    await g.done('reload')
    expect(g.configuration().users.find(u => u.name === 'dora')?.disabled).toBe(true)
    await g.done('delete user=chief')
    await g.done('delete user=DORA')
    expect(g.later()).toEqual([ANNA, BOSS])
  })

  it('is in the script that CREATE CONFIG writes, as it is in SHOW CONFIG DYNAMIC', async () => {
    const g = await gateway()
    await g.done('add user=chief password=c1 privilege=securityofficer login=yes')
    expect((await g.done('show config dynamic=user')).text).toContain(
      'add user=chief password=*** privilege=securityofficer',
    )
    await g.done('create config=vpn.cfg')
    const elsewhere = load({ ...g.files.places('vpn.cfg'), script: g.flash.path('vpn.cfg') }, { keys: [], users: [] })
    expect(elsewhere.configuration.users.map(u => u.name)).toEqual(['anna', 'boss', 'chief'])
  })

  it('is the script’s where the script names the same user', async () => {
    const g = await gateway()
    await g.done('add user=dora password=dates login=no')
    writeFileSync(g.script, 'add user=Dora password=script login=no\n')
    await g.done('reload')
    expect(g.now()).toEqual([['Dora', 'user', false, 'script']])
    expect(g.later()).toEqual([['Dora', 'user', false, 'script']])
  })
})

describe('a user of the script', () => {
  it.each([
    ['set user=anna password=avocados', [['anna', 'user', false, 'avocados'], BOSS]],
    ['delete user=anna', [BOSS]],
    ['set user=BOSS privilege=securityofficer', [ANNA, ['boss', 'securityofficer', true, 'b1']]],
  ])('is changed until the script is read again, and the answer says so: %s', async (command, now) => {
    const g = await gateway()
    const { text } = await g.done(command)
    expect(text).toMatch(
      /^Warning \(2045001\): user "(anna|boss)" is in the script: CREATE CONFIG, or a restart takes this back$/m,
    )
    expect(g.now()).toEqual(now)
    // Not in two places: who leaves the script is gone.
    expect(g.world.secrets.allUsers()).toEqual([])
    expect(g.later()).toEqual([ANNA, BOSS])
    await g.done('reload')
    expect(g.now()).toEqual([ANNA, BOSS])
  })

  it('stays changed where CREATE CONFIG writes what the gateway starts with', async () => {
    const g = await gateway()
    await g.done('set user=anna password=avocados')
    await g.done('create config=vpn.cfg')
    await g.done('set config=vpn.cfg')
    expect(g.later()).toEqual([['anna', 'user', false, 'avocados'], BOSS])
  })
})
