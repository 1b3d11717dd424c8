import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import type { FirewallPolicy, LimitRule } from '../../src/firewall/policy.ts'
import {
  ALICE,
  ALICE_ROW,
  firewall,
  fromClient,
  INTERNET,
  one,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
} from './office.ts'

const limit = (number: number, sessions: number, change: Partial<LimitRule> = {}): LimitRule => ({
  number,
  sessions,
  interface: undefined,
  ip: undefined,
  globalRemoteIp: undefined,
  ...change,
})
const SERVICE = rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 17, port: port(7) })
const limited = (limitRules: readonly LimitRule[], change: Partial<FirewallPolicy> = {}) =>
  firewall({ nats: [], rules: [SERVICE], limitRules, ...change })
const devices = (t: ReturnType<typeof tables>) => t.limits.report(t.policyNames).map(r => [r.refused, r.devices])

describe('a limit rule', () => {
  test('refuses one more, says so, and counts by device', () => {
    const t = tables(limited([limit(3, 2)]))
    for (const from of [1, 2]) expect(fromClient(t, 1, udp(ALICE, from, INTERNET, 53))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 3, INTERNET, 53))).toBe('SessionLimit')
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET, 53))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 9, ALICE, 7))).toBe('Forward')
    expect(devices(t)).toEqual([
      [
        1,
        [
          { address: ALICE, sessions: 2 },
          { address: INTERNET, sessions: 1 },
        ],
      ],
    ])
    const events = t.events.take(t.ruleset).filter(e => e.action === 'deny')
    expect(events).toMatchObject([{ rule: 3, sourcePort: 3 }])
  })

  test('has room again when a session expired', () => {
    const t = tables(limited([limit(1, 1)]))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53), 0)
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET, 53), 299_000)).toBe('SessionLimit')
    // Swept a part at a time.
    for (let now = 300_000; now < 300_200; now += 10) fromClient(t, 1, udp(ALICE, 0, ALICE, 0), now)
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET, 53), 300_200)).toBe('Forward')
  })

  test('counts nothing of a session that is gone, for whoever has its address then', () => {
    const t = tables(limited([limit(1, 1)]))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))
    t.remove(1)
    expect(devices(t)).toEqual([[0, []]])
    t.install(ALICE_ROW)
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET, 53))).toBe('Forward')
  })

  test('counts a port that is used again behind its end anew', () => {
    const t = tables(limited([limit(1, 1)]))
    const segment = (from: number, flags: number, sequence: number, acknowledgement = 0) =>
      fromClient(t, 1, tcp(ALICE, from, INTERNET, 80, flags, undefined, { sequence, acknowledgement }))
    segment(1000, TCP.SYN, 1)
    toClient(t, tcp(INTERNET, 80, ALICE, 1000, TCP.SYN | TCP.ACK, undefined, { sequence: 100, acknowledgement: 2 }))
    segment(1000, TCP.ACK, 2, 101)
    expect(segment(1001, TCP.SYN, 1)).toBe('SessionLimit')
    expect(segment(1000, TCP.RST, 2)).toBe('Forward')
    expect(segment(1001, TCP.SYN, 1)).toBe('Forward')
    // The first port's flow is kept a while, as over: it does not come back beside the second.
    expect(segment(1000, TCP.SYN, 500)).toBe('SessionLimit')
    expect(segment(1001, TCP.RST, 2)).toBe('Forward')
    expect(segment(1000, TCP.SYN, 500)).toBe('Forward')
  })

  test('that comes into force counts what is up, and ends none of it', () => {
    const t = tables(limited([]))
    for (const from of [1, 2, 3]) fromClient(t, 1, udp(ALICE, from, INTERNET, 53))
    toClient(t, udp(INTERNET, 9, ALICE, 7))
    t.setRuleset(buildRuleset(limited([limit(1, 2), limit(2, 9, { interface: 'vlan1' })]), SURROUNDINGS))
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 4, INTERNET, 53))).toBe('SessionLimit')
    expect(devices(t)).toEqual([
      [
        1,
        [
          { address: ALICE, sessions: 3 },
          { address: INTERNET, sessions: 1 },
        ],
      ],
      [0, []],
    ])
    t.setRuleset(buildRuleset(limited([limit(1, 4)]), SURROUNDINGS))
    expect(fromClient(t, 1, udp(ALICE, 4, INTERNET, 53))).toBe('Forward')
    // What it refused before is not forgotten.
    expect(devices(t)[0]![0]).toBe(1)
    t.setRuleset(buildRuleset(limited([]), SURROUNDINGS))
    expect(fromClient(t, 1, udp(ALICE, 5, INTERNET, 53))).toBe('Forward')
  })

  test('is about its addresses and its interface alone', () => {
    const t = tables(
      limited([
        limit(1, 0, { globalRemoteIp: one(INTERNET) }),
        limit(2, 0, { interface: 'vlan1' }),
        limit(3, 0, { ip: one(ALICE + 9) }),
        limit(4, 1, { interface: 'dyn-dynamic', ip: one(ALICE) }),
      ]),
    )
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))).toBe('SessionLimit')
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET + 1, 53))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET + 1, 53))).toBe('SessionLimit')
  })

  test('of a hundred rules each counts for itself', () => {
    const t = tables(limited(Array.from({ length: 100 }, (_, i) => limit(i + 1, i + 1))))
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 53))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 2, INTERNET, 53))).toBe('SessionLimit')
    const counted = t.limits.report(t.policyNames).map(r => r.devices[0]?.sessions)
    expect(counted).toEqual(new Array(100).fill(1))
    t.flows.forget(1)
    expect(t.limits.report(t.policyNames).every(r => r.devices.length === 0)).toBe(true)
  })
})
