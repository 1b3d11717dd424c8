import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import { BATCH_CAPACITY, Batch } from '../../src/packet/batch.ts'
import { emitIpv4, emitUdp, type Ipv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../../src/packet/verdict.ts'
import {
  ALICE,
  ALICE_ROW,
  BOB,
  CAROL,
  firewall,
  fragments,
  fromClient,
  INTERNET,
  icmp,
  icmpError,
  LAN_GATEWAY,
  LAN_HOST,
  OFFICE,
  one,
  outcome,
  policy,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
  withSource,
} from './office.ts'

describe('what is no packet to forward', () => {
  const good = udp(ALICE, 1000, LAN_HOST, 53)
  const broken = (change: (p: Uint8Array) => void) => {
    const p = good.slice()
    change(p)
    return p
  }

  test.each([
    ['too short', good.slice(0, 19)],
    ['IPv6', broken(p => (p[0] = 0x65))],
    ['a header of less than 20 bytes', broken(p => (p[0] = 0x44))],
    ['a header longer than the packet', broken(p => (p[0] = 0x4f))],
    ['a total length beyond the bytes', broken(p => (p[3] = 200))],
    ['a UDP header cut short', broken(p => (p[3] = 27))],
    ['an offset past 65,535 bytes', broken(p => p.set([0x1f, 0xff], 6))],
    ['a fragment not of eights', broken(p => (p[6] = 0x20))],
  ])('%s', (_, packet) => {
    expect(fromClient(tables(), 1, packet)).toBe('BadIp')
    expect(toClient(tables(), packet)).toBe('BadIp')
  })

  test('a TCP fragment that would overwrite the header', () => {
    const [first, second] = fragments(tcp(ALICE, 1, INTERNET, 80, TCP.SYN, new Uint8Array(12)), 44, 7)
    expect(fromClient(tables(), 1, first!)).toBe('BadIp')
    const overwriting = second!.slice()
    overwriting[7] = 1
    expect(fromClient(tables(), 1, overwriting)).toBe('BadIp')
  })

  test('source-routed', () => {
    const packet = new Uint8Array(24 + 8)
    packet.set(good.subarray(0, 20))
    packet.set([131, 3, 4, 0], 20)
    packet[0] = 0x46
    packet[3] = 32
    expect(fromClient(tables(), 1, packet)).toBe('Policy')
  })

  test('a broadcast to the DHCP server is control’s, with the policy or without; no other broadcast is', () => {
    const to = (destination: string, port: number, source: Ipv4 = ALICE_ROW.address) => {
      const ends = { source, destination: ipv4(destination) }
      const batch = new Batch()
      const i = batch.push(emitIpv4({ ...ends, protocol: 17, payload: emitUdp(68, port, new Uint8Array(300), ends) }))
      batch.session[i] = 1
      filterIn(batch, tables(), 0)
      return [batch.verdict[i], batch.reason[i]]
    }
    expect(to('255.255.255.255', 67)).toEqual([Verdict.Punt, PuntReason.Dhcp])
    expect(to('255.255.255.255', 137)).toEqual([Verdict.Drop, DropReason.Policy])
    expect(to('192.168.8.255', 67)[0]).not.toBe(Verdict.Punt)
    expect(to('255.255.255.255', 67, ipv4('0.0.0.0'))).toEqual([Verdict.Drop, DropReason.Spoofed])
  })

  test('padding behind the total length is cut off', () => {
    const batch = new Batch()
    const padded = new Uint8Array(good.length + 14)
    padded.set(good)
    const i = batch.push(padded)
    batch.session[i] = 1
    filterIn(batch, tables(), 0)
    expect(batch.length[i]).toBe(good.length)
    expect(outcome(batch, i)).toBe('Forward')
  })
})

describe('false addresses', () => {
  test('a client sends from its own address only', () => {
    const t = tables()
    const packet = udp(ALICE, 1000, LAN_HOST, 53)
    expect(fromClient(t, 1, packet)).toBe('Forward')
    for (const source of [BOB, LAN_HOST, LAN_GATEWAY, OFFICE, 0, 0x7f000001, 0xffffffff]) {
      expect(fromClient(t, 1, withSource(packet, source))).toBe('Spoofed')
    }
    expect(fromClient(t, 2, packet)).toBe('Spoofed')
  })

  test('even where the firewall is off', () => {
    const t = tables({ ...firewall(), enabled: false })
    expect(fromClient(t, 1, udp(BOB, 1, LAN_HOST, 2))).toBe('Spoofed')
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Forward')
  })

  test('a session that is not installed sends nothing', () => {
    expect(fromClient(tables(), 3, udp(CAROL, 1, LAN_HOST, 2))).toBe('UnknownSession')
    expect(fromClient(tables(), 3, udp(0, 1, LAN_HOST, 2))).toBe('UnknownSession')
  })

  test.each(['224.0.0.251', '255.255.255.255', '127.0.0.1', '0.1.2.3', '169.254.169.254', '240.0.0.1'])(
    '%s is no destination',
    destination => {
      expect(fromClient(tables(), 1, udp(ALICE, 1, ipv4(destination), 2))).toBe('Policy')
    },
  )

  test('nor is the client itself', () => {
    expect(fromClient(tables(), 1, udp(ALICE, 1, ALICE, 2))).toBe('Policy')
    expect(toClient(tables(), udp(ALICE, 1, ALICE, 2))).toBe('Spoofed')
  })

  test('nothing comes from loopback or multicast', () => {
    expect(toClient(tables(), udp(0x7f000001, 1, ALICE, 2))).toBe('Spoofed')
    expect(toClient(tables(), udp(0xe0000001, 1, ALICE, 2))).toBe('Spoofed')
  })
})

describe('the way to the session', () => {
  test('is found by the destination', () => {
    const batch = new Batch()
    const t = tables()
    const a = batch.push(udp(LAN_HOST, 53, ALICE, 1000))
    const b = batch.push(udp(LAN_HOST, 53, BOB, 1000))
    const nobody = batch.push(udp(LAN_HOST, 53, CAROL, 1000))
    filterOut(batch, t, 0)
    expect([batch.session[a], batch.peer[a]]).toEqual([1, 11])
    expect([batch.session[b], batch.peer[b]]).toEqual([2, 12])
    expect(outcome(batch, nobody)).toBe('NoRoute')
  })

  test('is not here where another worker has the session', () => {
    const t = tables()
    t.install({ ...ALICE_ROW, session: 3, address: CAROL, peer: 0 })
    expect(toClient(t, udp(LAN_HOST, 1, CAROL, 2))).toBe('NoRoute')
    expect(fromClient(t, 1, udp(ALICE, 1, CAROL, 2))).toBe('Forward')
  })

  test('what is decided already is left alone', () => {
    const batch = new Batch()
    const i = batch.push(Uint8Array.of(1, 2, 3))
    batch.verdict[i] = Verdict.Punt
    batch.reason[i] = 2
    filterIn(batch, tables(), 0)
    filterOut(batch, tables(), 0)
    expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Punt, 2])
  })
})

