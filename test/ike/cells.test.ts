/** Quick Mode and Informational messages in every state of an exchange, and DELETE in each of its forms. */

import { describe, expect, it } from 'vitest'
import { DOI_IPSEC, Exchange, Flag, PayloadType, Protocol } from '../../src/ike/constants.ts'
import { messageIdBytes } from '../../src/ike/keymat.ts'
import { emitHeader, parseHeader } from '../../src/ike/message.ts'
import { emitDeletion } from '../../src/ike/payload.ts'
import { concat } from '../../src/packet/writer.ts'
import { Client, Gateway, kinds, of } from './gateway.ts'

type State = 'nothing' | 'SASENT' | 'KESENT' | 'UP' | 'WAIT_HASH' | 'DONE' | 'ISAKMP SA deleted'
const states: readonly State[] = ['nothing', 'SASENT', 'KESENT', 'UP', 'WAIT_HASH', 'DONE', 'ISAKMP SA deleted']

/** A client that has come so far, and what it has said and heard of its last Quick Mode. */
function reach(state: State) {
  const gateway = new Gateway()
  const client = new Client(gateway)
  const rank = states.indexOf(state)
  let quick: { one: Uint8Array; two: Uint8Array; three: Uint8Array; inboundSpi: number } | undefined
  if (rank >= 1) {
    const two = client.must(client.ike.message1())
    const three = client.ike.message3(two)
    if (rank >= 2) {
      const four = client.must(three)
      if (rank >= 3) client.ike.finish(client.must(client.ike.message5(four)))
    }
  }
  if (rank >= 4) {
    const one = client.ike.quick1().bytes
    const two = client.must(one)
    const { bytes: three, pair } = client.ike.quick3(two)
    quick = { one, two, three, inboundSpi: pair.inboundSpi }
    if (rank >= 5) client.send(three)
    if (rank >= 6) client.send(client.ike.deleteIsakmp())
  }
  gateway.take()
  return { gateway, client, quick }
}

/** A message of garbage under the exchange's cookies. */
function garbage(client: Client, exchange: number, flags: number, messageId = 4711): Uint8Array {
  const { cookie: initiatorCookie, responderCookie } = client.ike
  const header = { initiatorCookie, responderCookie, exchange, flags, messageId }
  const body = new Uint8Array(64).map((_, i) => i * 7)
  return concat(emitHeader(header, PayloadType.Hash, body.length), body)
}

/** What the operator alone hears of it. */
const TOLD: readonly string[] = ['discarded', 'suspected']

/** The counters that went up, and what else happened but the event that tells of it. */
function happens(gateway: Gateway, act: () => void): { counted: string[]; effects: string[] } {
  const before = { ...gateway.endpoint.snapshot().counters }
  act()
  const after = gateway.endpoint.snapshot().counters
  const counted = Object.keys(after).filter(
    name => after[name] !== before[name] && !['received', 'sent'].includes(name),
  )
  return { counted: counted.sort(), effects: kinds(gateway.take()).filter(k => !TOLD.includes(k)) }
}

const up: readonly State[] = ['UP', 'WAIT_HASH', 'DONE']

describe('a message of garbage', () => {
  const messages = {
    'Quick Mode': { exchange: Exchange.Quick, flags: Flag.Encryption },
    Informational: { exchange: Exchange.Informational, flags: Flag.Encryption },
    'Quick Mode in clear': { exchange: Exchange.Quick, flags: 0 },
    'Informational in clear': { exchange: Exchange.Informational, flags: 0 },
  } as const
  const counterOf = (name: keyof typeof messages, state: State): string => {
    if (name === 'Informational in clear') return 'unprotected-informational'
    if (name === 'Quick Mode in clear') return 'cleartext'
    if (state === 'SASENT' || state === 'KESENT') return 'too-early'
    return up.includes(state) ? 'garbage' : 'unknown-cookie'
  }
  const cells = states.flatMap(state => Object.keys(messages).map(name => [name, state] as const))

  it.each(cells)('%s in state %s is dropped, counted and unanswered', (name, state) => {
    const { gateway, client } = reach(state)
    const { exchange, flags } = messages[name as keyof typeof messages]
    const { sas, children } = gateway.endpoint.snapshot()
    const { counted, effects } = happens(gateway, () => client.send(garbage(client, exchange, flags)))
    const expected = counterOf(name as keyof typeof messages, state)
    expect(effects).toEqual([])
    expect(counted).toHaveLength(1)
    if (expected !== 'garbage') expect(counted).toEqual([expected])
    // Nothing of what there was has suffered, and the client goes on where it stood.
    expect(gateway.endpoint.snapshot()).toMatchObject({
      sas: sas.length ? [{}] : [],
      children: children.length ? [{}] : [],
    })
    if (state === 'UP') expect(client.quickMode().suite.cipher).toBe('3des')
  })
})

