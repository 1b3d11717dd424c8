import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import type { Suite } from '../../src/esp/sa.ts'
import { cbcCipher, mac } from '../../src/esp/transform.ts'
import { encodeText, fromHex, Secret, toHex } from '../../src/packet/bytes.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { concat } from '../../src/packet/writer.ts'
import { batchOf, engines, inboundSa, outboundSa, path } from './support.ts'

const keys = (encryption: string, integrity: string) => ({
  encryption: new Secret(fromHex(encryption)),
  integrity: new Secret(fromHex(integrity)),
})

describe('transforms', () => {
  test('RFC 3602 case 1: AES-128-CBC of one block', () => {
    const aes = cbcCipher('aes128', fromHex('06a9214036b8a15b512e03d534120006'))
    const iv = fromHex('3dafba429d9eb430b422da802c9fac41')
    const encrypted = aes.encrypt(iv, encodeText('Single block msg'))
    expect(toHex(encrypted)).toBe('e353779c1079aeb82708942dbe77181a')
    expect(aes.decrypt(iv, encrypted)).toEqual(encodeText('Single block msg'))
  })

  // RFC 2202 gives all 128 and 160 bits; ESP carries the first 96 (RFC 2403, 2404).
  test.each([
    ['md5', '0b'.repeat(16), 'Hi There', '9294727a3638bb1c13f48ef8158bfc9d'],
    ['sha1', '0b'.repeat(20), 'Hi There', 'b617318655057264e28bc0b6fb378c8ef146be00'],
    ['md5', toHex(encodeText('Jefe')), 'what do ya want for nothing?', '750c783e6ab0b503eaa86e310a5db738'],
    ['sha1', toHex(encodeText('Jefe')), 'what do ya want for nothing?', 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
  ] as const)('RFC 2202: HMAC-%s under key %s', (integrity, key, message, digest) => {
    expect(toHex(mac(integrity, fromHex(key))(encodeText(message)))).toBe(digest.slice(0, 24))
  })

  test('DES is 3DES with three equal keys', () => {
    const key = fromHex('0123456789abcdef')
    const iv = fromHex('1234567890abcdef')
    const plain = encodeText('Now is the time for all ')
    const encrypted = cbcCipher('des', key).encrypt(iv, plain)
    // FIPS 81, the CBC example.
    expect(toHex(encrypted)).toBe('e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6')
    expect(cbcCipher('3des', concat(key, key, key)).encrypt(iv, plain)).toEqual(encrypted)
    expect(cbcCipher('des', key).decrypt(iv, encrypted)).toEqual(plain)
  })
})

describe('RFC 3602 case 5: ESP in transport mode with AES-128-CBC', () => {
  const suite: Suite = { cipher: 'aes128', integrity: 'sha1' }
  const key = '90d382b410eeba7ad938c46cec1a82bf'
  const authKey = '0b'.repeat(20)
  const iv = fromHex('e96e8c08ab465763fd098d45dd3ff893')
  const payload = concat(
    fromHex('08000ebda70a00008e9c083db95b0700'),
    Uint8Array.from({ length: 48 }, (_, i) => i + 8),
  )
  // The RFC's packet carries no ICV; one is added here with Node's own HMAC.
  const unsigned = concat(
    fromHex('000010e100000001'),
    iv,
    fromHex(`f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52
             775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6`),
  )
  const icv = createHmac('sha1', fromHex(authKey)).update(unsigned).digest().subarray(0, 12)
  const packet = concat(unsigned, icv)

  test.each(engines)('$name opens it', ({ make }) => {
    const engine = make()
    engine.installInbound(inboundSa(suite, 3, 4321, { keys: keys(key, authKey) }))
    const batch = batchOf([{ bytes: packet }])
    engine.open(batch)
    expect(batch.verdict[0]).toBe(Verdict.Forward)
    expect(batch.packet(0)).toEqual(payload)
    expect([batch.peer[0], batch.sa[0], batch.protocol[0]]).toEqual([3, 4321, 1])
  })

  test('the reference, given the IV, seals it', () => {
    const engine = new ReferenceEngine(() => iv)
    engine.setPath({ peer: 3, ...path })
    engine.installOutbound(outboundSa(suite, 3, 4321, { keys: keys(key, authKey) }))
    const batch = batchOf([{ bytes: payload, peer: 3, protocol: 1 }])
    engine.seal(batch)
    expect(toHex(batch.packet(0))).toBe(toHex(packet))
  })
})

describe('a Windows XP client announces itself: SCCRQ under 3DES and MD5', () => {
  // The keys are Quick Mode's key material: 24 bytes for 3DES, then 16 for HMAC-MD5.
  const keymat = '6054d85973d3c4118e5567d12d5f5eaf24725e1805c42c886c538990c115ad9f17dbd2e66e6b17a9'
  const packet = fromHex(`
    5eed0001000000010102030405060708816b73908c5f1404e7de634c6c66f9bc6b9750b9bfb2dbddc16b09fbba7dc6917011b2be9dde52b7
    b18d5cd85a02a147c01afb3a61c44b77a994d7caa1768084a7b48c3f152eaa6fe110eac4291e08eba214fc48f5a9583374d31b88a2fe306e
    a96d57c7722d52f7b203ad20766ee315c2e10e5093b4dbc25c859d40`)
  const sccrq = `
    06a506a5006dd323c8020065000000000000000080080000000000018008000000020100800a0000000300000001000a
    00000004000000000008000000060500800e000000075850434c49454e54000f000000084d6963726f736f6674800800
    000009000180080000000a0008`
  const suite: Suite = { cipher: '3des', integrity: 'md5' }
  const sa = () =>
    inboundSa(suite, 7, 0x5eed0001, { keys: keys(keymat.slice(0, 48), keymat.slice(48)), replayWindow: 64 })

  test.each(engines)('$name opens it once', ({ make }) => {
    const engine = make()
    engine.installInbound(sa())
    const batch = batchOf([{ bytes: packet }, { bytes: packet }])
    expect(engine.open(batch)).toBe(1)
    expect(engine.takeEvents()).toEqual([{ kind: 'first', peer: 7, spi: 0x5eed0001 }])
    expect(toHex(batch.packet(0))).toBe(toHex(fromHex(sccrq)))
    expect([batch.peer[0], batch.protocol[0]]).toEqual([7, 17])
    expect([batch.verdict[1], batch.reason[1]]).toEqual([Verdict.Drop, DropReason.Replayed])
  })

  test.each(engines)('$name refuses it after a change of any one bit', ({ make }) => {
    const engine = make()
    engine.installInbound(sa())
    const verdicts: number[] = []
    for (let bit = 0; bit < packet.length * 8; bit += 64) {
      const rows = Array.from({ length: 64 }, (_, i) => {
        const changed = packet.slice()
        const at = Math.min(bit + i, packet.length * 8 - 1)
        changed[at >>> 3] = changed[at >>> 3]! ^ (1 << (at & 7))
        return { bytes: changed }
      })
      const batch = batchOf(rows)
      engine.open(batch)
      for (let i = 0; i < 64; i++) {
        verdicts.push(batch.verdict[i]!)
        const inSpi = bit + i < 32
        // Sequence number 1 with its one bit cleared is 0, which is never right.
        const reason = inSpi ? DropReason.UnknownSpi : bit + i === 7 * 8 ? DropReason.Replayed : DropReason.BadIcv
        expect(batch.reason[i]).toBe(reason)
      }
    }
    expect(new Set(verdicts)).toEqual(new Set([Verdict.Drop]))
    const intact = batchOf([{ bytes: packet }])
    engine.open(intact)
    expect(intact.verdict[0]).toBe(Verdict.Forward)
  })
})
