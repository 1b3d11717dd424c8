import { describe, expect, it } from 'vitest'
import {
  DOI_IPSEC,
  Encapsulation,
  EspTransform,
  Exchange,
  IdType,
  Notify,
  PayloadType,
  Phase2Attribute,
  Protocol,
} from '../../src/ike/constants.ts'
import type { Payload } from '../../src/ike/message.ts'
import { emitDeletion, emitNotification, notification } from '../../src/ike/payload.ts'
import { basic, emitAttributes, emitSa, type Proposal, variable32 } from '../../src/ike/proposal.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Client, events, Gateway, of } from '../ike/gateway.ts'
import { fast, Insider } from './insider.ts'
import { FUZZ_TIMEOUT, forSeeds, join, mutate, Rng } from './random.ts'

function proposals(rng: Rng): Proposal[] {
  const attribute = () =>
    rng.chance(50)
      ? basic(rng.below(20), rng.below(0x10000))
      : { type: rng.below(20), value: undefined, bytes: rng.bytes(rng.below(12)) }
  return Array.from({ length: rng.below(6) }, () => ({
    number: rng.below(4),
    protocol: rng.pick([Protocol.Esp, Protocol.Ah, Protocol.IpComp, Protocol.Isakmp, rng.below(256)]),
    spi: rng.bytes(rng.pick([0, 2, 4, 4, 4, 16, 255])),
    transforms: Array.from({ length: rng.below(5) }, (_, i) => ({
      number: i,
      id: rng.pick([EspTransform.Aes, EspTransform.TripleDes, EspTransform.Null, rng.below(256)]),
      attributes: emitAttributes(
        rng.chance(60)
          ? [
              basic(Phase2Attribute.EncapsulationMode, rng.pick([Encapsulation.UdpTransport, rng.below(9)])),
              basic(Phase2Attribute.KeyLength, rng.pick([128, 256, 0, 0xffff])),
              basic(Phase2Attribute.Authentication, rng.pick([2, 1, 9])),
              basic(Phase2Attribute.LifeType, rng.pick([1, 2, 0])),
              variable32(Phase2Attribute.LifeDuration, rng.pick([0, 1, 3600, 0xffffffff])),
            ]
          : Array.from({ length: rng.below(6) }, attribute),
      ),
    })),
  }))
}

function payloads(rng: Rng): Payload[] {
  const sa = emitSa(proposals(rng))
  const make: (() => Payload)[] = [
    () => ({ type: PayloadType.Sa, body: rng.chance(30) ? mutate(rng, sa) : sa }),
    () => ({ type: PayloadType.Nonce, body: rng.bytes(rng.pick([0, 1, 7, 8, 20, 256, 257, 1000])) }),
    () => ({ type: PayloadType.KeyExchange, body: rng.bytes(rng.pick([0, 1, 64, 128, 256])) }),
    () => ({
      type: PayloadType.Identification,
      body: join(Uint8Array.of(rng.pick([IdType.Ipv4Address, IdType.Fqdn, rng.below(256)])), rng.bytes(rng.below(40))),
    }),
    () => ({
      type: PayloadType.Delete,
      body: mutate(
        rng,
        emitDeletion({ doi: DOI_IPSEC, protocol: rng.below(5), spiSize: 4, spis: [rng.bytes(4), rng.bytes(4)] }),
      ),
    }),
    () => ({
      type: PayloadType.Notification,
      body: mutate(
        rng,
        emitNotification(
          notification(
            rng.pick([Notify.InitialContact, Notify.DpdRUThere, Notify.WindowsStatus, rng.below(0x10000)]),
            rng.below(5),
            rng.bytes(rng.pick([0, 4, 16])),
            rng.bytes(rng.below(100)),
          ),
        ),
      ),
    }),
    () => ({ type: PayloadType.NatOa, body: rng.bytes(rng.below(12)) }),
    () => ({ type: rng.below(256) || 1, body: rng.bytes(rng.below(30)) }),
  ]
  // Most often the shape of a Quick Mode, so that more than the table of payloads is met.
  if (rng.chance(60)) {
    const shape = [make[0]!(), { type: PayloadType.Nonce, body: rng.bytes(20) }]
    for (let n = rng.below(4); n > 0; n--) shape.push(rng.pick(make)())
    return shape
  }
  return Array.from({ length: 1 + rng.below(6) }, () => rng.pick(make)())
}

