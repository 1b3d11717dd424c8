/**
 * What lives outside the script: ENCO keys, users made at run time and security mode, in one file of mode 0600 under the
 * state directory, replaced as a whole so that a crash leaves the old one or the new one.
 */

import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { EncoKey, User } from '../alliedware/config.ts'
import type { EncoKeyState } from '../alliedware/show/enco.ts'
import { Secret } from '../packet/bytes.ts'
import { formatIpv4, parseIpv4 } from '../packet/ip.ts'
import { makeDirectory } from './directory.ts'
import { writePrivate } from './private-file.ts'
import { publicRsaKey } from './rsa-key.ts'

/** What a user is where nothing else was said. */
const USUAL_USER: Omit<User, 'name' | 'password'> = {
  privilege: 'user',
  login: false,
  telnet: false,
  description: undefined,
  ipAddress: undefined,
  netmask: undefined,
  mtu: undefined,
}

export type StoredKey = Omit<EncoKey, 'id'>
/** What is known of a key beside its type and value. */
type AboutKey = Partial<Omit<StoredKey, 'type' | 'value'>>

interface StoreFile {
  keys: Record<string, { type: string; value: string; description?: string; module?: string; ip?: string }>
  users: FileUser[]
  security?: boolean
}

/** Only what is not as usual is there, but for name and password. */
interface FileUser {
  name: string
  password: string
  ip?: string
  disabled?: true
  privilege?: User['privilege']
  login?: true
  telnet?: true
  description?: string
  netmask?: string
  mtu?: number
}

export class SecretStore {
  readonly path: string
  private readonly keys = new Map<number, StoredKey>()
  private readonly users = new Map<string, User>()
  private security = false
  /** What was odd about the file, for the log. */
  readonly warnings: string[] = []

  /** Opens the store in `directory`, which is made with mode 0700 where it is missing. Throws where it cannot be read. */
  constructor(directory: string) {
    makeDirectory(directory, 0o700)
    this.path = join(directory, 'secrets.json')
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'ENOENT') return
      throw e
    }
    if ((statSync(this.path).mode & 0o077) !== 0) {
      this.warnings.push(`${this.path} could be read by others: its mode is 0600 again`)
      chmodSync(this.path, 0o600)
    }
    const file = parse(text, this.path)
    for (const [id, key] of Object.entries(file.keys ?? {})) {
      this.keys.set(Number(id), {
        type: key.type as EncoKey['type'],
        value: new Secret(new Uint8Array(Buffer.from(key.value, 'base64'))),
        description: key.description,
        module: key.module,
        ipAddress: key.ip === undefined ? undefined : parseIpv4(key.ip),
      })
    }
    this.security = file.security === true
    for (const u of file.users ?? []) this.users.set(u.name.toLowerCase(), readUser(u))
  }

  key(id: number): Secret | undefined {
    return this.keys.get(id)?.value
  }

  /** A pre-shared key: one that is no RSA key. */
  sharedKey(id: number): Secret | undefined {
    return this.keyType(id) === 'rsa' ? undefined : this.key(id)
  }

  keyType(id: number): string | undefined {
    return this.keys.get(id)?.type
  }

  /** The key with all that is known of it. */
  entry(id: number): StoredKey | undefined {
    return this.keys.get(id)
  }

  keyIds(): EncoKeyState[] {
    const length = (type: string, value: Uint8Array) =>
      type === 'rsa' ? (publicRsaKey(value)?.bits ?? 0) : value.length
    return [...this.keys].map(([id, k]) => ({
      id,
      type: k.type,
      length: length(k.type, k.value.reveal()),
      description: k.description ?? '',
      module: k.module ?? '',
      ipAddress: k.ipAddress === undefined ? '' : formatIpv4(k.ipAddress),
    }))
  }

  get securityMode(): boolean {
    return this.security
  }

  set securityMode(on: boolean) {
    this.security = on
    this.save()
  }

  setKey(id: number, type: EncoKey['type'], value: Secret, about: AboutKey = {}): void {
    this.keys.set(id, { description: undefined, module: undefined, ipAddress: undefined, ...about, type, value })
    this.save()
  }

  /** Takes over these keys, of which most are usually here already. */
  keepKeys(keys: readonly EncoKey[]): void {
    const changed = keys.filter(({ id, ...key }) => {
      const was = this.keys.get(id)
      return was === undefined || Object.entries(key).some(([name, value]) => was[name as keyof StoredKey] !== value)
    })
    for (const { id, ...key } of changed) this.keys.set(id, key)
    if (changed.length > 0) this.save()
  }

  removeKey(id: number): boolean {
    const was = this.keys.delete(id)
    if (was) this.save()
    return was
  }

  allUsers(): User[] {
    return [...this.users.values()]
  }

  setUser(user: Partial<User> & Pick<User, 'name' | 'password'>): void {
    this.users.set(user.name.toLowerCase(), { ...USUAL_USER, ...user })
    this.save()
  }

  removeUser(name: string): boolean {
    const was = this.users.delete(name.toLowerCase())
    if (was) this.save()
    return was
  }

  private save(): void {
    const file: StoreFile = { keys: {}, users: [], ...(this.security && { security: true }) }
    for (const [id, k] of this.keys) {
      file.keys[id] = {
        type: k.type,
        value: Buffer.from(k.value.reveal()).toString('base64'),
        ...(k.description !== undefined && { description: k.description }),
        ...(k.module !== undefined && { module: k.module }),
        ...(k.ipAddress !== undefined && { ip: formatIpv4(k.ipAddress) }),
      }
    }
    file.users.push(...[...this.users.values()].map(writtenUser))
    writePrivate(this.path, `${JSON.stringify(file, null, 1)}\n`)
  }
}

function readUser({ ip, netmask, password, ...rest }: FileUser): User {
  return {
    ...USUAL_USER,
    ...rest,
    password: Secret.fromText(password),
    ipAddress: ip === undefined ? undefined : parseIpv4(ip),
    netmask: netmask === undefined ? undefined : parseIpv4(netmask),
  }
}

function writtenUser(u: User): FileUser {
  return {
    name: u.name,
    password: Buffer.from(u.password.reveal()).toString('utf8'),
    ...(u.ipAddress !== undefined && { ip: formatIpv4(u.ipAddress) }),
    ...(u.disabled === true && { disabled: true }),
    ...(u.privilege !== 'user' && { privilege: u.privilege }),
    ...(u.login && { login: true }),
    ...(u.telnet && { telnet: true }),
    ...(u.description !== undefined && { description: u.description }),
    ...(u.netmask !== undefined && { netmask: formatIpv4(u.netmask) }),
    ...(u.mtu !== undefined && { mtu: u.mtu }),
  }
}

/** Throws an Error that quotes nothing of the file, as JSON.parse's own would. */
function parse(text: string, path: string): StoreFile {
  try {
    const file: unknown = JSON.parse(text)
    if (typeof file === 'object' && file !== null) return file as StoreFile
  } catch {
    // Told below.
  }
  throw new Error(`${path} is damaged: restore it, or remove it and set keys and users anew`)
}
