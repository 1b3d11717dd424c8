import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { type NftablesInput, nftablesDelete, nftablesNotice, nftablesTable } from '../../src/firewall/nftables.ts'
import type { Firewall } from '../../src/firewall/policy.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { firewall, INTERNET, LAN_HOST, OFFICE_RULES, one, port, rule, SURROUNDINGS } from './office.ts'

function input(rules: Firewall, change: Partial<NftablesInput> = {}): NftablesInput {
  return {
    firewall: rules,
    tableName: 'floatgate_test',
    devices: { eth0: 'wan', vlan1: 'lan' },
    interfaces: SURROUNDINGS.interfaces,
    tunDevice: 'fg0',
    ports: [500, 4500],
    ...change,
  }
}

/** The lines of one chain, trimmed. */
function chain(text: string | undefined, name: string): string[] {
  const lines = (text ?? '').split('\n').map(l => l.trim())
  const at = lines.indexOf(`chain ${name} {`)
  return at < 0 ? [] : lines.slice(at + 1, lines.indexOf('}', at))
}

/** The chain for what is forwarded from one device to another, or ''. */
function jump(text: string | undefined, from: string, to: string): string {
  const entrance = new RegExp(`"${from}" (?:: )?goto (from_\\d+)`).exec(chain(text, 'forward').join(' '))?.[1] ?? ''
  const line = chain(text, entrance).find(l => l.startsWith(`oifname "${to}"`))
  return line?.split(' ').at(-1) ?? ''
}

const elaborate = firewall({
  rules: [
    ...OFFICE_RULES,
    rule({ number: 10, action: 'deny', interface: 'eth0', remoteIp: { first: INTERNET, last: INTERNET + 3 } }),
    rule({
      number: 11,
      action: 'allow',
      interface: 'eth0',
      protocol: 6,
      ip: one(LAN_HOST),
      port: port(80),
      globalIp: one(ipv4('203.0.113.1')),
      globalPort: port(8080),
    }),
    rule({ number: 12, action: 'allow', interface: 'eth0', port: port(5000, 5010), sourcePort: port(1024, 65535) }),
    rule({ number: 13, action: 'allow', interface: 'eth0', protocol: 17, port: port(0, 65535) }),
    rule({ number: 20, action: 'deny', interface: 'vlan1', protocol: 6, port: port(25) }),
    rule({ number: 21, action: 'nonat', interface: 'vlan1', remoteIp: one(INTERNET) }),
    rule({ number: 22, action: 'nat', interface: 'vlan1', ip: one(LAN_HOST), globalIp: one(ipv4('203.0.113.9')) }),
  ],
  nats: [
    { kind: 'enhanced', interface: 'vlan1', ip: undefined, globalInterface: 'eth0', globalIp: undefined },
    {
      kind: 'enhanced',
      interface: 'dyn-dynamic',
      ip: undefined,
      globalInterface: 'eth0',
      globalIp: one(ipv4('203.0.113.2')),
    },
    {
      kind: 'standard',
      interface: 'vlan1',
      ip: one(ipv4('192.168.8.30')),
      globalInterface: 'eth0',
      globalIp: one(ipv4('203.0.113.30')),
    },
    {
      kind: 'standard',
      interface: 'vlan1',
      ip: undefined,
      globalInterface: 'eth0',
      globalIp: { first: ipv4('203.0.113.40'), last: ipv4('203.0.113.49') },
    },
  ],
})

describe('when there is a table', () => {
  test('none for a disabled firewall or one without policies', () => {
    expect(nftablesTable(input({ ...firewall(), enabled: false }))).toBeUndefined()
    expect(nftablesTable(input({ enabled: true, policies: [] }))).toBeUndefined()
    expect(nftablesNotice(input({ enabled: true, policies: [] }))).toBeUndefined()
  })

  test('the operator is told by which devices new connections are refused', () => {
    expect(nftablesNotice(input(firewall()))).toContain('eth0 (wan)')
  })

  test('names that would be more than names are refused', () => {
    expect(() => nftablesTable(input(firewall(), { tableName: 'x { }' }))).toThrow(RangeError)
    expect(() => nftablesTable(input(firewall(), { devices: { eth0: 'a"; drop' } }))).toThrow(RangeError)
    expect(() => nftablesDelete('a b')).toThrow(RangeError)
  })
})

