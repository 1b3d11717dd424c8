/** The lab's files on a floppy or a small disk of their own, in FAT, made with mtools and dosfstools. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { must } from '../support/command.ts'
import { requireProgram } from './rootfs.ts'

export type Medium = 'floppy' | 'disk'

const floppyKilobytes = 1440
const disk = { megabytes: 16, firstSector: 2048, sectorBytes: 512 } as const

/** @param files by 8.3 name; text gets the line ends that Windows wants. Overwrites `path`. */
export async function makeDisk(path: string, medium: Medium, files: Readonly<Record<string, string | Uint8Array>>) {
  const say = (line: string) => process.stderr.write(`interop: ${line}\n`)
  await requireProgram('mkfs.vfat', 'dosfstools', say)
  await requireProgram('mcopy', 'mtools', say)
  rmSync(path, { force: true })
  let volume = path
  if (medium === 'floppy') {
    await must(['mkfs.vfat', '-C', '-n', 'FLOATGATE', path, String(floppyKilobytes)])
  } else {
    await requireProgram('sfdisk', 'fdisk', say)
    writeFileSync(path, '')
    truncateSync(path, disk.megabytes * 1024 * 1024)
    // A disk without a partition table is no disk to Windows.
    await must(['sfdisk', '-q', path], { input: `label: dos\nstart=${disk.firstSector}, type=e\n` })
    const kilobytes = disk.megabytes * 1024 - (disk.firstSector * disk.sectorBytes) / 1024
    const offset = ['--offset', String(disk.firstSector), '-h', String(disk.firstSector)]
    await must(['mkfs.vfat', '-F', '16', '-n', 'FLOATGATE', ...offset, path, String(kilobytes)])
    volume = `${path}@@${disk.firstSector * disk.sectorBytes}`
  }
  const folder = `${path}.files`
  mkdirSync(folder, { recursive: true })
  try {
    for (const [name, content] of Object.entries(files)) {
      if (!/^[A-Z0-9]{1,8}(\.[A-Z0-9]{1,3})?$/.test(name)) throw new Error(`${name} is no name for a FAT disk`)
      const bytes = typeof content === 'string' ? content.replace(/\r?\n/g, '\r\n') : content
      writeFileSync(`${folder}/${name}`, bytes)
      await must(['mcopy', '-i', volume, `${folder}/${name}`, `::${name}`])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
