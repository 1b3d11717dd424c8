/** The firewall on the host's own devices: our nftables table, its sets as sessions come and go, and the addresses we translate for. */

import {
  type NftablesInput,
  type NftSession,
  nftablesNotice,
  nftablesSession,
  nftablesTable,
} from '../firewall/nftables.ts'
import type { AddressRange } from '../firewall/policy.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { CommandQueue } from './command-queue.ts'
import type { HostLog } from './host-log.ts'
import { type Log, Severity } from './log.ts'
import type { Native } from './native.ts'
import type { Network } from './network.ts'
import { TableWatch } from './table-watch.ts'

export type HostFirewallInput = Omit<NftablesInput, 'tableName' | 'tunDevice' | 'tunIndex' | 'sessions' | 'logGroup'>

/** Addresses of one translation that get a route and a proxy ARP entry. */
const MOST_ADDRESSES = 1024

/** The sessions' device, which stays as long as the gateway runs. */
export interface Tun {
  readonly name: string
  readonly index?: number
}

/** The table was refused: the one before is in force. */
export interface HostRefusal {
  readonly text: string
  /** It is another one than the configuration in use has: whoever asked for it is the cause. */
  readonly another: boolean
}

export class HostFirewall {
  private readonly network: Network
  private readonly log: Log
  private readonly tun: Tun
  private readonly tunMtu: number
  /** By address, in the order in which they came. */
  private readonly sessions = new Map<Ipv4, NftSession>()
  private readonly routed = new Map<Ipv4, string | undefined>()
  /** What the table in force was made of. */
  private input: HostFirewallInput | undefined
  /** What the configuration in use asks for, and whether it is in force. */
  private wanted: HostFirewallInput | undefined
  private inForce = false
  /** A table was taken already: what nft refuses then is not for want of an expression that every table has. */
  private told = false
  private changes = 0
  /** Whom the table tells of packets, where this host's nft can. */
  private logGroup: number | undefined
  private readonly hostLog: Pick<HostLog, 'group' | 'close'> | undefined
  private watch: TableWatch | undefined

  constructor(network: Network, log: Log, tun: Tun, tunMtu: number, hostLog?: Pick<HostLog, 'group' | 'close'>) {
    this.network = network
    this.hostLog = hostLog
    this.logGroup = hostLog?.group
    this.log = log
    this.tun = tun
    this.tunMtu = tunMtu
  }

  /**
   * Applies the firewall to what the kernel forwards, as a whole or not at all; answers why not. The table bears the TUN
   * device's name: several gateways can run in one network namespace. `deviceFor` says where an address of ours is asked for.
   * `anyway`: its configuration is in use already, and stays so where the table is refused. One call at a time.
   */
  async apply(
    input: HostFirewallInput,
    deviceFor: (address: Ipv4) => string | undefined,
    anyway: boolean,
  ): Promise<HostRefusal | undefined> {
    const { input: before, wanted, changes, inForce } = this
    // Sets of sessions among them: who belongs to one may be another.
    const another = wanted === undefined || this.text(input) !== this.text(wanted)
    // Sessions that change from now on change the new table.
    this.input = input
    if (another || !inForce) {
      const refusal = await this.loadFirst(input)
      if (refusal !== undefined) {
        this.input = before
        if (before !== undefined && changes !== this.changes) await this.load(before)
        if (anyway) this.wanted = input
        this.inForce = inForce && !anyway
        return { text: `the firewall's nftables table was refused: ${refusal}`, another }
      }
    }
    this.wanted = input
    this.route(input.owned ?? [], deviceFor)
    return undefined
  }

  /**
   * From now on a table that somebody else removes comes back. `changes`: where calls to apply wait for their turn. Answers
   * warnings: that this kernel tells nobody of tables, as one without nftables does.
   */
  guard(native: Native, changes: CommandQueue): string[] {
    let asked = false
    try {
      this.watch = new TableWatch(native, () => {
        if (asked) return
        asked = true
        void changes.add(async () => {
          asked = false
          await this.restore()
        })
      })
      return []
    } catch (e) {
      if (!this.told) return []
      const text = `this kernel tells of no tables (${(e as Error).message}): if somebody removes the firewall's (nft flush ruleset), it is back with the gateway's next start only`
      return [text]
    }
  }

