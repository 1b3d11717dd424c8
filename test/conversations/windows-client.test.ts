/** The simulated Windows clients: that they say what Windows says, and that nothing lost on the way stops them. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PayloadType, Protocol } from '../../src/ike/constants.ts'
import { bodies, parseMessage } from '../../src/ike/message.ts'
import { type Proposal, parseSa } from '../../src/ike/proposal.ts'
import { cdn, icrp, sccrp } from '../../src/l2tp/compose.ts'
import { emitControl } from '../../src/l2tp/header.ts'
import type { Millis } from '../../src/machine.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Gateway, NAT, of, PRIVATE, phase2Policy, SERVER } from '../ike/gateway.ts'
import { xpFirst } from '../ike/samples.ts'
import { seededDice } from '../support/dice.ts'
import { IkeClient, type IkeClientEffect, type IkeClientInput } from '../support/ike-client.ts'
import type { InitiatorPair } from '../support/initiator.ts'
import { type VpnProfile, windows10, windowsXp } from '../support/profiles.ts'
import { VpnClient } from '../support/vpn-client.ts'
import type { VpnClientEffect } from '../support/vpn-contract.ts'

const HOME = ipv4('192.0.2.50')
const outsidePorts = { 500: 1027, 4500: 1028 } as const

/** A client and the gateway's IKE, in one time, with a path between them that loses what `lost` says. */
class Conversation {
  readonly client: IkeClient
  readonly gateway: Gateway
  now: Millis = 0
  readonly pairs: InitiatorPair[] = []
  failure: string | undefined
  /** Lengths and times of what the client sent. */
  readonly sent: { at: Millis; length: number; port: number }[] = []
  private readonly natted: boolean
  private readonly lost: (packet: number) => boolean
  private packets = 0

  constructor(
    profile: VpnProfile,
    o: { natted?: boolean; lost?: (packet: number) => boolean; presharedKey?: string } = {},
  ) {
    this.natted = o.natted ?? true
    this.lost = o.lost ?? (() => false)
    this.gateway = new Gateway()
    this.client = new IkeClient({
      profile,
      dice: seededDice('client'),
      presharedKey: o.presharedKey ?? 'the key',
      address: this.natted ? PRIVATE : HOME,
      server: SERVER,
      computerName: 'XPCLIENT',
      intervals: [1000, 2000, 4000, 8000],
    })
  }

  give(input: IkeClientInput | { kind: 'deadline' }): void {
    const effects: IkeClientEffect[] = []
    this.client.handle(input, this.now, effects)
    for (const effect of effects) {
      if (effect.kind === 'pairUp') this.pairs.push(effect.pair)
      if (effect.kind === 'failed') this.failure = effect.reason
      if (effect.kind === 'send') this.toGateway(effect)
    }
  }

  /** Lets time pass until nobody waits for anything, at most `seconds`. */
  pass(seconds: number): void {
    const end = this.now + seconds * 1000
    for (;;) {
      const times = [this.client.deadline, this.gateway.endpoint.deadline].filter(t => t !== undefined && t <= end)
      if (times.length === 0) break
      this.now = Math.max(this.now, Math.min(...(times as Millis[])))
      this.gateway.now = this.now
      if ((this.gateway.endpoint.deadline ?? Number.POSITIVE_INFINITY) <= this.now) {
        this.toClient(this.gateway.give({ kind: 'deadline' }))
      }
      if ((this.client.deadline ?? Number.POSITIVE_INFINITY) <= this.now) this.give({ kind: 'deadline' })
    }
    this.now = end
  }

  private toGateway({ port, bytes }: { port: 500 | 4500; bytes: Uint8Array }): void {
    this.sent.push({ at: this.now, length: bytes.length, port })
    if (this.lost(this.packets++)) return
    const remote = this.natted ? { address: NAT, port: outsidePorts[port] } : { address: HOME, port }
    this.gateway.now = this.now
    this.toClient(this.gateway.datagram(remote, port, bytes))
  }

  private toClient(effects: Parameters<typeof of>[0]): void {
    for (const { bytes } of of(effects, 'send')) {
      if (!this.lost(this.packets++)) this.give({ kind: 'message', bytes })
    }
  }
}

/** A client that has not started yet. */
function newClient(profile: VpnProfile, dice = seededDice('any')): VpnClient {
  const account = { presharedKey: 'the key', user: 'anna', password: 'secret' }
  return new VpnClient({ profile, dice, address: PRIVATE, server: SERVER, ...account })
}

/** The first message of a client whose cookie is that of the sample. */
function firstMessage(profile: VpnProfile): Uint8Array {
  const dice = seededDice('any')
  let first = true
  const client = newClient(profile, length => {
    const thrown = first ? fromHex('1122334455667788') : dice(length)
    first = false
    return thrown
  })
  const effects: VpnClientEffect[] = []
  client.handle({ kind: 'start' }, 0, effects)
  const [send] = effects
  if (send?.kind !== 'send') throw new Error('nothing was sent')
  return send.bytes
}

