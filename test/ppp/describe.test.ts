import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeText, fromHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import { PppProtocol } from '../../src/ppp/constants.ts'
import { describeFrame } from '../../src/ppp/describe.ts'
import { emitFrame, emitPacket } from '../../src/ppp/frame.ts'

describe('PPP in words', () => {
  it('has the options of a request', () => {
    const data = fromHex('0104057803 05c22305 0506deadbeef 0702 0802'.replaceAll(' ', ''))
    expect(describeFrame(emitFrame(PppProtocol.Lcp, emitPacket({ code: 1, id: 9, data })))).toEqual({
      kind: 'lcp',
      lines: ['LCP ConfigureRequest id 9', 'Mru 1400', 'Authentication c22305', 'Magic 3735928559', 'Pfc', 'Acfc'],
    })
    const address = fromHex('0306c0a80832')
    expect(describeFrame(emitFrame(PppProtocol.Ipcp, emitPacket({ code: 3, id: 1, data: address })))).toEqual({
      kind: 'ncp',
      lines: ['IPCP ConfigureNak id 1', 'Address 192.168.8.50'],
    })
  })

  it('never tells what a password can be guessed from', () => {
    const value = fromHex('00112233445566778899aabbccddeeff')
    const response = concat(Uint8Array.of(16), value, encodeText('anna'))
    const chap = (code: number, data: Uint8Array) =>
      describeFrame(emitFrame(PppProtocol.Chap, emitPacket({ code, id: 1, data })))
    expect(chap(2, response)).toEqual({ kind: 'auth', lines: ['CHAP Response id 1, value of 16 bytes, name anna'] })
    expect(chap(3, encodeText('S=00112233')).lines).toEqual(['CHAP Success id 1, 10 bytes'])
    // PAP: the password stands in it as it is.
    const pap = emitFrame(PppProtocol.Pap, emitPacket({ code: 1, id: 1, data: encodeText('\x04anna\x06apples') }))
    expect(describeFrame(pap)).toEqual({ kind: 'auth', lines: ['PAP code 1 id 1, 12 bytes'] })
  })

  it('makes clean lines of anything', () => {
    const packets = fc
      .tuple(
        fc.constantFrom(...Object.values(PppProtocol)),
        fc.integer({ min: 0, max: 15 }),
        fc.uint8Array({ maxLength: 40 }),
      )
      .map(([protocol, code, data]) => emitFrame(protocol, emitPacket({ code, id: 1, data })))
    fc.assert(
      fc.property(fc.oneof(packets, fc.uint8Array({ maxLength: 40 })), bytes => {
        for (const line of describeFrame(bytes).lines) expect(line).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 2000 },
    )
  })
})
