/** Whatever the configuration, the script written from it builds the same one; and no text makes the reader throw. */

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LoginLimits, SshConfig } from '../../src/alliedware/access-config.ts'
import { applyCommand } from '../../src/alliedware/apply.ts'
import { bundleString } from '../../src/alliedware/commands/bundle.ts'
import { classfulMask } from '../../src/alliedware/commands/ip.ts'
import type { Configuration, IpsecPolicy } from '../../src/alliedware/config.ts'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import type { LogConfig, LogFilter } from '../../src/alliedware/log-config.ts'
import { maskSecrets } from '../../src/alliedware/parse.ts'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { commandTable } from '../../src/alliedware/table.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { ATTACKS } from '../../src/firewall/attack-kinds.ts'
import { LOG_OPTIONS } from '../../src/firewall/event-log.ts'
import { type FirewallPolicy, FRAGMENT_KINDS, ICMP_KINDS, IP_OPTION_KINDS } from '../../src/firewall/policy.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { ipv4, prefixMask } from '../../src/packet/ip.ts'
import { withoutLines } from './plain.ts'

// --- Arbitrary configurations, of what scripts can say.

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const printable = (min: number, max: number) =>
  fc
    .string({
      unit: fc.oneof(
        fc.constantFrom('"', ' ', '<', '>', '=', '#', '\\', 'ä', '名'),
        fc.string({ minLength: 1, maxLength: 1 }),
      ),
      minLength: min,
      maxLength: max,
    })
    .filter(s => s.length >= min && s.length <= max)
const word = (max: number) =>
  fc.stringMatching(new RegExp(`^[a-z][a-z0-9_]{0,${max - 1}}$`)).filter(w => !['any', 'none', 'no'].includes(w))
const name = (max: number) =>
  printable(1, max).filter(s => s.trim() === s && !s.includes('"') && !/^(any|none)$/i.test(s))
const address = fc.integer({ min: 1, max: 0xffffffff })
const mask = fc.integer({ min: 1, max: 32 }).map(prefixMask)
const range = fc.tuple(address, address).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
const port = fc.integer({ min: 0, max: 65535 })
const portRange = fc.tuple(port, port).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
const interfaceNames = ['eth0', 'vlan1', 'ppp0-1'] as const
const networkInterface = fc.constantFrom(...interfaceNames)
const minutes = fc.integer({ min: 0, max: 43200 }).map(m => m * 60 || 30)
const bool = fc.boolean()
const byName = { selector: (item: { name: string }) => item.name.toLowerCase(), maxLength: 4 }
const byId = { selector: (item: { id: number }) => item.id, maxLength: 4 }

const user = fc.record({
  name: name(64),
  password: printable(1, 64).map(Secret.fromText),
  privilege: fc.constantFrom('user' as const, 'manager' as const, 'securityofficer' as const),
  login: bool,
  telnet: bool,
  description: maybe(printable(1, 64)),
  ipAddress: maybe(address),
  netmask: maybe(mask),
  mtu: maybe(fc.integer({ min: 40, max: 1500 })),
  disabled: fc.constantFrom(undefined, true),
})

const template = (pools: readonly string[]) =>
  fc
    .record({
      template: fc.integer({ min: 0, max: 31 }),
      authentication: fc.constantFrom(...(['chap', 'either', 'mschap2', 'pap', 'none'] as const)),
      bap: bool,
      ipPool: pools.length === 0 ? fc.constant(undefined) : maybe(fc.constantFrom(...pools)),
      echoSeconds: maybe(fc.integer({ min: 1, max: 65535 })),
      lqrSeconds: maybe(fc.integer({ min: 1, max: 65535 })),
      mru: maybe(fc.integer({ min: 256, max: 1656 })),
      mtu: maybe(fc.integer({ min: 256, max: 1500 })),
      mssHeader: maybe(fc.integer({ min: 40, max: 200 })),
      idleSeconds: maybe(fc.integer({ min: 1, max: 0x7fffffff })),
      rechallengeSeconds: maybe(fc.oneof(fc.constant('on' as const), fc.integer({ min: 360, max: 3600 }))),
    })
    .map(t => (t.echoSeconds === undefined ? t : { ...t, lqrSeconds: undefined }))

