/** Commands at the prompt: one at a time, on a configuration that is running. */

import { describe, expect, it } from 'vitest'
import { applyCommand } from '../../src/alliedware/apply.ts'
import type { Configuration } from '../../src/alliedware/config.ts'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import { maskAlias, maskSecrets } from '../../src/alliedware/parse.ts'
import { readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { ipv4 } from '../../src/packet/ip.ts'

/** What the commands make, each of which must be taken. */
function typed(...commands: string[]): Configuration {
  return commands.reduce((configuration, command) => {
    const outcome = applyCommand(configuration, command)
    expect(outcome.faults.filter(f => f.severity === 'error')).toEqual([])
    return outcome.configuration
  }, emptyConfiguration)
}

const refusal = (configuration: Configuration, command: string) => {
  const outcome = applyCommand(configuration, command)
  expect(outcome.kind).toBe('refused')
  expect(outcome.configuration).toBe(configuration)
  return outcome.faults.map(f => f.text)
}

describe('a command at the prompt', () => {
  it('leaves the configuration that it was given as it was', () => {
    const before = typed('add user=anna password=secret1')
    const outcome = applyCommand(before, 'set user=ANNA ip=192.168.8.50 desc="On the road"')
    expect(outcome.kind).toBe('acted')
    expect(before.users[0]!.ipAddress).toBeUndefined()
    expect(outcome.configuration.users[0]).toMatchObject({
      name: 'anna',
      ipAddress: ipv4('192.168.8.50'),
      description: 'On the road',
    })
  })

  it('adds, changes and removes', () => {
    const made = typed('add user=anna password=secret1', 'add user=ben password=secret2', 'delete user=Anna')
    expect(made.users.map(u => u.name)).toEqual(['ben'])
    expect(refusal(made, 'add user=BEN password=x')).toEqual(['ADD USER: user "BEN" exists already'])
    expect(refusal(made, 'delete user=anna')).toEqual(['DELETE USER: user "anna" does not exist'])
    expect(refusal(made, 'set user=ben')[0]).toMatch(/^SET USER: expected PASSWORD/)
  })

  it('makes keys of text and of hexadecimal digits', () => {
    const { encoKeys } = typed(
      'create enco key=1 type=general value=a1b2c3',
      'create enco key=2 type=general value=0xA1B2c3',
    )
    expect([...encoKeys[0]!.value.reveal()]).toEqual([...Buffer.from('a1b2c3')])
    expect([...encoKeys[1]!.value.reveal()]).toEqual([0xa1, 0xb2, 0xc3])
    expect(JSON.stringify(encoKeys)).not.toContain('a1b2c3')
    expect(typed('create enco key=1 type=general value=x', 'destroy enco key=1').encoKeys).toEqual([])
  })

  it('is handed back where it is the gateway that must act', () => {
    const outcome = applyCommand(emptyConfiguration, 'sh ipsec poli=x count')
    expect(outcome).toMatchObject({ kind: 'operation', configuration: emptyConfiguration, faults: [] })
    expect(outcome.command).toMatchObject({
      verb: 'show',
      object: ['ipsec', 'policy'],
      value: 'x',
      args: { counter: true },
    })
  })

  it('is nothing where it is a comment or empty', () => {
    for (const text of ['', '  ', '# x', '*# x']) expect(applyCommand(emptyConfiguration, text).kind).toBe('nothing')
  })

  it('may begin with an alias', () => {
    const made = typed('add alias=ed string="enable isa debug"')
    expect(applyCommand(made, 'ed').command).toMatchObject({
      verb: 'enable',
      object: ['isakmp'],
      args: { debug: true },
    })
    expect(applyCommand(made, 'ED=trace').kind).toBe('refused')
    expect(refusal(typed('add alias=x string=x'), 'x')).toEqual(['unknown command "x"'])
    expect(typed('add alias=ed string="enable ip"', 'ed', 'delete alias=ed')).toMatchObject({
      ip: { enabled: true },
      aliases: [],
    })
  })

  it('is refused where something else needs what it destroys', () => {
    const made = typed(
      'create ip pool=p ip=10.0.0.1-10.0.0.9',
      'create ppp template=1 ippool=p',
      'add l2tp ip=1.1.1.1 ppptemplate=1',
      'create ipsec sas=1 key=isakmp prot=esp encalg=aes128 hashalg=sha',
      'create ipsec bundle=1 key=isakmp string=1',
      'create isakmp policy=r peer=any key=1',
      'create ipsec policy=x int=eth0 action=ipsec key=isakmp bundle=1 isa=r peer=any',
    )
    for (const command of [
      'destroy ip pool=p',
      'destroy ppp template=1',
      'destroy ipsec sas=1',
      'destroy ipsec bundle=1',
      'destroy isakmp policy=r',
    ])
      expect(refusal(made, command)[0]).toContain('is in use by')
  })

  it('knows what class an address without a mask is of', () => {
    const made = typed('add ip int=eth0 ip=10.1.2.3', 'add ip int=eth1 ip=172.16.1.1', 'add ip int=eth2 ip=192.168.1.1')
    expect(made.ip.interfaces.map(i => [i.mask >>> 0, i.classful])).toEqual([
      [ipv4('255.0.0.0'), true],
      [ipv4('255.255.0.0'), true],
      [ipv4('255.255.255.0'), true],
    ])
  })

  it('switches one of ECHO and LQR off when it switches the other on', () => {
    const template = (...commands: string[]) => typed('create ppp template=1', ...commands).pppTemplates[0]!
    expect(template()).toMatchObject({ echoSeconds: undefined, lqrSeconds: 60 })
    expect(template('set ppp template=1 echo=on')).toMatchObject({ echoSeconds: 10, lqrSeconds: undefined })
    expect(template('set ppp template=1 echo=30', 'set ppp template=1 lqr=on')).toMatchObject({
      echoSeconds: undefined,
      lqrSeconds: 60,
    })
  })
})

describe('IPsec policies', () => {
  const order = (c: Configuration) => c.ipsec.policies.map(p => `${p.interface} ${p.position} ${p.name}`)

  it('stand behind each other on their interface unless given a position', () => {
    const made = typed(
      'create ipsec policy=a int=eth0 action=permit',
      'create ipsec policy=b int=eth0 action=deny',
      'create ipsec policy=z int=eth1 action=permit',
      'create ipsec policy=c int=eth0 action=permit position=1',
    )
    expect(order(made)).toEqual(['eth0 1 c', 'eth0 2 a', 'eth0 3 b', 'eth1 1 z'])
    expect(order(applyCommand(made, 'set ipsec policy=b pos=1').configuration)).toEqual([
      'eth0 1 b',
      'eth0 2 c',
      'eth0 3 a',
      'eth1 1 z',
    ])
  })

  it('are at most a hundred on an interface, also after others moved on', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => `create ipsec policy=p${i} int=eth0 action=permit`)
    const full = typed(...hundred)
    const fault = 'at most 100 positions on an interface'
    expect(refusal(full, 'create ipsec policy=last int=eth0 action=deny')).toEqual([`CREATE IPSEC POLICY: ${fault}`])
    expect(refusal(full, 'create ipsec policy=first int=eth0 action=deny pos=1')).toEqual([
      `CREATE IPSEC POLICY: ${fault}`,
    ])
    expect(order(applyCommand(full, 'set ipsec policy=p99 pos=1').configuration).slice(0, 2)).toEqual([
      'eth0 1 p99',
      'eth0 2 p0',
    ])
  })

  it('keep the place of one that waits for its blanks', () => {
    const script = `create ipsec policy=a int=eth0 action=permit lport=500
create ipsec policy=b int=eth0 action=deny peer=<the peer>
create ipsec policy=c int=eth0 action=permit`
    const waiting = readScript(script, { values: {} }).configuration
    expect(order(waiting)).toEqual(['eth0 1 a', 'eth0 3 c'])
    const later = readScript(writeScript(waiting), { values: { 'the peer': '1.2.3.4' } }).configuration
    expect(order(later)).toEqual(['eth0 1 a', 'eth0 2 b', 'eth0 3 c'])
  })

  it('take an address with a mask as the range it stands for', () => {
    const [policy] = typed(
      'create ipsec policy=a int=eth0 action=permit lad=10.1.2.3 lmask=255.255.0.0 rad=1.1.1.1-1.1.1.5',
    ).ipsec.policies
    expect(policy).toMatchObject({
      localAddress: { first: ipv4('10.1.0.0'), last: ipv4('10.1.255.255') },
      remoteAddress: { first: ipv4('1.1.1.1'), last: ipv4('1.1.1.5') },
    })
  })

  it.each([
    ['1 or 2 or 3', [[1], [2], [3]]],
    ['1 AND 3', [[1, 3]]],
    ['1,2 , 3', [[1], [2], [3]]],
    ['1 or 2 and 3, 4', [[1, 3], [2, 3], [4]]],
  ])('offer what a bundle says: %s', (string, alternatives) => {
    expect(typed(`create ipsec bundle=1 key=isakmp string="${string}"`).ipsec.bundles[0]).toMatchObject({
      string,
      alternatives,
    })
  })

  it.each(['', '1 or', '1 2', 'or 1', '256', '1 and 1', '1 and 2 and 3 and 4', ',1'])(
    'refuse the bundle %j',
    string => {
      expect(refusal(emptyConfiguration, `create ipsec bundle=1 key=isakmp string="${string}"`)).toHaveLength(1)
    },
  )
})

