import fc from 'fast-check'
import forge from 'node-forge'
import { describe, expect, it } from 'vitest'
import { makeRevocationList } from '../../src/gateway/certificates.ts'
import {
  MAX_CERTIFICATE,
  parseCertificate,
  parseRevocationList,
  readCertificates,
  readRevocationLists,
} from '../../src/ike/certificate.ts'
import { dateText, judgeCertificates } from '../../src/ike/certificate-path.ts'
import { DerError, Elements, time } from '../../src/ike/der.ts'
import { nameText } from '../../src/ike/distinguished-name.ts'
import { certificatesOf } from '../../src/ike/pkcs7.ts'
import { encodeText } from '../../src/packet/bytes.ts'
import { authority, client, NOW, read, revocationList, rsaClient, server, trust } from '../support/authority.ts'
import { windowsXp } from '../support/windows.ts'
import { Client, events, Gateway, of } from './gateway.ts'

const ca = authority({ name: 'Example CA' })
const alice = client(ca)

/** As Windows wraps a chain: nobody has signed it. */
function wrapped(...ders: readonly Uint8Array[]): Uint8Array {
  const message = forge.pkcs7.createSignedData()
  for (const der of ders) {
    const asn1 = forge.asn1.fromDer(Buffer.from(der).toString('latin1'))
    message.addCertificate(forge.pki.certificateFromAsn1(asn1))
  }
  return new Uint8Array(Buffer.from(forge.asn1.toDer(message.toAsn1()).getBytes(), 'latin1'))
}

describe('a certificate, read', () => {
  it('says what it is', () => {
    expect(read(alice)).toMatchObject({
      name: 'CN=alice, O=Example',
      commonNames: ['alice'],
      alternativeNames: [{ kind: 'user', text: 'alice@example.org' }],
      authority: false,
      notAfter: NOW + 365 * 86_400_000,
      signatureAlgorithm: '1.2.840.113549.1.1.11',
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.8.2.2'],
      unknownCritical: [],
    })
    expect(read(ca)).toMatchObject({ name: 'CN=Example CA, O=Example', authority: true, pathLength: undefined })
    expect(read(server(ca)).alternativeNames).toEqual([
      { kind: 'address', text: '198.51.100.1' },
      { kind: 'fqdn', text: '198.51.100.1' },
    ])
  })

  it('is refused unread where it is larger than any', () => {
    expect(() => parseCertificate(new Uint8Array(MAX_CERTIFICATE + 1).fill(0x30))).toThrow(DerError)
  })

  it('is refused where a byte follows it', () => {
    const { der } = read(alice)
    expect(() => parseCertificate(Uint8Array.of(...der, 0))).toThrow(DerError)
  })

  it('gives a name that is safe to print', () => {
    const nasty = read(client(ca, { subject: { commonName: 'a\u001b[31m\nb' } }))
    expect(nasty.name).toBe('CN=a?[31m?b')
    expect(nameText(Uint8Array.of(1, 2, 3))).toBeUndefined()
  })
})

