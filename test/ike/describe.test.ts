import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PayloadType } from '../../src/ike/constants.ts'
import { describeHeader, describePayloads, describeWalk } from '../../src/ike/describe.ts'
import { emitIdentification } from '../../src/ike/payload.ts'
import { encodeText, fromHex } from '../../src/packet/bytes.ts'

const header = {
  initiatorCookie: fromHex('7aa40d465ecacb2c'),
  responderCookie: new Uint8Array(8),
  exchange: 2,
  flags: 1,
  messageId: 0x1f,
  version: 0x10,
  nextPayload: 1,
}

describe('ISAKMP in words', () => {
  it('names the exchange, its cookies and message', () => {
    expect(describeHeader(header)).toBe('MAIN 7aa40d465ecacb2c:0000000000000000 msgid 0000001f, encrypted')
    expect(describeHeader({ ...header, exchange: 99, flags: 0 })).toMatch(/^EXCHANGE 99 .* msgid 0000001f$/)
  })

  it('tells what authenticates, and keys, by their length alone', () => {
    const secret = fromHex('00112233445566778899aabbccddeeff')
    for (const type of [PayloadType.Hash, PayloadType.Signature, PayloadType.KeyExchange, PayloadType.Nonce]) {
      const text = describePayloads([{ type, body: secret }], 1).join()
      expect(text).toMatch(/^[A-Z]+: 16 bytes$/)
    }
  })

  it('has every payload on the walk, and says what is malformed', () => {
    const id = emitIdentification({ type: 2, protocol: 17, port: 1701, data: encodeText('a\nb') })
    const payloads = [
      { type: PayloadType.Identification, body: id },
      { type: PayloadType.Delete, body: new Uint8Array(3) },
      { type: 77, body: new Uint8Array(0) },
    ]
    expect(describeWalk(payloads)).toBe('ID(7) D(3) payload 77(0)')
    expect(describePayloads(payloads, 2)).toEqual([
      'ID: a?b 17/1701',
      expect.stringMatching(/^D: malformed: ./),
      'payload 77: 0 bytes',
    ])
  })

  it('makes clean lines of anything', () => {
    const payload = fc.record({ type: fc.integer({ min: 0, max: 255 }), body: fc.uint8Array({ maxLength: 120 }) })
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 6 }), fc.constantFrom(1 as const, 2 as const), (payloads, phase) => {
        for (const line of [describeWalk(payloads), ...describePayloads(payloads, phase)]) {
          expect(line).toMatch(/^[\x20-\x7e]*$/)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
