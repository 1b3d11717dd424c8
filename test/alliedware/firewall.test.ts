/** Firewall commands: rules by every field, lists, and what ENABLE and DISABLE switch. */

import { describe, expect, it } from 'vitest'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { ICMP_KINDS } from '../../src/firewall/policy.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const POLICY = `create fire poli=main
create fire poli=main dy=staff
add fire poli=main dy=staff us=alice
add fire poli=main int=dyn-staff ty=private
add fire poli=main int=eth0 ty=public
`

function read(commands: string) {
  const result = readScript(`${POLICY}${commands}`, { values: {}, keys: [] })
  return {
    faults: result.faults.map(f => formatFault(f)),
    policy: result.configuration.firewall.policies[0]!,
    written: writeScript(result.configuration),
  }
}

function rule(fields: string) {
  const { faults, policy } = read(`add fire poli=main rul=1 ac=allow int=eth0 prot=tcp ${fields}`)
  expect(faults).toEqual([])
  return policy.rules[0]!
}

describe('a rule', () => {
  it('has days, hours and a time to live', () => {
    expect(rule('day=weekday')).toMatchObject({ days: [1, 2, 3, 4, 5] })
    expect(rule('days=sat,SUN,mon')).toMatchObject({ days: [0, 1, 6] })
    expect(rule('days=weekday,weekend').days).toBeUndefined()
    expect(rule('after=8:00 before=17:30')).toMatchObject({ afterMinute: 480, beforeMinute: 1050 })
    expect(rule('ttl=1:30')).toMatchObject({ ttlSeconds: 5400 })
  })

  it('with a time to live is never saved', () => {
    expect(read('add fire poli=main rul=1 ac=allow int=eth0 prot=tcp ttl=0:30').written).not.toContain('rule=1')
    expect(read('add fire poli=main rul=1 ac=allow int=eth0 prot=tcp days=sun').written).toContain('rule=1')
  })

  it('has a user, a group and a list, in small letters, wherever the list is made', () => {
    const list = '\nadd fire poli=main list=Friends ip=198.51.100.7'
    expect(rule(`us=Alice gro=STAFF lis=friends${list}`)).toMatchObject({
      user: 'alice',
      group: 'staff',
      list: 'friends',
    })
  })

  it('translates as it says', () => {
    const change = 'set fire poli=main rul=1 ac=nat'
    const add = 'add fire poli=main rul=1 ac=nat int=dyn-staff prot=all'
    expect(read(`${add} ip=10.0.0.1-10.0.0.4 gblip=203.0.113.8-203.0.113.11 natt=st`).policy.rules[0]).toMatchObject({
      natType: 'standard',
      globalIp: { first: ipv4('203.0.113.8'), last: ipv4('203.0.113.11') },
    })
    expect(read(`${add} rem=10.0.0.9 gblre=198.51.100.9 natt=rev\n${change}`).faults).toEqual([])
    for (const [fields, text] of [
      ['natt=st ip=10.0.0.1-10.0.0.2 gblip=203.0.113.8', 'as large'],
      ['natt=st gblip=203.0.113.8', 'as large'],
      ['natt=rev rem=10.0.0.9', 'need one another'],
      ['rem=10.0.0.9 gblre=198.51.100.9', 'need one another'],
      ['natt=double', 'not supported'],
      ['lis=radius', 'not supported'],
      ['ttl=0:00', 'longer'],
    ]) {
      expect(read(`${add} ${fields}`).faults.join()).toContain(text)
    }
    expect(read('add fire poli=main rul=1 ac=allow int=eth0 prot=all natt=enh').faults.join()).toContain('ACTION=NAT')
  })

  it('names only lists and groups that are there', () => {
    expect(read('add fire poli=main rul=1 ac=deny int=eth0 prot=all list=friends').faults.join()).toContain('"friends"')
    expect(read('add fire poli=main rul=1 ac=deny int=eth0 prot=all group=friends').faults.join()).toContain(
      '"friends"',
    )
  })

  it.each(['days=monday', 'after=24:00', 'before=8', 'before=12:60', 'ttl=soon', 'nattype=both'])(
    'refuses %s',
    field => {
      expect(read(`add fire poli=main rul=1 ac=deny int=eth0 prot=all ${field}`).faults).toHaveLength(1)
    },
  )
})

describe('a list', () => {
  const add = 'add fire poli=main list=friends ip='

  it('grows and shrinks, and is gone with its last address', () => {
    const first = { first: ipv4('10.0.0.1'), last: ipv4('10.0.0.3') }
    const both = `${add}10.0.0.1-10.0.0.3\n${add}10.0.0.9\n`
    expect(read(both).policy.lists).toEqual([
      { name: 'friends', addresses: [first, { first: ipv4('10.0.0.9'), last: ipv4('10.0.0.9') }] },
    ])
    expect(read(`${both}del fire poli=main list=friends ip=10.0.0.9`).policy.lists[0]?.addresses).toEqual([first])
    expect(read(`${add}10.0.0.1\ndel fire poli=main list=friends ip=10.0.0.1`).policy.lists).toEqual([])
    expect(read(`${both}del fire poli=main list=friends`).policy.lists).toEqual([])
  })

  it('is not taken away from under a rule', () => {
    const used = `${add}10.0.0.1\nadd fire poli=main rul=1 ac=deny int=eth0 prot=all list=friends\n`
    expect(read(`${used}del fire poli=main list=friends`).faults.join()).toContain('in use by rule 1')
    expect(read(`${used}del fire poli=main list=friends ip=10.0.0.1`).faults.join()).toContain('in use by rule 1')
    expect(read(`${add}10.0.0.1\n${add}10.0.0.1`).faults.join()).toContain('has that already')
    expect(read('del fire poli=main list=friends').faults.join()).toContain('friends')
  })
})

describe('FTPDATAPORT', () => {
  it('asks for the one helper, and takes that back', () => {
    expect(read('').policy.ftpDataPort).toBeUndefined()
    expect(read('set fire poli=main ftpd=rfc').policy.ftpDataPort).toBe('rfc')
    expect(read('set fire poli=main ftpd=any\nset fire poli=main ftpd=none tcp=5').policy).toMatchObject({
      ftpDataPort: undefined,
      tcpTimeoutSeconds: 300,
    })
  })
})

describe('timeouts', () => {
  it('are by protocol, and by ports of UDP', () => {
    const add = 'add fire poli=main udpp='
    const { policy, written, faults } = read(
      `set fire poli=main esp=10\n${add}514\n${add}123 timeo=0\n${add}53 timeo=DEF`,
    )
    expect(faults).toEqual([])
    expect(policy).toMatchObject({
      espTimeoutSeconds: 600,
      udpPortTimeouts: [
        { port: 53, seconds: undefined },
        { port: 123, seconds: 30 },
        { port: 514, seconds: undefined },
      ],
    })
    expect(written).toContain('esptimeout=10\n')
    expect(written).toContain('add firewall policy=main udpporttimeout=123 timeout=0\n')
    expect(written).toContain('add firewall policy=main udpporttimeout=53 timeout=default\n')
  })

  it('of a port change and go', () => {
    const add = 'add fire poli=main udpp=123 timeo=5\n'
    expect(read(`${add}set fire poli=main udpp=123 timeo=7`).policy.udpPortTimeouts).toEqual([
      { port: 123, seconds: 420 },
    ])
    expect(read(`${add}del fire poli=main udpp=123`).policy.udpPortTimeouts).toEqual([])
    expect(read(`${add}${add}`).faults.join()).toMatch(/already/)
    expect(read('set fire poli=main udpp=123 timeo=7').faults.join()).toMatch(/does not exist/)
    expect(read('del fire poli=main udpp=123').faults.join()).toMatch(/does not exist/)
    expect(read('add fire poli=main udpp=0').faults).toHaveLength(1)
  })
})

describe('what a policy passes', () => {
  it('is switched kind by kind', () => {
    expect(read('').policy).toMatchObject({ icmpForwarding: ICMP_KINDS, ping: false, isolation: false })
    expect(read('dis fire poli=main icmp_f=all\nena fire poli=main icmp_f=unr,ping').policy.icmpForwarding).toEqual([
      'ping',
      'unreachable',
    ])
    expect(read('dis fire poli=main op=rec fra=udp').policy).toMatchObject({
      ipOptions: ['security', 'timestamp', 'router_alert'],
      fragments: ['icmp', 'other'],
    })
    expect(read('ena fire poli=main ping iso').policy).toMatchObject({ ping: true, isolation: true })
    const accounts = read('ena fire poli=main acc')
    expect(accounts.policy.accounting).toBe(true)
    expect(accounts.written).toContain('enable firewall policy=main accounting\n')
    expect(read('ena fire poli=main acc\ndis fire poli=main acc').policy.accounting).toBe(false)
    expect(read('ena fire poli=main ping\ndis fire poli=main ping').policy.ping).toBe(false)
  })

  it('leaves other options of ENABLE held', () => {
    const { faults, written } = read('enable fire poli=main log=deny\nset fire poli=main icmptimeout=3 ftpdataport=any')
    expect(faults).toEqual([])
    expect(written).toContain('log=deny')
    expect(written).toContain('icmptimeout=3')
    expect(written).toContain('ftpdataport=any')
  })

  it('warns of source routing, in both words for it', () => {
    for (const word of ['sourcerouting', 'sourceroute', 'sou'])
      expect(read(`ena fire poli=main options=${word}`).faults.join()).toContain('never forwarded')
  })

  it('knows the router alert', () => {
    expect(read('dis fire poli=main op=rou').policy.ipOptions).toEqual(['record_route', 'security', 'timestamp'])
  })
})

describe('what the router had besides', () => {
  it.each([
    'add fire monitor=1 ip=10.0.0.1 copyto=vlan1 applyto=private',
    'ena fire monitor',
    'ena fire sessionreport',
    'ena fire sipalg',
    'set fire poli=main upnp=enabled',
    'dis fire poli=main tcpsetupproxy',
  ])('is held: %s', command => {
    const { faults, written } = read(command)
    expect(faults).toEqual([])
    expect(written).toMatch(
      /(add|set|enable|disable) firewall( policy="?main"?)? ?(monitor|sessionreport|sipalg|upnp|tcpsetupproxy)/,
    )
  })

  it.each([
    ['add fire poli=main prox=smtp int=vlan1 gblint=eth0 direction=both', /no proxies/],
    ['add fire poli=main httpfilter=f.txt direction=out', /no proxies/],
    ['set fire poli=main smtpdomain=example.org', /no proxies/],
    ['add fire poli=main apprule=1 action=deny int=eth0 application=ftp command=put', /into FTP/],
  ])('is refused where it filters: %s', (command, why) => {
    expect(read(command).faults.join()).toMatch(why)
  })
})

describe('a limit rule', () => {
  const add = 'add fire poli=main limit=7 srci=20'

  it('has its session limit, interface and addresses, and is written back', () => {
    const { faults, policy, written } = read(
      `${add} int=eth0 ip=10.0.0.1-10.0.0.9 gblr=198.51.100.7\n${add.replace('7', '3')}`,
    )
    expect(faults).toEqual([])
    expect(policy.limitRules).toEqual([
      { number: 3, sessions: 20, interface: undefined, ip: undefined, globalRemoteIp: undefined },
      {
        number: 7,
        sessions: 20,
        interface: 'eth0',
        ip: { first: ipv4('10.0.0.1'), last: ipv4('10.0.0.9') },
        globalRemoteIp: { first: ipv4('198.51.100.7'), last: ipv4('198.51.100.7') },
      },
    ])
    expect(written).toContain(
      'add firewall policy=main limitrule=7 srciplimit=20 interface=eth0 ip=10.0.0.1-10.0.0.9 gblremoteip=198.51.100.7\n',
    )
  })

  it('changes and goes', () => {
    expect(read(`${add}\nset fire poli=main lim=7 srci=0`).policy.limitRules).toMatchObject([{ sessions: 0 }])
    expect(read(`${add}\ndel fire poli=main lim=7`).policy.limitRules).toEqual([])
    expect(read(`${add}\n${add}`).faults.join()).toMatch(/exists already/)
    expect(read('set fire poli=main lim=7 srci=0').faults.join()).toMatch(/does not exist/)
    expect(read('del fire poli=main lim=7').faults.join()).toMatch(/does not exist/)
    expect(read(`${add} int=vlan9`).faults.join()).toMatch(/vlan9/)
    expect(read(`${add} int=eth0\ndel fire poli=main int=eth0`).faults.join()).toMatch(/in use/)
    expect(read('add fire poli=main lim=1').faults.join()).toMatch(/SRCIPLIMIT/)
    const many = Array.from({ length: 101 }, (_, i) => add.replace('7', String(i + 1))).join('\n')
    expect(read(many).faults.join()).toMatch(/at most 100/)
  })
})

describe('what the firewall looks out for', () => {
  it('has its triggers, written where they are not the usual ones', () => {
    const set = read('set fire poli=main at=por in=20 tim=5\nset fire poli=main attack=land out=3')
    expect(set.faults).toEqual([])
    expect(set.policy.attacks).toEqual({
      portscan: { inTrigger: 20, outTrigger: 200, detail: 5, timeMinutes: 5 },
      land: { inTrigger: 1, outTrigger: 3, detail: 5, timeMinutes: 2 },
    })
    expect(set.written).toContain(
      'set firewall policy=main attack=portscan intrigger=20 outtrigger=200 detail=5 time=5\n',
    )
    const back = read('set fire poli=main attack=land out=3\nset fire poli=main attack=land out=1')
    expect(back.policy.attacks).toEqual({})
    expect(read('set fire poli=main attack=spam in=3').faults.join()).toMatch(/no proxy for mail/)
  })

  it('logs what was asked, and no longer', () => {
    expect(read('ena fire poli=main log=deny,inatcp').policy.log).toEqual(['deny', 'inatcp'])
    const less = read('ena fire poli=main log=deny,inatcp,outddudp\ndis fire poli=main log=deny')
    expect(less.policy.log).toEqual(['inatcp', 'outddudp'])
    expect(less.written).toContain('enable firewall policy=main log=inatcp,outddudp\n')
    expect(read('ena fire poli=main log=inatc').faults.join()).toMatch(/INATCP/)
  })

  it('logs with bytes by direction', () => {
    expect(read('ena fire poli=main log=inddump,outddtcp').policy.log).toEqual(['inddump', 'outddtcp'])
  })

  it('counts fragments as it is told', () => {
    const set = readScript('set fire maxf=20', { values: {}, keys: [] })
    expect(set.configuration.firewall.maxFragments).toBe(20)
    expect(writeScript(set.configuration)).toMatch(/set firewall maxfragments=20\n/)
    expect(read('set fire maxf=7').faults.join()).toMatch(/8 to 50/)
  })

  it('tells managers, unless that is disabled', () => {
    expect(read('').written).not.toMatch(/notify/)
    expect(read('dis fire not=man').written).toContain('disable firewall notify=manager\n')
    expect(read('dis fire not=all\nena fire not=manager').written).not.toMatch(/notify/)
    expect(read('ena fire not=snmp,mail').faults.join()).toMatch(
      /NOTIFY=SNMP,MAIL is not kept: notices go to managers and to the log/,
    )
    const script = readScript(`${POLICY}dis fire not=man`, { values: {}, keys: [] }).configuration
    const again = readScript(writeScript(script), { values: {}, keys: [] }).configuration
    expect(again.firewall).toEqual(script.firewall)
  })
})
