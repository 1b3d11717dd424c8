/**
 * From a peer's certificate up to one of our trust anchors (RFC 5280 section 6, as far as RFC 4945 needs it), and why not.
 * Nothing is ever fetched: what is not in the message or in our own files does not exist.
 */

import { verify } from 'node:crypto'
import { equal, toHex } from '../packet/bytes.ts'
import { type Certificate, KeyUsage, parseCertificate, type RevocationList } from './certificate.ts'
import { DerError } from './der.ts'

/** Why a certificate was refused: also the second half of the counter's name. */
export type CertificateFault =
  | 'missing'
  | 'malformed'
  | 'expired'
  | 'not-yet-valid'
  | 'unknown-authority'
  | 'not-an-authority'
  | 'too-deep'
  | 'revoked'
  | 'wrong-usage'
  | 'weak'
  | 'not-understood'
  | 'wrong-name'
  | 'wrong-identity'
  | 'wrong-signature'

export interface Trust {
  readonly anchors: readonly Certificate[]
  readonly revocationLists: readonly RevocationList[]
  /** Certificates between the peer's own and the anchor. */
  readonly maxDepth: number
}

export interface PathOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Whom we let in: by subject, common name or alternative name; undefined: whoever our authorities signed. */
  readonly names: readonly string[] | undefined
}

export type PathVerdict =
  | { readonly kind: 'good'; readonly certificate: Certificate }
  | { readonly kind: 'bad'; readonly fault: CertificateFault; readonly detail: string }

export const MAX_DEPTH = 3
/** Certificates that a message may bring; those behind are not looked at. */
const MAX_CERTIFICATES = 8
/** Ways from the certificate to an anchor that are tried: only cross-signed authorities have more than one. */
const MAX_PATHS = 4
/** Bits of an RSA key: below it is not safe, above it costs us more than it is worth. */
const LEAST_BITS = 2048
const MOST_BITS = 8192

/** What may have signed a certificate or a list: SHA-1 is there for the age of XP, MD5 is forgeable. */
const HASH_OF: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}

/** Extended usages of which one is enough: any, client authentication, and what IPsec has been called over the years. */
const EXTENDED_USAGES: ReadonlySet<string> = new Set([
  '2.5.29.37.0',
  '1.3.6.1.5.5.7.3.2',
  '1.3.6.1.5.5.7.3.5',
  '1.3.6.1.5.5.7.3.6',
  '1.3.6.1.5.5.7.3.7',
  '1.3.6.1.5.5.7.3.17',
  '1.3.6.1.5.5.8.2.2',
])

const bad = (fault: CertificateFault, detail: string): PathVerdict => ({ kind: 'bad', fault, detail })

/** Judges what a peer sent: its own certificate first, then authorities in any order. Never throws. */
export function judgeCertificates(sent: readonly Uint8Array[], trust: Trust, o: PathOptions): PathVerdict {
  if (sent.length === 0) return bad('missing', 'it sent no certificate')
  let certificate: Certificate
  const others: Certificate[] = []
  try {
    certificate = parseCertificate(sent[0]!)
  } catch (e) {
    if (!(e instanceof DerError)) throw e
    return bad('malformed', `its certificate cannot be read: ${e.message}`)
  }
  for (const der of sent.slice(1, MAX_CERTIFICATES)) {
    try {
      others.push(parseCertificate(der))
    } catch (e) {
      // A certificate that leads nowhere is not missed.
      if (!(e instanceof DerError)) throw e
    }
  }
  return judgeOwn(certificate, o) ?? judgePaths(certificate, others, trust, o)
}

/** What can be said of the peer's own certificate alone. */
function judgeOwn(c: Certificate, o: PathOptions): PathVerdict | undefined {
  const usage = c.keyUsage
  if (c.authority) return bad('wrong-usage', `"${c.name}" is an authority's certificate, not a client's`)
  if (usage && !usage[KeyUsage.DigitalSignature] && !usage[KeyUsage.NonRepudiation])
    return bad('wrong-usage', `"${c.name}" is not for signatures (keyUsage)`)
  if (c.extendedKeyUsage && !c.extendedKeyUsage.some(id => EXTENDED_USAGES.has(id)))
    return bad('wrong-usage', `"${c.name}" is for ${c.extendedKeyUsage.join(', ')}, neither clients nor IPsec`)
  if (c.publicKey.asymmetricKeyType !== 'rsa') return bad('wrong-usage', `"${c.name}" has no RSA key`)
  if (o.names && !o.names.some(name => isNamed(c, name)))
    return bad('wrong-name', `"${c.name}" is not "${o.names.join('" or "')}"`)
  return judgeAny(c, o.now)
}

