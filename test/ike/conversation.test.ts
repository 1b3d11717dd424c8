import { describe, expect, it } from 'vitest'
import { IdType, Notify, PayloadType } from '../../src/ike/constants.ts'
import { bodies, body, parseHeader, parseMessage } from '../../src/ike/message.ts'
import { parseDeletion, parseIdentification, parseNatOa, parseNotification } from '../../src/ike/payload.ts'
import { parseSa } from '../../src/ike/proposal.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { Client, events, Gateway, kinds, NAT, of, phase2Policy, SERVER } from './gateway.ts'
import { windows7First, windows2000First, xpFirst } from './samples.ts'

const HOME = ipv4('192.0.2.50')

/** A client with a public address. */
const direct = { address: HOME, outside: HOME, ports: { 500: 500, 4500: 4500 } } as const

describe('Windows XP behind a NAT', () => {
  it('connects: six messages, a float to 4500, three messages', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const two = client.must(client.ike.message1())
    expect(kinds(gateway.take())).toEqual(['phase1Started', 'send'])
    const answer = parseMessage(two)
    expect(bodies(answer.payloads, PayloadType.VendorId).map(toHex)).toEqual([
      '90cb80913ebb696e086381b5ec427b1f',
      '4048b7d56ebce88525e7de7f00d6c2d3',
    ])

    const four = client.must(client.ike.message3(two))
    expect(kinds(gateway.take())).toEqual(['send'])
    const five = client.ike.message5(four)
    expect(client.ike.nat).toEqual({ client: true, server: false })
    expect(client.ike.port).toBe(4500)
    client.ike.finish(client.must(five))
    const up = gateway.take()
    expect(kinds(up)).toEqual(['peerUp', 'send', 'phase1Completed'])
    expect(of(up, 'send')[0]).toMatchObject({
      local: { address: SERVER, port: 4500 },
      remote: { address: NAT, port: 1028 },
    })
    expect(of(up, 'peerUp')[0]).toMatchObject({ peer: 1, identity: 'XPCLIENT', remote: { address: NAT, port: 1028 } })
    expect(events(up, 'phase1Completed')[0]).toMatchObject({
      nat: 'client',
      suite: { cipher: '3des', hash: 'sha1', group: 14 },
    })
    expect(parseIdentification(client.ike.serverIdentity!)).toMatchObject({
      type: IdType.Ipv4Address,
      protocol: 0,
      port: 0,
    })

    const quick2 = client.must(client.ike.quick1().bytes)
    expect(kinds(gateway.take())).toEqual(['phase2Started', 'installInbound', 'send'])
    const { bytes, pair, payloads } = client.ike.quick3(quick2)
    expect(bodies(payloads, PayloadType.NatOaDraft)).toEqual([])
    client.send(bytes)
    const done = gateway.take()
    expect(kinds(done)).toEqual(['installOutbound', 'phase2Completed'])
    const { sa } = of(done, 'installOutbound')[0]!
    // Our order: 3DES-SHA1 before 3DES-MD5, though XP offers MD5 first.
    expect(sa).toMatchObject({
      peer: 1,
      suite: { cipher: '3des', integrity: 'sha1' },
      udpEncapsulated: true,
      lifetimeSeconds: 3600,
      lifetimeKilobytes: 250000,
      inboundSpi: pair.outboundSpi,
      outboundSpi: pair.inboundSpi,
      remote: { address: NAT, port: 1028 },
      policy: 'l2tp',
    })
    expect(sa.inboundKeys.encryption.reveal()).toEqual(pair.outboundKeys.encryption)
    expect(sa.inboundKeys.integrity.reveal()).toEqual(pair.outboundKeys.integrity)
    expect(sa.outboundKeys.encryption.reveal()).toEqual(pair.inboundKeys.encryption)
    expect(sa.outboundKeys.integrity.reveal()).toEqual(pair.inboundKeys.integrity)
    const snapshot = gateway.endpoint.snapshot()
    expect(snapshot.sas[0]).toMatchObject({
      peer: 1,
      natFlavour: 'draft-02lf',
      client: 'Windows XP SP2/SP3 or Server 2003',
      policy: 'roadwarriors',
      initiatorCookie: toHex(client.ike.cookie),
    })
    expect(snapshot.exchanges).toEqual([])
    expect(snapshot.children[0]).toMatchObject({ complete: true, expires: 3600_000 })
    expect(gateway.endpoint.exportKeys()).toHaveLength(1)
    expect(JSON.stringify(gateway.endpoint.exportKeys())).toContain('<secret>')
  })

  it('may be heard on another address and port from message 5 on', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const four = client.must(client.ike.message3(client.must(client.ike.message1())))
    const five = client.ike.message5(four)
    client.outside = ipv4('203.0.113.99')
    client.ike.finish(client.must(five))
    expect(of(gateway.take(), 'peerUp')[0]!.remote).toEqual({ address: client.outside, port: 1028 })
  })
})

