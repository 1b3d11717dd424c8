import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { Residents } from '../../src/gateway/residents.ts'
import { unusableAddresses } from '../../src/gateway/unusable-addresses.ts'
import { encodeText } from '../../src/packet/bytes.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { concat } from '../../src/packet/writer.ts'

const SCRIPT = `
add user=anna password=apples login=no
add user=ben password=bananas login=no ipaddress=192.168.8.50
create ip pool=mine ip=192.168.8.100-192.168.8.101
create ppp template=1 ippool=mine authentication=chap
create ppp template=2 authentication=chap
set ppp dnsprimary=192.168.8.2 winssecondary=192.168.8.4
`

const caller = (session: number, template: number, peer = session) => ({
  session,
  template,
  peer,
  predecessor: () => undefined,
})

function setUp(script = SCRIPT) {
  const residents = new Residents()
  const configure = (text: string) => {
    const result = readScript(text, { values: {} })
    expect(result.faults.filter(f => f.severity === 'error')).toEqual([])
    residents.configure(result.configuration)
  }
  configure(script)
  const admit = (name: string, password: string, session: number, template = 1) => {
    const challenge = encodeText('sixteen bytes ..')
    const response = createHash('md5')
      .update(concat(Uint8Array.of(7), encodeText(password), challenge))
      .digest()
    const a = residents.admit(
      { method: 'chap-md5', name, identifier: 7, challenge, response },
      caller(session, template),
    )
    return a.kind === 'accepted' ? { ...a, address: formatIpv4(a.address) } : a
  }
  return { residents, admit, configure }
}

describe('residents', () => {
  it('never get an address that nobody can have, which a pool may hold all the same', () => {
    const { configuration } = readScript(SCRIPT.replace('192.168.8.100-192.168.8.101', '192.168.8.0-192.168.8.3'), {
      values: {},
    })
    const residents = new Residents()
    const lan = { address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') }
    expect(unusableAddresses([lan]).map(formatIpv4)).toEqual(['192.168.8.1', '192.168.8.0', '192.168.8.255'])
    const pair = { address: ipv4('192.0.2.6'), mask: ipv4('255.255.255.254') }
    expect(unusableAddresses([pair]).map(formatIpv4)).toEqual(['192.0.2.6'])
    residents.configure(configuration, unusableAddresses([lan, pair]))
    expect(residents.poolStates()).toMatchObject([{ size: 4, free: 2, used: [] }])
    const given = [1, 2, 3].map(session => residents.admitAnyone(caller(session, 1)))
    expect(given.map(a => (a.kind === 'accepted' ? formatIpv4(a.address) : a.reason))).toEqual([
      '192.168.8.2',
      '192.168.8.3',
      'pool-empty',
    ])
  })

  it('have an address from the template’s pool, and give it back', () => {
    const { residents, admit } = setUp()
    expect(admit('anna', 'apples', 1)).toEqual({
      kind: 'accepted',
      user: 'anna',
      address: '192.168.8.100',
      displaced: undefined,
    })
    expect(residents.poolStates()).toEqual([
      {
        name: 'mine',
        first: '192.168.8.100',
        last: '192.168.8.101',
        size: 2,
        free: 1,
        used: [{ address: '192.168.8.100', user: 'anna' }],
      },
    ])
    residents.release(1)
    residents.release(1)
    expect(residents.poolStates()[0]).toMatchObject({ free: 2, used: [] })
  })

  it('are refused for a reason', () => {
    const { admit } = setUp()
    expect(admit('eve', 'x', 1)).toEqual({ kind: 'rejected', reason: 'unknown-user' })
    expect(admit('anna', 'Apples', 1)).toEqual({ kind: 'rejected', reason: 'wrong-password' })
    admit('anna', 'apples', 1)
    admit('ANNA', 'apples', 2)
    expect(admit('anna', 'apples', 3)).toEqual({ kind: 'rejected', reason: 'pool-empty' })
    expect(admit('anna', 'apples', 4, 2)).toEqual({ kind: 'rejected', reason: 'pool-empty' })
  })

  it('with an address of their own have it whatever the template says, the newest login first', () => {
    const { residents, admit } = setUp()
    expect(admit('ben', 'bananas', 1, 2)).toMatchObject({ address: '192.168.8.50', displaced: undefined })
    expect(admit('Ben', 'bananas', 2)).toMatchObject({ address: '192.168.8.50', displaced: 1 })
    // The older session goes, and takes nothing from the newer one.
    residents.release(1)
    expect(admit('ben', 'bananas', 3)).toMatchObject({ displaced: 2 })
  })

  it('that nobody asks who they are live by their peer', () => {
    const { residents } = setUp()
    const a = residents.admitAnyone(caller(1, 1, 5))
    expect(a).toMatchObject({ kind: 'accepted', user: '', address: ipv4('192.168.8.100') })
    residents.release(1)
    residents.admitAnyone(caller(2, 1, 6))
    expect(residents.admitAnyone(caller(3, 1, 5))).toMatchObject({
      address: ipv4('192.168.8.100'),
    })
  })

  it('keep an address that is a user’s own out of the pool', () => {
    const { admit } = setUp(`${SCRIPT}add user=carl password=cherries login=no ipaddress=192.168.8.100\n`)
    expect(admit('anna', 'apples', 1)).toMatchObject({ address: '192.168.8.101' })
    expect(admit('anna', 'apples', 2)).toMatchObject({ reason: 'pool-empty' })
  })

  it('stay where they are when the configuration changes around them', () => {
    const { residents, admit, configure } = setUp()
    admit('anna', 'apples', 1)
    configure(`${SCRIPT}\nadd user=dora password=dates login=no`)
    expect(residents.poolStates()[0]).toMatchObject({ free: 1, used: [{ address: '192.168.8.100', user: 'anna' }] })
    expect(admit('dora', 'dates', 2)).toMatchObject({ address: '192.168.8.101' })
  })

  it('get no address twice when the pool is another one meanwhile', () => {
    const { admit, configure, residents } = setUp()
    admit('anna', 'apples', 1)
    configure(SCRIPT.replace('192.168.8.100-192.168.8.101', '192.168.8.100-192.168.8.102'))
    const next = [admit('anna', 'apples', 2), admit('anna', 'apples', 3)]
    expect(next.map(a => 'address' in a && a.address).sort()).toEqual(['192.168.8.101', '192.168.8.102'])
    residents.release(1)
    expect(admit('anna', 'apples', 4)).toMatchObject({ address: '192.168.8.100' })
  })

  it('know the office’s name servers', () => {
    const { residents } = setUp()
    expect(residents.dns).toEqual([ipv4('192.168.8.2'), undefined])
    expect(residents.wins).toEqual([undefined, ipv4('192.168.8.4')])
  })
})
