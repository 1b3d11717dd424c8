import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { sshPlace } from '../../src/gateway/management.ts'
import { EMPTY_SITE } from '../../src/gateway/site.ts'
import { SshServer } from '../../src/gateway/ssh-server.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { temporaryDirectory } from './fakes.ts'
import { operatorWorld } from './operators.ts'

const missing = ['ssh', 'ssh-keygen'].filter(p => spawnSync('which', [p]).status !== 0)
if (missing.length > 0) console.warn(`SSH tests are skipped: no ${missing.join(', ')} (apt-get install openssh-client)`)

const USERS = [
  'add ssh user=secoff password=by-word',
  'add ssh user=guest password=by-word ipaddress=127.0.0.0 mask=255.0.0.0',
  'add ssh user=mgr password=by-word ipaddress=192.0.2.1',
]

/** A server on a free port of this host, and OpenSSH as its client. */
async function serving(...more: string[]) {
  const w = await operatorWorld()
  const server = new SshServer({
    access: w.access,
    secrets: w.world.secrets,
    now: () => Date.now(),
    terminals: w.terminals,
    perform: (operator, text) => w.type(operator, text),
    operator: (account, place) => w.operator({ account }, place),
    configuration: () => w.world.control.configuration,
  })
  onTestFinished(() => server.close())
  const place = { port: 0, addresses: ['127.0.0.1'] }
  const configure = () => server.configure(w.world.control.configuration.ssh, place)
  await w.type(w.root, 'create enco key=2 type=rsa length=2048')
  for (const text of ['enable ssh server hostkey=2', ...USERS, ...more]) {
    const { exit, text: answer } = await w.type(w.root, text)
    expect(`${text}: ${exit}: ${answer}`).toContain(': 0: ')
  }
  expect(await configure()).toEqual([])
  const port = Number(/port (\d+)$/.exec(server.state)?.[1])
  const directory = temporaryDirectory()
  const askpass = join(directory, 'askpass')
  writeFileSync(askpass, '#!/bin/sh\necho "$WORD"\n')
  chmodSync(askpass, 0o700)

  /** Runs the client for at most 15 seconds; `-tt` among the options gives it a terminal. */
  const ssh = (user: string, o: { password?: string; options?: string[]; command?: string; input?: string } = {}) =>
    new Promise<{ status: number | null; out: string; err: string }>((resolve, reject) => {
      const options = {
        UserKnownHostsFile: join(directory, 'known'),
        GlobalKnownHostsFile: '/dev/null',
        StrictHostKeyChecking: 'accept-new',
        NumberOfPasswordPrompts: '1',
        ConnectTimeout: '10',
        IdentityAgent: 'none',
        LogLevel: 'ERROR',
      }
      const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
      const child = spawn(
        'ssh',
        [
          '-F',
          '/dev/null',
          '-p',
          String(port),
          ...args,
          ...(o.options ?? []),
          `${user}@127.0.0.1`,
          ...(o.command ? [o.command] : []),
        ],
        {
          env: { ...process.env, WORD: o.password ?? 'by-word', SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' },
          timeout: 60_000,
        },
      )
      let [out, err] = ['', '']
      child.stdout.on('data', data => (out += data))
      child.stderr.on('data', data => (err += data))
      child.on('error', reject)
      child.on('close', status => resolve({ status, out, err }))
      child.stdin.on('error', () => undefined)
      child.stdin.end(o.input ?? '')
    })
  return { ...w, server, configure, ssh, port, directory, place }
}

describe.skipIf(missing.length > 0)('the SSH server, with OpenSSH', () => {
  it('carries out one command, with its exit status', async () => {
    const { ssh, lines } = await serving()
    const good = await ssh('secoff', { command: 'show alias' })
    expect(good).toMatchObject({ status: 0, err: '' })
    expect(good.out).toContain('show session')
    const json = await ssh('SecOff', { command: 'show alias --json' })
    expect(JSON.parse(json.out)).toEqual([{ name: 'who', string: 'show session' }])
    const bad = await ssh('secoff', { command: 'nonsense' })
    expect(bad).toEqual({ status: 2, out: '', err: 'Error (3035002): unknown command "nonsense"\n' })
    expect(lines.join('\n')).not.toContain('by-word')
  })

  it('gives each user the privilege of the account of that name', async () => {
    const { ssh } = await serving('add ssh user=stranger password=by-word')
    expect(await ssh('guest', { command: 'show alias' })).toMatchObject({ status: 1, err: /only a manager/ })
    expect((await ssh('guest', { command: 'help' })).status).toBe(0)
    // No account: may come in, and log in at the prompt.
    expect(await ssh('stranger', { command: 'show alias' })).toMatchObject({ status: 1, err: /log in first/ })
  })

  it('serves the prompt on a terminal', async () => {
    const { ssh } = await serving()
    const { status, out } = await ssh('secoff', {
      options: ['-tt'],
      input: 'show ssh sessions\radd al\tx str\ty\rlogoff\r',
    })
    expect(status).toBe(0)
    expect(out).toContain('SecOff Gate> ')
    expect(out).toMatch(/secoff +securityofficer +\S+ \S+ +ssh 127\.0\.0\.1/)
    expect(out).toContain('Info (1036003): Operation successful.')
  })

  it('reads a script where there is no terminal, and goes on after an error', async () => {
    const { ssh, world } = await serving()
    const input = 'add alias=a string=b\r\nnonsense\nadd alias=c string=d'
    const { status, out, err } = await ssh('secoff', { input })
    expect(status).toBe(2)
    expect(out.match(/Operation successful/g)?.length).toBe(2)
    expect(err).toContain('unknown command')
    expect(world.control.configuration.aliases.map(a => a.name)).toEqual(['who', 'a', 'c'])
  })

  it('lets nobody in with a wrong password, nor with none, nor from elsewhere', async () => {
    const { ssh, lines } = await serving()
    for (const [user, password] of [
      ['secoff', 'seven-seals'],
      ['secoff', ''],
      ['nobody', 'by-word'],
      ['mgr', 'by-word'],
    ] as const) {
      const { status, err } = await ssh(user, { password, command: 'show alias' })
      expect(status).toBe(255)
      expect(err).toContain('Permission denied (password,publickey)')
    }
    expect(lines.filter(l => l.includes('failed')).length).toBeGreaterThanOrEqual(3)
  })

  it('locks an address out after LOGINFAIL wrong passwords', async () => {
    const { ssh } = await serving('set user loginfail=2 lockoutpd=60')
    for (let i = 0; i < 2; i++) expect((await ssh('secoff', { password: 'wrong', command: 'help' })).status).toBe(255)
    expect((await ssh('secoff', { command: 'help' })).status).toBe(255)
  })

  it('knows users by their public keys, and no other key', async () => {
    const w = await serving()
    const { ssh, directory, type, root, configure } = w
    const [mine, other] = ['mine', 'other'].map(name => {
      const file = join(directory, name)
      execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', file])
      return file
    }) as [string, string]
    const publicKey = readFileSync(`${mine}.pub`, 'utf8').trim()
    expect((await type(root, `create enco key=4 type=rsa value="${publicKey}"`)).exit).toBe(0)
    expect((await type(root, 'set ssh user=guest keyid=4')).exit).toBe(0)
    expect(await configure()).toEqual([])
    const by = (file: string, ...more: string[]) => ['-i', file, '-o', 'PreferredAuthentications=publickey', ...more]
    expect((await ssh('guest', { options: by(mine), command: 'help' })).status).toBe(0)
    expect((await ssh('guest', { options: by(other), command: 'help' })).status).toBe(255)
    expect((await ssh('secoff', { options: by(mine), command: 'help' })).status).toBe(255)
    // SHA-1 proves nothing any more.
    const sha1 = ['-o', 'PubkeyAcceptedAlgorithms=ssh-rsa']
    expect((await ssh('guest', { options: by(mine, ...sha1), command: 'help' })).status).toBe(255)
  })

  it('believes no signature of another key than the one that was offered', async () => {
    const { port, directory, type, root, configure } = await serving()
    const [mine, other] = ['mine', 'other'].map(name => {
      const file = join(directory, name)
      execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', file])
      const key = ssh2.utils.parseKey(readFileSync(file))
      if (key instanceof Error || Array.isArray(key)) throw new Error('no key')
      return { line: readFileSync(`${file}.pub`, 'utf8').trim(), key }
    }) as [Pair, Pair]
    await type(root, `create enco key=4 type=rsa value="${mine.line}"`)
    await type(root, 'set ssh user=guest keyid=4')
    await configure()
    const login = (signer: Pair) =>
      new Promise<boolean>(resolve => {
        const client = new ssh2.Client()
        client.on('ready', () => {
          client.end()
          resolve(true)
        })
        client.on('error', () => resolve(false))
        client.connect({ host: '127.0.0.1', port, username: 'guest', agent: new Agent(mine, signer) })
      })
    expect(await login(mine)).toBe(true)
    expect(await login(other)).toBe(false)
  })

  it('forwards nothing', async () => {
    const { ssh, port } = await serving()
    const { status, err } = await ssh('secoff', { options: ['-W', `127.0.0.1:${port}`] })
    expect(status).toBe(255)
    expect(err).toMatch(/stdio forwarding failed|open failed/)
  })

  it('lets go of users who are deleted, and goes on for the others', async () => {
    const { ssh, type, root, configure, server } = await serving()
    const sitting = ssh('guest', { options: ['-tt', '-o', 'ServerAliveInterval=1'], input: '' })
    const alive = async () => (await ssh('secoff', { command: 'show ssh' })).status
    expect(await alive()).toBe(0)
    await type(root, 'delete ssh user=guest')
    expect(await configure()).toEqual([])
    await sitting
    expect(await alive()).toBe(0)
    await type(root, 'disable ssh server')
    await configure()
    expect(server.state).toBe('disabled')
    expect(await alive()).toBe(255)
  })
})

interface Pair {
  readonly line: string
  readonly key: ssh2.ParsedKey
}

/** Offers one key, and signs with whichever it is given. */
class Agent extends ssh2.BaseAgent {
  private readonly offered: Pair
  private readonly signer: Pair

  constructor(offered: Pair, signer: Pair) {
    super()
    this.offered = offered
    this.signer = signer
  }

  override getIdentities(callback: ssh2.IdentityCallback<ssh2.ParsedKey>): void {
    callback(undefined, [this.offered.key])
  }

  override sign(_: unknown, data: Buffer, options: unknown, callback?: unknown): void {
    const done = (typeof options === 'function' ? options : callback) as ssh2.SignCallback
    done(undefined, this.signer.key.sign(data, 'sha256'))
  }
}

describe('the SSH server', () => {
  /** Connects, and answers the first bytes that come, or '' where it is hung up on. */
  const hello = (port: number, say = '') =>
    new Promise<string>(resolve => {
      const socket = createConnection(port, '127.0.0.1', () => socket.write(say))
      socket.on('data', data => {
        resolve(data.toString('latin1'))
        socket.destroy()
      })
      socket.on('error', () => resolve(''))
      socket.on('close', () => resolve(''))
    })

  it('speaks version 2 and says no more of itself than its name', async () => {
    const { port } = await serving()
    expect(await hello(port)).toMatch(/^SSH-2\.0-Floatgate\r\n/)
  })

  it('does not answer an address that no user may come from', async () => {
    const { port, type, root, configure } = await serving()
    for (const name of ['secoff', 'guest']) await type(root, `delete ssh user=${name}`)
    await configure()
    expect(await hello(port, 'SSH-2.0-probe\r\n')).toBe('')
  })

  it('bears no more than eight strangers from one address', async () => {
    const { port } = await serving()
    const sockets = await Promise.all(
      Array.from(
        { length: 12 },
        () =>
          new Promise<string>(resolve => {
            const socket = createConnection(port, '127.0.0.1')
            onTestFinished(() => void socket.destroy())
            socket.once('data', data => resolve(data.toString('latin1')))
            socket.on('error', () => resolve(''))
            socket.on('close', () => resolve(''))
          }),
      ),
    )
    expect(sockets.filter(text => text.startsWith('SSH-2.0-')).length).toBe(8)
  })

  it('hangs up after LOGINTIMEOUT, and on garbage', async () => {
    const { port } = await serving('set ssh server logintimeout=1')
    const started = Date.now()
    await new Promise<void>(resolve => {
      const socket = createConnection(port, '127.0.0.1')
      socket.resume()
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
    expect(Date.now() - started).toBeGreaterThan(900)
    await new Promise<void>(resolve => {
      const socket = createConnection(port, '127.0.0.1', () => socket.write(Buffer.alloc(5000, 0x41)))
      socket.resume()
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
    expect(await hello(port)).toMatch(/^SSH-2\.0-/)
  })

  it('names who holds the port, and the key of the site file', async () => {
    const { server, world } = await serving()
    const other = createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    const [trouble] = await server.configure(world.control.configuration.ssh, { port, addresses: ['127.0.0.1'] })
    expect(trouble).toMatch(
      new RegExp(`^SSH server: TCP port ${port} of 127.0.0.1 is taken by .*: "sshPort" in the site file`),
    )
    expect(server.state).toBe('listening nowhere')
  })

  it('listens where it can, and says where it cannot', async () => {
    const { server, world } = await serving()
    const place = { port: 0, addresses: ['192.0.2.1', '127.0.0.1'] }
    expect(await server.configure(world.control.configuration.ssh, place)).toEqual([
      'SSH server: TCP port 0 of 192.0.2.1 cannot be opened: this host does not have that address',
    ])
    expect(server.state).toMatch(/^listening on 127\.0\.0\.1 port \d+$/)
  })

  it('is heard on this host and its private side, or where the site file says', () => {
    const { configuration } = readScript(
      `add ip int=vlan1 ip=192.168.8.1
       add ip int=eth0 ip=203.0.113.1
       create firewall policy=main
       add firewall policy=main interface=vlan1 type=private
       add firewall policy=main interface=eth0 type=public`,
      { values: {} },
    )
    const address = (device: string, text: string) => ({ device, address: ipv4(text), mask: ipv4('255.255.255.0') })
    const devices = {
      byName: { vlan1: 'lan0', eth0: 'pub0' },
      addresses: [address('lan0', '192.168.8.1'), address('lan0', '10.9.8.7'), address('pub0', '203.0.113.1')],
      privateDevices: ['lan0'],
      publicDevices: ['pub0'],
      localAddress: ipv4('192.168.8.1'),
      sessionBlocks: [],
      warnings: [],
    }
    expect(sshPlace(configuration, { devices, site: EMPTY_SITE })).toEqual({
      port: 22,
      addresses: ['127.0.0.1', '192.168.8.1', '10.9.8.7'],
    })
    const unplugged = { ...devices, addresses: [] }
    expect(sshPlace(configuration, { devices: unplugged, site: EMPTY_SITE }).addresses).toContain('192.168.8.1')
    const site = { ...EMPTY_SITE, sshPort: 2222, sshAddresses: ['0.0.0.0'] }
    expect(sshPlace(configuration, { devices, site })).toEqual({ port: 2222, addresses: ['0.0.0.0'] })
  })

  it('says what it lacks where there is no host key', async () => {
    const { server, world, place, type, root } = await serving()
    await type(root, 'destroy enco key=2')
    const [trouble] = await server.configure(world.control.configuration.ssh, place)
    expect(trouble).toBe(
      'SSH server: ENCO key 2 is no RSA key of ours: CREATE ENCO KEY=2 TYPE=RSA LENGTH=2048 makes one, ENABLE SSH SERVER HOSTKEY=... names it',
    )
    await type(root, 'create enco key=2 type=rsa length=2048')
    expect(await server.configure(world.control.configuration.ssh, place)).toEqual([])
    expect(server.state).toMatch(/^listening on 127\.0\.0\.1 port/)
  })
})
