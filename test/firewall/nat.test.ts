/** Address translation in the worker: what it promises, packet by packet. */

import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { listFlows } from '../../src/firewall/report.ts'
import { ipv4, readIpv4 } from '../../src/packet/ip.ts'
import {
  ALICE,
  ALICE_ROW,
  BOB,
  firewall,
  fragments,
  INTERNET,
  icmp,
  icmpError,
  icmpMessage,
  LAN_HOST,
  OFFICE,
  one,
  port,
  rule,
  TCP,
  tcp,
  udp,
} from './office.ts'
import { AROUND, ENHANCED, ends, GLOBAL, nat, read, received, sent, translating } from './translation.ts'

const ROUTER = ipv4('198.51.100.254')
const web = { action: 'allow', interface: 'eth0', protocol: 6, globalIp: one(GLOBAL), globalPort: port(8080) } as const

describe('enhanced', () => {
  test('many sessions go out as one address, by ports of its own, and answers find back', () => {
    const t = translating([ENHANCED])
    const mine = read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))
    const his = read(sent(t, 2, udp(BOB, 1000, INTERNET, 53)))
    expect([mine.source, his.source]).toEqual([GLOBAL, GLOBAL])
    expect(mine.sourcePort).not.toBe(his.sourcePort)
    expect(ends(received(t, udp(INTERNET, 53, GLOBAL, mine.sourcePort)))).toBe('198.51.100.7:53 > 192.168.8.50:1000')
    expect(ends(received(t, udp(INTERNET, 53, GLOBAL, his.sourcePort)))).toBe('198.51.100.7:53 > 192.168.8.51:1000')
    expect(read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53))).sourcePort).toBe(mine.sourcePort)
    expect(listFlows(t.flows, 0, 9)).toHaveLength(2)
    expect(listFlows(t.flows, 0, 9)[0]).toMatchObject({ translated: { source: GLOBAL, destination: INTERNET } })
  })

  test('only from where the flow went, and only to its port', () => {
    const t = translating([ENHANCED])
    const { sourcePort } = read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))
    for (const packet of [
      udp(INTERNET, 54, GLOBAL, sourcePort),
      udp(INTERNET + 1, 53, GLOBAL, sourcePort),
      udp(INTERNET, 53, GLOBAL, sourcePort ^ 1),
      tcp(INTERNET, 53, GLOBAL, sourcePort, TCP.SYN),
      // The private address is no way in.
      udp(INTERNET, 53, ALICE, 1000),
    ]) {
      expect(received(t, packet)).toBe('Policy')
    }
  })

  test('the LAN is spoken to as ever; NONAT goes out as itself', () => {
    const t = translating([ENHANCED], [rule({ number: 1, action: 'nonat', interface: 'dyn-dynamic', protocol: 17 })])
    expect(ends(sent(t, 1, udp(ALICE, 1000, LAN_HOST, 53)))).toBe('192.168.8.50:1000 > 192.168.8.20:53')
    expect(ends(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))).toBe('192.168.8.50:1000 > 198.51.100.7:53')
    expect(read(sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.SYN))).source).toBe(GLOBAL)
  })

  test('TCP, and a datagram without a checksum keeps none', () => {
    const t = translating([ENHANCED])
    const { sourcePort } = read(sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.SYN)))
    const answer = tcp(INTERNET, 80, GLOBAL, sourcePort, TCP.SYN | TCP.ACK, undefined, { acknowledgement: 0x01020305 })
    expect(ends(received(t, answer))).toBe('198.51.100.7:80 > 192.168.8.50:1000')
    const bare = udp(ALICE, 1000, INTERNET, 53)
    bare.fill(0, 26, 28)
    const left = sent(t, 1, bare) as Uint8Array
    expect(read(left).source).toBe(GLOBAL)
    expect([left[26], left[27]]).toEqual([0, 0])
  })

  test('a connection older than the translation is not taken up: the far end never knew it so', () => {
    const t = translating([ENHANCED])
    expect(sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.ACK))).toBe('Policy')
    expect(sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.RST))).toBe('Policy')
  })

  test('pings by their identifiers', () => {
    const t = translating([ENHANCED])
    const out = read(sent(t, 1, icmp(ALICE, INTERNET, 8, 7)))
    expect(out.source).toBe(GLOBAL)
    expect(ends(received(t, icmp(INTERNET, GLOBAL, 0, out.sourcePort)))).toBe('198.51.100.7:7 > 192.168.8.50:7')
    expect(received(t, icmp(INTERNET, GLOBAL, 0, out.sourcePort ^ 1))).toBe('Policy')
    expect(received(t, icmp(INTERNET, GLOBAL, 8, out.sourcePort))).toBe('Policy')
  })

  test('a protocol without ports goes to a far host once', () => {
    const t = translating([ENHANCED])
    const gre = (source: number, destination: number) => {
      const p = udp(source, 0, destination, 0)
      p[9] = 47
      p.fill(0, 10, 12)
      let sum = 0
      for (let i = 0; i < 20; i += 2) sum += (p[i]! << 8) | p[i + 1]!
      sum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff
      p[10] = sum >>> 8
      p[11] = sum
      return p
    }
    const source = (p: Uint8Array | string) => (typeof p === 'string' ? p : readIpv4(p, 12))
    expect(source(sent(t, 1, gre(ALICE, INTERNET)))).toBe(GLOBAL)
    expect(sent(t, 2, gre(BOB, INTERNET))).toBe('FlowTableFull')
    const back = received(t, gre(INTERNET, GLOBAL))
    expect(typeof back === 'string' ? back : readIpv4(back, 16)).toBe(ALICE)
  })

  test('a forged RST does not end it', () => {
    const t = translating([ENHANCED])
    const { sourcePort } = read(sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.SYN)))
    const numbers = { sequence: 9000, acknowledgement: 0x01020305 }
    received(t, tcp(INTERNET, 80, GLOBAL, sourcePort, TCP.SYN | TCP.ACK, undefined, numbers))
    sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.ACK, undefined, { sequence: 0x01020305, acknowledgement: 9001 }))
    const reset = (sequence: number) =>
      received(t, tcp(INTERNET, 80, GLOBAL, sourcePort, TCP.RST, undefined, { sequence }))
    expect(reset(8000)).toBe('Policy')
    expect(listFlows(t.flows, 0, 1)[0]?.state).toBe('established')
    expect(ends(reset(9001))).toBe('198.51.100.7:80 > 192.168.8.50:1000')
    expect(listFlows(t.flows, 0, 1)[0]?.state).toBe('closing')
  })

  test('an address of the host, or one that the LAN shares, is nftables’: the packet leaves as it is', () => {
    for (const nats of [
      [nat({ globalIp: one(OFFICE) })],
      [nat({ globalIp: undefined })],
      [ENHANCED, nat({ interface: 'vlan1' })],
    ]) {
      expect(ends(sent(translating(nats), 1, udp(ALICE, 1000, INTERNET, 53)))).toBe(
        '192.168.8.50:1000 > 198.51.100.7:53',
      )
    }
    for (const nats of [
      // Who comes first has the next address: no worker knows of another's.
      [nat({ kind: 'standard', globalIp: { first: GLOBAL, last: GLOBAL + 1 } })],
      // One session's own, and everybody's.
      [ENHANCED, nat({ kind: 'standard', ip: one(BOB) })],
    ]) {
      const several = translating(nats, [], {}, { ...AROUND, workers: 2 })
      expect(ends(sent(several, 1, udp(ALICE, 1000, INTERNET, 53)))).toContain('192.168.8.50:1000')
    }
  })

  test('goes with its session, whose successor gets nothing of it', () => {
    const t = translating([ENHANCED])
    const { sourcePort } = read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))
    t.remove(1)
    t.install(ALICE_ROW)
    expect(received(t, udp(INTERNET, 53, GLOBAL, sourcePort))).toBe('Policy')
    expect(t.flows.size).toBe(0)
  })
})

