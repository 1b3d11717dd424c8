import { describe, expect, it } from 'vitest'
import { hash, prf } from '../../src/ike/cipher.ts'
import { PayloadType } from '../../src/ike/constants.ts'
import { IkeError } from '../../src/ike/error.ts'
import { deriveSkeyids, encryptionKey, exchangeIv, growSkeyids, hash1, hash3, keymat } from '../../src/ike/keymat.ts'
import { body, parseHeader } from '../../src/ike/message.ts'
import { parseDeletion, parseIdentification } from '../../src/ike/payload.ts'
import { protect, unprotect } from '../../src/ike/protect.ts'
import { encodeText, fromHex, toHex } from '../../src/packet/bytes.ts'
import { xpSession as xp } from './samples.ts'

describe('SKEYID and its children', () => {
  it('agree with the NIST vector for pre-shared keys (SHA-1)', () => {
    const keys = deriveSkeyids(
      {
        hash: 'sha1',
        initiatorNonce: fromHex('b9a2d0e922dc66dd'),
        responderNonce: fromHex('2130166863b5ddef'),
        sharedSecret: fromHex('739003ba2c11c982946c65e26acf661fbf8ebb78011a9fead79efa12fe3e71cc'),
        initiatorCookie: fromHex('83d374c30b3b5082'),
        responderCookie: fromHex('5afc0da06c728029'),
      },
      fromHex('75'),
    )
    expect(toHex(keys.skeyid)).toBe('62b04d112877e442fc3282fc37c076997718a0b9')
    expect(toHex(keys.skeyidD)).toBe('369e5aad1bdb5faf6a3d929d500cdc236710a9ab')
    expect(toHex(keys.skeyidA)).toBe('588e957d8d790d093b3a39f121473473af78e9bb')
    expect(toHex(keys.skeyidE)).toBe('cd74b0c048219db81384d3fda8f6cda51e398a2b')
  })

  it('agree with the NIST vector for signatures, whose SKEYID is made otherwise', () => {
    const sharedSecret = fromHex('8ba4cbc73c0187301dc19a975823854dbd641c597f637f8d053a83b9514673eb')
    const skeyid = prf('sha1', fromHex('69a62284195f168080c94ba25c8abda5'), sharedSecret)
    expect(toHex(skeyid)).toBe('707197817fb2d90cf54d1842606bdea59b9f4823')
    const keys = growSkeyids(
      {
        hash: 'sha1',
        sharedSecret,
        initiatorCookie: fromHex('8c3bcd3a69831d7f'),
        responderCookie: fromHex('d2d9a7ff4fbe95a7'),
      },
      skeyid,
    )
    expect(toHex(keys.skeyidD)).toBe('384be709a8a5e63c3ed160cfe3921c4b37d5b32d')
    expect(toHex(keys.skeyidA)).toBe('48b327575abe3adba0f279849e289022a13e2b47')
    expect(toHex(keys.skeyidE)).toBe('a4a415c8e0c38c0da847c356cc61c24df8025560')
  })
})

