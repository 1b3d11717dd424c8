/** Lists and templates of the firewall out of files of flash. */

import { describe, expect, it } from 'vitest'
import { readAddresses, readHardware, readUsers } from '../../src/alliedware/list-file.ts'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { interfaceOfUser } from '../../src/firewall/zones.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const FILES: Readonly<Record<string, string>> = {
  'friends.txt': '# who may\r\n198.51.100.7 their mail server\n\n10.0.0.1-10.0.0.9\n  192.0.2.77/24\n198.51.100.7\n',
  'cards.txt': '; the LAN\n00-11-22-33-44-55\n00:11:22:AA:bb:cc notebook\n',
  'staff.txt': 'Alice\nben the second\n#carl\n',
  'empty.txt': '# nobody\n',
  'wrong.txt': '10.0.0.1\nten\n',
}
const POLICY = `create fire poli=main
create fire poli=main dy=staff
add fire poli=main int=dyn-staff ty=private
add fire poli=main int=eth0 ty=public
`

function read(commands: string, files = FILES) {
  const result = readScript(`${POLICY}${commands}`, { values: {}, files: name => files[name] })
  const { configuration } = result
  return {
    faults: result.faults.map(f => formatFault(f)),
    policy: configuration.firewall.policies[0]!,
    firewall: configuration.firewall,
    written: writeScript(configuration),
  }
}

describe('a file', () => {
  it('has addresses, ranges and networks, a line each, and no comments', () => {
    const range = (first: string, last: string) => ({ first: ipv4(first), last: ipv4(last) })
    expect(readAddresses(FILES['friends.txt']!)).toEqual({
      entries: [
        range('198.51.100.7', '198.51.100.7'),
        range('10.0.0.1', '10.0.0.9'),
        range('192.0.2.0', '192.0.2.255'),
      ],
    })
    expect(readAddresses('10.0.0.1 - 10.0.0.9 with blanks\n0.0.0.0/0')).toEqual({
      entries: [range('10.0.0.1', '10.0.0.9'), range('0.0.0.0', '255.255.255.255')],
    })
  })

  it.each(['ten', '10.0.0.9-10.0.0.1', '10.0.0.1/33', '10.0.0.1-10.0.0.2/8', '10.0.0.300'])(
    'is no list with %s in it',
    line => {
      expect(readAddresses(`10.0.0.1\n\n${line}`)).toEqual({ fault: expect.stringMatching(/^line 3: expected an IP/) })
    },
  )

  it('has Ethernet addresses in either spelling', () => {
    expect(readHardware(FILES['cards.txt']!)).toEqual({ entries: ['00:11:22:33:44:55', '00:11:22:aa:bb:cc'] })
    for (const wrong of ['00:11-22:33:44:55', '00:11:22:33:44', '0011.2233.4455', 'drop; accept'])
      expect(readHardware(wrong)).toHaveProperty('fault')
  })

  it('has users, and not too many', () => {
    expect(readUsers(FILES['staff.txt']!)).toEqual({ entries: ['alice', 'ben the second'] })
    const many = Array.from({ length: 10_001 }, (_, i) => `user${i}`).join('\n')
    expect(readUsers(many)).toEqual({ fault: 'it has more than 10000 entries' })
    expect(readUsers('# nobody')).toEqual({ fault: 'there is nothing in it' })
  })
})

describe('LIST= FILE=', () => {
  it('has what is in the file, and is written back by its name', () => {
    const { faults, policy, written } = read(
      'add fire poli=main lis=friends fi=flash:FRIENDS.TXT ty=ip\nadd fire poli=main list=cards file=cards.txt type=add',
    )
    expect(faults).toEqual([])
    expect(policy.lists).toMatchObject([
      { name: 'friends', file: 'friends.txt' },
      { name: 'cards', file: 'cards.txt', addresses: [], hardware: ['00:11:22:33:44:55', '00:11:22:aa:bb:cc'] },
    ])
    expect(policy.lists[0]!.addresses).toHaveLength(3)
    expect(written).toContain('add firewall policy=main list=friends file=friends.txt type=ip\n')
    expect(written).toContain('add firewall policy=main list=cards file=cards.txt type=address\n')
    expect(written).not.toContain('198.51.100.7')
  })

  it('is one list, of one file, changed by the file', () => {
    const add = 'add fire poli=main list=friends file=friends.txt type=ip\n'
    expect(read(`${add}${add}`).faults.join()).toMatch(/exists already/)
    expect(read(`${add}add fire poli=main list=friends ip=10.0.0.1`).faults.join()).toMatch(/is in a file/)
    expect(read(`${add}del fire poli=main list=friends ip=10.0.0.1`).faults.join()).toMatch(/is in a file/)
    expect(read(`${add}del fire poli=main list=friends`).policy.lists).toEqual([])
    const used = 'add fire poli=main rul=1 ac=deny int=eth0 prot=all list=friends\n'
    expect(read(`${add}${used}del fire poli=main list=friends`).faults.join()).toMatch(/in use by rule 1/)
  })

  it.each([
    ['file=none.txt type=ip', /file "none.txt": it does not exist/],
    ['file=empty.txt type=ip', /file "empty.txt": there is nothing in it/],
    ['file=wrong.txt', /file "wrong.txt": line 2: expected an IP address/],
    ['file=friends.txt type=address', /file "friends.txt": line 2: expected an Ethernet address/],
    ['file=friends.txt ip=10.0.0.1', /expected IP, or FILE/],
    ['ip=10.0.0.1 type=address', /TYPE=ADDRESS is for FILE/],
    ['type=ip', /expected IP, or FILE/],
  ])('refuses %s', (what, fault) => {
    expect(read(`add fire poli=main list=x ${what}`).faults.join()).toMatch(fault)
  })
})

describe('DYNAMIC= FILE=', () => {
  it('takes the users in the file beside those that are named', () => {
    const { faults, firewall, written } = read(
      'add fire poli=main dy=staff us=dora\nadd fire poli=main dy=staff fi=staff.txt',
    )
    expect(faults).toEqual([])
    const zone = (user: string) => interfaceOfUser(firewall, user)
    expect(['alice', 'ALICE', 'Ben The Second', 'dora'].map(zone)).toEqual(new Array(4).fill('dyn-staff'))
    expect(['carl', '', 'ben'].map(zone)).toEqual([undefined, undefined, undefined])
    expect(written).toContain('add firewall policy=main dynamic=staff user=dora\n')
    expect(written).toContain('add firewall policy=main dynamic=staff file=staff.txt\n')
  })

  it('reads the file anew with each ADD, and forgets it', () => {
    const add = 'add fire poli=main dy=staff file=staff.txt\n'
    expect(read(`${add}${add}`).policy.dynamics[0]!.files).toHaveLength(1)
    expect(read(`${add}del fire poli=main dy=staff file=staff.txt`).policy.dynamics[0]).toEqual({
      name: 'staff',
      users: [],
      any: false,
      none: false,
    })
    expect(read('add fire poli=main dy=staff').faults.join()).toMatch(/expected USER or FILE/)
    expect(read('del fire poli=main dy=staff').faults.join()).toMatch(/expected USER or FILE/)
    expect(read('add fire poli=main dy=staff file=none.txt').faults.join()).toMatch(/does not exist/)
  })
})
