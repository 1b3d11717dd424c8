/** Makes what a certificate authority makes: keys, certificates, revocation lists (RFC 5280) and PKCS #12 files (RFC 7292). */

import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'

/** Bits of the keys that are made here: what XP and every later system can use. */
const KEY_BITS = 2048
const SHA256_WITH_RSA = '1.2.840.113549.1.1.11'
/** PKCS #12 rounds: few are all the same, since the file's password is typed once and the file is then deleted. */
const PKCS12_ROUNDS = 4096

export interface Issued {
  readonly certificate: forge.pki.Certificate
  readonly key: KeyObject
}

export interface Subject {
  readonly commonName: string
  readonly organization?: string | undefined
}

export interface Issue {
  readonly subject: Subject
  /** undefined: signed with its own key. */
  readonly issuer: Issued | undefined
  readonly key: KeyObject
  /** Hexadecimal; below 80 in the first byte, so that it is positive. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** As node-forge writes them. */
  readonly extensions: readonly Readonly<Record<string, unknown>>[]
}

/** A new RSA key, made on another thread. */
export async function makeKey(): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS })
  return privateKey
}

/** A certificate signed with SHA-256, which XP reads from its Service Pack 3 on. */
export function issue(o: Issue): Issued {
  const certificate = forge.pki.createCertificate()
  certificate.serialNumber = o.serial
  certificate.publicKey = forge.pki.publicKeyFromPem(pem(createPublicKey(o.key), 'spki'))
  certificate.validity.notBefore = o.notBefore
  certificate.validity.notAfter = o.notAfter
  certificate.setSubject(nameOf(o.subject))
  certificate.setIssuer(o.issuer ? o.issuer.certificate.subject.attributes : nameOf(o.subject))
  certificate.setExtensions([...o.extensions])
  certificate.sign(forgeKey(o.issuer?.key ?? o.key), forge.md.sha256.create())
  return { certificate, key: o.key }
}

function nameOf(s: Subject): forge.pki.CertificateField[] {
  const utf8 = { valueTagClass: forge.asn1.Type.UTF8 as unknown as forge.asn1.Class }
  return [
    ...(s.organization === undefined ? [] : [{ name: 'organizationName', value: s.organization, ...utf8 }]),
    { name: 'commonName', value: s.commonName, ...utf8 },
  ]
}

/** An authority's; `below` bounds the authorities below it. */
export const authorityExtensions = (below?: number) => [
  { name: 'basicConstraints', cA: true, critical: true, ...(below === undefined ? {} : { pathLenConstraint: below }) },
  { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  { name: 'subjectKeyIdentifier' },
]

/** A client's: client authentication, which Windows looks for in its machine store, and IPsec. */
export function clientExtensions(user: string) {
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', clientAuth: true, '1.3.6.1.5.5.8.2.2': true },
    // A name that is a mail address can be a client's identity as well.
    ...(/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(user)
      ? [{ name: 'subjectAltName', altNames: [{ type: 1, value: user }] }]
      : []),
    { name: 'subjectKeyIdentifier' },
  ]
}

/** The gateway's: server authentication and "IP security IKE intermediate", one of which each client asks for. */
export function serverExtensions(address: string | undefined, name: string | undefined) {
  const altNames = [
    ...(name === undefined ? [] : [{ type: 2, value: name }]),
    // Windows looks for the address it dialled among the domain names as well.
    ...(address === undefined
      ? []
      : [
          { type: 7, ip: address },
          { type: 2, value: address },
        ]),
  ]
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true, '1.3.6.1.5.5.8.2.2': true },
    ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }]),
    { name: 'subjectKeyIdentifier' },
  ]
}

export interface Revoked {
  readonly serial: string
  readonly at: Date
}

/** A revocation list, version 1: every reader knows it (RFC 5280 section 5.1). PEM. */
export function makeRevocationList(
  authority: Issued,
  revoked: readonly Revoked[],
  now: Date,
  nextUpdate: Date,
): string {
  const { asn1 } = forge
  const { Class, Type } = asn1
  const sequence = (...items: forge.asn1.Asn1[]) => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, items)
  const primitive = (type: forge.asn1.Type, bytes: string) => asn1.create(Class.UNIVERSAL, type, false, bytes)
  const time = (d: Date) =>
    d.getUTCFullYear() < 2050
      ? primitive(Type.UTCTIME, asn1.dateToUtcTime(d) as unknown as string)
      : primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(d) as unknown as string)
  const algorithm = () =>
    sequence(primitive(Type.OID, asn1.oidToDer(SHA256_WITH_RSA).getBytes()), primitive(Type.NULL, ''))
  const entries = revoked.map(r => sequence(primitive(Type.INTEGER, forge.util.hexToBytes(r.serial)), time(r.at)))
  const list = sequence(
    algorithm(),
    forge.pki.distinguishedNameToAsn1(authority.certificate.subject),
    time(now),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
  )
  const signature = sign('sha256', binary(asn1.toDer(list).getBytes()), authority.key)
  const whole = sequence(list, algorithm(), primitive(Type.BITSTRING, `\0${signature.toString('latin1')}`))
  const body = forge.util.encode64(asn1.toDer(whole).getBytes(), 64).replaceAll('\r', '')
  return `-----BEGIN X509 CRL-----\n${body}\n-----END X509 CRL-----\n`
}

/** Key and certificates for a client, encrypted with 3DES and SHA-1: the one pair that XP and Windows 11 both read. */
export function makePkcs12(client: Issued, authority: forge.pki.Certificate, password: string, label: string): Buffer {
  const file = forge.pkcs12.toPkcs12Asn1(forgeKey(client.key), [client.certificate, authority], password, {
    algorithm: '3des',
    friendlyName: label,
    count: PKCS12_ROUNDS,
  })
  return binary(forge.asn1.toDer(file).getBytes())
}

export function certificatePem(c: forge.pki.Certificate): string {
  return forge.pki.certificateToPem(c).replaceAll('\r', '')
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Throws where either is damaged. */
export function readIssued(certificate: string, key: string): Issued {
  return { certificate: decoded(forge.pki.certificateFromPem(certificate)), key: createPrivateKey(key) }
}

/** node-forge leaves names as bytes when it reads them, and encodes them when it writes them: between, they are text. */
export function decoded(c: forge.pki.Certificate): forge.pki.Certificate {
  const utf8 = forge.asn1.Type.UTF8 as unknown as forge.asn1.Class
  for (const field of [...c.subject.attributes, ...c.issuer.attributes])
    if (field.valueTagClass === utf8) field.value = Buffer.from(String(field.value), 'latin1').toString('utf8')
  return c
}

function forgeKey(key: KeyObject): forge.pki.rsa.PrivateKey {
  return forge.pki.privateKeyFromPem(key.export({ type: 'pkcs1', format: 'pem' }).toString())
}

function pem(key: KeyObject, type: 'spki'): string {
  return key.export({ type, format: 'pem' }).toString()
}

function binary(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1')
}
