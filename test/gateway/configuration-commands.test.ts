/** Scripts in flash, the one to start with, and taking another into use on a running gateway. */

import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { Flash } from '../../src/gateway/flash.ts'
import { load } from '../../src/gateway/loading.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { withoutLines } from '../alliedware/plain.ts'
import { windowsXp } from '../support/profiles.ts'
import { flashWorld as gateway } from './operators.ts'
import { OFFICE } from './world.ts'

describe('the lines of a script', () => {
  it('are added, changed and taken away at the prompt, and shown without secrets', async () => {
    const g = await gateway()
    await g.done('add script=NEW.scp text="show user"')
    await g.done('add script=new.scp text="add user=x pass=hush-hush login=no"')
    await g.done('add script=new.scp line=1 text="# users"')
    expect(g.flash.read('new.scp')).toBe('# users\nshow user\nadd user=x pass=hush-hush login=no\n')
    expect((await g.done('show script=new.scp')).text).not.toContain('hush')
    await g.done('set script=new.scp line=2 text="show alias"')
    await g.done('delete script=new.scp line=3')
    expect(g.flash.read('new.scp')).toBe('# users\nshow alias\n')
    expect((await g.done('activate script=new.scp')).text).toContain('show session')
    expect((await g.type('set script=new.scp line=9 text=x')).text).toContain('has 2 lines')
    expect((await g.type('add script=new.scp line=4 text=x')).exit).toBe(1)
    expect((await g.type('delete script=none.scp line=1')).text).toContain('does not exist')
    expect(g.configuration().held.some(h => h.text.includes('script'))).toBe(false)
  })
})

describe('an alias with a password in it', () => {
  it('is shown without it wherever it is shown, and saved with it', async () => {
    const g = await gateway()
    await g.done('add alias=bob string="add user=bob password=hush-hush login=no"')
    const shown = [
      await g.done('show alias'),
      await g.done('show config dynamic'),
      await g.done('create config=vpn.cfg'),
      await g.done('show file=vpn.cfg'),
      await g.done('delete alias=bob'),
      await g.done('reload config=vpn.cfg'),
    ]
    for (const { text, data } of shown) expect(text + JSON.stringify(data)).not.toContain('hush')
    expect(shown[0]!.data).toContainEqual({ name: 'bob', string: 'add user=bob password=*** login=no' })
    expect(shown[5]!.text).toContain('+ add alias=bob string="add user=bob password=*** login=no"')
    expect(g.lines.join('\n')).not.toContain('hush')
    expect(g.flash.read('vpn.cfg')).toContain('password=hush-hush')
    await g.done('bob')
    expect(g.configuration().users.map(u => u.name)).toContain('bob')
  })
})

describe('a firewall list in a file', () => {
  it('is read when it is added, saved by its name, and read again with the script', async () => {
    const g = await gateway()
    const addresses = () => g.configuration().firewall.policies[0]!.lists.map(l => l.addresses.length)
    expect((await g.type('add firewall policy=main list=far file=far.txt type=ip')).text).toMatch(/does not exist/)
    g.flash.write('far.txt', '198.51.100.7\n')
    await g.done('add firewall policy=main list=far file=far.txt type=ip')
    g.flash.write('users.txt', 'anna\n')
    await g.done('add firewall policy=main dynamic=roaming file=users.txt')
    expect(addresses()).toEqual([1])
    await g.done('create config=vpn.cfg')
    expect(g.flash.read('vpn.cfg')).toContain('add firewall policy=main list=far file=far.txt type=ip\n')
    g.flash.write('far.txt', '198.51.100.7\n10.0.0.0/8\n')
    await g.done('reload config=vpn.cfg')
    expect(addresses()).toEqual([2])
    expect((await g.done('show firewall policy')).text).toContain('List : far\n  File : far.txt, 2 entries\n')
    for (const command of ['delete file=far.txt', 'rename users.txt others.txt'])
      expect((await g.type(command)).text).toContain('the firewall reads a list from it')
    g.flash.write('far.txt', 'nonsense\n')
    const refused = await g.type('reload config=vpn.cfg')
    expect(refused.text).toMatch(/file "far.txt": line 1: expected an IP address/)
    expect(addresses()).toEqual([2])
  })
})