describe('forwards', () => {
  const toAlice = rule({ ...web, number: 5, ip: one(ALICE), port: port(80) })

  test('a port of ours to a session’s', () => {
    const t = translating([], [toAlice])
    expect(ends(received(t, tcp(INTERNET, 4000, GLOBAL, 8080, TCP.SYN)))).toBe('198.51.100.7:4000 > 192.168.8.50:80')
    const answer = tcp(ALICE, 80, INTERNET, 4000, TCP.SYN | TCP.ACK, undefined, { acknowledgement: 0x01020305 })
    expect(ends(sent(t, 1, answer))).toBe('203.0.113.8:8080 > 198.51.100.7:4000')
    expect(t.ruleHits()).toEqual([{ policy: 'main', rule: 5, hits: 1 }])
    for (const packet of [
      tcp(INTERNET, 4000, GLOBAL, 80, TCP.SYN),
      udp(INTERNET, 4000, GLOBAL, 8080),
      // By its private address the service is not to be had.
      tcp(INTERNET, 4000, ALICE, 80, TCP.SYN),
    ]) {
      expect(received(t, packet)).toBe('Policy')
    }
  })

  test('to a user, wherever the user has gone', () => {
    const t = translating([], [rule({ ...web, number: 5, user: 'bob', port: port(80) })])
    const knock = (from: number) => received(t, tcp(INTERNET, from, GLOBAL, 8080, TCP.SYN))
    expect(ends(knock(4000))).toBe('198.51.100.7:4000 > 192.168.8.51:80')
    t.install({ session: 7, peer: 17, address: ALICE + 5, user: 'BOB', mtu: 1400 })
    expect(ends(knock(4001))).toBe('198.51.100.7:4001 > 192.168.8.55:80')
    t.remove(7)
    expect(ends(knock(4002))).toBe('198.51.100.7:4002 > 192.168.8.51:80')
    t.remove(2)
    expect(knock(4003)).toBe('Policy')
  })

  test('only for whom the rule is, and ranges keep their order', () => {
    const t = translating(
      [],
      [
        rule({ ...web, number: 4, action: 'deny', remoteIp: one(INTERNET + 1) }),
        rule({ ...web, number: 5, ip: one(ALICE), port: port(100, 109), globalPort: port(9000, 9009) }),
        rule({ ...web, number: 6, ip: one(BOB), port: port(80), remoteIp: one(INTERNET) }),
      ],
    )
    expect(ends(received(t, tcp(INTERNET, 1, GLOBAL, 9004, TCP.SYN)))).toBe('198.51.100.7:1 > 192.168.8.50:104')
    expect(ends(received(t, tcp(INTERNET, 1, GLOBAL, 8080, TCP.SYN)))).toBe('198.51.100.7:1 > 192.168.8.51:80')
    expect(received(t, tcp(INTERNET + 1, 1, GLOBAL, 8080, TCP.SYN))).toBe('Policy')
    expect(received(t, tcp(INTERNET + 2, 1, GLOBAL, 8080, TCP.SYN))).toBe('Policy')
  })

  test('a forwarded port is never drawn for somebody else', () => {
    const taken = Array.from({ length: 57_000 }, (_, i) => 8192 + i)
    const t = translating([ENHANCED], [], {}, { ...AROUND, ports: taken })
    for (let i = 0; i < 200; i++) {
      const packet = sent(t, 1, udp(ALICE, 1000 + i, INTERNET, 53))
      if (typeof packet !== 'string') expect(read(packet).sourcePort).toBeGreaterThanOrEqual(8192 + 57_000)
    }
  })
})

