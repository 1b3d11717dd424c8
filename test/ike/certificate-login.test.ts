import { sign as signDigest } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PayloadType } from '../../src/ike/constants.ts'
import { deriveSignatureSkeyids } from '../../src/ike/keymat.ts'
import type { IsakmpPolicy } from '../../src/ike/policy.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import {
  authority,
  client,
  credentials,
  NOW,
  read,
  revocationList,
  rsaClient,
  server,
  signBlock,
  testKey,
  trust,
} from '../support/authority.ts'
import type { RsaClient } from '../support/initiator.ts'
import { windows10 } from '../support/windows.ts'
import { Client, events, Gateway, of } from './gateway.ts'

const ca = authority({ name: 'Example CA' })
const otherCa = authority({ name: 'Other CA' })
const middle = authority({ name: 'Middle CA', issuer: ca })
const alice = client(ca)
const DAY = 86_400_000

function gatewayFor(change: Partial<IsakmpPolicy> = {}, trusted = trust([ca])): Gateway {
  return new Gateway({ authentication: 'rsa', credentials: credentials(server(ca), trusted), ...change })
}

/** Sends message 5 with these; the failure that is told, or undefined where the client came in. */
function refusal(rsa: RsaClient, gateway = gatewayFor(), seed = 'client') {
  const peer = new Client(gateway, { rsa, seed })
  const four = peer.must(peer.ike.message3(peer.must(peer.ike.message1())))
  gateway.take()
  const answer = peer.send(peer.ike.message5(four))
  const [failed] = events(gateway.take(), 'failed')
  if (failed === undefined && answer !== undefined) peer.ike.finish(answer)
  return failed
}

it('derives SKEYID from the nonces and the shared secret', () => {
  const keys = deriveSignatureSkeyids({
    hash: 'sha1',
    initiatorNonce: fromHex('69a62284195f1680'),
    responderNonce: fromHex('80c94ba25c8abda5'),
    initiatorCookie: fromHex('8c3bcd3a69831d7f'),
    responderCookie: fromHex('d2d9a7ff4fbe95a7'),
    sharedSecret: fromHex('8ba4cbc73c0187301dc19a975823854dbd641c597f637f8d053a83b9514673eb'),
  })
  expect(toHex(keys.skeyid)).toBe('707197817fb2d90cf54d1842606bdea59b9f4823')
  expect(toHex(keys.skeyidD)).toBe('384be709a8a5e63c3ed160cfe3921c4b37d5b32d')
  expect(toHex(keys.skeyidA)).toBe('48b327575abe3adba0f279849e289022a13e2b47')
  expect(toHex(keys.skeyidE)).toBe('a4a415c8e0c38c0da847c356cc61c24df8025560')
})

describe('a client with a certificate', () => {
  it.each([
    ['Windows XP', {}],
    ['Windows 10', windows10],
  ])('connects like %s, and is known by its subject', (_, options) => {
    const gateway = gatewayFor()
    const peer = new Client(gateway, { ...options, rsa: rsaClient(alice) })
    peer.mainMode()
    expect(of(gateway.effects, 'peerUp')[0]).toMatchObject({ identity: 'CN=alice, O=Example' })
    expect(peer.ike.requests).toEqual([concat(Uint8Array.of(4), read(ca).subject)])
    expect(toHex(peer.ike.serverIdentity!.slice(4))).toBe(toHex(read(server(ca)).subject))
    expect(peer.quickMode().udpEncapsulated).toBe(true)
  })

  it('may bring the authority between its own and ours', () => {
    const bob = client(middle, { name: 'bob' })
    expect(refusal(rsaClient(bob, [middle]))).toBeUndefined()
    expect(refusal(rsaClient(bob, [otherCa, ca, middle]))).toBeUndefined()
    expect(refusal(rsaClient(bob))?.detail).toContain('issued by no authority of ours')
  })

  it('is told apart from one with a pre-shared key, by the policy that fits its offer', () => {
    const psk = new Gateway({}, {})
    const two = new Client(psk, { rsa: rsaClient(alice) })
    two.send(two.ike.message1())
    expect(events(psk.take(), 'failed')[0]).toMatchObject({
      cause: 'no-proposal-phase1',
      remedy: expect.stringContaining('AUTHTYPE=RSASIG'),
    })
    const gateway = gatewayFor()
    const plain = new Client(gateway)
    plain.send(plain.ike.message1())
    expect(events(gateway.take(), 'failed')[0]?.remedy).toContain('AUTHTYPE=PRESHARED')
  })

  it('finds a gateway without certificates, which says so', () => {
    const gateway = gatewayFor({ credentials: undefined })
    const peer = new Client(gateway, { rsa: rsaClient(alice) })
    peer.send(peer.ike.message1())
    expect(events(gateway.take(), 'failed')[0]).toMatchObject({
      cause: 'no-key',
      remedy: /CREATE CA/ as unknown as string,
    })
  })
})

