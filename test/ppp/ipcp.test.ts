import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Code } from '../../src/ppp/constants.ts'
import { emitOptions, parseOptions } from '../../src/ppp/frame.ts'
import type { IpcpAssignment } from '../../src/ppp/ipcp.ts'
import { IpcpPolicy } from '../../src/ppp/ipcp.ts'

const assignment: IpcpAssignment = {
  address: ipv4('10.1.1.5'),
  localAddress: ipv4('10.1.1.1'),
  dns: [ipv4('10.9.9.1'), undefined],
  wins: [undefined, 0],
}

const judge = (hex: string, naksSpent = false, changes: Partial<IpcpAssignment> = {}) => {
  const j = new IpcpPolicy({ ...assignment, ...changes }).judge(parseOptions(fromHex(hex)), naksSpent)
  return [j.code, toHex(emitOptions(j.options))]
}

const XP = '0306 00000000 8106 00000000 8206 00000000 8306 00000000 8406 00000000'

describe('our request', () => {
  it('tells our address until the peer does not know the option', () => {
    const p = new IpcpPolicy(assignment)
    expect(toHex(emitOptions(p.ask()))).toBe('03060a010101')
    p.nakked()
    expect(p.ask()).toHaveLength(1)
    p.rejected(parseOptions(fromHex('03060a010101')))
    expect(p.ask()).toEqual([])
  })
})

describe("the peer's request", () => {
  it('first loses what we cannot fill', () => {
    expect(judge(XP)).toEqual([Code.ConfigureReject, '820600000000' + '830600000000' + '840600000000'])
  })

  it('loses VJ and everything unknown in the same Reject', () => {
    expect(judge(`0206002d0f01 ${XP} 010a0000000000000000 9903aa`)).toEqual([
      Code.ConfigureReject,
      '0206002d0f01' + '820600000000' + '830600000000' + '840600000000' + '010a0000000000000000' + '9903aa',
    ])
  })

  it('then gets its values, then its Ack', () => {
    expect(judge('030600000000 810600000000')).toEqual([Code.ConfigureNak, '03060a010105' + '81060a090901'])
    expect(judge('03060a010105 81060a090901')).toEqual([Code.ConfigureAck, '03060a010105' + '81060a090901'])
  })

  it('is corrected only where it is wrong', () => {
    expect(judge('03060a010163 81060a090901')).toEqual([Code.ConfigureNak, '03060a010105'])
    expect(judge('03060a010105 810601020304')).toEqual([Code.ConfigureNak, '81060a090901'])
  })

  it('without an address gets one appended, but not for ever', () => {
    expect(judge('')).toEqual([Code.ConfigureNak, '03060a010105'])
    expect(judge('81060a090901')).toEqual([Code.ConfigureNak, '03060a010105'])
    expect(judge('', true)).toEqual([Code.ConfigureAck, ''])
  })

  it('never has its address rejected, whatever its length and however often it is wrong', () => {
    expect(judge('0303aa')).toEqual([Code.ConfigureNak, '03060a010105'])
    expect(judge('030600000000', true)).toEqual([Code.ConfigureNak, '03060a010105'])
  })

  it('loses a server it will not take after enough Naks', () => {
    expect(judge('03060a010105 810601020304', true)).toEqual([Code.ConfigureReject, '810601020304'])
  })

  it('gets all four servers where we have them', () => {
    const all = { dns: [1, 2], wins: [3, 4] } as const
    expect(judge(XP, false, all)).toEqual([
      Code.ConfigureNak,
      '03060a010105' + '810600000001' + '820600000003' + '830600000002' + '840600000004',
    ])
  })
})