const minuteOfDay = fc.integer({ min: 0, max: 1439 })
const ruleBase = {
  number: fc.integer({ min: 1, max: 1000 }),
  interface: networkInterface,
  protocol: maybe(fc.integer({ min: 0, max: 255 })),
  port: maybe(portRange),
  globalPort: maybe(portRange),
  remoteIp: maybe(range),
  sourcePort: maybe(portRange),
  globalRemoteIp: fc.constant(undefined),
  list: maybe(fc.constantFrom('friends')),
  days: maybe(fc.subarray([0, 1, 2, 3, 4, 5, 6] as const, { minLength: 1, maxLength: 6 })),
  afterMinute: maybe(minuteOfDay),
  beforeMinute: maybe(minuteOfDay),
  // A rule with a TTL is never saved.
  ttlSeconds: fc.constant(undefined),
  user: maybe(name(64).map(u => u.toLowerCase())),
  group: maybe(fc.constantFrom('staff')),
  encapsulation: fc.constantFrom('none' as const, 'ipsec' as const, undefined),
}
const firewallRule = fc.oneof(
  fc.record({
    ...ruleBase,
    action: fc.constantFrom('allow' as const, 'deny' as const, 'nat' as const, 'nonat' as const),
    ip: maybe(range),
    globalIp: maybe(range),
    natType: fc.constant(undefined),
  }),
  range
    .map(r => ({ ip: r, globalIp: r }))
    .chain(same =>
      fc.record({
        ...ruleBase,
        action: fc.constant('nat' as const),
        ip: fc.constant(same.ip),
        globalIp: fc.constant(same.globalIp),
        natType: fc.constant('standard' as const),
      }),
    ),
  range.chain(same =>
    fc.record({
      ...ruleBase,
      action: fc.constant('nat' as const),
      ip: maybe(range),
      globalIp: fc.constant(undefined),
      natType: fc.constant('reverse' as const),
      remoteIp: fc.constant(same),
      globalRemoteIp: fc.constant(same),
    }),
  ),
)
/** Files of flash that lists and templates are read from. */
const FILES: Readonly<Record<string, string>> = {
  'far.txt': '0.0.0.1\n',
  'cards.txt': '00-11-22-33-44-55\n',
  'users.txt': 'Anna\n',
}
const subsetOf = <T>(all: readonly T[]) => fc.subarray([...all])

const attacks = fc.dictionary(
  fc.constantFrom(...ATTACKS),
  // Never the usual one, which is not written.
  fc.record({
    inTrigger: fc.integer({ min: 2, max: 19 }),
    outTrigger: fc.nat(65535),
    detail: fc.nat(200),
    timeMinutes: fc.integer({ min: 1, max: 1440 }),
  }),
  { noNullPrototype: true },
)

