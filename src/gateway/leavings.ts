/**
 * What this gateway made in the host that would outlive a kill -9: its nftables table and its proxy ARP entries (the TUN
 * device and its routes go with the process). Written down before it is made, so that the next start can remove it.
 */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ProxyEntry {
  readonly device: string
  readonly address: string
}

interface LeavingsFile {
  table?: string
  proxies: ProxyEntry[]
}

export class Leavings {
  private readonly path: string
  private table: string | undefined
  private readonly proxies = new Map<string, ProxyEntry>()

  constructor(directory: string) {
    this.path = join(directory, 'leavings.json')
  }

  /** What an earlier run left, or undefined where it ended cleanly. */
  earlier(): { table: string | undefined; proxies: readonly ProxyEntry[] } | undefined {
    try {
      const file = JSON.parse(readFileSync(this.path, 'utf8')) as LeavingsFile
      return { table: file.table, proxies: file.proxies ?? [] }
    } catch {
      return undefined
    }
  }

  setTable(name: string | undefined): void {
    this.table = name
    this.save()
  }

  addProxy(entry: ProxyEntry): void {
    this.proxies.set(`${entry.device} ${entry.address}`, entry)
    this.save()
  }

  removeProxy(entry: ProxyEntry): void {
    this.proxies.delete(`${entry.device} ${entry.address}`)
    this.save()
  }

  /** Everything is gone from the host: so is the note. */
  clear(): void {
    this.table = undefined
    this.proxies.clear()
    rmSync(this.path, { force: true })
  }

  private save(): void {
    const file: LeavingsFile = { proxies: [...this.proxies.values()] }
    if (this.table !== undefined) file.table = this.table
    // As a whole: half a note would tell the next start nothing.
    writeFileSync(`${this.path}.new`, JSON.stringify(file), { mode: 0o600 })
    renameSync(`${this.path}.new`, this.path)
  }
}
