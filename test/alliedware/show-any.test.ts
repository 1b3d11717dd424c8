/** Whatever the state, each printer gives clean lines; and the layout's own pieces hold their promises. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BundleSpecification, IsakmpPolicyConfig, SaSpecification } from '../../src/alliedware/config.ts'
import { printAttempts } from '../../src/alliedware/show/attempt.ts'
import { printCounters } from '../../src/alliedware/show/counter.ts'
import { type EncoKeyState, printEncoKeys } from '../../src/alliedware/show/enco.ts'
import { printIpPools } from '../../src/alliedware/show/ip.ts'
import {
  printBundles,
  printIpsecPolicies,
  printIpsecPolicy,
  printIpsecSas,
  printSaSpecifications,
} from '../../src/alliedware/show/ipsec.ts'
import {
  printIsakmpExchanges,
  printIsakmpPolicies,
  printIsakmpSa,
  printIsakmpSas,
} from '../../src/alliedware/show/isakmp.ts'
import { printL2tpTunnels } from '../../src/alliedware/show/l2tp.ts'
import { bytesText, dayTime, durationText, timeDate, wrap } from '../../src/alliedware/show/layout.ts'
import { type LogOptions, printLog } from '../../src/alliedware/show/log.ts'
import { printPpp } from '../../src/alliedware/show/ppp.ts'
import { printSessions } from '../../src/alliedware/show/session.ts'
import type {
  AttemptState,
  CounterState,
  IpPoolState,
  IpsecPolicyState,
  IpsecSaState,
  IsakmpExchangeState,
  IsakmpSaState,
  L2tpTunnelState,
  LogState,
  PppState,
  SessionState,
  SystemState,
  UserState,
} from '../../src/alliedware/show/state.ts'
import { printSystem } from '../../src/alliedware/show/system.ts'
import { printUsers } from '../../src/alliedware/show/user.ts'

// --- Arbitrary states: any text where a peer or a script can put any.

type Fields<T> = { [K in keyof T]-?: fc.Arbitrary<T[K]> }
const record = <T>(fields: Fields<T>): fc.Arbitrary<T> => fc.record(fields) as fc.Arbitrary<T>
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 4 })

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', ' ', 'dialin1', 'two words  ', '\n', '\u2028'),
)
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const small = fc.nat({ max: 65_535 })
const spi = fc.nat({ max: 0xffff_ffff })
const flag = fc.boolean()
const time = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map(d => d.toISOString()),
  text,
)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const isakmpSa = record<IsakmpSaState>({
  id: small,
  peer: small,
  remote: text,
  local: text,
  policy: text,
  identity: text,
  client: text,
  encryption: text,
  hash: text,
  group: small,
  initiatorCookie: text,
  responderCookie: text,
  nat: text,
  natTraversal: text,
  ageSeconds: count,
  lifetimeSeconds: count,
  messageBackoff: text,
})
const exchange = record<IsakmpExchangeState>({
  id: small,
  phase: fc.constantFrom(1, 2),
  state: text,
  peerAddress: text,
  type: text,
  policy: text,
  peerPort: small,
  local: text,
  ageSeconds: count,
  messageBackoff: text,
})
const isakmpPolicy = record<IsakmpPolicyConfig>({
  name: text,
  peer: fc.oneof(fc.constant('any' as const), spi, text),
  authType: fc.constantFrom('preshared', 'rsasig'),
  key: maybe(small),
  encryption: maybe(fc.constantFrom('des', '3desouter', 'aes256')),
  hash: maybe(fc.constantFrom('sha', 'md5', 'sha256')),
  group: maybe(small),
  mode: fc.constantFrom('main', 'aggressive'),
  localId: maybe(text),
  remoteId: maybe(text),
  natTraversal: flag,
  sendDeletes: flag,
  sendNotify: flag,
  expirySeconds: maybe(count),
  msgRetryLimit: small,
  msgTimeoutSeconds: small,
  msgBackoff: fc.constantFrom('incremental', 'none'),
  dpdMode: maybe(fc.constantFrom('both', 'receive', 'none')),
  dpdIdleSeconds: maybe(small),
})
const ipsecSa = record<IpsecSaState>({
  id: small,
  policy: text,
  bundle: maybe(small),
  state: fc.constantFrom('Valid', 'Inbound only', 'Replaced'),
  protocol: fc.constant('ESP'),
  inSpi: spi,
  outSpi: spi,
  peer: small,
  remote: text,
  suite: text,
  encapsulation: text,
  ageSeconds: count,
  lifetimeSeconds: maybe(count),
  lifetimeKilobytes: maybe(count),
})
const ipsecPolicy = record<IpsecPolicyState>({
  name: text,
  interface: text,
  position: small,
  action: text,
  keyManagement: text,
  isakmpPolicy: text,
  bundle: maybe(small),
  peerAddress: text,
  localPort: text,
  remotePort: text,
  transportProtocol: text,
  localAddress: text,
  remoteAddress: text,
  localName: text,
  remoteName: text,
  icmpTypes: text,
  usePfsKey: flag,
  group: maybe(small),
  counters: record<IpsecPolicyState['counters']>({
    outPermit: count,
    outDeny: count,
    inPermit: count,
    inDeny: count,
    outProcessStart: count,
    outProcessDone: count,
    outProcessFail: count,
    outBytes: count,
    inProcessStart: count,
    inProcessDone: count,
    inProcessFail: count,
    inBytes: count,
  }),
})
const specification = record<SaSpecification>({
  id: small,
  keyManagement: fc.constantFrom('isakmp', 'manual'),
  protocol: fc.constantFrom('esp', 'ah', 'comp'),
  encryption: maybe(fc.constantFrom('des', '3desouter', 'null')),
  hash: maybe(fc.constantFrom('sha', 'desmac', 'null')),
  mode: fc.constantFrom('tunnel', 'transport'),
  antiReplay: maybe(flag),
  replayWindow: maybe(small),
})
const bundle = record<BundleSpecification>({
  id: small,
  keyManagement: fc.constantFrom('isakmp', 'manual'),
  string: text,
  alternatives: some(some(small)),
  expirySeconds: maybe(count),
  expiryKilobytes: maybe(count),
})
const tunnel = record<L2tpTunnelState>({
  localTunnelId: small,
  remoteTunnelId: small,
  peer: small,
  remote: text,
  hostName: text,
  vendor: text,
  state: text,
  ns: small,
  nr: small,
  ageSeconds: count,
  calls: some(fc.record({ session: small, localSessionId: small, remoteSessionId: small, state: text, ppp: text })),
})
const link = record<PppState>({
  name: text,
  session: small,
  template: small,
  over: text,
  user: text,
  lcp: text,
  ipcp: text,
  phase: text,
  address: text,
  localAddress: text,
  peerMru: small,
  authentication: fc.constantFrom(...(['CHAP', 'MS-CHAPv2', 'NONE'] as const)),
  identification: some(text),
  ageSeconds: count,
  localMru: small,
  compression: some(text),
  missedEchoes: small,
  idleSeconds: maybe(count),
  idleLimitSeconds: maybe(count),
  echoSeconds: maybe(small),
  bytesIn: count,
  bytesOut: count,
  packetsIn: count,
  packetsOut: count,
  counters: fc.dictionary(text, count, { maxKeys: 4 }),
})
const pool = record<IpPoolState>({
  name: text,
  first: text,
  last: text,
  size: count,
  free: count,
  used: some(fc.record({ address: text, user: text })),
})
const user = record<UserState>({
  name: text,
  description: text,
  privilege: text,
  login: flag,
  telnet: flag,
  ipAddress: text,
  sessions: count,
  authentications: count,
  fails: count,
})
const logEntry = record<LogState>({
  time,
  severity: fc.nat({ max: 7 }),
  module: text,
  type: text,
  subtype: text,
  text: fc.oneof(text, fc.string({ maxLength: 300 }), fc.lorem({ maxCount: 40 })),
})
const logOptions: fc.Arbitrary<LogOptions> = fc.record(
  { tail: small, reverse: flag, module: text, severity: fc.nat({ max: 7 }).map(first => ({ first, last: 7 })) },
  { requiredKeys: [] },
)
const session = record<SessionState>({
  id: small,
  user: text,
  identity: text,
  remote: text,
  nat: text,
  suite: text,
  address: text,
  bytesIn: count,
  bytesOut: count,
  packetsIn: count,
  packetsOut: count,
  since: time,
  client: text,
  hostName: text,
  mtu: small,
})
const attempt = record<AttemptState>({
  id: small,
  time,
  remote: text,
  client: text,
  user: text,
  outcome: fc.constantFrom('trying', 'connected', 'failed', 'ended'),
  text,
  remedy: text,
  setupMillis: maybe(fc.double({ min: 0, max: 1e9, noNaN: true })),
})
const counters: fc.Arbitrary<CounterState> = fc.dictionary(text, fc.dictionary(text, count, { maxKeys: 7 }), {
  maxKeys: 4,
})
const system = record<SystemState>({
  name: text,
  version: text,
  uptimeSeconds: count,
  workers: small,
  crypto: text,
  offloads: text,
  listening: some(text),
  tun: text,
  warnings: some(fc.oneof(text, fc.string({ maxLength: 300 }))),
})
const key = record<EncoKeyState>({
  id: small,
  type: text,
  length: small,
  description: text,
  module: text,
  ipAddress: text,
})

// --- The properties.

/** Every printer over any of its states. */
const printed: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'isakmp sa': some(isakmpSa).map(printIsakmpSas),
  'isakmp sa=': isakmpSa.map(printIsakmpSa),
  'isakmp exchange': some(exchange).map(printIsakmpExchanges),
  'isakmp policy': some(isakmpPolicy).map(printIsakmpPolicies),
  'ipsec sa': some(ipsecSa).map(printIpsecSas),
  'ipsec policy': some(ipsecPolicy).map(printIpsecPolicies),
  'ipsec policy=': fc.tuple(ipsecPolicy, flag).map(([p, counted]) => printIpsecPolicy(p, counted)),
  'ipsec saspecification': some(specification).map(printSaSpecifications),
  'ipsec bundlespecification': some(bundle).map(printBundles),
  'l2tp tunnel': some(tunnel).map(printL2tpTunnels),
  ppp: some(link).map(printPpp),
  'ip pool': some(pool).map(printIpPools),
  user: some(user).map(printUsers),
  log: fc.tuple(some(logEntry), logOptions).map(([entries, options]) => printLog(entries, options)),
  session: some(session).map(printSessions),
  attempt: some(attempt).map(printAttempts),
  counter: counters.map(printCounters),
  system: system.map(printSystem),
  'enco key': some(key).map(printEncoKeys),
}

