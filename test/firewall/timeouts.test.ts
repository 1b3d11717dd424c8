/** How long what is idle is remembered: by a worker in virtual time, and by the kernel as it tells it itself. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type NftablesInput, nftablesTable } from '../../src/firewall/nftables.ts'
import type { FirewallPolicy } from '../../src/firewall/policy.ts'
import { listFlows } from '../../src/firewall/report.ts'
import { emitIpv4, ipv4 } from '../../src/packet/ip.ts'
import { KernelRouter, whyNoKernelRouter } from './kernel.ts'
import {
  ALICE,
  firewall,
  fromClient,
  INTERNET,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tables,
  tcp,
  toClient,
  udp,
} from './office.ts'

const SERVICE = rule({ number: 9, action: 'allow', interface: 'eth0', protocol: 17, port: port(7) })
const change: Partial<FirewallPolicy> = {
  tcpTimeoutSeconds: 600,
  udpTimeoutSeconds: 900,
  espTimeoutSeconds: 120,
  udpPortTimeouts: [
    { port: 123, seconds: 30 },
    { port: 514, seconds: undefined },
    { port: 4000, seconds: 7200 },
  ],
  nats: [],
  rules: [SERVICE],
}

describe('a worker', () => {
  const lifeOf = (packet: Uint8Array, fromOutside = false) => {
    const t = tables(firewall(change))
    expect(fromOutside ? toClient(t, packet) : fromClient(t, 1, packet)).toBe('Forward')
    return listFlows(t.flows, 0, 9).map(f => f.expiresIn / 1000)
  }

  test.each([
    ['a port that has its own', udp(ALICE, 1, INTERNET, 4000), [7200]],
    ['a shorter one', udp(ALICE, 1, INTERNET, 123), [30]],
    ['DEFAULT: the policy’s, at once', udp(ALICE, 1, INTERNET, 514), [900]],
    ['another port, which must prove itself', udp(ALICE, 1, INTERNET, 515), [300]],
    ['the port on the private side, which says nothing', udp(ALICE, 4000, INTERNET, 515), [300]],
    ['the same port of TCP', tcp(ALICE, 1, INTERNET, 4000, TCP.SYN), [60]],
    ['ESP', emitIpv4({ source: ALICE, destination: INTERNET, protocol: 50, payload: new Uint8Array(8) }), [120]],
    ['GRE', emitIpv4({ source: ALICE, destination: INTERNET, protocol: 47, payload: new Uint8Array(8) }), [1200]],
  ])('outward: %s', (_, packet, seconds) => {
    expect(lifeOf(packet)).toEqual(seconds)
  })

  test('inward it is the source port that counts', () => {
    expect(lifeOf(udp(INTERNET, 4000, ALICE, 7), true)).toEqual([7200])
    expect(lifeOf(udp(INTERNET, 9, ALICE, 7), true)).toEqual([300])
  })

  test('it holds with every packet, either way', () => {
    const t = tables(firewall(change))
    fromClient(t, 1, udp(ALICE, 1, INTERNET, 4000), 0)
    expect(toClient(t, udp(INTERNET, 4000, ALICE, 1), 7_199_000)).toBe('Forward')
    expect(fromClient(t, 1, udp(ALICE, 1, INTERNET, 4000), 14_398_000)).toBe('Forward')
    expect(listFlows(t.flows, 14_398_000, 9)[0]).toMatchObject({ packetsForward: 2, packetsReverse: 1 })
    expect(toClient(t, udp(INTERNET, 4000, ALICE, 1), 21_599_000)).toBe('Policy')
  })
})

const why = whyNoKernelRouter()
if (why !== undefined) {
  console.log(`the kernel's timeouts are not looked at: ${why}`)
} else {
  describe('the kernel', () => {
    let router: KernelRouter
    const HOST = ipv4('192.168.8.50')
    const input = (policy: Partial<FirewallPolicy>): NftablesInput => ({
      firewall: firewall(policy),
      tableName: 'floatgate_test',
      devices: { eth0: 'wan', vlan1: 'lan' },
      interfaces: SURROUNDINGS.interfaces,
      tunDevice: 'fg0',
      ports: [500, 4500],
    })
    /** Seconds left of the connection with this port, as the kernel lists it. */
    const left = (far: number) => {
      const line = router
        .ask('cat', '/proc/net/nf_conntrack')
        .split('\n')
        .find(l => l.includes(`port=${far} `))
      return Number(/^ipv4\s+\d+\s+\w+\s+\d+\s+(\d+)/.exec(line ?? '')?.[1])
    }
    const between = (low: number, high: number) => (value: number) => value >= low && value <= high

    beforeAll(async () => {
      router = await KernelRouter.open()
      router.nft(nftablesTable(input(change))!)
    })
    afterAll(async () => {
      await router.close()
    })

    test('remembers UDP as long as the policy and its ports say', async () => {
      await router.send('lan', udp(HOST, 1001, INTERNET, 4000), true)
      await router.send('lan', udp(HOST, 1002, INTERNET, 123), true)
      await router.send('lan', udp(HOST, 1003, INTERNET, 514), true)
      await router.send('lan', udp(HOST, 1004, INTERNET, 515), true)
      await router.send('wan', udp(INTERNET, 4000, HOST, 7), true)
      expect(left(1001)).toSatisfy(between(7150, 7200))
      expect(left(1002)).toSatisfy(between(1, 30))
      expect(left(1003)).toSatisfy(between(850, 900))
      expect(left(1004)).toSatisfy(between(250, 300))
      expect(left(7)).toSatisfy(between(7150, 7200))
    })

    test('and TCP', async () => {
      const numbers = { sequence: 1000 }
      await router.send('lan', tcp(HOST, 1005, INTERNET, 80, TCP.SYN, undefined, numbers), true)
      const answer = { sequence: 9000, acknowledgement: 1001 }
      await router.send('wan', tcp(INTERNET, 80, HOST, 1005, TCP.SYN | TCP.ACK, undefined, answer), true)
      const last = { sequence: 1001, acknowledgement: 9001 }
      await router.send('lan', tcp(HOST, 1005, INTERNET, 80, TCP.ACK, undefined, last), true)
      expect(left(1005)).toSatisfy(between(550, 600))
    })

    test('a table that is made anew leaves what is there', async () => {
      router.nft(nftablesTable(input(change))!)
      const before = left(1001)
      router.nft(nftablesTable(input({ nats: [] }))!)
      expect(left(1001)).toSatisfy(between(before - 10, before))
      await router.send('lan', udp(HOST, 1006, INTERNET, 4000), true)
      expect(left(1006)).toSatisfy(between(1, 30))
    })
  })
}
