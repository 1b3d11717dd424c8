/**
 * What becomes of which packet under which policy and in which state: one table for both places that enforce a policy. An
 * inside host is a session to the worker and a LAN host to the kernel; the policy's interface `inside` stands for either.
 *
 * A step is `side protocol source > destination = fate`. Sides are `in` (from inside) and `out` (from outside). A is the
 * inside host, B another, X the far host of the case, Y its neighbour, G a global address, H the next, N a name inside.
 * `udp/3` is a datagram in three fragments, `udp+rr` one with an option (its fate names no ports). A small letter is a port that the first fate to speak of it drew. Fates are the ends as the packet leaves, or `drop`.
 */

import type { Firewall, FirewallNat, FirewallPolicy, FirewallRule, LimitRule } from '../../src/firewall/policy.ts'
import type { Moment } from '../../src/firewall/schedule.ts'
import { type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { ALICE, BOB, one, port, rule } from './office.ts'
import { GLOBAL, nat } from './translation.ts'

export interface Case {
  readonly name: string
  readonly policy?: Partial<FirewallPolicy>
  readonly firewall?: Partial<Firewall>
  readonly nats?: readonly FirewallNat[]
  readonly rules?: readonly FirewallRule[]
  /** Noon on a Wednesday where nothing is said. */
  readonly moment?: Moment
  readonly steps: string
}

export const NAME = ipv4('192.168.8.200')
export const NOON: Moment = { now: 0, day: 3, secondOfDay: 12 * 3600 }

const allow = { action: 'allow', interface: 'eth0' } as const
const inside = (change: Partial<FirewallNat>) => nat({ interface: 'inside', ...change })
const staff = { name: 'staff', users: ['alice'], any: false, none: false }
const everybody = { name: 'dynamic', users: [], any: true, none: false }
const limit = (change: Partial<LimitRule> & Pick<LimitRule, 'sessions'>): LimitRule => ({
  number: 1,
  interface: undefined,
  ip: undefined,
  globalRemoteIp: undefined,
  ...change,
})
const forward = rule({
  ...allow,
  number: 5,
  protocol: 6,
  ip: one(ALICE),
  port: port(80),
  globalIp: one(GLOBAL),
  globalPort: port(8080),
})

/** `x`: the case's own far host, so that no case meets another's state. */
export const cases: readonly ((x: Ipv4) => Case)[] = [
  () => ({
    name: 'the base rules: outward and the answers, nothing else',
    steps: `
      in udp A:1000 > X:53 = A:1000 > X:53
      out udp X:53 > A:1000 = X:53 > A:1000
      out udp X:54 > A:1000 = drop
      out udp Y:53 > A:1000 = drop
      out udp X:53 > A:1001 = drop
      out tcp:S X:53 > A:1000 = drop
      out udp X:7 > A:7 = drop
      out tcp:S X:7 > A:7 = drop
      out icmp:8 X:5 > A:5 = drop
      out gre X:0 > A:0 = drop
      in gre A:0 > X:0 = A:0 > X:0
      out gre X:0 > A:0 = X:0 > A:0
      in icmp:8 A:5 > X:5 = A:5 > X:5
      out icmp:0 X:5 > A:5 = X:5 > A:5
      out icmp:0 X:6 > A:6 = drop
      out icmp:5 X:6 > A:6 = drop
      out error X > A about A:1000 > X:53 = X > A about A:1000 > X:53
      out error Y > A about A:1000 > X:53 = Y > A about A:1000 > X:53
      out error X > A about A:1999 > X:53 = drop`,
  }),
  () => ({
    name: 'TCP: the handshake, its answer alone, a RST inside the window alone',
    steps: `
      out tcp:A X:80 > A:1000 = drop
      in tcp:S A:1000 > X:80 = A:1000 > X:80
      out tcp:SA X:80 > A:1000 = X:80 > A:1000
      in tcp:A A:1000 > X:80 = A:1000 > X:80
      out tcp:A X:80 > A:1000 = X:80 > A:1000
      out tcp:R@8000 X:80 > A:1000 = drop
      out tcp:R@1000000000 X:80 > A:1000 = drop
      in tcp:A A:1000 > X:80 = A:1000 > X:80
      out tcp:R@9001 X:80 > A:1000 = X:80 > A:1000`,
  }),
  () => ({
    name: 'a port range for one host, tracked from outside',
    rules: [rule({ ...allow, number: 1, protocol: 6, ip: one(ALICE), port: port(80, 89) })],
    steps: `
      out tcp:S X:4000 > A:80 = X:4000 > A:80
      in tcp:SA A:80 > X:4000 = A:80 > X:4000
      out tcp:S X:4001 > A:89 = X:4001 > A:89
      out tcp:S X:4002 > A:90 = drop
      out tcp:S X:4003 > B:80 = drop
      out udp X:4004 > A:80 = drop
      out icmp:8 X:80 > A:80 = drop`,
  }),
  x => ({
    name: 'the lowest number decides; protocols by number; source ports',
    rules: [
      rule({ ...allow, number: 2, action: 'deny', remoteIp: one(x), protocol: 17, port: port(9) }),
      rule({ ...allow, number: 3, remoteIp: { first: x, last: x + 1 }, protocol: 17 }),
      rule({ ...allow, number: 4, protocol: 47 }),
      rule({ ...allow, number: 5, sourcePort: port(4000, 4010) }),
      rule({ ...allow, number: 6, protocol: 1, remoteIp: one(x) }),
    ],
    steps: `
      out udp X:1 > A:9 = drop
      out udp Y:1 > A:9 = Y:1 > A:9
      out udp X:1 > A:8 = X:1 > A:8
      out gre X:0 > A:0 = X:0 > A:0
      out tcp:S X:4010 > A:22 = X:4010 > A:22
      out tcp:S X:4011 > A:22 = drop
      out icmp:8 X:4 > A:4 = X:4 > A:4
      out icmp:13 X:4 > A:4 = X:4 > A:4
      out icmp:17 X:4 > A:4 = drop
      out icmp:5 X:4 > A:4 = drop
      out icmp:8 Y:4 > A:4 = drop`,
  }),
  x => ({
    name: 'lists of far hosts, both ways',
    policy: { lists: [{ name: 'friends', addresses: [one(x), { first: x - 1, last: x }, { first: 1, last: 9 }] }] },
    rules: [
      rule({ ...allow, number: 1, protocol: 17, list: 'friends' }),
      rule({ action: 'deny', interface: 'inside', number: 2, protocol: 6, list: 'friends' }),
    ],
    steps: `
      out udp X:1 > A:2 = X:1 > A:2
      out udp Y:1 > A:2 = drop
      in tcp:S A:3 > X:4 = drop
      in tcp:S A:3 > Y:4 = A:3 > Y:4`,
  }),
  () => ({
    name: 'a list of Ethernet addresses, which these packets have not; and a template’s users out of a file',
    policy: {
      dynamics: [everybody, { ...staff, users: [], files: [{ file: 'staff.txt', users: ['bob', 'alice'] }] }],
      lists: [
        { name: 'cards', addresses: [], file: 'cards.txt', hardware: ['02:00:00:00:00:01', '02:00:00:00:00:02'] },
      ],
    },
    rules: [
      rule({ ...allow, number: 1, protocol: 17, list: 'cards' }),
      rule({ action: 'deny', interface: 'inside', number: 2, protocol: 6, list: 'cards' }),
      rule({ ...allow, number: 3, protocol: 47, group: 'staff' }),
    ],
    steps: `
      out udp X:1 > A:2 = drop
      in tcp:S A:3 > X:4 = A:3 > X:4
      out gre X:0 > A:0 = X:0 > A:0
      out gre X:0 > B:0 = X:0 > B:0`,
  }),
  () => ({
    name: 'users and groups',
    policy: { dynamics: [everybody, staff] },
    rules: [
      rule({ ...allow, number: 1, protocol: 17, port: port(7), user: 'bob' }),
      rule({ ...allow, number: 2, protocol: 17, port: port(8), user: 'alice' }),
      rule({ ...allow, number: 3, protocol: 17, port: port(9), group: 'staff' }),
      rule({ ...allow, number: 4, protocol: 6, group: 'dynamic' }),
    ],
    steps: `
      out udp X:1 > A:7 = drop
      out udp X:1 > B:7 = X:1 > B:7
      out udp X:1 > A:8 = X:1 > A:8
      out udp X:1 > B:8 = drop
      out udp X:1 > A:9 = X:1 > A:9
      out udp X:1 > B:9 = drop
      out tcp:S X:1 > B:9 = X:1 > B:9`,
  }),
  () => ({
    name: 'outward rules',
    rules: [
      rule({ action: 'allow', interface: 'inside', number: 1, protocol: 6, port: port(25), ip: one(ALICE) }),
      rule({ action: 'deny', interface: 'inside', number: 2, protocol: 6, port: port(25) }),
      rule({ action: 'deny', interface: 'inside', number: 3, protocol: 17, sourcePort: port(0, 1023) }),
    ],
    steps: `
      in tcp:S A:5000 > X:25 = A:5000 > X:25
      in tcp:S B:5000 > X:25 = drop
      in tcp:S B:5000 > X:26 = B:5000 > X:26
      in udp A:1023 > X:5 = drop
      in udp A:1024 > X:5 = A:1024 > X:5`,
  }),
  () => ({
    name: 'ICMP messages that the policy does not forward',
    policy: { icmpForwarding: ['unreachable', 'timestamp'] },
    rules: [rule({ ...allow, number: 1, protocol: 1 })],
    steps: `
      in icmp:8 A:5 > X:5 = drop
      out icmp:8 X:5 > A:5 = drop
      in icmp:13 A:5 > X:5 = A:5 > X:5
      out icmp:14 X:5 > A:5 = X:5 > A:5
      in udp A:6 > X:6 = A:6 > X:6
      out error X > A about A:6 > X:6 = X > A about A:6 > X:6
      out expired X > A about A:6 > X:6 = drop`,
  }),
  x => ({
    name: 'a limit of sessions, by who begins them',
    policy: { limitRules: [limit({ sessions: 2 }), limit({ number: 2, sessions: 1, globalRemoteIp: one(x + 1) })] },
    rules: [rule({ ...allow, number: 1, protocol: 17 })],
    steps: `
      in udp A:1 > X:2 = A:1 > X:2
      in udp A:3 > X:2 = A:3 > X:2
      in udp A:4 > X:2 = drop
      in icmp:8 A:9 > X:9 = drop
      in udp A:1 > X:2 = A:1 > X:2
      out udp X:2 > A:3 = X:2 > A:3
      in udp B:1 > X:2 = B:1 > X:2
      in udp B:1 > Y:2 = B:1 > Y:2
      in udp B:5 > X:2 = drop
      out udp X:6 > B:7 = X:6 > B:7
      out udp X:7 > A:7 = X:7 > A:7
      out udp X:8 > A:7 = drop
      out udp Y:8 > A:7 = Y:8 > A:7
      out udp Y:9 > A:7 = drop`,
  }),
  () => ({
    name: 'a limit of sessions: what is over makes room',
    policy: { limitRules: [limit({ sessions: 1, ip: one(ALICE), interface: 'inside' })] },
    steps: `
      in tcp:S A:1000 > X:80 = A:1000 > X:80
      in tcp:S A:1001 > X:80 = drop
      out tcp:SA X:80 > A:1000 = X:80 > A:1000
      in tcp:A A:1000 > X:80 = A:1000 > X:80
      in tcp:S A:1001 > X:80 = drop
      out tcp:R@9001 X:80 > A:1000 = X:80 > A:1000
      in tcp:S A:1001 > X:80 = A:1001 > X:80
      in tcp:S A:1002 > X:80 = drop
      in tcp:S B:1001 > X:80 = B:1001 > X:80
      in tcp:S B:1002 > X:80 = B:1002 > X:80`,
  }),
  () => ({
    name: 'a limit of no sessions, behind translation',
    policy: { limitRules: [limit({ sessions: 0, ip: one(BOB) })] },
    nats: [inside({})],
    steps: `
      in udp A:1000 > X:53 = G:p > X:53
      out udp X:53 > G:p = X:53 > A:1000
      in udp B:1000 > X:53 = drop
      in tcp:S B:1000 > X:53 = drop`,
  }),
  () => ({
    name: 'a limit on forwards counts those outside',
    policy: { limitRules: [limit({ sessions: 1, ip: one(ALICE) })] },
    rules: [forward],
    steps: `
      out tcp:S X:4000 > G:8080 = X:4000 > A:80
      out tcp:S X:4001 > G:8080 = drop
      out tcp:S Y:4001 > G:8080 = Y:4001 > A:80
      in tcp:SA A:80 > X:4000 = G:8080 > X:4000`,
  }),
  () => ({
    name: 'IP options that the policy does not forward',
    policy: { ipOptions: ['security', 'timestamp', 'router_alert'] },
    steps: `
      in udp+rr A:1 > X:2 = drop
      in udp+ra A:1 > X:2 = A:0 > X:0
      in udp+ts A:3 > X:2 = A:0 > X:0`,
  }),
  () => ({
    name: 'router alerts',
    policy: { ipOptions: ['record_route'] },
    rules: [rule({ ...allow, number: 1 })],
    steps: `
      in udp+ra A:1 > X:2 = drop
      in udp+rr A:1 > X:2 = A:0 > X:0
      out udp+ra X:3 > A:2 = drop
      out udp+rr X:3 > A:2 = X:0 > A:0`,
  }),
  () => ({
    name: 'fragments that the policy does not forward',
    policy: { fragments: ['icmp'] },
    rules: [rule({ ...allow, number: 1 })],
    steps: `
      in udp/2 A:1 > X:2 = drop
      in udp A:1 > X:2 = A:1 > X:2
      in icmp:8/3 A:5 > X:5 = A:5 > X:5
      in gre/2 A:0 > X:0 = drop
      out udp/2 X:1 > A:3 = drop
      out udp X:1 > A:3 = X:1 > A:3
      out icmp:8/2 X:6 > A:6 = X:6 > A:6
      out gre/2 X:0 > A:0 = drop`,
  }),
  () => ({
    name: 'MAXFRAGMENTS',
    firewall: { maxFragments: 8 },
    rules: [rule({ ...allow, number: 1, protocol: 17 })],
    steps: `
      in udp/8 A:1 > X:2 = A:1 > X:2
      in udp/9 A:1 > X:2 = drop
      in udp/8 A:1 > X:2 = A:1 > X:2
      out udp/8 X:3 > A:4 = X:3 > A:4
      out udp/12 X:3 > A:4 = drop
      out udp X:3 > A:4 = X:3 > A:4`,
  }),
  () => ({
    name: 'as many fragments as there are where nothing is said',
    steps: `
      in udp/40 A:1 > X:2 = A:1 > X:2
      out udp/40 X:2 > A:1 = X:2 > A:1`,
  }),
  () => ({
    name: 'rules by the hour: not now',
    rules: [
      rule({ ...allow, number: 1, protocol: 17, port: port(7), afterMinute: 13 * 60 }),
      rule({ ...allow, number: 2, protocol: 17, port: port(8), days: [3], beforeMinute: 13 * 60 }),
      rule({ ...allow, number: 3, protocol: 17, port: port(9), days: [0, 6] }),
    ],
    steps: `
      out udp X:1 > A:7 = drop
      out udp X:1 > A:8 = X:1 > A:8
      out udp X:1 > A:9 = drop`,
  }),
  () => ({
    name: 'rules by the hour: now',
    moment: { ...NOON, day: 6, secondOfDay: 14 * 3600 },
    rules: [
      rule({ ...allow, number: 1, protocol: 17, port: port(7), afterMinute: 13 * 60 }),
      rule({ ...allow, number: 2, protocol: 17, port: port(8), days: [3], beforeMinute: 13 * 60 }),
      rule({ ...allow, number: 3, protocol: 17, port: port(9), days: [0, 6] }),
    ],
    steps: `
      out udp X:1 > A:7 = X:1 > A:7
      out udp X:1 > A:8 = drop
      out udp X:1 > A:9 = X:1 > A:9`,
  }),
  () => ({
    name: 'METHOD=PASSALL',
    policy: { interfaces: [{ name: 'eth0', type: 'public', method: 'passall' }] },
    rules: [rule({ ...allow, action: 'deny', number: 1, protocol: 17, port: port(7) })],
    steps: `
      out udp X:1 > A:7 = drop
      out udp X:1 > A:8 = X:1 > A:8
      out tcp:S X:1 > B:8 = X:1 > B:8`,
  }),
  () => ({
    name: 'enhanced NAT',
    nats: [inside({})],
    steps: `
      in udp A:1000 > X:53 = G:p > X:53
      out udp X:53 > G:p = X:53 > A:1000
      out udp X:54 > G:p = drop
      out udp Y:53 > G:p = drop
      out udp X:53 > G:1000 = drop
      out udp X:53 > A:1000 = drop
      in udp B:1000 > X:53 = G:q > X:53
      out udp X:53 > G:q = X:53 > B:1000
      in udp A:1000 > X:53 = G:p > X:53
      in icmp:8 A:77 > X:77 = G:i > X:i
      out icmp:0 X:i > G:i = X:77 > A:77
      out icmp:8 X:i > G:i = drop
      out error Y > G about G:p > X:53 = Y > A about A:1000 > X:53
      out error Y > G about G:9 > X:53 = drop
      in tcp:S A:1000 > X:80 = G:r > X:80
      out tcp:SA X:80 > G:r = X:80 > A:1000
      in tcp:A A:1000 > X:80 = G:r > X:80
      out tcp:R@8000 X:80 > G:r = drop
      out tcp:R@9001 X:80 > G:r = X:80 > A:1000`,
  }),
  x => ({
    name: 'NONAT, and NAT of a rule before that of the pair',
    nats: [inside({})],
    rules: [
      rule({ action: 'nonat', interface: 'inside', number: 1, protocol: 17, port: port(7) }),
      rule({
        action: 'nat',
        interface: 'inside',
        number: 2,
        protocol: 17,
        remoteIp: one(x),
        globalIp: one(GLOBAL + 1),
      }),
      rule({ action: 'deny', interface: 'inside', number: 3, protocol: 17, port: port(9) }),
    ],
    steps: `
      in udp A:1000 > X:7 = A:1000 > X:7
      out udp X:7 > A:1000 = X:7 > A:1000
      in udp A:1000 > X:8 = H:* > X:8
      in udp A:1000 > Y:8 = G:* > Y:8
      in udp A:1000 > Y:9 = drop`,
  }),
  () => ({
    name: 'standard NAT of a range, both ways',
    nats: [
      inside({ kind: 'standard', ip: { first: ALICE, last: BOB }, globalIp: { first: GLOBAL, last: GLOBAL + 1 } }),
    ],
    rules: [rule({ ...allow, number: 1, protocol: 6, ip: one(BOB), port: port(80) })],
    steps: `
      in udp A:2000 > X:53 = G:2000 > X:53
      out udp X:53 > G:2000 = X:53 > A:2000
      in udp B:2000 > X:53 = H:2000 > X:53
      out tcp:S X:9 > H:80 = X:9 > B:80
      in tcp:SA B:80 > X:9 = H:80 > X:9
      out tcp:S X:9 > G:80 = drop
      out tcp:S X:9 > H:81 = drop`,
  }),
  () => ({
    name: 'one address for one goes before what is for everybody',
    nats: [inside({}), inside({ kind: 'standard', ip: one(BOB), globalIp: one(GLOBAL + 1) })],
    steps: `
      in udp A:3000 > X:53 = G:* > X:53
      in udp B:3000 > X:53 = H:3000 > X:53
      out udp X:53 > H:3000 = X:53 > B:3000`,
  }),
  () => ({
    name: 'a forward to another port, which is not to be had otherwise',
    rules: [forward],
    steps: `
      out tcp:S X:4000 > G:8080 = X:4000 > A:80
      in tcp:SA A:80 > X:4000 = G:8080 > X:4000
      out tcp:A X:4000 > G:8080 = X:4000 > A:80
      out tcp:S X:4001 > G:80 = drop
      out udp X:4001 > G:8080 = drop
      out tcp:S X:4001 > A:80 = drop
      out tcp:S X:4001 > A:8080 = drop`,
  }),
  x => ({
    name: 'a forward for some, and none where a rule before denies',
    rules: [
      rule({ ...allow, number: 4, action: 'deny', protocol: 6, ip: one(ALICE), remoteIp: one(x) }),
      forward,
      rule({ ...forward, number: 6, ip: one(BOB), globalPort: port(8081), remoteIp: one(x) }),
    ],
    steps: `
      out tcp:S X:4000 > G:8080 = drop
      out tcp:S Y:4000 > G:8080 = Y:4000 > A:80
      out tcp:S X:4000 > G:8081 = X:4000 > B:80
      out tcp:S Y:4000 > G:8081 = drop`,
  }),
  () => ({
    name: 'a forward to a user',
    rules: [
      rule({ ...forward, number: 5, ip: undefined, user: 'bob' }),
      rule({ ...forward, number: 6, protocol: 17, ip: undefined, port: undefined, globalPort: port(9), user: 'bob' }),
    ],
    steps: `
      out tcp:S X:4000 > G:8080 = X:4000 > B:80
      in tcp:SA B:80 > X:4000 = G:8080 > X:4000
      out udp X:4000 > G:9 = X:4000 > B:9
      in error B > X about X:4000 > B:9 = G > X about X:4000 > G:9
      out tcp:S X:4001 > B:80 = drop`,
  }),
  x => ({
    name: 'reverse NAT: a far host by a name inside',
    nats: [inside({ kind: 'reverse', ip: one(NAME), globalIp: one(x) })],
    rules: [rule({ ...allow, number: 1, protocol: 17, port: port(7) })],
    steps: `
      in udp A:1000 > N:53 = A:1000 > X:53
      out udp X:53 > A:1000 = N:53 > A:1000
      out udp X:9 > A:7 = N:9 > A:7
      in udp A:7 > N:9 = A:7 > X:9
      out udp Y:9 > A:7 = Y:9 > A:7
      out udp X:9 > A:8 = drop`,
  }),
]
