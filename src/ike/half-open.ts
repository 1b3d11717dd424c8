/**
 * The exchanges that are half open, so that a flood makes its room at the expense of where it comes from: the networks
 * of an address share alike, then the addresses of a network.
 */

import type { Ipv4 } from '../packet/ip.ts'
import type { Phase1 } from './state.ts'

/** Bits of an address that stand for a share: who spoofs every address of a network has still but that network's share. */
const LEVELS = [16, 24, 32] as const

/** How many exchanges a prefix has, and how they are spread over the next longer ones. */
interface Share {
  size: number
  readonly parts: Map<number, Share> | undefined
  /** The parts that have so many exchanges, at that index. */
  readonly bySize: Set<Share>[]
  /** The largest index of `bySize` with a part in it. */
  most: number
  /** Of a whole address, which has no parts: its exchanges' keys, oldest first. */
  readonly keys: Set<string> | undefined
}

export class HalfOpen {
  private readonly exchanges = new Map<string, Phase1>()
  private readonly all = newShare()

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
    this.exchanges.set(key, phase1)
    this.count(phase1.place.remote.address, 1).keys!.add(key)
  }

  /** Takes an exchange out; nothing where another or none has the key. */
  remove(key: string, phase1: Phase1): void {
    if (this.exchanges.get(key) !== phase1) return
    this.exchanges.delete(key)
    this.count(phase1.place.remote.address, -1).keys!.delete(key)
  }

  /**
   * Which exchange to give up for a new one: the oldest of the address that has most in the network that has most. Where
   * all have as many as each other it is that of the one that has had so many for longest.
   */
  leastDeserving(): Phase1 | undefined {
    let share = this.all
    while (share.keys === undefined) {
      const largest = share.bySize[share.most]?.values().next().value
      if (largest === undefined) return undefined
      share = largest
    }
    return this.exchanges.get(share.keys.values().next().value!)
  }

  /** One exchange more or less, on every level. Answers the address's share. */
  private count(address: Ipv4, change: 1 | -1): Share {
    let share = this.all
    share.size += change
    for (const bits of LEVELS) {
      const prefix = address >>> (32 - bits)
      const parts = share.parts!
      const known = parts.get(prefix)
      const part = known ?? newShare(bits === 32)
      if (!known) parts.set(prefix, part)
      resize(share, part, change)
      if (part.size === 0) parts.delete(prefix)
      share = part
    }
    return share
  }
}

function newShare(isAddress = false): Share {
  return {
    size: 0,
    parts: isAddress ? undefined : new Map(),
    bySize: [],
    most: 0,
    keys: isAddress ? new Set() : undefined,
  }
}

function resize(of: Share, part: Share, change: 1 | -1): void {
  const before = part.size
  const after = before + change
  part.size = after
  of.bySize[before]?.delete(part)
  if (after > 0) (of.bySize[after] ??= new Set()).add(part)
  if (after > of.most) of.most = after
  // Only one exchange comes or goes at a time, so the next smaller size is the largest now.
  else if (before === of.most && of.bySize[before]!.size === 0) of.most = after
}
