import { describe, expect, it } from 'vitest'
import { encodeText, fromHex, toHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import { ChapAuthenticator } from '../../src/ppp/chap.ts'
import { ChapCode, MAX_CHALLENGES } from '../../src/ppp/constants.ts'
import { PppError } from '../../src/ppp/error.ts'
import { countingDice } from './pair.ts'

const value = fromHex('00112233445566778899aabbccddeeff')
const response = (id: number, v: Uint8Array = value, name = 'dialin1') => ({
  code: ChapCode.Response,
  id,
  data: concat(Uint8Array.of(v.length), v, Buffer.from(name)),
})

const refusal = { kind: 'rejected', reason: 'wrong-password', message: 'no' } as const
const acceptance = { kind: 'accepted', message: 'yes' } as const

describe('the authenticator', () => {
  it('sends sixteen fresh bytes, its name, and a new identifier each time, every three seconds', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const first = chap.challenge(1000)!
    expect(chap.deadline).toBe(4000)
    const second = chap.challenge(4000)!
    expect(first.data).toHaveLength(1 + 16 + 4)
    expect(first.data[0]).toBe(16)
    expect(toHex(first.data.subarray(17))).toBe(toHex(Buffer.from('gate')))
    expect(second.id).toBe((first.id + 1) & 255)
    expect(toHex(second.data)).not.toBe(toHex(first.data))
  })

  it('gives up after MAX_CHALLENGES', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    for (let i = 0; i < MAX_CHALLENGES; i++) expect(chap.challenge(i)).toBeDefined()
    expect(chap.challenge(99)).toBeUndefined()
    expect(chap.deadline).toBeUndefined()
  })

  it('hands a Response on with the challenge that it answers, even an earlier one', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const first = chap.challenge(0)!
    chap.challenge(3000)
    const outcome = chap.receive(response(first.id))
    expect(outcome).toEqual({
      kind: 'verify',
      response: {
        identifier: first.id,
        name: 'dialin1',
        rawName: encodeText('dialin1'),
        challenge: first.data.slice(1, 17),
        value,
      },
    })
    expect(chap.deadline).toBeUndefined()
  })

  it('ignores a wrong identifier, and other codes', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const { id } = chap.challenge(0)!
    expect(chap.receive(response((id + 1) & 255)).kind).toBe('ignore')
    expect(chap.receive({ ...response(id), code: ChapCode.Success }).kind).toBe('ignore')
  })

  it.each([new Uint8Array(0), new Uint8Array(49), new Uint8Array(15)])('refuses a value that is no MD5', v => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const { id } = chap.challenge(0)!
    expect(() => chap.receive(response(id, v))).toThrow(PppError)
  })

  it('refuses a value that goes beyond the packet', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const { id } = chap.challenge(0)!
    expect(() => chap.receive({ code: 2, id, data: fromHex('10aabb') })).toThrow(PppError)
    expect(() => chap.receive({ code: 2, id, data: fromHex('') })).toThrow(PppError)
  })

  it('repeats the same answer for a repeated Response, and asks nobody again', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const { id } = chap.challenge(0)!
    chap.receive(response(id))
    expect(chap.receive(response(id)).kind).toBe('ignore')
    const [failure, ...more] = chap.decide(refusal).replies
    expect(failure).toEqual({ code: ChapCode.Failure, id, data: new Uint8Array(Buffer.from('no')) })
    expect(more).toEqual([])
    expect(chap.receive(response(id))).toEqual({ kind: 'send', packet: failure })
    expect(chap.repeat()).toEqual(failure)
    expect(chap.decide(acceptance).replies).toEqual([])
  })

  it('answers each of two Responses that came before the decision', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const a = chap.challenge(0)!.id
    const b = chap.challenge(3000)!.id
    chap.receive(response(a))
    chap.receive(response(b))
    expect(chap.decide(acceptance).replies.map(p => [p.code, p.id])).toEqual([
      [ChapCode.Success, a],
      [ChapCode.Success, b],
    ])
  })

  it('shows a name without control characters', () => {
    const chap = new ChapAuthenticator('gate', countingDice())
    const { id } = chap.challenge(0)!
    expect(chap.receive(response(id, value, 'a\nb\u001b[2J'))).toMatchObject({ response: { name: 'a?b?[2J' } })
  })
})