describe('base rules', () => {
  test('private to private is free, both ways and unasked', () => {
    const t = tables()
    expect(toClient(t, udp(LAN_HOST, 9, ALICE, 9))).toBe('Forward')
    expect(toClient(t, tcp(LAN_HOST, 9, ALICE, 9, TCP.ACK))).toBe('Forward')
    expect(toClient(t, udp(BOB, 9, ALICE, 9))).toBe('Forward')
    expect(toClient(t, icmp(LAN_GATEWAY, ALICE, 8, 1))).toBe('Forward')
    expect(t.flows.size).toBe(0)
  })

  test('outward opens a flow and lets its answers in, and nothing else', () => {
    const t = tables()
    expect(toClient(t, udp(INTERNET, 53, ALICE, 1000))).toBe('Policy')
    expect(fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 53, ALICE, 1000))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 54, ALICE, 1000))).toBe('Policy')
    expect(toClient(t, udp(INTERNET + 1, 53, ALICE, 1000))).toBe('Policy')
    expect(toClient(t, udp(INTERNET, 53, BOB, 1000))).toBe('Policy')
  })

  test('the public interface of the gateway itself is reached without a flow', () => {
    const t = tables()
    expect(fromClient(t, 1, udp(ALICE, 1, OFFICE, 2))).toBe('Forward')
    expect(toClient(t, udp(OFFICE, 2, ALICE, 1))).toBe('Forward')
    expect(t.flows.size).toBe(0)
  })

  test('a user that no template matches is in no policy', () => {
    const staff = firewall({ dynamics: [{ name: 'dynamic', users: ['alice'], any: false, none: false }] })
    const t = tables(staff)
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Forward')
    expect(fromClient(t, 2, udp(BOB, 1, LAN_HOST, 2))).toBe('Policy')
    expect(toClient(t, udp(LAN_HOST, 1, BOB, 2))).toBe('Policy')
    expect(fromClient(t, 1, udp(ALICE, 1, BOB, 2))).toBe('Policy')
  })

  test('a template without an interface in the policy lets nothing pass', () => {
    const interfaces = policy().interfaces.filter(i => i.name !== 'dyn-dynamic')
    expect(fromClient(tables(firewall({ interfaces })), 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Policy')
  })

  test('no firewall, or one without policies, lets everything pass', () => {
    for (const f of [
      { ...firewall(), enabled: false },
      { enabled: true, policies: [] },
    ]) {
      const t = tables(f)
      expect(toClient(t, udp(INTERNET, 1, ALICE, 2))).toBe('Forward')
      expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    }
  })

  test('public sessions are kept apart from the private LAN, and answers still come', () => {
    const guests = firewall({
      interfaces: [
        { name: 'vlan1', type: 'private', method: 'dynamic' },
        { name: 'dyn-dynamic', type: 'public', method: 'dynamic' },
      ],
    })
    const t = tables(guests)
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Policy')
    expect(toClient(t, udp(LAN_HOST, 2, ALICE, 1))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Forward')
    // Also with the gateway itself.
    expect(fromClient(t, 1, icmp(ALICE, LAN_GATEWAY, 8, 5))).toBe('Policy')
    expect(toClient(t, icmp(LAN_GATEWAY, ALICE, 8, 6))).toBe('Forward')
    expect(fromClient(t, 1, icmp(ALICE, LAN_GATEWAY, 0, 6))).toBe('Forward')
  })

  test('METHOD=PASSALL lets everything in', () => {
    const interfaces = policy().interfaces.map(i => (i.name === 'eth0' ? { ...i, method: 'passall' as const } : i))
    expect(toClient(tables(firewall({ interfaces })), udp(INTERNET, 1, ALICE, 2))).toBe('Forward')
  })

  test('a route says behind which interface a network lies', () => {
    const routes = [{ interface: 'vlan1', network: ipv4('10.4.0.0'), mask: ipv4('255.255.0.0') }]
    expect(toClient(tables(firewall(), { ...SURROUNDINGS, routes }), udp(ipv4('10.4.1.1'), 1, ALICE, 2))).toBe(
      'Forward',
    )
    expect(toClient(tables(), udp(ipv4('10.4.1.1'), 1, ALICE, 2))).toBe('Policy')
  })
})

describe('rules', () => {
  const withRules = (...rules: Parameters<typeof rule>[0][]) => tables(firewall({ rules: rules.map(rule) }))

  test('open a service of one client to the outside', () => {
    const t = withRules({ number: 5, action: 'allow', interface: 'eth0', protocol: 6, ip: one(ALICE), port: port(80) })
    expect(toClient(t, tcp(INTERNET, 4000, ALICE, 80, TCP.SYN))).toBe('Forward')
    expect(toClient(t, tcp(INTERNET, 4000, ALICE, 81, TCP.SYN))).toBe('Policy')
    expect(toClient(t, tcp(INTERNET, 4000, BOB, 80, TCP.SYN))).toBe('Policy')
    expect(toClient(t, udp(INTERNET, 4000, ALICE, 80))).toBe('Policy')
    // Not in the middle of a connection.
    expect(toClient(t, tcp(INTERNET, 4001, ALICE, 80, TCP.ACK))).toBe('Policy')
    expect(fromClient(t, 1, tcp(ALICE, 80, INTERNET, 4000, TCP.SYN | TCP.ACK))).toBe('Forward')
  })

  test('the lowest number that matches decides', () => {
    const from = (n: number) => ({ first: INTERNET, last: INTERNET + n })
    const t = withRules(
      { number: 20, action: 'allow', interface: 'eth0', remoteIp: from(9) },
      { number: 10, action: 'deny', interface: 'eth0', remoteIp: from(4) },
    )
    expect(toClient(t, udp(INTERNET + 4, 1, ALICE, 2))).toBe('Policy')
    expect(toClient(t, udp(INTERNET + 5, 1, ALICE, 2))).toBe('Forward')
    expect(toClient(t, udp(INTERNET + 10, 1, ALICE, 2))).toBe('Policy')
  })

  test('on a private interface they filter what goes out, by the source as IP', () => {
    const t = withRules({
      number: 1,
      action: 'deny',
      interface: 'DYN-Dynamic',
      ip: one(ALICE),
      protocol: 6,
      port: port(25),
    })
    expect(fromClient(t, 1, tcp(ALICE, 5000, INTERNET, 25, TCP.SYN))).toBe('Policy')
    expect(fromClient(t, 2, tcp(BOB, 5000, INTERNET, 25, TCP.SYN))).toBe('Forward')
    // Private to private asks no rule.
    expect(fromClient(t, 1, tcp(ALICE, 5000, LAN_HOST, 25, TCP.SYN))).toBe('Forward')
  })

  test('source ports count, and port rules match nothing without ports', () => {
    const t = withRules({ number: 1, action: 'allow', interface: 'eth0', sourcePort: port(4000, 4010) })
    expect(toClient(t, udp(INTERNET, 4005, ALICE, 7))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 4011, ALICE, 7))).toBe('Policy')
    expect(toClient(t, icmp(INTERNET, ALICE, 8, 4005))).toBe('Policy')
  })

  test('a forward to a user that nftables carries out is let through to that user', () => {
    const t = withRules({
      number: 1,
      action: 'allow',
      interface: 'eth0',
      protocol: 6,
      port: port(80),
      globalIp: one(OFFICE),
      globalPort: port(8080),
      user: 'alice',
    })
    expect(toClient(t, tcp(INTERNET, 4000, ALICE, 80, TCP.SYN))).toBe('Forward')
    expect(toClient(t, tcp(INTERNET, 4000, BOB, 80, TCP.SYN))).toBe('Policy')
  })

  test('ENCAPSULATION=IPSEC is about L2TP, not about what is in it', () => {
    const t = withRules({ number: 1, action: 'allow', interface: 'eth0', protocol: 17, encapsulation: 'ipsec' })
    expect(toClient(t, udp(INTERNET, 1, ALICE, 1701))).toBe('Policy')
  })

  test('a new ruleset holds for new flows, and gives the sessions their zones', () => {
    const t = tables()
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    const deny = rule({ number: 1, action: 'deny', interface: 'dyn-dynamic', protocol: 17 })
    t.setRuleset(buildRuleset(firewall({ rules: [deny] }), SURROUNDINGS))
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 3, INTERNET, 2))).toBe('Policy')
    t.setRuleset(buildRuleset(firewall({ dynamics: [] }), SURROUNDINGS))
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Policy')
  })

  test('a ruleset survives the way to a worker', () => {
    const t = tables()
    t.setRuleset(structuredClone(buildRuleset(firewall(), SURROUNDINGS)))
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))).toBe('Forward')
    expect(toClient(t, udp(INTERNET, 2, ALICE, 1))).toBe('Forward')
  })
})