describe('a message of Quick Mode', () => {
  it.each(['UP', 'WAIT_HASH', 'DONE'] as const)(
    'the first of another exchange in state %s makes another pair',
    state => {
      const { gateway, client, quick } = reach(state)
      client.quickMode()
      if (state === 'WAIT_HASH') client.send(quick!.three)
      const all = gateway.endpoint.snapshot().children
      expect(all).toHaveLength(state === 'UP' ? 1 : 2)
      expect(of(gateway.take(), 'installOutbound')).toHaveLength(state === 'WAIT_HASH' ? 2 : 1)
    },
  )

  it.each(['WAIT_HASH', 'DONE'] as const)(
    'the first again in state %s gets the same answer and makes nothing',
    state => {
      const { gateway, client, quick } = reach(state)
      expect(client.send(quick!.one)).toEqual(quick!.two)
      expect(gateway.count('repeated-request')).toBe(1)
      expect(kinds(gateway.take())).toEqual(['send'])
      expect(gateway.endpoint.snapshot().children).toHaveLength(1)
    },
  )

  it('the third in state WAIT_HASH completes it; again, and in state DONE, it changes nothing', () => {
    const { gateway, client, quick } = reach('WAIT_HASH')
    client.send(quick!.three)
    expect(kinds(gateway.take())).toEqual(['installOutbound', 'phase2Completed'])
    const { counted, effects } = happens(gateway, () => client.send(quick!.three))
    expect([counted, effects]).toEqual([['repeated-request'], []])
  })

  it('the third when its first never came, or its exchange is forgotten, is none', () => {
    for (const state of ['UP', 'ISAKMP SA deleted'] as const) {
      const { gateway, client } = reach(state)
      const { quick } = reach('WAIT_HASH')
      // Of a twin that has the same keys: authentic, but out of place.
      const { counted, effects } = happens(gateway, () => client.send(quick!.three))
      expect(effects).toEqual([])
      expect(counted).toHaveLength(1)
    }
    const { gateway, client, quick } = reach('DONE')
    gateway.pass(600)
    gateway.take()
    for (const old of [quick!.one, quick!.three]) {
      const { counted, effects } = happens(gateway, () => client.send(old))
      expect([counted, effects]).toEqual([['repeated-message-id'], []])
    }
  })

  it('a fourth, as a Windows server would send it, is late', () => {
    const { gateway, client, quick } = reach('DONE')
    const quickId = parseHeader(quick!.three).messageId
    const { counted, effects } = happens(gateway, () =>
      client.send(garbage(client, Exchange.Quick, Flag.Encryption, quickId)),
    )
    expect([counted, effects]).toEqual([['late-message'], []])
  })

  it('with message ID 0, which is Main Mode’s, is refused', () => {
    for (const state of up) {
      const { gateway, client } = reach(state)
      const { counted } = happens(gateway, () => client.send(garbage(client, Exchange.Quick, Flag.Encryption, 0)))
      expect(counted).toEqual(['message-id'])
    }
  })
})

