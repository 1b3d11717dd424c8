/** What the operator is told of each way to fail: the causes are told apart, and each names what to change. */

import { describe, expect, it } from 'vitest'
import { Exchange, Notify, PayloadType, Protocol } from '../../src/ike/constants.ts'
import { cut } from '../../src/ike/fragment.ts'
import { notifyText } from '../../src/ike/informational.ts'
import { messageIdBytes } from '../../src/ike/keymat.ts'
import { emitMessage } from '../../src/ike/message.ts'
import { emitNotification, notification } from '../../src/ike/payload.ts'
import { concat } from '../../src/packet/writer.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { Client, events, Gateway, NAT, of, phase2Policy, SERVER } from './gateway.ts'

const status = (code: number) =>
  notification(Notify.WindowsStatus, Protocol.Isakmp, new Uint8Array(0), messageIdBytes(code))

/** A notify in clear, with the cookies of the client's exchange. */
function inClear(client: Client, n = status(13801)): Uint8Array {
  const { cookie, responderCookie } = client.ike
  return emitMessage({
    header: {
      initiatorCookie: cookie,
      responderCookie,
      exchange: Exchange.Informational,
      flags: 0,
      messageId: 77,
    },
    payloads: [{ type: PayloadType.Notification, body: emitNotification(n) }],
  })
}

const failed = (gateway: Gateway) => events(gateway.take(), 'failed')

/** What goes wrong, and what is made of it. */
const stories: Record<string, { tell: (gateway: Gateway) => void; cause: string; detail: RegExp; remedy: RegExp }> = {
  'port 500 is blocked from us to the client': {
    tell: gateway => {
      const client = new Client(gateway)
      const one = client.ike.message1()
      for (let i = 0; i < 3; i++) {
        client.send(one)
        gateway.pass(4)
      }
      gateway.pass(40)
    },
    cause: 'no-reply',
    detail: /Windows XP.* was never followed up; it repeated itself 2 times/,
    remedy: /UDP port 500 from this gateway reaches the client/,
  },
  'port 4500 is blocked from the client to us': {
    tell: gateway => {
      const client = new Client(gateway)
      client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
      gateway.pass(40)
    },
    cause: 'no-float',
    detail: /nothing came on UDP port 4500/,
    remedy: /^open UDP port 4500 towards this gateway$/,
  },
  'the pre-shared key is wrong': {
    tell: gateway => expect(() => new Client(gateway, { presharedKey: 'x' }).mainMode()).toThrow(),
    cause: 'wrong-key',
    detail: /is not that of ISAKMP policy "roadwarriors"/,
    remedy: /"roadwarriors" \(ENCO key 1\)/,
  },
  'pieces of the fifth message are lost': {
    tell: gateway => {
      const client = new Client(gateway)
      const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
      // As long as one with certificates.
      const long = concat(five, new Uint8Array(1000))
      new DataView(long.buffer).setUint32(24, long.length)
      client.send(cut(long)[0]!)
      gateway.pass(40)
    },
    cause: 'mtu',
    detail: /sent its fifth message in pieces, and some of them never came/,
    remedy: /drops IP fragments.*or whether the path loses packets/,
  },
  'no proposal of Main Mode is common': {
    tell: gateway => {
      const client = new Client(gateway, { offers: [{ cipher: 'des', hash: 'sha1', group: 14 }] })
      client.send(client.ike.message1())
    },
    cause: 'no-proposal-phase1',
    detail: /offered DES-SHA1-G14; .* allows ciphers AES256 AES128 3DES/,
    remedy: /^allow cipher DES \(for the offer DES-SHA1-G14\)$/,
  },
  'no proposal of Quick Mode is common': {
    tell: gateway => {
      const client = new Client(gateway, { ...windowsXp, quickOffers: [{ cipher: 'des', integrity: 'md5' }] })
      client.mainMode().send(client.ike.quick1().bytes)
    },
    cause: 'no-proposal-phase2',
    detail: /offered ESP DES-MD5; IPsec policy "l2tp" allows ESP AES256-SHA1/,
    remedy: /^allow ESP DES-MD5/,
  },
}

describe('a verdict', () => {
  it.each(Object.entries(stories))('%s', (_, { tell, cause, detail, remedy }) => {
    const gateway = new Gateway()
    tell(gateway)
    const [first, ...more] = failed(gateway)
    expect(more).toEqual([])
    expect(first!.cause).toBe(cause)
    expect(first!.detail).toMatch(detail)
    expect(first!.remedy).toMatch(remedy)
  })

  it('the identity is refused', () => {
    const gateway = new Gateway({ remoteIdentity: 'OTHER' })
    expect(() => new Client(gateway).mainMode()).toThrow()
    const [first] = failed(gateway)
    expect(first).toMatchObject({ cause: 'bad-identity' })
    expect(first!.detail).toContain('calls itself "XPCLIENT"; ISAKMP policy "roadwarriors" wants "OTHER"')
  })
})

