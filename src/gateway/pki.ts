/**
 * The gateway's certificates, in pki/ under the state directory, every file of mode 0600: whom it trusts, its own
 * certificate and key, who was revoked, and the authority's key where it is an authority itself.
 */

import { createPrivateKey, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Configuration, IsakmpPolicyConfig } from '../alliedware/config.ts'
import { type Certificate, readCertificates, readRevocationLists } from '../ike/certificate.ts'
import { isListOf, MAX_DEPTH } from '../ike/certificate-path.ts'
import type { RsaCredentials } from '../ike/signature.ts'
import { encodeText, equal, printable } from '../packet/bytes.ts'
import { parseIpv4 } from '../packet/ip.ts'
import {
  authorityExtensions,
  certificatePem,
  clientExtensions,
  type Issued,
  issue,
  keyPem,
  makeKey,
  makePkcs12,
  makeRevocationList,
  readIssued,
  type Subject,
  serverExtensions,
} from './certificates.ts'
import { makeDirectory } from './directory.ts'
import { writePrivate } from './private-file.ts'

const YEAR_MILLIS = 365 * 86_400_000
const AUTHORITY_YEARS = 20
const SERVER_YEARS = 10
const CLIENT_YEARS = 5
/** Clocks of clients that go slow: a certificate made now is good for them at once. */
const SLACK_MILLIS = 86_400_000
/** Our own authorities sign clients and nothing else. */
const AUTHORITIES_BELOW = 0

/** A client's certificate that was made here. */
export interface IssuedCertificate {
  readonly user: string
  readonly serial: string
  readonly notAfter: string
  readonly revoked?: string
}

/** What the operator asked for cannot be done; the message says why and what to do. */
export class PkiError extends Error {
  override readonly name = 'PkiError'
}

export class Pki {
  readonly directory: string
  /** What is odd about the files, for the log. */
  readonly warnings: string[] = []
  credentials: RsaCredentials | undefined
  private readonly wall: () => Date

  /** `state` is the state directory. Nothing is made, and nothing thrown, before somebody asks for a certificate. */
  constructor(state: string, wall: () => Date) {
    this.directory = resolve(state, 'pki')
    this.wall = wall
    this.load()
  }

  /** Reads the files again. Without a complete set there are no credentials, and `warnings` says what is wrong. */
  load(): void {
    this.warnings.length = 0
    this.credentials = undefined
    if (!this.has('ca.pem')) return
    try {
      this.credentials = this.read()
    } catch (e) {
      this.warnings.push(`certificates in ${this.directory} cannot be used: ${(e as Error).message}`)
    }
  }

  /** What the operator should know before the first client fails over it. */
  oddities(c: Configuration): string[] {
    const own = this.credentials?.chain[0]
    const policies = c.isakmp.policies.filter(p => p.authType === 'rsasig')
    const idle = own ? [] : policies.map(p => `ISAKMP policy "${p.name}" wants certificates: CREATE CA makes them`)
    const misnamed = own ? policies.flatMap(p => misnaming(p, own)) : []
    return [...this.warnings, ...idle, ...misnamed]
  }

  /** Makes an authority and our own certificate under it. Throws PkiError where there is one. */
  async createAuthority(name: string, addresses: ServerNames): Promise<void> {
    if (this.has('ca.pem'))
      throw new PkiError(`an authority is there already: remove ${this.directory} first, and every client is shut out`)
    const key = await makeKey()
    const authority = issue({
      subject: { commonName: name },
      issuer: undefined,
      key,
      extensions: authorityExtensions(AUTHORITIES_BELOW),
      ...this.term(AUTHORITY_YEARS),
    })
    makeDirectory(this.directory, 0o700)
    this.write('ca.key', keyPem(key))
    this.write('certificates.json', '[]\n')
    this.writeList(authority, [])
    await this.makeServer(authority, addresses)
    // Last: with it the set is complete.
    this.write('ca.pem', certificatePem(authority.certificate))
    this.load()
  }