describe('the office of the note', () => {
  const text = nftablesTable(input(firewall()))

  test('is made anew in one transaction', () => {
    expect(text?.split('\n').slice(0, 3)).toEqual([
      'table inet floatgate_test',
      'delete table inet floatgate_test',
      'table inet floatgate_test {',
    ])
  })

  test('drops clear L2TP before anything else, whatever rule 3 says of IPsec', () => {
    const self = chain(text, 'self_0')
    expect(self.filter(l => !l.startsWith('#'))[0]).toBe('udp dport 1701 drop')
    expect(text).not.toContain('rule 3')
  })

  test('hears IKE and ESP, and ends with a drop', () => {
    const lines = chain(text, 'self_new_0')
    expect(lines).toContain('udp dport { 500, 4500 } accept')
    expect(lines).toContain('meta l4proto 50 accept')
    expect(lines.at(-1)).toBe('counter drop comment "denied in eth0"')
  })

  test('translates between the two pairs only, clear of the ports we listen on', () => {
    const lines = chain(text, 'postrouting')
    expect(lines).toContain(
      'iifname "lan" oifname "wan" meta nfproto ipv4 meta l4proto { 6, 17 } counter masquerade to :8192-65535 fully-random',
    )
    expect(lines).toContain('iifname "fg0" oifname "wan" meta nfproto ipv4 counter masquerade')
  })

  test('lets nothing from outside to the LAN or the sessions but answers', () => {
    expect(chain(text, 'forward').at(-1)).toBe('iifname "wan" goto from_0')
    expect(jump(text, 'wan', 'lan')).toBe('between_0')
    expect(jump(text, 'wan', 'fg0')).toBe('between_1')
    expect(chain(text, 'between_0')[0]).toBe('ct state established,related accept')
    expect(chain(text, 'between_0').at(-1)).toBe('counter drop comment "denied in eth0"')
    expect(chain(text, 'between_1').at(-1)).toBe('counter drop comment "denied in eth0"')
    expect(jump(text, 'lan', 'wan')).toBe('')
  })

  test('asks nothing of IKE and ESP to itself but the rules, and only where its address is known', () => {
    const early = 'ip daddr { 203.0.113.1 } udp dport { 500, 4500 } goto self_new_0'
    expect(chain(text, 'self_0')).toContain(early)
    expect(chain(nftablesTable(input(firewall(), { interfaces: [] })), 'self_0')).not.toContain(early)
  })

  test('two interfaces on one device are asked about one after the other', () => {
    const both = nftablesTable(
      input(
        firewall({
          interfaces: [
            { name: 'vlan1', type: 'private', method: 'dynamic' },
            { name: 'eth0', type: 'public', method: 'dynamic' },
            { name: 'eth0-1', type: 'public', method: 'dynamic' },
          ],
        }),
        { devices: { eth0: 'wan', 'eth0-1': 'wan', vlan1: 'lan' } },
      ),
    )
    expect(chain(both, 'forward').at(-1)).toBe('iifname "wan" goto from_0')
    expect(chain(both, 'from_0')).toEqual(['oifname "lan" jump between_0', 'oifname "lan" jump between_1'])
    expect(chain(both, 'entrances').at(-1)).toBe('iifname "wan" goto entrance_0')
    expect(chain(both, 'entrance_0').filter(l => l.includes('fib saddr'))).toHaveLength(2)
  })
})

test('several devices are looked up at their entrance, and each ends with its own IPsec policies', () => {
  const list = { interface: 'ppp0', policies: [] }
  const text = nftablesTable(input(firewall(), { devices: { eth0: 'wan', vlan1: 'lan', ppp0: 'dsl' }, ipsec: [list] }))
  expect(chain(text, 'entrances').at(-1)).toBe('iifname vmap { "wan" : goto entrance_0, "dsl" : goto entrance_1 }')
  expect(text).not.toContain('goto ipsec_in_0')
  expect(chain(text, 'entrance_1')).toEqual(['meta nfproto != ipv4 accept', 'goto ipsec_in_1'])
  expect(chain(text, 'ipsec_in_1').at(-1)).toBe('counter drop comment "ipsec in none of ppp0"')
})

test('what sessions send and get is told by their device’s number, where it is known, before any name is compared', () => {
  const text = nftablesTable(input(firewall(), { tunIndex: 7, ipsec: [{ interface: 'eth0', policies: [] }] }))
  expect(chain(text, 'entrances')[1]).toBe('iif 7 accept')
  expect(chain(text, 'ipsec_out')[1]).toBe('oif 7 accept')
  expect(chain(text, 'forward').slice(1)).toEqual([
    'iif 7 accept',
    'oif 7 goto to_sessions',
    'iifname "wan" goto from_0',
  ])
  expect(chain(text, 'to_sessions')).toEqual([`iifname "wan" jump ${jump(text, 'wan', 'fg0')}`])
})

test('not where that device has IPsec policies itself', () => {
  const ipsec = [{ interface: 'dyn-dynamic', policies: [] }]
  const text = nftablesTable(input(firewall(), { tunIndex: 7, ipsec }))
  expect(chain(text, 'entrances')).not.toContain('iif 7 accept')
  expect(chain(text, 'ipsec_out')).not.toContain('oif 7 accept')
})

