import { describe, expect, it } from 'vitest'
import { applyCommand } from '../../src/alliedware/apply.ts'
import type { Configuration } from '../../src/alliedware/config.ts'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import { frameMessages, messageCode, messageModules } from '../../src/alliedware/message.ts'
import { readScript } from '../../src/alliedware/script.ts'
import { printAliases, printOperators, printSsh, printSshUsers } from '../../src/alliedware/show/access.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { withoutLines } from './plain.ts'

/** The configuration after commands that are all taken. */
function typed(...commands: string[]): Configuration {
  return commands.reduce((c, text) => {
    const outcome = applyCommand(c, text)
    expect(`${text}: ${outcome.faults.map(f => f.text)}`).toBe(`${text}: `)
    return outcome.configuration
  }, emptyConfiguration)
}

const refusal = (c: Configuration, text: string) => {
  const { kind, faults } = applyCommand(c, text)
  return kind === 'refused' ? faults.map(f => f.text) : kind
}

describe('the SSH server', () => {
  it('is enabled with its keys, and keeps them while it is disabled', () => {
    const on = typed('enable ssh server serverkey=2 hostkey=3 expirytime=12 logintimeout=30')
    expect(on.ssh).toEqual({
      enabled: true,
      serverKey: 2,
      hostKey: 3,
      expiryHours: 12,
      loginTimeoutSeconds: 30,
      users: [],
    })
    const off = applyCommand(on, 'disable ssh server').configuration
    expect(off.ssh).toEqual({ ...on.ssh, enabled: false })
    expect(applyCommand(off, 'ena ssh se').configuration.ssh).toEqual(on.ssh)
    expect(applyCommand(off, 'set ssh server host=4').configuration.ssh.hostKey).toBe(4)
  })

  it('warns without a host key', () => {
    const { configuration, faults } = applyCommand(emptyConfiguration, 'enable ssh server')
    expect(configuration.ssh.enabled).toBe(true)
    expect(faults.map(f => f.text)).toEqual(['ENABLE SSH SERVER: HOSTKEY is missing: nobody is served'])
  })

  it('has users, told apart without regard to case', () => {
    const c = typed(
      'add ssh user=Bob password="two words" ip=192.0.2.0 mask=255.255.255.0',
      'add ssh user=eve keyid=4',
      'set ssh user=bob keyid=5',
    )
    const opened = c.ssh.users.map(u => ({
      ...u,
      password: u.password && new TextDecoder().decode(u.password.reveal()),
    }))
    expect(opened).toEqual([
      {
        name: 'Bob',
        password: 'two words',
        keyId: 5,
        address: ipv4('192.0.2.0'),
        mask: ipv4('255.255.255.0'),
      },
      { name: 'eve', password: undefined, keyId: 4, address: undefined, mask: undefined },
    ])
    expect(refusal(c, 'add ssh user=BOB password=x')).toEqual(['ADD SSH USER: SSH user "BOB" exists already'])
    expect(refusal(c, 'set ssh user=eve mask=255.0.0.0')).toEqual(['SET SSH USER: MASK goes with an IPADDRESS'])
    expect(refusal(c, 'delete ssh user=zoe')).toEqual(['DELETE SSH USER: SSH user "zoe" does not exist'])
    const host = applyCommand(c, 'set ssh user=bob ip=198.51.100.7').configuration.ssh.users[0]!
    expect(host.mask).toBeUndefined()
    expect(applyCommand(c, 'set ssh user=bob ip=0.0.0.0').configuration.ssh.users[0]!.address).toBeUndefined()
    expect(applyCommand(c, 'delete ssh user=bob').configuration.ssh.users.map(u => u.name)).toEqual(['eve'])
  })

  it('is written as it is read', () => {
    const c = typed(
      'enable ssh server hostkey=3',
      'add ssh user=bob password="two words" ip=192.0.2.0 mask=255.255.255.0',
    )
    const script = writeScript(c)
    expect(script).toContain(
      '\nenable ssh server hostkey=3\nadd ssh user=bob password="two words" ipaddress=192.0.2.0 mask=255.255.255.0\n',
    )
    expect(withoutLines(readScript(script, { values: {} }).configuration)).toEqual(withoutLines(c))
  })
})

