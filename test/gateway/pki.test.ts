import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import forge from 'node-forge'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decoded } from '../../src/gateway/certificates.ts'
import { Pki, PkiError } from '../../src/gateway/pki.ts'
import { judgeCertificates } from '../../src/ike/certificate-path.ts'

let state: string
const NOW = new Date(Date.UTC(2026, 6, 1))
const wall = () => NOW

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'floatgate-pki-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8' })
const haveOpenssl = openssl('version').status === 0
const names = { name: undefined, address: '198.51.100.1' }

/** What is in a PKCS #12 file, as node-forge reads it. */
function opened(path: string, password: string) {
  const asn1 = forge.asn1.fromDer(readFileSync(path, 'latin1'))
  const file = forge.pkcs12.pkcs12FromAsn1(asn1, password)
  const bags = (type: string) => file.getBags({ bagType: type })[type] ?? []
  const certificates = bags(forge.pki.oids['certBag']!).map(
    b => new X509Certificate(forge.pki.certificateToPem(decoded(b.cert!))),
  )
  return { certificates, keys: bags(forge.pki.oids['pkcs8ShroudedKeyBag']!).length }
}

function modes(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(e => {
    const path = join(folder, e.name)
    const mode = (statSync(path).mode & 0o777).toString(8)
    return e.isDirectory() ? [`${e.name} ${mode}`, ...modes(path)] : [`${e.name} ${mode}`]
  })
}

describe('the first certificate authority', () => {
  it('makes nothing before it is asked to', () => {
    const pki = new Pki(state, wall)
    expect([pki.credentials, pki.warnings, readdirSync(state)]).toEqual([undefined, [], []])
  })

  it('gives the gateway what it authenticates with, and no one else a look at it', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('Büro VPN', names)
    const { chain, trust } = pki.credentials!
    expect(pki.warnings).toEqual([])
    expect(chain.map(c => c.commonNames)).toEqual([['198.51.100.1']])
    expect(chain[0]!.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.8.2.2'])
    expect(chain[0]!.alternativeNames).toContainEqual({ kind: 'address', text: '198.51.100.1' })
    expect(chain[0]!.issuer).toEqual(trust.anchors[0]!.subject)
    expect(chain[0]!.x509.verify(trust.anchors[0]!.publicKey)).toBe(true)
    expect(trust.anchors[0]!.x509.subject).toBe('CN=Büro VPN')
    expect(chain[0]!.x509.issuer).toBe('CN=Büro VPN')
    expect(trust.revocationLists).toHaveLength(1)
    const [own, ca] = opened(await pki.createClient('alice', 'password'), 'password').certificates
    expect([own!.issuer, own!.subject]).toEqual(['CN=Büro VPN', 'O=Büro VPN\nCN=alice'])
    expect(own!.checkIssued(ca!)).toBe(true)
    expect(modes(state).filter(m => !/ (600|700)$/.test(m))).toEqual([])
  })

  it('is not replaced by accident', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('One', names)
    await expect(pki.createAuthority('Two', names)).rejects.toThrow(PkiError)
    expect(pki.credentials!.trust.anchors[0]!.commonNames).toEqual(['One'])
  })

  it('is there again at the next start, and gives the gateway another certificate on request', async () => {
    await new Pki(state, wall).createAuthority('One', names)
    const again = new Pki(state, wall)
    const before = again.credentials!.chain[0]!
    await again.createServer({ name: 'vpn.example.org', address: undefined })
    const after = again.credentials!.chain[0]!
    expect(after.serial).not.toBe(before.serial)
    expect(after.alternativeNames).toEqual([{ kind: 'fqdn', text: 'vpn.example.org' }])
  })
})

