/** Every short form resolves to the keyword meant at its place, and no two keywords of one place claim the same one. */

import { describe, expect, it } from 'vitest'
import { type Keyword, keyword, resolve, resolveVerb, verbs } from '../../src/alliedware/keyword.ts'
import { commandText, parseCommand } from '../../src/alliedware/parse.ts'
import { commandTable } from '../../src/alliedware/table.ts'

/** The command with its keywords written out, or its faults. */
function written(text: string): string {
  const result = parseCommand(text)
  return result.kind === 'command' ? commandText(result.command) : result.faults.join('; ')
}

describe('a keyword', () => {
  it('is as short as its capitals', () => {
    expect(keyword('POLicy')).toEqual({ name: 'policy', minimum: 3 })
    expect(keyword('3DESOuter')).toEqual({ name: '3desouter', minimum: 5 })
    expect(keyword('LAC')).toEqual({ name: 'lac', minimum: 3 })
  })

  it('is found by any prefix that is long enough, in any case', () => {
    const keywords = ['POLicy', 'POSition'].map(keyword)
    expect(resolve('PoLi', keywords)?.name).toBe('policy')
    expect(resolve('po', keywords)).toBeUndefined()
    expect(resolve('policys', keywords)).toBeUndefined()
    expect(resolve('', keywords)).toBeUndefined()
  })

  it('wins when typed in full although it begins another', () => {
    expect(resolve('sha', ['SHa', 'SHA256'].map(keyword))?.name).toBe('sha')
    expect(resolve('sha256', ['SHa', 'SHA256'].map(keyword))?.name).toBe('sha256')
  })

  it('is left open where two are equally right', () => {
    expect(resolve('a', [keyword('Alpha'), keyword('Beta'), keyword('Apple')])).toBeUndefined()
  })
})

describe('verbs', () => {
  it.each([
    ['sh', 'show'],
    ['ena', 'enable'],
    ['dis', 'disable'],
    ['disc', 'disconnect'],
    ['del', 'delete'],
    ['des', 'destroy'],
    ['cre', 'create'],
    ['se', 'set'],
    ['logi', 'login'],
    ['logon', 'login'],
    ['lo', 'logoff'],
    ['logout', 'logoff'],
    ['res', 'reset'],
    ['rest', 'restart'],
  ])('%s is %s', (short, full) => {
    expect(resolveVerb(short)).toBe(full)
  })

  it.each(['d', 'address', 'addresses', 'used', 'the', 'hop', 'IPSec', 'lqr=off'])('%s is none', word => {
    expect(resolveVerb(word)).toBeUndefined()
  })
})

describe('the commands of the note', () => {
  it.each([
    ['sh conf dyn', 'show config dynamic'],
    ['sh log', 'show log'],
    ['sh fire event', 'show firewall event'],
    ['sh isakmp sa', 'show isakmp sa'],
    ['sh ipsec sa', 'show ipsec sa'],
    ['sh isakmp exchange', 'show isakmp exchange'],
    ['sh ipsec poli=to_hq count', 'show ipsec policy=to_hq counter'],
    ['sh ipsec poli', 'show ipsec policy'],
    ['sh debug', 'show debug'],
    ['ena isakmp debug=state', 'enable isakmp debug=state'],
    ['ena isakmp debug=trace', 'enable isakmp debug=trace'],
    ['ena isakmp debug', 'enable isakmp debug'],
    ['enable isa debug', 'enable isakmp debug'],
    ['dis isakmp debug=all', 'disable isakmp debug=all'],
    ['dis isa debug', 'disable isakmp debug'],
    ['enable ipsec poli debug=all', 'enable ipsec policy debug=all'],
    ['ena ipsec poli=tunnel debug=all', 'enable ipsec policy=tunnel debug=all'],
    ['del user=manager', 'delete user=manager'],
    ['create conf=vpn.cfg', 'create config=vpn.cfg'],
    ['set conf=vpn.cfg', 'set config=vpn.cfg'],
    ['set ip local ip=0.0.0.0', 'set ip local ipaddress=0.0.0.0'],
    ['login secoff', 'login secoff'],
    ['enable system security', 'enable system security'],
    ['create fire policy=main dy=dynamic', 'create firewall policy=main dynamic=dynamic'],
    ['create fire pol=main', 'CREATE FIREWALL "pol": expected POLICY'],
    ['add fire policy=main dy=d user=any', 'add firewall policy=main dynamic=d user=any'],
    ['add fire poli=main int=vlan1 type=private', 'add firewall policy=main interface=vlan1 type=private'],
    [
      'add fire policy=main nat=enh int=vlan1 gblint=eth0',
      'add firewall policy=main nat=enhanced interface=vlan1 gblinterface=eth0',
    ],
    [
      'add fire policy=main rule=1 int=eth0 ac=allow prot=udp po=500 gblip=1.2.3.4 gblp=500 encap=ipsec',
      'add firewall policy=main rule=1 interface=eth0 action=allow protocol=udp port=500 gblip=1.2.3.4 gblport=500 encapsulation=ipsec',
    ],
    [
      'add user=x pass=y priv=securityOfficer lo=yes desc=z',
      'add user=x password=y privilege=securityofficer login=yes description=z',
    ],
    ['add l2tp ip=1.1.1.1-2.2.2.2 pptemplate=1', 'add l2tp ip=1.1.1.1-2.2.2.2 ppptemplate=1'],
    ['add l2tp ip=1.1.1.1-2.2.2.2 ppptemplate=1', 'add l2tp ip=1.1.1.1-2.2.2.2 ppptemplate=1'],
    [
      'create ipsec sas=4 key=isakmp prot=esp encalg=des hashalg=md5 mode=tra',
      'create ipsec saspecification=4 keymanagement=isakmp protocol=esp encalg=des hashalg=md5 mode=transport',
    ],
    [
      'create ipsec bund=1 key=isa str="1 or 2"',
      'create ipsec bundlespecification=1 keymanagement=isakmp string="1 or 2"',
    ],
    [
      'set ipsec pol=x transport=udp lp=1701 rp=any lad=any lma=255.0.0.0 rad=any rma=255.0.0.0',
      'set ipsec policy=x transportprotocol=udp lport=1701 rport=any laddress=any lmask=255.0.0.0 raddress=any rmask=255.0.0.0',
    ],
    [
      'create ipsec policy="x" int=eth0 ac=ipsec key=isa bund=1 isa="roaming1" peer=any',
      'create ipsec policy=x interface=eth0 action=ipsec keymanagement=isakmp bundlespecification=1 isakmppolicy=roaming1 peeraddress=any',
    ],
    ['create isakmp policy=r peer=any key=1', 'create isakmp policy=r peer=any key=1'],
    [
      'set isa pol=r sendd=true localid=local natt=on',
      'set isakmp policy=r senddeletes=true localid=local nattraversal=on',
    ],
    [
      'add ip route=0.0.0.0 mask=0.0.0.0 int=eth0 next=1.2.3.4',
      'add ip route=0.0.0.0 mask=0.0.0.0 interface=eth0 nexthop=1.2.3.4',
    ],
    ['create enco key=1 type=general value=abc', 'create enco key=1 type=general value=abc'],
    ['enable l2tp server=both', 'enable l2tp server=both'],
    ['reset session=7', 'reset session=7'],
    ['reset user=anna', 'reset user=anna'],
    ['reset isakmp policy', 'reset isakmp policy'],
    ['show session', 'show session'],
    ['sh att tail=5', 'show attempt tail=5'],
    ['?', 'unknown command "?"'],
  ])('%s', (short, full) => {
    expect(written(short)).toBe(full)
  })
})

