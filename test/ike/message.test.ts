import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Exchange, Notify, PayloadType } from '../../src/ike/constants.ts'
import { IkeError } from '../../src/ike/error.ts'
import { bodies, emitMessage, emitPayloads, parseHeader, parseMessage, parsePayloads } from '../../src/ike/message.ts'
import {
  emitDeletion,
  emitIdentification,
  emitNatOa,
  emitNotification,
  formatIdentity,
  notifyName,
  parseDeletion,
  parseIdentification,
  parseNatOa,
  parseNotification,
} from '../../src/ike/payload.ts'
import {
  attributeNumbers,
  emitAttributes,
  emitSa,
  NO_NUMBER,
  parseAttributes,
  parseSa,
} from '../../src/ike/proposal.ts'
import { encodeText, toHex } from '../../src/packet/bytes.ts'
import { authIp, windows7First, windows10First, windows2000First, xpFirst } from './samples.ts'

const bytes = (max: number, min = 0) => fc.uint8Array({ minLength: min, maxLength: max })

/** Runs a parser; the only error that may leave it is IkeError. */
function onlyIkeError(run: () => unknown): void {
  try {
    run()
  } catch (e) {
    expect(e).toBeInstanceOf(IkeError)
  }
}

describe('the message', () => {
  it.each([
    ['Windows XP', xpFirst, 312, 5, 4],
    ['Windows 2000', windows2000First, 216, 4, 1],
    ['Windows 7', windows7First, 384, 5, 7],
    ['Windows 10', windows10First, 408, 5, 8],
  ])('reads and writes the first message of %s', (_, sample, size, transforms, vendorIds) => {
    expect(sample.length).toBe(size)
    const message = parseMessage(sample)
    expect(toHex(message.header.initiatorCookie)).toBe('1122334455667788')
    expect(message.header.exchange).toBe(Exchange.Main)
    expect(bodies(message.payloads, PayloadType.VendorId)).toHaveLength(vendorIds)
    const sa = bodies(message.payloads, PayloadType.Sa)[0]!
    const [proposal] = parseSa(sa)
    expect(proposal!.transforms.map(t => t.number)).toEqual(Array.from({ length: transforms }, (_, i) => i + 1))
    expect(emitSa([proposal!])).toEqual(sa)
    expect(emitMessage(message)).toEqual(sample)
  })

  it('sees an AuthIP message for what it is', () => {
    const header = parseHeader(authIp)
    expect(header.exchange).toBe(243)
    expect(header.nextPayload).toBe(133)
  })

  it('refuses every truncation with its own error', () => {
    for (const sample of [xpFirst, windows7First, authIp])
      for (let n = 0; n < sample.length; n++) expect(() => parseMessage(sample.subarray(0, n))).toThrow(IkeError)
  })

  it('refuses a truncation that a forged length field covers', () => {
    for (let n = 28; n < xpFirst.length; n++) {
      const cut = xpFirst.slice(0, n)
      new DataView(cut.buffer).setUint32(24, n)
      expect(() => parseMessage(cut)).toThrow(IkeError)
    }
  })

  it('refuses a truncated SA payload at every byte', () => {
    const sa = bodies(parseMessage(windows7First).payloads, PayloadType.Sa)[0]!
    for (let n = 0; n < sa.length; n++) expect(() => parseSa(sa.subarray(0, n))).toThrow(IkeError)
  })

  it('may be filled up with zeros to a multiple of four bytes, and with nothing else', () => {
    const vendor = (length: number) => ({ type: PayloadType.VendorId, body: new Uint8Array(length).fill(7) })
    const filledUp = (length: number, padding: readonly number[]) => {
      const { header } = parseMessage(xpFirst)
      const filled = new Uint8Array([...emitMessage({ header, payloads: [vendor(length)] }), ...padding])
      new DataView(filled.buffer).setUint32(24, filled.length)
      return () => parseMessage(filled).payloads
    }
    expect(filledUp(9, [0, 0, 0])()).toEqual([vendor(9)])
    expect(filledUp(10, [0, 0])()).toEqual([vendor(10)])
    expect(filledUp(11, [0])()).toEqual([vendor(11)])
    expect(filledUp(9, [])()).toEqual([vendor(9)])
    for (const [length, padding] of [
      [8, [0, 0, 0, 0]],
      [9, [0, 0]],
      [11, [0, 0, 0, 0, 0]],
      [11, [1]],
    ] as const)
      expect(filledUp(length, padding)).toThrow(IkeError)
  })

  it('round-trips any chain of payloads and reports where it ends', () => {
    const payload = fc.record({ type: fc.integer({ min: 1, max: 255 }), body: bytes(40) })
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 8 }), bytes(15), (payloads, padding) => {
        const chain = emitPayloads(payloads)
        const padded = new Uint8Array([...chain, ...padding])
        expect(parsePayloads(payloads[0]?.type ?? 0, padded)).toEqual({ payloads, length: chain.length })
      }),
    )
  })

  it('answers random and damaged bytes with its own error alone', () => {
    fc.assert(fc.property(bytes(200), b => onlyIkeError(() => parseMessage(b))))
    fc.assert(
      fc.property(fc.integer({ min: 28, max: xpFirst.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const damaged = xpFirst.slice()
        damaged[at] = value
        onlyIkeError(() => {
          const sa = bodies(parseMessage(damaged).payloads, PayloadType.Sa)[0]
          if (sa) for (const p of parseSa(sa)) for (const t of p.transforms) parseAttributes(t.attributes)
        })
      }),
    )
  })
})