describe('a client', () => {
  it('gets a file that opens with its password, and a certificate that is let in until it is revoked', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('One', names)
    const path = await pki.createClient('alice', 'correct horse')
    expect(path).toMatch(/\/pki\/clients\/alice-[0-9a-f]{8}\.p12$/)
    const { certificates, keys } = opened(path, 'correct horse')
    expect(keys).toBe(1)
    expect(certificates.map(c => c.subject)).toEqual(['O=One\nCN=alice', 'CN=One'])
    expect(() => opened(path, 'wrong')).toThrow()
    expect(modes(state).filter(m => !/ (600|700)$/.test(m))).toEqual([])

    const sent = [new Uint8Array(certificates[0]!.raw)]
    const judge = () => judgeCertificates(sent, pki.credentials!.trust, { now: NOW.getTime(), names: undefined })
    expect(judge()).toMatchObject({ kind: 'good', certificate: { name: pki.identityOf('alice') } })
    expect(pki.list()).toMatchObject([{ user: 'alice' }])
    expect(pki.revoke('bob')).toBe(0)
    expect(pki.revoke('ALICE')).toBe(1)
    expect(judge()).toMatchObject({ kind: 'bad', fault: 'revoked' })
    expect(pki.revoke('alice')).toBe(0)
    expect(judge()).toMatchObject({ fault: 'revoked' })
    expect(new Pki(state, wall).list()).toMatchObject([{ user: 'alice', revoked: NOW.toISOString() }])
  })

  it('cannot leave its folder by its name', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('One', names)
    const path = await pki.createClient('../../etc/evil "Ünïcode"', 'password')
    expect(path.startsWith(join(state, 'pki/clients/'))).toBe(true)
    expect(path.slice(join(state, 'pki/clients/').length)).toMatch(/^[\w.@-]+\.p12$/)
    expect(opened(path, 'password').certificates[0]!.subject).toContain('Ünïcode')
  })

  it("is refused with a reason where there is no authority, or it is another's", async () => {
    const pki = new Pki(state, wall)
    await expect(pki.createClient('alice', 'x')).rejects.toThrow('CREATE CA')
    await pki.createAuthority('One', names)
    rmSync(join(state, 'pki/ca.key'))
    await expect(pki.createClient('alice', 'x')).rejects.toThrow("another's")
    expect(new Pki(state, wall).credentials).toBeDefined()
  })

  it.runIf(haveOpenssl)('gets a file that openssl opens, in the ciphers that XP knows', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('One', names)
    const path = await pki.createClient('alice', 'correct horse')
    const shown = openssl('pkcs12', '-in', path, '-info', '-nodes', '-passin', 'pass:correct horse')
    expect(shown.status).toBe(0)
    expect(shown.stderr).toContain('pbeWithSHA1And3-KeyTripleDES-CBC')
    expect(shown.stderr).toContain('MAC: sha1')
    expect(shown.stdout).toContain('BEGIN PRIVATE KEY')
    const pem = join(state, 'alice.pem')
    writeFileSync(pem, shown.stdout)
    const folder = pki.directory
    const verify = () =>
      openssl('verify', '-crl_check', '-CAfile', `${folder}/ca.pem`, '-CRLfile', `${folder}/crl.pem`, pem)
    expect(verify().stdout).toContain('OK')
    pki.revoke('alice')
    expect(verify().stderr).toContain('certificate revoked')
    expect(openssl('crl', '-in', `${folder}/crl.pem`, '-CAfile', `${folder}/ca.pem`, '-noout').stderr).toContain(
      'verify OK',
    )
  })
})

describe('files that somebody put there', () => {
  it('are not used where they do not fit together, and the operator is told', async () => {
    const pki = new Pki(state, wall)
    await pki.createAuthority('One', names)
    const kept = readFileSync(join(pki.directory, 'server.key'))
    writeFileSync(join(pki.directory, 'server.key'), readFileSync(join(pki.directory, 'ca.key')))
    pki.load()
    expect([pki.credentials, pki.warnings[0]]).toEqual([
      undefined,
      expect.stringContaining('not the key of server.pem'),
    ])
    writeFileSync(join(pki.directory, 'server.key'), kept)
    writeFileSync(join(pki.directory, 'crl.pem'), 'rubbish')
    pki.load()
    // Without its list a gateway would let in whom it had shut out.
    expect([pki.credentials, pki.warnings[0]]).toEqual([undefined, expect.stringContaining('X509 CRL')])
    writeFileSync(join(pki.directory, 'certificates.json'), '{')
    expect(() => pki.list()).toThrow('damaged')
  })

  it('are refused over an expired one with a warning, since clients refuse it', async () => {
    await new Pki(state, wall).createAuthority('One', names)
    const later = new Pki(state, () => new Date(NOW.getTime() + 11 * 365 * 86_400_000))
    expect(later.warnings).toEqual([expect.stringContaining('has expired')])
  })
})
