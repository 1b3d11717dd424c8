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
import { type Log, Severity } from './log.ts'
import type { Network } from './network.ts'

export type HostFirewallInput = Omit<NftablesInput, 'tableName' | 'tunDevice' | 'sessions'>

/** Addresses of one translation that get a route and a proxy ARP entry. */
const MOST_ADDRESSES = 1024

export class HostFirewall {
  private readonly network: Network
  private readonly log: Log
  private readonly tun: string
  private readonly tunMtu: number
  /** By address, in the order in which they came. */
  private readonly sessions = new Map<Ipv4, NftSession>()
  private readonly routed = new Map<Ipv4, string | undefined>()
  private input: HostFirewallInput | undefined

  constructor(network: Network, log: Log, tun: string, tunMtu: number) {
    this.network = network
    this.log = log
    this.tun = tun
    this.tunMtu = tunMtu
  }

  /**
   * Applies the firewall to what the kernel forwards; answers what is wrong, where something is. The table bears the TUN
   * device's name: several gateways can run in one network namespace. `deviceFor` says where an address of ours is asked for.
   */
  async apply(input: HostFirewallInput, deviceFor: (address: Ipv4) => string | undefined): Promise<string | undefined> {
    this.input = input
    this.route(input.owned ?? [], deviceFor)
    const whole = this.whole(input)
    const text = nftablesTable(whole)
    if (text === undefined) {
      await this.network.removeTable()
      return undefined
    }
    const notice = nftablesNotice(whole)
    if (notice !== undefined) this.log.add({ severity: Severity.Notice, module: 'FIRE', text: notice })
    const refusal = await this.network.applyTable(whole.tableName, text)
    return refusal === undefined ? undefined : `the firewall's nftables table was refused: ${refusal}`
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
    if (this.input === undefined) return
    const text = nftablesSession(this.whole(this.input), session, came)
    if (text !== undefined) this.network.changeTable(text)
  }

  private whole(input: HostFirewallInput): NftablesInput {
    return {
      ...input,
      tableName: `floatgate_${this.tun}`,
      tunDevice: this.tun,
      sessions: [...this.sessions.values()],
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
