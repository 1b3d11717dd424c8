/** The agent, compiled for the guest that is to run it, and the files that come with it. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { must } from '../support/command.ts'
import { project } from '../support/netns.ts'
import { gatewayPublic, preSharedKey } from '../support/plan.ts'
import { requireProgram } from './rootfs.ts'
import { makeDisk } from './windows-disk.ts'
import { BadImage, type Image } from './windows-images.ts'
import { phonebook, settingsFile } from './windows-phonebook.ts'
import { type VersionName, versions } from './windows-versions.ts'

/** A PKCS #12 file and its password. */
export interface Credentials {
  readonly p12: Uint8Array
  readonly password: string
}

const sources = `${project}/test/interop/windows`
const say = (line: string) => process.stderr.write(`interop: ${line}\n`)

const common = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', '-s', '-static', `${sources}/agent.c`]

/** One 32-bit program for Windows 2000 to 11, by Debian's cross compiler. */
export async function compileForWindows(to: string): Promise<Uint8Array> {
  await requireProgram('i686-w64-mingw32-gcc', 'gcc-mingw-w64-i686-win32', say)
  // 5.0 is Windows 2000; the linker's own default is refused by none, but told to be for later ones by some.
  const subsystem = '-Wl,--major-subsystem-version,5,--minor-subsystem-version,0'
  const libraries = ['-lws2_32', '-lcrypt32']
  await must(['i686-w64-mingw32-gcc', ...common, `${sources}/on-windows.c`, '-o', to, subsystem, ...libraries])
  return readFileSync(to)
}

/** The same agent on the platform that plays Windows. */
export async function compileForLinux(to: string): Promise<void> {
  await requireProgram('cc', 'gcc', say)
  await must(['cc', ...common, `${sources}/on-linux.c`, '-o', to])
}

/** The scripts that Windows starts the agent with, by their names on the disk. */
export function windowsScripts(): Record<string, string> {
  const names = readdirSync(sources).filter(name => /\.(cmd|reg)$/.test(name))
  return Object.fromEntries(names.map(name => [name.toUpperCase(), readFileSync(`${sources}/${name}`, 'latin1')]))
}

/** Writes the disk that an image is given: the agent, its scripts, the phonebook, the settings, and a certificate. */
export async function writeLabDisk(
  path: string,
  image: Pick<Image, 'name' | 'version' | 'way' | 'login' | 'medium'>,
  credentials?: Credentials,
): Promise<void> {
  const program = `${path}.exe`
  await makeDisk(path, image.medium, {
    'AGENT.EXE': await compileForWindows(program),
    'RASPHONE.PBK': phonebook(gatewayPublic, image.login === 'psk', image),
    'SETTINGS.INI': settingsFile(gatewayPublic, preSharedKey, image, credentials?.password),
    ...(credentials ? { 'CLIENT.P12': credentials.p12 } : {}),
    ...windowsScripts(),
  })
  rmSync(program)
}

/** The disk to prepare an image with, for `--windows-disk PATH,VERSION`. */
export async function writePreparationDisk(text: string): Promise<string> {
  const [path, name] = text.split(',')
  const version = versions[name as VersionName]
  if (!path || !version)
    throw new BadImage(`"${text}" is not PATH,VERSION with one of ${Object.keys(versions).join(', ')}`)
  await writeLabDisk(path, { ...version, version })
  return `${path}: a ${version.medium} for Windows ${version.name}; run PREPARE.CMD from it (docs/windows-vms.md)`
}