  /** Makes our own certificate anew: for another address, or before it runs out. Throws PkiError. */
  async createServer(addresses: ServerNames): Promise<void> {
    await this.makeServer(this.authority(), addresses)
    this.load()
  }

  /** Makes a client's certificate and key; answers the PKCS #12 file's path. Throws PkiError. */
  async createClient(user: string, password: string): Promise<string> {
    const authority = this.authority()
    const key = await makeKey()
    const term = this.term(CLIENT_YEARS)
    const client = issue({
      subject: subjectUnder(authority, user),
      issuer: authority,
      key,
      extensions: clientExtensions(user),
      ...term,
    })
    const file = makePkcs12(client, authority.certificate, password, user)
    const folder = join(this.directory, 'clients')
    makeDirectory(folder, 0o700)
    const name = `clients/${user.replace(/[^A-Za-z0-9_.@-]/g, '_').replace(/^\.+/, '_')}-${term.serial.slice(0, 8)}.p12`
    // It is in the list before it can be used: what is not there cannot be revoked.
    this.writeIndex([...this.list(), { user, serial: term.serial, notAfter: term.notAfter.toISOString() }])
    this.write(name, file)
    return join(this.directory, name)
  }

  /** Revokes all of a user's certificates; answers how many that were. Throws PkiError. */
  revoke(user: string): number {
    const authority = this.authority()
    const at = this.wall()
    let count = 0
    const list = this.list().map(c => {
      if (c.revoked !== undefined || c.user.toLowerCase() !== user.toLowerCase()) return c
      count++
      return { ...c, revoked: at.toISOString() }
    })
    if (count > 0) this.writeIndex(list)
    // Even where nothing is new: an earlier attempt may not have come as far as this.
    this.writeList(authority, list)
    this.load()
    return count
  }

  /** Every client's certificate that was made here. Throws PkiError where the list is damaged. */
  list(): IssuedCertificate[] {
    if (!this.has('certificates.json')) return []
    try {
      const list: unknown = JSON.parse(this.text('certificates.json'))
      if (Array.isArray(list)) return list as IssuedCertificate[]
    } catch {
      // Told below.
    }
    throw new PkiError(`${join(this.directory, 'certificates.json')} is damaged: restore it`)
  }

  /** Whether there is an authority whose key we have. */
  get issues(): boolean {
    return this.has('ca.pem') && this.has('ca.key')
  }

  isOver(c: IssuedCertificate): boolean {
    return this.wall().toISOString() > c.notAfter
  }

  /** The subject of a user's certificates in words: what IKE calls a peer that came in with one. */
  identityOf(user: string): string {
    const { organization } = subjectUnder(this.authority(), user)
    const shown = (text: string) => printable(encodeText(text), 64)
    return `CN=${shown(user)}, O=${shown(organization)}`
  }

  private read(): RsaCredentials {
    const anchors = readCertificates(this.bytes('ca.pem'))
    const chain = readCertificates(this.bytes('server.pem'))
    const privateKey = createPrivateKey(this.text('server.key'))
    const own = chain[0]!
    if (!own.x509.checkPrivateKey(privateKey)) throw new PkiError('server.key is not the key of server.pem')
    if (privateKey.asymmetricKeyType !== 'rsa') throw new PkiError('server.key is no RSA key')
    const now = this.wall().getTime()
    for (const c of [...anchors, own])
      if (now > c.notAfter) this.warnings.push(`the certificate "${c.name}" has expired: clients will refuse it`)
    return {
      privateKey,
      // A root in the message would prove nothing: whoever trusts it has it.
      chain: chain.filter((c, i) => i === 0 || !equal(c.subject, c.issuer)),
      trust: { anchors, revocationLists: this.readLists(anchors), maxDepth: MAX_DEPTH },
      wall: () => this.wall().getTime(),
    }
  }

