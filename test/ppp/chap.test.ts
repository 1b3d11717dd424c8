import fc from 'fast-check'
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

describe('the authenticator with MS-CHAPv2', () => {
  const start = () => {
    const chap = new ChapAuthenticator('gate', countingDice(), 'mschap2')
    return { chap, id: chap.challenge(0)!.id }
  }
  const value49 = (fill: number) => new Uint8Array(49).fill(fill)

  it.each([0, 16, 48, 50])('refuses a value of %d bytes', length => {
    const { chap, id } = start()
    expect(() => chap.receive(response(id, new Uint8Array(length)))).toThrow(PppError)
  })

  it('says that another try is welcome, with a new challenge, and repeats exactly that', () => {
    const { chap, id } = start()
    chap.receive(response(id, value49(1)))
    const { replies, retry } = chap.decide(refusal)
    expect(retry).toBe(true)
    expect(Buffer.from(replies[0]!.data).toString()).toMatch(/^E=691 R=1 C=[0-9A-F]{32} V=3 M=no$/)
    expect(chap.receive(response(id, value49(1)))).toEqual({ kind: 'send', packet: replies[0] })
    expect(chap.receive(response((id + 2) & 255, value49(2))).kind).toBe('ignore')
    const again = chap.receive(response((id + 1) & 255, value49(2)))
    const challenge = /C=(\w+)/.exec(Buffer.from(replies[0]!.data).toString())![1]!
    expect(again.kind === 'verify' && toHex(again.response.challenge).toUpperCase()).toBe(challenge)
    // What was refused is over: its Response, once more, is no try and gets no answer.
    expect(chap.receive(response(id, value49(1))).kind).toBe('ignore')
  })

  it('sends a Success with the proof before the words', () => {
    const { chap, id } = start()
    chap.receive(response(id, value49(1)))
    const { replies } = chap.decide({ ...acceptance, proof: `S=${'A'.repeat(40)}` })
    expect(Buffer.from(replies[0]!.data).toString()).toBe(`S=${'A'.repeat(40)} M=yes`)
  })

  it.each(['pool-empty', 'not-allowed', 'unavailable'] as const)('allows no other try after "%s"', reason => {
    const { chap, id } = start()
    chap.receive(response(id, value49(1)))
    const { replies, retry } = chap.decide({ ...refusal, reason })
    expect(retry).toBe(false)
    expect(Buffer.from(replies[0]!.data).toString()).toMatch(/^E=649 R=0 /)
  })
})

it('whatever comes, no more than three Responses are verified and only PppError is thrown', () => {
  const packet = fc.record({
    code: fc.constantFrom(2, 2, 2, 1, 3, 4, 7),
    id: fc.nat(3),
    data: fc.oneof(
      fc.constantFrom(...[1, 2, 3].map(n => response(0, new Uint8Array(49).fill(n)).data)),
      fc.uint8Array({ maxLength: 60 }),
    ),
  })
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), packets => {
      const chap = new ChapAuthenticator('gate', () => new Uint8Array(1), 'mschap2')
      chap.challenge(0)
      chap.challenge(3000)
      let verified = 0
      for (const p of packets) {
        try {
          if (chap.receive(p).kind !== 'verify') continue
          verified++
          chap.decide(refusal)
        } catch (error) {
          expect(error).toBeInstanceOf(PppError)
          return
        }
      }
      expect(verified).toBeLessThanOrEqual(3)
    }),
  )
})
