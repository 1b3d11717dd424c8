import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { authenticateChap } from '../../src/aaa/authenticator.ts'
import { chapMd5, verifyChapMd5 } from '../../src/aaa/chap.ts'
import { bareName, type DialInUser, Users } from '../../src/aaa/users.ts'
import { fromHex, Secret, toHex } from '../../src/packet/bytes.ts'

const user = (name: string, password: string): DialInUser => ({
  name,
  password: Secret.fromText(password),
  address: undefined,
})

describe('CHAP-MD5', () => {
  const challenge = fromHex('000102030405060708090a0b0c0d0e0f')
  const expected = fromHex('740e86463bda3a4d7017d6e0fba0699d')

  it('gives the known answer', () => {
    expect(toHex(chapMd5(1, Secret.fromText('secret'), challenge))).toBe(toHex(expected))
    expect(verifyChapMd5(1, Secret.fromText('secret'), challenge, expected)).toBe(true)
  })

  it('depends on identifier, secret, challenge and every byte of the response', () => {
    expect(verifyChapMd5(2, Secret.fromText('secret'), challenge, expected)).toBe(false)
    expect(verifyChapMd5(1, Secret.fromText('Secret'), challenge, expected)).toBe(false)
    expect(verifyChapMd5(1, Secret.fromText('secret'), challenge.subarray(1), expected)).toBe(false)
    expect(verifyChapMd5(1, Secret.fromText('secret'), challenge, expected.subarray(1))).toBe(false)
    for (let i = 0; i < 16; i++) {
      const wrong = expected.slice()
      wrong[i]! ^= 1
      expect(verifyChapMd5(1, Secret.fromText('secret'), challenge, wrong)).toBe(false)
    }
  })
})

describe('lookup', () => {
  const users = new Users([user('DialIn1', 'a'), user('CORP\\boss', 'b'), user('boss', 'c'), user('x@y', 'd')])

  it.each([
    ['dialin1', 'DialIn1'],
    ['DIALIN1', 'DialIn1'],
    ['WORKGROUP\\dialin1', 'DialIn1'],
    ['dialin1@example.com', 'DialIn1'],
    ['corp\\BOSS', 'CORP\\boss'],
    ['other\\boss', 'boss'],
    ['x@y', 'x@y'],
    ['x@z', undefined],
    ['', undefined],
    ['@', undefined],
    ['dialin', undefined],
    ['__proto__', undefined],
  ])('%s is %s', (name, expected) => {
    expect(users.lookup(name)?.name).toBe(expected)
  })

  it('knows how many there are, and the later of two with one name', () => {
    expect(users.size).toBe(4)
    const two = new Users([user('a', '1'), user('A', '2')])
    expect([...two].map(u => toHex(u.password.reveal()))).toEqual(['32'])
  })

  it('bareName takes off one decoration', () => {
    expect(['A\\B\\c', 'c@d@e', '@e', 'c'].map(bareName)).toEqual(['c', 'c@d', '@e', 'c'])
  })
})

describe('authenticateChap', () => {
  const users = new Users([user('dialin1', 'friend1')])
  const ask = (name: string, password: string, identifier = 9) => {
    const challenge = fromHex('aabbccdd')
    const response = createHash('md5')
      .update(Buffer.from([identifier]))
      .update(password)
      .update(challenge)
      .digest()
    return authenticateChap(users, { method: 'chap-md5', name, identifier, challenge, response })
  }

  it('accepts the right password, under any spelling of the name', () => {
    expect(ask('dialin1', 'friend1')).toMatchObject({ kind: 'accepted', user: { name: 'dialin1' } })
    expect(ask('DOMAIN\\DialIn1', 'friend1').kind).toBe('accepted')
  })

  it('takes the password as it is written', () => {
    expect(ask('dialin1', 'Friend1')).toEqual({ kind: 'rejected', reason: 'wrong-password' })
    expect(ask('dialin1', '')).toEqual({ kind: 'rejected', reason: 'wrong-password' })
  })

  it('does not let in somebody who is not there, not even by the stand-in password', () => {
    expect(ask('dialin9', 'friend1')).toEqual({ kind: 'rejected', reason: 'unknown-user' })
    expect(ask('dialin9', 'nobody has this password')).toEqual({ kind: 'rejected', reason: 'unknown-user' })
  })

  it('never accepts random responses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 32 }), fc.string(), (response, name) => {
        const challenge = fromHex('00')
        const decision = authenticateChap(users, { method: 'chap-md5', name, identifier: 0, challenge, response })
        expect(decision.kind).toBe('rejected')
      }),
    )
  })
})