describe('an elaborate policy', () => {
  const text = nftablesTable(input(elaborate))

  test('a rule whose global port differs is a port forward', () => {
    expect(chain(text, 'prerouting')).toContain(
      'iifname "wan" meta nfproto ipv4 ip daddr 203.0.113.1 meta l4proto 6 th dport 8080 counter dnat ip to 192.168.8.20:80 comment "rule 11"',
    )
    expect(chain(text, jump(text, 'wan', 'lan'))).toContain(
      'meta nfproto ipv4 ip daddr 192.168.8.20 meta l4proto 6 th dport 80 ct original ip daddr 203.0.113.1 ct original proto-dst 8080 counter accept comment "rule main 11"',
    )
  })

  test('rules keep their order and denies drop', () => {
    const numbers = chain(text, 'self_new_0').flatMap(l => /rule main (\d+)/.exec(l)?.[1] ?? [])
    expect(numbers).toEqual(['1', '2', '10', '11', '12', '13'])
    expect(chain(text, 'self_new_0').find(l => l.includes('"rule main 10"'))).toContain('counter drop')
  })

  test('rules on a private interface filter what goes out', () => {
    const name = jump(text, 'lan', 'wan')
    expect(chain(text, name)).toContain(
      'meta nfproto ipv4 meta l4proto 6 th dport 25 counter drop comment "rule main 20"',
    )
    expect(chain(text, name).at(-1)).not.toContain('counter drop comment "denied')
  })

  test('standard NAT is one to one, both ways; NONAT and NAT rules go first', () => {
    const lines = chain(text, 'postrouting')
    expect(lines).toContain(
      'iifname "lan" oifname "wan" meta nfproto ipv4 ip saddr 192.168.8.30 counter snat ip to 203.0.113.30',
    )
    expect(chain(text, 'prerouting')).toContain('iifname "wan" ip daddr 203.0.113.30 counter dnat ip to 192.168.8.30')
    expect(lines.findIndex(l => l.includes('"rule 21"'))).toBeLessThan(lines.findIndex(l => l.includes('masquerade')))
    expect(lines.findIndex(l => l.includes('"rule 22"'))).toBeLessThan(lines.findIndex(l => l.includes('masquerade')))
  })
})

const nft = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' })
if (nft.status !== 0) {
  console.log(`nft does not read the tables here: ${nft.error?.message ?? nft.stderr}`)
} else {
  describe('the real nft', () => {
    const check = (text: string) => spawnSync('nft', ['-c', '-f', '-'], { encoding: 'utf8', input: text })

    test.each([
      ['the office', input(firewall())],
      ['an elaborate policy', input(elaborate)],
      ['no addresses known', input(elaborate, { interfaces: [] })],
      ['no LAN device', input(elaborate, { devices: { eth0: 'wan' } })],
      ['no devices', input(elaborate, { devices: {} })],
    ])('accepts %s', (_, i) => {
      const text = nftablesTable(i)
      const result = check(text ?? '')
      expect(result.stderr).toBe('')
      expect(result.status).toBe(0)
    })

    test('accepts the removal of a table that is not there', () => {
      expect(check(nftablesDelete('floatgate_never')).status).toBe(0)
    })
  })
}

describe('where somebody listens', () => {
  const rules = [
    rule({ number: 7, action: 'deny', interface: 'eth0', protocol: 6, port: port(25) }),
    rule({ number: 8, action: 'allow', interface: 'eth0', protocol: 6, port: port(443) }),
    rule({ number: 9, action: 'allow', interface: 'eth0', protocol: 17, port: port(4500) }),
  ]
  const text = nftablesTable(input(firewall({ rules }), { logGroup: 17_010 }))
  const note = (line: string | undefined) => chain(text, /goto (note_\d+)/.exec(line ?? '')?.[1] ?? 'none')

  test('a rule’s decision is told, some times a second, before its verdict', () => {
    const lines = chain(text, 'self_new_0')
    const [denied, allowed] = [25, 443].map(p => note(lines.find(l => l.includes(`dport ${p} `))))
    expect(denied).toEqual([expect.stringContaining('log prefix "deny 7 eth0 -" group 17010 snaplen 128'), 'drop'])
    expect(denied?.[0]).toContain('limit rate 50/second burst 100 packets limit name "notes"')
    expect(allowed).toEqual([expect.stringMatching(/^ct state new .*log prefix "allow 8 eth0 -"/), 'accept'])
    expect(lines.at(-1)).toMatch(/^counter goto note_\d+ comment "denied in eth0"$/)
  })

  test('but not of the daemon’s own ports, which carry everything', () => {
    expect(chain(text, 'self_new_0').find(l => l.includes('dport 4500 '))).toMatch(/accept comment "rule main 9"$/)
  })

  test('nobody is told where nobody listens', () => {
    expect(nftablesTable(input(firewall({ rules })))).not.toMatch(/log|note|limit rate 50/)
  })

  test('a source that cannot be there is refused in either case', () => {
    expect(chain(nftablesTable(input(firewall())), 'entrances')).toEqual([
      'type filter hook prerouting priority raw; policy accept;',
      'iifname "wan" goto entrance_0',
    ])
    expect(chain(nftablesTable(input(firewall())), 'entrance_0')).toEqual([
      'meta nfproto != ipv4 accept',
      'ip daddr { 203.0.113.1 } udp dport { 500, 4500 } notrack accept',
      'ip protocol 50 accept',
      'ip saddr != 0.0.0.0 fib saddr type { local, broadcast, multicast } counter drop',
      'ip saddr & 255.255.255.0 == 192.168.8.0 counter drop',
    ])
    expect(note(chain(text, 'entrance_0')[3])[0]).toContain('log prefix "spoof 0 eth0 -"')
  })
})
