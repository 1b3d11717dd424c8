/** Who may come in and where they live: the users, pools and leases of AAA's room under the configuration in force. */

import { authenticateChap, type ChapRequest } from '../aaa/authenticator.ts'
import { Leases } from '../aaa/leases.ts'
import { AddressPool } from '../aaa/pool.ts'
import { Users } from '../aaa/users.ts'
import type { Configuration } from '../alliedware/config.ts'
import type { IpPoolState } from '../alliedware/show/state.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'
import { answerInform, type OfficeFacts } from '../ppp/dhcp.ts'

export type Admission =
  | {
      readonly kind: 'accepted'
      /** Empty where the template asks for no authentication. */
      readonly user: string
      readonly address: Ipv4
      /** The session that held the address until now: it is to be closed. */
      readonly displaced: number | undefined
      /** MS-CHAPv2: the proof for the client that we know its password. */
      readonly proof: string | undefined
    }
  | { readonly kind: 'rejected'; readonly reason: 'unknown-user' | 'wrong-password' | 'not-allowed' | 'pool-empty' }

/** A session that asks for an address, and the one that its client has left behind under the same user's name. */
export interface Caller {
  readonly session: number
  readonly template: number
  readonly peer: number
  readonly predecessor: (user: string) => number | undefined
}

type Addresses = readonly [Ipv4 | undefined, Ipv4 | undefined]

export class Residents {
  private users = new Users([])
  /** Names in lower case. */
  private disabled: ReadonlySet<string> = new Set()
  private templatePools = new Map<number, string>()
  private readonly pools = new Map<string, AddressPool>()
  private readonly leases = new Leases()
  dns: Addresses = [undefined, undefined]
  wins: Addresses = [undefined, undefined]

  /** Takes a configuration into use; addresses that are out stay out. Of a pool nobody gets one that is `unusable`. */
  configure(c: Configuration, unusable: readonly Ipv4[] = []): void {
    this.users = new Users(c.users.map(u => ({ name: u.name, password: u.password, address: u.ipAddress })))
    this.disabled = new Set(c.users.filter(u => u.disabled === true).map(u => u.name.toLowerCase()))
    this.templatePools = new Map(
      c.pppTemplates.flatMap(t => (t.ipPool === undefined ? [] : [[t.template, t.ipPool.toLowerCase()]])),
    )
    this.configurePools(c, unusable)
    this.dns = [c.ppp.dnsPrimary, c.ppp.dnsSecondary]
    this.wins = [c.ppp.winsPrimary, c.ppp.winsSecondary]
  }

  /** Decides about a client that shows this response, and gives it an address. */
  admit(request: ChapRequest, at: Caller): Admission {
    const decision = authenticateChap(this.users, request)
    if (decision.kind === 'rejected') return decision
    const { name, address } = decision.user
    if (this.disabled.has(name.toLowerCase())) return { kind: 'rejected', reason: 'not-allowed' }
    const admission = this.accommodate(at, name, address, name.toLowerCase())
    return admission.kind === 'accepted' ? { ...admission, proof: decision.proof } : admission
  }

  /** Decides about a client that is in and proves its password once more: it stays where it is, or goes. */
  confirm(request: ChapRequest, admission: Admission): Admission {
    const decision = authenticateChap(this.users, request)
    if (decision.kind === 'rejected') return decision
    if (admission.kind === 'rejected') return admission
    if (!this.knows(admission.user)) return { kind: 'rejected', reason: 'not-allowed' }
    return { ...admission, displaced: undefined, proof: decision.proof }
  }

  /** An address for a client of a template that asks nobody who they are. */
  admitAnyone(at: Caller): Admission {
    return this.accommodate(at, '', undefined, `peer ${at.peer}`)
  }

  /** The answer to a client's DHCPINFORM. */
  inform(packet: Uint8Array, ends: { server: Ipv4; client: Ipv4 }, office: OfficeFacts): Uint8Array | undefined {
    return answerInform(packet, { ...ends, dns: this.dns, wins: this.wins, ...office })
  }

  /** Whether a user who is in could come in now: not deleted, not disabled. */
  knows(user: string): boolean {
    return this.users.has(user) && !this.disabled.has(user.toLowerCase())
  }

  release(session: number): void {
    this.leases.release(session)
  }

  poolStates(): IpPoolState[] {
    return [...this.pools.values()].map(p => {
      const s = p.snapshot()
      return {
        name: s.name,
        first: formatIpv4(s.first),
        last: formatIpv4(s.last),
        size: s.last - s.first + 1,
        free: s.free,
        used: s.holders.map(h => ({ address: formatIpv4(h.address), user: h.key })),
      }
    })
  }

  private accommodate(at: Caller, user: string, fixed: Ipv4 | undefined, key: string): Admission {
    const pool = this.pools.get(this.templatePools.get(at.template) ?? '')
    // Nobody inherits from a client without a name.
    const predecessor = user === '' ? undefined : at.predecessor(user)
    const lease = this.leases.lease({ session: at.session, fixed, pool, key, predecessor })
    if (lease.kind !== 'leased') return { kind: 'rejected', reason: 'pool-empty' }
    return { kind: 'accepted', user, address: lease.address, displaced: lease.displaced, proof: undefined }
  }

  private configurePools(c: Configuration, unusable: readonly Ipv4[]): void {
    const reserved = [...unusable, ...[...this.users].flatMap(u => (u.address === undefined ? [] : [u.address]))]
    const named = new Set<string>()
    for (const p of c.ip.pools) {
      const name = p.name.toLowerCase()
      named.add(name)
      const old = this.pools.get(name)
      if (old && old.first === p.first && old.last === p.last) old.reserve(reserved)
      else this.pools.set(name, new AddressPool({ name: p.name, first: p.first, last: p.last, reserved }))
    }
    for (const name of [...this.pools.keys()]) if (!named.has(name)) this.pools.delete(name)
  }
}