  private async restore(): Promise<void> {
    const { input } = this
    if (input === undefined || !this.inForce || (await this.network.isTableThere())) return
    const refusal = await this.load(input)
    if (refusal !== undefined) this.inForce = false
    const now = refusal === undefined ? 'it is in force again' : `nft refuses it now: ${refusal}`
    const text = `Somebody removed the firewall's nftables table (nft flush ruleset?); ${now}`
    this.log.add({ severity: Severity.Critical, module: 'FIRE', text })
  }

  /** At the end of it all. */
  close(): void {
    this.watch?.close()
    this.hostLog?.close()
  }

  /** Whether packets of the host's own devices become events: those of a table that is there. */
  get tells(): boolean {
    return this.told && this.logGroup !== undefined
  }

  /** As `load`. A host whose nft knows no `log group` has the table without it. */
  private async loadFirst(input: HostFirewallInput): Promise<string | undefined> {
    const refusal = await this.load(input)
    if (refusal === undefined || this.told || this.logGroup === undefined) return refusal
    const group = this.logGroup
    this.logGroup = undefined
    const again = await this.load(input)
    if (again === undefined) {
      this.log.add({ severity: Severity.Important, module: 'FIRE', text: `nft tells of no packets: ${refusal}` })
      return undefined
    }
    this.logGroup = group
    return again
  }

  /** Puts a table in force, or none where none is needed; answers what nft said where it refused. */
  private async load(input: HostFirewallInput): Promise<string | undefined> {
    const whole = this.whole(input)
    const text = this.text(input)
    if (text === undefined) await this.network.removeTable()
    else {
      const refusal = await this.network.applyTable(whole.tableName, text)
      if (refusal !== undefined) return refusal
      this.told = true
    }
    this.inForce = true
    const notice = nftablesNotice(whole)
    if (notice !== undefined) this.log.add({ severity: Severity.Notice, module: 'FIRE', text: notice })
    return undefined
  }

  sessionUp(address: Ipv4, user: string): void {
    this.sessions.delete(address)
    const session = { address, user: user.toLowerCase() }
    this.sessions.set(address, session)
    this.change(session, true)
  }

  sessionDown(address: Ipv4): void {
    const session = this.sessions.get(address)
    if (!this.sessions.delete(address) || session === undefined) return
    this.change(session, false)
  }

  private change(session: NftSession, came: boolean): void {
    this.changes++
    if (this.input === undefined) return
    const text = nftablesSession(this.whole(this.input), session, came)
    if (text !== undefined) this.network.changeTable(text)
  }

  private text(input: HostFirewallInput): string | undefined {
    return nftablesTable(this.whole(input))
  }

  /** The list of the sessions is made when it is read: a change seldom does. */
  private whole(input: HostFirewallInput): NftablesInput {
    const { sessions } = this
    return {
      ...input,
      tableName: `floatgate_${this.tun.name}`,
      tunDevice: this.tun.name,
      tunIndex: this.tun.index || undefined,
      logGroup: this.logGroup,
      get sessions() {
        return [...sessions.values()]
      },
    }
  }

  /** The addresses that the workers own come in by the TUN device; a neighbour who asks for one is answered. */
  private route(owned: readonly AddressRange[], deviceFor: (address: Ipv4) => string | undefined): void {
    const wanted = owned.flatMap(r =>
      Array.from({ length: Math.min(r.last - r.first + 1, MOST_ADDRESSES) }, (_, i) => r.first + i),
    )
    for (const address of [...this.routed.keys()]) {
      if (wanted.includes(address)) continue
      this.network.removeSession(address)
      this.routed.delete(address)
    }
    for (const address of wanted) {
      if (this.routed.has(address)) continue
      const device = deviceFor(address)
      this.routed.set(address, device)
      this.network.addSession(address, this.tunMtu, device)
    }
  }
}

/** Why a gateway does not start whose table is refused, and what there is to choose. */
export function unprotected(refusal: string): string {
  return (
    `${refusal.trim()}\nNothing was started, since the host's own devices would stand open. Where another firewall guards them, ` +
    'or the kernel has no nftables, "hostFirewall": false in the site file leaves them alone; sessions are filtered all the same'
  )
}
