import { describe, expect, it } from 'vitest'
import { Notify, PayloadType, Protocol } from '../../src/ike/constants.ts'
import { bodies, parseMessage } from '../../src/ike/message.ts'
import { emitNotification, notification, parseNotification } from '../../src/ike/payload.ts'
import { hasVendorId, VendorId } from '../../src/ike/vendor.ts'
import { concat } from '../../src/packet/writer.ts'
import { windows10 } from '../support/windows.ts'
import { Client, Gateway, of } from './gateway.ts'

const answering = { ...windows10, vendorIds: [VendorId.Dpd] } as const

/** Seconds of the questions, and their sequence numbers, over so long a time; `answers` replies to each. */
function listen(client: Client, seconds: number, answers: boolean): { at: number; sequence: number }[] {
  const { gateway } = client
  const from = gateway.now
  const questions: { at: number; sequence: number }[] = []
  for (let second = 1; second <= seconds; second++)
    for (const { bytes } of of(gateway.pass(1), 'send')) {
      const [payload] = client.ike.openInformational(bytes)
      if (payload?.type !== PayloadType.Notification) continue
      const n = parseNotification(payload.body)
      expect(n).toMatchObject({ type: Notify.DpdRUThere, protocol: Protocol.Isakmp })
      expect(n.spi).toEqual(concat(client.ike.cookie, client.ike.responderCookie))
      const sequence = new DataView(n.data.buffer, n.data.byteOffset).getUint32(0)
      questions.push({ at: (gateway.now - from) / 1000, sequence })
      if (answers) answer(client, n.spi, n.data)
    }
  return questions
}

function answer(client: Client, spi: Uint8Array, data: Uint8Array): void {
  const n = notification(Notify.DpdRUThereAck, Protocol.Isakmp, spi, data)
  client.send(client.ike.informational({ type: PayloadType.Notification, body: emitNotification(n) }))
}

describe('a peer that answers liveness checks', () => {
  it('is asked after 75 s of silence, and five times in all; then it is dead', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, answering)
    client.connect()
    gateway.take()
    const questions = listen(client, 124, false)
    expect(questions.map(q => q.at)).toEqual([75, 85, 95, 105, 115])
    expect(questions.map(q => q.sequence - questions[0]!.sequence)).toEqual([0, 1, 2, 3, 4])
    expect(questions[0]!.sequence).toBeLessThan(2 ** 31)
    const effects = gateway.pass(2)
    expect(of(effects, 'removeSa')).toHaveLength(1)
    expect(of(effects, 'peerDown')[0]!.reason).toContain('dead peer')
    expect(gateway.endpoint.snapshot().sas).toEqual([])
  })

  it('lives as long as it answers', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, answering)
    client.connect()
    gateway.take()
    expect(listen(client, 1500, true).length).toBe(20)
    expect(gateway.count('dpd-answered')).toBe(20)
    expect(of(gateway.take(), 'peerDown')).toEqual([])
  })

  it('is not asked while its packets come, or other messages', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, answering)
    const pair = client.connect()
    gateway.take()
    const [up] = gateway.endpoint.snapshot().sas
    for (let i = 0; i < 10; i++) {
      expect(listen(client, 70, false)).toEqual([])
      if (i % 3 === 0) gateway.give({ kind: 'heard', peer: up!.peer })
      else if (i % 3 === 1) gateway.give({ kind: 'saUsed', spi: pair.outboundSpi })
      else client.send(client.ike.areYouThere(i))
    }
    expect(gateway.count('dpd-asked')).toBe(0)
    // One that speaks after it was asked is alive again.
    expect(listen(client, 90, false)).toHaveLength(2)
    gateway.give({ kind: 'heard', peer: up!.peer })
    expect(listen(client, 74, false)).toEqual([])
    expect(listen(client, 45, false)).toHaveLength(5)
  })

  it('a wrong answer is counted, and shows that it lives all the same', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, answering)
    client.connect()
    answer(client, concat(client.ike.cookie, client.ike.responderCookie), Uint8Array.of(1, 2, 3, 4))
    expect(gateway.count('dpd-mismatch')).toBe(1)
  })

  it('is asked under its new ISAKMP SA after a renewal, with numbers of that one', () => {
    const gateway = new Gateway()
    new Client(gateway, answering).connect()
    const renewed = new Client(gateway, { ...answering, seed: 'renewed' }).mainMode()
    gateway.take()
    expect(listen(renewed, 80, true).map(q => q.at)).toEqual([75])
  })
})

describe('a policy with a word about it', () => {
  const dpd = (announced: boolean, idleSeconds: number | undefined) => ({
    deadPeerDetection: { announced, idleSeconds },
  })
  const announces = (gateway: Gateway) => {
    const client = new Client(gateway, answering)
    const two = parseMessage(client.must(client.ike.message1()))
    return hasVendorId(bodies(two.payloads, PayloadType.VendorId), VendorId.Dpd)
  }

  it('BOTH: asks after its own time', () => {
    const gateway = new Gateway(dpd(true, 20))
    expect(announces(gateway)).toBe(true)
    const client = new Client(gateway, answering)
    client.connect()
    gateway.take()
    expect(listen(client, 69, false).map(q => q.at)).toEqual([20, 30, 40, 50, 60])
    expect(of(gateway.pass(1), 'peerDown')).toHaveLength(1)
  })

  it.each([
    ['RECEIVE: says that it answers, and never asks', true],
    ['NONE: does not say it, and never asks', false],
  ])('%s', (_, announced) => {
    const gateway = new Gateway(dpd(announced, undefined))
    expect(announces(gateway)).toBe(announced)
    const client = new Client(gateway, answering)
    client.connect()
    gateway.take()
    expect(listen(client, 1000, false)).toEqual([])
    // One that asks all the same is answered: to leave it without would end the connection.
    expect(client.send(client.ike.areYouThere(1))).toBeDefined()
  })
})

describe('a peer that does not', () => {
  it('is never asked, and never dead for its silence', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, windows10)
    client.connect()
    gateway.take()
    gateway.pass(1000)
    expect(gateway.count('dpd-asked')).toBe(0)
    expect(gateway.endpoint.snapshot().sas).toHaveLength(1)
    gateway.give({ kind: 'heard', peer: 999 })
  })
})
