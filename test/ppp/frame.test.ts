import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { PppError } from '../../src/ppp/error.ts'
import {
  emitFrame,
  emitOptions,
  emitPacket,
  option16,
  option32,
  optionNumber,
  parseFrame,
  parseOptions,
  parsePacket,
} from '../../src/ppp/frame.ts'

const bytes = fc.uint8Array({ maxLength: 200 })

describe('frames', () => {
  it.each([
    ['full', 'ff03c0210101', 0xc021, '0101'],
    ['without FF 03', 'c0210101', 0xc021, '0101'],
    ['one byte of protocol', '21450000', 0x21, '450000'],
    ['FF 03 and one byte of protocol', 'ff0321450000', 0x21, '450000'],
    ['no payload', 'ff038021', 0x8021, ''],
  ])('%s', (_name, hex, protocol, payload) => {
    const frame = parseFrame(fromHex(hex))
    expect([frame.protocol, toHex(frame.payload)]).toEqual([protocol, payload])
  })

  it.each(['', 'ff03', 'c0', 'ff03c0'])('too short: %s', hex => {
    expect(() => parseFrame(fromHex(hex))).toThrow(PppError)
  })

  it('round trip, always in full', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0x7f }), bytes, (high, low, payload) => {
        const protocol = (high << 9) | (low << 1) | 1
        const frame = parseFrame(emitFrame(protocol, payload))
        expect(frame.protocol).toBe(protocol)
        expect(toHex(frame.payload)).toBe(toHex(payload))
      }),
    )
  })
})

describe('control packets', () => {
  it('leave padding behind their length alone', () => {
    expect(parsePacket(fromHex('0907 0008 aabbccdd 0000'))).toEqual({ code: 9, id: 7, data: fromHex('aabbccdd') })
  })

  it.each(['', '010200', '01020003', '01020005'])('wrong length: %s', hex => {
    expect(() => parsePacket(fromHex(hex))).toThrow(PppError)
  })

  it('round trip', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), bytes, (code, id, data) => {
        expect(parsePacket(emitPacket({ code, id, data }))).toEqual({ code, id, data })
      }),
    )
  })
})

describe('options', () => {
  it('the five of an XP Configure-Request', () => {
    const options = parseOptions(fromHex('01040578 0506deadbeef 0702 0802 0d0306'))
    expect(options.map(o => o.type)).toEqual([1, 5, 7, 8, 13])
    expect(optionNumber(options[0]!, 2)).toBe(1400)
    expect(optionNumber(options[1]!, 4)).toBe(0xdeadbeef)
    expect(optionNumber(options[1]!, 2)).toBeUndefined()
  })

  it.each(['01', '0100', '0101', '010405', '0702 08'])('not filled exactly: %s', hex => {
    expect(() => parseOptions(fromHex(hex))).toThrow(PppError)
  })

  it('round trip', () => {
    const option = fc.record({ type: fc.nat(255), data: fc.uint8Array({ maxLength: 253 }) })
    fc.assert(
      fc.property(fc.array(option, { maxLength: 8 }), options => {
        expect(parseOptions(emitOptions(options))).toEqual(options)
      }),
    )
  })

  it('numbers keep their sign bit', () => {
    expect(optionNumber(option32(3, 0xc0a80832), 4)).toBe(0xc0a80832)
    expect(optionNumber(option16(1, 0xfffe), 2)).toBe(0xfffe)
  })
})

it('random bytes only ever give PppError', () => {
  fc.assert(
    fc.property(bytes, data => {
      for (const parse of [parseFrame, parsePacket, parseOptions]) {
        try {
          parse(data)
        } catch (error) {
          expect(error).toBeInstanceOf(PppError)
        }
      }
    }),
  )
})
