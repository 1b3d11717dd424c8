import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Exchange, IdType, Notify, PayloadType } from '../../src/ike/constants.ts'
import { checkPublicValue, generateKeyPair, sharedSecret } from '../../src/ike/dh.ts'
import { IkeError } from '../../src/ike/error.ts'
import { body, emitMessage, parseHeader, parseMessage } from '../../src/ike/message.ts'
import { parseNotification } from '../../src/ike/payload.ts'
import { retransmissionGapSeconds } from '../../src/ike/retransmit.ts'
import { Timers } from '../../src/ike/timers.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { seededDice } from '../support/dice.ts'
import { windows10 } from '../support/windows.ts'
import { Client, events, Gateway, kinds, NAT, of, policy } from './gateway.ts'
import { authIp, windows7First, xpFirst } from './samples.ts'

const FROM = { address: NAT, port: 500 }

describe('silence', () => {
  it('is the answer to AuthIP, IKEv2, Aggressive Mode and clear Informationals, and each is counted', () => {
    const gateway = new Gateway()
    const ikev2 = xpFirst.slice()
    ikev2[17] = 0x20
    const aggressive = xpFirst.slice()
    aggressive[18] = Exchange.Aggressive
    const informational = xpFirst.slice()
    informational[18] = Exchange.Informational
    for (const bytes of [authIp, ikev2, aggressive, informational])
      expect(gateway.datagram(FROM, 500, bytes)).toEqual([])
    for (const name of ['authip', 'ikev2', 'aggressive-mode', 'unprotected-informational'])
      expect(gateway.count(name)).toBe(1)
  })

  it('after message 2 is no-reply: nothing is sent on a timer before', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.send(client.ike.message1())
    gateway.take()
    const effects = gateway.pass(31)
    expect(of(effects, 'send')).toEqual([])
    expect(events(effects, 'failed')[0]).toMatchObject({ cause: 'no-reply', phase: 1 })
    expect(gateway.endpoint.snapshot().exchanges).toEqual([])
  })

  it('after message 4 is no-float, and the remedy names the port', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.must(client.ike.message3(client.must(client.ike.message1())))
    gateway.take()
    const [failed] = events(gateway.pass(31), 'failed')
    expect(failed).toMatchObject({ cause: 'no-float' })
    expect(failed!.remedy).toContain('UDP port 4500')
  })

  it('after Quick Mode message 2 is retransmission, with the documented gaps, then removal', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const two = client.must(client.ike.quick1().bytes)
    gateway.take()
    const sent: number[] = []
    for (let second = 1; second <= 300; second++)
      for (const e of of(gateway.pass(1), 'send')) {
        expect(e.bytes).toEqual(two)
        sent.push(second)
      }
    expect(sent).toEqual([4, 12, 28, 52, 84, 124, 172, 228])
    const effects = gateway.take()
    expect(events(effects, 'failed')[0]).toMatchObject({ cause: 'timeout', phase: 2 })
    expect(of(effects, 'removeSa')).toHaveLength(1)
  })

  it('has constant gaps where the policy has no backoff', () => {
    const p = { messageTimeoutSeconds: 5, messageBackoff: 'none' } as const
    expect([1, 2, 3].map(n => retransmissionGapSeconds(p, n))).toEqual([5, 5, 5])
  })
})

