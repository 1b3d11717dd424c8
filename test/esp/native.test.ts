/** What only the native engine has: keys that are wiped, arguments of any kind, and memory that is not its own. */

import { describe, expect, test } from 'vitest'
import type { Suite } from '../../src/esp/sa.ts'
import { NativeEngine } from '../../src/gateway/native-engine.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { batchOf, engines, espPacket, inboundSa, keysFor, native, outboundSa, path, peersOf } from './support.ts'

const suite: Suite = { cipher: '3des', integrity: 'sha256' }
const zeros = (n: number) => new Uint8Array(n)

describe('native engine', () => {
  test('says which libraries do the work', () => {
    const { openssl, ipsecMb, des, sha1, aes } = native.versions()
    expect(openssl).toBe(process.versions.openssl.replace('+quic', ''))
    expect(ipsecMb ?? '1.0').toMatch(/^\d+\.\d+/)
    expect(des.at(-1)).toBe('portable')
    expect(engines.length).toBe(3 + (ipsecMb === undefined ? 0 : 1) + (sha1 ? 1 : 0) + aes.length + des.length)
  })

  test('wipes the keys it was given and works on', () => {
    const engine = new NativeEngine(native)
    const inbound = keysFor(suite, 'spi 5000')
    const outbound = keysFor(suite, 'spi 5000')
    engine.installInbound(inboundSa(suite, 1, 5000, { keys: inbound }))
    engine.installOutbound(outboundSa(suite, 1, 5000, { keys: outbound }))
    for (const keys of [inbound, outbound]) {
      expect(keys.encryption.reveal()).toEqual(zeros(24))
      expect(keys.integrity.reveal()).toEqual(zeros(32))
    }
    engine.setPath({ peer: 1, ...path })
    const batch = batchOf([{ bytes: Uint8Array.of(1, 2, 3), peer: 1 }])
    engine.seal(batch)
    engine.open(batch)
    expect(batch.packet(0)).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('knows whose each SPI is, whichever went', () => {
    const engine = new NativeEngine(native)
    const spis = Array.from({ length: 300 }, (_, i) => 5000 + i)
    for (const spi of spis) engine.installInbound(inboundSa(suite, spi - 4999, spi, { keys: keysFor(suite, 'one') }))
    for (const spi of spis) if (spi % 3 !== 0) engine.removeInbound(spi)
    expect(peersOf(engine, spis)).toEqual(spis.map(spi => (spi % 3 === 0 ? spi - 4999 : 0)))
  })

  test('writes nowhere but into the room that it is given', () => {
    const engine = new NativeEngine(native)
    const batch = batchOf([{ bytes: zeros(9) }, { bytes: zeros(9) }])
    expect(() => native.peersOf(native.engine(), engine.attach(batch), 513, new Uint32Array(600))).toThrow(RangeError)
    expect(() => native.peersOf(native.engine(), engine.attach(batch), 2, new Uint32Array(1))).toThrow(RangeError)
    expect(() => native.peersOf(native.engine(), engine.attach(batch), 2, {} as Uint32Array)).toThrow(TypeError)
  })

  test('wipes keys that it refuses, too', () => {
    const handle = native.engine()
    const key = Uint8Array.from({ length: 23 }, (_, i) => i + 1)
    const integrity = Uint8Array.from({ length: 20 }, (_, i) => i + 1)
    expect(() => native.installInbound(handle, 5000, 1, '3des', key, 'sha1', integrity, 64, 0, 0)).toThrow(RangeError)
    expect(key).toEqual(zeros(23))
    expect(integrity).toEqual(zeros(20))
    expect(native.inboundUsage(handle, 5000)).toBeUndefined()
  })

  test('throws on arguments of the wrong kind', () => {
    const handle = native.engine()
    const batch = new Batch()
    const attached = native.attach(batch.buffer)
    const key = () => zeros(16)
    const any = native as unknown as Record<string, (...args: unknown[]) => unknown>
    expect(() => any.open!(attached, attached, 0)).toThrow(TypeError)
    expect(() => any.open!(handle, handle, 0)).toThrow(TypeError)
    expect(() => any.open!(handle, batch, 0)).toThrow(TypeError)
    expect(() => any.open!(handle)).toThrow(TypeError)
    expect(() => any.seal!({}, attached, 0)).toThrow(TypeError)
    expect(() => any.expect!({}, attached, 0)).toThrow(TypeError)
    expect(() => any.takeEvents!()).toThrow(TypeError)
    expect(() => any.setPath!(handle, 1, 2, 3)).toThrow(TypeError)
    expect(() => any.setPath!(handle, 16384, 2, 3, 4)).toThrow(RangeError)
    expect(() => any.engine!('rot13')).toThrow(RangeError)
    expect(() => any.engine!(7)).toThrow(TypeError)
    expect(() => any.installInbound!(handle, 5000, 1, 'rot13', key(), 'md5', key(), 64, 0, 0)).toThrow(RangeError)
    expect(() => any.installInbound!(handle, 5000, 1, 'aes128', key(), 'rot13', key(), 64, 0, 0)).toThrow(RangeError)
    expect(() => any.installInbound!(handle, 5000, 1, 'aes128', 'key', 'md5', key(), 64, 0, 0)).toThrow(TypeError)
    expect(() => any.installInbound!(handle, 5000, 1, 'aes128', key(), 'md5', key(), 65, 0, 0)).toThrow(RangeError)
    expect(() => any.installInbound!(handle, 5000, 1, 'aes128', key(), 'md5', key(), 64, -1, 0)).toThrow(TypeError)
    expect(() => any.installInbound!(handle, 0, 1, 'aes128', key(), 'md5', key(), 64, 0, 0)).toThrow(RangeError)
    expect(() => any.installOutbound!(handle, 5000, 16384, 'aes128', key(), 'md5', key(), 0, 0)).toThrow(RangeError)
    expect(native.takeEvents(handle)).toEqual([])
  })

  test('looks at no more rows than a batch has', () => {
    const handle = native.engine()
    const batch = new Batch()
    expect(native.open(handle, native.attach(batch.buffer), 1000)).toBe(0)
    // Every empty row is a packet of no bytes.
    expect(batch.verdict.every(v => v === Verdict.Drop)).toBe(true)
  })

  test('opens packets that lie anywhere, as GRO leaves them: one behind the other', () => {
    const engine = new NativeEngine(native)
    engine.installInbound(inboundSa(suite, 1, 5000))
    const batch = new Batch()
    let at = 3
    for (let i = 0; i < 64; i++) {
      const packet = espPacket({ spi: 5000, suite }, i + 1, zeros(i * 20).fill(i))
      batch.push(packet)
      batch.offset[i] = at
      at += packet.length
    }
    batch.bytes.fill(0)
    for (let i = 0; i < 64; i++) {
      batch.bytes.set(espPacket({ spi: 5000, suite }, i + 1, zeros(i * 20).fill(i)), batch.offset[i]!)
    }
    engine.open(batch)
    for (let i = 0; i < 64; i++) {
      expect(batch.verdict[i]).toBe(Verdict.Forward)
      expect(batch.packet(i)).toEqual(zeros(i * 20).fill(i))
    }
  })

  test('engines of one thread share nothing', () => {
    const one = new NativeEngine(native)
    const other = new NativeEngine(native)
    one.installInbound(inboundSa(suite, 1, 5000))
    expect(other.inboundUsage(5000)).toBeUndefined()
    expect(one.inboundUsage(5000)!.packets).toBe(0)
  })
})