describe('ICMP', () => {
  test('answers to a query pass, queries from outside do not', () => {
    const t = tables()
    expect(toClient(t, icmp(INTERNET, ALICE, 0, 77))).toBe('Policy')
    expect(fromClient(t, 1, icmp(ALICE, INTERNET, 8, 77))).toBe('Forward')
    expect(toClient(t, icmp(INTERNET, ALICE, 0, 77))).toBe('Forward')
    expect(toClient(t, icmp(INTERNET, ALICE, 0, 78))).toBe('Policy')
    expect(toClient(t, icmp(INTERNET, ALICE, 8, 77))).toBe('Policy')
    // An identifier that looks like a type.
    expect(fromClient(t, 1, icmp(ALICE, INTERNET, 8, 8))).toBe('Forward')
    expect(toClient(t, icmp(INTERNET, ALICE, 8, 8))).toBe('Policy')
  })

  test('errors pass when they quote a packet of a live flow to the one who sent it', () => {
    const t = tables()
    const sent = udp(ALICE, 1000, INTERNET, 53)
    const router = ipv4('198.51.100.254')
    expect(toClient(t, icmpError(router, ALICE, sent))).toBe('Policy')
    fromClient(t, 1, sent)
    expect(toClient(t, icmpError(router, ALICE, sent))).toBe('Forward')
    expect(toClient(t, icmpError(router, BOB, sent))).toBe('Policy')
    expect(toClient(t, icmpError(router, ALICE, udp(ALICE, 1001, INTERNET, 53)))).toBe('Policy')
    const answer = udp(INTERNET, 53, ALICE, 1000)
    expect(fromClient(t, 1, icmpError(ALICE, INTERNET, answer))).toBe('Forward')
    expect(toClient(t, icmpError(router, ALICE, sent).slice(0, 40))).toBe('BadIp')
  })

  test('redirects do not pass', () => {
    const redirect = icmp(INTERNET, ALICE, 5, 1)
    expect(toClient(tables(), redirect)).toBe('Policy')
  })
})