describe('repetitions', () => {
  it('of Main Mode get no answer at another address: it may be longer than what asked for it', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const three = client.ike.message3(client.must(client.ike.message1()))
    client.must(three)
    expect(client.send(three, { ...client.remote, address: client.remote.address + 1 })).toBeUndefined()
    expect(gateway.count('repeated-elsewhere')).toBe(1)
  })

  it('get the identical reply, whatever the message', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const twice = (bytes: Uint8Array) => {
      const reply = client.must(bytes)
      expect(client.must(bytes)).toEqual(reply)
      return reply
    }
    const four = twice(client.ike.message3(twice(client.ike.message1())))
    client.ike.finish(twice(client.ike.message5(four)))
    const two = twice(client.ike.quick1().bytes)
    client.send(client.ike.quick3(two).bytes)
    expect(gateway.count('repeated-request')).toBe(4)
    expect(of(gateway.effects, 'installInbound')).toHaveLength(1)
    expect(of(gateway.effects, 'peerUp')).toHaveLength(1)
  })

  it('of a Quick Mode long past are not played again', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const one = client.ike.quick1().bytes
    client.send(client.ike.quick3(client.must(one)).bytes)
    gateway.pass(120)
    gateway.take()
    expect(client.send(one)).toBeUndefined()
    expect(kinds(gateway.take())).toEqual([])
    expect(gateway.count('repeated-message-id')).toBe(1)
  })
})

describe('a wrong pre-shared key', () => {
  it('is named once, with one notify, and forgotten', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { presharedKey: 'another key' })
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    gateway.take()
    const notify = parseMessage(client.must(five))
    expect(notify.header.exchange).toBe(Exchange.Informational)
    expect(parseNotification(body(notify.payloads, PayloadType.Notification)!).type).toBe(Notify.PayloadMalformed)
    const [failed] = events(gateway.take(), 'failed')
    expect(failed).toMatchObject({ cause: 'wrong-key', phase: 1 })
    expect(failed!.remedy).toContain('ENCO key 1')
    for (let i = 0; i < 5; i++) expect(client.send(five)).toBeUndefined()
    expect(events(gateway.pass(200), 'failed')).toEqual([])
    expect(gateway.endpoint.snapshot().exchanges).toEqual([])
    expect(gateway.endpoint.deadline).toBeUndefined()
  })

  it('forged onto a path does not stop the true message', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    const forged = five.slice()
    forged[40] = forged[40]! ^ 1
    client.send(forged)
    gateway.take()
    client.ike.finish(client.must(five))
    expect(of(gateway.take(), 'peerUp')).toHaveLength(1)
  })

  it('tried over and over ends the exchange', () => {
    const gateway = new Gateway({ sendNotify: false })
    const client = new Client(gateway)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    for (let i = 0; i < 5; i++) {
      const forged = five.slice()
      forged[40 + i] = forged[40 + i]! ^ 1
      expect(client.send(forged)).toBeUndefined()
    }
    expect(client.send(five)).toBeUndefined()
    expect(gateway.count('unknown-cookie')).toBe(1)
  })
})

describe('a fifth message', () => {
  it('whose hash is right and whose identity is none is told as that, and not as a wrong key', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const short = { type: IdType.Ipv4Address, protocol: 0, port: 0, data: Uint8Array.of(192, 168, 1) }
    Object.assign(client.ike, { identification: () => short })
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    gateway.take()
    const notify = parseMessage(client.must(five))
    expect(parseNotification(body(notify.payloads, PayloadType.Notification)!).type).toBe(Notify.PayloadMalformed)
    const [failed] = events(gateway.take(), 'failed')
    expect(failed).toMatchObject({ cause: 'bad-message', phase: 1 })
    expect(failed!.detail).toBe(
      'the fifth message of 203.0.113.7:1028 is not acceptable: IPv4 identity is not four bytes long',
    )
    expect(failed!.remedy).not.toContain('key')
  })
})