const firewallPolicy: fc.Arbitrary<FirewallPolicy> = fc
  .record({
    name: word(15),
    dynamics: fc.uniqueArray(
      fc.record({ name: word(15), users: fc.uniqueArray(word(20), { maxLength: 3 }), any: bool, none: bool }),
      byName,
    ),
    methods: fc.array(fc.constantFrom('dynamic' as const, 'passall' as const), { minLength: 8, maxLength: 8 }),
    nats: fc.uniqueArray(
      fc.record({
        kind: fc.constantFrom('standard' as const, 'enhanced' as const, 'reverse' as const),
        interface: networkInterface,
        ip: maybe(range),
        globalInterface: networkInterface,
        globalIp: maybe(range),
      }),
      { selector: n => `${n.interface} ${n.globalInterface} ${n.ip?.first} ${n.ip?.last}`, maxLength: 3 },
    ),
    limitRules: fc
      .uniqueArray(
        fc.record({
          number: fc.integer({ min: 1, max: 0xffffffff }),
          sessions: fc.integer({ min: 0, max: 10_000 }),
          interface: maybe(networkInterface),
          ip: maybe(range),
          globalRemoteIp: maybe(range),
        }),
        { selector: r => r.number, maxLength: 3 },
      )
      .map(list => [...list].sort((a, b) => a.number - b.number)),
    rules: fc.uniqueArray(firewallRule, { selector: r => r.number, maxLength: 4 }),
    tcpTimeoutSeconds: minutes,
    udpTimeoutSeconds: minutes,
    otherTimeoutSeconds: minutes,
    icmpTimeoutSeconds: minutes,
    espTimeoutSeconds: maybe(minutes),
    udpPortTimeouts: fc
      .uniqueArray(fc.record({ port: fc.integer({ min: 1, max: 65535 }), seconds: maybe(minutes) }), {
        selector: u => u.port,
        maxLength: 3,
      })
      .map(list => [...list].sort((a, b) => a.port - b.port)),
    ftpDataPort: fc.constantFrom('rfc' as const, 'any' as const, undefined),
    attacks,
    log: subsetOf(LOG_OPTIONS.map(o => o.toLowerCase())),
    icmpForwarding: subsetOf(ICMP_KINDS),
    ipOptions: subsetOf(IP_OPTION_KINDS),
    fragments: subsetOf(FRAGMENT_KINDS),
    ping: bool,
    isolation: bool,
    accounting: bool,
    addresses: fc.uniqueArray(range, { minLength: 1, maxLength: 3, selector: r => `${r.first}-${r.last}` }),
  })
  .map(({ addresses, ...p }) => ({
    ...p,
    lists: [
      { name: 'friends', addresses },
      { name: 'far', addresses: [{ first: 1, last: 1 }], file: 'far.txt' },
      { name: 'cards', addresses: [], file: 'cards.txt', hardware: ['00:11:22:33:44:55'] },
    ],
    dynamics: [
      ...p.dynamics.filter(d => d.name !== 'staff'),
      {
        name: 'staff',
        users: [],
        any: false,
        none: false,
        ...(p.ping && { files: [{ file: 'users.txt', users: ['anna'] }] }),
      },
    ],
  }))
  .map(({ methods, ...p }) => ({
    ...p,
    rules: [...p.rules].sort((a, b) => a.number - b.number),
    interfaces: [...interfaceNames, ...p.dynamics.map(d => `dyn-${d.name}`)].map((interfaceName, i) => ({
      name: interfaceName,
      type: 'public' as const,
      method: methods[i]!,
    })),
  }))

const ciphers = ['des', '3desouter', '3des2key', '3desinner', 'aes128', 'aes192', 'aes256'] as const
const hashes = ['sha', 'md5', 'sha256', 'desmac'] as const
const algorithms = fc.oneof(
  fc.record({ encryption: fc.constantFrom(...ciphers), hash: fc.constantFrom(...hashes, 'null' as const) }),
  fc.record({ encryption: fc.constant('null' as const), hash: fc.constantFrom(...hashes) }),
  fc.record({
    encryption: fc.constantFrom('aesgcm128' as const, 'aesgcm192' as const, 'aesgcm256' as const),
    hash: fc.constantFrom('null' as const, undefined),
  }),
)
const specificationOf = {
  id: fc.integer({ min: 0, max: 255 }),
  keyManagement: fc.constantFrom('isakmp' as const, 'manual' as const),
  protocol: fc.constantFrom('esp' as const, 'ah' as const, 'comp' as const),
  mode: fc.constantFrom('tunnel' as const, 'transport' as const),
  antiReplay: maybe(bool),
  replayWindow: fc.constantFrom(32, 64, 128, 256, undefined),
}
const specification = fc
  .tuple(fc.record(specificationOf), algorithms)
  .map(([{ id, keyManagement, protocol, ...rest }, { encryption, hash }]) => ({
    ...{ id, keyManagement, protocol, encryption, hash },
    ...rest,
  }))

