import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeText,
  equal,
  equalSecret,
  fromHex,
  printable,
  Secret,
  startsWith,
  toHex,
} from '../../src/packet/bytes.ts'

describe('the start of bytes', () => {
  it('is there in full, or it is not', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ minLength: 1 }), (start, rest) => {
        const whole = Uint8Array.of(...start, ...rest)
        expect(startsWith(whole, start)).toBe(true)
        expect(startsWith(start, whole)).toBe(false)
        if (start.length > 0) expect(startsWith(whole.with(0, whole[0]! ^ 1), start)).toBe(false)
      }),
    )
  })
})

describe('text', () => {
  it('is UTF-8, whatever characters it has', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect([...encodeText(text)]).toEqual([...new TextEncoder().encode(text)])
      }),
    )
  })
})

describe('hexadecimal', () => {
  it('round-trips any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect([...fromHex(toHex(bytes))]).toEqual([...bytes])
      }),
    )
  })

  it('writes only the part of a buffer that a view shows', () => {
    expect(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe('0203')
  })

  it('allows white space and capitals', () => {
    expect([...fromHex('DE ad\nbe\tEF')]).toEqual([0xde, 0xad, 0xbe, 0xef])
    expect(fromHex('').length).toBe(0)
  })

  it.each(['0', 'abc', '0g', '0x01', '12-34'])('refuses %s', text => {
    expect(() => fromHex(text)).toThrow(RangeError)
  })
})

describe.each([
  ['equal', equal],
  ['equalSecret', equalSecret],
])('%s', (_, same) => {
  it('tells equal bytes from others', () => {
    expect(same(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(same(new Uint8Array(0), new Uint8Array(0))).toBe(true)
    expect(same(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false)
  })

  it('sees every single bit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), fc.nat(7), (a, where, bit) => {
        const b = a.slice()
        expect(same(a, b)).toBe(true)
        b[where % b.length]! ^= 1 << bit
        expect(same(a, b)).toBe(false)
      }),
    )
  })
})

describe('printable', () => {
  it('leaves nothing that a log could stumble over', () => {
    expect(printable(encodeText('WIN-PC.example\0\0'))).toBe('WIN-PC.example')
    expect(printable(Uint8Array.of(0x1b, 0x5b, 0x41, 0x0a, 0xe9, 0x00, 0x42))).toBe('?[A???B')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        const text = printable(bytes, 40)
        expect(text.length).toBeLessThanOrEqual(40)
        expect(text).toMatch(/^[\x20-\x7e]*$/)
      }),
    )
  })
})

describe('a secret', () => {
  const secret = Secret.fromText('s3cret-word')

  it('shows itself on demand only', () => {
    expect(toHex(secret.reveal())).toBe(toHex(encodeText('s3cret-word')))
  })

  it('appears in no text', () => {
    const error = new Error(`refused ${secret}`, { cause: { key: secret } })
    const texts = [
      inspect(secret),
      inspect({ a: [{ secret }] }, { depth: 9, showHidden: true }),
      inspect(new Map([['k', secret]])),
      inspect(error),
      JSON.stringify({ secret, list: [secret] }),
      `${secret}`,
      String(secret),
      `a ${[secret]}`,
    ]
    for (const text of texts) {
      expect(text).toContain('<secret>')
      expect(text).not.toContain('s3cret')
      expect(text).not.toContain('115, 51')
      expect(text).not.toContain(toHex(secret.reveal()))
    }
  })

  it('has no property that leads to its bytes', () => {
    expect(Object.keys(secret)).toEqual([])
    expect(Object.getOwnPropertyNames(secret)).toEqual([])
    expect({ ...secret }).toEqual({})
  })
})