describe('Windows 10', () => {
  it('connects behind a NAT with AES and answers of two original addresses', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, windows10).mainMode()
    expect(client.ike.suite).toEqual({ cipher: 'aes256', hash: 'sha1', group: 14 })
    expect(client.ike.natFlavour).toBe('rfc3947')
    const { bytes, messageId } = client.ike.quick1()
    expect(messageId).toBe(1)
    const { payloads, pair } = client.ike.quick3(client.must(bytes))
    expect(bodies(payloads, PayloadType.NatOa).map(parseNatOa)).toEqual([NAT, SERVER])
    expect(pair.suite).toEqual({ cipher: 'aes256', integrity: 'sha1' })
  })

  it.each([20, 19, 14, 5, 2, 1] as const)('agrees on keys in group %i', group => {
    const gateway = new Gateway({ groups: [group] })
    const client = new Client(gateway, { ...windows10, offers: [{ cipher: 'aes128', hash: 'sha256', group }] })
    expect(client.connect().suite.cipher).toBe('aes256')
  })

  it.each([1, 2, 5, 14, 19, 20] as const)('agrees on keys with PFS in group %i', pfsGroup => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...windows10, pfsGroup })
    const pair = client.connect()
    const sa = of(gateway.take(), 'installOutbound')[0]!.sa
    expect(sa.outboundKeys.encryption.reveal()).toEqual(pair.inboundKeys.encryption)
    expect(sa.inboundKeys.integrity.reveal()).toEqual(pair.outboundKeys.integrity)
  })

  it.each(['des', '3des', 'aes128', 'aes192', 'aes256'] as const)('agrees on keys with %s in both phases', cipher => {
    for (const hash of ['md5', 'sha1', 'sha256'] as const) {
      const suites = [{ cipher, integrity: hash }]
      const gateway = new Gateway({ ciphers: [cipher], hashes: [hash], phase2: [{ ...phase2Policy, suites }] })
      const client = new Client(gateway, { offers: [{ cipher, hash, group: 2 }], quickOffers: suites })
      const pair = client.connect()
      const sa = of(gateway.take(), 'installOutbound')[0]!.sa
      expect(sa.outboundKeys.encryption.reveal()).toEqual(pair.inboundKeys.encryption)
    }
  })

  it.each([
    ['aesgcm128', 20],
    ['aesgcm192', 28],
    ['aesgcm256', 36],
  ] as const)(
    'agrees on %s with keys and salts of %i bytes, and on the integrity that is its own',
    (cipher, length) => {
      const suites = [{ cipher, integrity: 'gcm' }] as const
      const gateway = new Gateway({ phase2: [{ ...phase2Policy, suites: [...suites, ...phase2Policy.suites] }] })
      const client = new Client(gateway, { ...windows10, quickOffers: [...windows10.quickOffers, ...suites] })
      const pair = client.connect()
      const sa = of(gateway.take(), 'installOutbound')[0]!.sa
      expect(sa.suite).toEqual(suites[0])
      expect(sa.outboundKeys.encryption.reveal()).toEqual(pair.inboundKeys.encryption)
      expect(sa.inboundKeys.encryption.reveal()).toEqual(pair.outboundKeys.encryption)
      expect(sa.inboundKeys.encryption.reveal().length).toBe(length)
      expect(sa.inboundKeys.integrity.reveal().length).toBe(0)
      expect(sa.inboundKeys.encryption.reveal()).not.toEqual(sa.outboundKeys.encryption.reveal())
    },
  )

  it('agrees on GCM with nobody unless its policy names it, and names what was offered', () => {
    const gateway = new Gateway()
    const offers = [{ cipher: 'aesgcm256', integrity: 'gcm' }] as const
    const client = new Client(gateway, { ...windows10, quickOffers: offers })
    expect(() => client.connect()).toThrow()
    const failed = of(gateway.take(), 'event').flatMap(({ event }) => (event.kind === 'failed' ? [event] : []))
    expect(failed[0]).toMatchObject({ phase: 2, cause: 'no-proposal-phase2' })
    expect(failed[0]!.detail).toContain('ESP AESGCM256')
  })

  it('connects without a NAT on port 500 with plain ESP', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...windows10, ...direct })
    const pair = client.connect()
    expect(pair.udpEncapsulated).toBe(false)
    expect(client.ike.port).toBe(500)
    expect(of(gateway.effects, 'installOutbound')[0]!.sa).toMatchObject({ udpEncapsulated: false })
    expect(of(gateway.pass(100), 'keepalive')).toEqual([])
  })

  it('shares message IDs with its neighbour behind the same NAT without harm', () => {
    const gateway = new Gateway()
    const a = new Client(gateway, { ...windows10, seed: 'a' })
    const b = new Client(gateway, { ...windows10, seed: 'b', ports: { 500: 2027, 4500: 2028 } })
    a.mainMode()
    b.mainMode()
    const qa = a.must(a.ike.quick1().bytes)
    const qb = b.must(b.ike.quick1().bytes)
    expect(parseHeader(qa).messageId).toBe(parseHeader(qb).messageId)
    b.send(b.ike.quick3(qb).bytes)
    a.send(a.ike.quick3(qa).bytes)
    expect(of(gateway.effects, 'installOutbound').map(e => e.sa.peer)).toEqual([2, 1])
    expect(of(gateway.effects, 'peerUp')).toHaveLength(2)
  })
})