const isakmpPolicy = fc.record({
  name: name(24),
  peer: fc.oneof(fc.constant('any' as const), address, fc.constant('peer.example.org')),
  authType: fc.constantFrom('preshared' as const, 'rsasig' as const),
  key: maybe(port),
  encryption: fc.constantFrom(
    'des' as const,
    '3desouter' as const,
    'aes128' as const,
    'aes192' as const,
    'aes256' as const,
    undefined,
  ),
  hash: fc.constantFrom('sha' as const, 'md5' as const, 'sha256' as const, undefined),
  group: fc.constantFrom(0, 1, 2, 5, 14, 19, 20, undefined),
  mode: fc.constantFrom('main' as const, 'aggressive' as const),
  localId: maybe(printable(1, 128)),
  remoteId: maybe(printable(1, 128)),
  natTraversal: bool,
  sendDeletes: bool,
  sendNotify: bool,
  expirySeconds: maybe(fc.integer({ min: 600, max: 31_449_600 })),
  msgRetryLimit: fc.integer({ min: 0, max: 1024 }),
  msgTimeoutSeconds: fc.integer({ min: 1, max: 86_400 }),
  msgBackoff: fc.constantFrom('incremental' as const, 'none' as const),
  dpdMode: fc.constantFrom(undefined, 'both' as const, 'receive' as const, 'none' as const),
  dpdIdleSeconds: fc.option(fc.integer({ min: 1, max: 86_400 }), { nil: undefined }),
})

const ipsecPolicy = (bundles: readonly number[], isakmp: readonly string[]) =>
  fc
    .tuple(clearPolicy(bundles, isakmp), bool)
    .map(([p, protects]) =>
      protects && p.bundle !== undefined && p.keyManagement !== undefined ? { ...p, action: 'ipsec' as const } : p,
    )

/** A policy that wants neither a bundle nor keys, and may have both. */
const clearPolicy = (bundles: readonly number[], isakmp: readonly string[]) =>
  fc.record({
    name: name(23),
    interface: networkInterface,
    action: fc.constantFrom('permit' as const, 'deny' as const),
    keyManagement: fc.constantFrom('isakmp' as const, 'manual' as const, undefined),
    bundle: bundles.length === 0 ? fc.constant(undefined) : maybe(fc.constantFrom(...bundles)),
    isakmpPolicy: isakmp.length === 0 ? fc.constant(undefined) : maybe(fc.constantFrom(...isakmp)),
    peer: fc.oneof(fc.constantFrom('any' as const, 'dynamic' as const, undefined), address),
    position: fc.integer({ min: 1, max: 100 }),
    localPort: fc.oneof(fc.constantFrom('any' as const, 'opaque' as const), port),
    remotePort: fc.oneof(fc.constantFrom('any' as const, 'opaque' as const), port),
    transportProtocol: fc.oneof(fc.constantFrom('any' as const, 'opaque' as const), fc.integer({ min: 0, max: 255 })),
    localAddress: maybe(range),
    remoteAddress: maybe(range),
    icmpTypes: maybe(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 4 })),
    localName: maybe(name(120).filter(text => !/^any?$/i.test(text))),
    remoteName: maybe(name(120).filter(text => !/^any?$/i.test(text))),
    usePfsKey: bool,
    group: fc.constantFrom(0, 1, 2, 5, 14, 19, 20, undefined),
  })

function inOrder(policies: readonly IpsecPolicy[]): IpsecPolicy[] {
  return [...policies].sort((a, b) =>
    a.interface === b.interface ? a.position - b.position : a.interface < b.interface ? -1 : 1,
  )
}

const loginLimits: fc.Arbitrary<LoginLimits> = fc.record({
  failures: fc.integer({ min: 1, max: 10 }),
  lockoutSeconds: fc.integer({ min: 1, max: 30_000 }),
  confirmFailures: fc.integer({ min: 1, max: 5 }),
  minimumLength: maybe(fc.integer({ min: 1, max: 23 })),
})
const ssh: fc.Arbitrary<SshConfig> = fc.record({
  enabled: bool,
  hostKey: maybe(fc.integer({ min: 0, max: 65_535 })),
  serverKey: maybe(fc.integer({ min: 0, max: 65_535 })),
  expiryHours: maybe(fc.integer({ min: 0, max: 168 })),
  loginTimeoutSeconds: fc.integer({ min: 1, max: 3600 }),
  users: fc.uniqueArray(
    fc
      .record({
        name: name(64),
        password: maybe(printable(1, 64).map(Secret.fromText)),
        keyId: maybe(fc.integer({ min: 0, max: 65_535 })),
        address: maybe(address),
        mask: maybe(mask),
      })
      .map(u => (u.address === undefined ? { ...u, mask: undefined } : u)),
    byName,
  ),
})

