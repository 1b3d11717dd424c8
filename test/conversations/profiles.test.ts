/** Every generation of client against the whole gateway, in every topology that it can work in by its nature. */

import { afterAll, describe, expect, it } from 'vitest'
import { PayloadType } from '../../src/ike/constants.ts'
import { bodies, parseMessage } from '../../src/ike/message.ts'
import { parseSa } from '../../src/ike/proposal.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { type Guest, LAN_HOST, OFFICE, ping, SERVER, World, type WorldOptions } from '../gateway/world.ts'
import { windows7First, windows10First, windows2000First, xpFirst } from '../ike/samples.ts'
import { seededDice } from '../support/dice.ts'
import { Initiator } from '../support/initiator.ts'
import { type ProfileName, profiles, type VpnProfile } from '../support/profiles.ts'

const names = Object.keys(profiles) as ProfileName[]

/** Where a guest is: its own address, and what a NAT makes of it. */
interface Place {
  readonly address: Ipv4
  readonly outer?: Ipv4
  readonly ports?: { readonly 500: number; readonly 4500: number }
}

interface Topology {
  readonly world: WorldOptions
  /** A NAT at either end passes UDP alone. */
  readonly nat: boolean
  readonly places: readonly Place[]
}

const home = ipv4('192.0.2.50')
const inside = ipv4('10.0.0.4')
const NAT = ipv4('198.51.100.7')
const behind = { address: ipv4('192.168.1.10'), outer: NAT, ports: { 500: 1027, 4500: 1028 } }
const hidden = { local: inside, publicAddress: SERVER }

const topologies = {
  'no NAT': { world: {}, nat: false, places: [{ address: home }] },
  'client NATed': { world: {}, nat: true, places: [behind] },
  'server NATed': { world: hidden, nat: true, places: [{ address: home }] },
  'server NATed, unstated': { world: { local: inside }, nat: true, places: [{ address: home }] },
  'both NATed': { world: hidden, nat: true, places: [behind] },
  'three behind one NAT': {
    world: {},
    nat: true,
    places: [1, 2, 3].map(n => ({
      address: ipv4(`192.168.1.1${n}`),
      outer: NAT,
      ports: { 500: 2000 + n, 4500: 3000 + n },
    })),
  },
  'one inner address, three NATs': {
    world: {},
    nat: true,
    places: [1, 2, 3].map(n => ({ ...behind, outer: ipv4(`198.51.100.${n}`) })),
  },
  'UDP alone': { world: { forceEncapsulation: true }, nat: true, places: [{ address: home }] },
} as const satisfies Readonly<Record<string, Topology>>
type TopologyName = keyof typeof topologies

const accounts = [
  { user: 'anna', password: 'apples' },
  { user: 'ben', password: 'bananas' },
  { user: 'carl', password: 'cherries' },
] as const

function arrive(profile: VpnProfile, topology: Topology, script = OFFICE): { world: World; guests: Guest[] } {
  const world = new World({ ...topology.world, script })
  const guests = topology.places.map((place, i) => {
    const guest = world.guest({ profile, ...accounts[i]!, ...place })
    if (topology.nat) guest.pass = (_, port) => port !== 0
    return guest
  })
  for (const guest of guests) world.connect(guest, 70_000)
  return { world, guests }
}

const matrix = new Map<ProfileName, Map<TopologyName, string>>()

function note(name: ProfileName, topology: TopologyName, world: World): void {
  const row = matrix.get(name) ?? new Map<TopologyName, string>()
  const sas = world.control.ike.snapshot().sas
  const sa = sas[0]
  const connected = world.attempts.filter(a => a.outcome === 'connected').length
  row.set(topology, connected > 0 && sa ? `${sa.natFlavour ?? 'plain'}` : 'no')
  matrix.set(name, row)
}

afterAll(() => {
  const columns = Object.keys(topologies) as TopologyName[]
  const lines = [...matrix].map(([name, row]) =>
    [name.padEnd(15), ...columns.map(c => (row.get(c) ?? '-').padEnd(c.length))].join('  '),
  )
  console.log([['profile'.padEnd(15), ...columns].join('  '), ...lines].join('\n'))
})

describe.each(names)('%s', name => {
  const profile: VpnProfile = profiles[name]

  it.each(Object.keys(topologies) as TopologyName[])('%s', which => {
    const topology: Topology = topologies[which]
    const { world, guests } = arrive(profile, topology)
    if (topology.nat && !profile.natTraversal) {
      world.advance(120_000)
      note(name, which, world)
      expect(guests[0]!.client.phase).not.toBe('up')
      const attempt = world.attempts.find(a => a.outcome === 'failed')!
      expect(attempt.client).toMatch(/, without NAT traversal$/)
      expect(attempt.remedy).toMatch(/IP protocol 50: install update 818043|does not know NAT traversal/)
      return
    }
    if (profile.refusesServerBehindNat && which === 'server NATed, unstated') {
      world.advance(120_000)
      note(name, which, world)
      expect(guests[0]!.down).toMatchObject({ failed: 'L2TP' })
      const [attempt] = world.attempts
      expect(attempt).toMatchObject({ outcome: 'failed' })
      expect(attempt!.text).toMatch(/^L2TP began, but the client never went on/)
      expect(attempt!.remedy).toMatch(/publicAddress.*AssumeUDPEncapsulationContextOnSendRule/)
      return
    }
    expect(guests.map(g => [g.client.phase, g.down])).toEqual(guests.map(() => ['up', undefined]))
    note(name, which, world)
    expect(new Set(guests.map(g => g.client.address)).size).toBe(guests.length)
    expect(guests.map(g => g.client.esp.dropped)).toEqual(guests.map(() => 0))
    for (const guest of guests) {
      world.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
      world.fromLan(ping(LAN_HOST, guest.client.address, true))
    }
    world.advance(10)
    expect(world.toLan).toHaveLength(guests.length)
    expect(guests.map(g => g.received.length)).toEqual(guests.map(() => 1))

    // An hour later everybody has new SAs and is still there.
    for (const guest of guests) world.act(guest, { kind: 'rekey' })
    world.advance(30_000)
    expect(guests.map(g => g.client.phase)).toEqual(guests.map(() => 'up'))

    for (const guest of guests) world.act(guest, { kind: 'disconnect' })
    world.advance(5_000)
    expect(guests.map(g => g.down)).toMatchObject(guests.map(() => ({ failed: undefined })))
    expect(world.routes.size).toBe(0)
    expect(world.control.ike.snapshot().sas).toEqual([])
  })
})