describe('fragments', () => {
  const ping = emitIpv4({
    source: INTERNET,
    destination: ALICE,
    protocol: 1,
    payload: Uint8Array.of(0, 0, 0, 0, 0, 9, ...new Uint8Array(16000)),
  })

  test('a ping of 16,000 bytes goes and comes', () => {
    const t = tables()
    const request = ping.slice()
    request[20] = 8
    request.copyWithin(12, 16, 20)
    request.set([198, 51, 100, 7], 16)
    for (const f of fragments(request, 1400, 4711)) expect(fromClient(t, 1, f)).toBe('Forward')
    for (const f of fragments(ping, 1400, 4712)) expect(toClient(t, f)).toBe('Forward')
    expect(t.flows.size).toBe(1)
  })

  test('later fragments share the fate of the first', () => {
    const t = tables()
    const parts = fragments(ping, 1400, 1)
    for (const f of parts) expect(toClient(t, f)).toBe('Policy')
    fromClient(t, 1, icmp(ALICE, INTERNET, 8, 9))
    expect(toClient(t, parts[1]!)).toBe('Policy')
    expect(toClient(t, parts[0]!)).toBe('Forward')
    expect(toClient(t, parts[1]!)).toBe('Forward')
    // Another datagram's, and those that come too late.
    expect(toClient(t, fragments(ping, 1400, 2)[1]!)).toBe('Policy')
    expect(toClient(t, parts[2]!, 30_001)).toBe('Policy')
  })
})