const logFilter: fc.Arbitrary<LogFilter> = fc.record({
  id: fc.integer({ min: 1, max: 100 }),
  action: fc.constantFrom('process' as const, 'ignore' as const),
  severity: maybe(
    fc.oneof(
      fc.integer({ min: 0, max: 7 }).map(level => ({ first: level, last: level })),
      fc.integer({ min: 0, max: 7 }).map(level => ({ first: level, last: 7 })),
      fc.integer({ min: 0, max: 7 }).map(level => ({ first: 0, last: level })),
    ),
  ),
  module: maybe(word(8)),
  type: maybe(word(8)),
  subtype: maybe(word(8)),
  text: maybe(
    printable(1, 64)
      .map(text => text.toLowerCase())
      .filter(text => text.length <= 64),
  ),
})
const logSettings = {
  enabled: bool,
  port: fc.integer({ min: 1, max: 65_535 }),
  messages: maybe(fc.integer({ min: 10, max: 10_000 })),
  facility: fc.constantFrom('default' as const, 'local1' as const, 'local7' as const),
  format: fc.constantFrom('normal' as const, 'extended' as const),
  filters: fc
    .uniqueArray(logFilter, { selector: f => f.id, maxLength: 3 })
    .map(filters => [...filters].sort((a, b) => a.id - b.id)),
}
const logConfig: fc.Arbitrary<LogConfig> = fc.record({
  enabled: bool,
  outputs: fc
    .tuple(
      fc.record({
        ...logSettings,
        id: fc.constant('temporary' as const),
        destination: fc.constant('memory' as const),
        server: maybe(address),
      }),
      maybe(
        fc.record({
          ...logSettings,
          id: fc.constant('permanent' as const),
          destination: fc.constant('nvs' as const),
          server: maybe(address),
        }),
      ),
      fc.uniqueArray(
        fc.record({
          ...logSettings,
          id: fc.integer({ min: 1, max: 20 }),
          destination: fc.constantFrom('syslog' as const, 'email' as const, 'router' as const, 'port' as const),
          server: address,
        }),
        { selector: o => o.id, maxLength: 3 },
      ),
    )
    .map(([temporary, permanent, others]) => [
      temporary,
      ...(permanent ? [permanent] : []),
      ...others.sort((a, b) => a.id - b.id),
    ]),
})

/** Held and inert commands in the order of their sections, as a script has them. */
const held = [
  ['SYSTEM', 'set system contact="me, or you"'],
  ['LOAD', 'set loader method=tftp server=192.0.2.1'],
  ['USER', 'add radius server=1.2.3.4 secret="two words"'],
  ['PPP', 'set ppp template=7 vjc=off'],
  ['L2TP', 'set l2tp window=4'],
  ['IP', 'add ip host=gate ip=192.0.2.1'],
  ['LOG', 'set log utcoffset=+01:00'],
  ['SNMP', 'enable snmp'],
  ['OTHER', 'create script=x.scp "odd word"'],
  ['OTHER', 'create trigger=1 time=12:00 script=x.scp'],
  ['OTHER', 'set enco dhpriority=high'],
].map(([section, text]) => ({ line: 1, section: section!, text: text! }))
const inert = [
  { line: 1, text: 'add user=waits pass="lit eral" ip=<his address>', placeholders: ['his address'] },
  { line: 1, text: 'set ppp dnssecondary=<a, b - or c>', placeholders: ['a, b - or c'] },
  { line: 1, text: 'create ip pool=waits ip=x.x.x.x-x.x.x.x', placeholders: ['x.x.x.x-x.x.x.x'] },
  { line: 1, text: 'add ssh user=waits ipaddress=<his address>', placeholders: ['his address'] },
  { line: 1, text: 'create isakmp policy=waits peer=<the peer> key=1', placeholders: ['the peer'] },
  { line: 1, text: 'add alias=waits string=<what it stands for>', placeholders: ['what it stands for'] },
]

