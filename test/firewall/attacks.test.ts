/** Attacks, packet by packet: what makes each one, what does not, and that nobody's counting touches another's. */

import { describe, expect, test } from 'vitest'
import type { FirewallTables } from '../../src/firewall/tables.ts'
import { type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import {
  ALICE,
  BOB,
  firewall,
  fragments,
  fromClient,
  INTERNET,
  icmp,
  LAN_HOST,
  OFFICE,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
  withSource,
} from './office.ts'

/** What was noticed: attack, direction and session; `+` before a packet in detail. */
function notices(t: FirewallTables): string[] {
  return t.events
    .take(t.ruleset)
    .filter(e => e.action === 'notify')
    .map(e => `${e.started ? '' : '+'}${e.attack} ${e.direction} ${e.session}`)
}

const started = (t: FirewallTables) => notices(t).filter(n => !n.startsWith('+'))

const small = { inTrigger: 10, outTrigger: 20, detail: 2, timeMinutes: 2 }
const host = (n: number): Ipv4 => ipv4('192.168.8.0') + n

describe('a SYN flood', () => {
  const t = () => tables(firewall({ attacks: { synattack: small } }))
  const syn = (n: number, source = INTERNET) => tcp(source, 20_000 + n, ALICE, 80, TCP.SYN)

  test('is that many SYNs without an answer, from outside and from a client', () => {
    const a = t()
    for (let n = 0; n < 9; n++) toClient(a, syn(n))
    expect(notices(a)).toEqual([])
    toClient(a, syn(9))
    expect(notices(a)).toEqual(['synattack in 1'])

    const b = t()
    for (let n = 0; n < 20; n++) fromClient(b, 1, tcp(ALICE, 20_000 + n, INTERNET, 80, TCP.SYN))
    expect(started(b)).toEqual(['synattack out 1'])
  })

  test('is not a client that opens as many connections', () => {
    const a = t()
    for (let n = 0; n < 100; n++) {
      const port = 20_000 + n
      fromClient(a, 1, tcp(ALICE, port, INTERNET, 80, TCP.SYN), n)
      toClient(a, tcp(INTERNET, 80, ALICE, port, TCP.SYN | TCP.ACK), n)
      fromClient(a, 1, tcp(ALICE, port, INTERNET, 80, TCP.ACK), n)
      // Between private sides nothing is tracked; the answer counts all the same.
      fromClient(a, 1, tcp(ALICE, port, LAN_HOST, 80, TCP.SYN), n)
      toClient(a, tcp(LAN_HOST, 80, ALICE, port, TCP.SYN | TCP.ACK), n)
      expect(notices(a)).toEqual([])
    }
  })

  test('is told once in its time, with some packets in detail, and anew behind it', () => {
    const a = t()
    for (let n = 0; n < 50; n++) toClient(a, syn(n))
    expect(notices(a)).toEqual(['synattack in 1', '+synattack in 1', '+synattack in 1'])
    for (let n = 0; n < 50; n++) toClient(a, syn(n), 119_999)
    expect(notices(a)).toEqual([])
    for (let n = 0; n < 50; n++) toClient(a, syn(n), 120_000)
    expect(notices(a)).toEqual(['synattack in 1', '+synattack in 1', '+synattack in 1'])
  })

  test('that is too slow for its time is none', () => {
    const a = t()
    for (let n = 0; n < 60; n++) toClient(a, syn(n), n * 15_000)
    expect(notices(a)).toEqual([])
  })

  test('with a trigger of 0 is never one', () => {
    const a = tables(firewall({ attacks: { synattack: { ...small, inTrigger: 0 } } }))
    for (let n = 0; n < 500; n++) toClient(a, syn(n))
    expect(started(a)).toEqual([])
  })
})

describe('a port scan', () => {
  const t = () => tables(firewall({ attacks: { portscan: small } }))

  test('is that many different ports, allowed or not', () => {
    const a = t()
    for (let port = 1; port <= 30; port++) toClient(a, tcp(INTERNET, 40_000, ALICE, port, TCP.SYN))
    expect(started(a)).toEqual(['portscan in 1'])
    const b = t()
    for (let port = 1; port <= 30; port++) fromClient(b, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    expect(started(b)).toEqual(['portscan out 1'])
    const c = t()
    for (let port = 2000; port <= 2030; port++) fromClient(c, 1, udp(ALICE, 40_000, LAN_HOST, port))
    expect(started(c)).toEqual(['portscan out 1'])
  })

  test.each([
    ['NULL', 0],
    ['FIN', TCP.FIN],
    ['Xmas', TCP.FIN | 0x28],
  ])('is seen with the flags of %s', (_, flags) => {
    const a = t()
    for (let port = 1; port <= 30; port++) toClient(a, tcp(INTERNET, 40_000, ALICE, port, flags))
    expect(started(a)).toEqual(['portscan in 1'])
  })

  test('is neither one port often nor answers that come late', () => {
    const a = t()
    for (let n = 0; n < 300; n++) {
      toClient(a, tcp(INTERNET, 40_000 + n, ALICE, 80, TCP.SYN))
      toClient(a, udp(INTERNET, 53, ALICE, 40_000 + n))
      toClient(a, tcp(INTERNET, 443, ALICE, 40_000 + n, TCP.FIN | TCP.ACK))
      toClient(a, tcp(INTERNET, 443, ALICE, 40_000 + n, TCP.RST))
    }
    expect(started(a)).toEqual([])
  })

  test('is not a server of the LAN that answers a client, nor is the client that asks it', () => {
    const a = tables(firewall({ attacks: { portscan: small, hostscan: small, udpattack: small } }))
    for (let n = 0; n < 300; n++) {
      fromClient(a, 1, udp(ALICE, 20_000 + n, LAN_HOST, 8002))
      toClient(a, udp(LAN_HOST, 8002, ALICE, 20_000 + n))
      toClient(a, udp(LAN_HOST, 30_000 + n, ALICE, 5060))
      fromClient(a, 1, udp(ALICE, 5060, LAN_HOST, 30_000 + n))
    }
    expect(started(a)).toEqual([])
    for (let n = 0; n < 30; n++) toClient(a, udp(LAN_HOST, 8002, ALICE, 40_000 + n))
    expect(started(a)).toEqual(['portscan out 1', 'udpattack out 1'])
  })

  test('of 1000 ports is near enough to its trigger', () => {
    const a = tables(firewall({ attacks: { portscan: { ...small, inTrigger: 500, detail: 0 } } }))
    let at = 0
    for (let port = 1; port <= 1000 && at === 0; port++) {
      toClient(a, tcp(INTERNET, 40_000, ALICE, port, TCP.SYN))
      if (started(a).includes('portscan in 1')) at = port
    }
    expect(at).toBeGreaterThan(430)
    expect(at).toBeLessThan(570)
  })
})

describe('a host scan', () => {
  const t = () => tables(firewall({ attacks: { hostscan: small } }))

  test('is that many hosts, by TCP, UDP or ping', () => {
    for (const packet of [
      (n: number) => tcp(ALICE, 40_000, host(100 + n), 445, TCP.SYN),
      (n: number) => udp(ALICE, 40_000, host(100 + n), 161),
      (n: number) => icmp(ALICE, host(100 + n), 8, n),
    ]) {
      const a = t()
      for (let n = 0; n < 30; n++) fromClient(a, 1, packet(n))
      expect(started(a)).toEqual(['hostscan out 1'])
    }
  })

  test('from outside is one source over many sessions', () => {
    const a = t()
    for (let n = 0; n < 30; n++) {
      const address = host(100 + n)
      a.install({ session: 10 + n, peer: 50 + n, address, user: 'x', mtu: 1400 })
      toClient(a, tcp(INTERNET, 40_000, address, 445, TCP.SYN))
      toClient(a, tcp(INTERNET + 1 + n, 40_000, address, 445, TCP.SYN))
    }
    const found = started(a)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^hostscan in \d+$/)
  })
})

describe('floods', () => {
  test('of UDP without an answer', () => {
    const a = tables(firewall({ attacks: { udpattack: small } }))
    for (let n = 0; n < 12; n++) toClient(a, udp(INTERNET, 40_000, ALICE, 5000))
    expect(started(a)).toEqual(['udpattack in 1'])
    for (let n = 0; n < 100; n++) {
      fromClient(a, 2, udp(BOB, 20_000 + n, INTERNET, 53))
      toClient(a, udp(INTERNET, 53, BOB, 20_000 + n))
    }
    expect(started(a)).toEqual([])
  })

  test('of pings, of one identifier or of many', () => {
    for (const identifier of [() => 7, (n: number) => n]) {
      const a = tables(firewall({ attacks: { dosflood: small } }))
      for (let n = 0; n < 25; n++) fromClient(a, 1, icmp(ALICE, LAN_HOST, 8, identifier(n)))
      expect(started(a)).toEqual(['dosflood out 1'])
    }
  })
})

describe('one packet', () => {
  const attackOf = (send: (t: FirewallTables) => string): [string, string[]] => {
    const t = tables(
      firewall({ attacks: { ipspoof: { ...small, outTrigger: 1 }, other: { ...small, outTrigger: 1 } } }),
    )
    return [send(t), started(t)]
  }

  test('to everybody’s address is a smurf attack, and does not pass', () => {
    const sent = attackOf(t => fromClient(t, 1, icmp(ALICE, ipv4('192.168.8.255'), 8, 1)))
    expect(sent).toEqual(['Policy', ['smurf out 1']])
    expect(attackOf(t => fromClient(t, 1, udp(ALICE, 137, ipv4('192.168.8.255'), 137)))[1]).toEqual([])
  })

  test('from everybody’s address makes an amplifier', () => {
    const sent = attackOf(t => toClient(t, icmp(ipv4('203.0.113.255'), ALICE, 8, 1)))
    expect(sent).toEqual(['Spoofed', ['smurfamp in 1']])
  })

  test('from an address to itself is a land attack', () => {
    expect(attackOf(t => fromClient(t, 1, tcp(ALICE, 139, ALICE, 139, TCP.SYN)))).toEqual(['Policy', ['land out 1']])
    expect(attackOf(t => toClient(t, tcp(ALICE, 139, ALICE, 139, TCP.SYN)))[0]).toBe('Spoofed')
    expect(attackOf(t => toClient(t, tcp(ALICE, 139, ALICE, 139, TCP.SYN)))[1]).toEqual(['land out 1'])
  })

  test('past 65,535 bytes is a ping of death', () => {
    const last = icmp(ALICE, LAN_HOST, 8, 1)
    last.set([0x1f, 0xff], 6)
    expect(attackOf(t => fromClient(t, 1, last))).toEqual(['BadIp', ['pingofdeath out 1']])
  })

  test('that is a part of a TCP header alone is a tiny fragment', () => {
    const [first, second] = fragments(tcp(ALICE, 1, INTERNET, 80, TCP.SYN, new Uint8Array(12)), 36, 7)
    expect(attackOf(t => fromClient(t, 1, first!))).toEqual(['BadIp', ['tcptiny out 1']])
    expect(attackOf(t => fromClient(t, 1, second!))).toEqual(['BadIp', ['tcptiny out 1']])
  })

  test('with another’s address is spoofing, where there are enough', () => {
    const spoofed = withSource(udp(ALICE, 1, LAN_HOST, 53), BOB)
    expect(attackOf(t => fromClient(t, 1, spoofed))).toEqual(['Spoofed', ['ipspoof out 1']])
    const usual = tables()
    for (let n = 0; n < 19; n++) fromClient(usual, 1, spoofed)
    expect(started(usual)).toEqual([])
    fromClient(usual, 1, spoofed)
    expect(started(usual)).toEqual(['ipspoof out 1'])
  })

  test('that is none, or names its way, is another attack', () => {
    expect(attackOf(t => fromClient(t, 1, new Uint8Array(12)))).toEqual(['BadIp', ['other out 1']])
  })
})

describe('fragments', () => {
  const cut = (identification = 7) => fragments(udp(ALICE, 1000, INTERNET, 53, 4000), 1020, identification)

  test('pass in order, twice, and backwards behind the first; the same number may come again', () => {
    const t = tables()
    const [first, ...rest] = cut()
    for (let round = 0; round < 3; round++) {
      expect([first!, ...rest].map(f => fromClient(t, 1, f))).toEqual(Array(5).fill('Forward'))
      expect([first!, rest[1]!, rest[1]!, rest[0]!, rest[2]!, rest[3]!].map(f => fromClient(t, 1, f))).toEqual(
        Array(6).fill('Forward'),
      )
    }
    expect(started(t)).toEqual([])
  })

  test('that overlap do not pass, and are an attack', () => {
    const t = tables()
    const [first, second] = cut()
    const overlapping = second!.slice()
    overlapping[7]! -= 2
    expect([first!, second!, overlapping].map(f => fromClient(t, 1, f))).toEqual(['Forward', 'Forward', 'Policy'])
    expect(started(t)).toEqual(['fragment out 1'])
  })

  test('nor does a second beginning that says otherwise', () => {
    const t = tables()
    expect(fromClient(t, 1, cut()[0]!)).toBe('Forward')
    const other = fragments(udp(ALICE, 1000, INTERNET, 53, 4000), 540, 7)[0]!
    expect(fromClient(t, 1, other)).toBe('Policy')
    expect(started(t)).toEqual(['fragment out 1'])
  })

  test('are at most 48 of one packet', () => {
    const t = tables()
    const many = fragments(udp(ALICE, 1000, INTERNET, 53, 4000), 84, 9)
    expect(many.length).toBeGreaterThan(50)
    const fates = many.map(f => fromClient(t, 1, f))
    expect(fates.filter(f => f === 'Forward')).toHaveLength(48)
    expect(started(t)).toEqual(['fragment out 1'])
  })
})

describe('fairness', () => {
  test('what one session does neither counts for another nor pushes out its count', () => {
    const t = tables(firewall({ attacks: { portscan: { ...small, detail: 0 } } }))
    for (let port = 1; port <= 15; port++) fromClient(t, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    for (let n = 0; n < 5000; n++) fromClient(t, 2, tcp(BOB, 40_000, LAN_HOST + (n >> 8), n & 0xffff, TCP.SYN))
    expect(notices(t).filter(n => n.endsWith(' 1'))).toEqual([])
    for (let port = 16; port <= 25; port++) fromClient(t, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    expect(notices(t)).toContain('portscan out 1')
  })

  test('a session’s successor begins with nothing', () => {
    const t = tables(firewall({ attacks: { portscan: { ...small, detail: 0 } } }))
    for (let port = 1; port <= 15; port++) fromClient(t, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    t.install({ session: 1, peer: 11, address: ALICE, user: 'alice', mtu: 1400 })
    for (let port = 16; port <= 30; port++) fromClient(t, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    expect(started(t)).toEqual([])
  })

  test('traffic from client to client is looked at once, by the sender', () => {
    const t = tables(firewall({ attacks: { portscan: small } }))
    for (let port = 1; port <= 40; port++) {
      const packet = tcp(ALICE, 40_000, BOB, port, TCP.SYN)
      fromClient(t, 1, packet)
      toClient(t, packet)
    }
    expect(started(t)).toEqual(['portscan out 1'])
  })

  test('where the firewall is off nothing is looked at', () => {
    const t = tables({ ...firewall({ attacks: { portscan: small } }), enabled: false })
    for (let port = 1; port <= 40; port++) toClient(t, tcp(INTERNET, 40_000, OFFICE, port, TCP.SYN))
    for (let port = 1; port <= 40; port++) fromClient(t, 1, tcp(ALICE, 40_000, LAN_HOST, port, TCP.SYN))
    expect(started(t)).toEqual([])
  })
})
