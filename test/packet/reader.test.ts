import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, Truncated } from '../../src/packet/reader.ts'

const bytes = Uint8Array.from({ length: 12 }, (_, i) => i + 1)

describe('a reader', () => {
  it('reads big-endian fields one behind the other', () => {
    const r = new Reader(bytes)
    expect(r.u8()).toBe(0x01)
    expect(r.u16()).toBe(0x0203)
    expect(r.u32()).toBe(0x04050607)
    expect(r.offset).toBe(7)
    expect(r.left).toBe(5)
    expect([...r.rest()]).toEqual([8, 9, 10, 11, 12])
    expect(r.left).toBe(0)
  })

  it('gives 32-bit fields without a sign', () => {
    expect(new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xfe)).u32()).toBe(0xfffffffe)
  })

  it('copies where it says copy and shows the original where it says view', () => {
    const own = bytes.slice()
    const r = new Reader(own)
    const copied = r.copy(2)
    const viewed = r.view(2)
    own.fill(0xee)
    expect([...copied]).toEqual([1, 2])
    expect([...viewed]).toEqual([0xee, 0xee])
  })

  it('gives a piece of a long array as a view, and of a short one as a copy', () => {
    for (const [length, isView] of [
      [64, false],
      [65, true],
    ] as const) {
      const bytes = new Uint8Array(length)
      const piece = new Reader(bytes, 3).piece(4)
      bytes[3] = 7
      expect([...piece]).toEqual([isView ? 7 : 0, 0, 0, 0])
    }
  })

  it('hands a part to another reader that cannot leave it', () => {
    const r = new Reader(bytes)
    r.skip(1)
    const part = r.sub(3)
    expect(r.offset).toBe(4)
    expect(part.u16()).toBe(0x0203)
    expect(() => part.u16()).toThrow(Truncated)
    expect(part.u8()).toBe(4)
  })

  it('keeps to the bounds that it was made with', () => {
    const r = new Reader(bytes, 4, 6)
    expect(r.left).toBe(2)
    expect(() => r.u32()).toThrow(Truncated)
    expect(r.u16()).toBe(0x0506)
    expect([...r.rest()]).toEqual([])
  })

  it('refuses a negative length', () => {
    expect(() => new Reader(bytes).copy(-1)).toThrow(Truncated)
  })

  it('says what it wanted and what there was', () => {
    expect(() => new Reader(bytes).skip(13)).toThrow('wanted 13 bytes, 12 left')
  })

  it('gives exactly what is asked for or throws Truncated and stays where it was', () => {
    type Step = ['u8' | 'u16' | 'u32', 0] | ['copy' | 'view' | 'sub' | 'skip', number]
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.tuple(fc.constantFrom('u8', 'u16', 'u32'), fc.constant(0 as const)),
      fc.tuple(fc.constantFrom('copy', 'view', 'sub', 'skip'), fc.integer({ min: -2, max: 20 })),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(step, { maxLength: 12 }), (data, steps) => {
        const r = new Reader(data)
        let at = 0
        for (const [what, n] of steps) {
          const size = { u8: 1, u16: 2, u32: 4 }[what as 'u8'] ?? n
          if (size < 0 || at + size > data.length) {
            expect(() => read(r, what, n)).toThrow(Truncated)
          } else {
            const got = read(r, what, n)
            if (got) expect([...got]).toEqual([...data.subarray(at, at + size)])
            at += size
          }
          expect(r.offset).toBe(at)
          expect(r.left).toBe(data.length - at)
        }
      }),
    )
  })
})

/** Reads and answers the bytes that were read, in network order; nothing for a skip. */
function read(r: Reader, what: string, n: number): Uint8Array | undefined {
  switch (what) {
    case 'u8':
      return Uint8Array.of(r.u8())
    case 'u16': {
      const v = r.u16()
      return Uint8Array.of(v >>> 8, v)
    }
    case 'u32': {
      const v = r.u32()
      return Uint8Array.of(v >>> 24, v >>> 16, v >>> 8, v)
    }
    case 'copy':
      return r.copy(n)
    case 'view':
      return r.view(n)
    case 'sub':
      return r.sub(n).rest()
    default:
      r.skip(n)
      return undefined
  }
}