const configuration: fc.Arbitrary<Configuration> = fc
  .record({
    pools: fc.uniqueArray(
      fc.tuple(name(15), range).map(([poolName, r]) => ({ name: poolName, ...r })),
      byName,
    ),
    saSpecifications: fc.uniqueArray(specification, byId),
    isakmpPolicies: fc.uniqueArray(isakmpPolicy, byName),
  })
  .chain(({ pools, saSpecifications, isakmpPolicies }) => {
    const ids = saSpecifications.map(s => s.id)
    const bundle = fc
      .record({
        id: fc.integer({ min: 0, max: 255 }),
        keyManagement: fc.constantFrom('isakmp' as const, 'manual' as const),
        string:
          ids.length === 0
            ? fc.constant('')
            : fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 6 }).map(l => l.join(' or ')),
        expirySeconds: maybe(fc.integer({ min: 300, max: 31_449_600 })),
        expiryKilobytes: maybe(fc.integer({ min: 1, max: 2_000_000_000 })),
      })
      .map(b => ({ ...b, alternatives: bundleString.parse(b.string)?.alternatives ?? [] }))
    return fc.uniqueArray(bundle, { ...byId, maxLength: ids.length === 0 ? 0 : 3 }).chain(bundles => {
      const templates = fc.uniqueArray(template(pools.map(p => p.name)), { selector: t => t.template, maxLength: 3 })
      return templates.chain(pppTemplates =>
        fc.record({
          systemName: maybe(printable(1, 120)),
          helpFile: maybe(fc.constant('450-261a.hlp')),
          secureDelaySeconds: fc.integer({ min: 10, max: 3600 }),
          loginLimits,
          ssh,
          log: logConfig,
          users: fc.uniqueArray(user, byName),
          encoKeys: fc.constant([]),
          pppTemplates: fc.constant([...pppTemplates].sort((a, b) => a.template - b.template)),
          ppp: fc.record({
            dnsPrimary: maybe(address),
            dnsSecondary: maybe(address),
            winsPrimary: maybe(address),
            winsSecondary: maybe(address),
          }),
          l2tp: fc.record({
            enabled: bool,
            server: fc.constantFrom('off' as const, 'lac' as const, 'lns' as const, 'both' as const),
            ranges:
              pppTemplates.length === 0
                ? fc.constant([])
                : fc.uniqueArray(
                    fc
                      .tuple(range, fc.constantFrom(...pppTemplates.map(t => t.template)))
                      .map(([r, pppTemplate]) => ({ ...r, pppTemplate })),
                    { selector: r => `${r.first}-${r.last}`, maxLength: 3 },
                  ),
          }),
          ip: fc.record({
            enabled: bool,
            interfaces: fc.uniqueArray(
              fc
                .record({ name: networkInterface, address, mask: maybe(mask) })
                .map(i => ({ ...i, mask: i.mask ?? classfulMask(i.address), classful: i.mask === undefined, line: 1 })),
              byName,
            ),
            routes: fc.uniqueArray(
              fc
                .record({
                  network: address,
                  mask,
                  interface: networkInterface,
                  nextHop: fc.integer({ min: 0, max: 0xffffffff }),
                })
                .map(r => ({ ...r, network: (r.network & r.mask) >>> 0, line: 1 })),
              { selector: r => JSON.stringify(r), maxLength: 3 },
            ),
            pools: fc.constant(pools),
            localAddress: maybe(address),
          }),
          firewall: fc.record(
            {
              enabled: bool,
              policies: fc.uniqueArray(firewallPolicy, { ...byName, maxLength: 2 }),
              notifyManagers: fc.constant(false as const),
              maxFragments: fc.integer({ min: 8, max: 50 }),
            },
            { requiredKeys: ['enabled', 'policies'] },
          ),
          ipsec: fc.record({
            enabled: bool,
            saSpecifications: fc.constant([...saSpecifications].sort((a, b) => a.id - b.id)),
            bundles: fc.constant([...bundles].sort((a, b) => a.id - b.id)),
            policies: fc
              .uniqueArray(
                ipsecPolicy(
                  bundles.map(b => b.id),
                  isakmpPolicies.map(p => p.name),
                ),
                {
                  selector: p => p.name.toLowerCase(),
                  maxLength: 5,
                },
              )
              .map(policies =>
                inOrder(
                  policies.filter(
                    (p, i) => policies.findIndex(q => q.interface === p.interface && q.position === p.position) === i,
                  ),
                ),
              ),
          }),
          isakmp: fc.record({ enabled: bool, policies: fc.constant(isakmpPolicies) }),
          aliases: fc.uniqueArray(
            fc.record({ name: word(8).map(w => `al${w}`.slice(0, 8)), string: printable(1, 40) }),
            byName,
          ),
          held: fc
            .subarray(held)
            .map(list => list.filter(h => !h.text.includes('template=7') || pppTemplates.some(t => t.template === 7))),
          inert: fc.subarray(inert),
        }),
      )
    })
  })

