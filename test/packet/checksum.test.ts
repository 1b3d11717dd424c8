import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../src/packet/bytes.ts'
import { checksum, fold, sum16, update16, update32 } from '../../src/packet/checksum.ts'

/** The definition, without haste: words added with end-around carry, complemented. */
function plain(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return 0xffff - sum
}

/** Zero has two forms in one's complement; nothing else has. */
function sameChecksum(a: number, b: number): boolean {
  return a === b || (a % 0xffff === 0 && b % 0xffff === 0)
}

const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffffffff })

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071 section 3', () => {
    const bytes = fromHex('0001 f203 f4f5 f6f7')
    expect(sum16(bytes, 0, 8)).toBe(0x2ddf0)
    expect(fold(0x2ddf0)).toBe(~0xddf2 & 0xffff)
    expect(checksum(bytes, 0, 8)).toBe(0x220d)
  })

  it('takes an odd last byte for the high half of a word', () => {
    expect(checksum(Uint8Array.of(0x12, 0x34, 0x56), 0, 3)).toBe(checksum(Uint8Array.of(0x12, 0x34, 0x56, 0x00), 0, 4))
    expect(checksum(Uint8Array.of(0x80), 0, 1)).toBe(0x7fff)
    expect(checksum(new Uint8Array(0), 0, 0)).toBe(0xffff)
  })

  it('looks at the part it is given and no further', () => {
    const bytes = fromHex('ffff 0001 f203 f4f5 f6f7 eeee')
    expect(checksum(bytes, 2, 8)).toBe(0x220d)
  })

  it('is the definition, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1600 }), bytes => {
        expect(checksum(bytes, 0, bytes.length)).toBe(plain(bytes))
      }),
    )
  })

  it('does not overflow over the largest packet', () => {
    const bytes = new Uint8Array(65_535).fill(0xff)
    expect(checksum(bytes, 0, bytes.length)).toBe(plain(bytes))
  })

  it('goes on where an even part ended', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(50), (bytes, half) => {
        const at = Math.min(half * 2, bytes.length & ~1)
        const first = sum16(bytes, 0, at)
        expect(checksum(bytes, at, bytes.length - at, first)).toBe(plain(bytes))
      }),
    )
  })

  it('is 0 over bytes that hold a right one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 80 }), bytes => {
        bytes[0] = 0
        bytes[1] = 0
        const check = checksum(bytes, 0, bytes.length)
        bytes[0] = check >>> 8
        bytes[1] = check
        expect(checksum(bytes, 0, bytes.length)).toBe(0)
      }),
    )
  })
})

describe('the incremental update', () => {
  it('is that of the example in RFC 1624 section 4', () => {
    expect(update16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000)
  })

  it('is the checksum computed anew after a word changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 60 }), fc.nat(), u16, (bytes, where, after) => {
        const at = (where % Math.floor(bytes.length / 2)) * 2
        const check = checksum(bytes, 0, bytes.length)
        const before = bytes[at]! * 256 + bytes[at + 1]!
        bytes[at] = after >>> 8
        bytes[at + 1] = after
        const anew = checksum(bytes, 0, bytes.length)
        expect(sameChecksum(update16(check, before, after), anew)).toBe(true)
      }),
    )
  })

  it('is the checksum computed anew after an address changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 60 }), fc.nat(), u32, (bytes, where, after) => {
        const at = (where % (Math.floor(bytes.length / 2) - 1)) * 2
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        const check = checksum(bytes, 0, bytes.length)
        const before = view.getUint32(at)
        view.setUint32(at, after)
        const anew = checksum(bytes, 0, bytes.length)
        expect(sameChecksum(update32(check, before, after), anew)).toBe(true)
      }),
    )
  })

  it('never turns a packet that verifies into one that does not', () => {
    fc.assert(
      fc.property(
        fc.array(u16, { minLength: 1, maxLength: 20 }),
        fc.array(u16, { maxLength: 20 }),
        (words, changes) => {
          const bytes = new Uint8Array(2 + words.length * 2)
          const view = new DataView(bytes.buffer)
          words.forEach((w, i) => {
            view.setUint16(2 + i * 2, w)
          })
          view.setUint16(0, checksum(bytes, 0, bytes.length))
          changes.forEach((after, i) => {
            const at = 2 + (i % words.length) * 2
            view.setUint16(0, update16(view.getUint16(0), view.getUint16(at), after))
            view.setUint16(at, after)
          })
          expect(checksum(bytes, 0, bytes.length) % 0xffff).toBe(0)
        },
      ),
    )
  })
})
