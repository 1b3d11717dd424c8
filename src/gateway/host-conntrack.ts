/** Hears from the kernel of hosts' connections that are gone, while a policy accounts for them; a bounded share of control's time. */

import { readFileSync } from 'node:fs'
import { CONNTRACK_GONE_GROUP, type GoneConnection, parseGone } from './conntrack.ts'
import { hostAccounts } from './host-accounts.ts'
import { type Log, Severity } from './log.ts'
import type { Native, NativeWatcher } from './native.ts'

const RECEIVE = 65_536
/** Receives before others get their turn. */
const ROUNDS = 8
/** Whether the kernel counts and times the connections that begin from now on. */
const SETTINGS = ['nf_conntrack_acct', 'nf_conntrack_timestamp'] as const

/** For the accounts of this control. */
export function hostConntrack(native: Native, log: Log, control: Parameters<typeof hostAccounts>[0]): HostConntrack {
  return new HostConntrack(native, log, hostAccounts(control))
}

export class HostConntrack {
  private readonly native: Native
  private readonly log: Log
  private readonly heard: (connections: readonly GoneConnection[]) => void
  private readonly buffer = new Uint8Array(RECEIVE)
  private open: { readonly fd: number; readonly watcher: NativeWatcher } | undefined

  constructor(native: Native, log: Log, heard: HostConntrack['heard']) {
    this.native = native
    this.log = log
    this.heard = heard
  }

  /** Begins to listen, or ceases. */
  listen(wanted: boolean): void {
    if (wanted === (this.open !== undefined)) return
    if (this.open !== undefined) {
      this.native.unwatch(this.open.watcher)
      this.native.close(this.open.fd)
      this.open = undefined
      return
    }
    const off = SETTINGS.filter(name => !isOn(name)).map(name => `net.netfilter.${name}=1`)
    if (off.length > 0) this.warn(`this host counts no connections: run "sysctl -w ${off.join(' ')}"`)
    try {
      const fd = this.native.netfilterSocket(CONNTRACK_GONE_GROUP)
      this.open = { fd, watcher: this.native.watch(fd, () => this.read(fd)) }
    } catch (e) {
      this.warn(`this kernel tells of no connections (${(e as Error).message})`)
    }
  }

  private warn(text: string): void {
    this.log.add({
      severity: Severity.Notice,
      module: 'FIRE',
      text: `Sessions are accounted for, but not connections of hosts: ${text}`,
    })
  }

  private read(fd: number): void {
    for (let i = 0; i < ROUNDS; i++) {
      const length = this.native.netlinkReceive(fd, this.buffer)
      if (length === -1) return
      // What the kernel could not keep for us is lost.
      if (length > 0) this.heard(parseGone(this.buffer.subarray(0, length)))
    }
  }
}

function isOn(setting: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/netfilter/${setting}`, 'utf8').trim() === '1'
  } catch {
    // Where connection tracking is not loaded yet it counts nothing.
    return false
  }
}
