/** X.509 certificates and revocation lists, read strictly and without judgement (RFC 5280 sections 4.1, 4.2 and 5.1). */

import { type KeyObject, X509Certificate } from 'node:crypto'
import { printable } from '../packet/bytes.ts'
import { formatIpv4, readIpv4 } from '../packet/ip.ts'
import {
  bits,
  boolean,
  context,
  DerError,
  Elements,
  integerHex,
  octets,
  oid,
  single,
  smallInteger,
  Tag,
  time,
} from './der.ts'
import { nameParts, nameText } from './distinguished-name.ts'

/** Larger certificates are refused unread: an honest one is one or two kilobytes. */
export const MAX_CERTIFICATE = 8192
/** A revocation list is the operator's own file, but no reason to fill the memory. */
export const MAX_CRL = 4 << 20

/** Bits of keyUsage. */
export const KeyUsage = { DigitalSignature: 0, NonRepudiation: 1, CertSign: 5, CrlSign: 6 } as const

export interface Certificate {
  readonly der: Uint8Array
  /** As hexadecimal. */
  readonly serial: string
  /** DER names. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** The subject in words. */
  readonly name: string
  readonly commonNames: readonly string[]
  /** Domain names, mail addresses and IPv4 addresses among its alternative names. */
  readonly alternativeNames: readonly AlternativeName[]
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly signatureAlgorithm: string
  readonly authority: boolean
  /** How many authorities may stand below this one. */
  readonly pathLength: number | undefined
  /** undefined: unrestricted. */
  readonly keyUsage: readonly boolean[] | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Extensions that narrow what it is good for, and that we do not understand. */
  readonly unknownCritical: readonly string[]
  readonly publicKey: KeyObject
  readonly x509: X509Certificate
}

export interface AlternativeName {
  readonly kind: 'fqdn' | 'user' | 'address'
  readonly text: string
}

export interface RevocationList {
  readonly issuer: Uint8Array
  readonly signed: Uint8Array
  readonly signature: Uint8Array
  readonly signatureAlgorithm: string
  /** Serial numbers as hexadecimal. */
  readonly revoked: ReadonlySet<string>
  /** Milliseconds since 1970. */
  readonly nextUpdate: number | undefined
}

const Extension = {
  KeyUsage: '2.5.29.15',
  AlternativeName: '2.5.29.17',
  BasicConstraints: '2.5.29.19',
  NameConstraints: '2.5.29.30',
  CertificatePolicies: '2.5.29.32',
  ExtendedKeyUsage: '2.5.29.37',
} as const

/** Throws DerError where the bytes are no certificate. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE) throw new DerError('larger than any certificate')
  const der = bytes.slice()
  const outer = single(der, Tag.Sequence)
  const tbs = outer.into(Tag.Sequence)
  const signatureAlgorithm = algorithm(outer.into(Tag.Sequence))
  octets(outer.take(Tag.BitString))
  outer.end()

  tbs.optional(context(0))
  const serial = integerHex(tbs.next())
  if (algorithm(tbs.into(Tag.Sequence)) !== signatureAlgorithm) throw new DerError('two signature algorithms')
  const issuer = tbs.take(Tag.Sequence).whole
  const validity = tbs.into(Tag.Sequence)
  const notBefore = time(validity.next())
  const notAfter = time(validity.next())
  const subject = tbs.take(Tag.Sequence).whole
  tbs.take(Tag.Sequence)
  tbs.optional(context(1, false))
  tbs.optional(context(2, false))
  const extensions = readExtensions(tbs.optional(context(3))?.content)
  tbs.end()

  const parts = nameParts(subject)
  const { x509, publicKey } = opened(der)
  return {
    der,
    serial,
    issuer,
    subject,
    name: nameText(subject) ?? extensions.alternativeNames[0]?.text ?? 'without a name',
    commonNames: parts.filter(p => p.attribute === 'CN').map(p => p.value),
    notBefore,
    notAfter,
    signatureAlgorithm,
    ...extensions,
    publicKey,
    x509,
  }
}

/** OpenSSL's view of it: for the key, and for signatures. */
function opened(der: Uint8Array): { x509: X509Certificate; publicKey: KeyObject } {
  try {
    const x509 = new X509Certificate(der)
    return { x509, publicKey: x509.publicKey }
  } catch {
    throw new DerError('no certificate with a usable key')
  }
}

function algorithm(sequence: Elements): string {
  return oid(sequence.next())
}

