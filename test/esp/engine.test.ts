/** What every engine must do, one row at a time: each test runs on the reference and on the native engine. */

import { beforeEach, describe, expect, test } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import type { Suite } from '../../src/esp/sa.ts'
import { Batch, MAX_PACKET, SLOT_SIZE } from '../../src/packet/batch.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { DropReason, PuntReason, Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import {
  batchOf,
  engines,
  espPacket,
  inboundSa,
  keysFor,
  outboundSa,
  packets,
  path,
  peersOf,
  suites,
} from './support.ts'

const aes: Suite = { cipher: 'aes128', integrity: 'sha1' }
const des3: Suite = { cipher: '3des', integrity: 'md5' }
const payload = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7 + length)
const sa = { spi: 0x1001, suite: aes }

describe.each(engines)('$name engine', ({ make }) => {
  let engine: Engine
  beforeEach(() => {
    engine = make()
  })

  /** Opens packets in one batch and answers their reasons; `None` for what goes on. */
  function open(...bytes: Uint8Array[]): number[] {
    const batch = batchOf(bytes.map(b => ({ bytes: b })))
    engine.open(batch)
    return bytes.map((_, i) => batch.reason[i]!)
  }

  function seal(lengths: number[], peer = 3): { batch: Batch; reasons: number[] } {
    const batch = batchOf(lengths.map(n => ({ bytes: payload(n), peer })))
    engine.seal(batch)
    return { batch, reasons: lengths.map((_, i) => batch.reason[i]!) }
  }

  describe('open', () => {
    beforeEach(() => engine.installInbound(inboundSa(aes, 3, sa.spi)))

    test('finds the payload, the peer, the SA and the protocol', () => {
      const batch = batchOf([{ bytes: espPacket(sa, 1, payload(100)) }])
      const before = batch.offset[0]!
      expect(engine.open(batch)).toBe(1)
      expect(batch.packet(0)).toEqual(payload(100))
      expect(batch.offset[0]).toBe(before + 8 + 16)
      expect([batch.verdict[0], batch.peer[0], batch.sa[0], batch.protocol[0]]).toEqual([0, 3, sa.spi, 17])
      expect(engine.inboundUsage(sa.spi)).toEqual({ packets: 1, bytes: 100, badIcv: 0, replayed: 0 })
    })

    test('leaves rows alone that are not to be forwarded', () => {
      const batch = batchOf([{ bytes: espPacket(sa, 1, payload(9)) }])
      batch.verdict[0] = Verdict.Punt
      batch.reason[0] = PuntReason.PppControl
      const before = packets(batch)
      expect(engine.open(batch)).toBe(0)
      expect(packets(batch)).toEqual(before)
      expect([batch.verdict[0], batch.reason[0]]).toEqual([Verdict.Punt, PuntReason.PppControl])
    })

    test('swallows keepalives, whatever the byte', () => {
      expect(open(Uint8Array.of(0xff), Uint8Array.of(0))).toEqual([DropReason.Keepalive, DropReason.Keepalive])
    })

    test('punts what follows the non-ESP marker, untouched', () => {
      const ike = concat(new Uint8Array(4), payload(60))
      const batch = batchOf([{ bytes: ike }, { bytes: new Uint8Array(4) }])
      engine.open(batch)
      for (const i of [0, 1]) expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Punt, PuntReason.Ike])
      expect(batch.packet(0)).toEqual(ike)
    })

    test('drops what is too short for an SPI, for a whole packet, or not in whole blocks', () => {
      const whole = espPacket(sa, 1, payload(3))
      expect(open(new Uint8Array(0), new Uint8Array(2), new Uint8Array(3))).toEqual(Array(3).fill(DropReason.Truncated))
      for (let length = 4; length < whole.length; length++) {
        expect(open(whole.subarray(0, length))).toEqual([DropReason.Truncated])
      }
      expect(open(concat(whole, Uint8Array.of(0)))).toEqual([DropReason.BadPadding])
      expect(open(concat(whole, new Uint8Array(16)))).toEqual([DropReason.BadIcv])
      expect(open(whole)).toEqual([DropReason.None])
    })

    test('drops rows that reach beyond the memory', () => {
      const batch = batchOf([{ bytes: espPacket(sa, 1, payload(3)) }, { bytes: espPacket(sa, 2, payload(3)) }])
      batch.offset[0] = batch.bytes.length - 10
      batch.offset[1] = 0xffffffff
      engine.open(batch)
      expect([...batch.reason.subarray(0, 2)]).toEqual([DropReason.Truncated, DropReason.Truncated])
    })

    test('knows no SPI but its own', () => {
      expect(open(espPacket({ spi: 0x1002, suite: aes }, 1, payload(3)))).toEqual([DropReason.UnknownSpi])
      expect(peersOf(engine, [sa.spi, sa.spi + 1])).toEqual([3, 0])
      engine.removeInbound(sa.spi)
      engine.removeInbound(sa.spi)
      expect(peersOf(engine, [sa.spi])).toEqual([0])
      expect(open(espPacket(sa, 1, payload(3)))).toEqual([DropReason.UnknownSpi])
      expect(engine.inboundUsage(sa.spi)).toBeUndefined()
    })

    test("takes what is too short for an SPI, or lies beyond the memory, to be nobody's", () => {
      const batch = batchOf([0, 0, 0, 0].map(() => ({ bytes: espPacket(sa, 1, payload(3)) })))
      batch.length[1] = 7
      batch.offset[2] = batch.bytes.length - 10
      expect([...engine.peersOf(batch).subarray(0, 4)]).toEqual([3, 0, 0, 3])
    })

    test('refuses a packet twice, in one batch or in two, and counts it', () => {
      const one = espPacket(sa, 1, payload(3))
      expect(open(one, one)).toEqual([DropReason.None, DropReason.Replayed])
      expect(open(one)).toEqual([DropReason.Replayed])
      expect(engine.inboundUsage(sa.spi)!.replayed).toBe(2)
    })

    test('refuses sequence number 0 and what fell out of the window', () => {
      expect(open(espPacket(sa, 0, payload(3)))).toEqual([DropReason.Replayed])
      expect(open(espPacket(sa, 100, payload(3)))).toEqual([DropReason.None])
      expect(open(espPacket(sa, 36, payload(3)), espPacket(sa, 37, payload(3)))).toEqual([
        DropReason.Replayed,
        DropReason.None,
      ])
    })

    test('lets neither a forged packet nor one with bad padding move the window', () => {
      const forged = espPacket(sa, 1000, payload(3))
      forged[forged.length - 1]! ^= 1
      const unpadded = espPacket(sa, 2000, payload(0), new Uint8Array(16).fill(9))
      expect(open(forged, unpadded, espPacket(sa, 1, payload(3)))).toEqual([
        DropReason.BadIcv,
        DropReason.BadPadding,
        DropReason.None,
      ])
      expect(engine.inboundUsage(sa.spi)).toMatchObject({ packets: 1, badIcv: 1, replayed: 0 })
    })

    test('takes any padding that counts 1, 2, 3, and no other', () => {
      const blocks = (text: number[]) => Uint8Array.from(text)
      const counted = (pad: number) => Array.from({ length: pad }, (_, i) => i + 1)
      const longest = blocks([...Array(15).fill(5), ...counted(255), 255, 4, ...[]].slice(0, 272))
      expect(longest.length % 16).toBe(0)
      const texts = [
        blocks([...Array(14).fill(5), 0, 4]),
        blocks([...counted(14), 14, 4]),
        longest,
        blocks([...counted(13), 0, 14, 4]),
        blocks([0, ...counted(13), 14, 4]),
        blocks([...Array(14).fill(0), 14, 4]),
        blocks([...counted(14), 15, 4]),
        blocks([...counted(14), 255, 4]),
      ]
      expect(open(...texts.map((text, i) => espPacket(sa, i + 1, payload(0), text)))).toEqual([
        DropReason.None,
        DropReason.None,
        DropReason.None,
        ...Array(5).fill(DropReason.BadPadding),
      ])
    })

    test('checks no sequence number where the window is 0', () => {
      engine.installInbound(inboundSa(aes, 3, sa.spi, { replayWindow: 0 }))
      const one = espPacket(sa, 1, payload(3))
      expect(open(one, one, espPacket(sa, 0, payload(3)))).toEqual([DropReason.None, DropReason.None, DropReason.None])
    })

    test('starts anew where an SA takes the place of one with its SPI', () => {
      const one = espPacket(sa, 1, payload(3))
      expect(open(one)).toEqual([DropReason.None])
      engine.installInbound(inboundSa(aes, 4, sa.spi))
      expect(open(one)).toEqual([DropReason.None])
      expect(engine.inboundUsage(sa.spi)!.packets).toBe(1)
    })

    test('keeps neighbours whole around a bad packet', () => {
      const good = Array.from({ length: 21 }, (_, i) => espPacket(sa, i + 1, payload(i * 60)))
      const rows = good.flatMap((bytes, i) => {
        const bad = espPacket(sa, 1000 + i, payload(i * 60))
        bad[(i * 97) % bad.length]! ^= 0x80
        return [bad, bytes, bytes.subarray(0, i * 5)]
      })
      const batch = batchOf(rows.map(bytes => ({ bytes })))
      engine.open(batch)
      for (let i = 0; i < good.length; i++) {
        expect(batch.verdict[i * 3 + 1]).toBe(Verdict.Forward)
        expect(batch.packet(i * 3 + 1)).toEqual(payload(i * 60))
        expect(batch.verdict[i * 3]).toBe(Verdict.Drop)
        expect(batch.verdict[i * 3 + 2]).toBe(Verdict.Drop)
      }
    })

    test('finds each of thousands of SAs, also after others went', () => {
      for (let n = 0; n < 3000; n++) engine.installInbound(inboundSa(aes, n % 50, 0x10000 + n * 4))
      for (let n = 0; n < 3000; n += 3) engine.removeInbound(0x10000 + n * 4)
      engine.removePeer(1)
      const missing: number[] = []
      for (let n = 0; n < 3000; n++) if (!engine.inboundUsage(0x10000 + n * 4)) missing.push(n)
      const expected = Array.from({ length: 3000 }, (_, n) => n).filter(n => n % 3 === 0 || n % 50 === 1)
      expect(missing).toEqual(expected)
    })
  })

  describe('seal', () => {
    beforeEach(() => {
      engine.setPath({ peer: 3, ...path })
      engine.installOutbound(outboundSa(aes, 3, sa.spi))
    })

    test('makes the packet around the payload and says where it goes', () => {
      const { batch, reasons } = seal([100])
      expect(reasons).toEqual([DropReason.None])
      // 100 + 10 padding + 2 = 112 bytes of ciphertext.
      expect(batch.packet(0).length).toBe(8 + 16 + 112 + 12)
      expect([...batch.packet(0).subarray(0, 8)]).toEqual([0, 0, 0x10, 1, 0, 0, 0, 1])
      expect([batch.address[0], batch.port[0], batch.local[0]]).toEqual([path.remote, path.port, path.local])
      expect(engine.outboundUsage(3, sa.spi)).toEqual({ packets: 1, bytes: 100, badIcv: 0, replayed: 0 })
    })

    test('pads with 1, 2, 3 and the fewest bytes', () => {
      engine.installInbound(inboundSa(aes, 3, sa.spi))
      for (let length = 0; length < 40; length++) {
        const { batch } = seal([length])
        expect(batch.length[0]).toBe(8 + 16 + Math.ceil((length + 2) / 16) * 16 + 12)
        engine.open(batch)
        expect(batch.packet(0)).toEqual(payload(length))
        expect(batch.protocol[0]).toBe(17)
      }
    })

    test('numbers packets from 1 and never uses an IV twice', () => {
      const { batch } = seal([10, 10, 10, 10, 10])
      const sealed = packets(batch)
      expect(sealed.map(p => p[7])).toEqual([1, 2, 3, 4, 5])
      expect(new Set(sealed.map(p => Buffer.from(p.subarray(8, 24)).toString('hex'))).size).toBe(5)
    })

    test('has nothing for a peer without SA or without way', () => {
      expect(seal([1], 4).reasons).toEqual([DropReason.NoSa])
      expect(seal([1], 0xffffffff).reasons).toEqual([DropReason.NoSa])
      engine.installOutbound(outboundSa(aes, 5, 0x2002))
      expect(seal([1], 5).reasons).toEqual([DropReason.NoSa])
      engine.setPath({ peer: 5, ...path, port: 0 })
      expect(seal([1], 5).reasons).toEqual([DropReason.None])
    })

    test('uses the newest SA, and the one before it where that goes', () => {
      engine.installOutbound(outboundSa(des3, 3, 0x2002))
      expect(seal([1]).batch.packet(0)[2]).toBe(0x20)
      engine.removeOutbound(3, 0x2002)
      engine.removeOutbound(3, 0x2002)
      expect(seal([1]).batch.packet(0)[2]).toBe(0x10)
      expect(engine.outboundUsage(3, 0x2002)).toBeUndefined()
      engine.removeOutbound(3, sa.spi)
      expect(seal([1]).reasons).toEqual([DropReason.NoSa])
    })

    test('forgets a peer with all it had', () => {
      engine.installInbound(inboundSa(aes, 3, 0x3003))
      engine.removePeer(3)
      engine.removePeer(3)
      engine.removePeer(9999)
      expect(engine.inboundUsage(0x3003)).toBeUndefined()
      expect(engine.outboundUsage(3, sa.spi)).toBeUndefined()
      expect(seal([1]).reasons).toEqual([DropReason.NoSa])
    })

    test('drops what does not fit its slot, without a number spent', () => {
      expect(seal([MAX_PACKET]).reasons).toEqual([DropReason.None])
      const batch = new Batch()
      for (let i = 0; i < 5; i++) {
        batch.push(payload(20))
        batch.peer[i] = 3
      }
      const cases: [number, number, number][] = [
        [8 + 16 - 1, 20, DropReason.TooBig],
        [8 + 16, 20, DropReason.None],
        [SLOT_SIZE - 44, 30, DropReason.None],
        [SLOT_SIZE - 43, 30, DropReason.TooBig],
        [64, SLOT_SIZE, DropReason.TooBig],
      ]
      cases.forEach(([at, length], i) => {
        batch.offset[i] = i * SLOT_SIZE + at
        batch.length[i] = length
      })
      const zeros = batch.bytes.fill(0)
      engine.seal(batch)
      expect([...batch.reason.subarray(0, 5)]).toEqual(cases.map(c => c[2]))
      // Slots 0 and 3 lie beside sealed ones: nothing was written into them.
      for (const slot of [0, 3, 4, 5]) {
        expect(zeros.subarray(slot * SLOT_SIZE, (slot + 1) * SLOT_SIZE).every(b => b === 0)).toBe(true)
      }
      expect(engine.outboundUsage(3, sa.spi)!.packets).toBe(3)
    })

    test('drops rows that reach beyond the memory', () => {
      const { batch } = seal([20, 20, 20])
      batch.offset.set([batch.bytes.length - 40, batch.bytes.length, 0xfffffff0])
      batch.length.set([20, 0, 64])
      engine.seal(batch)
      expect([...batch.reason.subarray(0, 3)]).toEqual(Array(3).fill(DropReason.TooBig))
    })

    test('ends with the last sequence number', () => {
      engine.installOutbound(outboundSa(aes, 3, 0x2002, { sequence: 0xfffffffd }))
      const { batch, reasons } = seal([1, 1, 1, 1])
      expect(reasons).toEqual([0, 0, DropReason.LifetimeExpired, DropReason.LifetimeExpired])
      expect([...batch.packet(1).subarray(4, 8)]).toEqual([255, 255, 255, 255])
      expect(engine.takeEvents()).toEqual([
        { kind: 'soft', peer: 3, spi: 0x2002, inbound: false },
        { kind: 'hard', peer: 3, spi: 0x2002, inbound: false },
      ])
      expect(seal([1]).reasons).toEqual([DropReason.LifetimeExpired])
      expect(engine.takeEvents()).toEqual([])
    })
  })

  describe('events', () => {
    test('a first authentic packet is told once an SA', () => {
      engine.installInbound(inboundSa(aes, 3, sa.spi))
      const forged = espPacket(sa, 9, payload(3))
      forged[20]! ^= 1
      expect(engine.open(batchOf([{ bytes: forged }]))).toBe(0)
      expect(engine.open(batchOf([1, 2].map(n => ({ bytes: espPacket(sa, n, payload(3)) }))))).toBe(1)
      // Events wait until they are taken.
      expect(engine.open(batchOf([{ bytes: espPacket(sa, 3, payload(3)) }]))).toBe(1)
      expect(engine.takeEvents()).toEqual([{ kind: 'first', peer: 3, spi: sa.spi }])
      expect(engine.takeEvents()).toEqual([])
    })

    test('byte limits: soft once, hard once, then nothing passes, inbound', () => {
      engine.installInbound(inboundSa(aes, 3, sa.spi, { limits: { softBytes: 150, hardBytes: 250 } }))
      const reasons = open(...[1, 2, 3, 4, 5].map(n => espPacket(sa, n, payload(100))))
      expect(reasons).toEqual([0, 0, 0, DropReason.LifetimeExpired, DropReason.LifetimeExpired])
      expect(engine.takeEvents()).toEqual([
        { kind: 'first', peer: 3, spi: sa.spi },
        { kind: 'soft', peer: 3, spi: sa.spi, inbound: true },
        { kind: 'hard', peer: 3, spi: sa.spi, inbound: true },
      ])
    })

    test('byte limits, outbound', () => {
      engine.setPath({ peer: 3, ...path })
      engine.installOutbound(outboundSa(aes, 3, sa.spi, { limits: { softBytes: 100, hardBytes: 101 } }))
      expect(seal([100]).reasons).toEqual([0])
      expect(engine.takeEvents()).toEqual([{ kind: 'soft', peer: 3, spi: sa.spi, inbound: false }])
      expect(seal([1, 0]).reasons).toEqual([0, DropReason.LifetimeExpired])
      expect(engine.takeEvents()).toEqual([{ kind: 'hard', peer: 3, spi: sa.spi, inbound: false }])
    })

    describe('moved', () => {
      const from = (sequence: number, port: number, change: Partial<typeof path> = {}) => {
        const batch = batchOf([{ bytes: espPacket(sa, sequence, payload(3)) }])
        batch.port[0] = port
        batch.address[0] = change.remote ?? path.remote
        batch.local[0] = change.local ?? path.local
        return batch
      }
      const openFrom = (batch: Batch) => {
        engine.open(batch)
        return engine.takeEvents()
      }
      const moved = (port: number, change: Partial<typeof path> = {}) => [
        { kind: 'moved', peer: 3, ...path, port, ...change },
      ]
      beforeEach(() => {
        engine.setPath({ peer: 3, ...path })
        engine.installInbound(inboundSa(aes, 3, sa.spi))
        openFrom(from(10, path.port))
      })

      test('is told once a change of address, port or own address', () => {
        expect(openFrom(from(11, 5000))).toEqual(moved(5000))
        expect(openFrom(from(12, 5000))).toEqual([])
        engine.setPath({ peer: 3, ...path, port: 5000 })
        expect(openFrom(from(13, 5000))).toEqual([])
        expect(openFrom(from(14, 5000, { remote: 0x01020304 }))).toEqual(moved(5000, { remote: 0x01020304 }))
        expect(openFrom(from(15, 5000, { local: 0x01020304 }))).toEqual(moved(5000, { local: 0x01020304 }))
      })

      test('and told again where the peer goes back before control has answered', () => {
        expect(openFrom(from(11, 5000))).toEqual(moved(5000))
        expect(openFrom(from(12, path.port))).toEqual(moved(path.port))
      })

      test('is never told of a forged, a repeated or an older packet', () => {
        const forged = from(20, 5000)
        forged.bytes[forged.offset[0]! + 30]! ^= 1
        expect(openFrom(forged)).toEqual([])
        expect(openFrom(from(10, 5000))).toEqual([])
        expect(openFrom(from(9, 5000))).toEqual([])
      })

      test('does not change where seal sends to', () => {
        engine.installOutbound(outboundSa(aes, 3, 0x2002))
        openFrom(from(11, 5000))
        expect(seal([1]).batch.port[0]).toBe(path.port)
      })

      test('is not told of a peer without way', () => {
        engine.removePeer(3)
        engine.installInbound(inboundSa(aes, 3, sa.spi))
        expect(openFrom(from(11, 5000))).toEqual([{ kind: 'first', peer: 3, spi: sa.spi }])
      })
    })
  })

  describe('installing', () => {
    test.each(suites)('$cipher with $integrity wants keys of its own lengths', suite => {
      const right = keysFor(suite, 'x')
      const wrong = (k: Secret) => new Secret(concat(k.reveal(), Uint8Array.of(0)))
      for (const keys of [
        { ...right, encryption: wrong(right.encryption) },
        { ...right, integrity: wrong(right.integrity) },
      ]) {
        expect(() => engine.installInbound(inboundSa(suite, 3, 0x1001, { keys }))).toThrow(RangeError)
        expect(() => engine.installOutbound(outboundSa(suite, 3, 0x1001, { keys }))).toThrow(RangeError)
      }
      expect(engine.inboundUsage(0x1001)).toBeUndefined()
      expect(engine.outboundUsage(3, 0x1001)).toBeUndefined()
    })

    test('refuses SPIs, peers, windows and sequence numbers that cannot be', () => {
      expect(() => engine.installInbound(inboundSa(aes, 3, 0))).toThrow(RangeError)
      expect(() => engine.installInbound(inboundSa(aes, 16384, 1000))).toThrow(RangeError)
      expect(() => engine.installInbound(inboundSa(aes, 3, 1000, { replayWindow: 63 }))).toThrow(RangeError)
      expect(() => engine.installOutbound(outboundSa(aes, -1, 1000))).toThrow(RangeError)
      expect(() => engine.installOutbound(outboundSa(aes, 3, 1000, { sequence: 2 ** 32 }))).toThrow(RangeError)
      expect(() => engine.setPath({ peer: 16384, ...path })).toThrow(RangeError)
      engine.installInbound(inboundSa(aes, 16383, 0xffffffff))
      expect(engine.inboundUsage(0xffffffff)!.packets).toBe(0)
    })
  })
})
