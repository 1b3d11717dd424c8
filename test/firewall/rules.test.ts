/** Rules by every field that they can have, options of a policy, and the search that does not try each rule. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { Headers } from '../../src/firewall/headers.ts'
import type { FirewallPolicy, FirewallRule } from '../../src/firewall/policy.ts'
import { compileRules, firstMatch, matches, type RuleList } from '../../src/firewall/rules.ts'
import { RuleSchedule } from '../../src/firewall/schedule.ts'
import { DropReason } from '../../src/packet/verdict.ts'
import {
  ALICE,
  BOB,
  firewall,
  fragments,
  fromClient,
  INTERNET,
  icmp,
  icmpError,
  LAN_GATEWAY,
  LAN_HOST,
  one,
  policy,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
} from './office.ts'

describe('LIST', () => {
  const lists = [{ name: 'friends', addresses: [one(INTERNET), { first: INTERNET + 10, last: INTERNET + 12 }] }]

  test('is about the far host, from inside and from outside', () => {
    const t = tables(
      firewall({
        lists,
        rules: [
          rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 17, list: 'friends' }),
          rule({ number: 2, action: 'deny', interface: 'dyn-dynamic', protocol: 17, list: 'friends' }),
        ],
      }),
    )
    for (const [far, friend] of [
      [INTERNET, true],
      [INTERNET + 1, false],
      [INTERNET + 11, true],
      [INTERNET + 13, false],
    ] as const) {
      expect(toClient(t, udp(far, 1, ALICE, 2))).toBe(friend ? 'Forward' : 'Policy')
      expect(fromClient(t, 2, udp(BOB, 3, far, 4))).toBe(friend ? 'Policy' : 'Forward')
    }
  })

  test('that is not there matches nothing', () => {
    const t = tables(firewall({ rules: [rule({ number: 1, action: 'allow', interface: 'eth0', list: 'nobody' })] }))
    expect(toClient(t, udp(INTERNET, 1, ALICE, 2))).toBe('Policy')
  })
})

describe('USER and GROUP', () => {
  const template = (name: string, users: string[], any = false) => ({ name, users, any, none: false })

  test('whose session sends, or on a public interface is meant', () => {
    const t = tables(
      firewall({
        dynamics: [template('dynamic', [], true), template('staff', ['alice'])],
        rules: [
          rule({ number: 1, action: 'deny', interface: 'dyn-dynamic', protocol: 17, user: 'bob' }),
          rule({ number: 2, action: 'allow', interface: 'eth0', protocol: 17, user: 'bob' }),
          rule({ number: 3, action: 'allow', interface: 'eth0', protocol: 6, group: 'staff' }),
        ],
        interfaces: [...policy().interfaces, { name: 'dyn-staff', type: 'private', method: 'dynamic' }],
      }),
    )
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    expect(fromClient(t, 2, udp(BOB, 1, INTERNET, 2))).toBe('Policy')
    expect(toClient(t, udp(INTERNET, 5, BOB, 6))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 5, ALICE, 6))).toBe('Policy')
    expect(toClient(t, tcp(INTERNET, 5, ALICE, 6, TCP.SYN))).toBe('Forward')
    expect(toClient(t, tcp(INTERNET, 5, BOB, 6, TCP.SYN))).toBe('Policy')
    expect(t.ruleHits().map(h => [h.rule, h.hits])).toEqual(
      expect.arrayContaining([
        [1, 1],
        [2, 1],
        [3, 1],
      ]),
    )
  })

  test('follows the user to another session, and stays over another ruleset; so do the hits', () => {
    const rules = firewall({ rules: [rule({ number: 1, action: 'deny', interface: 'dyn-dynamic', user: 'alice' })] })
    const t = tables(rules)
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Policy')
    t.install({ session: 2, peer: 12, address: BOB, user: 'Alice', mtu: 1280 })
    expect(fromClient(t, 2, udp(BOB, 1, INTERNET, 2))).toBe('Policy')
    t.remove(1)
    t.install({ session: 1, peer: 11, address: ALICE, user: 'carol', mtu: 1280 })
    t.setRuleset(buildRuleset(structuredClone(rules), SURROUNDINGS))
    expect(fromClient(t, 2, udp(BOB, 3, INTERNET, 2))).toBe('Policy')
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    expect(t.ruleHits()).toEqual([{ policy: 'main', rule: 1, hits: 3 }])
  })
})

describe('what a policy passes beside its rules', () => {
  test('isolation: clients reach the LAN and outside, not one another', () => {
    const t = tables(firewall({ isolation: true }))
    expect(fromClient(t, 1, udp(ALICE, 1, BOB, 2))).toBe('Policy')
    expect(toClient(t, udp(BOB, 1, ALICE, 2))).toBe('Policy')
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
  })

  test('ICMP messages by their kinds', () => {
    const t = tables(firewall({ icmpForwarding: ['ping', 'timestamp'] }))
    expect(fromClient(t, 1, icmp(ALICE, INTERNET, 8, 1))).toBe('Forward')
    expect(toClient(t, icmp(INTERNET, ALICE, 0, 1))).toBe('Forward')
    expect(fromClient(t, 1, icmp(ALICE, INTERNET, 13, 1))).toBe('Forward')
    const question = udp(ALICE, 1, INTERNET, 2)
    fromClient(t, 1, question)
    expect(toClient(t, icmpError(INTERNET, ALICE, question))).toBe('Policy')
    t.setRuleset(buildRuleset(firewall({ icmpForwarding: ['unreachable'] }), SURROUNDINGS))
    expect(toClient(t, icmpError(INTERNET, ALICE, question))).toBe('Forward')
    expect(fromClient(t, 1, icmp(ALICE, INTERNET, 8, 2))).toBe('Policy')
    // Private to private nothing is asked.
    expect(fromClient(t, 1, icmp(ALICE, LAN_HOST, 8, 2))).toBe('Forward')
  })

  test('IP options by their kinds', () => {
    const withOption = (type: number) => {
      const p = udp(ALICE, 1, INTERNET, 2)
      const out = new Uint8Array(p.length + 4)
      out.set(p.subarray(0, 20))
      out.set([type, 4, 4, 0], 20)
      out.set(p.subarray(20), 24)
      out[0] = 0x46
      out[3] = out.length
      return out
    }
    const t = tables(firewall({ ipOptions: ['security'] }))
    expect(fromClient(t, 1, withOption(130))).toBe('Forward')
    expect(fromClient(t, 1, withOption(7))).toBe('Policy')
    expect(fromClient(t, 1, withOption(68))).toBe('Policy')
    expect(fromClient(t, 1, withOption(148))).toBe('Policy')
    // An option that nobody asks about.
    expect(fromClient(t, 1, withOption(136))).toBe('Forward')
    expect(fromClient(t, 1, withOption(131))).toBe('Policy')
    expect(fromClient(tables(), 1, withOption(7))).toBe('Forward')
  })

  test('fragments by their protocols', () => {
    const t = tables(firewall({ fragments: ['icmp', 'other'] }))
    for (const f of fragments(udp(ALICE, 1, INTERNET, 2, 2000), 1000, 1)) expect(fromClient(t, 1, f)).toBe('Policy')
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2, 500))).toBe('Forward')
    const all = tables()
    for (const f of fragments(udp(ALICE, 1, INTERNET, 2, 2000), 1000, 1)) expect(fromClient(all, 1, f)).toBe('Forward')
  })

  test('ping of the gateway by public sessions', () => {
    const guests = policy().interfaces.map(i => (i.name === 'dyn-dynamic' ? { ...i, type: 'public' as const } : i))
    expect(fromClient(tables(firewall({ interfaces: guests })), 1, icmp(ALICE, LAN_GATEWAY, 8, 1))).toBe('Policy')
    const t = tables(firewall({ interfaces: guests, ping: true }))
    expect(fromClient(t, 1, icmp(ALICE, LAN_GATEWAY, 8, 1))).toBe('Forward')
    expect(fromClient(t, 1, icmp(ALICE, LAN_GATEWAY, 13, 1))).toBe('Policy')
    expect(fromClient(t, 1, icmp(ALICE, LAN_HOST, 8, 1))).toBe('Policy')
  })

  test('the ICMP timeout', () => {
    const t = tables(firewall({ icmpTimeoutSeconds: 5 * 60 }))
    fromClient(t, 1, icmp(ALICE, INTERNET, 8, 1), 0)
    expect(toClient(t, icmp(INTERNET, ALICE, 0, 1), 299_999)).toBe('Forward')
  })
})

describe('time', () => {
  const MINUTE = 60_000
  const base = { action: 'allow', interface: 'eth0' } as const
  /** Numbers of the rules in force, and in how long that changes. */
  const at = (schedule: RuleSchedule, rules: FirewallRule[], day: number, time: string, now = 0) => {
    const [hour, minute, second] = time.split(':').map(Number) as [number, number, number]
    const secondOfDay = hour * 3600 + minute * 60 + (second ?? 0)
    const inForce = schedule.at(firewall({ rules }), { now, day, secondOfDay })
    return [inForce.firewall.policies[0]!.rules.map(r => r.number), inForce.until] as const
  }
  const active = (change: Partial<FirewallRule>, day: number, time: string) =>
    at(new RuleSchedule(), [rule({ ...base, number: 1, ...change })], day, time)[0].length === 1

  test.each([
    [{ days: [1, 2] }, 1, '00:00', true],
    [{ days: [1, 2] }, 2, '23:59', true],
    [{ days: [1, 2] }, 3, '00:00', false],
    [{ afterMinute: 8 * 60 }, 0, '07:59', false],
    [{ afterMinute: 8 * 60 }, 0, '08:00', true],
    [{ beforeMinute: 17 * 60 }, 0, '16:59', true],
    [{ beforeMinute: 17 * 60 }, 0, '17:00', false],
    [{ afterMinute: 8 * 60, beforeMinute: 17 * 60 }, 0, '12:00', true],
    [{ afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 0, '23:00', true],
    [{ afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 0, '05:59', true],
    [{ afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 0, '06:00', false],
    // Friday night ends on Saturday morning.
    [{ days: [5], afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 6, '05:00', true],
    [{ days: [5], afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 5, '05:00', false],
    [{ days: [0], afterMinute: 22 * 60, beforeMinute: 6 * 60 }, 1, '01:00', true],
  ] as const)('%o on day %i at %s', (change, day, time, expected) => {
    expect(active(change as Partial<FirewallRule>, day, time)).toBe(expected)
  })

  test('says when it is to be asked again', () => {
    const s = new RuleSchedule()
    expect(at(s, [rule({ ...base, number: 1 })], 0, '12:00')[1]).toBeUndefined()
    expect(at(s, [rule({ ...base, number: 1, afterMinute: 13 * 60 })], 0, '12:00:30', 5)[1]).toBe(5 + 59.5 * MINUTE)
    expect(at(s, [rule({ ...base, number: 1, days: [1] })], 0, '23:00')[1]).toBe(60 * MINUTE)
  })

  test('a TTL runs from when the rule was first seen, and a changed rule begins anew', () => {
    const s = new RuleSchedule()
    const brief = rule({ ...base, number: 3, ttlSeconds: 120 })
    expect(at(s, [brief], 0, '12:00', 1000)).toEqual([[3], 121_000])
    expect(at(s, [{ ...brief }], 0, '12:01', 61_000)).toEqual([[3], 121_000])
    expect(at(s, [brief], 0, '12:02', 121_000)).toEqual([[], undefined])
    expect(at(s, [brief], 0, '12:02', 500_000)[0]).toEqual([])
    expect(at(s, [{ ...brief, protocol: 6 }], 0, '12:02', 600_000)).toEqual([[3], 720_000])
    expect(at(s, [], 0, '12:02', 600_000)).toEqual([[], undefined])
    expect(at(s, [brief], 0, '12:02', 700_000)).toEqual([[3], 820_000])
  })
})

describe('many rules', () => {
  const range = (values: readonly number[]) =>
    fc
      .tuple(fc.constantFrom(...values), fc.constantFrom(...values))
      .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
  const maybe = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: undefined })
  const inside = [0, 1, ALICE, BOB, LAN_HOST, 0xffffffff]
  const outside = [INTERNET, INTERNET + 1, INTERNET + 2, 0xffffffff]
  const anyRule = fc.record({
    action: fc.constantFrom('allow' as const, 'deny' as const),
    protocol: maybe(fc.constantFrom(0, 1, 6, 17, 255)),
    ip: maybe(range(inside)),
    port: maybe(range([0, 1, 80, 81, 65535])),
    remoteIp: maybe(range(outside)),
    sourcePort: maybe(range([0, 80, 65535])),
    list: maybe(fc.constant('friends')),
    user: maybe(fc.constantFrom('alice', 'bob')),
  })
  const anyPacket = fc
    .record({
      kind: fc.constantFrom('udp', 'tcp', 'icmp'),
      near: fc.constantFrom(ALICE, BOB, LAN_HOST),
      far: fc.constantFrom(INTERNET, INTERNET + 1, INTERNET + 3),
      ports: fc.tuple(fc.constantFrom(0, 1, 80, 81, 82), fc.constantFrom(1, 80, 65535)),
    })
    .map(p =>
      p.kind === 'icmp'
        ? icmp(p.far, p.near, 8, p.ports[0])
        : p.kind === 'udp'
          ? udp(p.far, p.ports[1], p.near, p.ports[0])
          : tcp(p.far, p.ports[1], p.near, p.ports[0], TCP.SYN),
    )

  test('the first that matches is found without trying each', () => {
    const office: FirewallPolicy = policy({ lists: [{ name: 'friends', addresses: [one(INTERNET)] }] })
    const users = ['alice', 'bob']
    const members = users.map(() => Uint8Array.of(0, 0, 0))
    members[0]![1] = 1
    members[1]![2] = 1
    const context = {
      audience: (a: { user: string | undefined }) => users.indexOf(a.user!),
      slot: () => 0,
      owns: () => false,
    }
    const h = new Headers()
    let found = 0
    fc.assert(
      fc.property(
        fc.array(anyRule, { minLength: 13, maxLength: 100 }),
        fc.array(anyPacket, { minLength: 10, maxLength: 10 }),
        (some, packets) => {
          const rules = some.map((r, i) => rule({ number: i + 1, interface: 'eth0', ...r }))
          const list: RuleList = compileRules(office, rules, false, context)
          expect(list.fields).toBeDefined()
          for (const packet of packets) {
            expect(h.read(packet, 0, packet.length)).toBe(DropReason.None)
            for (const subject of [1, 2]) {
              const expected = list.rules.find(r => matches(r, h, subject, members))
              expect(firstMatch(list, h, subject, members)?.number).toBe(expected?.number)
              if (expected) found++
            }
          }
        },
      ),
      { numRuns: 150 },
    )
    // Of 3,000 questions not only those that no rule answers.
    expect(found).toBeGreaterThan(100)
  })

  test('a thousand rules of a port each', () => {
    const rules = Array.from({ length: 1000 }, (_, i) =>
      rule({ number: i + 1, action: 'allow', interface: 'eth0', protocol: 6, port: port(10_000 + i) }),
    )
    const t = tables(firewall({ rules }))
    for (const n of [0, 31, 32, 500, 999]) {
      expect(toClient(t, tcp(INTERNET, 5, ALICE, 10_000 + n, TCP.SYN))).toBe('Forward')
      expect(t.ruleHits()[n]?.hits).toBe(1)
    }
    expect(toClient(t, tcp(INTERNET, 5, ALICE, 11_000, TCP.SYN))).toBe('Policy')
    expect(toClient(t, udp(INTERNET, 5, ALICE, 10_000))).toBe('Policy')
  })
})