describe('hairpin: a client by our own address', () => {
  test('to another client’s forward, both behind one address', () => {
    const t = translating([ENHANCED], [rule({ ...web, number: 5, ip: one(BOB), port: port(80) })])
    const loop = (packet: Uint8Array | string) => received(t, packet as Uint8Array)
    const out = sent(t, 1, tcp(ALICE, 1000, GLOBAL, 8080, TCP.SYN))
    expect(read(out)).toMatchObject({ source: GLOBAL, destination: GLOBAL, destinationPort: 8080 })
    const there = loop(out)
    const { sourcePort } = read(there)
    expect(ends(there)).toBe(`203.0.113.8:${sourcePort} > 192.168.8.51:80`)
    const answer = sent(
      t,
      2,
      tcp(BOB, 80, GLOBAL, sourcePort, TCP.SYN | TCP.ACK, undefined, { acknowledgement: 0x01020305 }),
    )
    expect(ends(answer)).toBe(`203.0.113.8:8080 > 203.0.113.8:${sourcePort}`)
    expect(ends(loop(answer))).toBe('203.0.113.8:8080 > 192.168.8.50:1000')
    expect(listFlows(t.flows, 0, 9)).toHaveLength(2)
  })

  test('untranslated itself', () => {
    const t = translating([], [rule({ ...web, number: 5, ip: one(BOB), port: port(80) })])
    const out = sent(t, 1, tcp(ALICE, 1000, GLOBAL, 8080, TCP.SYN)) as Uint8Array
    expect(ends(out)).toBe('192.168.8.50:1000 > 203.0.113.8:8080')
    expect(ends(received(t, out))).toBe('192.168.8.50:1000 > 192.168.8.51:80')
    const answer = sent(t, 2, tcp(BOB, 80, ALICE, 1000, TCP.SYN | TCP.ACK, undefined, { acknowledgement: 0x01020305 }))
    expect(ends(answer)).toBe('203.0.113.8:8080 > 192.168.8.50:1000')
    expect(ends(received(t, answer as Uint8Array))).toBe('203.0.113.8:8080 > 192.168.8.50:1000')
  })
})