describe('larger than the link', () => {
  const big = udp(LAN_HOST, 9, BOB, 9, 1372)

  test('with DF: dropped, and the sender is told how much fits', () => {
    const t = tables()
    const packet = big.slice()
    packet[6] = 0x40
    expect(toClient(t, packet)).toBe('TooBig')
    expect(t.replies.count).toBe(1)
    const reply = t.replies.packet(0)
    expect(reply.length).toBe(576)
    expect([readIpv4(reply, 12), readIpv4(reply, 16)]).toEqual([BOB, LAN_HOST])
    expect([...reply.subarray(20, 22)]).toEqual([3, 4])
    expect((reply[26]! << 8) | reply[27]!).toBe(1280)
    expect(reply.subarray(28)).toEqual(packet.subarray(0, 548))
    // At most ten a second; and the next call forgets.
    expect(toClient(t, packet, 50)).toBe('TooBig')
    expect(t.replies.count).toBe(0)
    expect(toClient(t, packet, 100)).toBe('TooBig')
    expect(t.replies.count).toBe(1)
  })

  test('without DF: split into fragments that are sound and make the whole again', () => {
    const batch = new Batch()
    const i = batch.push(big)
    const neighbour = batch.push(udp(LAN_HOST, 1, ALICE, 2))
    filterOut(batch, tables(), 0)
    expect(batch.count).toBe(3)
    expect(outcome(batch, neighbour)).toBe('Forward')
    expect([batch.session[2], batch.peer[2], batch.verdict[2]]).toEqual([2, 12, Verdict.Forward])
    const [first, second] = [batch.packet(i), batch.packet(2)]
    expect([first.length, second.length]).toEqual([20 + 1256, 20 + 1380 - 1256])
    expect([...first.subarray(6, 8)]).toEqual([0x20, 0])
    expect([...second.subarray(6, 8)]).toEqual([0, 1256 / 8])
    expect(Buffer.concat([first.subarray(20), second.subarray(20)])).toEqual(Buffer.from(big.subarray(20)))
    const again = tables()
    expect(toClient(again, first.slice())).toBe('Forward')
    expect(toClient(again, second.slice())).toBe('Forward')
  })

  test('without DF and without rows to spare: dropped', () => {
    const batch = new Batch()
    for (let i = 0; i < BATCH_CAPACITY; i++) batch.push(big)
    filterOut(batch, tables(), 0)
    expect(batch.count).toBe(BATCH_CAPACITY)
    expect(outcome(batch, BATCH_CAPACITY - 1)).toBe('TooBig')
    expect(batch.reason[0]).toBe(DropReason.TooBig)
  })

  test('no error answers an ICMP error', () => {
    const t = tables()
    const error = emitIpv4({
      source: LAN_HOST,
      destination: BOB,
      protocol: 1,
      payload: Uint8Array.of(3, 1, ...new Uint8Array(1300)),
      dontFragment: true,
    })
    expect(toClient(t, error)).toBe('TooBig')
    expect(t.replies.count).toBe(0)
  })
})

