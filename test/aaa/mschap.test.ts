import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { authenticateChap } from '../../src/aaa/authenticator.ts'
import { md4 } from '../../src/aaa/md4.ts'
import { authenticatorResponse, challengeHash, ntHash, ntResponse, verifyNtResponse } from '../../src/aaa/mschap.ts'
import { Users } from '../../src/aaa/users.ts'
import { encodeText, fromHex, Secret, toHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'

describe('MD4', () => {
  // RFC 1320, appendix A.5.
  it.each([
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    ['abcdefghijklmnopqrstuvwxyz', 'd79e1c308aa5bbcdeea8ed63df412da9'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', '043f8582f241db351ce627e153e7f0e4'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      'e33b4ddc9c38f2199c3e7b164fcc0536',
    ],
  ])('of "%s"', (text, digest) => {
    expect(toHex(md4(encodeText(text)))).toBe(digest)
  })
})

/** RFC 2759 section 9.2. */
const KNOWN = {
  name: encodeText('User'),
  password: Secret.fromText('clientPass'),
  challenge: fromHex('5b5d7c7d7b3f2f3e3c2c602132262628'),
  peerChallenge: fromHex('21402324255e262a28295f2b3a337c7e'),
  challengeHash: fromHex('d02e4386bce91226'),
  response: fromHex('82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df'),
  proof: 'S=407A5589115FD0D6209F510FE9C04566932CDA56',
} as const

describe('MS-CHAPv2', () => {
  it('gives the known answers', () => {
    const hash = ntHash(KNOWN.password)
    expect(toHex(hash.reveal())).toBe('44ebba8d5312b8d611474411f56989ae')
    const hashed = challengeHash(KNOWN.peerChallenge, KNOWN.challenge, KNOWN.name)
    expect(toHex(hashed)).toBe(toHex(KNOWN.challengeHash))
    expect(toHex(ntResponse(hash, hashed))).toBe(toHex(KNOWN.response))
    expect(verifyNtResponse(hash, hashed, KNOWN.response)).toBe(true)
    expect(authenticatorResponse(hash, KNOWN.response, hashed)).toBe(KNOWN.proof)
  })

  it('hashes the name without its logon domain, and a realm with it', () => {
    const hashed = (name: string) => toHex(challengeHash(KNOWN.peerChallenge, KNOWN.challenge, encodeText(name)))
    expect(hashed('CORP\\User')).toBe(toHex(KNOWN.challengeHash))
    expect(hashed('User@corp')).not.toBe(toHex(KNOWN.challengeHash))
    expect(hashed('user')).not.toBe(toHex(KNOWN.challengeHash))
  })

  it('takes a password beyond ASCII as UTF-16', () => {
    expect(toHex(ntHash(Secret.fromText('pässwörd €')).reveal())).toBe(toHex(md4(Buffer.from('pässwörd €', 'utf16le'))))
  })

  it('depends on every bit of the response', () => {
    const hash = ntHash(KNOWN.password)
    for (let i = 0; i < KNOWN.response.length * 8; i++) {
      const wrong = KNOWN.response.slice()
      wrong[i >> 3]! ^= 1 << (i & 7)
      expect(verifyNtResponse(hash, KNOWN.challengeHash, wrong)).toBe(false)
    }
    expect(verifyNtResponse(hash, KNOWN.challengeHash, KNOWN.response.subarray(1))).toBe(false)
    expect(verifyNtResponse(hash, KNOWN.challengeHash, new Uint8Array(0))).toBe(false)
  })
})

describe('authenticateChap with MS-CHAPv2', () => {
  const users = new Users([{ name: 'User', password: KNOWN.password, address: undefined }])
  const { challenge, peerChallenge, response } = KNOWN
  const known = { method: 'mschap2', name: 'User', rawName: KNOWN.name, challenge, peerChallenge, response } as const

  it('accepts the known answer, and has a proof of its own', () => {
    expect(authenticateChap(users, known)).toMatchObject({
      kind: 'accepted',
      user: { name: 'User' },
      proof: KNOWN.proof,
    })
    const rawName = concat(encodeText('CORP\\'), KNOWN.name)
    expect(authenticateChap(users, { ...known, name: 'CORP\\User', rawName })).toMatchObject({ kind: 'accepted' })
  })

  it('refuses another name, another challenge and a user who is not there', () => {
    const wrong = { kind: 'rejected', reason: 'wrong-password' }
    expect(authenticateChap(users, { ...known, rawName: encodeText('USER') })).toEqual(wrong)
    expect(authenticateChap(users, { ...known, challenge: KNOWN.peerChallenge })).toEqual(wrong)
    expect(authenticateChap(users, { ...known, name: 'Nobody' })).toEqual({
      kind: 'rejected',
      reason: 'unknown-user',
    })
  })

  it('does not let in somebody who is not there by the stand-in password', () => {
    const hash = ntHash(Secret.fromText('nobody has this password'))
    const shown = ntResponse(hash, KNOWN.challengeHash)
    expect(authenticateChap(users, { ...known, name: 'ghost', response: shown }).kind).toBe('rejected')
  })

  it('never accepts random responses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 32 }), fc.string(), (random, name) => {
        expect(authenticateChap(users, { ...known, name, response: random }).kind).toBe('rejected')
      }),
    )
  })
})
