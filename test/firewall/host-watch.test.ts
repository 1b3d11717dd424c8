/** Events and attacks on the host's own devices, from what the kernel tells of single packets. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { reasonText } from '../../src/firewall/event-log.ts'
import { HostWatch } from '../../src/firewall/host-watch.ts'
import { emitNote, type Note, parseNote } from '../../src/firewall/notes.ts'
import type { FirewallPolicy } from '../../src/firewall/policy.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import {
  firewall,
  fragments,
  INTERNET,
  icmp,
  LAN_GATEWAY,
  LAN_HOST,
  OFFICE,
  ruleset,
  SURROUNDINGS,
  TCP,
  tcp,
  udp,
  withSource,
} from './office.ts'

const DENY: Note = { what: 'deny', rule: 0, from: 'eth0', to: '' }
const ALLOW: Note = { what: 'allow', rule: 12, from: 'eth0', to: 'vlan1' }
const SPOOF: Note = { what: 'spoof', rule: 0, from: 'eth0', to: '' }
const PIECE: Note = { what: 'piece', rule: 0, from: 'eth0', to: '' }

function watch(change: Partial<FirewallPolicy> = {}) {
  const w = new HostWatch(0x5eed)
  w.ruleset = ruleset(firewall(change))
  const take = (note: Note, packet: Uint8Array, now = 0) => w.take(emitNote(note), packet.subarray(0, 128), now)
  const told = () =>
    w.drain().map(e => [e.action, e.attack ?? '', e.direction, e.rule, e.policy].join(' ').replace(/ +/g, ' '))
  const attacks = () => w.drain().flatMap(e => (e.started ? [`${e.attack} ${e.direction}`] : []))
  return { w, take, told, attacks }
}

describe('a note', () => {
  test('is read as it was written', () => {
    const name = fc.stringMatching(/^[a-z][\w.-]{0,20}$/)
    const note = fc.record<Note>({
      what: fc.constantFrom('allow', 'deny', 'limit', 'spoof', 'piece'),
      rule: fc.nat(0xffffffff),
      from: name,
      to: fc.oneof(fc.constant(''), name),
    })
    fc.assert(
      fc.property(note, n => {
        expect(parseNote(emitNote(n))).toEqual(n)
      }),
    )
    expect(() => emitNote({ ...DENY, from: 'a "b' })).toThrow(RangeError)
  })

  test('of others is none', () => {
    const { w, take, told } = watch()
    for (const prefix of ['', 'IN=eth0 ', 'deny eth0 -', 'deny 1 eth0 vlan1 more'])
      w.take(prefix, udp(INTERNET, 1, OFFICE, 2), 0)
    take(DENY, new Uint8Array(19))
    take(DENY, new Uint8Array(40).fill(0x60))
    fc.assert(fc.property(fc.string(), fc.uint8Array({ maxLength: 128 }), (p, b) => w.take(p, b, 0)))
    expect(told()).toEqual([])
  })
})

describe('what the kernel refuses and lets in', () => {
  test('are events with their rule, policy and direction', () => {
    const { take, told, w } = watch()
    take(DENY, tcp(INTERNET, 1000, OFFICE, 22, TCP.SYN))
    take(ALLOW, tcp(INTERNET, 1000, LAN_HOST, 80, TCP.SYN))
    take({ ...ALLOW, from: 'vlan1', to: 'eth0', rule: 0 }, udp(LAN_HOST, 1000, INTERNET, 53))
    expect(told()).toEqual(['deny in 0 main', 'allow in 12 main', 'allow out 0 main'])
    take({ ...DENY, rule: 7 }, udp(INTERNET, 5, OFFICE, 99, 1400))
    const [e] = w.drain()
    expect(e).toMatchObject({ source: INTERNET, sourcePort: 5, destination: OFFICE, destinationPort: 99, session: 0 })
    expect(e?.header.length).toBe(40)
  })

  test('are events with the limit rule that refused', () => {
    const { take, w } = watch()
    take({ what: 'limit', rule: 4_000_000_000, from: 'vlan1', to: 'eth0' }, udp(LAN_HOST, 1000, INTERNET, 53))
    take({ what: 'limit', rule: 3, from: 'eth0', to: '' }, tcp(INTERNET, 1000, OFFICE, 22, TCP.SYN))
    const events = w.drain()
    expect(events.map(e => [e.action, e.direction, e.policy, reasonText(e)])).toEqual([
      ['deny', 'out', 'main', 'Too many sessions by limit rule 4000000000'],
      ['deny', 'in', 'main', 'Too many sessions by limit rule 3'],
    ])
  })

  test('MAXFRAGMENTS holds for what is seen, too', () => {
    const { take, w, attacks } = watch()
    const pieces = fragments(udp(INTERNET, 1, OFFICE, 2, 1000), 68, 7)
    for (const piece of pieces) take(PIECE, piece)
    expect(attacks()).toEqual([])
    w.ruleset = buildRuleset({ ...firewall(), maxFragments: 8 }, SURROUNDINGS)
    for (const piece of fragments(udp(INTERNET, 1, OFFICE, 2, 1000), 68, 8)) take(PIECE, piece)
    expect(attacks()).toEqual(['fragment in'])
  })

  test('the same again only counts, and a flood is cut off', () => {
    const { take, w } = watch()
    for (let i = 0; i < 50; i++) take(DENY, udp(INTERNET, 5, OFFICE, 99))
    expect(w.drain().map(e => e.repeats)).toEqual([50])
    for (let i = 0; i < 5000; i++) take(DENY, udp(INTERNET + i, 5, OFFICE + (i & 3), 99))
    expect(w.drain().length).toBeLessThanOrEqual(128)
    expect(w.events.suppressed).toBeGreaterThan(4000)
  })

  test.each([['deny' as const], ['allow' as const], ['limit' as const], ['spoof' as const], ['piece' as const]])(
    '%s of any packet is no more than an event',
    what => {
      const { w } = watch()
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 20, maxLength: 128 }), fc.nat(100_000), (bytes, now) => {
          bytes[0] = 0x40 | (bytes[0]! & 15)
          w.take(emitNote({ ...DENY, what }), bytes, now)
          expect(w.drain().length).toBeLessThan(20)
        }),
      )
    },
  )
})

describe('an attack', () => {
  test('SYN flood: refused ones count, those let in do not', () => {
    const { take, attacks } = watch()
    for (let i = 0; i < 2000; i++) take(ALLOW, tcp(INTERNET + (i & 7), 1000 + i, LAN_HOST, 80, TCP.SYN), i)
    expect(attacks()).toEqual([])
    for (let i = 0; i < 400; i++) take(DENY, tcp(INTERNET + i, 1000, OFFICE, 22, TCP.SYN), 2000 + i)
    expect(attacks()).toEqual(['synattack in'])
  })

  test('port scan, and host scan from one place', () => {
    const { take, attacks } = watch()
    for (let i = 0; i < 80; i++) take(DENY, tcp(INTERNET, 1000, OFFICE, 1 + i, TCP.SYN), i)
    expect(attacks()).toEqual(['portscan in'])
    for (let i = 0; i < 80; i++) take({ ...DENY, to: 'vlan1' }, udp(INTERNET, 2000, LAN_GATEWAY + i, 2000), i)
    expect(attacks()).toEqual(['hostscan in'])
  })

  test('outward each host of the LAN counts for itself', () => {
    const { take, attacks } = watch()
    const out: Note = { what: 'allow', rule: 0, from: 'vlan1', to: 'eth0' }
    for (let i = 0; i < 600; i++) take(out, tcp(LAN_HOST + (i % 6), 1000, INTERNET + i, 443, TCP.SYN), i)
    expect(attacks()).toEqual([])
    for (let i = 0; i < 260; i++) take(out, tcp(LAN_HOST, 1000, INTERNET - i, 443, TCP.SYN), 600 + i)
    expect(attacks()).toEqual(['hostscan out'])
  })

  test('smurf, its amplifier, land and false sources', () => {
    const { take, attacks } = watch()
    take(DENY, icmp(INTERNET, ipv4('203.0.113.255'), 8, 1))
    take(SPOOF, icmp(ipv4('192.168.8.255'), OFFICE, 8, 1))
    take(SPOOF, tcp(OFFICE, 80, OFFICE, 80, TCP.SYN))
    expect(attacks()).toEqual(['smurf in', 'smurfamp in', 'land in'])
    for (let i = 0; i < 20; i++) take(SPOOF, udp(LAN_HOST, 1000, LAN_GATEWAY, 53), i)
    expect(attacks()).toEqual(['ipspoof in'])
  })

  test('of fragments: ping of death, tiny and overlapping ones; whole datagrams are nobody’s news', () => {
    const { take, told, attacks } = watch()
    for (const [i, f] of fragments(udp(INTERNET, 5, OFFICE, 500, 4000), 1300, 1).entries()) take(PIECE, f, i)
    expect(told()).toEqual([])
    const last = fragments(icmp(INTERNET, OFFICE, 8, 1), 28, 2).at(-1)!
    const place = (f: Uint8Array, eighths: number, more = false) => {
      const moved = f.slice()
      moved[6] = (eighths >>> 8) | (more ? 0x20 : 0)
      moved[7] = eighths
      return withSource(moved, INTERNET)
    }
    const far = place(last, 8191)
    far[2] = 1
    take(PIECE, far)
    expect(attacks()).toEqual(['pingofdeath in'])
    take(PIECE, place(fragments(tcp(INTERNET, 5, OFFICE, 80, TCP.SYN), 28, 3)[1]!, 1))
    expect(attacks()).toEqual(['tcptiny in'])
    const parts = fragments(udp(INTERNET, 5, OFFICE, 500, 4000), 1300, 4)
    take(PIECE, parts[0]!)
    take(PIECE, place(parts[1]!, 100, true))
    expect(attacks()).toEqual(['fragment in'])
  })
})