describe('standard', () => {
  const wide = { first: GLOBAL, last: GLOBAL + 3 }

  test('one address for one, both ways, ports as they are', () => {
    const t = translating(
      [nat({ kind: 'standard', ip: { first: ALICE, last: ALICE + 3 }, globalIp: wide })],
      [rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 6, ip: one(BOB), port: port(80) })],
    )
    expect(ends(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))).toBe('203.0.113.8:1000 > 198.51.100.7:53')
    expect(ends(received(t, udp(INTERNET, 53, GLOBAL, 1000)))).toBe('198.51.100.7:53 > 192.168.8.50:1000')
    expect(ends(received(t, tcp(INTERNET, 9, GLOBAL + 1, 80, TCP.SYN)))).toBe('198.51.100.7:9 > 192.168.8.51:80')
    expect(received(t, tcp(INTERNET, 9, GLOBAL, 80, TCP.SYN))).toBe('Policy')
    expect(received(t, tcp(INTERNET, 9, GLOBAL + 3, 80, TCP.SYN))).toBe('NoRoute')
  })

  test('with several workers too: such an address is one session’s', () => {
    const around = { ...AROUND, workers: 4 }
    const t = translating([nat({ kind: 'standard', ip: one(ALICE) })], [], {}, around)
    expect(ends(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))).toBe('203.0.113.8:1000 > 198.51.100.7:53')
  })

  test('a range without IP is a pool: who comes first', () => {
    const t = translating([nat({ kind: 'standard', globalIp: { first: GLOBAL, last: GLOBAL + 1 } })])
    t.install({ ...ALICE_ROW, session: 3, address: ALICE + 2 })
    expect(read(sent(t, 2, udp(BOB, 1, INTERNET, 53))).source).toBe(GLOBAL)
    expect(read(sent(t, 1, udp(ALICE, 1, INTERNET, 53))).source).toBe(GLOBAL + 1)
    expect(sent(t, 3, udp(ALICE + 2, 1, INTERNET, 53))).toBe('FlowTableFull')
    expect(read(sent(t, 2, udp(BOB, 2, INTERNET, 53))).source).toBe(GLOBAL)
    t.remove(2)
    expect(read(sent(t, 3, udp(ALICE + 2, 1, INTERNET, 53))).source).toBe(GLOBAL)
  })

  test('by a rule', () => {
    const r = rule({
      number: 1,
      action: 'nat',
      natType: 'standard',
      interface: 'dyn-dynamic',
      ip: one(ALICE),
      globalIp: one(GLOBAL),
      remoteIp: one(INTERNET),
    })
    const t = translating([], [r])
    expect(ends(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))).toBe('203.0.113.8:1000 > 198.51.100.7:53')
    expect(ends(sent(t, 1, udp(ALICE, 1000, INTERNET + 1, 53)))).toBe('192.168.8.50:1000 > 198.51.100.8:53')
  })
})