  private readLists(anchors: readonly Certificate[]) {
    if (!this.has('crl.pem')) return []
    const lists = readRevocationLists(this.bytes('crl.pem'))
    for (const list of lists)
      if (!anchors.some(a => isListOf(list, a)))
        this.warnings.push('a revocation list in crl.pem is of no authority in ca.pem: it counts for those below only')
    return lists
  }

  /** Our own authority. Throws PkiError where there is none. */
  private authority(): Issued {
    if (!this.has('ca.pem')) throw new PkiError('there is no authority yet: CREATE CA')
    if (!this.has('ca.key'))
      throw new PkiError(`the authority is another's: its key is not in ${this.directory}; ask it for the certificate`)
    try {
      return readIssued(this.text('ca.pem'), this.text('ca.key'))
    } catch (e) {
      throw new PkiError(`the authority in ${this.directory} cannot be read: ${(e as Error).message}`)
    }
  }

  private async makeServer(authority: Issued, names: ServerNames): Promise<void> {
    const key = await makeKey()
    const own = issue({
      subject: subjectUnder(authority, names.name ?? names.address ?? 'gateway'),
      issuer: authority,
      key,
      extensions: serverExtensions(names.address, names.name),
      ...this.term(SERVER_YEARS),
    })
    this.write('server.key', keyPem(key))
    this.write('server.pem', certificatePem(own.certificate))
  }

  private term(years: number): { serial: string; notBefore: Date; notAfter: Date } {
    const now = this.wall().getTime()
    const serial = randomBytes(16)
    // Positive, and of full length.
    serial[0] = (serial[0]! & 0x3f) | 0x40
    return {
      serial: serial.toString('hex'),
      notBefore: new Date(now - SLACK_MILLIS),
      notAfter: new Date(now + years * YEAR_MILLIS),
    }
  }

  private writeList(authority: Issued, certificates: readonly IssuedCertificate[]): void {
    const revoked = certificates.flatMap(c =>
      c.revoked === undefined ? [] : [{ serial: c.serial, at: new Date(c.revoked) }],
    )
    const now = this.wall()
    const next = new Date(now.getTime() + AUTHORITY_YEARS * YEAR_MILLIS)
    this.write('crl.pem', makeRevocationList(authority, revoked, now, next))
  }

  private writeIndex(list: readonly IssuedCertificate[]): void {
    this.write('certificates.json', `${JSON.stringify(list, null, 1)}\n`)
  }

  private has(name: string): boolean {
    return existsSync(join(this.directory, name))
  }

  private bytes(name: string): Uint8Array {
    return new Uint8Array(readFileSync(join(this.directory, name)))
  }

  private text(name: string): string {
    return readFileSync(join(this.directory, name), 'utf8')
  }

  private write(name: string, content: string | Uint8Array): void {
    writePrivate(join(this.directory, name), content)
  }
}

/** How clients call this gateway. */
export interface ServerNames {
  readonly name: string | undefined
  readonly address: string | undefined
}

function subjectUnder(authority: Issued, commonName: string): Subject & { readonly organization: string } {
  const own = authority.certificate.subject.getField('CN') as { value?: string } | null
  return { commonName, organization: own?.value ?? 'Floatgate' }
}

/** LOCALID is the name that we go by, and our certificate has to bear it: strongSwan refuses us otherwise. */
function misnaming({ name, localId }: IsakmpPolicyConfig, own: Certificate): string[] {
  if (localId === undefined || parseIpv4(localId) !== undefined) return []
  const kind = localId.includes('@') ? 'user' : 'fqdn'
  const names = own.alternativeNames
  if (names.some(n => n.kind === kind && n.text.toLowerCase() === localId.toLowerCase())) return []
  const has = names.map(n => n.text).join(', ') || 'no other name'
  return [
    `LOCALID "${localId}" of ISAKMP policy "${name}" is not in our certificate (${has}), so clients may refuse us: leave it out, or make one that has it`,
  ]
}
