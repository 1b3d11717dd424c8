import { describe, expect, it } from 'vitest'
import { Encapsulation, Notify, PayloadType, Protocol } from '../../src/ike/constants.ts'
import { body } from '../../src/ike/message.ts'
import { parseDeletion, parseNotification } from '../../src/ike/payload.ts'
import { parseAttributes } from '../../src/ike/proposal.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { espProposal } from '../support/offers.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { Client, events, Gateway, kinds, NAT, of, phase2Policy } from './gateway.ts'

const restartId = { vendorIds: [...windowsXp.vendorIds, VendorId.InitialContact] }

describe('the lineage of a peer', () => {
  it('goes on when its ISAKMP SA is renewed from the same place: ESP SAs stay', () => {
    const gateway = new Gateway()
    new Client(gateway, { seed: 'first' }).connect()
    gateway.take()
    const again = new Client(gateway, { seed: 'second' }).mainMode()
    const effects = gateway.take()
    expect(of(effects, 'peerUp')).toEqual([])
    expect(of(effects, 'removeSa')).toEqual([])
    expect(events(effects, 'phase1Completed')[0]!.peer).toBe(1)
    again.quickMode()
    expect(gateway.endpoint.snapshot().children.map(c => c.peer)).toEqual([1, 1])
    expect(gateway.endpoint.snapshot().sas.map(c => c.peer)).toEqual([1, 1])
  })

  it('goes on with everything old removed after INITIAL-CONTACT, by notify', () => {
    const gateway = new Gateway()
    new Client(gateway, { seed: 'first' }).connect()
    gateway.take()
    new Client(gateway, { seed: 'second', initialContact: true }).connect()
    const effects = gateway.take()
    expect(kinds(effects).filter(k => !k.startsWith('phase'))).toEqual([
      'send',
      'send',
      'removeSa',
      'peerRestarted',
      'send',
      'installInbound',
      'send',
      'installOutbound',
    ])
    expect(gateway.endpoint.snapshot().sas).toHaveLength(1)
  })

  it('goes on likewise after Vid-Initial-Contact while an older ISAKMP SA lives', () => {
    const gateway = new Gateway()
    new Client(gateway, { seed: 'first', ...restartId }).connect()
    expect(of(gateway.take(), 'peerRestarted')).toEqual([])
    new Client(gateway, { seed: 'second', ...restartId }).mainMode()
    expect(of(gateway.take(), 'peerRestarted')).toEqual([{ kind: 'peerRestarted', peer: 1 }])
  })

  it('is told of it then, should it have been no restart: a DELETE follows the answer', () => {
    const gateway = new Gateway()
    const pair = new Client(gateway, { seed: 'first', ...restartId }).connect()
    const again = new Client(gateway, { seed: 'second', ...restartId })
    const four = again.must(again.ike.message3(again.must(again.ike.message1())))
    gateway.take()
    again.send(again.ike.message5(four))
    const [answer, farewell] = of(gateway.take(), 'send')
    again.ike.finish(answer!.bytes)
    const deletion = parseDeletion(body(again.ike.openInformational(farewell!.bytes), PayloadType.Delete)!)
    expect(deletion.spis.map(spi => Buffer.from(spi).readUInt32BE())).toEqual([pair.outboundSpi])
  })

  it('keeps its ESP SAs after Vid-Initial-Contact where the older ISAKMP SA has run out', () => {
    const gateway = new Gateway({ lifetimeSeconds: 600 })
    new Client(gateway, { seed: 'first', ...restartId }).connect()
    gateway.pass(601)
    gateway.take()
    new Client(gateway, { seed: 'second', ...restartId }).mainMode()
    const effects = gateway.take()
    expect(of(effects, 'peerRestarted')).toEqual([])
    expect(of(effects, 'removeSa')).toEqual([])
    expect(events(effects, 'phase1Completed')[0]!.peer).toBe(1)
  })

  it('is not believed before authentication', () => {
    const gateway = new Gateway()
    new Client(gateway, { seed: 'first' }).connect()
    gateway.take()
    const forged = new Client(gateway, { seed: 'forger', presharedKey: 'guess', initialContact: true, ...restartId })
    const four = forged.must(forged.ike.message3(forged.must(forged.ike.message1())))
    forged.send(forged.ike.message5(four))
    expect(of(gateway.take(), 'removeSa')).toEqual([])
    expect(gateway.endpoint.snapshot().children).toHaveLength(1)
  })

  it('ends where another identity appears at the very same place', () => {
    const gateway = new Gateway()
    new Client(gateway, { seed: 'first' }).connect()
    gateway.take()
    new Client(gateway, { seed: 'second', computerName: 'LAPTOP' }).mainMode()
    const effects = gateway.take()
    expect(of(effects, 'removeSa')).toHaveLength(1)
    expect(of(effects, 'peerDown').map(e => e.peer)).toEqual([1])
    expect(of(effects, 'peerUp').map(e => e.peer)).toEqual([2])
  })

  it('never touches a neighbour behind the same NAT, INITIAL-CONTACT or not', () => {
    const gateway = new Gateway()
    const neighbours = Array.from({ length: 50 }, (_, i) => {
      const c = new Client(gateway, {
        ...windows10,
        offers: [{ cipher: 'aes128', hash: 'sha1', group: 19 }],
        seed: `n${i}`,
        ports: { 500: 20000 + i, 4500: 30000 + i },
        initialContact: true,
      })
      c.connect()
      return c
    })
    expect(of(gateway.effects, 'removeSa')).toEqual([])
    expect(of(gateway.effects, 'peerUp')).toHaveLength(50)
    expect(new Set(of(gateway.effects, 'installOutbound').map(e => e.sa.peer)).size).toBe(50)
    neighbours[7]!.send(neighbours[7]!.ike.deleteEsp(neighbours[7]!.pair!.inboundSpi))
    expect(gateway.endpoint.snapshot().children).toHaveLength(49)
  })

  it('ends what is older than the pair over which the client started anew, with DELETEs', () => {
    const gateway = new Gateway()
    const first = new Client(gateway, { seed: 'first' }).connect()
    new Client(gateway, { seed: 'twice' }).mainMode()
    const again = new Client(gateway, { seed: 'second' }).mainMode()
    const pair = again.quickMode()
    const newest = new Client(gateway, { seed: 'third' }).mainMode().quickMode()
    gateway.take()
    const effects = gateway.give({ kind: 'startedAnew', peer: 1, spi: pair.outboundSpi })
    expect(kinds(effects)).toEqual(['send', 'removeSa', 'send', 'send'])
    expect(of(effects, 'removeSa')).toMatchObject([
      { inboundSpi: first.outboundSpi, reason: 'the client started anew' },
    ])
    expect(gateway.endpoint.snapshot().sas).toHaveLength(2)
    expect(gateway.endpoint.snapshot().children.map(c => c.inboundSpi)).toEqual([pair.outboundSpi, newest.outboundSpi])
    // Told again, of a pair that is gone, or of nobody, it changes nothing.
    for (const [peer, spi] of [
      [1, pair.outboundSpi],
      [1, first.outboundSpi],
      [9, pair.outboundSpi],
    ] as const)
      expect(gateway.give({ kind: 'startedAnew', peer, spi })).toEqual([])
  })

  it('keeps its ISAKMP SA where the pair came from a Quick Mode under the same', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    const pair = client.quickMode()
    gateway.take()
    expect(kinds(gateway.give({ kind: 'startedAnew', peer: 1, spi: pair.outboundSpi }))).toEqual(['send', 'removeSa'])
    expect(gateway.endpoint.snapshot().sas).toHaveLength(1)
  })

  it('gives its row to someone else only after five minutes without ESP, when rows are short', () => {
    const gateway = new Gateway({}, { maxPeers: 1 })
    new Client(gateway, { seed: 'idle' }).mainMode()
    const busy = (seed: string) => new Client(gateway, { seed, ports: { 500: 2027, 4500: 2028 } })
    expect(() => busy('early').mainMode()).toThrow('no answer')
    expect(events(gateway.take(), 'failed')[0]!.cause).toBe('limit')
    gateway.pass(301)
    busy('late').connect()
    const effects = gateway.take()
    expect(of(effects, 'peerDown')).toHaveLength(1)
    expect(of(effects, 'installOutbound')).toHaveLength(1)
  })
})

