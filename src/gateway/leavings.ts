/**
 * What this gateway made in the host that would outlive a kill -9: its nftables table, its proxy ARP entries and the delays
 * it set for them, and which devices it made merge UDP (the TUN device and its routes go with the process). Written down
 * before it is made, so that the next start can undo it.
 */

import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ProxyEntry {
  readonly device: string
  readonly address: string
}

/** The first line of the note; each further one is a Change since. */
interface LeavingsFile {
  table?: string
  proxies: ProxyEntry[]
  delays?: Record<string, string>
  merging?: string[]
}

export interface Left {
  readonly table: string | undefined
  readonly proxies: readonly ProxyEntry[]
  /** The proxy_delay that each device had before it was set to 0. */
  readonly delays: ReadonlyMap<string, string>
  /** Devices that did not merge UDP before. */
  readonly merging: readonly string[]
}

type Change = { readonly made: ProxyEntry } | { readonly gone: ProxyEntry }

/** The note is written anew when there are so many more changes in it than entries. */
const MANY_CHANGES = 1000

export class Leavings {
  private readonly path: string
  private table: string | undefined
  private readonly proxies = new Map<string, ProxyEntry>()
  private readonly delays = new Map<string, string>()
  private readonly merging = new Set<string>()
  private changes = 0

  constructor(directory: string) {
    this.path = join(directory, 'leavings.json')
  }

  /** What an earlier run left, or undefined where it ended cleanly. */
  earlier(): Left | undefined {
    try {
      const [first, ...changes] = readFileSync(this.path, 'utf8').split('\n')
      const file = JSON.parse(first!) as LeavingsFile
      const proxies = new Map((file.proxies ?? []).map(p => [keyOf(p), p]))
      for (const line of changes) {
        const change = changeIn(line)
        if (change === undefined) continue
        if ('made' in change) proxies.set(keyOf(change.made), change.made)
        else proxies.delete(keyOf(change.gone))
      }
      return {
        table: file.table,
        proxies: [...proxies.values()],
        delays: new Map(Object.entries(file.delays ?? {})),
        merging: file.merging ?? [],
      }
    } catch {
      return undefined
    }
  }

  setTable(name: string | undefined): void {
    this.table = name
    this.save()
  }

  /** The proxy_delay that a device had before ours, or undefined once it has it again. */
  setDelay(device: string, found: string | undefined): void {
    if (found === undefined) this.delays.delete(device)
    else this.delays.set(device, found)
    this.save()
  }

  delay(device: string): string | undefined {
    return this.delays.get(device)
  }

  /** Whether a device merges UDP because of us. */
  setMerging(device: string, merges: boolean): void {
    if (merges) this.merging.add(device)
    else this.merging.delete(device)
    this.save()
  }

  merges(device: string): boolean {
    return this.merging.has(device)
  }

  addProxy(entry: ProxyEntry): void {
    this.proxies.set(keyOf(entry), entry)
    this.note({ made: entry })
  }

  removeProxy(entry: ProxyEntry): void {
    this.proxies.delete(keyOf(entry))
    this.note({ gone: entry })
  }

  /** Everything is gone from the host: so is the note. */
  clear(): void {
    this.table = undefined
    this.proxies.clear()
    this.delays.clear()
    this.merging.clear()
    this.changes = 0
    rmSync(this.path, { force: true })
  }

  /** One line a change: with thousands of sessions the whole would take longer to write than a login takes. */
  private note(change: Change): void {
    if (this.changes === 0 || ++this.changes > this.proxies.size + MANY_CHANGES) return this.save()
    appendFileSync(this.path, `${JSON.stringify(change)}\n`, { mode: 0o600 })
  }

  private save(): void {
    const file: LeavingsFile = { proxies: [...this.proxies.values()] }
    if (this.table !== undefined) file.table = this.table
    if (this.delays.size > 0) file.delays = Object.fromEntries(this.delays)
    if (this.merging.size > 0) file.merging = [...this.merging]
    // As a whole: half a note would tell the next start nothing.
    writeFileSync(`${this.path}.new`, `${JSON.stringify(file)}\n`, { mode: 0o600 })
    renameSync(`${this.path}.new`, this.path)
    this.changes = 1
  }
}

function keyOf(p: ProxyEntry): string {
  return `${p.device} ${p.address}`
}

/** A line that was cut short by the end tells of nothing that was made: it is written first. */
function changeIn(line: string): Change | undefined {
  try {
    return JSON.parse(line) as Change
  } catch {
    return undefined
  }
}