describe('IKE and a client that has the key but keeps no rule', () => {
  it('answers whatever is well protected within bounds, and harms nobody else', { timeout: FUZZ_TIMEOUT }, () => {
    forSeeds(12, seed => {
      const rng = new Rng(seed)
      const gateway = new Gateway()
      const honest = new Client(gateway, { ...fast, seed: `honest ${seed}` })
      const pair = honest.connect()
      const evil = new Insider(gateway, { ...fast, seed: `evil ${seed}`, outside: ipv4('203.0.113.8') })
      evil.mainMode()
      for (let i = 0; i < 150; i++) {
        if (gateway.endpoint.snapshot().sas.length < 2) evil.mainMode()
        const exchange = rng.pick([Exchange.Quick, Exchange.Quick, Exchange.Informational, rng.below(256)])
        const effects = evil.throw(exchange, rng.below(0x7fffffff), payloads(rng))
        expect(effects.length).toBeLessThan(80)
        if (rng.chance(5)) gateway.pass(rng.below(20))
        for (const e of effects) if ('peer' in e) expect(e.peer).not.toBe(1)
      }
      const { children, exchanges } = gateway.endpoint.snapshot()
      expect(children.filter(c => c.peer === 1).map(c => c.inboundSpi)).toEqual([pair.outboundSpi])
      expect(children.length).toBeLessThanOrEqual(33)
      expect(exchanges.length).toBeLessThanOrEqual(17)
      expect(honest.must(honest.ike.areYouThere(1))).toBeDefined()
    })
  })

  it('makes few effects and few lines of a message full of DELETEs or notifies', () => {
    const gateway = new Gateway()
    const evil = new Insider(gateway, fast)
    evil.connect()
    const spis = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(1, 2, i >>> 8, i))
    const deletion = emitDeletion({ doi: DOI_IPSEC, protocol: Protocol.Esp, spiSize: 4, spis })
    const deletes = evil.throw(Exchange.Informational, 77, [{ type: PayloadType.Delete, body: deletion }])
    expect(deletes.length).toBeLessThan(60)
    expect(gateway.count('delete-unknown')).toBe(3000)

    let lines = 0
    for (let i = 0; i < 500; i++) {
      const body = emitNotification(notification(9000 + i, Protocol.Isakmp, new Uint8Array(0)))
      const same = Array.from({ length: 16 }, () => ({ type: PayloadType.Notification, body }))
      lines += events(evil.throw(Exchange.Informational, 1000 + i, same), 'notified').length
    }
    expect(lines).toBeLessThan(200)
    expect(gateway.endpoint.snapshot().children).toHaveLength(1)
  })

  it('answers one of many questions whether it lives', () => {
    const gateway = new Gateway()
    const evil = new Insider(gateway, fast)
    evil.mainMode()
    const spi = join(evil.ike.cookie, evil.ike.responderCookie)
    const body = emitNotification(notification(Notify.DpdRUThere, Protocol.Isakmp, spi, Uint8Array.of(0, 0, 0, 1)))
    const many = Array.from({ length: 16 }, () => ({ type: PayloadType.Notification, body }))
    expect(of(evil.throw(Exchange.Informational, 5, many), 'send')).toHaveLength(1)
    expect(gateway.count('dpd-surplus')).toBe(15)
  })

  it('tells of a first message with a thousand offers in a line that a person can read', () => {
    const gateway = new Gateway()
    const transforms = Array.from({ length: 255 }, (_, i) => ({
      number: i,
      id: 1,
      attributes: emitAttributes([basic(1, 60000 - i), basic(2, 7), basic(3, 1), basic(4, 9)]),
    }))
    const many = Array.from({ length: 2 }, (_, number) => ({
      number,
      protocol: Protocol.Isakmp,
      spi: new Uint8Array(0),
      transforms,
    }))
    const inner = new Client(gateway, fast).ike.message1()
    const sa = emitSa(many)
    const body = join(Uint8Array.of(0, 0, (sa.length + 4) >>> 8, sa.length + 4), sa)
    const bytes = join(inner.slice(0, 28), body)
    bytes[16] = PayloadType.Sa
    new DataView(bytes.buffer).setUint32(24, bytes.length)
    const effects = gateway.datagram({ address: ipv4('203.0.113.8'), port: 500 }, 500, bytes)
    const [failed] = events(effects, 'failed')
    expect(failed?.cause).toBe('no-proposal-phase1')
    expect(failed?.detail.length).toBeLessThan(2000)
    expect(failed?.detail).toContain('more')
  })

  it('an insider who spoofs a neighbour’s place neither ends nor becomes that neighbour', () => {
    for (const sameName of [false, true]) {
      const gateway = new Gateway()
      const victim = new Client(gateway, { ...fast, seed: 'victim', computerName: 'VICTIM' })
      victim.connect()
      const name = sameName ? 'VICTIM' : 'EVIL'
      const evil = new Insider(gateway, { ...fast, seed: 'evil', outside: ipv4('203.0.113.8'), computerName: name })
      evil.connect()
      gateway.datagram(victim.remote, 4500, evil.ike.areYouThere(5))
      gateway.take()
      // The victim's own Main Mode, when its ISAKMP SA runs out, finds the victim's peer.
      const renewed = new Client(gateway, { ...fast, seed: 'renewed', computerName: 'VICTIM' })
      renewed.mainMode()
      const effects = gateway.take()
      expect(of(effects, 'peerUp')).toEqual([])
      expect(of(effects, 'peerDown')).toEqual([])
      expect(events(effects, 'phase1Completed').map(e => e.peer)).toEqual([1])
    }
  })

  it('a recorded Quick Mode cannot be played again, however many other messages came since', () => {
    const gateway = new Gateway()
    const client = new Insider(gateway, fast)
    client.mainMode()
    const quick1 = client.ike.quick1().bytes
    client.send(client.ike.quick3(client.must(quick1)).bytes)
    for (let i = 0; i < 1500; i++) client.send(client.ike.areYouThere(i))
    gateway.pass(100)
    gateway.take()
    client.send(quick1)
    expect(of(gateway.take(), 'installInbound')).toEqual([])
  })
})
