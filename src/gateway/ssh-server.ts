/**
 * The SSH server (RFC 4251 to 4254, by the ssh2 library): the router's prompt, and single commands, for the users that ADD
 * SSH USER names. Protocol 2 alone; RSA host key from the key store. Nothing is forwarded.
 */

import { createServer, type Server as NetServer, type Socket } from 'node:net'
import ssh2, { type AuthContext, type Connection } from 'ssh2'
import type { SshConfig, SshUser } from '../alliedware/access-config.ts'
import type { Millis } from '../machine.ts'
import { type Ipv4, inSubnet, parseIpv4 } from '../packet/ip.ts'
import { CommandQueue } from './command-queue.ts'
import { tcpPortHolder } from './host.ts'
import { type Access, samePassword } from './login.ts'
import { publicRsaKey } from './rsa-key.ts'
import type { SecretStore } from './secret-store.ts'
import { type SshOperators, serveSession } from './ssh-session.ts'

export interface SshPlace {
  readonly port: number
  readonly addresses: readonly string[]
}

export interface SshWorld extends SshOperators {
  readonly access: Access
  readonly secrets: SecretStore
  readonly now: () => Millis
}

const MOST_CONNECTIONS = 32
/** Of those, from one address before a login. */
const MOST_STRANGERS = 8
/** A second: each costs a key exchange and a signature on the control thread. */
const MOST_NEW = 20
const MOST_TRIES = 6
const HOST = 0xffffffff

const algorithms = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256', 'diffie-hellman-group14-sha256'],
  serverHostKey: ['rsa-sha2-512', 'rsa-sha2-256'],
  cipher: [
    'chacha20-poly1305@openssh.com',
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-ctr',
    'aes256-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256'],
  compress: ['none'],
} as const

interface Guest {
  readonly socket: Socket
  readonly address: Ipv4 | undefined
  user: string | undefined
  /** LOGINTIMEOUT. */
  timer: NodeJS.Timeout | undefined
}

export class SshServer {
  private readonly world: SshWorld
  private listeners: NetServer[] = []
  private readonly guests = new Set<Guest>()
  private config: SshConfig | undefined
  /** What it serves with now, to tell a change. */
  private serving = ''
  private lines: ssh2.Server | undefined
  private readonly changes = new CommandQueue()
  private newSince: Millis = 0
  private newCount = 0
  state = 'disabled'

  constructor(world: SshWorld) {
    this.world = world
  }

  /** Listens, stops or goes on, as the configuration says; answers what stands in the way. */
  configure(config: SshConfig, place: SshPlace): Promise<string[]> {
    return this.changes.add(() => this.change(config, place))
  }

  private async change(config: SshConfig, place: SshPlace): Promise<string[]> {
    this.config = config
    for (const guest of this.guests) {
      if (guest.user !== undefined && !this.permitted(guest).some(u => same(u.name, guest.user!)))
        guest.socket.destroy()
    }
    const key = config.enabled && config.hostKey !== undefined ? this.privateKey(config.hostKey) : undefined
    const wanted = JSON.stringify([config.enabled, config.hostKey, key?.toString(), place])
    if (wanted === this.serving && this.lines !== undefined) return []
    this.close(config.enabled ? 'starting' : 'disabled')
    if (!config.enabled) return []
    if (key === undefined) {
      const id = config.hostKey
      this.state = id === undefined ? 'no HOSTKEY' : `ENCO key ${id} is no RSA key of ours`
      return [
        `SSH server: ${this.state}: CREATE ENCO KEY=${id ?? 2} TYPE=RSA LENGTH=2048 makes one, ENABLE SSH SERVER HOSTKEY=... names it`,
      ]
    }
    try {
      this.lines = new ssh2.Server({ hostKeys: [key], ident: 'Floatgate', algorithms: mutable() })
    } catch (e) {
      this.state = `the host key is refused: ${(e as Error).message}`
      return [`SSH server: ${this.state}`]
    }
    this.serving = wanted
    this.lines.on('error', () => undefined)
    this.lines.on('connection', (connection, info) => this.serve(connection, info.ip, info.port))
    const troubles: string[] = []
    for (const address of place.addresses) {
      const trouble = await this.listen(address, place.port)
      if (trouble !== undefined) troubles.push(`SSH server: ${trouble}`)
    }
    const heard = this.listeners
      .map(l => l.address())
      .flatMap(a => (a && typeof a === 'object' ? `${a.address} port ${a.port}` : []))
    this.state = heard.length > 0 ? `listening on ${heard.join(', ')}` : 'listening nowhere'
    return troubles
  }

  close(state = 'disabled'): void {
    for (const l of this.listeners) l.close()
    this.listeners = []
    for (const guest of this.guests) guest.socket.destroy()
    this.lines = undefined
    this.serving = ''
    this.state = state
  }

  private listen(address: string, port: number): Promise<string | undefined> {
    return new Promise(resolve => {
      const listener = createServer(socket => this.accept(socket))
      listener.once('error', (e: NodeJS.ErrnoException) => {
        const reasons: Readonly<Record<string, () => string>> = {
          EADDRINUSE: () =>
            `is taken by ${tcpPortHolder(port) ?? 'another process'}: "sshPort" in the site file names another`,
          EADDRNOTAVAIL: () => 'cannot be opened: this host does not have that address',
        }
        const why = reasons[e.code ?? '']?.() ?? `cannot be opened: ${e.message}`
        resolve(`TCP port ${port} of ${address} ${why}`)
      })
      listener.listen(port, address, () => {
        this.listeners.push(listener)
        resolve(undefined)
      })
    })
  }

