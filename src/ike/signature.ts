/**
 * Authentication with RSA signatures (RFC 2409 section 5.1): the hash is signed bare, padded after PKCS #1 type 1 but
 * without an algorithm's name in front of it.
 */

import { constants, type KeyObject, privateEncrypt, publicDecrypt } from 'node:crypto'
import { equal, equalSecret, printable } from '../packet/bytes.ts'
import { formatIpv4, readIpv4 } from '../packet/ip.ts'
import { Writer } from '../packet/writer.ts'
import type { Certificate } from './certificate.ts'
import { type CertificateFault, judgeCertificates, type Trust } from './certificate-path.ts'
import { IdType, Notify, PayloadType } from './constants.ts'
import { DerError } from './der.ts'
import { IkeError } from './error.ts'
import { bodies, type Payload } from './message.ts'
import { emitIdentification, type Identification } from './payload.ts'
import { certificatesOf } from './pkcs7.ts'

/** What a policy with AUTHTYPE=RSASIG authenticates with. */
export interface RsaCredentials {
  readonly privateKey: KeyObject
  /** Our own certificate first, then what lies between it and its root. */
  readonly chain: readonly Certificate[]
  readonly trust: Trust
  /** The time of day, in milliseconds since 1970: certificates run out by the calendar. */
  readonly wall: () => number
}

/** Certificate encodings (RFC 2408 section 3.9). */
export const CertificateType = { Pkcs7: 1, X509Signature: 4 } as const

const NOTIFY: Partial<Record<CertificateFault, number>> = {
  missing: Notify.CertificateUnavailable,
  malformed: Notify.InvalidCertEncoding,
  'unknown-authority': Notify.InvalidCertAuthority,
  'wrong-identity': Notify.InvalidIdInformation,
  'wrong-signature': Notify.InvalidSignature,
}

/** An error whose reason is `certificate-` and the fault. */
export function certificateError(fault: CertificateFault, detail: string): IkeError {
  return new IkeError(`certificate-${fault}`, NOTIFY[fault] ?? Notify.InvalidCertificate, detail)
}

/** What is signed: 00 01 FF ... FF 00 and the hash, as long as the modulus (RFC 2313 section 8.1). */
function block(hash: Uint8Array, length: number): Uint8Array {
  const padding = length - hash.length - 3
  return new Writer(length).u8(0).u8(1).put(new Uint8Array(padding).fill(0xff)).u8(0).put(hash).bytes()
}

export function sign(hash: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, hash))
}

/** Compares the whole block: a reader that looks for the hash in it can be shown one that was never signed. */
export function isSigned(hash: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (key.asymmetricKeyType !== 'rsa' || bits === undefined) return false
  const length = Math.ceil(bits / 8)
  if (signature.length !== length || length < hash.length + 11) return false
  try {
    const opened = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature)
    return equalSecret(new Uint8Array(opened), block(hash, length))
  } catch {
    // A number larger than the modulus.
    return false
  }
}

/** Judges certificates, identity and signature of message 5. Throws IkeError. */
export function verifyPeer(
  payloads: readonly Payload[],
  identity: Identification,
  hash: Uint8Array,
  credentials: RsaCredentials,
  names: readonly string[] | undefined,
): void {
  const verdict = judgeCertificates(sentCertificates(payloads), credentials.trust, { now: credentials.wall(), names })
  if (verdict.kind === 'bad') throw certificateError(verdict.fault, verdict.detail)
  const { certificate } = verdict
  if (!isIdentityOf(identity, certificate))
    throw certificateError('wrong-identity', `its certificate is "${certificate.name}", and it calls itself otherwise`)
  if (!isSigned(hash, bodies(payloads, PayloadType.Signature)[0]!, certificate.publicKey))
    throw certificateError('wrong-signature', `the signature of "${certificate.name}" is wrong`)
}

function sentCertificates(payloads: readonly Payload[]): Uint8Array[] {
  return bodies(payloads, PayloadType.Certificate).flatMap(body => {
    const encoded = body.subarray(1)
    if (body[0] === CertificateType.X509Signature) return [encoded]
    if (body[0] !== CertificateType.Pkcs7) return []
    try {
      return certificatesOf(encoded)
    } catch (e) {
      if (!(e instanceof DerError)) throw e
      throw certificateError('malformed', `its PKCS #7 message cannot be read: ${e.message}`)
    }
  })
}

/** RFC 4945 section 3.1: the identity must stand in the certificate. */
function isIdentityOf(id: Identification, c: Certificate): boolean {
  const has = (kind: string, text: string) =>
    c.alternativeNames.some(a => a.kind === kind && a.text.toLowerCase() === text.toLowerCase())
  switch (id.type) {
    case IdType.DerAsn1Dn:
      return equal(id.data, c.subject)
    case IdType.Ipv4Address:
      return has('address', formatIpv4(readIpv4(id.data)))
    case IdType.Fqdn:
      return has('fqdn', printable(id.data, 255))
    case IdType.UserFqdn:
      return has('user', printable(id.data, 255))
    default:
      return false
  }
}

/** The requests for message 4: one an authority that we take certificates of. Windows shows none unasked. */
export function certificateRequests(trust: Trust): Payload[] {
  return trust.anchors.map(anchor => ({
    type: PayloadType.CertificateRequest,
    body: typed(CertificateType.X509Signature, anchor.subject),
  }))
}

/** Our own certificates and signature for message 6. */
export function signaturePayloads(hash: Uint8Array, credentials: RsaCredentials): Payload[] {
  return [
    ...credentials.chain.map(c => ({
      type: PayloadType.Certificate,
      body: typed(CertificateType.X509Signature, c.der),
    })),
    { type: PayloadType.Signature, body: sign(hash, credentials.privateKey) },
  ]
}

/** Our identity: our certificate's subject, as Windows gives its own. */
export function subjectIdentification(c: Certificate): Uint8Array {
  return emitIdentification({ type: IdType.DerAsn1Dn, protocol: 0, port: 0, data: c.subject })
}

function typed(type: number, data: Uint8Array): Uint8Array {
  return new Writer(1 + data.length).u8(type).put(data).bytes()
}
