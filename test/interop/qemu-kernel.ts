/** Debian's kernel for machines, which QEMU starts: the package unpacked once, and first file systems with its modules. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { must } from '../support/command.ts'
import { cache, debianSource, requireProgram, Unavailable } from './rootfs.ts'

export interface Kernel {
  /** Of the package's files: boot and lib. */
  readonly directory: string
  readonly release: string
}

/** The keys that Debian signs its lists with, which name each package's checksum. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** This host's release's kernel, or the newer one that its backports have. Throws `Unavailable` where it cannot be had. */
export async function requireKernel(say: (line: string) => void, backports = false): Promise<Kernel> {
  await requireProgram('busybox', 'busybox-static', say)
  await requireProgram('cpio', 'cpio', say)
  await requireProgram('depmod', 'kmod', say)
  const options = backports ? await backportsLists(say) : []
  const depends = await must(['apt-cache', ...options, 'depends', 'linux-image-amd64'])
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (name === undefined) throw new Unavailable('apt knows no linux-image-amd64')
  const release = name.replace('linux-image-', '')
  const directory = `${cache}/${name}`
  if (existsSync(directory)) return { directory, release }
  const unfinished = `${directory}.${process.pid}`
  mkdirSync(`${unfinished}/package`, { recursive: true })
  try {
    say(`fetching ${name} (once)`)
    const download = 'cd "$0" && name=$1 && shift && exec apt-get "$@" download -q "$name"'
    await must(['sh', '-c', download, unfinished, name, ...options], { timeoutMillis: 300_000 })
    const file = readdirSync(unfinished).find(entry => entry.endsWith('.deb'))
    await must(['dpkg-deb', '-x', `${unfinished}/${file}`, `${unfinished}/package`])
    await must(['depmod', '-b', `${unfinished}/package`, release])
    if (!existsSync(directory)) renameSync(`${unfinished}/package`, directory)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return { directory, release }
}

/** Options that have apt work with the backports' lists alone, kept apart from the host's. */
async function backportsLists(say: (line: string) => void): Promise<string[]> {
  if (!existsSync(KEYRING)) throw new Unavailable(`${KEYRING} is missing (package debian-archive-keyring)`)
  const { mirror, suite } = await debianSource()
  const folder = `${cache}/apt-${suite}-backports`
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(`${folder}/${name}`, { recursive: true })
  writeFileSync(`${folder}/sources.list`, `deb [signed-by=${KEYRING}] ${mirror} ${suite}-backports main\n`)
  const settings = {
    'Dir::Etc::sourcelist': `${folder}/sources.list`,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': `${folder}/lists`,
    'Dir::Cache': `${folder}/cache`,
  }
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  say(`asking ${mirror} for ${suite}-backports`)
  await must(['apt-get', ...options, 'update', '-q'], { timeoutMillis: 120_000 })
  return options
}

/** Puts busybox, these modules and what they need into a folder that becomes a first file system. */
export async function packModules(kernel: Kernel, modules: readonly string[], folder: string): Promise<void> {
  const { directory, release } = kernel
  for (const name of ['proc', 'sys', 'dev', 'new', 'bin']) mkdirSync(`${folder}/${name}`, { recursive: true })
  copyFileSync('/bin/busybox', `${folder}/bin/busybox`)
  const base = `${directory}/lib/modules/${release}`
  const shown = await Promise.all(
    modules.map(name => must(['modprobe', '-d', directory, '-S', release, '--show-depends', name])),
  )
  const needed = new Set([...shown.join('\n').matchAll(/^insmod (\S+)/gm)].map(([, path]) => path!))
  for (const path of needed) {
    const target = `${folder}/lib/modules/${release}/${relative(base, path)}`
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(path, target)
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    copyFileSync(`${base}/${name}`, `${folder}/lib/modules/${release}/${name}`)
  }
  await must(['depmod', '-b', folder, release])
}

/** Makes the first file system of the folder, which it removes. */
export async function packInitrd(folder: string, to: string): Promise<void> {
  await must(['sh', '-c', 'cd "$0" && find . | cpio -o -H newc --quiet >"$1"', folder, to])
  rmSync(folder, { recursive: true, force: true })
}
