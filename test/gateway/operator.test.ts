import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../src/alliedware/parse.ts'
import { isSecurityCommand, isUserDatabaseCommand, privilegeFor } from '../../src/alliedware/privilege.ts'
import { publicRsaKey } from '../../src/gateway/rsa-key.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { operatorWorld } from './operators.ts'

const command = (text: string) => {
  const parsed = parseCommand(text)
  if (parsed.kind !== 'command') throw new Error(`${text}: ${parsed.faults.join()}`)
  return parsed.command
}

describe('the privilege that a command needs', () => {
  it.each([
    ['help', 'user', 'user'],
    ['login mgr', 'user', 'user'],
    ['logoff', 'user', 'user'],
    ['set asyn page=off', 'user', 'user'],
    ['show session', 'manager', 'manager'],
    ['show user', 'manager', 'manager'],
    ['reset session=1', 'manager', 'manager'],
    ['set system name=x', 'manager', 'manager'],
    ['add alias=a string=b', 'manager', 'manager'],
    ['create enco key=1 type=general value=x', 'manager', 'securityofficer'],
    ['show enco key', 'manager', 'securityofficer'],
    ['show config dynamic', 'manager', 'securityofficer'],
    ['show ppp', 'manager', 'manager'],
    ['show ppp configuration', 'manager', 'securityofficer'],
    ['add user=x password=y', 'manager', 'securityofficer'],
    ['reset user=x', 'manager', 'securityofficer'],
    ['enable ipsec', 'manager', 'securityofficer'],
    ['destroy isakmp policy=x', 'manager', 'securityofficer'],
    ['add ip interface=eth0 ip=1.2.3.4', 'manager', 'securityofficer'],
    ['add ip route=0.0.0.0 interface=eth0 nexthop=1.2.3.4', 'manager', 'manager'],
    ['enable ssh server hostkey=2', 'manager', 'securityofficer'],
    ['create snmp community=x', 'manager', 'securityofficer'],
    ['disable system security', 'manager', 'securityofficer'],
    ['create config=x.cfg', 'manager', 'securityofficer'],
    ['create ca', 'manager', 'securityofficer'],
  ])('%s: %s, in security mode %s', (text, usual, secure) => {
    expect(privilegeFor(command(text), false)).toBe(usual)
    expect(privilegeFor(command(text), true)).toBe(secure)
    expect(isSecurityCommand(command(text))).toBe(secure === 'securityofficer')
  })

  it('and what is under SECUREDELAY', () => {
    for (const text of [
      'add user=x password=y',
      'set user=x mtu=1400',
      'purge user',
      'add radius server=1.2.3.4 secret=x',
    ])
      expect(isUserDatabaseCommand(command(text))).toBe(true)
    for (const text of ['show user', 'reset user=x', 'add ssh user=x password=y', 'enable ipsec'])
      expect(isUserDatabaseCommand(command(text))).toBe(false)
  })
})