describe('reverse: a far host by another name inside', () => {
  const NAME = ipv4('192.168.8.200')

  test('by a pair, both ways', () => {
    const t = translating(
      [nat({ kind: 'reverse', ip: one(NAME), globalIp: one(INTERNET) })],
      [rule({ number: 1, action: 'allow', interface: 'eth0', protocol: 17, ip: one(ALICE), port: port(7) })],
    )
    expect(ends(sent(t, 1, udp(ALICE, 1000, NAME, 53)))).toBe('192.168.8.50:1000 > 198.51.100.7:53')
    expect(ends(received(t, udp(INTERNET, 53, ALICE, 1000)))).toBe('192.168.8.200:53 > 192.168.8.50:1000')
    expect(ends(received(t, udp(INTERNET, 9, ALICE, 7)))).toBe('192.168.8.200:9 > 192.168.8.50:7')
    expect(ends(sent(t, 1, udp(ALICE, 7, NAME, 9)))).toBe('192.168.8.50:7 > 198.51.100.7:9')
  })

  test('by rules, and together with an address of ours', () => {
    const both = { action: 'nat', natType: 'reverse', remoteIp: one(NAME), globalRemoteIp: one(INTERNET) } as const
    const t = translating([ENHANCED], [rule({ ...both, number: 1, interface: 'dyn-dynamic', protocol: 17 })])
    const out = read(sent(t, 1, udp(ALICE, 1000, NAME, 53)))
    expect([out.source, out.destination]).toEqual([GLOBAL, INTERNET])
    expect(ends(received(t, udp(INTERNET, 53, GLOBAL, out.sourcePort)))).toBe('192.168.8.200:53 > 192.168.8.50:1000')
    // The name is no address outside: without the rule it is a host of the LAN.
    expect(ends(sent(t, 1, tcp(ALICE, 1000, NAME, 53, TCP.SYN)))).toBe('192.168.8.50:1000 > 192.168.8.200:53')
  })
})

describe('ICMP errors', () => {
  const inner = (packet: Uint8Array | string) =>
    read((packet as Uint8Array).slice(28).map((b, i) => (i === 3 ? 32 : b)))

  test('from outside come to the sender about what it sent', () => {
    const t = translating([ENHANCED])
    const out = sent(t, 1, udp(ALICE, 1000, INTERNET, 53)) as Uint8Array
    const error = received(t, icmpMessage(ROUTER, GLOBAL, 3, 4, 1400, out))
    expect(read(error)).toMatchObject({ source: ROUTER, destination: ALICE })
    expect(inner(error)).toMatchObject({ source: ALICE, sourcePort: 1000, destination: INTERNET, destinationPort: 53 })
    expect((error as Uint8Array)[26]).toBe(1400 >>> 16)
    // About what nobody sent, or damaged on the way.
    const other = out.slice()
    other[21] = other[21]! ^ 1
    expect(received(t, icmpMessage(ROUTER, GLOBAL, 3, 4, 0, other))).toBe('Policy')
    const damaged = icmpMessage(ROUTER, GLOBAL, 3, 4, 0, out)
    damaged[26] = damaged[26]! ^ 1
    expect(received(t, damaged)).toBe('Policy')
  })

  test('about a ping, and about TCP', () => {
    const t = translating([ENHANCED])
    const ping = sent(t, 1, icmp(ALICE, INTERNET, 8, 7)) as Uint8Array
    const error = received(t, icmpMessage(ROUTER, GLOBAL, 11, 0, 0, ping)) as Uint8Array
    expect(readIpv4(error, 28 + 12)).toBe(ALICE)
    expect((error[28 + 24]! << 8) | error[28 + 25]!).toBe(7)
    const syn = sent(t, 1, tcp(ALICE, 1000, INTERNET, 80, TCP.SYN)) as Uint8Array
    const refused = received(t, icmpMessage(INTERNET, GLOBAL, 3, 13, 0, syn)) as Uint8Array
    expect(ends(refused.slice(28))).toBe('192.168.8.50:1000 > 198.51.100.7:80')
  })

  test('from a client go to the far end under the name that it knows', () => {
    const t = translating([], [rule({ ...web, number: 5, protocol: 17, ip: one(ALICE), port: port(80) })])
    const knock = received(t, udp(INTERNET, 4000, GLOBAL, 8080)) as Uint8Array
    const error = sent(t, 1, icmpError(ALICE, INTERNET, knock))
    expect(read(error)).toMatchObject({ source: GLOBAL, destination: INTERNET })
    const quoted = (error as Uint8Array).slice(28)
    expect([readIpv4(quoted, 12), readIpv4(quoted, 16)]).toEqual([INTERNET, GLOBAL])
    expect((quoted[22]! << 8) | quoted[23]!).toBe(8080)
  })

  test('the gateway’s own, too large for the link, speaks of what the sender knows', () => {
    const t = translating([nat({ kind: 'standard', ip: one(BOB) })])
    sent(t, 2, udp(BOB, 1000, INTERNET, 53))
    const large = udp(INTERNET, 53, GLOBAL, 1000, 1372)
    large[6] = 0x40
    large.fill(0, 10, 12)
    expect(received(t, large)).toBe('TooBig')
    const reply = t.replies.packet(0)
    expect([readIpv4(reply, 12), readIpv4(reply, 16)]).toEqual([GLOBAL, INTERNET])
    expect(readIpv4(reply, 28 + 16)).toBe(GLOBAL)
  })
})