describe('a DELETE', () => {
  const deletion = (protocol: number, spiSize: number, ...spis: Uint8Array[]) => ({
    type: PayloadType.Delete,
    body: emitDeletion({ doi: DOI_IPSEC, protocol, spiSize, spis }),
  })
  const esp = (...spis: number[]) => deletion(Protocol.Esp, 4, ...spis.map(messageIdBytes))
  const cookies = (client: Client) => concat(client.ike.cookie, client.ike.responderCookie)

  it('of a pair that is not complete yet ends it, and the third message finds nothing', () => {
    const { gateway, client, quick } = reach('WAIT_HASH')
    client.send(client.ike.deleteEsp(quick!.inboundSpi))
    expect(kinds(gateway.take())).toEqual(['notified', 'removeSa'])
    client.send(quick!.three)
    expect(of(gateway.take(), 'installOutbound')).toEqual([])
    expect(gateway.endpoint.snapshot().children).toEqual([])
  })

  it('that comes twice, as the same message and as another, ends one pair and harms no other', () => {
    const { gateway, client, quick } = reach('DONE')
    const other = client.quickMode()
    gateway.take()
    const message = client.ike.deleteEsp(quick!.inboundSpi)
    client.send(message)
    expect(of(gateway.take(), 'removeSa')).toHaveLength(1)
    expect(happens(gateway, () => client.send(message))).toEqual({ counted: ['repeated-message-id'], effects: [] })
    const again = happens(gateway, () => client.send(client.ike.deleteEsp(quick!.inboundSpi)))
    expect(again).toEqual({ counted: ['delete-unknown', 'informational'], effects: ['notified'] })
    expect(gateway.endpoint.snapshot().children.map(c => c.inboundSpi)).toEqual([other.outboundSpi])
  })

  it('of several SPIs, some unknown and one named twice, ends those that there are', () => {
    const { gateway, client, quick } = reach('DONE')
    const [second, kept] = [client.quickMode(), client.quickMode()]
    gateway.take()
    const spis = [1, quick!.inboundSpi, 2, second.inboundSpi, quick!.inboundSpi]
    client.send(client.ike.informational(esp(...spis)))
    expect(of(gateway.take(), 'removeSa').map(e => e.outboundSpi)).toEqual([quick!.inboundSpi, second.inboundSpi])
    expect(gateway.count('delete-unknown')).toBe(3)
    expect(gateway.endpoint.snapshot().children.map(c => c.inboundSpi)).toEqual([kept.outboundSpi])
  })

  it('in several payloads, of ESP and ISAKMP SA in one message, ends all', () => {
    const { gateway, client, quick } = reach('DONE')
    const second = client.quickMode()
    gateway.take()
    const isakmp = deletion(Protocol.Isakmp, 16, cookies(client))
    client.send(client.ike.informational(esp(quick!.inboundSpi), esp(second.inboundSpi), isakmp))
    expect(kinds(gateway.take())).toEqual(['notified', 'removeSa', 'notified', 'removeSa', 'notified', 'peerDown'])
  })

  it('of the ISAKMP SA first, with its pair behind it in the same message', () => {
    const { gateway, client, quick } = reach('DONE')
    client.send(client.ike.informational(deletion(Protocol.Isakmp, 16, cookies(client)), esp(quick!.inboundSpi)))
    expect(kinds(gateway.take())).toEqual(['notified', 'notified', 'removeSa', 'peerDown'])
    expect(gateway.endpoint.snapshot()).toMatchObject({ sas: [], children: [] })
  })

  it('of the ISAKMP SA while a Quick Mode is under way ends that too', () => {
    const { gateway, client, quick } = reach('WAIT_HASH')
    client.send(client.ike.deleteIsakmp())
    expect(of(gateway.take(), 'removeSa')).toHaveLength(1)
    expect(happens(gateway, () => client.send(quick!.three))).toEqual({ counted: ['unknown-cookie'], effects: [] })
  })

  it('of another ISAKMP SA of the same peer ends that one alone', () => {
    const { gateway, client } = reach('DONE')
    const renewed = new Client(gateway, { seed: 'renewed' }).mainMode()
    gateway.take()
    renewed.send(renewed.ike.informational(deletion(Protocol.Isakmp, 16, cookies(client))))
    expect(kinds(gateway.take())).toEqual(['notified'])
    expect(gateway.endpoint.snapshot().sas).toHaveLength(1)
    renewed.quickMode()
    expect(gateway.endpoint.snapshot().children).toHaveLength(2)
  })

  it.each([
    ['of AH', () => deletion(Protocol.Ah, 4, messageIdBytes(1))],
    ['of no SPI at all', () => esp()],
    ['of ESP with SPIs of 16 bytes', () => deletion(Protocol.Esp, 16, new Uint8Array(16))],
    ['of an ISAKMP SA with SPIs of 4 bytes', () => deletion(Protocol.Isakmp, 4, messageIdBytes(1))],
    ['of cookies that nobody has', () => deletion(Protocol.Isakmp, 16, new Uint8Array(16).fill(1))],
  ])('%s ends nothing', (_, payload) => {
    const { gateway, client } = reach('DONE')
    client.send(client.ike.informational(payload()))
    expect(of(gateway.take(), 'removeSa')).toEqual([])
    expect(gateway.endpoint.snapshot()).toMatchObject({ sas: [{}], children: [{}] })
  })

  it('with a nonce before it, as Windows sends it to Windows, is obeyed', () => {
    const { gateway, client, quick } = reach('DONE')
    const nonce = { type: PayloadType.Nonce, body: new Uint8Array(32).fill(3) }
    client.send(client.ike.informational(nonce, esp(quick!.inboundSpi)))
    expect(of(gateway.take(), 'removeSa')).toHaveLength(1)
  })
})
