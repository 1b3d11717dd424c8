/** The router vendor's example script, with the wrapped lines and stray comments it has in print, loads whole. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sshDefaults } from '../../src/alliedware/access-config.ts'
import type { Configuration } from '../../src/alliedware/config.ts'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { FIREWALL_DEFAULTS, RULE_DEFAULTS } from '../../src/firewall/policy.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { withoutLines } from './plain.ts'

const script = readFileSync(new URL('fixtures/ar450s-note.cfg', import.meta.url), 'utf8')

const site = {
  'your password': 'correct horse',
  'YOUR private DNS  server address, if applicable': '192.168.8.1',
  'office private LAN address': '192.168.8.254',
  'interconnect LAN address': '203.0.113.1',
  'appropriate mask': '255.255.255.248',
  'your NAT gateway or ISP next-hop address': '203.0.113.6',
  'x.x.x.x-x.x.x.x': '192.168.8.60-192.168.8.99',
  'Office Internet Address': '203.0.113.1',
  'secoff password': 'battery staple',
  'trusted remote ip address': '198.51.100.9',
}

const dialIn = (number: number, address: string | undefined) => ({
  name: `dialin${number}`,
  password: Secret.fromText(`friend${number}`),
  privilege: 'user' as const,
  login: false,
  telnet: false,
  description: undefined,
  ipAddress: address === undefined ? undefined : ipv4(address),
  netmask: undefined,
  mtu: undefined,
})

const specification = (id: number, encryption: 'des' | '3desouter', hash: 'sha' | 'md5') => ({
  id,
  keyManagement: 'isakmp' as const,
  protocol: 'esp' as const,
  encryption,
  hash,
  mode: 'transport' as const,
  antiReplay: undefined,
  replayWindow: undefined,
})

const ipsecPolicy = {
  interface: 'eth0',
  action: 'permit' as const,
  keyManagement: undefined,
  bundle: undefined,
  isakmpPolicy: undefined,
  peer: undefined,
  localPort: 'any' as const,
  remotePort: 'any' as const,
  transportProtocol: 'any' as const,
  localAddress: undefined,
  remoteAddress: undefined,
  icmpTypes: undefined,
  localName: undefined,
  remoteName: undefined,
  usePfsKey: false,
  group: undefined,
}

/** What the script makes without any of its blanks filled. */
const unfilled: Configuration = {
  ...emptyConfiguration,
  systemName: 'IPSec Gateway',
  helpFile: '450-261a.hlp',
  secureDelaySeconds: 600,
  users: [dialIn(1, '192.168.8.50'), dialIn(2, undefined), dialIn(3, '192.168.8.51'), dialIn(4, undefined)],
  pppTemplates: [
    {
      template: 1,
      authentication: 'chap',
      bap: false,
      ipPool: 'myippool',
      echoSeconds: 30,
      lqrSeconds: undefined,
      mru: undefined,
      mtu: undefined,
      mssHeader: undefined,
      idleSeconds: undefined,
      rechallengeSeconds: undefined,
    },
  ],
  l2tp: {
    enabled: true,
    server: 'both',
    ranges: [{ first: ipv4('1.1.1.1'), last: ipv4('255.255.255.254'), pppTemplate: 1 }],
  },
  ip: { ...emptyConfiguration.ip, enabled: true },
  firewall: {
    enabled: true,
    policies: [
      {
        name: 'main',
        interfaces: [
          { name: 'vlan1', type: 'private', method: 'dynamic' },
          { name: 'dyn-dynamic', type: 'private', method: 'dynamic' },
          { name: 'eth0', type: 'public', method: 'dynamic' },
        ],
        dynamics: [{ name: 'dynamic', users: [], any: true, none: false }],
        nats: ['vlan1', 'dyn-dynamic'].map(name => ({
          kind: 'enhanced' as const,
          interface: name,
          ip: undefined,
          globalInterface: 'eth0',
          globalIp: undefined,
        })),
        rules: [],
        ...FIREWALL_DEFAULTS,
      },
    ],
  },
  ipsec: {
    enabled: true,
    saSpecifications: [
      specification(1, '3desouter', 'sha'),
      specification(2, '3desouter', 'md5'),
      specification(3, 'des', 'sha'),
      specification(4, 'des', 'md5'),
    ],
    bundles: [
      {
        id: 1,
        keyManagement: 'isakmp',
        string: '1 or 2 or 3 or 4',
        alternatives: [[1], [2], [3], [4]],
        expirySeconds: undefined,
        expiryKilobytes: undefined,
      },
    ],
    policies: [
      { ...ipsecPolicy, name: 'isakmp', position: 1, localPort: 500 },
      { ...ipsecPolicy, name: 'isakmp_float', position: 2, localPort: 4500 },
      {
        ...ipsecPolicy,
        name: 'all_roaming',
        position: 3,
        action: 'ipsec',
        keyManagement: 'isakmp',
        bundle: 1,
        isakmpPolicy: 'roaming1',
        peer: 'any',
        localPort: 1701,
        transportProtocol: 17,
      },
      { ...ipsecPolicy, name: 'internet', position: 4 },
    ],
  },
  isakmp: {
    enabled: true,
    policies: [
      {
        name: 'roaming1',
        peer: 'any',
        authType: 'preshared',
        key: 1,
        encryption: undefined,
        hash: undefined,
        group: undefined,
        mode: 'main',
        localId: 'local',
        remoteId: undefined,
        natTraversal: true,
        sendDeletes: true,
        sendNotify: true,
        expirySeconds: undefined,
        msgRetryLimit: 8,
        msgTimeoutSeconds: 4,
        msgBackoff: 'incremental',
      },
    ],
  },
  aliases: [
    { name: 'ed', string: 'enable isa debug' },
    { name: 'ed2', string: 'enable ipsec poli debug=all' },
    { name: 'dd', string: 'dis isa debug' },
    { name: 'dd2', string: 'dis ipsec poli debug=all' },
  ],
  ssh: { ...sshDefaults, enabled: true, serverKey: 2, hostKey: 3, expiryHours: 12, loginTimeoutSeconds: 60 },
  held: [],
  inert: [
    [14, 'add user=secoff pass=<your password> privilege=securityOfficer login=yes', 'your password'],
    [15, 'set user=secoff description="Security Officer Account"', 'your password'],
    [
      45,
      'set ppp dnsprimary=<your private DNS server address, if applicable>',
      'your private DNS server address, if applicable',
    ],
    [60, 'add ip int=vlan1 ip=<office private LAN address>', 'office private LAN address'],
    [
      61,
      'add ip int=eth0 ip=<interconnect LAN address> mask=<appropriate mask>',
      'interconnect LAN address',
      'appropriate mask',
    ],
    [
      65,
      'add ip route=0.0.0.0 mask=0.0.0.0 int=eth0 next=<your NAT gateway or ISP next-hop address>',
      'your NAT gateway or ISP next-hop address',
    ],
    [72, 'create ip pool=myippool ip=x.x.x.x-x.x.x.x', 'x.x.x.x-x.x.x.x'],
    ...[500, 4500].map((port, i) => [
      100 + 3 * i,
      `add fire policy=main rule=${i + 1} int=eth0 action=allow protocol=udp ip=<office Internet address> port=${port} gblip=<office Internet address> gblport=${port}`,
      'office Internet address',
    ]),
    [
      113,
      'add fire policy=main rule=3 int=eth0 action=allow prot=udp ip=<office Internet address> port=1701 gblip=<office Internet address> gblport=1701 encap=ipsec',
      'office Internet address',
    ],
    [
      123,
      'add ssh user=secoff password=<secoff password> ipaddress=<trusted remote ip address>',
      'secoff password',
      'trusted remote ip address',
    ],
  ].map(([line, text, ...placeholders]) => ({
    line: line as number,
    text: text as string,
    placeholders: placeholders as string[],
  })),
}