describe('CREATE CONFIG', () => {
  it('writes a script of mode 0600 that builds what runs, passwords and all', async () => {
    const g = await gateway()
    await g.done('create config=VPN.cfg')
    const path = join(g.state, 'flash', 'vpn.cfg')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(g.state, 'flash')).mode & 0o777).toBe(0o700)
    const text = readFileSync(path, 'utf8')
    expect(text).toMatch(/^# File written 04:05:06 on 03-Feb-2026 \(UTC\) by Floatgate /)
    const { configuration, faults } = readScript(text, { values: {}, keys: [1] })
    expect(faults.filter(f => f.severity === 'error')).toEqual([])
    expect(withoutLines(configuration)).toEqual(withoutLines(g.configuration()))
    expect(writeScript(configuration)).toContain('password=apples')
    expect(g.lines.join('\n')).not.toContain('apples')
  })

  it('writes what would not load with a warning, but never what the gateway starts with', async () => {
    const g = await gateway()
    expect((await g.done('create ipsec bundle=7 key=isakmp string=99')).text).toMatch(
      /^Warning \(2081001\): bundle specification "7": SA specification "99" does not exist$/m,
    )
    const half = await g.done('create config=half.cfg')
    expect(half.text).toMatch(
      /Warning \(2049001\): .*half\.cfg: line \d+: bundle specification "7": SA specification "99"/,
    )
    expect((await g.type('set config=half.cfg')).exit).toBe(1)
    await g.done('destroy ipsec bundle=7')
    await g.done('create config=vpn.cfg')
    await g.done('set config=vpn.cfg')
    const before = g.flash.read('vpn.cfg')
    await g.done('create ipsec bundle=7 key=isakmp string=99')
    const refused = await g.type('create config=vpn.cfg')
    expect(refused.exit).toBe(1)
    expect(refused.text).toContain('the gateway starts with it: nothing was written')
    expect(g.flash.read('vpn.cfg')).toBe(before)
    expect(g.lines.filter(l => l.includes('written to vpn.cfg')).length).toBe(1)
  })

  it.each([
    ['create config=vpn.hlp', /NAME\.cfg or NAME\.scp/],
    ['create config=../vpn.cfg', /expected a file name/],
    ['create config=/etc/passwd', /expected a file name/],
  ])('"%s" is refused', async (text, why) => {
    const g = await gateway()
    const answer = await g.type(text)
    expect(answer.exit).not.toBe(0)
    expect(answer.text).toMatch(why)
    expect(g.flash.list()).toEqual([])
  })
})

describe('SET CONFIG', () => {
  it('chooses what the next start takes, until NONE', async () => {
    const g = await gateway()
    expect(g.flash.boot).toBeUndefined()
    expect((await g.type('set config=vpn.cfg')).text).toContain('does not exist')
    await g.done('create config=vpn.cfg')
    await g.done('set config=vpn.cfg')
    expect(new Flash(g.state).boot).toBe(join(g.state, 'flash', 'vpn.cfg'))
    expect((await g.done('show config')).text).toContain('vpn.cfg (exists)')
    expect((await g.type('delete file=vpn.cfg')).text).toContain('SET CONFIG first')
    await g.done('set config=none')
    expect(new Flash(g.state).boot).toBeUndefined()
    await g.done('copy vpn.cfg boot.cfg')
    expect(new Flash(g.state).boot).toBe(join(g.state, 'flash', 'boot.cfg'))
  })

  it('takes no script that would keep the gateway from starting', async () => {
    const g = await gateway()
    g.flash.write('bad.cfg', 'frobnicate\nadd user=x')
    const answer = await g.type('set config=bad.cfg')
    expect(answer.exit).toBe(1)
    expect(answer.text).toMatch(/bad\.cfg: line 1: unknown command[\s\S]*bad\.cfg: line 2: .*PASSWORD is missing/)
    expect(g.flash.chosen).toBeUndefined()
  })

  it('says so where --config makes it vain', async () => {
    const g = await gateway(true)
    await g.done('create config=vpn.cfg')
    expect((await g.done('set config=vpn.cfg')).text).toContain('started with --config')
  })
})

