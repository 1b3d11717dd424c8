/** Which Windows images a run is given: `--image NAME=PATH[,KEY=VALUE]...`, or a JSON file with a list of such. */
import { existsSync, readFileSync } from 'node:fs'
import { type Version, type VersionName, versionNames, versions, type Way } from './windows-versions.ts'

/** An image that cannot be used as it was given; the message says which and why. */
export class BadImage extends Error {}

export interface Image {
  /** Begins the names of its scenarios, such as win-xp. */
  readonly name: string
  readonly path: string
  readonly version: Version
  readonly way: Way
  /** `prepared`: the image has what it needs, such as an IPsec policy made by hand. */
  readonly login: 'psk' | 'certificate' | 'prepared'
  readonly medium: 'floppy' | 'disk'
  readonly memoryMegabytes: number
  readonly processors: number
  /** How long its start may take until the agent says hello. */
  readonly bootSeconds: number
  /** How its renewal of quick mode is brought about: by the bytes of its lifetime, or by waiting. */
  readonly rekey: 'bytes' | number
  /** Further arguments for QEMU: firmware, a TPM, a kernel. */
  readonly qemu: readonly string[]
}

const keys = ['path', 'version', 'way', 'login', 'medium', 'memory', 'cpus', 'boot', 'rekey', 'qemu'] as const
type Key = (typeof keys)[number]
type Given = Partial<Record<Key, string | number | readonly string[]>>

/** The images of the `--image` arguments, each `NAME=PATH[,KEY=VALUE]...` or the path of a JSON file `{ NAME: {...} }`. */
export function readImages(given: readonly string[]): Image[] {
  const images = given.flatMap(text => (text.endsWith('.json') ? fromFile(text) : [fromText(text)]))
  for (const { name } of images) {
    if (images.filter(image => image.name === name).length > 1) throw new BadImage(`two images are called ${name}`)
  }
  return images
}

function fromFile(path: string): Image[] {
  if (!existsSync(path)) throw new BadImage(`there is no file ${path}`)
  let list: unknown
  try {
    list = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new BadImage(`${path}: ${(error as Error).message}`)
  }
  if (typeof list !== 'object' || list === null || Array.isArray(list)) {
    throw new BadImage(`${path} has to be an object of images by name`)
  }
  return Object.entries(list).map(([name, image]) => makeImage(name, image as Given))
}

function fromText(text: string): Image {
  const [, name, rest] = /^([^=,]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || rest === undefined) throw new BadImage(`"${text}" is not NAME=PATH[,KEY=VALUE]...`)
  const [path, ...more] = rest.split(',')
  const given: Record<string, string | readonly string[]> = { path: path! }
  for (const part of more) {
    const [, key, value] = /^([a-z]+)=(.+)$/.exec(part) ?? []
    if (key === undefined || value === undefined) throw new BadImage(`${name}: "${part}" is not KEY=VALUE`)
    given[key] = key === 'qemu' ? value.split(' ') : value
  }
  return makeImage(name, given as Given)
}

function makeImage(name: string, given: Given): Image {
  const fail = (why: string): never => {
    throw new BadImage(`${name}: ${why}`)
  }
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) fail('a name is of small letters, digits, points and hyphens')
  for (const key of Object.keys(given))
    if (!keys.includes(key as Key)) fail(`it has no "${key}", but ${keys.join(', ')}`)
  const path = String(given.path ?? fail('it has no path'))
  if (!existsSync(path)) fail(`there is no image ${path}`)

  const guess = versionNames.find(version => name.split(/[-.]/).includes(version))
  const versionName = String(given.version ?? guess ?? fail(`its version is not told: ${versionNames.join(', ')}`))
  const version: Version = versions[versionName as VersionName] ?? fail(`there is no version ${versionName}`)
  const oneOf = <T extends string>(key: Key, otherwise: T, ...others: T[]): T => {
    const value = String(given[key] ?? otherwise)
    return [otherwise, ...others].find(word => word === value) ?? fail(`${key} cannot be ${value}`)
  }
  const number = (key: Key, otherwise: number): number => {
    const value = Number(given[key] ?? otherwise)
    return Number.isInteger(value) && value > 0 ? value : fail(`${key} has to be a positive number`)
  }
  const login = oneOf<Image['login']>('login', version.login, 'psk', 'certificate', 'prepared')
  if (version.name === '2000' && login === 'psk') fail('Windows 2000 has no place for a key: login=prepared')
  const way = oneOf<Way>('way', version.way, 'phonebook', 'powershell')
  if (way === 'powershell' && version.way === 'phonebook') fail(`Windows ${version.name} has no Add-VpnConnection`)
  return {
    name,
    path,
    version,
    way,
    login,
    medium: oneOf('medium', version.medium, 'floppy', 'disk'),
    memoryMegabytes: number('memory', version.memoryMegabytes),
    processors: number('cpus', 1),
    bootSeconds: number('boot', 600),
    rekey: given.rekey === undefined || given.rekey === 'bytes' ? 'bytes' : number('rekey', 1),
    qemu: (given.qemu ?? []) as readonly string[],
  }
}