describe('the XP session', () => {
  const protection = { cipher: '3des' as const, key: fromHex(xp.ka) }

  it('has the SKEYID of its key and nonces, and the encryption key of its SKEYID_e', () => {
    expect(toHex(prf('sha1', encodeText(xp.presharedKey), xp.ni, xp.nr))).toBe(xp.skeyid)
    expect(toHex(encryptionKey('sha1', '3des', xp.skeyidE))).toBe(xp.ka)
  })

  it('decrypts messages 5 and 6, IV after IV, and re-encrypts them to the same bytes', () => {
    const five = unprotect(xp.message5, protection, xp.iv1)
    expect(five.payloads.map(p => p.type)).toEqual([PayloadType.Identification, PayloadType.Hash])
    const id = parseIdentification(body(five.payloads, PayloadType.Identification)!)
    expect({ ...id, data: new TextDecoder().decode(id.data) }).toEqual({
      type: 2,
      protocol: 0,
      port: 0,
      data: 'XPCLIENT',
    })
    expect(toHex(body(five.payloads, PayloadType.Hash)!)).toBe(xp.hashI)
    const six = unprotect(xp.message6, protection, five.iv)
    expect(toHex(body(six.payloads, PayloadType.Hash)!)).toBe(xp.hashR)
    expect(toHex(exchangeIv('sha1', '3des', six.iv, xp.quickMessageId))).toBe(xp.ivQuick)
    expect(protect(parseHeader(xp.message5), five.payloads, protection, xp.iv1).bytes).toEqual(xp.message5)
    expect(protect(parseHeader(xp.message6), six.payloads, protection, five.iv).bytes).toEqual(xp.message6)
  })

  it('decrypts and authenticates the DELETE', () => {
    const { messageId } = parseHeader(xp.deletion)
    const iv = exchangeIv('sha1', '3des', xp.message6.slice(-8), messageId)
    const { payloads, behindFirst } = unprotect(xp.deletion, protection, iv)
    expect(body(payloads, PayloadType.Hash)).toEqual(hash1('sha1', xp.skeyidA, messageId, behindFirst))
    const deletion = parseDeletion(body(payloads, PayloadType.Delete)!)
    expect(deletion.protocol).toBe(3)
    expect(deletion.spis).toHaveLength(1)
  })

  it('refuses message 5 under another key: its payload chain is garbage', () => {
    const wrong = { cipher: '3des' as const, key: fromHex(xp.ka).map(b => b ^ 0x10) }
    expect(() => unprotect(xp.message5, wrong, xp.iv1)).toThrow(IkeError)
  })
})

describe('key expansion', () => {
  it('stretches SKEYID_e by its own feedback for long keys, and cuts it for short ones', () => {
    const e = fromHex('000102030405060708090a0b0c0d0e0f10111213')
    const k1 = prf('sha1', e, Uint8Array.of(0))
    const k2 = prf('sha1', e, k1)
    expect(toHex(encryptionKey('sha1', 'aes256', e))).toBe((toHex(k1) + toHex(k2)).slice(0, 64))
    expect(toHex(encryptionKey('sha1', 'aes128', e))).toBe(toHex(e).slice(0, 32))
    expect(encryptionKey('md5', 'aes192', hash('md5', e))).toHaveLength(24)
  })

  it('makes KEYMAT differ by SPI and by the second shared secret, and prolongs it consistently', () => {
    const base = {
      hash: 'sha1' as const,
      skeyidD: xp.skeyidA,
      sharedSecret: undefined,
      protocol: 3,
      spi: fromHex('5eed0001'),
      initiatorNonce: xp.ni,
      responderNonce: xp.nr,
    }
    const long = keymat(base, 64)
    expect(keymat(base, 20)).toEqual(long.slice(0, 20))
    const seed = fromHex(`035eed0001${toHex(xp.ni)}${toHex(xp.nr)}`)
    expect(long.slice(0, 20)).toEqual(prf('sha1', xp.skeyidA, seed))
    expect(long.slice(20, 40)).toEqual(prf('sha1', xp.skeyidA, long.slice(0, 20), seed))
    expect(keymat({ ...base, spi: fromHex('5eed0002') }, 20)).not.toEqual(long.slice(0, 20))
    expect(keymat({ ...base, sharedSecret: fromHex('01') }, 20)).not.toEqual(long.slice(0, 20))
  })

  it('computes HASH(3) over a zero byte, the message ID and both nonces', () => {
    const expected = prf('sha1', xp.skeyidA, fromHex(`006b8b4567${toHex(xp.ni)}${toHex(xp.nr)}`))
    expect(hash3('sha1', xp.skeyidA, 0x6b8b4567, xp.ni, xp.nr)).toEqual(expected)
  })
})