describe('SHOW CONFIG DYNAMIC', () => {
  it('is the whole script, or the sections of the modules that it names, in their order', async () => {
    const g = await gateway()
    const titles = async (text: string) =>
      [...(await g.done(text)).text.matchAll(/^# (.*) configuration$/gm)].map(m => m[1])
    expect(await titles('show config dynamic')).toHaveLength(13)
    expect(await titles('show config dynamic=isakmp,ip')).toEqual(['IP', 'IPSEC'])
    expect(await titles('show config dynamic=fire')).toEqual(['FIREWALL'])
    expect((await g.type('show config dynamic=nonsense')).text).toContain('expected a list of modules')
  })

  it('shows nobody a password, whatever it belongs to', async () => {
    const g = await gateway()
    await g.done('add ssh user=secoff password=hush-ssh')
    await g.done('add radius server=192.168.8.4 secret=hush-radius')
    await g.done('set l2tp password=hush-l2tp')
    await g.done('create log output=3 destination=email to=a@b.example password=hush-mail')
    const { text, data } = await g.done('show config dynamic')
    expect(text.match(/=\*\*\*/g)).toHaveLength(6 + 4)
    for (const secret of ['hush', 'apples', 'seven-seals']) {
      expect(text).not.toContain(secret)
      expect(JSON.stringify(data)).not.toContain(secret)
    }
  })
})

describe('FLUSH LOG', () => {
  it('empties what SHOW LOG shows', async () => {
    const g = await gateway()
    await g.done('set system name=Other')
    expect((await g.done('show log')).text).toContain('Configuration changed')
    await g.done('flush log')
    expect((await g.done('show log')).text).not.toContain('Configuration changed')
    expect((await g.type('flush log output=permanent')).text).toContain('keeps nothing')
  })
})

describe('files', () => {
  it('are listed, shown without secrets, copied, renamed and deleted', async () => {
    const g = await gateway()
    await g.done('create config=one.cfg')
    await g.done('set config=one.cfg')
    await g.done('copy one.cfg two.cfg')
    await g.done('rename flash:one.cfg three.cfg')
    expect(g.flash.chosen).toBe('three.cfg')
    expect((await g.done('show file')).data).toMatchObject([{ name: 'three.cfg' }, { name: 'two.cfg' }])
    const shown = await g.done('show file=two.cfg')
    expect(shown.text).toContain('add user=anna password=***')
    expect(shown.text).toContain('create ipsec policy="roaming"')
    for (const secret of ['apples', 'bananas', 'seven-seals']) {
      expect(shown.text).not.toContain(secret)
      expect(JSON.stringify(shown.data)).not.toContain(secret)
    }
    expect((await g.type('copy two.cfg three.cfg')).text).toContain('exists already')
    expect((await g.type('copy two.cfg ../x.cfg')).text).toContain('NAME.EXT')
    expect((await g.type('copy two.cfg')).text).toContain('two file names')
    expect((await g.type('rename none.cfg x.cfg')).text).toContain('does not exist')
    await g.done('delete file=two.cfg')
    expect((await g.type('show file=two.cfg')).exit).toBe(1)
    expect((await g.type('delete file=two.cfg')).exit).toBe(1)
  })

  it.each(['edit vpn.cfg', 'load method=tftp file=x.cfg server=192.168.8.2', 'upload file=x.cfg', 'restart reboot'])(
    '"%s" says what to do instead',
    async text => {
      const g = await gateway()
      const answer = await g.type(text)
      expect(answer.exit).toBe(1)
      expect(answer.text).toMatch(/on the host|systemctl/)
    },
  )

  it('are for security officers in security mode', async () => {
    const g = await gateway()
    await g.done('create config=vpn.cfg')
    await g.done('enable system security')
    const manager = g.operator({ account: 'mgr' })
    for (const text of ['show file=vpn.cfg', 'copy vpn.cfg x.cfg', 'rename vpn.cfg x.cfg', 'delete file=vpn.cfg'])
      expect((await g.type(text, manager)).text, text).toContain('only a security officer')
    for (const text of [
      'create config=x.cfg',
      'set config=vpn.cfg',
      'reload',
      'restart router',
      'activate script=vpn.cfg',
    ])
      expect((await g.type(text, manager)).text, text).toContain('only a security officer')
    expect(g.flash.list().map(f => f.name)).toEqual(['vpn.cfg'])
  })
})

describe('RELOAD', () => {
  it('takes the whole script, and prints what changed', async () => {
    const g = await gateway()
    writeFileSync(g.script, OFFICE.replace('password=bananas', 'password=berries').replace('echo=30', 'echo=60'))
    const guest = g.world.guest({ profile: windowsXp, user: 'anna', password: 'apples', address: ipv4('203.0.113.77') })
    g.world.connect(guest)
    const { text, data } = await g.done('reload')
    expect(text).toContain('- add user=ben password=*** login=no\n')
    expect(text).toContain('+ add user=ben password=*** login=no\n')
    expect(text).toMatch(/- create ppp template=1 .*echo=30[\s\S]*\+ create ppp template=1 .*echo=60/)
    expect(text).toContain('- add alias=who string="show session"')
    expect(text).not.toMatch(/bananas|berries/)
    expect(JSON.stringify(data)).not.toMatch(/bananas|berries/)
    expect(g.configuration().pppTemplates[0]!.echoSeconds).toBe(60)
    g.world.advance(100_000)
    expect(guest.client.phase).toBe('up')
    expect((await g.done('reload')).text).toContain('No command differs.')
  })

  it('with CHECK only tells', async () => {
    const g = await gateway()
    const before = g.configuration()
    expect((await g.done('reload check')).text).toContain('- add alias=who')
    expect(g.configuration()).toBe(before)
  })

  it('of a script with faults lists them all, and changes nothing', async () => {
    const g = await gateway()
    const before = g.configuration()
    writeFileSync(g.script, `${OFFICE}\nfrobnicate\nadd user=anna password=x login=no\nset ppp template=9 echo=1`)
    const answer = await g.type('reload')
    expect(answer.exit).toBe(1)
    expect(answer.text).toMatch(
      /: unknown command "frobnicate"[\s\S]*exists already[\s\S]*PPP template "9" does not exist/,
    )
    expect(answer.text.match(/^Error \(\d+\): .*gateway\.cfg: line \d+: /gm)).toHaveLength(3)
    expect(g.configuration()).toBe(before)
    expect((await g.type('reload config=none.cfg')).text).toContain('does not exist')
  })

  it('warns of a script with passwords that others may read', async () => {
    const g = await gateway()
    chmodSync(g.script, 0o644)
    expect((await g.done('reload')).text).toContain('others may read it')
    writeFileSync(g.script, 'set system name=Bare', { mode: 0o644 })
    const places = { script: g.script, site: join(g.state, 'site.json'), siteGiven: false }
    expect(load(places, { keys: [], users: [] }).faults).toEqual([])
  })
})

describe('RESTART ROUTER and ACTIVATE SCRIPT', () => {
  it('start over with another script, and everybody dials again', async () => {
    const g = await gateway()
    const guest = g.world.guest({ profile: windowsXp, user: 'anna', password: 'apples', address: ipv4('203.0.113.77') })
    g.world.connect(guest)
    g.flash.write('other.cfg', OFFICE.replace('name=Gate', 'name=Other'))
    await g.done('restart router config=other.cfg')
    g.world.advance(2000)
    expect(guest.client.phase).not.toBe('up')
    expect(g.configuration().systemName).toBe('Other')
    expect(g.flash.chosen).toBeUndefined()
    expect((await g.done('show config')).text).toContain('other.cfg')
  })

  it('type the lines of a file, faults and all', async () => {
    const g = await gateway()
    g.flash.write(
      'more.scp',
      '# two good lines\nset system name=Lines\nfrobnicate\nactivate script=more.scp\nadd alias=pp string="show ppp"\n',
    )
    const answer = await g.type('activate script=more.scp')
    expect(answer.exit).toBe(2)
    expect(answer.text).toMatch(/^line 3: Error \(3035002\): unknown command[\s\S]*line 4: .*activates no script$/)
    expect(g.configuration().systemName).toBe('Lines')
    expect(g.configuration().aliases.map(a => a.name)).toContain('pp')
    expect((await g.type('activate script=none.scp')).exit).toBe(1)
  })
})