describe('an operator', () => {
  it('without a login may do nothing, not even learn what is there', async () => {
    const { operator, type } = await operatorWorld()
    for (const text of ['show session', 'help', 'nonsense', 'add user=x password=y']) {
      expect(await type(operator(), text)).toEqual({
        exit: 1,
        text: 'Error (3035006): log in first: run vpnctl without a command, or as root',
      })
    }
  })

  it('logs in with name and password, the name in any case', async () => {
    const { operator, clock, type } = await operatorWorld()
    const o = operator()
    expect(o.login('MGR', 'many-hands', clock.now)).toEqual({})
    expect(o.user).toBe('mgr')
    expect(o.privilege).toBe('manager')
    expect((await type(o, 'show session')).exit).toBe(0)
  })

  it.each([
    ['mgr', 'Many-Hands'],
    ['mgr', ''],
    ['nobody', ''],
    // May dial in, and not log in.
    ['anna', 'apples'],
  ])('does not log in as %s with %j', async (name, password) => {
    const { operator, clock } = await operatorWorld()
    const o = operator()
    expect(o.login(name, password, clock.now)).toEqual({ refused: 'wrong name or password' })
    expect(o.privilege).toBeUndefined()
  })

  it('with USER privilege gets what concerns nobody else', async () => {
    const { operator, type } = await operatorWorld()
    const o = operator({ account: 'guest' })
    expect((await type(o, 'help')).exit).toBe(0)
    expect(await type(o, 'show user')).toEqual({
      exit: 1,
      text: 'Error (3045006): only a manager may do this: LOGIN as one',
    })
    expect((await type(o, 'who')).exit).toBe(1)
  })

  it('loses its power with its account, and gains what the account gains', async () => {
    const { operator, root, type } = await operatorWorld()
    const o = operator({ account: 'guest' })
    await type(root, 'set user=guest privilege=manager')
    expect((await type(o, 'show session')).exit).toBe(0)
    await type(root, 'set user=guest login=no')
    expect((await type(o, 'show session')).exit).toBe(1)
    expect(o.privilege).toBeUndefined()
  })

  it('that root makes of itself has no more than its account', async () => {
    const { operator, clock, type } = await operatorWorld()
    const o = operator({ trusted: true })
    expect((await type(o, 'show session')).exit).toBe(0)
    o.login('guest', 'no-rights', clock.now)
    expect((await type(o, 'show session')).exit).toBe(1)
  })
})

describe('wrong logins', () => {
  it('lock the place for LOCKOUTPD after LOGINFAIL of them, and no other', async () => {
    const { operator, root, clock, type, lines } = await operatorWorld()
    await type(root, 'set user loginfail=3 lockoutpd=30')
    lines.length = 0
    const [here, there] = [operator({}, 'ssh 1.2.3.4'), operator({}, 'ssh 5.6.7.8')]
    for (let i = 0; i < 3; i++) expect(here.login('mgr', 'x', clock.now).refused).toBe('wrong name or password')
    expect(here.login('mgr', 'many-hands', clock.now).refused).toBe('too many wrong logins: locked for 30 seconds')
    expect(there.login('mgr', 'many-hands', clock.now).refused).toBeUndefined()
    clock.now += 30_000
    expect(here.login('mgr', 'many-hands', clock.now).refused).toBeUndefined()
    expect(lines.join('\n')).toContain('ssh 1.2.3.4 is locked for 30 seconds after 3 wrong logins')
  })

  it('count in a row only', async () => {
    const { operator, clock } = await operatorWorld()
    const o = operator()
    for (let i = 0; i < 20; i++) {
      for (let wrong = 0; wrong < 4; wrong++) o.login('mgr', 'x', clock.now)
      expect(o.login('mgr', 'many-hands', clock.now).refused).toBeUndefined()
    }
  })

  it('put no password and no mistyped name into the log', async () => {
    const { operator, clock, lines } = await operatorWorld()
    const o = operator()
    o.login('my-secret-password', 'another-secret', clock.now)
    o.login('mgr', 'third-secret', clock.now)
    expect(lines.length).toBe(2)
    expect(lines.join('\n')).not.toMatch(/secret/)
    expect(lines[1]).toContain('Login of mgr from here failed')
  })
})