/** What holds for every certificate of a path. */
function judgeAny(c: Certificate, now: number): PathVerdict | undefined {
  if (now < c.notBefore) return bad('not-yet-valid', `"${c.name}" is valid from ${dateText(c.notBefore)} on`)
  if (now > c.notAfter) return bad('expired', `"${c.name}" expired on ${dateText(c.notAfter)}`)
  if (c.unknownCritical.length > 0)
    return bad(
      'not-understood',
      `"${c.name}" has conditions we do not know: ${c.unknownCritical.slice(0, 4).join(', ')}`,
    )
  if (HASH_OF[c.signatureAlgorithm] === undefined)
    return bad('weak', `"${c.name}" is signed by a method that is not safe (${c.signatureAlgorithm})`)
  const { modulusLength, publicExponent } = c.publicKey.asymmetricKeyDetails ?? {}
  if (c.publicKey.asymmetricKeyType !== 'rsa' || modulusLength === undefined || publicExponent === undefined)
    return undefined
  if (modulusLength < LEAST_BITS) return bad('weak', `the key of "${c.name}" has ${modulusLength} bits`)
  if (modulusLength > MOST_BITS || publicExponent > 0xffffffffn)
    return bad('weak', `the key of "${c.name}" is unreasonably large`)
  return undefined
}

function judgePaths(c: Certificate, others: readonly Certificate[], trust: Trust, o: PathOptions): PathVerdict {
  const paths: Certificate[][] = []
  findPaths([c], others, trust, paths)
  if (paths.length === 0) {
    // One step too far is worth telling apart: the remedy is another.
    const deeper: Certificate[][] = []
    findPaths([c], others, { ...trust, maxDepth: MAX_CERTIFICATES }, deeper)
    if (deeper.length > 0)
      return bad('too-deep', `"${c.name}" has more than ${trust.maxDepth} authorities between it and ours`)
    return bad('unknown-authority', `"${c.name}" was issued by no authority of ours`)
  }
  let first: PathVerdict | undefined
  for (const path of paths) {
    const verdict = judgePath(path, trust, o.now)
    if (verdict === undefined) return { kind: 'good', certificate: c }
    first ??= verdict
  }
  return first!
}

/** Paths by names alone: no signature is looked at before both its ends are known to meet. */
function findPaths(path: readonly Certificate[], others: readonly Certificate[], trust: Trust, found: Certificate[][]) {
  const last = path.at(-1)!
  for (const anchor of trust.anchors)
    if (found.length < MAX_PATHS && equal(anchor.subject, last.issuer)) found.push([...path, anchor])
  if (path.length > trust.maxDepth) return
  for (const next of others) {
    if (found.length >= MAX_PATHS) return
    if (path.includes(next) || !equal(next.subject, last.issuer) || equal(next.subject, next.issuer)) continue
    findPaths([...path, next], others, trust, found)
  }
}

/** From the anchor down, so that no key is used that is not vouched for yet. */
function judgePath(path: readonly Certificate[], trust: Trust, now: number): PathVerdict | undefined {
  for (let i = path.length - 2; i >= 0; i--) {
    const [issuer, subject] = [path[i + 1]!, path[i]!]
    const fault = judgeAuthority(issuer, i) ?? judgeAny(issuer, now) ?? judgeLink(issuer, subject, trust)
    if (fault) return fault
  }
  return judgeAny(path[0]!, now)
}

/** `below`: how many authorities stand below it in this path. */
function judgeAuthority(c: Certificate, below: number): PathVerdict | undefined {
  if (!c.authority) return bad('not-an-authority', `"${c.name}" is no authority (basicConstraints)`)
  if (c.keyUsage && !c.keyUsage[KeyUsage.CertSign])
    return bad('not-an-authority', `"${c.name}" may not sign certificates (keyUsage)`)
  if (c.pathLength !== undefined && below > c.pathLength)
    return bad('too-deep', `"${c.name}" allows ${c.pathLength} authorities below it, and has ${below}`)
  return undefined
}

function judgeLink(issuer: Certificate, subject: Certificate, trust: Trust): PathVerdict | undefined {
  if (!signedBy(() => subject.x509.verify(issuer.publicKey)))
    return bad('unknown-authority', `"${subject.name}" was not signed by "${issuer.name}", whatever it says`)
  for (const list of trust.revocationLists)
    if (list.revoked.has(subject.serial) && isListOf(list, issuer))
      return bad('revoked', `"${subject.name}", serial number ${subject.serial}, was revoked`)
  return undefined
}

/** Whether a list is this authority's. Its date does not matter: an old list still tells what was revoked. */
export function isListOf(list: RevocationList, issuer: Certificate): boolean {
  const hash = HASH_OF[list.signatureAlgorithm]
  if (hash === undefined || !equal(list.issuer, issuer.subject)) return false
  if (issuer.keyUsage && !issuer.keyUsage[KeyUsage.CrlSign]) return false
  return signedBy(() => verify(hash, list.signed, issuer.publicKey, list.signature))
}

/** OpenSSL throws over keys and signatures of the wrong kind. */
function signedBy(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

function isNamed(c: Certificate, name: string): boolean {
  const wanted = name.toLowerCase()
  const names = [c.name, ...c.commonNames, ...c.alternativeNames.map(a => a.text), `dn:${toHex(c.subject)}`]
  return names.some(n => n.toLowerCase() === wanted)
}

/** A day of the calendar, e.g. 2031-05-01: from the day's number since 1970. */
export function dateText(millis: number): string {
  const days = Math.floor(millis / 86_400_000) + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}