describe('the firewall', () => {
  const base = [
    'create fire policy=main',
    'create fire policy=main dy=d',
    'add fire policy=main dy=d user=Anna',
    'add fire policy=main int=vlan1 type=private',
    'add fire policy=main int=eth0 type=public',
    'add fire policy=main nat=enhanced int=vlan1 gblint=eth0',
    'add fire policy=main rule=2 int=eth0 action=allow prot=tcp port=www gblport=8080-8081',
    'add fire policy=main rule=1 int=eth0 action=deny prot=icmp',
  ]

  it('keeps rules by number, and users in lower case', () => {
    const [policy] = typed(...base).firewall.policies
    expect(policy!.rules.map(r => [r.number, r.protocol])).toEqual([
      [1, 1],
      [2, 6],
    ])
    expect(policy!.rules[1]).toMatchObject({ port: { first: 80, last: 80 }, globalPort: { first: 8080, last: 8081 } })
    expect(policy!.dynamics).toEqual([{ name: 'd', users: ['anna'], any: false, none: false }])
  })

  it('changes and removes its members', () => {
    const [policy] = typed(
      ...base,
      'set fire policy=main rule=2 action=deny gblport=all',
      'delete fire policy=main rule=1',
      'delete fire policy=main nat=enhanced int=vlan1 gblint=eth0',
      'delete fire policy=main int=vlan1',
      'delete fire policy=main dy=d user=anna',
      'set fire policy=main tcptimeout=0 udptimeout=5',
    ).firewall.policies
    expect(policy).toMatchObject({
      rules: [{ number: 2, action: 'deny', globalPort: undefined }],
      nats: [],
      interfaces: [{ name: 'eth0' }],
      dynamics: [{ users: [] }],
      tcpTimeoutSeconds: 30,
      udpTimeoutSeconds: 300,
      otherTimeoutSeconds: 1200,
    })
    expect(typed(...base, 'destroy fire policy=main dy=d', 'destroy fire policy=main').firewall.policies).toEqual([])
  })

  it('refuses what it has, what is in use, and a second private side', () => {
    const made = typed(...base, 'create fire policy=other')
    expect(refusal(made, base[6]!)).toEqual(['ADD FIREWALL POLICY: rule 2 exists already'])
    expect(refusal(made, base[5]!)).toEqual(['ADD FIREWALL POLICY: NAT from vlan1 to eth0 exists already'])
    expect(refusal(made, 'delete fire policy=main int=eth0')[0]).toContain('in use')
    expect(refusal(made, 'add fire policy=other int=vlan1 type=private')[0]).toContain('in policy "main" already')
    expect(applyCommand(made, 'add fire policy=other int=eth0 type=public').kind).toBe('acted')
  })
})

