/** Reading a script and the site file, with all that is wrong with them; nothing is changed by it. */

import { readFileSync, statSync } from 'node:fs'
import type { Configuration, Fault, InertCommand } from '../alliedware/config.ts'
import { maskSecrets } from '../alliedware/parse.ts'
import { readScript } from '../alliedware/script.ts'
import { readSite, type Site } from './site.ts'

export interface Places {
  readonly script: string
  readonly site: string
  /** A site file that nobody named may be missing. */
  readonly siteGiven: boolean
}

export interface Loaded {
  readonly configuration: Configuration
  readonly site: Site
  /** Every fault as it is printed; errors make the configuration unusable. */
  readonly faults: readonly { readonly text: string; readonly error: boolean }[]
}

/** `keys` are the ENCO keys that are there beside the script's own. */
export function load(places: Places, keys: readonly number[]): Loaded {
  const { script: path } = places
  const { site, faults: siteFaults } = readSite(places.site, places.siteGiven)
  const faults = siteFaults.map(text => ({ text: `${places.site}: ${text}`, error: true }))
  let script = ''
  let mode = 0
  try {
    script = readFileSync(path, 'utf8')
    mode = statSync(path).mode
  } catch (e) {
    faults.push({ text: `${path}: cannot be read: ${(e as NodeJS.ErrnoException).code ?? ''}`, error: true })
  }
  const { configuration, faults: found } = readScript(script, { values: site.values, keys })
  const describe = (f: Fault) => `${path}: line ${f.line}: ${f.severity}: ${f.text}`
  faults.push(...found.map(f => ({ text: describe(f), error: f.severity === 'error' })))
  if ((mode & 0o077) !== 0 && holdsSecrets(configuration))
    faults.push({ text: `${path}: warning: it holds passwords, and others may read it: chmod 600 it`, error: false })
  return { configuration, site, faults }
}

function holdsSecrets(c: Configuration): boolean {
  const held = [...c.held, ...c.inert].some(k => maskSecrets(k.text).includes('=***'))
  return held || c.users.length > 0 || c.encoKeys.length > 0 || c.ssh.users.some(u => u.password !== undefined)
}

export function inertText(script: string, c: InertCommand): string {
  return `${script}: line ${c.line}: waits for <${c.placeholders.join('>, <')}>: ${maskSecrets(c.text)}`
}