describe('a first message of Quick Mode', () => {
  /** One that is the client's own, of these of its payloads. */
  const quick = (client: Client, ...types: number[]) => {
    const { bytes, messageId } = client.ike.quick1()
    const payloads = client.ike.openInformational(bytes)
    return client.ike.protectExchange(
      Exchange.Quick,
      messageId,
      payloads.filter(p => types.includes(p.type)),
    ).bytes
  }

  it('that lacks a payload is refused once, by a protected notify, and told', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const bytes = quick(client, PayloadType.Sa, PayloadType.Identification)
    gateway.take()
    const answer = client.must(bytes)
    expect(parseHeader(answer).exchange).toBe(Exchange.Informational)
    expect(client.ike.openInformational(answer).map(p => parseNotification(p.body).type)).toEqual([
      Notify.InvalidPayloadType,
    ])
    const [failed] = events(gateway.take(), 'failed')
    expect(failed).toMatchObject({ cause: 'bad-message', phase: 2 })
    expect(failed!.detail).toContain(`no payload ${PayloadType.Nonce} in quick1`)
    for (let i = 0; i < 3; i++) expect(client.send(bytes)).toBeUndefined()
    expect(gateway.count('repeated-message-id')).toBe(3)
    client.quickMode()
    expect(of(gateway.take(), 'installInbound')).toHaveLength(1)
  })

  it('that does not prove whose it is gets no answer; why it was not taken is told once', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const { bytes } = client.ike.quick1()
    // Behind HASH, whose block its IV makes what it is: all stays readable but HASH.
    const forged = bytes.slice()
    forged[36] = forged[36]! ^ 1
    gateway.take()
    for (let i = 0; i < 3; i++) expect(client.send(forged)).toBeUndefined()
    const effects = gateway.take()
    expect(of(effects, 'send')).toEqual([])
    expect(events(effects, 'suspected').map(e => e.detail)).toEqual([
      'the Quick Mode of 203.0.113.7:1028 is not acceptable: its HASH is wrong',
    ])
    expect(gateway.count('bad-hash')).toBe(3)
    // Nothing is lost by it.
    client.send(client.ike.quick3(client.must(bytes)).bytes)
    expect(of(gateway.take(), 'installInbound')).toHaveLength(1)
  })

  it('from another address than the client’s says nothing of the client', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const forged = client.ike.quick1().bytes
    forged[36] = forged[36]! ^ 1
    gateway.take()
    client.send(forged, { address: ipv4('192.0.2.66'), port: 4500 })
    expect(events(gateway.take(), 'suspected')).toEqual([])
  })
})

describe('failures of the policy', () => {
  it('name a missing key', () => {
    const gateway = new Gateway({ presharedKey: undefined, keyId: 7 })
    const [failed] = events(gateway.datagram(FROM, 500, xpFirst), 'failed')
    expect(failed).toMatchObject({ cause: 'no-key' })
    expect(failed!.remedy).toContain('ENCO key 7')
  })

  it('name what was offered, what is allowed and the nearest change, once', () => {
    const gateway = new Gateway({ ciphers: ['aes256'], hashes: ['sha1'], groups: [5] })
    const effects = gateway.datagram(FROM, 500, windows7First)
    const [failed] = events(effects, 'failed')
    expect(failed!.cause).toBe('no-proposal-phase1')
    expect(failed!.detail).toContain('AES256-SHA1-G20, AES128-SHA1-G19, AES256-SHA1-G14, 3DES-SHA1-G14, 3DES-SHA1-G2')
    expect(failed!.detail).toContain('allows ciphers AES256, hashes SHA1, groups 5')
    expect(failed!.remedy).toBe('allow group 20 (for the offer AES256-SHA1-G20)')
    expect(of(effects, 'send')).toHaveLength(1)
    expect(gateway.datagram(FROM, 500, windows7First)).toEqual([])
  })

  it('prefer the policy of the very address', () => {
    const gateway = new Gateway()
    const mine = { ...policy, name: 'mine', peer: NAT, presharedKey: Secret.fromText('own') }
    gateway.endpoint.configure({
      policies: [policy, mine],
      publicAddress: undefined,
      forceEncapsulation: false,
      maxHalfOpen: 9,
      maxPeers: 9,
    })
    new Client(gateway, { presharedKey: 'own' }).connect()
    expect(of(gateway.take(), 'peerUp')[0]!.policy).toBe('mine')
  })

  it('refuse another identity than the one wanted', () => {
    const gateway = new Gateway({ remoteIdentity: 'laptop' })
    expect(() => new Client(gateway).mainMode()).toThrow()
    expect(events(gateway.take(), 'failed')[0]).toMatchObject({ cause: 'bad-identity' })
    expect(new Client(gateway, { seed: 'x', computerName: 'LAPTOP' }).connect().suite.cipher).toBe('3des')
  })

  it('answer nobody where there is no policy', () => {
    const gateway = new Gateway({ peer: ipv4('192.0.2.1') })
    const effects = gateway.datagram(FROM, 500, xpFirst)
    expect(of(effects, 'send')).toEqual([])
    expect(events(effects, 'failed')[0]!.detail).toBe('no ISAKMP policy answers 203.0.113.7')
  })
})

