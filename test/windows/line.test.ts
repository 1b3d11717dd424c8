/** The lines between the lab and the agent of a Windows guest. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emitLine, type Line, LineReader, parseLine } from '../interop/windows-line.ts'

const line: Line = { kind: 'R', boot: '00c0ffee', number: 7, words: { ok: '1', address: '192.168.8.50' } }

const words = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/).filter(name => name !== '__proto__'),
  fc.string({ unit: fc.integer({ min: 1, max: 255 }).map(code => String.fromCharCode(code)), maxLength: 40 }),
  { maxKeys: 5 },
)

/** What the agent sends: bytes where the lab writes UTF-8. */
const asBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

describe('a line', () => {
  it('is text that says who, which run, which request, and what', () => {
    expect(emitLine(line)).toBe('\r\nFG1 R 00c0ffee 7 ok=1 address=192.168.8.50 *48ec490c\r\n')
  })

  it('comes back as it was sent, whatever its words hold', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 0, max: 1e6 }), (given, number) => {
        const parsed = parseLine(emitLine({ ...line, number, words: given }).trim())
        const expected = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, asBytes(value)]))
        expect(parsed).toEqual({ ...line, number, words: expected })
      }),
    )
  })

  it('is nothing once a character of it is another', () => {
    const text = emitLine(line).trim()
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const damaged = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1)
        if (damaged !== text) expect(parseLine(damaged)).toBeUndefined()
      }),
    )
  })

  it('is found behind noise, and noise alone is nothing', () => {
    expect(parseLine(`\x00\xff~boot~${emitLine(line).trim()}`)).toEqual(line)
    fc.assert(fc.property(fc.string(), text => parseLine(text) === undefined))
  })

  it('of another version says so, and no more', () => {
    expect(parseLine('FG2 H 00c0ffee 0 anything new *f1638af3')).toEqual({ version: 2 })
  })
})

describe('the reader', () => {
  it('finds every line however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 8 }), cuts => {
        const lines = [1, 2, 3].map(number => ({ ...line, number }))
        const stream = `noise without an end${lines.map(emitLine).join('')}`
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length]
        const reader = new LineReader()
        const got = at.slice(1).flatMap((end, i) => reader.take(stream.slice(at[i], end)))
        expect(got.map(parseLine)).toEqual([undefined, ...lines])
      }),
    )
  })

  it('keeps no more than a line of what never ends', () => {
    const reader = new LineReader()
    for (let i = 0; i < 1000; i++) expect(reader.take('x'.repeat(1000))).toEqual([])
    expect(reader.take(`\r\n${emitLine(line)}`).map(parseLine)).toEqual([undefined, line])
  })
})
