/** What is wrong with a script is said, all of it, each with its line, and never with a secret in it. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatFault, readScript } from '../../src/alliedware/script.ts'

const faults = (text: string, values = {}) => readScript(text, { values, keys: [1] }).faults.map(formatFault)

describe('a PPP template that lets clients in', () => {
  const faults = (authentication: string) =>
    readScript(`create ppp template=1 bap=off${authentication}\nadd l2tp ip=1.1.1.1 ppptemplate=1`, { values: {} })
      .faults

  it('is worth a warning where it asks nobody who they are, or for PAP', () => {
    expect(faults(' authentication=chap')).toEqual([])
    expect(faults('')).toMatchObject([
      { line: 1, severity: 'warning', text: expect.stringContaining('without AUTHENTICATION') },
    ])
    expect(faults(' authentication=pap')).toMatchObject([
      { line: 1, severity: 'warning', text: expect.stringContaining('PAP is not spoken') },
    ])
  })
})

describe('a mistyped verb', () => {
  const faults = (text: string) => readScript(text, { values: {} }).faults.map(f => `${f.line}: ${f.text}`)

  it('is told by its own line, behind a short command and behind one as long as a page', () => {
    expect(faults('enable l2tp\nfrobnicate everything')).toEqual(['2: unknown command "frobnicate"'])
    const long = 'create ipsec sas=1 key=isakmp protocol=esp encalg=aes128 hashalg=sha mode=transport'
    expect(faults(`${long}\nbogus thing`)).toEqual(['2: unknown command "bogus"'])
    const wrong = long.replace('aes128', 'blowfish')
    expect(faults(`${wrong}\nbogus thing`).map(f => f.slice(0, 22))).toEqual([
      '1: CREATE IPSEC SASPEC',
      '2: unknown command "bo',
    ])
  })
})

describe('faults', () => {
  it.each([
    [
      'create ipsec sas=1 key=isakmp prot=esp encalg=blowfish hashalg=sha',
      'CREATE IPSEC SASPECIFICATION: ENCALG=blowfish: expected DES, 3DESOUTER, 3DES2KEY, 3DESINNER, AES128, AES192, AES256, AESGCM128, AESGCM192, AESGCM256, NULL',
    ],
    [
      'create ipsec sas=256 key=isakmp prot=esp',
      'CREATE IPSEC SASPECIFICATION: SASPECIFICATION=256: expected a number from 0 to 255',
    ],
    ['frobnicate user=x', 'unknown command "frobnicate"'],
    ['set', 'SET: expected SYSTEM, HELP, USER, '],
    ['set ipsec', 'SET IPSEC: expected SASPECIFICATION, BUNDLESPECIFICATION, POLICY'],
    ['create ip pool', 'CREATE IP POOL: a value is missing: POOL=...'],
    ['disable user', 'DISABLE USER: a value is missing: USER=...'],
    ['enable ip=3', 'ENABLE IP: takes no value'],
    ['create ip pool=p', 'CREATE IP POOL: IP is missing'],
    [
      'create ip pool=p ip=1.1.1.9-1.1.1.1',
      'CREATE IP POOL: IP=1.1.1.9-1.1.1.1: expected an IP address or a range such as 192.168.8.100-192.168.8.199, the lower one first',
    ],
    ['create ip pool=p ip=1.1.1.1 ip=1.1.1.2', 'CREATE IP POOL: IP is given twice'],
    ['create ip pool=p ip=1.1.1.1 colour=red', 'CREATE IP POOL: "colour" is not a parameter; expected IP'],
    [
      'create ip pool=a-name-of-16-char ip=1.1.1.1',
      'CREATE IP POOL: POOL=a-name-of-16-char: expected a name of 1 to 15 characters',
    ],
    [
      'add ip int=eth0 ip=1.2.3.4 mask=255.0.255.0',
      'ADD IP INTERFACE: MASK=255.0.255.0: expected a netmask such as 255.255.255.0',
    ],
    ['add ip int=eth0 ip=dhcp', 'ADD IP INTERFACE: IPADDRESS=DHCP: give the address that the host has on it'],
    ['set system name="IPsec', 'SET: a quote is not closed'],
    ['create ppp template=1 echo=30 lqr=30', 'CREATE PPP TEMPLATE: ECHO and LQR exclude each other: switch one OFF'],
    ['create ppp template=32', 'CREATE PPP TEMPLATE: TEMPLATE=32: expected a number from 0 to 31'],
    ['set user=nobody login=no', 'SET USER: user "nobody" does not exist'],
    ['add user=x', 'ADD USER: PASSWORD is missing'],
    ['create enco key=1 type=des value=0x0102', 'CREATE ENCO KEY: VALUE: expected 8 bytes for DES, found 2'],
    [
      'create enco key=1 type=general value=0x012',
      'CREATE ENCO KEY: VALUE: expected pairs of hexadecimal digits behind 0x',
    ],
    ['create enco key=1 type=general', 'CREATE ENCO KEY: VALUE is missing, or RANDOM, or FILE'],
    [
      'create ipsec bundle=1 key=isakmp string="1 and"',
      'CREATE IPSEC BUNDLESPECIFICATION: STRING=1 and: expected up to 100 characters',
    ],
    ['create isakmp policy=x peer=any key=1 xauth=server', 'CREATE ISAKMP POLICY: XAUTH=server: expected NONE'],
    [
      'create isakmp policy=x peer=1.2.3.400',
      'CREATE ISAKMP POLICY: PEER=1.2.3.400: expected ANY or an IP address or a host name',
    ],
    [
      'create ipsec policy=x int=eth0 action=permit lmask=255.0.0.0',
      'CREATE IPSEC POLICY: LMASK: expected with a single LADDRESS',
    ],
    ['create ipsec policy=x int=eth0 action=permit icmptype=ndall', 'CREATE IPSEC POLICY: ICMPTYPE=NDALL is of IPv6'],
    ['add fire policy=main int=eth0 type=public', 'ADD FIREWALL POLICY: firewall policy "main" does not exist'],
    ['delete ip pool=p', 'DELETE IP "pool": expected '],
  ])('%s', (command, fault) => {
    const [first, ...more] = faults(`\n${command}`)
    expect(first?.startsWith(`line 2: ${fault}`), first).toBe(true)
    expect(more).toEqual([])
  })

  it('of a quote that another command seems to close are told by the line that left it open', () => {
    expect(faults('set system name="office\ncreate ipsec policy="a" int=eth0 action=permit\nenable ip')).toEqual([
      'line 1: SET: a quote is not closed',
    ])
    expect(faults('set system name="the\nset of offices"\nenable ip')).toEqual([])
  })

  it('are collected, in the order of their lines', () => {
    expect(
      faults('enable ip\n\nfoo\n\ncreate ip pool=p ip=x colour=y\nenable bar\n').map(f => f.replace(/:.*/, '')),
    ).toEqual(['line 3', 'line 5', 'line 5', 'line 6'])
  })

  it('name references that lead nowhere, where they are made', () => {
    const text = `
create ppp template=1 lqr=off ippool=nowhere
add l2tp ip=1.1.1.1 ppptemplate=7
create ipsec sas=1 key=isakmp prot=esp
create ipsec bundle=1 key=isakmp string="1 or 2"
create ipsec policy=p int=eth0 action=ipsec key=isakmp bundle=2 isa=r peer=any
create ipsec policy=q int=eth0 action=ipsec
create isakmp policy=s peer=any key=9
create isakmp policy=t peer=any
create fire policy=main
add fire policy=main int=dyn-x type=private
add fire policy=main rule=1 int=eth7 action=allow prot=udp
add fire policy=main nat=enhanced int=dyn-x gblint=eth9`
    expect(faults(text)).toEqual([
      'line 2: PPP template "1": IP pool "nowhere" does not exist',
      'line 3: L2TP range "1.1.1.1": PPP template "7" does not exist',
      'line 4: SA specification "1": ESP needs ENCALG and HASHALG',
      'line 5: bundle specification "1": SA specification "2" does not exist',
      'line 6: warning: IPsec policy "p": "p" has ACTION=IPSEC for UDP port 500, so no client can connect by it: put one with ACTION=PERMIT and LPORT=500 first',
      'line 6: warning: IPsec policy "p": "p" has ACTION=IPSEC for UDP port 4500, so no client can connect by it: put one with ACTION=PERMIT and LPORT=4500 first',
      'line 6: IPsec policy "p": bundle specification "2" does not exist',
      'line 6: IPsec policy "p": ISAKMP policy "r" does not exist',
      'line 7: IPsec policy "q": ACTION=IPSEC needs a BUNDLESPECIFICATION',
      'line 7: IPsec policy "q": ACTION=IPSEC needs KEYMANAGEMENT',
      'line 8: warning: ISAKMP policy "s": ENCO key 9 does not exist (yet): its negotiations fail without it',
      'line 9: warning: ISAKMP policy "t": has no KEY: its negotiations will fail',
      'line 11: firewall interface "main dyn-x": firewall template "x" does not exist',
      'line 12: firewall rule "main 1": firewall interface "eth7" does not exist',
      'line 13: firewall NAT "main dyn-x eth9 ": firewall interface "eth9" does not exist',
    ])
  })

  it('tell of IPsec policies in an order that protects nothing, or keeps IKE out', () => {
    const note = `create ipsec sas=1 key=isakmp prot=esp encalg=3desouter hashalg=sha mode=transport
create ipsec bundle=1 key=isakmp string="1"
create ipsec policy=isakmp int=eth0 action=permit lport=500
create ipsec policy=float int=eth0 action=permit lport=4500
create ipsec policy=vpn int=eth0 action=ipsec key=isakmp bundle=1 peer=any lport=1701 transport=udp
create ipsec policy=internet int=eth0 action=permit
`
    expect(faults(note)).toEqual([])
    expect(faults(`${note}set ipsec policy=internet position=1`)).toEqual([
      'line 7: warning: IPsec policy "internet": comes before "vpn" and matches L2TP as well, so nothing is ever protected: move it behind',
    ])
    expect(faults(`${note}set ipsec policy=internet lport=80\ndestroy ipsec policy=float`)).toEqual([
      'line 5: warning: IPsec policy "vpn": no policy of eth0 lets UDP port 4500 pass, so no client can connect by it: put one with ACTION=PERMIT and LPORT=4500 first',
    ])
  })

  it('tell of AES-GCM with a hash beside it', () => {
    const of = (words: string) => faults(`create ipsec sas=1 key=isakmp prot=esp mode=transport ${words}`)
    expect(of('encalg=aesgcm256 hashalg=sha')).toEqual([
      'line 1: SA specification "1": AESGCM is its own HASHALG: leave it out',
    ])
    expect(of('encalg=aesgcm256')).toEqual([])
    expect(of('encalg=aesgcm128 hashalg=null')).toEqual([])
  })

  it('are only warnings where what is missing waits for its blanks', () => {
    expect(
      faults(
        'create ppp template=1 lqr=off ippool=p\ncreate ip pool=p ip=x.x.x.x\nadd l2tp ip=1.1.1.1 ppptemplate=2\ncreate ppp template=2 mtu=<mtu>',
      ),
    ).toEqual([
      'line 1: warning: PPP template "1": IP pool "p" waits for placeholders to be filled',
      'line 3: warning: L2TP range "1.1.1.1": PPP template "2" waits for placeholders to be filled',
    ])
  })

  it('refuse a firewall rule that could not be held to its limits', () => {
    expect(
      faults(
        'create fire policy=main\nadd fire policy=main int=eth0 type=public\nadd fire policy=main rule=1 int=eth0 action=allow prot=all natmask=255.255.255.0',
      ),
    ).toEqual(['line 3: ADD FIREWALL POLICY: NATMASK is not supported: name ranges of addresses'])
  })

  it('tell of commands that mean nothing in a script', () => {
    expect(faults('create conf=vpn.cfg')).toEqual([
      'line 1: warning: a command for the prompt: it does nothing in a script',
    ])
  })

  it('also come from values that a site file fills in', () => {
    expect(faults('create ip pool=p ip=<range>', { range: 'everything' })).toEqual([
      'line 1: CREATE IP POOL: IP=everything: expected an IP address or a range such as 192.168.8.100-192.168.8.199, the lower one first',
    ])
  })
})

