/**
 * The host's own sshd (RFC 4253) for a test: the machine's, or one unpacked under dist/tools, with a configuration, host key and
 * accounts of its own in a mount namespace, on a port of 127.0.0.1. Nothing of the machine's own SSH is read or changed.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tools = join(root, 'dist', 'tools', 'sshd')
const candidates = ['/usr/sbin/sshd', join(tools, 'usr', 'sbin', 'sshd')]
const libraries = ['lib', 'usr/lib'].map(d =>
  join(tools, d, `${execFileSync('uname', ['-m']).toString().trim()}-linux-gnu`),
)
const environment = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') }

const program = candidates.find(path => existsSync(path))

const MOUNTS = 'mount -t tmpfs none /run && mount --bind /etc/passwd /etc/group && mount --bind / /mnt'

/** Why it cannot be had here; undefined where it can. */
export const noSshd =
  process.getuid?.() !== 0
    ? 'root is needed'
    : program === undefined
      ? 'no sshd (scripts/test.mjs unpacks openssh-server)'
      : spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', MOUNTS]).status !== 0
        ? 'no mounts in a namespace'
        : spawnSync(program, ['-?'], { env: environment }).stderr.includes('OpenSSH')
          ? undefined
          : 'sshd does not run here'

/** An account of the throw-away host, with its uid and gid. */
export const OPERATOR = { name: 'vpnop', id: 64_321 } as const

export interface Sshd {
  readonly port: number
  /** Options of the client. */
  readonly client: readonly string[]
  readonly log: () => string
  readonly stop: () => void
}

/**
 * Starts it; `forced` is what every login runs, in which `{node}` and `{root}` stand for Node and this project as the namespace
 * has them: the project may lie in a home that others cannot enter.
 */
export async function startSshd(directory: string, forced: string): Promise<Sshd> {
  const path = (name: string) => join(directory, name)
  mkdirSync(path('empty'), { mode: 0o755 })
  for (const key of ['host', 'client']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(key)])
  const port = await freePort()
  const lines = {
    ListenAddress: '127.0.0.1',
    Port: port,
    HostKey: path('host'),
    AuthorizedKeysFile: path('client.pub'),
    PidFile: 'none',
    UsePAM: 'no',
    StrictModes: 'no',
    PermitRootLogin: 'yes',
    LogLevel: 'VERBOSE',
    ForceCommand: forced.replaceAll('{node}', '/media/node').replaceAll('{root}', '/mnt'),
  }
  const config = Object.entries(lines).map(([name, value]) => `${name} ${value}\n`)
  writeFileSync(path('sshd_config'), config.join(''))
  const { name, id } = OPERATOR
  writeFileSync(
    path('passwd'),
    `root:x:0:0::/:/bin/sh\nsshd:x:64320:64320::/run/sshd:/usr/sbin/nologin\n${name}:x:${id}:${id}::/:/bin/sh\n`,
  )
  writeFileSync(path('group'), `root:x:0:\ntty:x:5:\nsshd:x:64320:\n${name}:x:${id}:\n`)
  writeFileSync(path('shadow'), `root:*:19000::::::\nsshd:*:19000::::::\n${name}:*:19000::::::\n`)
  const script = `set -e
for f in passwd group shadow; do mount --bind '${directory}'/$f /etc/$f; done
mount --bind '${root}' /mnt
mount --bind '${dirname(process.execPath)}' /media
mount -t tmpfs none /run
mkdir -m 0755 /run/sshd
exec '${program}' -D -e -f '${path('sshd_config')}'`
  chmodSync(directory, 0o755)
  const child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script], { env: environment })
  let log = ''
  child.stderr.on('data', data => (log += data))
  await listening(child, () => log)
  return {
    port,
    client: ['-F', '/dev/null', '-p', String(port), '-i', path('client'), ...clientOptions(path('known'))],
    log: () => log,
    stop: () => void child.kill(),
  }
}

function clientOptions(known: string): string[] {
  const options = {
    UserKnownHostsFile: known,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'accept-new',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    BatchMode: 'yes',
    ConnectTimeout: '10',
    LogLevel: 'ERROR',
  }
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

function listening(child: ChildProcess, log: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = () => reject(new Error(`sshd does not start: ${log()}`))
    child.once('exit', failed)
    child.stderr?.on('data', () => {
      if (/Server listening/.test(log())) resolve()
    })
    setTimeout(failed, 10_000).unref()
  })
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