describe('renewing ESP SAs', () => {
  it('overlaps: the old pair stays until it runs out', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, windows10)
    const first = client.connect()
    gateway.pass(3000)
    const second = client.quickMode()
    expect(gateway.endpoint.snapshot().children).toHaveLength(2)
    gateway.take()
    const removed = of(gateway.pass(700), 'removeSa')
    expect(removed.map(e => [e.inboundSpi, e.reason])).toEqual([[first.outboundSpi, 'lifetime']])
    expect(gateway.endpoint.snapshot().children[0]!.inboundSpi).toBe(second.outboundSpi)
  })

  it('works under an ISAKMP SA newer than the pair, after the older one ran out', () => {
    const gateway = new Gateway({ lifetimeSeconds: 1000 })
    const client = new Client(gateway, windows10)
    client.connect()
    gateway.pass(1001)
    expect(gateway.endpoint.snapshot().sas).toEqual([])
    new Client(gateway, { ...windows10, seed: 'renewal' }).connect()
    expect(gateway.endpoint.snapshot().children.map(c => c.peer)).toEqual([1, 1])
  })

  describe('under an ISAKMP SA that ran out before the client was told', () => {
    /** Ten minutes by our policy, eight hours by the client's. */
    function expired(sendDeletes = false) {
      const gateway = new Gateway({ lifetimeSeconds: 600, sendDeletes })
      const client = new Client(gateway)
      const pair = client.connect()
      gateway.pass(601)
      gateway.take()
      return { gateway, client, pair }
    }
    const asked = (client: Client) => {
      const answer = client.send(client.ike.areYouThere(7))
      return answer && parseNotification(body(client.ike.openInformational(answer), PayloadType.Notification)!).type
    }

    it('hears whoever asks, and shows the SA no more', () => {
      const { gateway, client } = expired()
      expect(gateway.endpoint.snapshot().sas).toEqual([])
      expect(asked(client)).toBe(Notify.DpdRUThereAck)
      // Not where a DELETE went out: it is over on both sides.
      expect(asked(expired(true).client)).toBeUndefined()
    })

    it('makes no new pair: a DELETE tells that it is over, as often as it is asked', () => {
      const { gateway, client } = expired()
      const { bytes } = client.ike.quick1()
      for (let n = 1; n <= 2; n++) {
        const payloads = client.ike.openInformational(client.must(bytes))
        expect(body(payloads, PayloadType.Delete)).toBeDefined()
      }
      expect(gateway.count('isakmp-sa-expired')).toBe(2)
      expect(gateway.endpoint.snapshot().children).toHaveLength(1)
      expect(of(gateway.take(), 'installInbound')).toEqual([])
    })

    it('completes a Quick Mode that was under way', () => {
      const gateway = new Gateway({ lifetimeSeconds: 600, sendDeletes: false })
      const client = new Client(gateway).mainMode()
      gateway.pass(599)
      const { bytes } = client.ike.quick3(client.must(client.ike.quick1().bytes))
      gateway.pass(2)
      client.send(bytes)
      expect(gateway.endpoint.snapshot().children.map(c => c.complete)).toEqual([true])
    })

    it('lets go of it with a newer one, with the last pair, and when the client does', () => {
      const newer = expired()
      new Client(newer.gateway, { seed: 'newer' }).mainMode()
      expect(asked(newer.client)).toBeUndefined()
      expect(newer.gateway.endpoint.snapshot().children).toHaveLength(1)

      const last = expired()
      last.client.send(last.client.ike.deleteEsp(last.pair.inboundSpi))
      expect(of(last.gateway.take(), 'peerDown')).toHaveLength(1)

      const told = expired()
      told.client.send(told.client.ike.deleteIsakmp())
      expect(asked(told.client)).toBeUndefined()

      // Where its own life of it is over.
      const gateway = new Gateway({ lifetimeSeconds: 600, sendDeletes: false })
      const brief = new Client(gateway, { lifetimeSeconds: 700 })
      brief.connect()
      gateway.pass(650)
      expect(asked(brief)).toBe(Notify.DpdRUThereAck)
      gateway.pass(51)
      expect(asked(brief)).toBeUndefined()
    })
  })

  it('takes a packet on the inbound SA for the third message', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const two = client.must(client.ike.quick1().bytes)
    const { bytes, pair } = client.ike.quick3(two)
    gateway.take()
    expect(kinds(gateway.give({ kind: 'saUsed', spi: pair.outboundSpi }))).toEqual([
      'installOutbound',
      'phase2Completed',
    ])
    expect(gateway.give({ kind: 'saUsed', spi: pair.outboundSpi })).toEqual([])
    client.send(bytes)
    client.send(bytes)
    expect(of(gateway.take(), 'installOutbound')).toHaveLength(1)
  })

  it('ends a pair that carried as many bytes as it may', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const pair = client.connect()
    gateway.take()
    const effects = gateway.give({ kind: 'saExhausted', peer: 1, spi: pair.inboundSpi, inbound: false })
    expect(kinds(effects)).toEqual(['send', 'removeSa'])
  })

  it('cuts a life that is longer than the policy allows, and says so', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy, lifetimeSeconds: 900, lifetimeKilobytes: 1000 }] })
    const client = new Client(gateway).mainMode()
    const { payloads, bytes } = client.ike.quick3(client.must(client.ike.quick1().bytes))
    client.send(bytes)
    const n = parseNotification(body(payloads, PayloadType.Notification)!)
    expect(n.type).toBe(Notify.ResponderLifetime)
    expect(parseAttributes(n.data).map(a => a.value)).toEqual([1, 900, 2, 1000])
    expect(of(gateway.take(), 'installOutbound')[0]!.sa).toMatchObject({
      lifetimeSeconds: 900,
      lifetimeKilobytes: 1000,
    })
    expect(of(gateway.pass(901), 'removeSa')).toHaveLength(1)
  })

  it('says nothing of a life that is shorter than the policy allows', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy, lifetimeSeconds: 86400 }] })
    const client = new Client(gateway).mainMode()
    const { payloads } = client.ike.quick3(client.must(client.ike.quick1().bytes))
    expect(body(payloads, PayloadType.Notification)).toBeUndefined()
  })

  it('removes what was never completed, and no third message brings it back', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const { bytes, pair } = client.ike.quick3(client.must(client.ike.quick1().bytes))
    client.send(client.ike.deleteEsp(pair.inboundSpi))
    client.send(bytes)
    expect(of(gateway.take(), 'installOutbound')).toEqual([])
    expect(gateway.endpoint.snapshot().children).toEqual([])
  })
})