const rule = (number: number, port: number, encapsulation: 'ipsec' | undefined) => ({
  ...RULE_DEFAULTS,
  number,
  action: 'allow' as const,
  interface: 'eth0',
  protocol: 17,
  ip: { first: ipv4('203.0.113.1'), last: ipv4('203.0.113.1') },
  port: { first: port, last: port },
  globalIp: { first: ipv4('203.0.113.1'), last: ipv4('203.0.113.1') },
  globalPort: { first: port, last: port },
  encapsulation,
})

/** And with every blank filled. */
const filled: Configuration = {
  ...unfilled,
  users: [
    {
      name: 'secoff',
      password: Secret.fromText('correct horse'),
      privilege: 'securityofficer',
      login: true,
      telnet: false,
      description: 'Security Officer Account',
      ipAddress: undefined,
      netmask: undefined,
      mtu: undefined,
    },
    ...unfilled.users,
  ],
  ppp: { ...unfilled.ppp, dnsPrimary: ipv4('192.168.8.1') },
  ip: {
    ...unfilled.ip,
    interfaces: [
      { name: 'vlan1', address: ipv4('192.168.8.254'), mask: ipv4('255.255.255.0'), classful: true, line: 60 },
      { name: 'eth0', address: ipv4('203.0.113.1'), mask: ipv4('255.255.255.248'), classful: false, line: 61 },
    ],
    routes: [{ network: 0, mask: 0, interface: 'eth0', nextHop: ipv4('203.0.113.6'), line: 65 }],
    pools: [{ name: 'myippool', first: ipv4('192.168.8.60'), last: ipv4('192.168.8.99') }],
  },
  firewall: {
    ...unfilled.firewall,
    policies: [
      {
        ...unfilled.firewall.policies[0]!,
        rules: [rule(1, 500, undefined), rule(2, 4500, undefined), rule(3, 1701, 'ipsec')],
      },
    ],
  },
  ssh: {
    ...unfilled.ssh,
    users: [
      {
        name: 'secoff',
        password: Secret.fromText('battery staple'),
        keyId: undefined,
        address: ipv4('198.51.100.9'),
        mask: undefined,
      },
    ],
  },
  inert: [],
}