describe('a flood', () => {
  it('of first messages fills no more than the half-open limit, and leaves no timers', () => {
    const gateway = new Gateway({}, { maxHalfOpen: 20 })
    for (let i = 0; i < 5000; i++) {
      const bytes = xpFirst.slice()
      new DataView(bytes.buffer).setUint32(0, i + 1)
      gateway.datagram({ address: 0x0a000000 + i, port: 500 }, 500, bytes)
    }
    expect(gateway.endpoint.snapshot().exchanges).toHaveLength(20)
    expect(gateway.count('half-open-evicted')).toBe(4980)
    expect(gateway.count('events-suppressed')).toBeGreaterThan(3900)
    expect(gateway.take().filter(e => e.kind === 'event').length).toBeLessThanOrEqual(1000)
    gateway.pass(100)
    expect(gateway.endpoint.deadline).toBeUndefined()
  })

  it('of Quick Modes by an authenticated peer is limited', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...windows10 }).mainMode()
    for (let i = 0; i < 40; i++) client.send(client.ike.quick1().bytes)
    expect(gateway.endpoint.snapshot().children).toHaveLength(16)
    expect(events(gateway.take(), 'failed').every(f => f.cause === 'limit')).toBe(true)
  })
})

describe('hostile bytes', () => {
  it('never throw, in whatever state the exchange is', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const mutate = fc.record({ at: fc.nat(400), value: fc.nat(255), cut: fc.nat(400) })
    const attack = (bytes: Uint8Array, runs: number) =>
      fc.assert(
        fc.property(mutate, ({ at, value, cut }) => {
          const damaged = bytes.slice(0, cut > bytes.length ? bytes.length : Math.max(cut, 1))
          damaged[at % damaged.length] = value
          if (damaged.length >= 28) new DataView(damaged.buffer).setUint32(24, damaged.length)
          for (const e of of(gateway.datagram(client.remote, 500, damaged), 'send'))
            expect(e.bytes.length).toBeLessThan(bytes.length + 200)
        }),
        { numRuns: runs },
      )
    // Nothing authenticates the first and third messages, so a damaged one may be taken for true: this client is another.
    const victim = new Client(gateway, { seed: 'victim', ...windows10 })
    attack(victim.ike.message3(victim.must(victim.ike.message1())), 200)
    attack(xpFirst, 300)
    const four = client.must(client.ike.message3(client.must(client.ike.message1())))
    const five = client.ike.message5(four)
    attack(five.slice(0, 28), 50)
    client.ike.finish(client.must(five))
    attack(client.ike.quick1().bytes, 200)
    attack(client.ike.deleteEsp(1), 200)
    expect(client.quickMode().suite.cipher).toBe('3des')
  })

  it('cut from a fifth message say nothing of its key, and do not end the exchange', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    gateway.take()
    let cuts = 0
    for (let length = 28; length < five.length; length++) {
      if ((length - 28) % 8 === 0 && length > 28) continue
      const cut = five.slice(0, length)
      new DataView(cut.buffer).setUint32(24, length)
      gateway.datagram(client.remote, 4500, cut)
      cuts++
    }
    expect(gateway.count('bad-ciphertext')).toBe(cuts)
    expect(events(gateway.take(), 'failed')).toEqual([])
    client.ike.finish(client.must(five))
  })

  it('at random are all counted', () => {
    const gateway = new Gateway()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
        const before = gateway.count('received')
        gateway.datagram(FROM, 4500, bytes)
        expect(gateway.count('received')).toBe(before + 1)
      }),
    )
    expect(of(gateway.effects, 'send')).toEqual([])
  })

  it('too long are not read', () => {
    const gateway = new Gateway()
    gateway.datagram(FROM, 500, new Uint8Array(20000))
    expect(gateway.count('too-long')).toBe(1)
  })

  it('under unknown cookies, or too early, are dropped by name', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const two = client.must(client.ike.message1())
    const { header } = parseMessage(two)
    const quick = emitMessage({
      header: { ...header, exchange: Exchange.Quick, flags: 1, messageId: 5 },
      payloads: [{ type: PayloadType.Hash, body: new Uint8Array(20) }],
    })
    gateway.datagram(FROM, 500, quick)
    expect(gateway.count('too-early')).toBe(1)
    const wrong = quick.slice()
    wrong[9] = wrong[9]! ^ 1
    gateway.datagram(FROM, 500, wrong)
    expect(gateway.count('unknown-cookie')).toBe(1)
    expect(parseHeader(quick).messageId).toBe(5)
  })

  it('cannot slip a clear fifth message in', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.must(client.ike.message3(client.must(client.ike.message1())))
    const clear = emitMessage({
      header: {
        initiatorCookie: client.ike.cookie,
        responderCookie: client.ike.responderCookie,
        exchange: Exchange.Main,
        flags: 0,
        messageId: 0,
      },
      payloads: [
        { type: PayloadType.Identification, body: Uint8Array.of(2, 0, 0, 0, 65) },
        { type: PayloadType.Hash, body: new Uint8Array(20) },
      ],
    })
    gateway.take()
    expect(client.send(clear)).toBeUndefined()
    expect(gateway.count('cleartext')).toBe(1)
    expect(of(gateway.take(), 'peerUp')).toEqual([])
  })
})