describe('security mode', () => {
  it('needs a security officer who can log in', async () => {
    const { root, type, commands } = await operatorWorld()
    await type(root, 'set user=secoff login=no')
    const { exit, text } = await type(root, 'enable system security')
    expect(exit).toBe(1)
    expect(text).toMatch(/^Error \(3034005\): security mode needs a user with PRIVILEGE=SECURITYOFFICER/)
    await type(root, 'set user=secoff login=yes')
    expect(await type(root, 'enable system security')).toEqual({
      exit: 0,
      text: 'Info (1034003): Operation successful.',
    })
    expect(commands.access.mode.securityMode).toBe(true)
  })

  it('keeps the security commands for security officers', async () => {
    const { operator, root, type } = await operatorWorld()
    const [manager, officer] = [operator({ account: 'mgr' }), operator({ account: 'secoff' })]
    expect((await type(manager, 'create enco key=9 type=general value=x')).exit).toBe(0)
    await type(root, 'enable system security')
    expect(await type(manager, 'create enco key=9 type=general value=y')).toEqual({
      exit: 1,
      text: 'Error (3039006): only a security officer may do this: LOGIN as one',
    })
    // An alias is what it stands for.
    await type(root, 'add alias=k string="show config dynamic"')
    expect((await type(manager, 'k')).exit).toBe(1)
    expect((await type(manager, 'show session')).exit).toBe(0)
    expect((await type(officer, 'k')).exit).toBe(0)
    expect((await type(manager, 'disable system security')).exit).toBe(1)
    expect((await type(officer, 'disable system security')).exit).toBe(0)
    expect((await type(manager, 'k')).exit).toBe(0)
  })

  it('outlives the process, and leaves the keys', async () => {
    const { root, type, world } = await operatorWorld()
    const again = () => new SecretStore(dirname(world.secrets.path))
    await type(root, 'create enco key=9 type=general value=kept')
    await type(root, 'enable system security')
    expect(again().securityMode).toBe(true)
    await type(root, 'disable system security')
    expect(again().securityMode).toBe(false)
    expect(again().key(9)).toBeDefined()
  })

  it('makes a manager of a security officer who is idle for SECUREDELAY', async () => {
    const { operator, root, type, clock } = await operatorWorld()
    const o = operator({ account: 'secoff' })
    clock.now += 61_000
    expect(o.idle(clock.now)).toBe(false)
    await type(root, 'enable system security')
    expect(o.idle(clock.now)).toBe(true)
    expect(o.privilege).toBe('manager')
    expect((await type(o, 'show config dynamic')).exit).toBe(1)
    o.login('secoff', 'seven-seals', clock.now)
    expect(o.privilege).toBe('securityofficer')
    expect(operator({ trusted: true }).idle(clock.now + 1_000_000)).toBe(false)
  })
})

describe('the last account that governs', () => {
  it('is not taken away by whoever came in by a login', async () => {
    const { operator, root, type } = await operatorWorld()
    const o = operator({ account: 'secoff' })
    expect((await type(o, 'delete user=mgr')).exit).toBe(0)
    for (const text of [
      'delete user=secoff',
      'set user=secoff login=no',
      'set user=secoff privilege=user',
      'purge user',
    ]) {
      expect((await type(o, text)).text).toMatch(/^Error \(3045005\): nobody who can log in could undo this/)
    }
    expect((await type(o, 'set user=secoff description=boss')).exit).toBe(0)
    // The factory account, which scripts delete.
    expect((await type(o, 'delete user=manager')).exit).toBe(0)
    // Root is on the host itself.
    expect((await type(root, 'delete user=secoff')).exit).toBe(0)
  })
})

describe('the user database', () => {
  it('makes an account of a dial-in user who was added at the prompt', async () => {
    const { operator, root, type, clock, world } = await operatorWorld()
    await type(root, 'add user=new password=dial-first login=no')
    expect(world.secrets.allUsers().map(u => u.name)).toContain('new')
    await type(root, 'set user=new login=yes privilege=manager')
    const o = operator()
    expect(o.login('new', 'dial-first', clock.now)).toEqual({})
    expect(o.privilege).toBe('manager')
    expect(world.secrets.allUsers()).toContainEqual(
      expect.objectContaining({ name: 'new', login: true, privilege: 'manager' }),
    )
  })

  it('tells what is odd about a command that it carries out', async () => {
    const { root, type } = await operatorWorld()
    expect((await type(root, 'add ssh user=odd')).text.split('\n')).toEqual([
      'Warning (2075001): ADD SSH USER: PASSWORD or KEYID is missing: nobody can log in so',
      'Info (1075003): Operation successful.',
    ])
  })

  it('shows how it guards itself', async () => {
    const { root, type } = await operatorWorld()
    await type(root, 'set user loginfail=3 minpwdlen=8')
    await type(root, 'enable system security')
    const { text, data } = await type(root, 'show user configuration')
    expect(text).toMatch(/^Security Mode \.+ enabled$/m)
    expect(text).toMatch(/^Minimum Password Length \.+ 8$/m)
    expect(data).toEqual({
      securityMode: true,
      failures: 3,
      lockoutSeconds: 600,
      confirmFailures: 3,
      secureDelaySeconds: 60,
      minimumLength: 8,
    })
  })
})

