/** Reading a script and the site file, with all that is wrong with them; nothing is changed by it. */

import { readFileSync, statSync } from 'node:fs'
import type { Configuration, Fault, InertCommand, User } from '../alliedware/config.ts'
import type { FileReader } from '../alliedware/grammar.ts'
import { maskSecrets } from '../alliedware/parse.ts'
import { readScript } from '../alliedware/script.ts'
import { readSite, type Site } from './site.ts'
import { unreadable } from './unreadable.ts'

export interface Places {
  readonly script: string
  readonly site: string
  /** A site file that nobody named may be missing. */
  readonly siteGiven: boolean
}

/** What is kept beside the script. */
export interface Stored {
  /** ENCO keys. */
  readonly keys: readonly number[]
  /** Users made or changed at the prompt. Those of the script come before them. */
  readonly users: readonly User[]
  /** Reads a file of flash. */
  readonly file?: FileReader
}

export interface Loaded {
  /** The script's, with the stored users. */
  readonly configuration: Configuration
  /** The users whom the script names, in lower case. */
  readonly scripted: ReadonlySet<string>
  readonly site: Site
  /** Every fault as it is printed; errors make the configuration unusable. */
  readonly faults: readonly { readonly text: string; readonly error: boolean }[]
}

/** `text` is a script in the place of the file's. */
export function load(places: Places, { keys, users, file }: Stored, text?: string): Loaded {
  const { script: path } = places
  const { site, faults: siteFaults } = readSite(places.site, places.siteGiven)
  const faults = siteFaults.map(text => ({ text: `${places.site}: ${text}`, error: true }))
  let script = text ?? ''
  let mode = 0
  try {
    if (text === undefined) {
      script = readFileSync(path, 'utf8')
      mode = statSync(path).mode
    }
  } catch (e) {
    faults.push({ text: `${path}: ${unreadable(e)}`, error: true })
  }
  const { configuration: own, faults: found } = readScript(script, {
    values: site.values,
    keys,
    ...(file && { files: file }),
  })
  const scripted = new Set(own.users.map(u => u.name.toLowerCase()))
  const configuration = { ...own, users: [...own.users, ...users.filter(u => !scripted.has(u.name.toLowerCase()))] }
  const describe = (f: Fault) => `${path}: line ${f.line}: ${f.severity}: ${f.text}`
  faults.push(...found.map(f => ({ text: describe(f), error: f.severity === 'error' })))
  if ((mode & 0o077) !== 0 && holdsSecrets(own))
    faults.push({ text: `${path}: warning: it holds passwords, and others may read it: chmod 600 it`, error: false })
  return { configuration, scripted, site, faults }
}

let latest: { readonly file: string; readonly users: ReadonlySet<string> } | undefined

/** The users whom a script names, read again where it has changed since. */
export function scriptedUsers(places: Places, stored: Stored): ReadonlySet<string> {
  const { mtimeMs, size } = statSync(places.script, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 }
  const file = `${places.script} ${mtimeMs} ${size}`
  if (latest?.file !== file) latest = { file, users: load(places, stored).scripted }
  return latest.users
}

function holdsSecrets(c: Configuration): boolean {
  const held = [...c.held, ...c.inert].some(k => maskSecrets(k.text).includes('=***'))
  return held || c.users.length > 0 || c.encoKeys.length > 0 || c.ssh.users.some(u => u.password !== undefined)
}

export function inertText(script: string, c: InertCommand): string {
  return `${script}: line ${c.line}: waits for <${c.placeholders.join('>, <')}>: ${maskSecrets(c.text)}`
}