  private accept(socket: Socket): void {
    const address = parseIpv4((socket.remoteAddress ?? '').replace(/^::ffff:/, ''))
    const guest: Guest = { socket, address, user: undefined, timer: undefined }
    socket.on('error', () => socket.destroy())
    // Whom no SSH USER lets in from there does not even learn that it is us.
    if (this.lines === undefined || this.permitted(guest).length === 0 || this.crowded(guest)) {
      socket.destroy()
      return
    }
    this.guests.add(guest)
    guest.timer = setTimeout(() => socket.destroy(), (this.config?.loginTimeoutSeconds ?? 60) * 1000)
    socket.on('close', () => {
      clearTimeout(guest.timer)
      this.guests.delete(guest)
    })
    this.lines.injectSocket(socket)
  }

  private crowded({ address }: Guest): boolean {
    const now = this.world.now()
    if (now - this.newSince >= 1000) {
      this.newSince = now
      this.newCount = 0
    }
    const strangers = [...this.guests].filter(g => g.user === undefined && g.address === address)
    return this.guests.size >= MOST_CONNECTIONS || strangers.length >= MOST_STRANGERS || ++this.newCount > MOST_NEW
  }

  /** A client has said its version: only now the library makes a connection of the socket. */
  private serve(connection: Connection, ip: string, port: number): void {
    const guest = [...this.guests].find(g => g.socket.remoteAddress === ip && g.socket.remotePort === port)
    if (guest === undefined) {
      connection.end()
      return
    }
    let tries = 0
    connection.on('error', () => guest.socket.destroy())
    connection.on('authentication', context => {
      const user = this.authenticate(guest, context)
      if (user === 'asks') return
      if (user !== undefined) {
        guest.user = user
        context.accept()
      } else if (context.method !== 'none' && ++tries >= MOST_TRIES) guest.socket.destroy()
      else context.reject(['password', 'publickey'])
    })
    connection.on('ready', () => {
      const { user } = guest
      if (user === undefined) {
        guest.socket.destroy()
        return
      }
      clearTimeout(guest.timer)
      connection.on('session', accept => serveSession(accept(), user, placeOf(guest), this.world))
    })
  }

  /** The user, undefined for a refusal, or `asks` where a key was only asked about, and answered. */
  private authenticate(guest: Guest, context: AuthContext): string | 'asks' | undefined {
    if (context.method !== 'password' && context.method !== 'publickey') return undefined
    const place = placeOf(guest)
    if (this.world.access.lockedSeconds(place) > 0) return undefined
    const user = this.permitted(guest).find(u => same(u.name, context.username))
    let right: boolean
    if (context.method === 'password') right = samePassword(context.password, user?.password)
    else {
      const known = user?.keyId === undefined ? undefined : this.publicKey(user.keyId)
      const fits = known !== undefined && context.key.algo === 'ssh-rsa' && known.equals(context.key.data)
      if (context.signature === undefined || context.blob === undefined) {
        // Which keys a client has is no attempt to guess.
        if (!fits) return undefined
        context.accept()
        return 'asks'
      }
      right = fits && verified(context.key.data, context.blob, context.signature, context.hashAlgo)
    }
    const result = this.world.access.judge(place, user?.name, right)
    return 'user' in result ? result.user : undefined
  }

  /** The SSH users that may come from where the guest is. */
  private permitted(guest: Guest): SshUser[] {
    return (this.config?.users ?? []).filter(
      u =>
        u.address === undefined || (guest.address !== undefined && inSubnet(guest.address, u.address, u.mask ?? HOST)),
    )
  }

  private privateKey(id: number): Buffer | undefined {
    const stored = this.world.secrets.keyType(id) === 'rsa' ? this.world.secrets.key(id)?.reveal() : undefined
    return stored && publicRsaKey(stored)?.ours ? Buffer.from(stored) : undefined
  }

  private publicKey(id: number): Buffer | undefined {
    const stored = this.world.secrets.keyType(id) === 'rsa' ? this.world.secrets.key(id)?.reveal() : undefined
    return stored && publicRsaKey(stored)?.blob
  }
}

function verified(key: Buffer, blob: Buffer, signature: Buffer, hash: string | undefined): boolean {
  // Without a name it would be SHA-1.
  if (hash !== 'sha256' && hash !== 'sha512') return false
  const parsed = ssh2.utils.parseKey(`ssh-rsa ${key.toString('base64')}`)
  return !(parsed instanceof Error) && !Array.isArray(parsed) && parsed.verify(blob, signature, hash) === true
}

function placeOf(guest: Guest): string {
  return `ssh ${guest.socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown'}`
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

/** The library's types want arrays that could be changed. */
function mutable(): ssh2.Algorithms {
  return Object.fromEntries(Object.entries(algorithms).map(([name, list]) => [name, [...list]])) as ssh2.Algorithms
}
