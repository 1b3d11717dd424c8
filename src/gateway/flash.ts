/**
 * The router's flash: scripts by flat names in one directory of mode 0700 under the state directory, every file of mode 0600
 * since scripts hold passwords; and which of them the gateway starts with.
 */

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from './directory.ts'
import { writePrivate } from './private-file.ts'

export interface FlashFile {
  readonly name: string
  readonly bytes: number
  readonly modified: Date
}

/** Larger files are no scripts. */
const LARGEST_FILE = 4 << 20
/** Run where nothing was chosen, as on the router. */
const USUAL_BOOT = 'boot.cfg'

export class Flash {
  readonly directory: string
  private readonly choice: string

  /** Makes nothing until something is written. */
  constructor(state: string) {
    this.directory = join(state, 'flash')
    this.choice = join(state, 'boot.json')
  }

  /** Names are flat and in lower case; the command table lets no other through. A device before it means nothing. */
  nameOf(typed: string): string {
    return typed.replace(/^[a-z]+:/i, '').toLowerCase()
  }

  path(typed: string): string {
    return join(this.directory, this.nameOf(typed))
  }

  has(typed: string): boolean {
    return statSync(this.path(typed), { throwIfNoEntry: false })?.isFile() === true
  }

  list(): FlashFile[] {
    let names: string[]
    try {
      names = readdirSync(this.directory).filter(name => !name.endsWith('.new'))
    } catch {
      return []
    }
    return names.sort().flatMap(name => {
      const s = statSync(join(this.directory, name), { throwIfNoEntry: false })
      return s?.isFile() ? [{ name, bytes: s.size, modified: s.mtime }] : []
    })
  }

  /** The text of a file; undefined where there is none. Throws an Error where it is none to read. */
  read(typed: string): string | undefined {
    if (!this.has(typed)) return undefined
    if (statSync(this.path(typed)).size > LARGEST_FILE)
      throw new Error(`${this.nameOf(typed)} is too large for a script`)
    return readFileSync(this.path(typed), 'utf8')
  }

  write(typed: string, text: string): void {
    makeDirectory(this.directory, 0o700)
    writePrivate(this.path(typed), text)
  }

  /** False where there is no such file. */
  remove(typed: string): boolean {
    const was = this.has(typed)
    if (was) rmSync(this.path(typed))
    return was
  }

  /** The file that SET CONFIG chose. */
  get chosen(): string | undefined {
    try {
      const { config } = JSON.parse(readFileSync(this.choice, 'utf8')) as { config?: unknown }
      return typeof config === 'string' && config === this.nameOf(config) && !config.includes('/') ? config : undefined
    } catch {
      return undefined
    }
  }

  set chosen(typed: string | undefined) {
    if (typed === undefined) rmSync(this.choice, { force: true })
    else writePrivate(this.choice, `${JSON.stringify({ config: this.nameOf(typed) })}\n`)
  }

  /** The path of the script to start with, where one was chosen or is called as the router's own is. */
  get boot(): string | undefined {
    const name = this.chosen ?? (this.has(USUAL_BOOT) ? USUAL_BOOT : undefined)
    return name === undefined ? undefined : this.path(name)
  }
}
