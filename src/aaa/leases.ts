/** Who holds which inner address: a session has one, from its user or from a pool, and an address has one session. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AddressPool } from './pool.ts'

export interface LeaseRequest {
  /** Row number of the session. */
  readonly session: number
  /** The user's own address, which comes before any pool. */
  readonly fixed: Ipv4 | undefined
  readonly pool: AddressPool | undefined
  /** Who shall get the same pool address again: the user's name, or the peer where nobody authenticates. */
  readonly key: string
  /** An older session of the same client, which it has left behind: what that holds goes to this one. */
  readonly predecessor?: number | undefined
}

export type Lease =
  | {
      readonly kind: 'leased'
      readonly address: Ipv4
      /** The older session that held the address: it is to be closed, and holds nothing any more. */
      readonly displaced: number | undefined
    }
  | { readonly kind: 'pool-empty' }
  /** The user has no address of its own, and the template names no pool. */
  | { readonly kind: 'no-pool' }

interface Holding {
  readonly address: Ipv4
  readonly pool: AddressPool | undefined
  readonly key: string
}

export class Leases {
  private readonly bySession = new Map<number, Holding>()
  private readonly byAddress = new Map<Ipv4, number>()

  /**
   * An address for the session. A user's own address goes to the newest session: the older one is most often a dead one
   * of the same client that reconnects. A session that asks again (LCP was renegotiated) keeps what it has, unless
   * another user came out of it.
   */
  lease(request: LeaseRequest): Lease {
    const held = this.bySession.get(request.session)
    if (held && this.stillFits(held, request)) return { kind: 'leased', address: held.address, displaced: undefined }
    if (held) this.release(request.session)
    if (request.fixed !== undefined) return this.leaseFixed(request, request.fixed)
    if (request.pool === undefined) return { kind: 'no-pool' }
    const inherited = this.inherit(request)
    if (inherited) return inherited
    const address = this.takeFrom(request.pool, request.key)
    if (address === undefined) return { kind: 'pool-empty' }
    this.hold(request.session, { address, pool: request.pool, key: request.key })
    return { kind: 'leased', address, displaced: undefined }
  }

  /** The session has ended, or lost its address. Releasing twice does nothing. */
  release(session: number): void {
    const held = this.bySession.get(session)
    if (held === undefined) return
    this.bySession.delete(session)
    if (this.byAddress.get(held.address) === session) this.byAddress.delete(held.address)
    held.pool?.give(held.address)
  }

  /** The session that holds `address`. */
  holder(address: Ipv4): number | undefined {
    return this.byAddress.get(address)
  }

  addressOf(session: number): Ipv4 | undefined {
    return this.bySession.get(session)?.address
  }

  private leaseFixed(request: LeaseRequest, address: Ipv4): Lease {
    const displaced = this.byAddress.get(address)
    if (displaced !== undefined) this.release(displaced)
    this.hold(request.session, { address, pool: undefined, key: request.key })
    return { kind: 'leased', address, displaced }
  }

  /** What the same client holds still under the session that it left behind. */
  private inherit({ session, predecessor, key, pool }: LeaseRequest): Lease | undefined {
    const left = predecessor === undefined ? undefined : this.bySession.get(predecessor)
    if (left === undefined || left.pool !== pool || left.key !== key) return undefined
    this.bySession.delete(predecessor!)
    this.hold(session, left)
    return { kind: 'leased', address: left.address, displaced: predecessor }
  }

  private stillFits(held: Holding, request: LeaseRequest): boolean {
    if (request.fixed !== undefined) return held.address === request.fixed
    return held.pool !== undefined && held.pool === request.pool && held.key === request.key
  }

  /** A pool's next address that no user's own address, nor another pool that overlaps, has given away already. */
  private takeFrom(pool: AddressPool, key: string): Ipv4 | undefined {
    const passed: Ipv4[] = []
    let address = pool.take(key)
    while (address !== undefined && this.byAddress.has(address)) {
      passed.push(address)
      address = pool.take(key)
    }
    for (const a of passed) pool.give(a)
    return address
  }

  private hold(session: number, holding: Holding): void {
    this.bySession.set(session, holding)
    this.byAddress.set(holding.address, session)
  }
}