const KEY_WARNING =
  'warning: ISAKMP policy "roaming1": ENCO key 1 does not exist (yet): its negotiations fail without it'

describe("the vendor's example script", () => {
  it('loads with nothing filled in, and says what it waits for', () => {
    const { configuration, faults } = readScript(script, { values: {} })
    expect(withoutLines(configuration, false)).toEqual(withoutLines(unfilled, false))
    expect(faults.map(formatFault)).toEqual([
      'line 39: warning: PPP template "1": IP pool "myippool" waits for placeholders to be filled',
      `line 189: ${KEY_WARNING}`,
    ])
  })

  it('loads with every blank filled', () => {
    const { configuration, faults } = readScript(script, { values: site })
    expect(withoutLines(configuration, false)).toEqual(withoutLines(filled, false))
    expect(faults.map(formatFault)).toEqual([`line 189: ${KEY_WARNING}`])
  })

  it('has nothing to complain of once the key is there', () => {
    expect(readScript(script, { values: site, keys: [1] }).faults).toEqual([])
  })

  it.each([
    ['without its fences', (text: string) => text.replace(/^```\n/gm, '')],
    ['without blank lines', (text: string) => text.replace(/^(```)?\n/gm, '')],
    [
      'with the line ends of Windows, and a byte order mark',
      (text: string) => `\ufeff${text.replaceAll('\n', '\r\n')}`,
    ],
    ['with every line indented', (text: string) => text.replace(/^/gm, ' \t')],
    [
      'with its wrapped lines joined',
      (text: string) => text.replace(/next-\n {2}hop/, 'next-hop').replace(/\n {2}(?=\S)/g, ' '),
    ],
    ['with the torn word on one line', (text: string) => text.replace(/next-\n {2}hop/, 'next- hop')],
  ])('loads the same %s', (_, change) => {
    for (const values of [{}, site]) {
      const { configuration, faults } = readScript(change(script), { values })
      const expected = values === site ? filled : unfilled
      expect(faults.filter(f => f.severity === 'error')).toEqual([])
      expect(withoutLines(configuration)).toEqual(withoutLines(expected))
    }
  })

  it.each([
    ['unfilled', {}],
    ['filled', site],
  ])('is written back, %s, to a script that makes the same', (_, values) => {
    const { configuration } = readScript(script, { values })
    const again = readScript(writeScript(configuration), { values: {} })
    expect(withoutLines(again.configuration, true, true)).toEqual(withoutLines(configuration, true, true))
    expect(writeScript(again.configuration)).toBe(writeScript(configuration))
  })

  it('takes effect when the written script is filled later', () => {
    const { configuration } = readScript(script, { values: {} })
    const later = readScript(writeScript(configuration), { values: site })
    expect(withoutLines(later.configuration, true, true)).toEqual(withoutLines(filled, true, true))
  })

  it('holds no secret in any fault when it is cut anywhere', () => {
    for (let end = 0; end < script.length; end += 7) {
      for (const { text } of readScript(script.slice(0, end), { values: site }).faults) {
        expect(text).not.toMatch(/friend|correct|horse|battery|staple/)
      }
    }
  })
})