describe('the payloads', () => {
  it('round-trip', () => {
    const data = bytes(60)
    const u16 = fc.integer({ min: 0, max: 0xffff })
    const u8 = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(u8, u16, data, (protocol, port, d) => {
        const id = { type: 2, protocol, port, data: d }
        expect(parseIdentification(emitIdentification(id))).toEqual(id)
        const n = { doi: 1, protocol, spi: d.subarray(0, 16).slice(), type: port, data: d }
        expect(parseNotification(emitNotification(n))).toEqual(n)
      }),
    )
    fc.assert(
      fc.property(fc.array(bytes(4, 4), { maxLength: 9 }), spis => {
        const d = { doi: 1, protocol: 3, spiSize: 4, spis }
        expect(parseDeletion(emitDeletion(d))).toEqual(d)
      }),
    )
    expect(parseNatOa(emitNatOa(0xc0a8010a))).toBe(0xc0a8010a)
    expect(parseNatOa(new Uint8Array(0))).toBeUndefined()
  })

  it('have the same numbers for attributes, read in full or not', () => {
    const numbers = (b: Uint8Array) => parseAttributes(b).flatMap(a => [a.type, a.value ?? NO_NUMBER])
    fc.assert(
      fc.property(bytes(40), b => {
        let whole: number[] | undefined
        onlyIkeError(() => {
          whole = numbers(b)
        })
        if (whole === undefined) expect(() => attributeNumbers(b)).toThrow(IkeError)
        else expect(attributeNumbers(b)).toEqual(whole)
      }),
    )
    const long = emitAttributes([{ type: 12, value: 3600, bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0x0e, 0x10) }])
    expect(attributeNumbers(long)).toEqual([12, 3600])
    const none = emitAttributes([{ type: 12, value: undefined, bytes: new Uint8Array(0) }])
    expect(attributeNumbers(none)).toEqual([12, NO_NUMBER])
  })

  it('give their own error for random bytes', () => {
    fc.assert(
      fc.property(bytes(40), b => {
        onlyIkeError(() => parseIdentification(b))
        onlyIkeError(() => parseNotification(b))
        onlyIkeError(() => parseDeletion(b))
        onlyIkeError(() => parseSa(b))
        onlyIkeError(() => parseAttributes(b))
      }),
    )
  })

  it('keeps a DELETE with no SPIs and a huge count small', () => {
    const parsed = parseDeletion(Uint8Array.of(0, 0, 0, 1, 1, 0, 0xff, 0xff))
    expect(parsed.spis).toHaveLength(1)
  })

  it('writes identities so that a log can hold them', () => {
    expect(formatIdentity({ type: 1, protocol: 0, port: 0, data: Uint8Array.of(192, 168, 1, 10) })).toBe('192.168.1.10')
    expect(formatIdentity({ type: 2, protocol: 0, port: 0, data: encodeText('XP\nCLIENT') })).toBe('XP?CLIENT')
    expect(formatIdentity({ type: 9, protocol: 0, port: 0, data: Uint8Array.of(0x30, 0) })).toBe('dn:3000')
    expect(() => parseIdentification(Uint8Array.of(1, 0, 0, 0, 10))).toThrow(IkeError)
  })

  it('round-trips attributes of both forms and names notifies as the RFC does', () => {
    const attribute = fc.oneof(
      fc.record({
        type: fc.integer({ min: 1, max: 0x7fff }),
        value: fc.integer({ min: 0, max: 0xffff }),
        bytes: fc.constant(undefined),
      }),
      fc.integer({ min: 0, max: 0xffff }).map(value => ({
        type: 12,
        value,
        bytes: Uint8Array.of(0, 0, value >>> 8, value & 255),
      })),
    )
    fc.assert(
      fc.property(fc.array(attribute), list => {
        expect(parseAttributes(emitAttributes(list))).toEqual(list)
      }),
    )
    expect(notifyName(Notify.NoProposalChosen)).toBe('NO-PROPOSAL-CHOSEN')
    expect(notifyName(40001)).toBe('notify 40001')
  })
})