describe('the choice of a Quick Mode proposal', () => {
  const ah = (number: number, spi: Uint8Array) => ({
    ...espProposal(number, spi, { cipher: '3des', integrity: 'sha1' }, Encapsulation.UdpTransportDraft),
    protocol: Protocol.Ah,
  })
  const tripleDes = { cipher: '3des', integrity: 'sha1' } as const

  it('skips a number that bundles AH with ESP and takes the next', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const mode = Encapsulation.UdpTransportDraft
    const { bytes } = client.ike.quick1(spi => [
      ah(1, spi),
      espProposal(1, spi, tripleDes, mode),
      espProposal(2, spi, { cipher: '3des', integrity: 'md5' }, mode),
    ])
    expect(client.ike.quick3(client.must(bytes)).pair.suite.integrity).toBe('md5')
  })

  it('refuses where only bundles are offered, with the reason and a notify, once', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    gateway.take()
    const { bytes } = client.ike.quick1(spi => [
      ah(1, spi),
      espProposal(1, spi, tripleDes, Encapsulation.UdpTransportDraft),
    ])
    const notify = client.ike.openInformational(client.must(bytes))
    expect(parseNotification(body(notify, PayloadType.Notification)!).type).toBe(Notify.NoProposalChosen)
    const [failed] = events(gateway.take(), 'failed')
    expect(failed).toMatchObject({ phase: 2, cause: 'no-proposal-phase2', peer: 1 })
    expect(failed!.remedy).toContain('not bundled with another protocol')
    expect(client.send(bytes)).toBeUndefined()
    expect(events(gateway.take(), 'failed')).toEqual([])
  })

  it('refuses tunnel mode, and plain transport across a NAT', () => {
    for (const mode of [Encapsulation.Tunnel, Encapsulation.UdpTunnel, Encapsulation.Transport]) {
      const gateway = new Gateway()
      const client = new Client(gateway).mainMode()
      gateway.take()
      client.send(client.ike.quick1(spi => [espProposal(1, spi, tripleDes, mode)]).bytes)
      expect(events(gateway.take(), 'failed')[0]!.remedy).toMatch(/tunnel mode|plain transport mode across a NAT/)
    }
  })

  it('insists on PFS where the policy does, in its group alone', () => {
    const phase2 = [{ ...phase2Policy, pfsGroup: 2 as const }]
    const without = new Gateway({ phase2 })
    const client = new Client(without).mainMode()
    client.send(client.ike.quick1().bytes)
    expect(events(without.take(), 'failed')[0]!.remedy).toContain('no PFS')
    const gateway = new Gateway({ phase2 })
    expect(new Client(gateway, { pfsGroup: 2 }).connect().suite.cipher).toBe('3des')
  })

  it('names what was offered and what is allowed', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy, suites: [{ cipher: 'aes256', integrity: 'sha256' }] }] })
    const client = new Client(gateway).mainMode()
    client.send(client.ike.quick1().bytes)
    const [failed] = events(gateway.take(), 'failed')
    expect(failed!.detail).toBe(
      '203.0.113.7:1028 offered ESP 3DES-MD5, ESP 3DES-SHA1, ESP DES-MD5; IPsec policy "l2tp" allows ESP AES256-SHA256',
    )
    expect(failed!.remedy).toBe('allow ESP 3DES-MD5 (for the offer ESP 3DES-MD5)')
    expect(NAT).toBe(ipv4('203.0.113.7'))
  })

  it('refuses what no IPsec policy covers', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy, localPort: 1723 }] })
    const client = new Client(gateway).mainMode()
    client.send(client.ike.quick1().bytes)
    expect(events(gateway.take(), 'failed')[0]).toMatchObject({ cause: 'bad-identity' })
  })
})

