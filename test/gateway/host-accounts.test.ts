/** Connections of the host's devices on the accounts of a policy: the kernel's messages, whose they are, and how many. */

import { describe, expect, it } from 'vitest'
import type { AccountsState } from '../../src/alliedware/show/firewall-accounting.ts'
import { type GoneConnection, parseGone } from '../../src/gateway/conntrack.ts'
import { hostAccounts } from '../../src/gateway/host-accounts.ts'
import { HostConntrack } from '../../src/gateway/host-conntrack.ts'
import type { Native } from '../../src/gateway/native.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { operatorWorld } from './operators.ts'

/** As a kernel (Linux 6.18, little-endian) told them: UDP that was answered, and two pings. */
const UDP =
  'ec000000020100000000000000000000020000003400018014000180080001007f000001080002007f0000091c000280050001001100000006000200900f000006000300270f00003400028014000180080001007f000001080002007f0000011c000280050001001100000006000200270f000006000300900f000008000c00d903b3f508000300000003aa1c0009800c00010000000000000000010c00020000000000000000211c000a800c00010000000000000000010c00020000000000000000261c0014800c00010018ea60ec05b05d5c0c00020018ea60ec7cc30d010c001b0018ea60f9bf5d9daa'
const PINGS =
  'fc000000020100000000000000000000020000003c00018014000180080001007f000001080002007f000001240002800500010001000000060004000f640000050005000800000005000600000000003c00028014000180080001007f000001080002007f000001240002800500010001000000060004000f6400000500050000000000050006000000000008000c00066c64c6080003000000038a1c0009800c00010000000000000000020c00020000000000000000a81c000a800c00010000000000000000020c00020000000000000000a81c0014800c00010018ea60ec06223a340c00020018ea60ec898db37c0c001b0018ea60f9bf85653a'
const LOCAL = ipv4('127.0.0.1')

describe('the kernel’s messages', () => {
  it('have both ends, both ways, and what went each way', () => {
    const [udp, pings, ...more] = parseGone(fromHex(UDP + PINGS))
    expect(more).toEqual([])
    expect(udp).toEqual({
      protocol: 17,
      original: { source: LOCAL, sourcePort: 36879, destination: ipv4('127.0.0.9'), destinationPort: 9999 },
      // Translated: the answers came from elsewhere.
      reply: { source: LOCAL, sourcePort: 9999, destination: LOCAL, destinationPort: 36879 },
      packetsForward: 1,
      packetsReverse: 1,
      bytesForward: 33,
      bytesReverse: 38,
      started: expect.any(Number),
      ended: expect.any(Number),
    })
    expect(udp!.ended! - udp!.started!).toBe(1998)
    expect(pings).toMatchObject({
      protocol: 1,
      original: { source: LOCAL, sourcePort: 0x0f64, destination: LOCAL, destinationPort: 0 },
      packetsForward: 2,
      bytesForward: 168,
    })
  })

  it('without counters, of other kinds or of IPv6 are nothing', () => {
    const uncounted = fromHex(UDP.replace('1c00098', '1c00078'))
    expect(parseGone(uncounted)).toEqual([])
    expect(parseGone(fromHex(UDP.replace(/^(.{8})0201/, '$10001')))).toEqual([])
    expect(parseGone(fromHex(UDP.replace(/^(.{32})02/, '$10a')))).toEqual([])
  })

  it('cut or changed anywhere are read as far as they make sense, and no further', () => {
    const whole = fromHex(UDP)
    for (let length = 0; length < whole.length; length++) expect(parseGone(whole.subarray(0, length))).toEqual([])
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice()
      changed[at]! ^= 0xff
      expect(parseGone(changed).length).toBeLessThanOrEqual(1)
    }
  })
})

