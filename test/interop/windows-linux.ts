/**
 * A Linux that plays Windows, in an image like those that users bring: it tests the driver of Windows images. The same
 * QEMU machine, floppy, serial port, DHCP and agent (with another platform below it); strongSwan, xl2tpd and pppd dial.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { must } from '../support/command.ts'
import { project } from '../support/netns.ts'
import { linkFiles } from './client.ts'
import type { Scenario } from './expectations.ts'
import { type Kernel, packInitrd, packModules, requireKernel } from './qemu-kernel.ts'
import { requireProgram } from './rootfs.ts'
import { usualSettings } from './settings.ts'
import { strongSwan } from './strongswan.ts'
import type { Image } from './windows-images.ts'
import { inQemu } from './windows-power.ts'
import { compileForLinux } from './windows-program.ts'
import { windowsScenarios } from './windows-scenarios.ts'
import { versions } from './windows-versions.ts'
import type { World } from './world.ts'

const say = (line: string) => process.stderr.write(`interop: ${line}\n`)

/** What the machine is made of, and what the client needs. */
const modules = [
  ...['ata_piix', 'sd_mod', 'ext4', 'crc32c_generic', 'floppy', 'vfat', 'nls_cp437', 'nls_ascii', '8139cp', '8139too'],
  ...['xfrm_user', 'esp4', 'des_generic', 'authenc', 'echainiv', 'ctr', 'sha512_generic', 'drbg'],
  ...['ppp_generic', 'ppp_async', 'pppox', 'l2tp_core', 'l2tp_netlink', 'l2tp_ppp'],
]

/** The guests' root file system as a disk image, made once. */
async function requireImage(rootfs: string): Promise<string> {
  const path = `${rootfs}.qcow2`
  if (existsSync(path)) return path
  const unfinished = `${path}.${process.pid}`
  try {
    say(`making ${path} (once)`)
    rmSync(`${unfinished}.raw`, { force: true })
    await must(['truncate', '-s', '1G', `${unfinished}.raw`])
    await must(['mkfs.ext4', '-q', '-F', '-d', rootfs, `${unfinished}.raw`])
    await must(['qemu-img', 'convert', '-O', 'qcow2', `${unfinished}.raw`, unfinished])
    renameSync(unfinished, path)
  } finally {
    rmSync(`${unfinished}.raw`, { force: true })
    rmSync(unfinished, { force: true })
  }
  return path
}

/** The first file system: modules, the agent, the scripts, and the client's files with blanks. */
async function makeInitrd(to: string, kernel: Kernel): Promise<void> {
  const folder = `${to}.files`
  const write = (path: string, text: string) => {
    mkdirSync(dirname(`${folder}/${path}`), { recursive: true })
    writeFileSync(`${folder}/${path}`, text)
  }
  await packModules(kernel, modules, folder)
  const tests = `${project}/test/interop`
  mkdirSync(`${folder}/floatgate`, { recursive: true })
  for (const name of readdirSync(`${tests}/guest`))
    copyFileSync(`${tests}/guest/${name}`, `${folder}/floatgate/${name}`)
  copyFileSync(`${tests}/windows/linux-guest`, `${folder}/floatgate/windows-guest`)
  copyFileSync(`${tests}/windows/linux-init`, `${folder}/init`)
  chmodSync(`${folder}/init`, 0o755)
  write('floatgate/modules', `${modules.join('\n')}\n`)
  await compileForLinux(`${folder}/floatgate/agent`)
  // A new quick mode every few seconds, for the scenario that waits for one.
  const account = { user: '@USER@', password: '@PASSWORD@' }
  const settings = { ...usualSettings, account, preSharedKey: '@PSK@', lifeSeconds: 40, rekeySeconds: 15 }
  for (const [path, text] of Object.entries({ ...strongSwan.files(settings), ...linkFiles(settings) })) {
    write(`floatgate/templates${path}`, `${text}\n`)
  }
  await packInitrd(folder, to)
}

async function linuxImage(world: World): Promise<Image> {
  const { directory } = world.network
  await requireProgram('qemu-img', 'qemu-utils', say)
  await requireProgram('mkfs.ext4', 'e2fsprogs', say)
  const kernel = await requireKernel(say)
  const initrd = `${directory}/windows-driver.initrd`
  await makeInitrd(initrd, kernel)
  return {
    name: 'windows-driver',
    path: await requireImage(world.rootfs),
    version: versions.xp,
    way: 'phonebook',
    login: 'psk',
    medium: 'floppy',
    memoryMegabytes: 384,
    processors: 1,
    bootSeconds: 120,
    rekey: 60,
    qemu: [
      ...['-kernel', `${kernel.directory}/boot/vmlinuz-${kernel.release}`, '-initrd', initrd],
      ...['-append', 'console=ttyS1 quiet panic=-1 FG_PRETEND=5.1.2600'],
      ...['-serial', `file:${directory}/windows-driver.console.log`, '-no-reboot'],
    ],
  }
}

export const windowsDriverScenarios: readonly Scenario[] = windowsScenarios(
  'windows-driver',
  'psk',
  'Linux as Windows',
  async world => inQemu(world, await linuxImage(world), 1),
)