describe('what has no effect', () => {
  const held = (...commands: string[]) => typed(...commands).held.map(h => `${h.section}: ${h.text}`)

  it('is held with its keywords written out', () => {
    expect(
      held(
        'add user rso ip=1.2.3.4',
        'ADD RAD SE=1.2.3.4 SEC=abc',
        'add snmp community=public manager=1.2.3.4',
        'enable telnet server',
      ),
    ).toEqual([
      'USER: add user rso ip=1.2.3.4',
      'USER: add radius server=1.2.3.4 secret=abc',
      'SNMP: add snmp community=public manager=1.2.3.4',
      'OTHER: enable telnet server',
    ])
  })

  it('goes when its counterpart comes', () => {
    expect(held('enable telnet server', 'disable telnet server')).toEqual(['OTHER: disable telnet server'])
    expect(refusal(emptyConfiguration, 'del ssh user=bob')).toEqual(['DELETE SSH USER: SSH user "bob" does not exist'])
  })

  it('is held beside its object, the last value of each parameter, until that is gone', () => {
    const commands = ['create ppp template=1 vjc=off magic=on', 'set ppp template=1 vjc=on']
    expect(held(...commands)).toEqual(['PPP: set ppp template=1 magic=on', 'PPP: set ppp template=1 vjc=on'])
    expect(held(...commands, 'destroy ppp template=1')).toEqual([])
  })

  it('is shown with its secrets masked', () => {
    expect(maskSecrets('add ssh user=bob password="two words" ipaddress=1.2.3.4')).toBe(
      'add ssh user=bob password=*** ipaddress=1.2.3.4',
    )
    expect(maskSecrets('add user=x pass=<your password> ip=<that>')).toBe(
      'add user=x password=<your password> ipaddress=<that>',
    )
    expect(maskSecrets('add user=x pass=hush ip=<that>')).toBe('add user=x password=*** ipaddress=<that>')
    expect(maskSecrets('add snmp community=hush')).toBe('add snmp community=***')
    expect(maskSecrets('nonsense hush')).toBe('***')
  })

  it.each([
    ['enable isa debug', 'enable isa debug'],
    ['sh log tail=5 mod="a b"', 'sh log tail=5 mod="a b"'],
    ['add user=bob pass=hush login=no', 'add user=bob password=*** login=no'],
    ['create enco key=1 type=general val=hush', 'create enco key=1 type=general value=***'],
    // Beginnings of commands, which are none by themselves.
    ['login=no pass=hush', 'login=no pass=***'],
    ['set user="x y" colour=red pa=hush', 'set user="x y" colour=red pa=***'],
    ['va="hush hush"', 'va=***'],
    ['set snmp traps community=hush', 'set snmp traps community=***'],
    ['add user=bob password =hush', 'add user=bob password =***'],
    ['add user=bob pass="hush', 'add user=bob pass=***'],
  ])('are masked in an alias for %j', (text, shown) => {
    expect(maskAlias(text)).toBe(shown)
    const line = maskSecrets(`add alias=x string="${text.replaceAll('"', '""')}"`)
    expect(line).not.toContain('hush')
  })
})

describe('a command with blanks', () => {
  const waiting = typed('add user=x pass=<pw>', 'set user=x login=yes')

  it('waits, and so does what depends on it', () => {
    expect(waiting.users).toEqual([])
    expect(waiting.inert).toEqual([
      { line: 1, text: 'add user=x pass=<pw>', placeholders: ['pw'] },
      { line: 1, text: 'set user=x login=yes', placeholders: ['pw'] },
    ])
  })

  it('is done with when it is typed again in full', () => {
    const { configuration } = applyCommand(waiting, 'add user=X pass=secret')
    expect(configuration.users.map(u => u.name)).toEqual(['X'])
    expect(configuration.inert.map(i => i.text)).toEqual(['set user=x login=yes'])
  })

  it('goes when what it would make is deleted', () => {
    expect(applyCommand(waiting, 'delete user=x').configuration.inert).toEqual([])
  })

  it('has effect at once where a value is at hand', () => {
    expect(applyCommand(emptyConfiguration, 'add user=x pass=<pw>', { PW: 'abc' }).configuration.users).toHaveLength(1)
  })
})
