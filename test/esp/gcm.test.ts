/** AES-GCM in ESP (RFC 4106): the cases of draft-mcgrew-gcm-test-01 that count without extended sequence numbers, and IVs. */

import { describe, expect, test } from 'vitest'
import { checkInbound } from '../../src/esp/rules.ts'
import type { Suite } from '../../src/esp/sa.ts'
import { cipherSizes, LAST_SEQUENCE } from '../../src/esp/suites.ts'
import { fromHex, Secret, toHex } from '../../src/packet/bytes.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { batchOf, dice, engines, espPacket, inboundSa, outboundSa, packets, path, suites } from './support.ts'

const cases = [
  {
    cipher: 'aesgcm128',
    key: 'feffe9928665731c6d6a8f9467308308 cafebabe',
    text: `4500003e698f000080114dccc0a80102 c0a801010a980035002a2343b2d00100 00010000000000000373697009637962
           65726369747902646b00000100010001`,
    packet: `0000a5f80000000afacedbaddecaf888 deb22cd9b07c72c16e3a65beeb8df304 a5a5897d33ae530f1ba76d5d114d2a5c
             3de81827c10e9a4f51330d0eec416642 cfbb85a5b47e48a4ec3b9ba95d918bd1 83b70d3aa8bc6ee4c309e9d85a41ad4a`,
  },
  {
    cipher: 'aesgcm256',
    key: 'abbccddef00112233445566778899aab abbccddef00112233445566778899aab 11223344',
    text: `4500003069a6400080062690c0a80102 9389155e0a9e008b2dc57ee000000000 7002400020bf0000020405b401010402
           01020201`,
    packet: `4a2cbfe3000000020102030405060708 ff425c9b724599df7a3bcd510194e00d 6a78107f1b0b1cbf06efae9d65a5d763
             748a637985771d347f0545659f14e99d ef842d8eb335f4eecfdbf831824b4c49 15956c96`,
  },
  {
    cipher: 'aesgcm192',
    key: 'feffe9928665731c6d6a8f9467308308 feffe9928665731c cafebabe',
    text: '45000028a4ad4000400678800a01038f 0a010612802306b8cb712602dd6bb03e 501016d075680001',
    packet: `0000a5f80000000afacedbaddecaf888 a5b1f8066029aea40e598b8122de0242 0938b3ab33f828e687b8858b5bfbdbd0
             315b27452144cc7795457b9652037f53 18027b5b4cd7a636`,
  },
  {
    cipher: 'aesgcm128',
    key: '7d773d00c144c525ac619d18c84a3f47 d9664267',
    text: '01020201',
    packet: '335467aeffffffff43457e9182443bc6 437f866bcb3f699fe9b0822bac961c45 04bef270',
  },
] as const

const bytes = (hex: string) => fromHex(hex.replace(/\s/g, ''))