describe('a written script', () => {
  it('builds the configuration that it was written from', () => {
    fc.assert(
      fc.property(configuration, c => {
        const script = writeScript(c)
        const result = readScript(script, { values: {}, files: name => FILES[name] })
        expect(result.faults.filter(f => f.severity === 'error').map(formatFault)).toEqual([])
        expect(withoutLines(result.configuration)).toEqual(withoutLines(c))
        expect(writeScript(result.configuration)).toBe(script)
      }),
      { numRuns: 150 },
    )
  })

  it('has what is held about each object, whichever parameter it is', () => {
    const objects = [
      'add user=x password=y login=no',
      'create ppp template=1 authentication=chap',
      'add ip interface=eth0 ipaddress=192.0.2.1',
      'create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=des hashalg=sha',
      'create ipsec policy=x interface=eth0 action=permit',
      'create isakmp policy=x peer=any key=1',
      'create log output=1 destination=syslog server=192.0.2.1',
    ]
    const names: Readonly<Record<string, string>> = {
      template: '1',
      interface: 'eth0',
      saspecification: '1',
      output: '1',
    }
    const samples = ['x', '1', '300', 'on', '64', '192.0.2.1', 'x.scp', 'eth0']
    const commands = commandTable
      .filter(e => e.verb === 'set' && e.effect === 'act' && e.path[0]?.name !== 'firewall')
      .flatMap(e => {
        const path = e.path.map(w => (w.value === 'none' ? w.name : `${w.name}=${names[w.name] ?? 'x'}`)).join(' ')
        return e.parameters
          .filter(p => p.held)
          .map(p => {
            const words = (p.type.words ?? []).map(w => w.name)
            const value = [...words, ...samples].find(v => p.type.parse(v) !== undefined)
            return `set ${path} ${p.name}=${value}`
          })
      })
    expect(commands.length).toBeGreaterThan(60)
    const { configuration: made, faults } = readScript([...objects, ...commands].join('\n'), { values: {}, keys: [1] })
    expect(faults.filter(f => f.severity === 'error').map(formatFault)).toEqual([])
    const script = writeScript(made)
    for (const command of commands) expect(script).toContain(`\n${command}\n`)
    const again = readScript(script, { values: {}, keys: [1] }).configuration
    expect(withoutLines(again)).toEqual(withoutLines(made))
  })

  it('has three lines at the head of each section, and no keys', () => {
    const { configuration: made } = applyCommand(emptyConfiguration, 'create enco key=1 type=general value=hushhush')
    const script = writeScript(made)
    expect(script.startsWith('#\n# SYSTEM configuration\n#\n\n#\n# LOAD')).toBe(true)
    expect(script).not.toMatch(/enco|hushhush/)
    const waiting = readScript('create enco key=1 type=general value=<psk>', { values: {} }).configuration
    expect(waiting.inert).toHaveLength(1)
    expect(writeScript(waiting)).not.toContain('enco')
  })

  it('creates first and sets then, in lower case', () => {
    const { configuration: made } = readScript(
      'CREATE ISAKMP POLICY=Road PEER=ANY KEY=1\nSET ISA POL=Road LOCALID=local\nCRE IPS POL=x INT=eth0 AC=PE LP=500 TRA=17',
      { values: {} },
    )
    expect(writeScript(made)).toContain(`create ipsec policy="x" interface=eth0 action=permit
set ipsec policy="x" lport=500 transportprotocol=udp
create isakmp policy="Road" peer=any key=1
set isakmp policy="Road" nattraversal=on localid="local"
`)
  })
})

