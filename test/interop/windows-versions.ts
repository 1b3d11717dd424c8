/** The Windows versions that images may have: what machine each gets, and how a connection comes about in it. */

export const versionNames = ['2000', 'xp', 'vista', '7', '8', '10', '11'] as const
export type VersionName = (typeof versionNames)[number]

/** `phonebook`: a file, and RasSetCredentials for the key. `powershell`: Add-VpnConnection, which Windows has from 8 on. */
export type Way = 'phonebook' | 'powershell'

export interface Version {
  readonly name: VersionName
  /** Whether a version number such as 5.1.2600 is this one's. */
  readonly is: (number: string) => boolean
  readonly way: Way
  /**
   * What proves the computer, where the image's owner says nothing. Windows 2000 has no place for a pre-shared key, and
   * reads no certificate signed with SHA-256 such as ours: its image brings a policy of its own.
   */
  readonly login: 'psk' | 'prepared'
  readonly memoryMegabytes: number
  /** QEMU's machine, card and disk for which the version brings drivers. */
  readonly machine: 'pc' | 'q35'
  readonly card: 'rtl8139' | 'e1000' | 'e1000e'
  /** What the lab's files come on. q35 has no floppy. */
  readonly medium: 'floppy' | 'disk'
}

const starts = (prefix: string) => (number: string) => number.startsWith(prefix)
const build = (number: string) => Number(number.split('.')[2] ?? 0)
const old = { way: 'phonebook', machine: 'pc', medium: 'floppy' } as const

export const versions: Readonly<Record<VersionName, Version>> = {
  '2000': { name: '2000', is: starts('5.0.'), ...old, login: 'prepared', memoryMegabytes: 256, card: 'rtl8139' },
  xp: { name: 'xp', is: n => /^5\.[12]\./.test(n), ...old, login: 'psk', memoryMegabytes: 512, card: 'rtl8139' },
  vista: { name: 'vista', is: starts('6.0.'), ...old, login: 'psk', memoryMegabytes: 1024, card: 'e1000' },
  '7': { name: '7', is: starts('6.1.'), ...old, login: 'psk', memoryMegabytes: 1536, card: 'e1000' },
  '8': { ...newer('8', n => /^6\.[23]\./.test(n)), memoryMegabytes: 2048 },
  '10': newer('10', n => n.startsWith('10.0.') && build(n) < 22_000),
  '11': {
    ...newer('11', n => n.startsWith('10.0.') && build(n) >= 22_000),
    machine: 'q35',
    card: 'e1000e',
    medium: 'disk',
  },
}

function newer(name: VersionName, is: Version['is']): Version {
  return {
    name,
    is,
    way: 'powershell',
    login: 'psk',
    memoryMegabytes: 4096,
    machine: 'pc',
    card: 'e1000',
    medium: 'floppy',
  }
}