function readExtensions(content: Uint8Array | undefined) {
  const found = {
    authority: false,
    pathLength: undefined as number | undefined,
    keyUsage: undefined as boolean[] | undefined,
    extendedKeyUsage: undefined as string[] | undefined,
    alternativeNames: [] as AlternativeName[],
    unknownCritical: [] as string[],
  }
  if (content === undefined) return found
  const seen = new Set<string>()
  for (const extension of single(content, Tag.Sequence)) {
    if (extension.tag !== Tag.Sequence) throw new DerError('extension')
    const fields = new Elements(extension.content)
    const id = oid(fields.next())
    const flag = fields.optional(Tag.Boolean)
    const critical = flag !== undefined && boolean(flag)
    const value = fields.take(Tag.OctetString).content
    if (seen.has(id)) throw new DerError('an extension twice')
    seen.add(id)
    switch (id) {
      case Extension.BasicConstraints: {
        const constraints = single(value, Tag.Sequence)
        const authority = constraints.optional(Tag.Boolean)
        const length = constraints.optional(Tag.Integer)
        found.authority = authority !== undefined && boolean(authority)
        found.pathLength = length && smallInteger(length)
        break
      }
      case Extension.KeyUsage:
        found.keyUsage = bits(new Elements(value).next())
        break
      case Extension.ExtendedKeyUsage:
        found.extendedKeyUsage = [...single(value, Tag.Sequence)].map(oid)
        break
      case Extension.AlternativeName:
        found.alternativeNames = alternativeNames(value)
        break
      case Extension.CertificatePolicies:
        // A policy tells how the certificate came about; no policy is asked for here.
        break
      case Extension.NameConstraints:
        // They narrow an authority even where they are not marked as critical; they are not understood here.
        found.unknownCritical.push('name constraints')
        break
      default:
        if (critical) found.unknownCritical.push(id)
    }
  }
  return found
}

function alternativeNames(value: Uint8Array): AlternativeName[] {
  const names: AlternativeName[] = []
  for (const name of single(value, Tag.Sequence)) {
    if (name.tag === context(1, false)) names.push({ kind: 'user', text: printable(name.content, 255) })
    if (name.tag === context(2, false)) names.push({ kind: 'fqdn', text: printable(name.content, 255) })
    if (name.tag === context(7, false) && name.content.length === 4)
      names.push({ kind: 'address', text: formatIpv4(readIpv4(name.content)) })
  }
  return names
}

/** Throws DerError where the bytes are no revocation list, or one that does not say all that it seems to. */
export function parseRevocationList(bytes: Uint8Array): RevocationList {
  if (bytes.length > MAX_CRL) throw new DerError('larger than a revocation list may be')
  const outer = single(bytes.slice(), Tag.Sequence)
  const list = outer.take(Tag.Sequence)
  const signatureAlgorithm = algorithm(outer.into(Tag.Sequence))
  const signature = octets(outer.take(Tag.BitString))
  outer.end()

  const tbs = new Elements(list.content)
  tbs.optional(Tag.Integer)
  if (algorithm(tbs.into(Tag.Sequence)) !== signatureAlgorithm) throw new DerError('two signature algorithms')
  const issuer = tbs.take(Tag.Sequence).whole
  time(tbs.next())
  const next = tbs.tag === Tag.UtcTime || tbs.tag === Tag.GeneralizedTime ? time(tbs.next()) : undefined
  const revoked = new Set<string>()
  for (const entry of new Elements(tbs.optional(Tag.Sequence)?.content ?? new Uint8Array(0))) {
    if (entry.tag !== Tag.Sequence) throw new DerError('revoked certificate')
    const fields = new Elements(entry.content)
    revoked.add(integerHex(fields.next()))
    time(fields.next())
    checkNothingCritical(fields.optional(Tag.Sequence)?.content)
  }
  const extensions = tbs.optional(context(0))
  if (extensions) checkNothingCritical(new Elements(extensions.content).take(Tag.Sequence).content)
  tbs.end()
  return { issuer, signed: list.whole, signature, signatureAlgorithm, revoked, nextUpdate: next }
}

/** Critical extensions make a list something else: one for some certificates only, or the changes since another. */
function checkNothingCritical(content: Uint8Array | undefined): void {
  for (const extension of new Elements(content ?? new Uint8Array(0))) {
    const fields = new Elements(extension.content)
    const id = oid(fields.next())
    const flag = fields.optional(Tag.Boolean)
    if (flag && boolean(flag)) throw new DerError(`critical extension ${id}`)
  }
}

/** The certificates in PEM text, or the one that the bytes are. Throws DerError. */
export function readCertificates(file: Uint8Array): Certificate[] {
  return unwrapped(file, 'CERTIFICATE').map(parseCertificate)
}

/** The same for revocation lists. Throws DerError. */
export function readRevocationLists(file: Uint8Array): RevocationList[] {
  return unwrapped(file, 'X509 CRL').map(parseRevocationList)
}

function unwrapped(file: Uint8Array, label: string): Uint8Array[] {
  if (file[0] === Tag.Sequence) return [file]
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1')
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g'))
  const found = [...blocks].map(m => new Uint8Array(Buffer.from(m[1]!, 'base64')))
  if (found.length === 0) throw new DerError(`no ${label}`)
  return found
}