describe('real and reconstructed first messages', () => {
  it.each([
    ['Windows XP', xpFirst, 1, 'Windows XP SP2/SP3 or Server 2003', '90cb8091'],
    ['Windows 7', windows7First, 3, 'Windows 7 or Server 2008 R2', '4a131c81'],
  ])('of %s gets its best transform back, unchanged', (_, first, transform, text, vendorId) => {
    const gateway = new Gateway()
    const effects = gateway.datagram({ address: NAT, port: 500 }, 500, first)
    expect(events(effects, 'phase1Started')[0]!.client).toBe(text)
    const { payloads } = parseMessage(of(effects, 'send')[0]!.bytes)
    const [offered] = parseSa(body(parseMessage(first).payloads, PayloadType.Sa)!)
    const [chosen] = parseSa(body(payloads, PayloadType.Sa)!)
    expect(chosen!.number).toBe(1)
    expect(chosen!.transforms).toEqual([offered!.transforms[transform - 1]])
    expect(toHex(body(payloads, PayloadType.VendorId)!).slice(0, 8)).toBe(vendorId)
    // Fewer bytes than came in: nobody is amplified.
    expect(of(effects, 'send')[0]!.bytes.length).toBeLessThan(first.length)
  })

  it('of Windows 2000 without its update gets no NAT traversal', () => {
    const gateway = new Gateway()
    const effects = gateway.datagram({ address: NAT, port: 500 }, 500, windows2000First)
    expect(events(effects, 'phase1Started')[0]!.client).toBe('Windows 2000, without NAT traversal')
    const { payloads } = parseMessage(of(effects, 'send')[0]!.bytes)
    expect(bodies(payloads, PayloadType.VendorId)).toEqual([])
  })

  it('gets the DPD vendor ID only where it sent it', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { vendorIds: [VendorId.Dpd] })
    const { payloads } = parseMessage(client.must(client.ike.message1()))
    expect(bodies(payloads, PayloadType.VendorId).map(toHex)).toContain(toHex(VendorId.Dpd))
  })
})

