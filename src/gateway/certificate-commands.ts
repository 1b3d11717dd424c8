/** CREATE CA, CREATE, DESTROY and SHOW CERTIFICATE: what vpnctl does with certificates. */

import { randomInt } from 'node:crypto'
import type { Command } from '../alliedware/parse.ts'
import { type CertificateState, printCertificates } from '../alliedware/show/certificate.ts'
import { dateText } from '../ike/certificate-path.ts'
import { Secret } from '../packet/bytes.ts'
import { formatIpv4 } from '../packet/ip.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { Control } from './control.ts'
import { type Log, Severity } from './log.ts'
import { type Pki, PkiError, type ServerNames } from './pki.ts'

export interface CertificateWorld {
  readonly control: Control
  readonly log: Log
  readonly pki?: Pki | undefined
  /** Our address as clients dial it, where it is known. */
  readonly serverAddress?: (() => string | undefined) | undefined
}

const PASSWORD_LENGTH = 12
/** Without those that are mistaken for each other. */
const PASSWORD_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789'

/** The answer, or undefined for a command that has nothing to do with certificates. */
export async function certificateCommand(
  w: CertificateWorld,
  command: Command,
  caller: Caller,
): Promise<AdminAnswer | undefined> {
  const object = command.object.join(' ')
  if (object !== 'ca' && object !== 'certificate') return undefined
  const { pki } = w
  if (pki === undefined) return { exit: 1, text: 'Error: this gateway keeps no certificates' }
  try {
    return await carryOut({ ...w, pki }, command, caller)
  } catch (e) {
    if (!(e instanceof PkiError)) throw e
    return { exit: 1, text: `Error: ${e.message}` }
  }
}

async function carryOut(
  w: CertificateWorld & { readonly pki: Pki },
  command: Command,
  caller: Caller,
): Promise<AdminAnswer> {
  const { pki } = w
  const { user, server, name, password } = command.args
  if (command.verb === 'show') return show(pki, typeof user === 'string' ? user : undefined)
  const lines: string[] = []
  switch (`${command.verb} ${command.object.join(' ')}`) {
    case 'create ca': {
      const names = serverNames(w, server)
      await pki.createAuthority(typeof name === 'string' ? name : 'Floatgate VPN', names)
      lines.push(...madeServer(names), 'Next: CREATE CERTIFICATE USER=..., and an ISAKMP policy with AUTHTYPE=RSASIG.')
      break
    }
    case 'create certificate':
      if (typeof user === 'string') lines.push(...(await createClient(pki, user, password)))
      else {
        const names = serverNames(w, server)
        await pki.createServer(names)
        lines.push(...madeServer(names))
      }
      break
    case 'destroy certificate':
      lines.push(...revoke(w, String(user)))
      break
  }
  // New logins go by the new state at once.
  w.control.configure(w.control.configuration)
  w.log.add({
    severity: Severity.Notice,
    module: 'CH',
    text: `Certificates changed: ${command.verb} ${command.object.join(' ')}${typeof user === 'string' ? ` user=${user}` : ''}`,
    fields: { ...caller },
  })
  return { exit: 0, text: [...lines, ...pki.warnings.map(t => `Warning: ${t}`), 'Operation successful.'].join('\n') }
}

function serverNames(w: CertificateWorld, server: unknown): ServerNames {
  if (typeof server === 'string') return { name: server, address: undefined }
  return { name: undefined, address: typeof server === 'number' ? formatIpv4(server) : w.serverAddress?.() }
}

function madeServer(names: ServerNames): string[] {
  const called = names.name ?? names.address
  return called === undefined
    ? [
        "Warning: this gateway's public address is not known: clients that check the server's name refuse it.",
        'CREATE CERTIFICATE SERVER=ADDRESS (or a domain name) makes another one.',
      ]
    : [`The gateway's certificate is for ${called}: clients must call it just so.`]
}

async function createClient(pki: Pki, user: string, given: unknown): Promise<string[]> {
  const made = given instanceof Secret ? undefined : newPassword()
  const password = made ?? Buffer.from((given as Secret).reveal()).toString('utf8')
  const path = await pki.createClient(user, password)
  return [
    `Certificate, key and authority of "${user}" are in ${path}`,
    ...(made === undefined ? [] : [`Its password is ${made} (it is told this once)`]),
    'Bring the file to the client by a safe way, import it there, and delete it here and there:',
    '  Windows 11, 10, 8, 7, Vista: as an administrator, certutil -importpfx FILE',
    '    or open it, choose "Local Machine", and "Automatically select the certificate store".',
    '  Windows XP, 2000: mmc, add the snap-in "Certificates" for the "Computer account", import the file into',
    '    "Personal", then move the authority to "Trusted Root Certification Authorities". XP needs Service Pack 3.',
    "    A double click puts it into the user's store, where IPsec never looks (error 786).",
    '  Then leave the pre-shared key empty: VPN type L2TP/IPsec, "Use certificate for authentication".',
  ]
}

function revoke(w: CertificateWorld & { readonly pki: Pki }, user: string): string[] {
  const { pki, control } = w
  const count = pki.revoke(user)
  if (count === 0) throw new PkiError(`"${user}" has no certificate that is not revoked`)
  const identities = [pki.identityOf(user), user].map(i => i.toLowerCase())
  const closed = [...control.peers.all].filter(
    ([id, p]) => identities.includes(p.identity.toLowerCase()) && control.closePeer(id, 'its certificate was revoked'),
  )
  return [`Revoked ${count} of "${user}"; ${closed.length} connected with them, and are no more.`]
}

function show(pki: Pki, user: string | undefined): AdminAnswer {
  const { credentials } = pki
  const own = credentials?.chain[0]
  const data: CertificateState = {
    authorities: (credentials?.trust.anchors ?? []).map(a => ({ name: a.name, expires: dateText(a.notAfter) })),
    server: own && {
      name: own.name,
      expires: dateText(own.notAfter),
      calledAs: [...new Set(own.alternativeNames.map(a => a.text))],
    },
    clients: pki
      .list()
      .filter(c => user === undefined || c.user.toLowerCase() === user.toLowerCase())
      .map(c => ({
        user: c.user,
        serial: c.serial,
        expires: c.notAfter.slice(0, 10),
        state: c.revoked !== undefined ? 'revoked' : pki.isOver(c) ? 'expired' : 'good',
      })),
    issuing: pki.issues,
    warnings: pki.warnings,
  }
  return { exit: 0, text: printCertificates(data), data }
}

function newPassword(): string {
  return Array.from({ length: PASSWORD_LENGTH }, () => PASSWORD_LETTERS[randomInt(PASSWORD_LETTERS.length)]).join('')
}