describe('times', () => {
  const utc = (text: string) => time({ tag: 0x17, content: encodeText(text), whole: new Uint8Array(0) })
  const general = (text: string) => time({ tag: 0x18, content: encodeText(text), whole: new Uint8Array(0) })

  it('are those of the calendar', () => {
    fc.assert(
      fc.property(fc.integer({ min: -631_152_000, max: 32_503_680_000 }), seconds => {
        const date = new Date(seconds * 1000)
        const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
        expect(general(text)).toBe(seconds * 1000)
        expect(dateText(seconds * 1000)).toBe(date.toISOString().slice(0, 10))
      }),
    )
  })

  it('of two digits lie between 1950 and 2049', () => {
    expect(utc('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(utc('500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    for (const wrong of ['20260101000000Z', '260101000000', '261301000000Z', '260101000000+0100', ''])
      expect(() => utc(wrong)).toThrow(DerError)
  })
})

describe('a revocation list, read', () => {
  it('names the revoked ones', () => {
    const list = revocationList(ca, alice)
    expect([...list.revoked]).toEqual([read(alice).serial])
    expect(revocationList(ca).revoked.size).toBe(0)
  })

  it('is read from PEM and from DER, and from nothing else', () => {
    const pem = makeRevocationList(ca, [], new Date(NOW), new Date(NOW))
    const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
    expect(readRevocationLists(encodeText(pem))).toEqual(readRevocationLists(new Uint8Array(der)))
    expect(() => readRevocationLists(encodeText('no list'))).toThrow(DerError)
    expect(() => readCertificates(encodeText(pem))).toThrow(DerError)
  })
})

describe('a PKCS #7 message', () => {
  it('gives the own certificate first, whatever the order', () => {
    const ders = [read(ca).der, read(alice).der]
    for (const order of [ders, [...ders].reverse()])
      expect(certificatesOf(wrapped(...order)).map(d => parseCertificate(d).name)).toEqual([
        'CN=alice, O=Example',
        'CN=Example CA, O=Example',
      ])
    expect(certificatesOf(wrapped())).toEqual([])
  })

  it('is taken from Windows in place of single certificates', () => {
    const gateway = new Gateway({
      authentication: 'rsa',
      credentials: { privateKey: ca.key, chain: [read(ca)], trust: trust([ca]), wall: () => NOW },
    })
    const certificates = [Uint8Array.of(1, ...wrapped(read(ca).der, read(alice).der))]
    new Client(gateway, { ...windowsXp, rsa: rsaClient(alice, [], { certificates }) }).mainMode()
    expect(of(gateway.effects, 'peerUp')[0]).toMatchObject({ identity: 'CN=alice, O=Example' })
    const broken = [Uint8Array.of(1, 0x30, 3, 2, 1, 0)]
    const other = new Client(gateway, { seed: 'other', rsa: rsaClient(alice, [], { certificates: broken }) })
    const four = other.must(other.ike.message3(other.must(other.ike.message1())))
    other.send(other.ike.message5(four))
    expect(events(gateway.take(), 'failed')[0]?.detail).toContain('PKCS #7 message cannot be read')
  })
})

describe('garbage', () => {
  const samples = {
    certificate: read(alice).der,
    list: new Uint8Array(
      Buffer.from(
        makeRevocationList(ca, [{ serial: '77', at: new Date(NOW) }], new Date(NOW), new Date(NOW)).replace(
          /-----[^-]+-----/g,
          '',
        ),
        'base64',
      ),
    ),
    message: wrapped(read(ca).der, read(alice).der),
  }
  const readers = { certificate: parseCertificate, list: parseRevocationList, message: certificatesOf }

  const only = (read: () => unknown) => {
    try {
      read()
    } catch (e) {
      expect(e).toBeInstanceOf(DerError)
    }
  }

  /** A sample with some bytes changed, and cut or not. */
  const broken = (sample: Uint8Array) =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat(sample.length)),
      )
      .map(([changes, cut]) => {
        const copy = sample.slice(0, cut ?? sample.length)
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        return copy
      })

  it.each(['certificate', 'list', 'message'] as const)('is never more than a DerError: %s', kind => {
    fc.assert(
      fc.property(broken(samples[kind]), bytes => only(() => readers[kind](bytes))),
      { numRuns: 400 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), bytes => only(() => readers[kind](bytes))))
  })

  it('is never let in: no change of a byte of a certificate goes unseen', () => {
    const anchors = trust([ca])
    fc.assert(
      fc.property(broken(samples.certificate), bytes => {
        const same = bytes.length === samples.certificate.length && bytes.every((b, i) => b === samples.certificate[i])
        fc.pre(!same)
        expect(judgeCertificates([bytes], anchors, { now: NOW, names: undefined }).kind).toBe('bad')
      }),
      { numRuns: 400 },
    )
  })

  it('however deep, costs no stack', () => {
    let nested = new Uint8Array(0)
    for (let i = 0; i < 2000; i++) {
      const n = nested.length
      const head = n < 128 ? [0x30, n] : n < 256 ? [0x30, 0x81, n] : [0x30, 0x82, n >> 8, n & 255]
      nested = Uint8Array.of(...head, ...nested)
    }
    only(() => parseCertificate(nested))
    expect([...new Elements(nested)]).toHaveLength(1)
  })
})