describe('who hears them', () => {
  it('listens while a policy accounts for anything, reads what there is, and says where the host counts nothing', async () => {
    const { world, type } = await operatorWorld().then(w => ({ ...w, type: (text: string) => w.type(w.root, text) }))
    const messages = [fromHex(UDP + PINGS), fromHex(PINGS)]
    const calls: string[] = []
    let readable: () => void = () => undefined
    const native = {
      netfilterSocket: (groups: number) => {
        calls.push(`socket ${groups}`)
        return 9
      },
      watch: (fd: number, callback: () => void) => {
        calls.push(`watch ${fd}`)
        readable = callback
        return {}
      },
      unwatch: () => calls.push('unwatch'),
      close: (fd: number) => calls.push(`close ${fd}`),
      netlinkReceive: (_: number, buffer: Uint8Array) => {
        const message = messages.shift()
        if (message === undefined) return -1
        buffer.set(message)
        return message.length
      },
    } as unknown as Native
    const heard: number[] = []
    world.control.firewall.hosts = new HostConntrack(native, world.gateway.log, gone =>
      heard.push(...gone.map(c => c.protocol)),
    )
    await type('enable firewall policy=main ping')
    expect(calls).toEqual([])
    await type('enable firewall policy=main accounting')
    expect(calls).toEqual(['socket 4', 'watch 9'])
    readable()
    expect(heard).toEqual([17, 1, 1])
    await type('disable firewall policy=main ping')
    await type('disable firewall policy=main accounting')
    expect(calls).toEqual(['socket 4', 'watch 9', 'unwatch', 'close 9'])
    native.netfilterSocket = () => {
      throw new Error('EPROTONOSUPPORT')
    }
    await type('enable firewall policy=main accounting')
    const notices = world.gateway.log.entries().filter(e => e.text.startsWith('Sessions are accounted for'))
    expect(notices.at(-1)!.text).toMatch(/this kernel tells of no connections \(EPROTONOSUPPORT\)$/)
    world.control.shutdown()
    expect(calls).toHaveLength(4)
  })
})

describe('hosts’ connections', () => {
  const setUp = async () => {
    const w = await operatorWorld()
    const type = (text: string) => w.type(w.root, text)
    await type('enable firewall policy=main accounting')
    const accounts = async () => (await type('show firewall accounting')).data as AccountsState
    const now = () => w.world.control.world.wall().getTime()
    return { world: w.world, type, accounts, take: hostAccounts(w.world.control), now }
  }
  const host = ipv4('192.168.8.20')
  const far = ipv4('198.51.100.7')
  const office = ipv4('203.0.113.1')
  const gone = (source: number, destination: number, back = destination, more: Partial<GoneConnection> = {}) => ({
    protocol: 6,
    original: { source, sourcePort: 1000, destination, destinationPort: 80 },
    reply: { source: back, sourcePort: 80, destination: source, destinationPort: 1000 },
    packetsForward: 3,
    packetsReverse: 2,
    bytesForward: 300,
    bytesReverse: 2000,
    started: undefined,
    ended: undefined,
    ...more,
  })

  it('are on the account of the policy between their sides, as the kernel timed them', async () => {
    const { take, accounts, type, now, world } = await setUp()
    world.advance(60_000)
    take([
      gone(host, far, far, { started: now() - 50_000, ended: now() - 20_000 }),
      // Forwarded to a host inside.
      gone(far, office, host),
      gone(far, office),
    ])
    const { flows } = (await accounts()).policies[0]!
    expect(flows.map(f => [f.direction, f.source, f.destination, f.seconds])).toEqual([
      ['out', host, far, 30],
      ['in', far, office, 0],
      ['in', far, office, 0],
    ])
    expect((await type('show firewall accounting tail=3')).text).toContain(
      'OUT TCP  192.168.8.20:1000 198.51.100.7:80\n',
    )
    expect((await type('show firewall accounting')).text).toContain(
      '00:00:30: out 3 packets 300 bytes, in 2 packets 2000 bytes',
    )
  })

  it('are not where they are free, the gateway’s own, nobody’s, or of sessions', async () => {
    const { take, accounts, type } = await setUp()
    take([
      gone(host, ipv4('192.168.8.1')),
      gone(office, far),
      gone(ipv4('172.17.0.2'), far),
      gone(ipv4('192.168.8.100'), far),
      gone(far, office, ipv4('192.168.8.100')),
      gone(host, far, far, { packetsForward: 0 }),
    ])
    expect((await accounts()).policies[0]!.flows).toEqual([])
    await type('disable firewall policy=main accounting')
    take([gone(host, far)])
    expect((await accounts()).policies[0]!.flows).toEqual([])
  })

  it('that are too many are counted', async () => {
    const { take, accounts } = await setUp()
    take(Array.from({ length: 1500 }, () => gone(host, far)))
    const { policies, unrecorded } = await accounts()
    expect(policies[0]!.flows).toHaveLength(1000)
    expect(unrecorded).toBe(1500 - 1024)
  })
})