describe('a simulated Windows', () => {
  it('XP says in message 1 what XP says, byte for byte', () => {
    expect(toHex(firstMessage(windowsXp))).toBe(toHex(xpFirst))
  })

  it('10 sends 408 bytes: KEY_MODS, its version, both NAT traversals, discovery, first contact, CGA', () => {
    const message = firstMessage(windows10)
    expect(message).toHaveLength(408)
    expect(bodies(parseMessage(message).payloads, PayloadType.VendorId).map(toHex)).toEqual([
      '01528bbbc00696121849ab9a1c5b2a5100000001',
      '1e2b516905991c7d7c96fcbfb587e46100000009',
      '4a131c81070358455c5728f20e95452f',
      '90cb80913ebb696e086381b5ec427b1f',
      '4048b7d56ebce88525e7de7f00d6c2d3',
      'fb1de3cdf341b7ea16b7e5be0855f120',
      '26244d38eddb61b3172a36e3d0cfb819',
      'e3a5966a76379fe707228231e5ce8652',
    ])
  })

  it('XP offers twelve suites in Quick Mode, 1,140 bytes, eight of them bundles of AH and ESP', () => {
    const c = new Conversation(windowsXp, { natted: false })
    c.give({ kind: 'start' })
    expect(c.sent.map(s => s.length)).toContain(1140)
    const proposals: readonly Proposal[] = windowsXp.quickProposals(new Uint8Array(4), new Uint8Array(4), 2)
    expect(proposals.filter(p => p.protocol === Protocol.Ah).map(p => p.number)).toEqual([3, 4, 5, 6, 9, 10, 11, 12])
    expect(proposals.filter(p => p.protocol === Protocol.Esp)).toHaveLength(12)
    expect(parseSa(bodies(parseMessage(xpFirst).payloads, PayloadType.Sa)[0]!)).toHaveLength(1)
    expect(c.pairs).toHaveLength(1)
    expect(c.pairs[0]).toMatchObject({ suite: { cipher: '3des', integrity: 'sha1' }, udpEncapsulated: false })
  })

  it('10 offers five suites with two original addresses, 444 bytes, under message ID 1', () => {
    const c = new Conversation(windows10)
    c.give({ kind: 'start' })
    expect(c.sent.map(s => s.length)).toContain(444)
    expect(c.pairs[0]).toMatchObject({ messageId: 1, suite: phase2Policy.suites[0], udpEncapsulated: true })
    expect(c.sent.map(s => s.port)).toEqual([500, 500, 4500, 4500, 4500])
    c.give({ kind: 'quickMode' })
    expect(c.pairs[1]).toMatchObject({ messageId: 2 })
  })
})

describe('a client and a gateway over a bad path', () => {
  it('waits 1, 2, 4 and 8 seconds, and gives up', () => {
    const c = new Conversation(windowsXp, { lost: () => true })
    c.give({ kind: 'start' })
    c.pass(60)
    expect(c.sent.map(s => s.at)).toEqual([0, 1000, 3000, 7000])
    expect(c.failure).toBe('no answer to Main Mode 1')
  })

  it('gets no further than message 5 with another key', () => {
    const c = new Conversation(windowsXp, { presharedKey: 'another key' })
    c.give({ kind: 'start' })
    c.pass(60)
    expect(c.failure).toMatch(/Main Mode 5|refused/)
    expect(c.pairs).toEqual([])
    expect(c.gateway.endpoint.snapshot().sas).toEqual([])
  })

  it.each(Array.from({ length: 9 }, (_, i) => i))('connects though packet %i of the dialogue is lost', lost => {
    for (const profile of [windowsXp, windows10]) {
      const c = new Conversation(profile, { lost: packet => packet === lost })
      c.give({ kind: 'start' })
      c.pass(40)
      expect(c.failure).toBeUndefined()
      expect(c.pairs).toHaveLength(1)
      // The last message has no answer: until ESP comes, the gateway asks for it by saying its own again.
      expect(of(c.gateway.take(), 'installOutbound')).toHaveLength(1)
    }
  })

  it('connects or gives up, whatever is lost; both sides then know the same SAs', () => {
    const losses = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 })
    fc.assert(
      fc.property(losses, pattern => {
        const c = new Conversation(windowsXp, { lost: packet => pattern[packet] ?? false })
        c.give({ kind: 'start' })
        c.pass(200)
        expect(c.pairs.length + (c.failure === undefined ? 0 : 1)).toBe(1)
        const installed = of(c.gateway.take(), 'installInbound').map(e => e.sa.inboundSpi)
        for (const pair of c.pairs) expect(installed).toContain(pair.outboundSpi)
      }),
      { numRuns: 60 },
    )
  })

  it('is not impressed by noise', () => {
    const noise = fc.record({ port: fc.constantFrom(500, 4500, 0), bytes: fc.uint8Array({ maxLength: 200 }) })
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 20 }), datagrams => {
        const client = newClient(windowsXp)
        const effects: VpnClientEffect[] = []
        client.handle({ kind: 'start' }, 0, effects)
        for (const { port, bytes } of datagrams) {
          if (port === 0) client.handle({ kind: 'esp', bytes }, 1, effects)
          else client.handle({ kind: 'datagram', port: port as 500 | 4500, bytes }, 1, effects)
        }
        expect(effects.map(e => e.kind)).toEqual(['send'])
        expect(client.deadline).toBe(1000)
      }),
    )
  })

  it('starts no PPP in a call that a CDN ended, which had waited for the ICRP before it', () => {
    const client = newClient(windowsXp)
    const effects: VpnClientEffect[] = []
    const says = (ns: number, sessionId: number, body: Uint8Array) => {
      const bytes = emitControl({ tunnelId: 1, sessionId, ns, nr: 0, body })
      client['toLac']({ kind: 'message', bytes }, 0, effects)
    }
    client['toLac']({ kind: 'connect' }, 0, effects)
    client['toLac']({ kind: 'call' }, 0, effects)
    says(0, 0, sccrp({ hostName: 'lns', assignedTunnelId: 7, receiveWindow: 8 }))
    says(2, 1, cdn(9, { resultCode: 1 }))
    says(1, 1, icrp(9))
    expect(effects.map(e => e.kind)).toEqual(['down'])
    expect(client.phase).toBe('down')
  })
})
