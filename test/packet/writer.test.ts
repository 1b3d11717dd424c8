import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/packet/bytes.ts'
import { Reader } from '../../src/packet/reader.ts'
import { concat, Writer } from '../../src/packet/writer.ts'

describe('a writer', () => {
  it('writes big-endian fields one behind the other', () => {
    const w = new Writer().u8(1).u16(0x0203).u32(0x04050607).put(Uint8Array.of(8, 9)).zeros(2)
    expect(toHex(w.bytes())).toBe('0102030405060708090000')
    expect(w.length).toBe(11)
  })

  it('keeps the low bits of a number that is too large for its field', () => {
    expect(toHex(new Writer().u8(0x1ff).u16(0x12345).u32(0x1_0000_0001).bytes())).toBe('ff234500000001')
  })

  it('overwrites what it wrote before', () => {
    const w = new Writer().zeros(8)
    w.setU8(0, 0xaa)
    w.setU16(1, 0xbbcc)
    w.setU32(3, 0xdeadbeef)
    expect(toHex(w.bytes())).toBe('aabbccdeadbeef00')
  })

  it('grows beyond its first room and writes zeros over nothing that was left there', () => {
    const w = new Writer(1)
    for (let i = 0; i < 300; i++) w.u16(i)
    w.zeros(3)
    const bytes = w.bytes()
    expect(bytes.length).toBe(603)
    expect(bytes[598]! * 256 + bytes[599]!).toBe(299)
    expect([...bytes.subarray(600)]).toEqual([0, 0, 0])
  })

  it('patches a length field with what was written behind it', () => {
    const w = new Writer().u8(0x77)
    w.counted16(0, inner => inner.put(Uint8Array.of(1, 2, 3)))
    expect(toHex(w.bytes())).toBe('770005010203')
  })

  it('counts those bytes before a length field that belong to it', () => {
    const w = new Writer().u16(0xabcd)
    w.counted16(2, inner => inner.u8(9))
    expect(toHex(w.bytes())).toBe('abcd000509')
  })

  it('nests length fields', () => {
    const w = new Writer(2)
    w.counted16(0, a => {
      a.counted16(0, b => b.zeros(4))
      a.u8(1)
    })
    expect(toHex(w.bytes())).toBe('000900060000000001')
  })

  it('hands out copies', () => {
    const w = new Writer().u8(1)
    const first = w.bytes()
    w.setU8(0, 2)
    expect([...first]).toEqual([1])
  })

  it('writes what a reader reads back', () => {
    const u16 = fc.integer({ min: 0, max: 0xffff })
    const u32 = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(fc.nat(255), u16, u32, fc.uint8Array({ maxLength: 600 }), (a, b, c, body) => {
        const w = new Writer(4).u8(a).u16(b).u32(c)
        w.counted16(0, x => x.put(body))
        const r = new Reader(w.bytes())
        expect([r.u8(), r.u16(), r.u32()]).toEqual([a, b, c])
        expect(r.u16()).toBe(body.length + 2)
        expect([...r.rest()]).toEqual([...body])
      }),
    )
  })
})

describe('concat', () => {
  it('puts parts one behind the other in an array of its own', () => {
    const a = Uint8Array.of(1, 2)
    const joined = concat(a, new Uint8Array(0), Uint8Array.of(3))
    a[0] = 9
    expect([...joined]).toEqual([1, 2, 3])
    expect(concat().length).toBe(0)
  })
})
