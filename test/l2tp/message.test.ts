import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avp, avpU16, emitAvps } from '../../src/l2tp/avp.ts'
import { cdn, icrp, sccrp, stopCcn } from '../../src/l2tp/compose.ts'
import { AvpType, ErrorCode, MessageType } from '../../src/l2tp/constants.ts'
import { L2tpError } from '../../src/l2tp/error.ts'
import { emitControl, parseControl } from '../../src/l2tp/header.ts'
import { describeResult, emitMessage, parseMessage, textOf, u16Of, u32Of } from '../../src/l2tp/message.ts'
import { messageRules } from '../../src/l2tp/rules.ts'
import { encodeText, fromHex, toHex } from '../../src/packet/bytes.ts'

/** The SCCRQ of a Windows XP client named XPCLIENT, from the L2TP header on. */
const xpSccrq = fromHex(`
  c8020065000000000000000080080000000000018008000000020100800a0000000300000001000a
  00000004000000000008000000060500800e000000075850434c49454e54000f000000084d6963726f736f6674800800
  000009000180080000000a0008`)

describe('the control header', () => {
  it("reads an XP client's SCCRQ", () => {
    const p = parseControl(xpSccrq)
    expect(p).toMatchObject({ tunnelId: 0, sessionId: 0, ns: 0, nr: 0 })
    expect(p.body.length).toBe(0x65 - 12)
    expect(emitControl(p)).toEqual(xpSccrq)
  })

  it('parses what it emits', () => {
    const u16 = fc.integer({ min: 0, max: 0xffff })
    const packet = fc.record({
      tunnelId: u16,
      sessionId: u16,
      ns: u16,
      nr: u16,
      body: fc.uint8Array({ maxLength: 40 }),
    })
    fc.assert(
      fc.property(packet, p => {
        expect(parseControl(emitControl(p))).toEqual(p)
      }),
    )
  })

  it('ignores reserved bits, the priority bit, and bytes behind the length', () => {
    expect(parseControl(fromHex('fdf2 000c 0001 0002 0003 0004 ffff'))).toMatchObject({ tunnelId: 1, nr: 4 })
  })

  it.each([
    ['no T bit', '4802 000c 0001 0002 0003 0004'],
    ['no L bit', '8802 000c 0001 0002 0003 0004'],
    ['no S bit', 'c002 000c 0001 0002 0003 0004'],
    ['an offset', 'ca02 000c 0001 0002 0003 0004'],
    ['version 3', 'c803 000c 0001 0002 0003 0004'],
    ['version 1, L2F', 'c801 000c 0001 0002 0003 0004'],
    ['a length below the header', 'c802 000b 0001 0002 0003 0004'],
    ['a length beyond the packet', 'c802 000d 0001 0002 0003 0004'],
    ['eleven bytes', 'c802 000c 0001 0002 0003 00'],
    ['nothing', ''],
  ])('refuses %s', (_, hex) => {
    expect(() => parseControl(fromHex(hex))).toThrow(L2tpError)
  })
})