describe('one who has the key of the group, its names and a forged source', () => {
  it('never becomes a part of a client, where that client has not come to his place itself', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    const [mine] = gateway.endpoint.snapshot().sas
    const stranger = new Client(gateway, { seed: 'stranger', outside: ipv4('198.51.100.66') }).mainMode()
    stranger.outside = client.outside
    gateway.take()
    stranger.send(stranger.ike.areYouThere(1))
    expect(of(gateway.take(), 'peerMoved')).toHaveLength(1)
    expect(gateway.count('peer-joined')).toBe(0)
    const { sas, children } = gateway.endpoint.snapshot()
    expect(new Set(sas.map(s => s.peer)).size).toBe(2)
    expect(children.map(c => c.peer)).toEqual([mine!.peer])
  })

  it('is taken in by a client that comes to his place: whoever is there under its name is it', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    const [mine] = gateway.endpoint.snapshot().sas
    const renewed = new Client(gateway, { seed: 'renewed', ports: { 500: 1031, 4500: 1032 } }).mainMode()
    expect(gateway.endpoint.snapshot().sas).toHaveLength(2)
    client.ports = renewed.ports
    gateway.take()
    client.send(client.ike.areYouThere(1))
    expect(of(gateway.take(), 'peerDown')).toMatchObject([{ joined: mine!.peer }])
    const { sas } = gateway.endpoint.snapshot()
    expect(sas.map(s => s.peer)).toEqual([mine!.peer, mine!.peer])
    renewed.quickMode()
    expect(gateway.endpoint.snapshot().children.map(c => c.peer)).toEqual([mine!.peer, mine!.peer])
  })
})
