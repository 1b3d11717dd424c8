/**
 * Whose turn the Diffie-Hellman is. It costs more than all else that a stranger can ask for, and it is done for everyone who
 * has answered at his address: so a flood of complete third messages must not leave real clients without.
 *
 * There is a store of processor time that fills up by itself. Nobody is held to a number of exchanges: who has asked for
 * little may take the last of what is open to all, who has asked for much must leave the more in the store, and a part
 * of it is open only to networks that somebody has authenticated from. So one network that floods gets two fifths of
 * the time, many get less each, and fifty clients that dial at once from behind one NAT are served at once.
 */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { Group } from './policy.ts'

/** Processor time of one exchange, both of our multiplications together, in milliseconds on a core of ours without vectors. */
const COST: Readonly<Record<Group, number>> = { 1: 0.1, 2: 0.12, 5: 0.23, 14: 0.46, 19: 0.06, 20: 0.76 }
/** Half of control's time goes into phase 1's at most, in the long run: milliseconds in a millisecond. */
const PHASE1_SHARE = 0.5
/** And a tenth into that of Quick Modes with PFS, which only those ask for who have authenticated. */
export const PHASE2_SHARE = 0.1
/** What is saved up for a rush, and how much of that is for networks with a good name alone; milliseconds. */
const CAPACITY = 2000
const RESERVE = 500
/** Use is forgotten by and by: after so long a third of it is left. */
const MEMORY_MILLIS = 10_000
/** What one must leave in the store for each millisecond used. */
const MODESTY = 0.75
/** A good name lasts for a day. */
const GOOD_NAME_MILLIS = 86_400_000
/** Networks that are remembered of each kind; beyond, the longest unheard goes. */
const MAX_NETWORKS = 4096

interface Use {
  readonly spent: number
  readonly at: Millis
}

export class Effort {
  private store = CAPACITY
  private at: Millis = 0
  private readonly uses = new Map<number, Use>()
  private readonly goodNames = new Map<number, Millis>()
  private readonly share: number

  constructor(share = PHASE1_SHARE) {
    this.share = share
  }

  /** Whether an exchange in this group may be done for this address now; if so it is charged. */
  take(address: Ipv4, group: Group, now: Millis): boolean {
    this.store = Math.min(CAPACITY, this.store + (now - this.at) * this.share)
    this.at = now
    const network = networkOf(address)
    const spent = this.spentBy(network, now)
    const untouchable = this.hasGoodName(network, now) ? 0 : RESERVE
    if (this.store - COST[group] < untouchable + spent * MODESTY) return false
    this.store -= COST[group]
    remember(this.uses, network, { spent: spent + COST[group], at: now })
    return true
  }

  /** A client there has authenticated. */
  commend(address: Ipv4, now: Millis): void {
    remember(this.goodNames, networkOf(address), now)
  }

  private spentBy(network: number, now: Millis): number {
    const use = this.uses.get(network)
    return use === undefined ? 0 : use.spent * Math.exp((use.at - now) / MEMORY_MILLIS)
  }

  private hasGoodName(network: number, now: Millis): boolean {
    const since = this.goodNames.get(network)
    return since !== undefined && now - since < GOOD_NAME_MILLIS
  }
}

/** Who has one address of it may well have them all. */
function networkOf(address: Ipv4): number {
  return address >>> 8
}

function remember<T>(map: Map<number, T>, key: number, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_NETWORKS) map.delete(map.keys().next().value!)
}