describe.each(engines)('$name', ({ make }) => {
  test.each(cases)('opens the case of $key', ({ cipher, key, text, packet }) => {
    const engine = make()
    const sealed = bytes(packet)
    const spi = Number.parseInt(packet.slice(0, 8), 16)
    const keys = { encryption: new Secret(bytes(key)), integrity: new Secret(new Uint8Array(0)) }
    engine.installInbound(inboundSa({ cipher, integrity: 'gcm' }, 3, spi, { keys }))
    const changed = sealed.slice()
    changed[sealed.length - 1]! ^= 1
    const batch = batchOf([{ bytes: changed }, { bytes: sealed }, { bytes: sealed }])
    engine.open(batch)
    expect([batch.verdict[0], batch.reason[0]]).toEqual([Verdict.Drop, DropReason.BadIcv])
    const plain = bytes(text)
    expect(batch.verdict[1]).toBe(Verdict.Forward)
    expect(toHex(batch.packet(1))).toBe(toHex(plain.subarray(0, plain.length - 2 - plain.at(-2)!)))
    expect([batch.peer[1], batch.sa[1], batch.protocol[1]]).toEqual([3, spi, 1])
    expect([batch.verdict[2], batch.reason[2]]).toEqual([Verdict.Drop, DropReason.Replayed])
  })

  test.each(suites.filter(s => s.integrity === 'gcm'))('$cipher authenticates each bit of a packet', suite => {
    const engine = make()
    engine.installInbound(inboundSa(suite, 0, 0x1000, { replayWindow: 0 }))
    const packet = espPacket({ spi: 0x1000, suite }, 7, dice('payload')(21))
    for (let bit = 32; bit < packet.length * 8; bit += 64) {
      const rows = Array.from({ length: Math.min(64, packet.length * 8 - bit) }, (_, i) => {
        const changed = packet.slice()
        changed[(bit + i) >>> 3]! ^= 1 << ((bit + i) & 7)
        return { bytes: changed }
      })
      const batch = batchOf(rows)
      engine.open(batch)
      expect([...batch.reason.subarray(0, batch.count)]).toEqual(rows.map(() => DropReason.BadIcv))
    }
    const whole = batchOf([{ bytes: packet }])
    engine.open(whole)
    expect(whole.verdict[0]).toBe(Verdict.Forward)
  })

  test('its IV is the sequence number: none comes twice, in a batch or after it', () => {
    const engine = make()
    const suite: Suite = { cipher: 'aesgcm128', integrity: 'gcm' }
    engine.setPath({ peer: 0, ...path })
    engine.installOutbound(outboundSa(suite, 0, 0x1000, { sequence: 0x12ff }))
    const ivs: string[] = []
    for (const count of [3, 64]) {
      const batch = batchOf(Array.from({ length: count }, (_, i) => ({ bytes: new Uint8Array(i) })))
      engine.seal(batch)
      for (const p of packets(batch)) {
        expect(toHex(p.subarray(8, 16))).toBe(`00000000${toHex(p.subarray(4, 8))}`)
        ivs.push(toHex(p.subarray(8, 16)))
      }
    }
    expect(ivs[0]).toBe('0000000000001300')
    expect(new Set(ivs).size).toBe(67)
  })

  test('the last sequence number is the last IV', () => {
    const engine = make()
    engine.setPath({ peer: 0, ...path })
    const suite: Suite = { cipher: 'aesgcm256', integrity: 'gcm' }
    engine.installOutbound(outboundSa(suite, 0, 0x1000, { sequence: LAST_SEQUENCE - 1 }))
    const batch = batchOf([{ bytes: new Uint8Array(9) }, { bytes: new Uint8Array(9) }])
    engine.seal(batch)
    expect(toHex(batch.packet(0).subarray(4, 16))).toBe('ffffffff00000000ffffffff')
    expect([batch.verdict[1], batch.reason[1]]).toEqual([Verdict.Drop, DropReason.LifetimeExpired])
  })

  test('has no GCM with an HMAC, and no HMAC of GCM', () => {
    for (const suite of [
      { cipher: 'aesgcm128', integrity: 'sha1' },
      { cipher: 'aes128', integrity: 'gcm' },
    ] as const) {
      expect(() => make().installInbound(inboundSa(suite, 0, 0x1000))).toThrow(RangeError)
      expect(() => checkInbound(inboundSa(suite, 0, 0x1000))).toThrow(suite.cipher)
    }
  })
})

test('what one engine seals, every other does byte for byte: nothing is random', () => {
  const sealedBy = (make: (typeof engines)[number]['make'], suite: Suite) => {
    const engine = make()
    engine.setPath({ peer: 0, ...path })
    engine.installOutbound(outboundSa(suite, 0, 0x1000))
    const batch = batchOf([0, 1, 2, 3, 15, 16, 17, 255, 1400].map(n => ({ bytes: dice('payload')(n) })))
    engine.seal(batch)
    return packets(batch).map(toHex)
  }
  for (const suite of suites.filter(s => s.integrity === 'gcm')) {
    const [reference, ...others] = engines.map(e => sealedBy(e.make, suite))
    expect(reference![0]!.length / 2).toBe(8 + cipherSizes[suite.cipher].iv + 4 + 16)
    for (const other of others) expect(other).toEqual(reference)
  }
})