describe.each(Object.entries(printed))('SHOW %s of any state', (_, texts) => {
  it('gives lines without trailing blanks or anything a terminal obeys', () => {
    fc.assert(
      fc.property(texts, output => {
        expect(output.trim()).not.toBe('')
        for (const line of output.split('\n')) {
          expect(line).not.toMatch(/\s$/)
          expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        }
      }),
    )
  })
})

describe('SHOW ATTEMPT of any state', () => {
  it('has a row each, and everything else indented below', () => {
    fc.assert(
      fc.property(fc.array(attempt, { minLength: 1, maxLength: 6 }), attempts => {
        const rows = printAttempts(attempts)
          .split('\n')
          .slice(4)
          .filter(line => line !== '' && !line.startsWith('    '))
        expect(rows.map(row => row.split(' ')[0])).toEqual(attempts.map(a => String(a.id)))
      }),
    )
  })
})

describe('the layout', () => {
  it('wraps within the width and loses nothing but blanks', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 1, max: 60 }), (any, width) => {
        const lines = wrap(any, width)
        expect(Math.max(...lines.map(l => l.length))).toBeLessThanOrEqual(width)
        expect(lines.join('').replaceAll(' ', '')).toBe(any.replaceAll(' ', ''))
      }),
    )
  })

  it('breaks at blanks, and cuts a word that is longer than the line', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(wrap('abcdefghij kl', 4)).toEqual(['abcd', 'efgh', 'ij', 'kl'])
    expect(wrap('', 4)).toEqual([''])
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1_234_567, '1.2 MB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [5_000_000_000_000, '5.0 TB'],
  ])('prints %d bytes as %s', (bytes, expected) => {
    expect(bytesText(bytes)).toBe(expected)
  })

  it.each([
    [0, '00:00:00'],
    [3661, '01:01:01'],
    [86_400, '1 day 00:00:00'],
    [180_000, '2 days 02:00:00'],
  ])('prints %d seconds as %s', (seconds, expected) => {
    expect(durationText(seconds)).toBe(expected)
  })

  it('prints times as the router does, and leaves what is no time', () => {
    expect(dayTime('2005-02-21T09:41:02.123Z')).toBe('21 09:41:02')
    expect(timeDate('2005-02-21T09:41:02.123Z')).toBe('09:41:02 21-Feb-2005')
    expect(dayTime('yesterday')).toBe('yesterday')
    expect(timeDate('2005-13-21T09:41:02Z')).toBe('2005-13-21T09:41:02Z')
  })
})