describe('sessions come and go', () => {
  test('what one session opened, its successor on the address does not get', () => {
    const t = tables()
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))
    t.remove(1)
    expect(toClient(t, udp(INTERNET, 2, ALICE, 1))).toBe('NoRoute')
    t.install({ ...ALICE_ROW, session: 1, user: 'mallory' })
    expect(toClient(t, udp(INTERNET, 2, ALICE, 1))).toBe('Policy')
    t.install({ ...ALICE_ROW, session: 4 })
    expect(toClient(t, udp(INTERNET, 2, ALICE, 1))).toBe('Policy')
  })

  test('before control has sent a ruleset nothing passes', async () => {
    const { FirewallTables } = await import('../../src/firewall/tables.ts')
    const t = new FirewallTables(1, { flows: 64 })
    t.install(ALICE_ROW)
    expect(fromClient(t, 1, udp(ALICE, 1, LAN_HOST, 2))).toBe('Policy')
  })
})

describe('events', () => {
  test('say nothing of the IPv6 that the kernel sends by itself', () => {
    const t = tables()
    const solicitation = Uint8Array.of(0x60, 0, 0, 0, 0, 8, 58, 255, ...new Uint8Array(40))
    expect(toClient(t, solicitation)).toBe('BadIp')
    expect(t.events.take(t.ruleset)).toEqual([])
  })

  test('tell what was let in and refused, by which rule', () => {
    const t = tables(
      firewall({ rules: [rule({ number: 7, action: 'deny', interface: 'dyn-dynamic', port: port(25) })] }),
    )
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53), 1000)
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 53), 1001)
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 25), 1002)
    toClient(t, udp(INTERNET, 9, BOB, 9), 1003)
    const events = t.events.take(t.ruleset)
    expect(events.map(e => [e.at, e.action, e.direction, e.policy, e.session, e.rule])).toEqual([
      [1000, 'allow', 'out', 'main', 1, 0],
      [1002, 'deny', 'out', 'main', 1, 7],
      [1003, 'deny', 'in', 'main', 2, 0],
    ])
    expect(events[1]!.header).toEqual(udp(ALICE, 1, INTERNET, 25))
    expect(t.events.take(t.ruleset)).toEqual([])
  })

  test('a flood is counted, not kept', () => {
    const t = tables()
    for (let i = 0; i < 1000; i++) toClient(t, udp(INTERNET, i, ALICE, 9), 0)
    const kept = (at: number) => t.events.take(t.ruleset).filter(e => e.action === 'deny' && e.at === at)
    expect(kept(0)).toHaveLength(16)
    expect(t.events.suppressed).toBe(984)
    for (let i = 0; i < 1000; i++) toClient(t, udp(INTERNET, i, ALICE, 9), 1000)
    expect(kept(1000)).toHaveLength(2)
  })

  test('a flood at one session hides nothing of another', () => {
    const t = tables()
    for (let i = 0; i < 1000; i++) toClient(t, udp(INTERNET, i, ALICE, 9), 0)
    toClient(t, udp(INTERNET, 5, BOB, 9), 0)
    const ofBob = t.events.take(t.ruleset).filter(e => e.session === 2)
    expect(ofBob.map(e => [e.action, e.sourcePort])).toEqual([['deny', 5]])
  })

  test('what is the same again is counted', () => {
    const t = tables()
    for (let i = 0; i < 7; i++) toClient(t, udp(INTERNET, 5, BOB, 9), i)
    expect(t.events.take(t.ruleset).map(e => [e.at, e.repeats])).toEqual([[0, 7]])
  })
  test('what passes between free sides is counted as what was opened, by who began, once', () => {
    const t = tables()
    for (let i = 0; i < 5; i++) {
      // A client and a host of the LAN, and two clients.
      for (const [other, back] of [
        [LAN_HOST, false],
        [BOB, true],
      ] as const) {
        const [ask, answer] = [udp(ALICE, 1000, other, 53), udp(other, 53, ALICE, 1000)]
        expect([fromClient(t, 1, ask.slice()), back ? toClient(t, ask) : 'Forward']).toEqual(['Forward', 'Forward'])
        if (back) expect(fromClient(t, 2, answer.slice())).toBe('Forward')
        expect(toClient(t, answer)).toBe('Forward')
      }
    }
    expect(t.policyCounts()).toEqual([{ policy: 'main', inAllowed: 0, inDenied: 0, outAllowed: 2, outDenied: 0 }])
  })
})
