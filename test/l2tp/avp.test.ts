import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Avp, avp, avpU16, avpU32, emitAvps, MAX_AVP_VALUE, parseAvps } from '../../src/l2tp/avp.ts'
import { ErrorCode } from '../../src/l2tp/constants.ts'
import { L2tpError } from '../../src/l2tp/error.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { Reader } from '../../src/packet/reader.ts'

const parse = (hex: string) => parseAvps(new Reader(fromHex(hex)))

const anyAvp: fc.Arbitrary<Avp> = fc.record({
  mandatory: fc.boolean(),
  hidden: fc.boolean(),
  reserved: fc.integer({ min: 0, max: 15 }),
  vendor: fc.integer({ min: 0, max: 0xffff }),
  type: fc.integer({ min: 0, max: 0xffff }),
  value: fc.uint8Array({ maxLength: 64 }),
})

describe('AVPs', () => {
  it('emits flags, length, vendor, type and value', () => {
    expect(toHex(emitAvps([avpU16(9, 8), avpU32(4, 1, false)]))).toBe('8008000000090008' + '000a0000000400000001')
  })

  it('parses what it emits', () => {
    fc.assert(
      fc.property(fc.array(anyAvp, { maxLength: 8 }), avps => {
        expect(parseAvps(new Reader(emitAvps(avps)))).toEqual(avps)
      }),
    )
  })

  it('takes values of up to 1,017 bytes, and no longer ones', () => {
    const long = avp(7, new Uint8Array(MAX_AVP_VALUE).fill(0x61))
    expect(parseAvps(new Reader(emitAvps([long])))).toEqual([long])
    expect(() => emitAvps([avp(7, new Uint8Array(MAX_AVP_VALUE + 1))])).toThrow(RangeError)
  })

  it.each([
    ['a header cut short', '80080000 00'],
    ['a length shorter than the header', '80050000 0009 0008'],
    ['a length of zero, which must not loop', '80000000 0009'],
    ['a value that reaches beyond the message', '80090000 0009 0008'],
    ['bytes left over', '80080000 0009 0008 00'],
  ])('refuses %s', (_, hex) => {
    expect(() => parse(hex)).toThrow(expect.objectContaining({ name: 'L2tpError', errorCode: ErrorCode.BadLength }))
  })

  it('throws nothing but its own error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        try {
          parseAvps(new Reader(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(L2tpError)
        }
      }),
    )
  })
})
