/** Certificates for tests: authorities, clients and the gateway, each as good or as bad as a test wants it. */

import { createPublicKey, generateKeyPairSync, type KeyObject, privateEncrypt } from 'node:crypto'
import {
  authorityExtensions,
  certificatePem,
  clientExtensions,
  type Issue,
  type Issued,
  issue,
  makeRevocationList,
  type Revoked,
  serverExtensions,
} from '../../src/gateway/certificates.ts'
import { type Certificate, readCertificates, readRevocationLists } from '../../src/ike/certificate.ts'
import { MAX_DEPTH, type Trust } from '../../src/ike/certificate-path.ts'
import type { RsaCredentials } from '../../src/ike/signature.ts'
import { encodeText } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import type { RsaClient } from './initiator.ts'

/** The time of day in these tests. */
export const NOW = Date.UTC(2026, 6, 1)
const DAY = 86_400_000

/** Keys are slow to make: a few serve for everything, each under its own name. */
const keys = new Map<string, KeyObject>()
export function testKey(name: string, modulusLength = 2048): KeyObject {
  let key = keys.get(name)
  if (!key) keys.set(name, (key = generateKeyPairSync('rsa', { modulusLength }).privateKey))
  return key
}

let serials = 0x1000

export interface Wish extends Partial<Issue> {
  readonly name: string
}

function made(wish: Wish, defaults: Pick<Issue, 'extensions' | 'issuer'>): Issued {
  return issue({
    subject: { commonName: wish.name, organization: 'Example' },
    key: testKey(wish.name),
    serial: (++serials).toString(16),
    notBefore: new Date(NOW - 30 * DAY),
    notAfter: new Date(NOW + 365 * DAY),
    ...defaults,
    ...wish,
  })
}

export const authority = (wish: Wish) =>
  made(wish, {
    issuer: undefined,
    extensions: authorityExtensions(),
  })
export const client = (issuer: Issued, wish: Partial<Wish> = {}) =>
  made({ name: 'alice', ...wish }, { issuer, extensions: clientExtensions('alice@example.org') })
export const server = (issuer: Issued, wish: Partial<Wish> = {}) =>
  made({ name: 'gateway', ...wish }, { issuer, extensions: serverExtensions('198.51.100.1', undefined) })

export function read(i: Issued): Certificate {
  return readCertificates(encodeText(certificatePem(i.certificate)))[0]!
}

export function trust(anchors: readonly Issued[], change: Partial<Trust> = {}): Trust {
  return { anchors: anchors.map(read), revocationLists: [], maxDepth: MAX_DEPTH, ...change }
}

export function revocationList(by: Issued, ...revoked: Issued[]) {
  const entries: Revoked[] = revoked.map(r => ({ serial: r.certificate.serialNumber, at: new Date(NOW) }))
  return readRevocationLists(encodeText(makeRevocationList(by, entries, new Date(NOW), new Date(NOW + DAY))))[0]!
}

export function credentials(own: Issued, trusted: Trust): RsaCredentials {
  return { privateKey: own.key, chain: [read(own)], trust: trusted, wall: () => NOW }
}

/** What a client shows: its own certificate first. */
export function rsaClient(own: Issued, others: readonly Issued[] = [], change: Partial<RsaClient> = {}): RsaClient {
  const { subject } = read(own)
  return {
    key: own.key,
    certificates: [own, ...others].map(i => concat(Uint8Array.of(4), read(i).der)),
    identity: concat(Uint8Array.of(9, 0, 0, 0), subject),
    check: sent => readCertificates(sent[0]!.slice(1))[0]!.publicKey,
    ...change,
  }
}

/** A block of our own making, signed. */
export function signBlock(block: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(privateEncrypt({ key, padding: 3 /* none */ }, block))
}

export const publicOf = (key: KeyObject) => createPublicKey(key)
