/** One IP pool (CREATE IP POOL): addresses for clients, each handed out once. */

import type { Ipv4 } from '../packet/ip.ts'

export interface PoolSnapshot {
  readonly name: string
  readonly first: Ipv4
  readonly last: Ipv4
  readonly inUse: number
  readonly free: number
  /** Addresses of the range that belong to users of their own. */
  readonly reserved: number
  readonly holders: readonly { readonly address: Ipv4; readonly key: string }[]
}

/**
 * A key (a user, or a peer where nobody authenticates) that comes back gets the address it had last, if that is free:
 * connections through the gateway survive a reconnect. Otherwise addresses that nobody had yet come first, in order,
 * then the one that has been free for longest.
 */
export class AddressPool {
  readonly name: string
  readonly first: Ipv4
  readonly last: Ipv4
  private reserved = new Set<Ipv4>()
  /** Addresses in use, with their holder's key. */
  private readonly taken = new Map<Ipv4, string>()
  /** Addresses that came back, the longest-free first, with their last holder's key. */
  private readonly rested = new Map<Ipv4, string>()
  private readonly lastOf = new Map<string, Ipv4>()
  /** The lowest address that was never handed out; beyond `last` when there is none. */
  private next: Ipv4

  /** `first` to `last`, both included, without those in `reserved`. Throws RangeError where first lies behind last. */
  constructor(options: { name: string; first: Ipv4; last: Ipv4; reserved?: Iterable<Ipv4> }) {
    if (options.first > options.last) throw new RangeError(`pool ${options.name} ends before it begins`)
    this.name = options.name
    this.first = options.first
    this.last = options.last
    this.next = options.first
    this.reserve(options.reserved ?? [])
  }

  /** Names the addresses that belong to users of their own. One that is in use stays so until it comes back. */
  reserve(addresses: Iterable<Ipv4>): void {
    this.reserved = new Set([...addresses].filter(a => this.contains(a)))
  }

  contains(address: Ipv4): boolean {
    return address >= this.first && address <= this.last
  }

  /** An address for `key`, or undefined where all are in use. Each call takes one more, for the same key as well. */
  take(key: string): Ipv4 | undefined {
    const address = this.remembered(key) ?? this.untouched() ?? this.longestFree()
    if (address === undefined) return undefined
    const former = this.rested.get(address)
    if (former !== undefined && this.lastOf.get(former) === address) this.lastOf.delete(former)
    this.rested.delete(address)
    this.taken.set(address, key)
    this.lastOf.set(key, address)
    return address
  }

  /** Takes an address back; one that is not in use is ignored. */
  give(address: Ipv4): void {
    const key = this.taken.get(address)
    if (key === undefined) return
    this.taken.delete(address)
    this.rested.set(address, key)
    // Of several sessions of one user, the one that ends last decides what is remembered.
    this.lastOf.set(key, address)
  }

  /** How many addresses are in use. */
  inUse(): number {
    return this.taken.size
  }

  /** How many addresses could be handed out now. */
  get free(): number {
    let reservedAndTaken = 0
    for (const a of this.reserved) if (this.taken.has(a)) reservedAndTaken++
    return this.last - this.first + 1 - this.reserved.size - this.taken.size + reservedAndTaken
  }

  snapshot(): PoolSnapshot {
    return {
      name: this.name,
      first: this.first,
      last: this.last,
      inUse: this.inUse(),
      free: this.free,
      reserved: this.reserved.size,
      holders: [...this.taken].map(([address, key]) => ({ address, key })).sort((a, b) => a.address - b.address),
    }
  }

  private remembered(key: string): Ipv4 | undefined {
    const address = this.lastOf.get(key)
    return address !== undefined && this.rested.has(address) && !this.reserved.has(address) ? address : undefined
  }

  private untouched(): Ipv4 | undefined {
    while (this.next <= this.last) {
      // An address skipped as reserved counts as rested: it may lose its owner at a reload.
      const address = this.next++
      if (!this.reserved.has(address)) return address
      this.rested.set(address, '')
    }
    return undefined
  }

  private longestFree(): Ipv4 | undefined {
    for (const address of this.rested.keys()) if (!this.reserved.has(address)) return address
    return undefined
  }
}