describe('a secret', () => {
  const secret = fc
    .string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 40 })
    .map(s => `Zq${s.replace(/\s/g, '_')}qZ`)

  it.each([
    (s: string) => `add user=x password=${s} nonsense`,
    (s: string) => `add user=x nonsense password=${s}`,
    (s: string) => `add user=x password= ${s} login=no`,
    (s: string) => `add user=x password=my ${s}`,
    (s: string) => `add user=x pasword=${s}`,
    (s: string) => `add user=x passwort=${s}`,
    (s: string) => `add user=x password="my ${s}`,
    (s: string) => `add user=x password=${s} password=${s}`,
    (s: string) => `add user=x password=${s.repeat(30)} login=perhaps`,
    (s: string) => `set user=x password=${s}`,
    (s: string) => `create enco key=1 type=general value=${s} colour=red`,
    (s: string) => `create enco key=1 type=general value=0x${s}`,
    (s: string) => `create enco key=1 type=aes128 value=${s}`,
    (s: string) => `create enco key=1 type=general\nval ${s}`,
    (s: string) => `add radius server=1.2.3.4 secret=${s} port=none`,
    (s: string) => `add radius server=<server> secret=a ${s}`,
    (s: string) => `add ssh user=x password=${s} ipaddress=here`,
    (s: string) => `create ppp template=1 username=x password=${s} mtu=no`,
    (s: string) => `set l2tp password=${s} window=wide`,
    (s: string) => `enable snmp community=${s}`,
  ])('is in no fault: %s', command => {
    fc.assert(
      fc.property(secret, s => {
        const all = faults(command(s)).join('\n')
        expect(all).not.toContain(s.slice(0, 6))
        expect(all).not.toContain('Zq')
      }),
      { numRuns: 60 },
    )
  })

  it('is in no fault where a site file has it', () => {
    const text = 'add user=x password=<it> login=maybe\nadd user=y password=a<it> <it>'
    expect(faults(text, { it: 'hush'.repeat(20) }).join()).not.toContain('hush')
  })
})
