import { readdirSync, readFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Authentication, Exchange, Notify, PayloadType, Phase1Attribute } from '../../src/ike/constants.ts'
import { generateKeyPair } from '../../src/ike/dh.ts'
import { body, emitMessage, type Header, parseMessage } from '../../src/ike/message.ts'
import { emitDeletion, parseNotification } from '../../src/ike/payload.ts'
import { basic, emitAttributes, emitSa, parseAttributes, parseSa } from '../../src/ike/proposal.ts'
import { type Endpoint, type Ipv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { DropReason, dropReasonNames } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import { mutate, Rng } from '../fuzz/random.ts'
import { anna, type Guest, type GuestOptions, LAN_HOST, ping, SERVER, World } from '../gateway/world.ts'
import { authIp, windows7First, windows10First, xpFirst } from '../ike/samples.ts'
import { type EspOffer, espProposal } from '../support/offers.ts'
import { type VpnProfile, windows10 } from '../support/profiles.ts'

vi.mock('../../src/ike/dh.ts', async original => {
  const dh = await original<typeof import('../../src/ike/dh.ts')>()
  return { ...dh, generateKeyPair: vi.fn(dh.generateKeyPair) }
})

beforeEach(() => void vi.mocked(generateKeyPair).mockClear())

const ben: GuestOptions = {
  ...anna,
  user: 'ben',
  password: 'bananas',
  profile: windows10,
  outer: ipv4('203.0.113.102'),
}
/** Where spoofed datagrams come from, from here on. */
const HOSTILE = ipv4('198.18.0.0')

interface Sent {
  readonly port: 0 | 500 | 4500
  readonly bytes: Uint8Array
}

/** A guest that is connected, and every packet that it sent on the way. */
function connected(w: World, o: GuestOptions): { guest: Guest; sent: Sent[] } {
  const guest = w.guest(o)
  const sent: Sent[] = []
  guest.pass = (direction, port, bytes) => {
    if (direction === 'up') sent.push({ port, bytes: bytes.slice() })
    return true
  }
  w.connect(guest)
  expect(guest.client.phase).toBe('up')
  return { guest, sent }
}

/** Somebody who sends what he likes from any address he likes; what is sent there is only counted. */
class Attacker {
  readonly world: World
  /** Bytes to and from each of his addresses. */
  readonly books = new Map<Ipv4, { sent: number; got: number }>()
  readonly answers: Uint8Array[] = []

  constructor(world: World) {
    this.world = world
  }

  at(address: Ipv4, port = 500): Endpoint {
    if (!this.books.has(address)) {
      const book = { sent: 0, got: 0 }
      this.books.set(address, book)
      const place = this.world.guest({
        ...anna,
        user: `nobody ${address}`,
        outer: address,
        ports: { 500: port, 4500: port },
      })
      place.pass = (_, __, bytes) => {
        book.got += bytes.length
        this.answers.push(bytes)
        return false
      }
    }
    return { address, port }
  }

  send(from: Endpoint, port: 0 | 500 | 4500, bytes: Uint8Array): void {
    this.books.get(from.address)!.sent += bytes.length
    this.world.gateway.receive(port, from, bytes)
  }
}

const dropped = (w: World, reason: keyof typeof DropReason) =>
  w.stats.totals()[`drop${dropReasonNames[DropReason[reason]]}`] ?? 0

/** A ping into the LAN, and its answer: the guest is there, and its packets go where it is. */
function pings(w: World, guest: Guest): void {
  const before = [w.toLan.length, guest.received.length] as const
  w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
  w.fromLan(ping(LAN_HOST, guest.client.address, true))
  expect([w.toLan.length, guest.received.length]).toEqual([before[0] + 1, before[1] + 1])
}

/** A first message under another initiator's cookie. */
function under(cookie: number, message: Uint8Array): Uint8Array {
  const copy = message.slice()
  new DataView(copy.buffer).setUint32(4, cookie)
  return copy
}

describe('an address that nobody has proved', () => {
  it('gets no more bytes than came from there, and nothing by a timer', () => {
    const w = new World()
    const { sent } = connected(w, anna)
    const attacker = new Attacker(w)
    const rng = new Rng(1)
    const genuine = [
      ...sent,
      ...[xpFirst, windows7First, windows10First, authIp].map(bytes => ({ port: 500 as const, bytes })),
    ]
    for (let i = 0; i < 1500; i++) {
      const { port, bytes } = rng.pick(genuine)
      const from = attacker.at(HOSTILE + rng.below(200))
      const head = port === 4500 ? 4 : 0
      const damaged = rng.chance(40) ? mutate(rng, bytes.slice(head)) : under(i, bytes.slice(head))
      if (damaged.length >= 28 && rng.chance(90)) new DataView(damaged.buffer).setUint32(24, damaged.length)
      attacker.send(from, port, concat(bytes.slice(0, head), damaged))
    }
    expect(attacker.answers.length).toBeGreaterThan(100)
    for (const { sent: bytesIn, got } of attacker.books.values()) expect(got).toBeLessThanOrEqual(bytesIn)
    attacker.answers.length = 0
    w.guests.splice(1)
    const silent = w.guest({ ...anna, user: 'nobody', outer: HOSTILE })
    const spoken: Uint8Array[] = []
    silent.pass = (_, __, bytes) => spoken.push(bytes) === 0
    w.advance(300_000)
    expect([spoken, attacker.answers]).toEqual([[], []])
    expect(w.control.bugs).toBe(0)
  })

  it('costs no Diffie-Hellman before it has returned our cookie', () => {
    const w = new World()
    const attacker = new Attacker(w)
    const victim = w.guest(anna)
    const firsts: Uint8Array[] = []
    let third: Uint8Array | undefined
    victim.pass = (direction, port, bytes) => {
      if (direction === 'up' && bytes[18] === Exchange.Main && readIpv4(bytes, 8) !== 0) {
        third ??= bytes.slice()
        return port !== 500
      }
      if (direction === 'up') firsts.push(bytes.slice())
      return true
    }
    w.act(victim, { kind: 'start' })
    w.advance(500)
    // That was the client's own.
    vi.mocked(generateKeyPair).mockClear()
    for (let i = 0; i < 500; i++) {
      const from = attacker.at(HOSTILE + i)
      attacker.send(from, 500, under(i, firsts[0]!))
      // The victim's third message, from elsewhere, and one that guesses the cookie.
      attacker.send(from, 500, third!)
      const guessed = under(i, third!)
      guessed[15]! ^= 1 + (i & 0x7f)
      attacker.send(from, 500, guessed)
    }
    expect(vi.mocked(generateKeyPair)).not.toHaveBeenCalled()
    w.gateway.receive(500, { address: victim.outer, port: 31_001 }, third!)
    expect(vi.mocked(generateKeyPair)).toHaveBeenCalledOnce()
  })

  it('floods with every address of its network, and real clients connect all the same', () => {
    const w = new World()
    const attacker = new Attacker(w)
    const from = { address: HOSTILE, port: 500 }
    attacker.at(HOSTILE)
    let flooded = 0
    const flood = (n: number) => {
      for (let i = 0; i < n; i++, flooded++)
        w.gateway.receive(500, { ...from, address: HOSTILE + (flooded & 0xffff) }, under(flooded, xpFirst))
    }
    for (const o of [anna, ben]) {
      const guest = w.guest(o)
      let spoken = 0
      // More than there is room for, between its first message and its third.
      guest.pass = (direction, port) => {
        if (direction === 'up' && port === 500 && ++spoken === 2) flood(4300)
        return true
      }
      w.connect(guest)
      expect(guest.client.phase).toBe('up')
      pings(w, guest)
    }
    const { counters } = w.control.ike.snapshot()
    expect(counters['half-open-evicted']).toBeGreaterThan(4000)
    w.advance(120_000)
    expect(w.control.ike.snapshot().exchanges.filter(e => e.phase === 1)).toEqual([])
  })
})

describe('exchanges that could give something away', () => {
  const clear = (exchange: number, message: Uint8Array, version = 0x10) => {
    const copy = message.slice()
    copy[17] = version
    copy[18] = exchange
    return copy
  }

  it.each([
    ['Aggressive Mode', clear(4, xpFirst)],
    ['Base Mode', clear(1, xpFirst)],
    ['Authentication Only', clear(3, xpFirst)],
    ['New Group Mode', clear(33, xpFirst)],
    ['Quick Mode before any Main Mode', clear(32, xpFirst)],
    ['IKEv2', clear(34, xpFirst, 0x20)],
    ['AuthIP', authIp],
    ['a major version to come', clear(2, xpFirst, 0x30)],
  ])('%s gets no hash, no key and no exchange', (_, bytes) => {
    const w = new World()
    const attacker = new Attacker(w)
    attacker.send(attacker.at(HOSTILE), 500, bytes)
    attacker.send(attacker.at(HOSTILE), 4500, concat(new Uint8Array(4), bytes))
    w.advance(60_000)
    // At most a notify in clear, never a payload that depends on the pre-shared key.
    for (const answer of attacker.answers) {
      const marked = readIpv4(answer) === 0 ? 4 : 0
      expect(parseMessage(answer.slice(marked)).payloads.map(p => p.type)).toEqual([PayloadType.Notification])
    }
    expect(w.control.ike.snapshot().exchanges).toEqual([])
    expect(vi.mocked(generateKeyPair)).not.toHaveBeenCalled()
  })

  it.each([
    ['encryption with RSA', 4],
    ['revised encryption with RSA', 5],
    ['signatures with DSS', 2],
    ['XAUTH', 65001],
  ])('%s is no way to authenticate here', (_, method) => {
    const w = new World()
    const attacker = new Attacker(w)
    const { header, payloads } = parseMessage(xpFirst)
    const [proposal] = parseSa(body(payloads, PayloadType.Sa)!)
    const transforms = proposal!.transforms.map(t => ({
      ...t,
      attributes: emitAttributes(
        parseAttributes(t.attributes).map(a =>
          a.type === Phase1Attribute.Authentication ? basic(Phase1Attribute.Authentication, method) : a,
        ),
      ),
    }))
    const sa = emitSa([{ ...proposal!, transforms }])
    expect(method).not.toBe(Authentication.PresharedKey)
    const bytes = emitMessage({
      header,
      payloads: payloads.map(p => (p.type === PayloadType.Sa ? { ...p, body: sa } : p)),
    })
    attacker.send(attacker.at(HOSTILE), 500, bytes)
    const [answer] = attacker.answers
    const notify = parseNotification(body(parseMessage(answer!).payloads, PayloadType.Notification)!)
    expect([attacker.answers.length, notify.type]).toEqual([1, Notify.NoProposalChosen])
    expect(w.control.ike.snapshot().exchanges).toEqual([])
  })

  it.each<[string, EspOffer]>([
    ['integrity', { cipher: 'aes256' }],
    ['encryption', { cipher: 'null', integrity: 'sha1' }],
  ])('ESP without %s is agreed to with nobody', (_, offer) => {
    const w = new World()
    const profile: VpnProfile = { ...windows10, quickProposals: (spi, _ah, mode) => [espProposal(1, spi, offer, mode)] }
    const guest = w.guest({ ...anna, profile })
    w.connect(guest)
    expect(guest.down).toMatchObject({ failed: 'IPsec' })
    expect(w.deeds.filter(d => d.startsWith('install'))).toEqual([])
  })

  it('nothing in the gateway decrypts with an RSA key', () => {
    const sources = (folder: string): string[] =>
      readdirSync(folder, { withFileTypes: true }).flatMap(e =>
        e.isDirectory() ? sources(joinPath(folder, e.name)) : [readFileSync(joinPath(folder, e.name), 'utf8')],
      )
    const all = sources('src')
    expect(all.length).toBeGreaterThan(100)
    expect(all.filter(text => /privateDecrypt|\.decrypt\([^)]*RSA/.test(text))).toEqual([])
    // The search finds what is there: signatures are made and checked.
    expect(all.filter(text => text.includes('publicDecrypt'))).toHaveLength(1)
  })
})

describe('packets of a connected client in other hands', () => {
  it('played again, from its own place or another, they are dropped and counted, and move nobody', () => {
    const w = new World()
    const { guest, sent } = connected(w, anna)
    pings(w, guest)
    const data = sent.filter(s => s.port === 4500 && readIpv4(s.bytes) !== 0)
    const [lan, before] = [w.toLan.length, dropped(w, 'Replayed')]
    for (const { bytes } of data) {
      w.gateway.receive(4500, { address: guest.outer, port: 31_002 }, bytes)
      w.gateway.receive(4500, { address: HOSTILE, port: 4500 }, bytes)
    }
    expect(dropped(w, 'Replayed') - before).toBe(2 * data.length)
    expect(w.toLan.length).toBe(lan)
    expect(w.log.filter(l => l.includes('moved'))).toEqual([])
    pings(w, guest)
  })

  it('changed in any byte, they are dropped before anything is decrypted, and move nobody', () => {
    const w = new World()
    const { guest, sent } = connected(w, anna)
    w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    const { bytes } = sent.at(-1)!
    const lan = w.toLan.length
    // Held back and damaged, as somebody on the path does it: a number that the window has not seen.
    guest.pass = () => false
    w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    const before = dropped(w, 'BadIcv')
    for (let at = 8; at < bytes.length; at++) {
      const changed = bytes.slice()
      new DataView(changed.buffer).setUint32(4, readIpv4(bytes, 4) + 1)
      changed[at]! ^= 1 << (at & 7)
      w.gateway.receive(4500, { address: at & 1 ? HOSTILE : guest.outer, port: 31_002 }, changed)
    }
    expect(dropped(w, 'BadIcv') - before).toBe(bytes.length - 8)
    expect(w.toLan.length).toBe(lan)
    guest.pass = () => true
    pings(w, guest)
  })

  it('its place in the mouth of another: no forged DELETE, notify or garbage ends it', () => {
    const w = new World()
    const { guest, sent } = connected(w, anna)
    const neighbour = connected(w, ben)
    const place = { address: guest.outer, port: 31_002 }
    const ike = sent.filter(s => s.port === 4500 && readIpv4(s.bytes) === 0).map(s => s.bytes.slice(4))
    const cookies = ike.at(-1)!
    const header: Header = {
      initiatorCookie: cookies.slice(0, 8),
      responderCookie: cookies.slice(8, 16),
      exchange: Exchange.Informational,
      flags: 0,
      messageId: 0x1234,
    }
    const [child] = w.control.ike.snapshot().children
    const spi = new Uint8Array(4)
    new DataView(spi.buffer).setUint32(0, child!.outboundSpi)
    const deletions = [
      emitDeletion({ doi: 1, protocol: 3, spiSize: 4, spis: [spi] }),
      emitDeletion({ doi: 1, protocol: 1, spiSize: 16, spis: [cookies.slice(0, 16)] }),
    ]
    const rng = new Rng(3)
    const forged = deletions.flatMap(d => [
      emitMessage({ header, payloads: [{ type: PayloadType.Delete, body: d }] }),
      emitMessage({
        header,
        payloads: [
          { type: PayloadType.Hash, body: rng.bytes(20) },
          { type: PayloadType.Delete, body: d },
        ],
      }),
    ])
    for (const bytes of forged) {
      const encrypted = bytes.slice()
      encrypted[19] = 1
      for (const message of [bytes, encrypted, concat(encrypted.slice(0, 28), rng.bytes(bytes.length - 28))])
        for (const from of [place, { address: neighbour.guest.outer, port: 31_002 }, { address: HOSTILE, port: 4500 }])
          w.gateway.receive(4500, from, concat(new Uint8Array(4), message))
    }
    // What it said itself, once more.
    for (const bytes of ike) w.gateway.receive(4500, place, concat(new Uint8Array(4), bytes))
    w.advance(5_000)
    expect([guest.down, neighbour.guest.down]).toEqual([undefined, undefined])
    expect(w.control.sessions.all.size).toBe(2)
    pings(w, guest)
    pings(w, neighbour.guest)
  })
})

describe('a client that is let in and turns on others', () => {
  /** Sends L2TP of its own making through the client's security association. */
  function say(w: World, guest: Guest, ...pieces: readonly Uint8Array[]): void {
    const bytes = guest.client.esp.seal(...pieces)!
    w.gateway.receive(4500, { address: guest.outer, port: 31_002 }, bytes)
  }

  it('cannot speak in the tunnel and session of its neighbour', () => {
    const w = new World()
    const { guest } = connected(w, anna)
    const { guest: evil } = connected(w, ben)
    const other = [...w.control.sessions.all.values()].find(s => s.ids.peer === 1)!.ids
    const u16 = (n: number) => Uint8Array.of(n >>> 8, n)
    const data = concat(
      Uint8Array.of(0, 2),
      u16(other.localTunnelId),
      u16(other.localSessionId),
      Uint8Array.of(0xff, 3),
    )
    const lan = w.toLan.length
    say(w, evil, data, Uint8Array.of(0, 0x21), ping(guest.client.address, LAN_HOST))
    // LCP's Terminate-Request, and a StopCCN with its tunnel's number.
    say(w, evil, data, Uint8Array.of(0xc0, 0x21, 5, 1, 0, 4))
    const stop = concat(Uint8Array.of(0xc8, 2, 0, 38), u16(other.localTunnelId), new Uint8Array(6))
    const avp = (type: number, value: number) => Uint8Array.of(0x80, 8, 0, 0, 0, type, value >>> 8, value)
    say(w, evil, stop, avp(0, 4), avp(9, other.remoteTunnelId), Uint8Array.of(0x80, 10, 0, 0, 0, 1, 0, 6, 0, 0))
    w.advance(3_000)
    expect(w.toLan.length).toBe(lan)
    expect(guest.down).toBeUndefined()
    pings(w, guest)
  })

  it('sends under no address but its own', () => {
    const w = new World()
    const { guest } = connected(w, anna)
    const { guest: evil } = connected(w, ben)
    const lan = w.toLan.length
    const sources = [guest.client.address, LAN_HOST, ipv4('192.168.8.1'), SERVER, ipv4('127.0.0.1'), ipv4('0.0.0.0')]
    for (const source of sources) w.act(evil, { kind: 'ipPacket', bytes: ping(source, LAN_HOST) })
    expect(w.toLan.length).toBe(lan)
    expect(dropped(w, 'Spoofed')).toBe(sources.length)
    pings(w, evil)
  })

  it('reaches nothing of the gateway but L2TP through its security association', () => {
    const w = new World()
    const { guest } = connected(w, anna)
    const before = dropped(w, 'NotL2tp') + dropped(w, 'BadL2tp') + dropped(w, 'UnknownSession')
    const lan = w.toLan.length
    say(w, guest, Uint8Array.of(0, 1, 0, 0, 0, 0)) // L2F
    say(w, guest, Uint8Array.of(0, 3, 0, 0, 0, 0, 0, 0)) // L2TPv3
    say(w, guest, Uint8Array.of(0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0x21), ping(guest.client.address, LAN_HOST))
    expect(dropped(w, 'NotL2tp') + dropped(w, 'BadL2tp') + dropped(w, 'UnknownSession')).toBeGreaterThan(before)
    expect(w.toLan.length).toBe(lan)
    pings(w, guest)
  })

  it('that skips its password gets no address, whatever it says of IPCP', () => {
    const w = new World()
    const evil = w.guest(ben)
    let reached = false
    // Its own CHAP never arrives; in its place come IPCP and packets.
    const { ppp } = evil.client
    const receive = ppp.receive.bind(ppp)
    ppp.receive = (frame, now) => {
      const at = frame[0] === 0xff ? 2 : 0
      if (readIpv4(concat(frame, new Uint8Array(4)), at) >>> 16 !== 0xc223) return receive(frame, now)
      reached = true
      const ipcp = [0x80, 0x21, 1, 1, 0, 10, 3, 6, 192, 168, 8, 100]
      const ack = [0x80, 0x21, 2, 1, 0, 10, 3, 6, 192, 168, 8, 1]
      const success = [0xc2, 0x23, 3, 1, 0, 4]
      const ip = [0, 0x21, ...ping(ipv4('192.168.8.100'), LAN_HOST)]
      return [ipcp, ack, success, ip].map(f => Uint8Array.of(0xff, 3, ...f))
    }
    w.connect(evil, 90_000)
    expect(reached).toBe(true)
    expect(w.routes.size).toBe(0)
    expect(w.toLan).toEqual([])
    expect(evil.client.phase).not.toBe('up')
    expect(w.control.residents.poolStates().every(p => p.used.length === 0)).toBe(true)
  })
})
