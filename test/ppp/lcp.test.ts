import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { Code } from '../../src/ppp/constants.ts'
import type { PppTemplate } from '../../src/ppp/effects.ts'
import { emitOptions, parseOptions } from '../../src/ppp/frame.ts'
import { LcpPolicy } from '../../src/ppp/lcp.ts'
import { countingDice, template } from './pair.ts'

const policy = (changes: Partial<PppTemplate> = {}) =>
  new LcpPolicy({ ...template, ...changes }, () => fromHex('01020304'))
const options = (hex: string) => parseOptions(fromHex(hex))
const judge = (p: LcpPolicy, hex: string, naksSpent = false) => {
  const j = p.judge(options(hex), naksSpent)
  return [j.code, toHex(emitOptions(j.options))]
}

describe('our request', () => {
  it('asks for MRU, CHAP-MD5 and a magic number', () => {
    expect(toHex(emitOptions(policy().ask()))).toBe('01040578' + '0305c22305' + '050601020304')
  })

  it('leaves out what is the default, and authentication where the template has none', () => {
    expect(toHex(emitOptions(policy({ mru: 1500, authentication: 'none' }).ask()))).toBe('050601020304')
  })

  it('takes a smaller MRU, and drops what the peer does not know', () => {
    const p = policy()
    expect(p.nakked(options('01040500'))).toBeUndefined()
    expect(p.mru).toBe(1280)
    expect(p.rejected(options('01040500 050601020304'))).toBeUndefined()
    expect(toHex(emitOptions(p.ask()))).toBe('0305c22305')
  })

  it.each(['0104ffff', '01040040', '010305'])('does not take the MRU of %s', hex => {
    const p = policy()
    p.nakked(options(hex))
    expect(p.mru).toBeUndefined()
  })

  it('chooses another magic number when the peer says it is its own', () => {
    const p = new LcpPolicy(template, countingDice())
    const before = p.magic
    p.nakked(options('0506 00000001'))
    expect(p.magic).not.toBe(before)
  })

  it.each([
    ['0305c22381', 'MS-CHAPv2'],
    ['0305c22380', 'MS-CHAP;'],
    ['0304c023', 'PAP'],
    ['0304c227', 'EAP'],
    ['0305c22306', 'CHAP with algorithm 6'],
    ['0302', 'something else'],
  ])('insists once, then says what the client wants: %s', (hex, wish) => {
    const p = policy()
    expect(p.nakked(options(hex))).toBeUndefined()
    const trouble = p.nakked(options(hex))
    expect(trouble?.cause).toBe('peer-refused')
    expect(trouble?.detail).toContain(wish)
  })

  it('ends where the peer rejects authentication', () => {
    expect(policy().rejected(options('0305c22305'))?.cause).toBe('peer-refused')
  })
})

describe("the peer's request", () => {
  it('of XP: only the callback is in the way', () => {
    expect(judge(policy(), '01040578 0506deadbeef 0702 0802 0d0306')).toEqual([Code.ConfigureReject, '0d0306'])
  })

  it('of a multilink client: all in one Reject, in its order and with its bytes', () => {
    const hex = '01040578 0506deadbeef 0702 0802 0d0306 1104064e 1305010203 17040001 0408c025000003e8 0305c22305 ee03aa'
    const expected = '0d0306' + '1104064e' + '1305010203' + '17040001' + '0408c025000003e8' + '0305c22305' + 'ee03aa'
    expect(judge(policy(), hex)).toEqual([Code.ConfigureReject, expected])
  })

  it('without faults is acknowledged as it stands', () => {
    const hex = '01040578' + '020600000000' + '0506deadbeef' + '0702' + '0802'
    expect(judge(policy(), hex)).toEqual([Code.ConfigureAck, hex])
  })

  it('that is empty is fine: all defaults', () => {
    const p = policy()
    expect(judge(p, '')).toEqual([Code.ConfigureAck, ''])
    p.agree([])
    expect(p.peer).toEqual({ mru: 1500, magic: 0, acfc: false, pfc: false })
  })

  it('with our own magic number shows a loop; after enough Naks the option is rejected', () => {
    expect(judge(policy(), '0506 01020304')[0]).toBe(Code.ConfigureNak)
    expect(judge(policy(), '0506 00000000')[0]).toBe(Code.ConfigureNak)
    expect(judge(policy(), '0506 01020304', true)).toEqual([Code.ConfigureReject, '050601020304'])
  })

  it('with a tiny MRU is corrected', () => {
    expect(judge(policy(), '01040020')).toEqual([Code.ConfigureNak, '01040080'])
  })

  it.each(['010305', '0503aa', '07030a', '080300', '0203ff'])('with a known option of a wrong length: %s', hex => {
    expect(judge(policy(), hex)).toEqual([Code.ConfigureReject, hex])
  })

  it('tells what the peer takes', () => {
    const p = policy()
    p.agree(options('01040578 0506deadbeef 0702 0802'))
    expect(p.peer).toEqual({ mru: 1400, magic: 0xdeadbeef, acfc: true, pfc: true })
  })
})