describe('a gateway behind a NAT', () => {
  const inside = ipv4('10.0.0.4')
  const hidden = { publicAddress: SERVER }

  function run(client: Client, gateway: Gateway) {
    const send = (bytes: Uint8Array) =>
      of(gateway.datagram(client.remote, client.ike.port, bytes, inside), 'send')[0]!.bytes
    const four = send(client.ike.message3(send(client.ike.message1())))
    client.ike.finish(send(client.ike.message5(four)))
    return send
  }

  it('is seen as such by the client where no public address is configured', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    run(client, gateway)
    expect(client.ike.nat).toEqual({ client: true, server: true })
    expect(events(gateway.effects, 'phase1Completed')[0]!.nat).toBe('both')
  })

  it('is hidden where one is, and sends keepalives', () => {
    const gateway = new Gateway({}, hidden)
    const client = new Client(gateway)
    run(client, gateway)
    expect(client.ike.nat).toEqual({ client: true, server: false })
    expect(readIpv4(parseIdentification(client.ike.serverIdentity!).data)).toBe(SERVER)
    expect(of(gateway.pass(61), 'keepalive')).toHaveLength(3)
  })

  it('makes a client with a public address encapsulate, since plain ESP would not come through', () => {
    const gateway = new Gateway({}, hidden)
    const client = new Client(gateway, { ...windowsXp, ...direct })
    const send = run(client, gateway)
    expect(client.ike.nat).toEqual({ client: true, server: false })
    const { pair } = client.ike.quick3(send(client.ike.quick1().bytes))
    expect(pair.udpEncapsulated).toBe(true)
  })

  it('makes everybody encapsulate where only UDP arrives, and has no plain ESP from those who cannot', () => {
    const forced = { forceEncapsulation: true }
    for (const profile of [windowsXp, windows10]) {
      const client = new Client(new Gateway({}, forced), { ...profile, ...direct })
      const pair = client.connect()
      expect(client.ike.nat).toEqual({ client: true, server: false })
      expect(pair.udpEncapsulated).toBe(true)
    }
    const gateway = new Gateway({}, forced)
    const old = new Client(gateway, { ...windowsXp, ...direct, natFlavours: [] })
    old.mainMode()
    old.send(old.ike.quick1().bytes)
    const [failed] = events(gateway.take(), 'failed')
    expect(failed).toMatchObject({ phase: 2, cause: 'no-proposal-phase2' })
    expect(failed!.remedy).toMatch(/does not know NAT traversal.*update 818043.*"forceEncapsulation"/)
  })

  it('returns the hash of whatever the client dialled where that is not the public address either', () => {
    const gateway = new Gateway({}, { publicAddress: ipv4('198.51.100.77') })
    const client = new Client(gateway)
    run(client, gateway)
    expect(client.ike.nat).toEqual({ client: true, server: false })
  })
})

describe('DELETE', () => {
  it('of the peer ends the pair it names, by our outbound SPI, and the peer at last', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const pair = client.connect()
    gateway.take()
    client.send(client.ike.deleteEsp(0x01020304))
    expect(kinds(gateway.take())).toEqual(['notified'])
    expect(gateway.count('delete-unknown')).toBe(1)
    client.send(client.ike.deleteEsp(pair.inboundSpi))
    const removed = gateway.take()
    expect(kinds(removed)).toEqual(['notified', 'removeSa'])
    expect(of(removed, 'removeSa')[0]).toMatchObject({ inboundSpi: pair.outboundSpi, outboundSpi: pair.inboundSpi })
    const last = client.ike.deleteIsakmp()
    client.send(last)
    expect(kinds(gateway.take())).toEqual(['notified', 'peerDown'])
    client.send(last)
    expect(gateway.count('unknown-cookie')).toBe(1)
  })

  it('of several SPIs in one payload ends them all', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const pairs = [client.quickMode(), client.quickMode(), client.quickMode()]
    gateway.take()
    client.send(client.ike.deleteEsp(...pairs.map(p => p.inboundSpi)))
    expect(of(gateway.take(), 'removeSa').map(e => e.inboundSpi)).toEqual(pairs.map(p => p.outboundSpi))
  })

  it('of the ISAKMP SA leaves the ESP SAs alive', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    gateway.take()
    client.send(client.ike.deleteIsakmp())
    expect(kinds(gateway.take())).toEqual(['notified'])
    expect(gateway.endpoint.snapshot().sas).toEqual([])
    expect(gateway.endpoint.snapshot().children).toHaveLength(1)
    const effects = gateway.pass(3601)
    expect(kinds(effects).filter(k => k !== 'keepalive')).toEqual(['removeSa', 'peerDown'])
  })

  it('never reaches a neighbour, even with its SPI or cookies', () => {
    const gateway = new Gateway()
    const a = new Client(gateway, { seed: 'a' })
    const b = new Client(gateway, { seed: 'b', ports: { 500: 2027, 4500: 2028 } })
    a.connect()
    const theirs = b.connect()
    gateway.take()
    a.send(a.ike.deleteEsp(theirs.inboundSpi))
    expect(of(gateway.take(), 'removeSa')).toEqual([])
    expect(gateway.endpoint.snapshot().children).toHaveLength(2)
  })

  it('is sent for everything when a peer is closed, protected and once', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const pair = client.connect()
    gateway.take()
    const effects = gateway.give({ kind: 'closePeer', peer: 1, reason: 'operator' })
    expect(kinds(effects)).toEqual(['send', 'removeSa', 'send', 'peerDown'])
    const [esp, isakmp] = of(effects, 'send').map(e => client.ike.openInformational(e.bytes))
    expect(parseDeletion(body(esp!, PayloadType.Delete)!)).toMatchObject({ protocol: 3 })
    expect(readIpv4(parseDeletion(body(esp!, PayloadType.Delete)!).spis[0]!)).toBe(pair.outboundSpi)
    expect(parseDeletion(body(isakmp!, PayloadType.Delete)!)).toMatchObject({ protocol: 1, spiSize: 16 })
    expect(gateway.pass(1000)).toEqual([])
    expect(gateway.endpoint.deadline).toBeUndefined()
  })

  it('is not sent where the policy says so', () => {
    const gateway = new Gateway({ sendDeletes: false })
    new Client(gateway).connect()
    gateway.take()
    expect(kinds(gateway.give({ kind: 'shutdown' }))).toEqual(['removeSa', 'peerDown'])
  })
})