describe('messages', () => {
  it.each([
    ['nonsense', 2, 'Error (3035002): unknown command "nonsense"'],
    ['add user=x nonsense=y', 2, /^Error \(3045004\): ADD USER: word 3 is not a parameter/],
    ['delete user=nobody', 1, 'Error (3045005): DELETE USER: user "nobody" does not exist'],
    ['add firewall policy=x interface=eth0 type=public', 1, /^Error \(3077005\): /],
    ['add alias=a string=b', 0, 'Info (1036003): Operation successful.'],
    ['create firewall policy=p', 0, 'Info (1077003): Operation successful.'],
    ['show system', 1, 'Error (3034008): internal error: a bug that the test asks for'],
    ['login', 1, 'Error (3035005): this is for the prompt: run vpnctl without a command'],
    ['# nothing', 0, ''],
  ])('to %j', async (text, exit, expected) => {
    const { root, type } = await operatorWorld()
    const answer = await type(root, text)
    expect(answer.exit).toBe(exit)
    if (typeof expected === 'string') expect(answer.text).toBe(expected)
    else expect(answer.text).toMatch(expected)
  })
})

describe('RSA keys', () => {
  it('are made, kept and shown by their public half', async () => {
    const { root, type, world, lines } = await operatorWorld()
    const made = await type(root, 'create enco key=2 type=rsa length=1024')
    expect(made.exit).toBe(0)
    expect(made.text).toMatch(/^Fingerprint: SHA256:[\w+/]{43}\nInfo \(1039003\): Operation successful\.$/)
    const shown = await type(root, 'show enco key=2')
    expect(shown.data).toMatchObject({ id: 2, type: 'rsa', length: 1024, private: true })
    expect((await type(root, 'show enco key')).data).toContainEqual(
      expect.objectContaining({ id: 2, type: 'rsa', length: 1024 }),
    )
    const stored = world.secrets.key(2)!.reveal()
    expect(publicRsaKey(stored)?.line).toBe((shown.data as { publicKey: string }).publicKey)
    for (const text of [...lines, shown.text, made.text]) expect(text).not.toContain('PRIVATE')
    // A pre-shared key it is not.
    expect(world.secrets.sharedKey(2)).toBeUndefined()
    expect(world.secrets.sharedKey(1)).toBeDefined()
  })

  it('of users come as OpenSSH writes them', async () => {
    const { root, type } = await operatorWorld()
    const pair = await type(root, 'create enco key=2 type=rsa length=1024')
    expect(pair.exit).toBe(0)
    const { publicKey } = (await type(root, 'show enco key=2')).data as { publicKey: string }
    expect((await type(root, `create enco key=3 type=rsa value="${publicKey} anna@home"`)).exit).toBe(0)
    expect((await type(root, 'show enco key=3')).data).toMatchObject({ length: 1024, private: false })
    expect((await type(root, 'create enco key=4 type=rsa value="ssh-dss AAAA"')).exit).toBe(1)
  })

  it('are refused where SSH would not take them', async () => {
    const { root, type } = await operatorWorld()
    expect((await type(root, 'create enco key=2 type=rsa length=512')).text).toContain('1024 bits or more')
    expect((await type(root, 'create enco key=2 type=rsa file=my.pub format=ssh')).text).toContain('keeps no files')
  })
})
