/** The guests' root file systems: Debian packages unpacked once by debootstrap and kept for later runs. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { must, run, which } from '../support/command.ts'
import type { IkeDaemon } from './settings.ts'

/** The lab cannot be built on this host; the message says why. Not a fault of the gateway. */
export class Unavailable extends Error {}

export const cache = process.env['INTEROP_CACHE'] ?? '/var/cache/floatgate-interop'

/** What a guest needs on top of Debian's minimal base, beside an IKE daemon: its kernel and the client's other programs. */
const common = [
  'user-mode-linux',
  'xl2tpd',
  'ppp',
  'iproute2',
  'iputils-ping',
  'ethtool',
  'kmod',
  'procps',
  'curl',
  'nftables',
]

/** Throws `Unavailable` on a host that cannot have guests at all. */
export function requireHost(): void {
  if (process.platform !== 'linux') throw new Unavailable('guests need a Linux host')
  if (process.arch !== 'x64') throw new Unavailable('User-mode Linux is packaged for amd64 only')
  if (process.getuid?.() !== 0) throw new Unavailable('network namespaces and guests need root')
  if (!existsSync('/dev/net/tun')) throw new Unavailable('/dev/net/tun is missing')
}

/** Installs a Debian package when a program of it is missing. Throws `Unavailable` when that cannot be done. */
export async function requireProgram(program: string, debianPackage: string, say: (line: string) => void) {
  if (await which(program)) return
  if (!(await which('apt-get'))) throw new Unavailable(`${program} is missing and there is no apt-get to install it`)
  say(`installing ${debianPackage} (for ${program})`)
  const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', debianPackage]
  const options = { timeoutMillis: 300_000, environment: { DEBIAN_FRONTEND: 'noninteractive' } }
  if ((await run(install, options)).status !== 0) {
    say('refreshing the package lists')
    await run(['apt-get', 'update', '-q'], options)
    const again = await run(install, options)
    if (again.status !== 0)
      throw new Unavailable(`apt-get install ${debianPackage} failed:\n${again.output.slice(-800)}`)
  }
}

/** The mirror and suite this host's own packages come from: a host that can upgrade itself can build guests. */
export async function debianSource(): Promise<{ mirror: string; suite: string }> {
  const format = '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ARCHITECTURE) $(LABEL)'
  const { output } = await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])
  const targets = output.split('\n').map(line => line.split(' '))
  const main = targets.filter(([, suite, component, , label]) => {
    return label === 'Debian' && component === 'main' && suite && !suite.includes('-')
  })
  const [mirror, suite] = main[0] ?? []
  if (!mirror || !suite) throw new Unavailable('apt has no Debian package list (apt-get update?)')
  return { mirror, suite }
}

/** A proxy that only apt knows about, handed on to debootstrap's downloads. */
async function proxy(): Promise<Record<string, string>> {
  const { output } = await run(['apt-config', 'shell', 'P', 'Acquire::http::Proxy'])
  const url = /^P='(http[^']+)'/.exec(output)?.[1]
  return url && !process.env['http_proxy'] ? { http_proxy: url } : {}
}

/**
 * Returns the directory of the root file system with one IKE daemon, building it first where it is missing (about a
 * minute): Debian's daemons do not go together into one.
 */
export async function requireRootfs(daemon: IkeDaemon, say: (line: string) => void): Promise<string> {
  const packages = [...common, ...daemon.packages]
  const version = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12)
  const directory = `${cache}/rootfs-${version}`
  if (existsSync(directory)) return directory

  await requireProgram('debootstrap', 'debootstrap', say)
  const { mirror, suite } = await debianSource()
  const unfinished = `${directory}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  say(`unpacking Debian ${suite} with ${daemon.name} from ${mirror} into ${directory} (once, about a minute)`)
  const argv = ['debootstrap', '--variant=minbase', `--include=${packages.join(',')}`, suite, unfinished, mirror]
  const { status, output } = await run(argv, { timeoutMillis: 900_000, environment: await proxy() })
  try {
    if (status !== 0) throw new Unavailable(`debootstrap failed:\n${output.slice(-1500)}`)
    const version = readdirSync(`${unfinished}/usr/lib/uml/modules`)[0]
    if (!version) throw new Unavailable('the user-mode-linux package holds no modules')
    mkdirSync(`${unfinished}/usr/lib/modules`, { recursive: true })
    symlinkSync(`../uml/modules/${version}`, `${unfinished}/usr/lib/modules/${version}`)
    await must(['chroot', unfinished, 'depmod', '-a', version])
    if (!existsSync(directory)) renameSync(unfinished, directory) // Another run may have been faster.
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return directory
}
