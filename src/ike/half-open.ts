/** The exchanges that are half open, so that a flood makes its room at the expense of the address it comes from. */

import type { Ipv4 } from '../packet/ip.ts'
import type { Phase1 } from './state.ts'

export class HalfOpen {
  private readonly exchanges = new Map<string, Phase1>()
  /** The keys of each address, oldest first. */
  private readonly sources = new Map<Ipv4, Set<string>>()
  /** The addresses that have so many exchanges, at that index. */
  private readonly bySize: Set<Ipv4>[] = []
  /** The largest index of `bySize` with an address in it. */
  private most = 0

  get size(): number {
    return this.exchanges.size
  }

  get(key: string): Phase1 | undefined {
    return this.exchanges.get(key)
  }

  values(): Iterable<Phase1> {
    return this.exchanges.values()
  }

  /** The key is a new one, and the exchange's address stays what it is while it is in here. */
  add(key: string, phase1: Phase1): void {
    const address = phase1.place.remote.address
    const keys = this.sources.get(address) ?? new Set()
    this.exchanges.set(key, phase1)
    this.sources.set(address, keys)
    keys.add(key)
    this.resize(address, keys.size - 1, keys.size)
  }

  /** Takes an exchange out; nothing where another or none has the key. */
  remove(key: string, phase1: Phase1): void {
    if (this.exchanges.get(key) !== phase1) return
    this.exchanges.delete(key)
    const address = phase1.place.remote.address
    const keys = this.sources.get(address)!
    keys.delete(key)
    if (keys.size === 0) this.sources.delete(address)
    this.resize(address, keys.size + 1, keys.size)
  }

  /**
   * Which exchange to give up for a new one: the oldest of the address that has most. Where all have as many as each
   * other, as when every source is spoofed, it is that of the address that has had so many for longest.
   */
  leastDeserving(): Phase1 | undefined {
    const address = this.bySize[this.most]?.values().next().value
    if (address === undefined) return undefined
    return this.exchanges.get(this.sources.get(address)!.values().next().value!)
  }

  private resize(address: Ipv4, before: number, after: number): void {
    this.bySize[before]?.delete(address)
    if (after > 0) (this.bySize[after] ??= new Set()).add(address)
    if (after > this.most) this.most = after
    // Only one exchange comes or goes at a time, so the next smaller size is the largest now.
    else if (before === this.most && this.bySize[before]!.size === 0) this.most = after
  }
}