/** Message 1 with the cookie of the samples. */
function firstMessage(profile: VpnProfile): Uint8Array {
  return new Initiator({
    ...profile.ike,
    dice: length => Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88).subarray(0, length),
    presharedKey: '',
    address: home,
    server: SERVER,
    quickOffers: [],
  }).message1()
}

describe('message 1, byte for byte:', () => {
  const withWord = (sample: Uint8Array, from: string, to: string) =>
    toHex(sample).replace(`1e2b516905991c7d7c96fcbfb587e461${from}`, `1e2b516905991c7d7c96fcbfb587e461${to}`)

  it.each([
    ['win2000', toHex(windows2000First)],
    ['xpsp1', withWord(windows2000First, '00000002', '00000003')],
    ['win2000-818043', withWord(xpFirst, '00000004', '00000002')],
    ['xpsp1-818043', withWord(xpFirst, '00000004', '00000003')],
    ['xp', toHex(xpFirst)],
    ['win2003', toHex(xpFirst)],
    ['win7', toHex(windows7First)],
    ['win8', toHex(windows10First)],
    ['win10', toHex(windows10First)],
  ] as const)('%s', (name, expected) => {
    expect(toHex(firstMessage(profiles[name]))).toBe(expected)
  })

  it('has the sizes that logs show', () => {
    const sizes = Object.fromEntries(names.map(n => [n, firstMessage(profiles[n]).length]))
    expect(sizes).toMatchObject({ win2000: 216, xp: 312, win7: 384, win10: 408 })
  })

  it('has fourteen transforms from Apple, and nothing but group 2 from Android', () => {
    const transforms = (name: ProfileName) => {
      const sa = bodies(parseMessage(firstMessage(profiles[name])).payloads, PayloadType.Sa)[0]!
      return parseSa(sa)[0]!.transforms.length
    }
    expect(transforms('ios')).toBe(14)
    expect(transforms('android')).toBe(6)
    expect(profiles.android.ike.offers.every(o => o.group === 2)).toBe(true)
  })
})

describe('a habit', () => {
  it('Android leaves HELLOs unanswered, and stays connected while it has something to say', () => {
    const { world, guests } = arrive(profiles.android, topologies['client NATed'])
    for (let minute = 0; minute < 10; minute++) {
      for (let i = 0; i < 4; i++) {
        world.act(guests[0]!, { kind: 'ipPacket', bytes: ping(guests[0]!.client.address, LAN_HOST) })
        world.advance(15_000)
      }
    }
    expect(guests[0]!.client.phase).toBe('up')
    expect(world.toLan.length).toBe(40)
  })

  it('old Androids cut SHA-256 to 96 bits, and are understood where the bundle has it', () => {
    const script = OFFICE.replace('encalg=aes256 hashalg=sha mode', 'encalg=aes256 hashalg=sha256 mode')
    for (const [name, told] of [
      ['android-sha256', 1],
      ['android', 0],
    ] as const) {
      const { world, guests } = arrive(profiles[name], topologies['client NATed'], script)
      const [guest] = guests
      expect(guest!.client.phase).toBe('up')
      world.act(guest!, { kind: 'ipPacket', bytes: ping(guest!.client.address, LAN_HOST) })
      world.fromLan(ping(LAN_HOST, guest!.client.address, true))
      world.advance(10)
      expect([world.toLan.length, guest!.received.length]).toEqual([1, 1])
      expect(world.log.filter(line => line.includes('cuts SHA-256 to 96 bits'))).toHaveLength(told)
      world.act(guest!, { kind: 'rekey' })
      world.advance(1000)
      expect([guest!.client.phase, guest!.client.esp.dropped]).toEqual(['up', 0])
    }
  })

  it('message IDs are counted by Vista and later, and thrown by all others', () => {
    const counting = names.filter(n => profiles[n].ike.messageIds === 'sequential')
    expect(counting).toEqual(['vista', 'win7', 'win8', 'win10'])
  })

  it('Windows 2000 and XP name themselves where they see a NAT, whichever side it is on', () => {
    const dice = seededDice('habit')
    expect(dice(4)).toHaveLength(4)
    for (const which of ['client NATed', 'server NATed'] as const) {
      const { world } = arrive(profiles.xp, topologies[which])
      expect(world.control.ike.snapshot().sas[0]!.identity).toBe('XPCLIENT')
    }
    const { world } = arrive(profiles.win10, topologies['client NATed'])
    expect(world.control.ike.snapshot().sas[0]!.identity).toBe('192.168.1.10')
  })
})