describe('limits on logins', () => {
  it('are set, and written behind the users', () => {
    const c = typed('add user=x password=short', 'set user loginfail=3 lockoutpd=90 manpwdfail=2 minpwdlen=8')
    expect(c.loginLimits).toEqual({ failures: 3, lockoutSeconds: 90, confirmFailures: 2, minimumLength: 8 })
    const script = writeScript(c)
    expect(script).toContain('\nset user loginfail=3 lockoutpd=90 manpwdfail=2 minpwdlen=8\n')
    expect(readScript(script, { values: {} }).faults).toEqual([])
  })

  it('refuse a password shorter than MINPWDLEN, and never show it', () => {
    const c = typed('add user=x password=short', 'set user minpwdlen=8')
    const text = 'PASSWORD: expected 8 characters or more (MINPWDLEN)'
    expect(refusal(c, 'add user=y password=hush')).toEqual([`ADD USER: ${text}`])
    expect(refusal(c, 'set user=x password=hush')).toEqual([`SET USER: ${text}`])
    expect(refusal(c, 'set user=x password=long-enough')).toBe('acted')
    expect(refusal(emptyConfiguration, 'add user=y password=z')).toBe('acted')
  })
})

describe('public keys', () => {
  it('come as OpenSSH writes them; other texts are refused, and long secrets too', () => {
    const c = typed('create enco key=4 type=rsa value="ssh-rsa AAAAB3NzaC1yc2E= me@home"')
    expect(c.encoKeys[0]).toMatchObject({ id: 4, type: 'rsa' })
    expect(refusal(c, 'create enco key=5 type=rsa value=abc')).toHaveLength(1)
    expect(refusal(c, `create enco key=5 type=general value=${'x'.repeat(129)}`)).toEqual([
      'CREATE ENCO KEY: VALUE: expected at most 128 characters',
    ])
  })

  it.each([
    'create enco key=2 type=rsa length=1024',
    'create enco key=2 type=general random',
    'create enco key=2 type=general file=vpn.key',
  ])('are made by no script, which is read at every start: %s', script => {
    const { configuration, faults } = readScript(script, { values: {} })
    expect(configuration.encoKeys).toEqual([])
    expect(faults.map(f => [f.severity, f.text])).toEqual([
      ['warning', 'CREATE ENCO KEY: RANDOM, FILE and LENGTH are for the prompt: nothing was made'],
    ])
  })
})

describe('messages', () => {
  it('have seven digits: severity, module, message', () => {
    expect(messageCode('info', 'firewall', 3)).toBe('1077003')
    expect(messageCode('warning', 'ppp', 1)).toBe('2003001')
    expect(messageCode('error', undefined, 2)).toBe('3035002')
  })

  it('are framed line by line, whatever else stands there, and once only', () => {
    const text = 'Error: a\nWarning: b\nmore: Error: c\nOperation successful.'
    const framed = 'Error (3077005): a\nWarning (2077001): b\nmore: Error: c\nInfo (1077003): Operation successful.'
    expect(frameMessages(text, 'firewall', 5)).toBe(framed)
    expect(frameMessages(framed, 'ip', 4)).toBe(framed)
  })

  it('have a module number each', () => {
    const numbers = Object.values(messageModules)
    // CA and CERTIFICATE are one module.
    expect(new Set(numbers).size).toBe(numbers.length - 1)
    for (const n of numbers) expect(n).toBeGreaterThan(0)
  })
})

describe('SHOW SSH and SHOW ALIAS', () => {
  it('tell what there is', () => {
    const { ssh } = typed('enable ssh server hostkey=3')
    const shown = printSsh({ ...ssh, state: 'listening on 127.0.0.1 port 22', users: 1, sessions: 0 })
    expect(shown).toMatch(/^State \.+ listening on 127\.0\.0\.1 port 22$/m)
    expect(shown).toMatch(/^Login Timeout \.+ 60 s$/m)
    expect(printSshUsers([{ name: 'bob', by: 'key 4', address: '', mask: '', privilege: 'user' }])).toMatch(
      /^bob +key 4 +any +- +user$/m,
    )
    expect(printSshUsers([])).toBe('No SSH users.')
    expect(printAliases([{ name: 'who', string: 'show session' }])).toMatch(/^who +show session$/m)
    expect(printAliases([])).toBe('No aliases.')
    expect(printOperators([])).toBe('Nobody is logged in.')
  })
})
