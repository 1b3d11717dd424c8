import { describe, expect, test } from 'vitest'
import { emitIpv4 } from '../../src/packet/ip.ts'
import { ALICE, fragments, fromClient, INTERNET, icmp, TCP, tables, tcp, toClient, udp } from './office.ts'

const SECRET = new TextEncoder().encode('PASS hush-hush')

describe('a traced packet', () => {
  const traced = (packets: readonly Uint8Array[]) => {
    const t = tables()
    t.trace.order([{ policy: 'MAIN', packets: true }], t.ruleset)
    for (const p of packets) fromClient(t, 1, p)
    return t.trace.take(t.ruleset).packets
  }

  test.each([
    ['UDP', udp(ALICE, 1, INTERNET, 2, 200), 28],
    ['TCP', tcp(ALICE, 1, INTERNET, 2, TCP.SYN, new Uint8Array(8), {}, SECRET), 48],
    ['TCP with all its options', tcp(ALICE, 1, INTERNET, 2, TCP.SYN, new Uint8Array(40), {}, SECRET), 56],
    ['ICMP', icmp(ALICE, INTERNET, 8, 1), 28],
    ['GRE', emitIpv4({ source: ALICE, destination: INTERNET, protocol: 47, payload: SECRET }), 20],
    ['a later fragment', fragments(udp(ALICE, 1, INTERNET, 2, 200), 68, 9)[1]!, 20],
  ])('of %s has its headers alone', (_, packet, bytes) => {
    const [p] = traced([packet])
    expect(p!.header).toEqual(packet.slice(0, bytes))
    expect(new TextDecoder().decode(p!.header)).not.toContain('hush')
  })

  test('that is none is told as it is, and any bytes are survived', () => {
    for (let length = 0; length < 80; length++) {
      const [p] = traced([new Uint8Array(length).fill(0xff)])
      expect(p?.header.length ?? 0).toBeLessThanOrEqual(Math.min(56, length))
    }
  })

  test('is of the policies that were asked for, and only while somebody asks', () => {
    const t = tables()
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 2))
    expect(t.hasNews && t.trace.waiting > 0).toBe(false)
    t.trace.order([{ policy: 'other', packets: true }], t.ruleset)
    toClient(t, udp(INTERNET, 2, ALICE, 1))
    expect(t.trace.waiting).toBe(0)
    t.trace.order([{ policy: undefined, packets: false }], t.ruleset)
    toClient(t, udp(INTERNET, 2, ALICE, 1))
    expect(t.trace.waiting).toBe(0)
    t.trace.order([{ policy: undefined, packets: true }], t.ruleset)
    toClient(t, udp(INTERNET, 2, ALICE, 1), 5)
    expect(t.trace.take(t.ruleset).packets).toMatchObject([
      { at: 5, policy: 'main', direction: 'in', cause: 'known', from: 'eth0', to: 'dyn-dynamic', length: 32 },
    ])
  })
})