describe('the short forms that manuals print', () => {
  it.each([
    [
      'create ipsec policy',
      'INTerface ACtion IPVersion BUNDlespecification DFBit GROup ICmptype IPROUtetemplate ISAkmppolicy KEYmanagement LADdress LMAsk LNAme LPort PEERaddress POSition RADdress RESPondbadspi RMAsk RNAme RPort SASElectorfrompkt SRCInterface TRAnsportprotocol UDPHeartbeat UDPPort UDPTunnel USEPFSKey',
    ],
    [
      'create ipsec saspecification',
      'KEYmanagement PROTocol ENCalg HAShalg COMPalg MODe ANTIReplayenabled REPlaywindowsize ENCKey HASHKey INSpi OUTSpi',
    ],
    ['create ipsec bundlespecification', 'KEYmanagement STRing EXPIRYKbytes EXPIRYSeconds'],
  ])('are taken in %s', (command, printed) => {
    const [verb, ...path] = command.split(' ')
    const entry = commandTable.find(e => e.verb === verb && e.path.map(w => w.name).join(' ') === path.join(' '))!
    for (const word of printed.split(' ')) {
      const short = word.replace(/[a-z].*$/, '')
      expect(resolve(short, entry.parameters)?.name, word).toBe(word.toLowerCase())
    }
  })

  it.each([
    [
      'cre ips sas=1 key=is prot=es enc=des has=sh mod=tr',
      'create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=des hashalg=sha mode=transport',
    ],
    [
      'cre ips pol=x int=eth0 ac=pe tra=ud lp=op rp=an usepfsk=t udpt=f',
      'create ipsec policy=x interface=eth0 action=permit transportprotocol=udp lport=opaque rport=any usepfskey=true udptunnel=false',
    ],
    ['add fire poli=main', 'ADD FIREWALL POLICY: expected'],
  ])('in %s', (short, full) => {
    expect(written(short).startsWith(full)).toBe(true)
  })
})

describe('the table', () => {
  /** Pairs of keywords that some typed word would stand for equally well. */
  function clashes(place: string, keywords: readonly Keyword[]): string[] {
    const found: string[] = []
    for (const [i, a] of keywords.entries()) {
      for (const b of keywords.slice(i + 1)) {
        if (a.name === b.name) {
          if (a.minimum !== b.minimum) found.push(`${place}: ${a.name} with two minima`)
          continue
        }
        const minimum = Math.max(a.minimum, b.minimum)
        const short = a.name.slice(0, minimum)
        // A keyword typed in full is itself, whatever it begins.
        if (b.name.slice(0, minimum) === short && short !== a.name && short !== b.name)
          found.push(`${place}: ${a.name} and ${b.name} as ${short}`)
      }
    }
    return found
  }

  it('has no two verbs with one short form', () => {
    expect(clashes('verbs', verbs)).toEqual([])
  })

  it('has no two objects, and no two parameters, of one place with one short form', () => {
    const objects = new Map<string, Keyword[]>()
    const found: string[] = []
    for (const { verb, path, parameters } of commandTable) {
      path.forEach((word, depth) => {
        const place = [verb, ...path.slice(0, depth).map(w => w.name)].join(' ')
        objects.set(place, [...(objects.get(place) ?? []), word])
      })
      found.push(...clashes([verb, ...path.map(w => w.name)].join(' '), parameters))
    }
    for (const [place, words] of objects) found.push(...clashes(place, words))
    expect(found).toEqual([])
  })

  it('can reach each of its entries', () => {
    for (const entry of commandTable) {
      expect(resolveVerb(entry.verb), entry.verb).toBe(entry.verb)
      for (const need of entry.needs) expect(entry.parameters.map(p => p.name)).toContain(need)
      if (entry.selector) expect(entry.parameters.map(p => p.name)).toContain(entry.selector)
    }
  })
})