describe('a certificate is refused, and the operator told why', () => {
  const usage = (extensions: readonly Readonly<Record<string, unknown>>[]) => client(ca, { name: 'carol', extensions })
  const deep = [authority({ name: 'Level 1', issuer: ca, key: testKey('level') })]
  for (const n of [2, 3, 4]) deep.unshift(authority({ name: `Level ${n}`, issuer: deep[0], key: testKey('level') }))
  const narrow = authority({
    name: 'Narrow CA',
    key: testKey('level'),
    extensions: [{ name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true }],
  })
  const below = authority({ name: 'Below', issuer: narrow, key: testKey('middle') })

  it.each([
    ['expired', client(ca, { notAfter: new Date(NOW - DAY) }), 'expired on 2026-06-30'],
    ['not valid yet', client(ca, { notBefore: new Date(NOW + DAY) }), 'is valid from 2026-07-02 on'],
    ['of another authority', client(otherCa), 'issued by no authority of ours'],
    [
      'that names our authority and was signed by another',
      client({ certificate: ca.certificate, key: otherCa.key }),
      'was not signed by "CN=Example CA, O=Example"',
    ],
    ['not for signatures', usage([{ name: 'keyUsage', keyEncipherment: true }]), 'is not for signatures'],
    ['for servers alone', usage([{ name: 'extKeyUsage', serverAuth: true }]), 'neither clients nor IPsec'],
    ['that is an authority', ca, "is an authority's certificate"],
    ['with a short key', client(ca, { name: 'short', key: testKey('short', 1024) }), 'has 1024 bits'],
    [
      'with a critical extension that we do not know',
      usage([{ id: '1.2.3.4', critical: true, value: '\x05\x00' }]),
      'has conditions we do not know: 1.2.3.4',
    ],
  ])('one %s', (_, own, detail) => {
    const failed = refusal(rsaClient(own))
    expect(failed).toMatchObject({ cause: 'bad-certificate', detail: expect.stringContaining(detail) })
    expect(failed!.remedy.length).toBeGreaterThan(20)
  })

  it("one that was revoked, by a list that is our authority's", () => {
    const lists = (by: typeof ca) => trust([ca], { revocationLists: [revocationList(by, alice)] })
    expect(refusal(rsaClient(alice), gatewayFor({}, lists(ca)))?.detail).toContain('was revoked')
    expect(refusal(rsaClient(client(ca)), gatewayFor({}, lists(ca)))).toBeUndefined()
    expect(refusal(rsaClient(alice), gatewayFor({}, lists(otherCa)))).toBeUndefined()
    const forged = trust([ca], {
      revocationLists: [revocationList({ certificate: ca.certificate, key: otherCa.key }, alice)],
    })
    expect(refusal(rsaClient(alice), gatewayFor({}, forged))).toBeUndefined()
  })

  it('one too far below our authority', () => {
    const own = client(deep[0]!, { name: 'dave' })
    expect(refusal(rsaClient(own, deep))?.detail).toContain('more than 3 authorities')
    const near = client(deep[1]!, { name: 'dave' })
    expect(refusal(rsaClient(near, deep))).toBeUndefined()
  })

  it('one below an authority that may have none below it', () => {
    const own = client(below, { name: 'erin' })
    expect(refusal(rsaClient(own, [below]), gatewayFor({}, trust([narrow])))?.detail).toContain('allows 0 authorities')
  })

  it('one issued by a client', () => {
    const own = client(alice, { name: 'mallory' })
    expect(refusal(rsaClient(own, [alice]))?.detail).toContain('is no authority')
  })

  it('one that REMOTEID does not name', () => {
    expect(refusal(rsaClient(alice), gatewayFor({ remoteIdentity: 'bob' }))?.detail).toContain('is not "bob"')
    expect(refusal(rsaClient(alice), gatewayFor({ remoteIdentity: 'Alice' }))).toBeUndefined()
    expect(refusal(rsaClient(alice), gatewayFor({ remoteIdentity: 'CN=alice, O=Example' }))).toBeUndefined()
  })

  it('one that is not there, or is no certificate', () => {
    expect(refusal(rsaClient(alice, [], { certificates: [] }))?.detail).toContain('sent no certificate')
    const garbage = rsaClient(alice, [], { certificates: [Uint8Array.of(4, 0x30, 1, 2, 3)] })
    expect(refusal(garbage)?.detail).toContain('cannot be read')
  })

  it('one whose owner calls himself otherwise', () => {
    const asBob = { identity: concat(Uint8Array.of(9, 0, 0, 0), read(client(ca, { name: 'bob' })).subject) }
    expect(refusal(rsaClient(alice, [], asBob))?.detail).toContain('calls itself otherwise')
    const byMail = { identity: concat(Uint8Array.of(3, 0, 0, 0), new TextEncoder().encode('alice@example.org')) }
    expect(refusal(rsaClient(alice, [], byMail))).toBeUndefined()
  })
})