describe('fragments', () => {
  const whole = udp(ALICE, 1000, INTERNET, 53, 3000)

  test('go out translated, together, under an identification of their own', () => {
    const t = translating([ENHANCED])
    const [a, b] = [1, 2].map(session =>
      fragments(session === 1 ? whole : udp(BOB, 1000, INTERNET, 53, 3000), 1300, 77).map(
        f => sent(t, session, f) as Uint8Array,
      ),
    ) as [Uint8Array[], Uint8Array[]]
    const identification = (p: Uint8Array) => (p[4]! << 8) | p[5]!
    for (const parts of [a, b]) {
      expect(parts.map(p => read(p).source)).toEqual([GLOBAL, GLOBAL, GLOBAL])
      expect(new Set(parts.map(identification)).size).toBe(1)
      const again = new Uint8Array(whole.length)
      again.set(parts[0]!.subarray(0, 20))
      let at = 20
      for (const p of parts) {
        again.set(p.subarray(20), at)
        at += p.length - 20
      }
      again.set(udp(readIpv4(again, 12), 0, INTERNET, 0, 3000).subarray(0, 12))
      again.set(parts[0]!.subarray(12, 20), 12)
      expect(read(again).source).toBe(GLOBAL)
    }
    expect(identification(a[0]!)).not.toBe(identification(b[0]!))
  })

  test('come back translated, the first before the others', () => {
    const t = translating([ENHANCED])
    const { sourcePort } = read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))
    const parts = fragments(udp(INTERNET, 53, GLOBAL, sourcePort, 3000), 1300, 5)
    expect(received(t, parts[1]!)).toBe('Policy')
    for (const part of parts) expect(read(received(t, part)).destination).toBe(ALICE)
    expect(received(t, fragments(udp(INTERNET, 53, GLOBAL, 9, 3000), 1300, 6)[0]!)).toBe('Policy')
  })
})

test('a flow that is translated goes on under other rules', () => {
  const t = translating([ENHANCED])
  const { sourcePort } = read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53)))
  t.setRuleset(
    buildRuleset(
      firewall({ nats: [ENHANCED], rules: [rule({ number: 1, action: 'deny', interface: 'dyn-dynamic' })] }),
      AROUND,
    ),
  )
  expect(read(sent(t, 1, udp(ALICE, 1000, INTERNET, 53))).sourcePort).toBe(sourcePort)
  expect(ends(received(t, udp(INTERNET, 53, GLOBAL, sourcePort)))).toContain('192.168.8.50:1000')
  expect(sent(t, 1, udp(ALICE, 1001, INTERNET, 53))).toBe('Policy')
})