describe('public values', () => {
  it.each([1, 2, 5, 14] as const)('0, 1, p-1, p and wrong lengths are refused in group %i', group => {
    const pair = generateKeyPair(group, seededDice('a'))
    const length = pair.publicValue.length
    const zero = new Uint8Array(length)
    const one = new Uint8Array(length)
    one[length - 1] = 1
    const beyond = new Uint8Array(length).fill(255)
    for (const bad of [zero, one, beyond, pair.publicValue.slice(1), new Uint8Array(0)])
      expect(() => sharedSecret(pair, bad)).toThrow(IkeError)
    expect(() => checkPublicValue(group, pair.publicValue)).not.toThrow()
  })

  it.each([19, 20] as const)('points off the curve are refused in group %i', group => {
    const pair = generateKeyPair(group, seededDice('a'))
    const off = pair.publicValue.slice()
    off[5] = off[5]! ^ 1
    expect(() => sharedSecret(pair, off)).toThrow(IkeError)
    expect(() => sharedSecret(pair, new Uint8Array(off.length))).toThrow(IkeError)
  })

  it('give both sides one secret at full length', () => {
    for (const group of [1, 2, 5, 14, 19, 20] as const) {
      const a = generateKeyPair(group, seededDice('a'))
      const b = generateKeyPair(group, seededDice('b'))
      const secret = sharedSecret(a, b.publicValue)
      expect(secret).toEqual(sharedSecret(b, a.publicValue))
      expect(secret.length).toBe(group > 14 ? a.publicValue.length / 2 : a.publicValue.length)
    }
  })
})

describe('timers', () => {
  it('run in order and can be taken back', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ at: fc.nat(1000), keep: fc.boolean() }), { maxLength: 60 }), list => {
        const timers = new Timers()
        const ran: number[] = []
        const set = list.map(({ at }) => timers.set(at, () => ran.push(at)))
        list.forEach(({ keep }, i) => {
          if (!keep) timers.cancel(set[i])
        })
        timers.runDue(1000)
        const expected = list.filter(l => l.keep).map(l => l.at)
        expect(ran).toEqual(expected.sort((a, b) => a - b))
        expect(timers.size).toBe(0)
        expect(timers.next).toBeUndefined()
      }),
    )
  })
})