describe('a client that gives its reason', () => {
  it.each([
    [13801, 'Windows error 13801: it does not accept our proof of identity (ERROR_IPSEC_IKE_AUTH_FAIL)'],
    [13868, 'Windows error 13868: our answer is not in its policy (ERROR_IPSEC_IKE_POLICY_MATCH)'],
    [5, 'Windows error 5'],
    [0x80004005, 'Windows error 2147500037'],
  ])('is read: %i', (code, text) => {
    expect(notifyText(status(code))).toBe(text)
    // With the message ID in front, as Microsoft's peers write it to each other.
    const long = { ...status(code), data: concat(messageIdBytes(9), messageIdBytes(code)) }
    expect(notifyText(long)).toBe(text)
  })

  it('in clear: it explains the silence that follows, and is believed in nothing else', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const two = client.must(client.ike.message1())
    client.ike.message3(two)
    // From elsewhere it is nobody's.
    gateway.datagram({ address: NAT + 1, port: 500 }, 500, inClear(client, status(13825)))
    client.send(inClear(client))
    client.send(inClear(client, status(13806)))
    expect(failed(gateway)).toEqual([])
    gateway.pass(40)
    const [first, ...more] = failed(gateway)
    expect(more).toEqual([])
    expect(first).toMatchObject({ cause: 'client-refused', phase: 1 })
    expect(first!.detail).toContain('Windows error 13801')
    expect(first!.detail).toContain('unproven')
    expect(gateway.count('unprotected-informational')).toBe(3)
  })

  it('in clear, and forged: the client connects all the same', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const two = client.must(client.ike.message1())
    const three = client.ike.message3(two)
    client.send(inClear(client))
    const five = client.ike.message5(client.must(three))
    client.send(inClear(client))
    client.ike.finish(client.must(five))
    client.send(inClear(client))
    client.quickMode()
    expect(failed(gateway)).toEqual([])
  })

  it.each([
    ['NO-PROPOSAL-CHOSEN', notification(Notify.NoProposalChosen, Protocol.Esp, new Uint8Array(4))],
    ['Windows error 13816', status(13816)],
  ])('protected, before its connection is up: %s', (text, n) => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    client.send(client.ike.quick1().bytes)
    gateway.take()
    client.send(client.ike.informational({ type: PayloadType.Notification, body: emitNotification(n) }))
    const [first] = failed(gateway)
    expect(first).toMatchObject({ cause: 'client-refused', phase: 2 })
    expect(first!.detail).toContain(text)
  })

  it('of our identity, in the way of libreswan', () => {
    const gateway = new Gateway({ localIdentity: { kind: 'fqdn', name: 'local' } })
    const client = new Client(gateway).mainMode()
    const refusal = client.ike.refusal(Notify.InvalidIdInformation)
    // Nobody plays it again, and nobody makes it up.
    const forged = refusal.slice()
    forged[forged.length - 1]! ^= 1
    for (const bytes of [forged, refusal, refusal]) client.send(bytes)
    const [first, ...more] = failed(gateway)
    expect(more).toEqual([])
    expect(first).toMatchObject({ cause: 'client-refused', phase: 2 })
    expect(first!.detail).toMatch(/does not accept "local" \(LOCALID\) as our identity$/)
    expect(first!.remedy).toBe('have the client expect that identity (libreswan: rightid=@local), or take LOCALID out')
    expect(gateway.count('informational')).toBe(1)
    expect(gateway.count('repeated-message-id')).toBe(1)
  })

  it('of our identity, once it has gone on to Quick Mode, is not read', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    client.send(client.ike.quick1().bytes)
    gateway.take()
    client.send(client.ike.refusal(Notify.InvalidIdInformation))
    expect(failed(gateway)).toEqual([])
    expect(gateway.count('informational')).toBe(0)
  })

  it('once it is connected, or for no error, nothing has failed', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    const connected = notification(Notify.Connected, Protocol.Esp, new Uint8Array(4))
    for (const n of [status(13816), connected])
      client.send(client.ike.informational({ type: PayloadType.Notification, body: emitNotification(n) }))
    expect(failed(gateway)).toEqual([])
  })
})

describe('a client that makes pair after pair', () => {
  /** As Windows does it, at the pace of its SCCRQs: a new Quick Mode, then a DELETE of the pair before. */
  function repeat(client: Client, times: number, deleteFirst = false): void {
    let last = client.quickMode()
    for (let i = 0; i < times; i++) {
      client.gateway.pass(8)
      if (deleteFirst) client.send(client.ike.deleteEsp(last.inboundSpi))
      const next = client.quickMode()
      if (!deleteFirst) client.send(client.ike.deleteEsp(last.inboundSpi))
      last = next
    }
  }
  /** The client dials an address that a NAT in front of the gateway turns into its own. */
  const natted = { ...windows10, server: SERVER + 1 } as const

  it.each([false, true])('takes this gateway for one behind a NAT (deleting first: %s)', deleteFirst => {
    const gateway = new Gateway()
    const client = new Client(gateway, natted).mainMode()
    expect(client.ike.nat.server).toBe(true)
    repeat(client, 5, deleteFirst)
    const [first, ...more] = failed(gateway)
    expect(more).toEqual([])
    expect(first).toMatchObject({ cause: 'server-nat', phase: 2 })
    expect(first!.detail).toContain('behind a NAT')
    expect(first!.remedy).toContain('AssumeUDPEncapsulationContextOnSendRule')
  })

  it('or does not get our ESP, where it sees no NAT in front of us', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    repeat(client, 5)
    const [first, ...more] = failed(gateway)
    expect(more).toEqual([])
    expect(first).toMatchObject({ cause: 'unheard' })
    expect(first!.remedy).toContain('UDP port 4500 from this gateway')
  })

  it('is not one that renews its pair each hour, nor one that dials again', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy }] })
    const renewing = new Client(gateway, natted).mainMode()
    let last = renewing.quickMode()
    for (let i = 0; i < 5; i++) {
      gateway.pass(3000)
      const next = renewing.quickMode()
      renewing.send(renewing.ike.deleteEsp(last.inboundSpi))
      last = next
    }
    const redialling = new Client(gateway, { seed: 'other', ports: { 500: 7, 4500: 8 } }).mainMode()
    repeat(redialling, 5, true)
    expect(failed(gateway)).toEqual([])
    expect(of(gateway.effects, 'peerDown')).toEqual([])
  })
})
