import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AvpType, MessageType } from '../../src/l2tp/constants.ts'
import { describeControl } from '../../src/l2tp/describe.ts'
import { encodeText, fromHex } from '../../src/packet/bytes.ts'
import { Writer } from '../../src/packet/writer.ts'

/** A control message with these AVPs, mandatory all of them. */
function control(type: number, avps: readonly [type: number, value: Uint8Array][]): Uint8Array {
  const body = new Writer()
  for (const [attribute, value] of [[0, Uint8Array.of(type >> 8, type)] as const, ...avps])
    body
      .u16(0x8000 | (6 + value.length))
      .u16(0)
      .u16(attribute)
      .put(value)
  return new Writer()
    .u16(0xc802)
    .u16(12 + body.length)
    .u16(7)
    .u16(0)
    .u16(1)
    .u16(2)
    .put(body.bytes())
    .bytes()
}

describe('L2TP in words', () => {
  it('has the message, its place and its AVPs, and of challenges the length alone', () => {
    const challenge = fromHex('00112233445566778899aabbccddeeff')
    const bytes = control(MessageType.Sccrq, [
      [AvpType.ProtocolVersion, Uint8Array.of(1, 0)],
      [AvpType.FramingCapabilities, Uint8Array.of(0, 0, 0, 1)],
      [AvpType.HostName, encodeText('pc\n7')],
      [AvpType.AssignedTunnelId, Uint8Array.of(0, 5)],
      [AvpType.Challenge, challenge],
    ])
    expect(describeControl(bytes)).toEqual([
      'SCCRQ, tunnel 7 session 0 Ns 1 Nr 2',
      'ProtocolVersion 256',
      'FramingCapabilities 1',
      'HostName pc?7',
      'AssignedTunnelId 5',
      'Challenge 16 bytes',
    ])
  })

  it('makes clean lines of anything', () => {
    const messages = fc.tuple(
      fc.integer({ min: 0, max: 20 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 45 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 5 }),
    )
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      messages.map(([type, avps]) => control(type, avps)),
    )
    fc.assert(
      fc.property(bytes, b => {
        for (const line of describeControl(b)) expect(line).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 2000 },
    )
  })
})