describe('dead peer detection and notifies', () => {
  it('answers R-U-THERE with the same sequence number', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const question = client.ike.areYouThere(7)
    const answer = client.ike.openInformational(client.must(question))
    const n = parseNotification(body(answer, PayloadType.Notification)!)
    expect(n.type).toBe(Notify.DpdRUThereAck)
    expect(toHex(n.data)).toBe('00000007')
    expect(client.send(question)).toBeUndefined()
    expect(gateway.count('repeated-message-id')).toBe(1)
  })
})

describe('moving', () => {
  it('follows an authenticated message, and the data path', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    gateway.take()
    client.ports = { 500: 1027, 4500: 5555 }
    client.send(client.ike.areYouThere(1))
    const moved = gateway.take()
    expect(of(moved, 'peerMoved')[0]).toMatchObject({ peer: 1, remote: { address: NAT, port: 5555 } })
    expect(of(moved, 'send')[0]!.remote.port).toBe(5555)
    gateway.give({ kind: 'peerMoved', peer: 1, local: SERVER, remote: { address: NAT, port: 6666 } })
    expect(gateway.take()).toEqual([])
    expect(gateway.endpoint.snapshot().children[0]!.remote.port).toBe(6666)
    expect(gateway.endpoint.snapshot().sas[0]!.peerAddress.port).toBe(6666)
  })

  it('does not follow a message back to port 500', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    client.connect()
    gateway.take()
    const effects = gateway.datagram({ address: NAT, port: 1027 }, 500, client.ike.areYouThere(1))
    expect(of(effects, 'peerMoved')).toEqual([])
    expect(gateway.endpoint.snapshot().sas[0]!.peerAddress.port).toBe(1028)
  })

  it('does not follow a repetition of an old message', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    const question = client.ike.areYouThere(1)
    client.send(question)
    client.send(question, { address: ipv4('192.0.2.66'), port: 4500 })
    expect(of(gateway.effects, 'peerMoved')).toEqual([])
  })
})

describe('two clients with one private address behind two NATs', () => {
  it('are two peers, though they bear one identity', () => {
    const gateway = new Gateway()
    new Client(gateway, { ...windows10, seed: '1' }).connect()
    new Client(gateway, { ...windows10, seed: '2', outside: ipv4('203.0.113.8') }).connect()
    const ups = of(gateway.effects, 'peerUp')
    expect(ups.map(u => u.identity)).toEqual(['192.168.1.10', '192.168.1.10'])
    expect(ups.map(u => u.peer)).toEqual([1, 2])
  })
})