describe('the signature', () => {
  const wrong = (sign: RsaClient['sign'] & {}) => refusal(rsaClient(alice, [], { sign }))

  it('is of the hash itself, and of this exchange', () => {
    expect(wrong((hash, key) => signDigest('sha1', hash, key))?.detail).toContain('signature of "CN=alice')
    expect(
      wrong((hash, key) =>
        rsaSign(
          hash.map(b => b ^ 1),
          key,
        ),
      )?.detail,
    ).toContain('signature of "CN=alice')
    expect(wrong(hash => rsaSign(hash, testKey('bob')))?.detail).toContain('signature of "CN=alice')
    expect(wrong(() => new Uint8Array(256).fill(0xff))?.cause).toBe('bad-certificate')
    expect(wrong(() => new Uint8Array(0))?.cause).toBe('bad-certificate')
    expect(wrong(() => new Uint8Array(256))?.cause).toBe('bad-certificate')
  })

  it('fills its block to the last byte: nothing hides behind the hash or in the padding', () => {
    const block = (hash: Uint8Array, padding: number) =>
      concat(Uint8Array.of(0, 1), new Uint8Array(padding).fill(0xff), Uint8Array.of(0), hash)
    const pad = (b: Uint8Array) => concat(b, new Uint8Array(256 - b.length))
    expect(wrong((hash, key) => signBlock(block(hash, 256 - 3 - hash.length), key))).toBeUndefined()
    expect(wrong((hash, key) => signBlock(pad(block(hash, 8)), key))?.detail).toContain('signature')
    const holed = (hash: Uint8Array) => block(hash, 256 - 3 - hash.length).fill(0xaa, 20, 30)
    expect(wrong((hash, key) => signBlock(holed(hash), key))?.detail).toContain('signature')
    const typeTwo = (hash: Uint8Array) => block(hash, 256 - 3 - hash.length).fill(2, 1, 2)
    expect(wrong((hash, key) => signBlock(typeTwo(hash), key))?.detail).toContain('signature')
  })

  function rsaSign(hash: Uint8Array, key: typeof alice.key): Uint8Array {
    return signBlock(
      concat(Uint8Array.of(0, 1), new Uint8Array(253 - hash.length).fill(0xff), Uint8Array.of(0), hash),
      key,
    )
  }
})

it('a hash in place of a signature is refused, and leaves nothing behind', () => {
  const gateway = gatewayFor()
  const peer = new Client(gateway, { rsa: rsaClient(alice) })
  const four = peer.must(peer.ike.message3(peer.must(peer.ike.message1())))
  Object.assign(peer.ike, { proof: (hash: Uint8Array) => [{ type: PayloadType.Hash, body: hash }] })
  gateway.take()
  peer.send(peer.ike.message5(four))
  expect(events(gateway.take(), 'failed')[0]).toMatchObject({ cause: 'bad-message' })
  expect(of(gateway.effects, 'peerUp')).toEqual([])
})

it('whatever stands in the certificate payloads and the signature, the gateway answers or refuses, and lives', () => {
  const gateway = gatewayFor()
  const der = read(alice).der
  let clients = 0
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.constantFrom(1, 4, 7), fc.nat(der.length - 1), fc.nat(255)).map(([type, at, value]) => {
      const copy = Uint8Array.of(type, ...der)
      copy[at + 1] = value
      return copy
    }),
    fc.nat(der.length).map(length => Uint8Array.of(4, ...der.subarray(0, length))),
  )
  fc.assert(
    fc.property(fc.array(body, { maxLength: 4 }), fc.uint8Array({ maxLength: 300 }), (certificates, signature) => {
      const failed = refusal(
        rsaClient(alice, [], { certificates, sign: () => signature }),
        gateway,
        `client ${++clients}`,
      )
      expect(failed?.cause).toBe('bad-certificate')
    }),
    { numRuns: 40 },
  )
  expect(refusal(rsaClient(alice), gateway)).toBeUndefined()
})