describe('the message body', () => {
  it('knows all that an XP client says', () => {
    const m = parseMessage(parseControl(xpSccrq).body)!
    expect(m.type).toBe(MessageType.Sccrq)
    expect(m.fault).toBeUndefined()
    expect(textOf(m, AvpType.HostName)).toBe('XPCLIENT')
    expect(textOf(m, AvpType.VendorName)).toBe('Microsoft')
    expect(u16Of(m, AvpType.FirmwareRevision)).toBe(0x0500)
    expect(u32Of(m, AvpType.FramingCapabilities)).toBe(1)
    expect(u16Of(m, AvpType.AssignedTunnelId)).toBe(1)
    expect(u16Of(m, AvpType.ReceiveWindowSize)).toBe(8)
    expect(u16Of(m, AvpType.AssignedSessionId)).toBeUndefined()
    expect(u32Of(m, AvpType.TxConnectSpeed)).toBeUndefined()
    expect(textOf(m, AvpType.CalledNumber)).toBe('')
  })

  it('cut short anywhere it is an error, a lack, or what was whole', () => {
    const body = parseControl(xpSccrq).body
    const whole = new Set([8, 16, 26, 36, 44, 58, 73, 81, 89])
    for (let length = 0; length < body.length; length++) {
      const cut = () => parseMessage(body.subarray(0, length))
      if (!whole.has(length)) expect(cut).toThrow(L2tpError)
      else expect(cut()?.fault === undefined).toBe(length >= 81)
    }
  })

  it('a name loses its NUL and whatever a log could choke on', () => {
    const m = parseMessage(emitMessage(MessageType.Sccrp, [avp(AvpType.HostName, fromHex('41 1b 0a 42 00'))]))!
    expect(textOf(m, AvpType.HostName)).toBe('A??B')
  })

  it('the first of two equal AVPs counts', () => {
    const twice = [avpU16(AvpType.AssignedSessionId, 1), avpU16(AvpType.AssignedSessionId, 2)]
    expect(u16Of(parseMessage(emitMessage(MessageType.Icrq, twice))!, AvpType.AssignedSessionId)).toBe(1)
  })

  const odd = {
    'of a vendor': { ...avpU16(1, 5), vendor: 311 },
    'of an unknown type': avpU16(999, 1),
    'with reserved bits': { ...avpU16(AvpType.FirmwareRevision, 1), reserved: 1 },
    hidden: { ...avpU16(AvpType.FirmwareRevision, 1), hidden: true },
  }
  it.each(Object.entries(odd))('an AVP %s is passed over, unless it has the M bit', (_, a) => {
    const must = avpU16(AvpType.AssignedSessionId, 7)
    const optional = parseMessage(emitMessage(MessageType.Icrq, [{ ...a, mandatory: false }, must]))!
    expect(optional.fault).toBeUndefined()
    expect(optional.values.has(a.type)).toBe(false)
    const mandatory = parseMessage(emitMessage(MessageType.Icrq, [a, must]))!
    expect(mandatory.fault).toMatchObject({ resultCode: 2, errorCode: ErrorCode.UnknownMandatoryAvp })
    // Still there, so that the CDN can name its call.
    expect(u16Of(mandatory, AvpType.AssignedSessionId)).toBe(7)
  })

  it('a known AVP of a wrong length counts as not there', () => {
    const short = (mandatory: boolean) => avp(AvpType.CallSerialNumber, Uint8Array.of(1), mandatory)
    const id = avpU16(AvpType.AssignedSessionId, 7)
    expect(parseMessage(emitMessage(MessageType.Icrq, [id, short(false)]))?.fault).toBeUndefined()
    expect(parseMessage(emitMessage(MessageType.Icrq, [id, short(true)]))?.fault?.errorCode).toBe(ErrorCode.BadLength)
  })

  it('without an AVP that it means nothing without it is at fault', () => {
    for (const [type, rule] of Object.entries(messageRules)) {
      const m = parseMessage(emitMessage(Number(type) as MessageType))!
      expect(m.fault !== undefined, rule.name).toBe(rule.must.length > 0)
    }
  })

  it('an unknown type is ignored, or with the M bit an error', () => {
    expect(parseMessage(emitAvps([avpU16(AvpType.MessageType, 77, false)]))).toBeUndefined()
    expect(() => parseMessage(emitAvps([avpU16(AvpType.MessageType, 77)]))).toThrow('unknown message type 77')
    expect(() => parseMessage(emitAvps([avpU16(AvpType.MessageType, 5)]))).toThrow(L2tpError)
  })

  it.each([
    ['nothing', []],
    ['another AVP first', [avpU16(AvpType.AssignedTunnelId, 1)]],
    ['a hidden type', [{ ...avpU16(0, 1), hidden: true }]],
    ["a vendor's type", [{ ...avpU16(0, 1), vendor: 9 }]],
    ['a type of one byte', [avp(0, Uint8Array.of(1))]],
  ])('refuses %s', (_, avps) => {
    expect(() => parseMessage(emitAvps(avps))).toThrow(L2tpError)
  })

  it('throws nothing but its own error', () => {
    const typed = fc.uint8Array({ maxLength: 60 }).map(rest => Buffer.concat([fromHex('800800000000000a'), rest]))
    fc.assert(
      fc.property(fc.oneof(typed, fc.uint8Array({ maxLength: 80 })), body => {
        try {
          const m = parseMessage(body)
          if (m) describeResult(m)
        } catch (error) {
          expect(error).toBeInstanceOf(L2tpError)
        }
      }),
    )
  })
})

describe('what an LNS says', () => {
  it('SCCRP', () => {
    expect(toHex(sccrp({ hostName: 'gw', assignedTunnelId: 0x1234, receiveWindow: 8 }))).toBe(
      '8008000000000002' +
        '8008000000020100' +
        '800a0000000300000003' +
        '000a0000000400000000' +
        '8008000000076777' +
        '000f00000008466c6f617467617465' +
        '8008000000091234' +
        '80080000000a0008',
    )
  })

  it('ICRP is 28 bytes with its header, as Windows expects it', () => {
    const bytes = emitControl({ tunnelId: 1, sessionId: 1, ns: 1, nr: 3, body: icrp(0xabcd) })
    expect(toHex(bytes)).toBe('c802001c0001000100010003' + '800800000000000b' + '80080000000eabcd')
  })

  it('StopCCN and CDN are 38 bytes, and bear words only with an error', () => {
    expect(toHex(stopCcn(1, { resultCode: 4 }))).toBe('8008000000000004' + '8008000000090001' + '800a0000000100040000')
    expect(toHex(cdn(1, { resultCode: 3 }))).toBe('800800000000000e' + '800a0000000100030000' + '80080000000e0001')
    const m = parseMessage(cdn(1, { resultCode: 2, errorCode: 8, text: 'unknown' }))!
    expect(describeResult(m)).toBe('result 2 error 8 (unknown)')
  })

  it('names are cut to what an AVP holds', () => {
    const m = parseMessage(sccrp({ hostName: 'x'.repeat(2000), assignedTunnelId: 1, receiveWindow: 4 }))!
    expect(m.values.get(AvpType.HostName)).toEqual(encodeText('x'.repeat(255)))
  })

  it('a result code without an error code is read, too', () => {
    const m = parseMessage(emitMessage(MessageType.Cdn, [avpU16(AvpType.ResultCode, 3)]))!
    expect(describeResult(m)).toBe('result 3')
    expect(describeResult(parseMessage(emitMessage(MessageType.Cdn))!)).toBeUndefined()
  })
})