describe('our own example', () => {
  const text = readFileSync(new URL('../../examples/ar450s.cfg', import.meta.url), 'utf8')

  it('loads with nothing filled in, and serves but for the pool', () => {
    const { configuration: c, faults } = readScript(text, { values: {}, keys: [1] })
    expect(faults.map(f => f.severity)).toEqual(['warning'])
    expect(c.inert.flatMap(i => i.placeholders)).toEqual([
      'office DNS server address',
      'office private LAN address',
      'office Internet address',
      'x.x.x.x-x.x.x.x',
    ])
    expect(c.firewall.policies[0]!.rules.map(r => [r.port?.first, r.encapsulation])).toEqual([
      [500, undefined],
      [4500, undefined],
      [1701, 'ipsec'],
      [22, undefined],
    ])
    expect(c.users).toEqual([])
    expect(c.held).toEqual([])
  })

  it('loads without a word where the site file fills it', () => {
    const { configuration: c, faults } = readScript(text, {
      keys: [1],
      values: {
        'office DNS server address': '192.168.8.1',
        'office private LAN address': '192.168.8.254',
        'office Internet address': '203.0.113.1',
        'x.x.x.x-x.x.x.x': '192.168.8.60-192.168.8.99',
      },
    })
    expect(faults).toEqual([])
    expect(c.inert).toEqual([])
    expect(c.ip.pools).toEqual([{ name: 'myippool', first: ipv4('192.168.8.60'), last: ipv4('192.168.8.99') }])
    expect(c.ipsec.policies.map(p => [p.name, p.action])).toEqual([
      ['isakmp', 'permit'],
      ['isakmp_float', 'permit'],
      ['all_roaming', 'ipsec'],
      ['internet', 'permit'],
    ])
    expect(c.ipsec.saSpecifications.map(s => `${s.encryption}-${s.hash}`)).toEqual([
      'aes256-sha',
      'aes128-sha',
      '3desouter-sha',
      '3desouter-md5',
    ])
    expect(withoutLines(readScript(writeScript(c), { values: {} }).configuration)).toEqual(withoutLines(c))
  })
})

describe('any text', () => {
  const keywords = commandTable.flatMap(e => [e.verb, ...e.path.map(w => w.name), ...e.parameters.map(p => p.name)])
  const token = fc.oneof(
    fc.constantFrom(...keywords),
    fc.constantFrom(
      '=',
      '="',
      '"',
      '<',
      '>',
      '<a b>',
      '#',
      '*#',
      '\n',
      '\n\n',
      '```',
      'x.x.x.x',
      '1.2.3.4',
      '1-2',
      'any',
      '1',
      '0x00',
    ),
    fc.string({ maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 4 }),
  )
  const text = fc
    .array(fc.tuple(token, fc.constantFrom(' ', '=', '', '\n')), { maxLength: 40 })
    .map(list => list.flat().join(''))

  it('is read without a throw, and what comes of it is written and read again', () => {
    fc.assert(
      fc.property(text, t => {
        const { configuration: c, faults } = readScript(t, { values: { 'a b': '1.2.3.4' } })
        for (const fault of faults) {
          expect(fault.line).toBeGreaterThan(0)
          expect(formatFault(fault)).not.toMatch(/[\n\r]/)
        }
        for (const { text: inertText } of c.inert) maskSecrets(inertText)
        const again = readScript(writeScript({ ...c, encoKeys: [] }), { values: {} }).configuration
        expect(withoutLines({ ...again, inert: [], held: [] }, true, true)).toEqual(
          withoutLines({ ...c, encoKeys: [], inert: [], held: [] }, true, true),
        )
      }),
      { numRuns: 1500 },
    )
  })

  it('at the prompt is taken or refused, without a throw', () => {
    fc.assert(
      fc.property(text, t => {
        const outcome = applyCommand(emptyConfiguration, t)
        expect(outcome.kind === 'refused').toBe(outcome.faults.some(f => f.severity === 'error'))
      }),
      { numRuns: 1500 },
    )
  })

  it('is read in time that grows with its length', () => {
    const before = process.cpuUsage()
    readScript(`${'add user=x "\n'.repeat(5000)}`, { values: {} })
    readScript('x<'.repeat(50_000), { values: {} })
    readScript(`add user=x password=${'<'.repeat(20_000)}`, { values: {} })
    readScript('set ppp x=<a\n'.repeat(5000), { values: {} })
    // A second of a processor's, however many others want it; the square of it would be many.
    expect(process.cpuUsage(before).user).toBeLessThan(10_000_000)
  })
})
