/**
 * ESP under an SPI that we do not know, from where a client has an ISAKMP SA with us: it goes on with SAs that we have
 * forgotten, be it that a DELETE was lost or that we began anew in between. It is told so in a DELETE, under that ISAKMP SA, and
 * negotiates anew at once, instead of talking into nothing until its own timers run out (RFC 4303 section 2.1, RFC 2408
 * section 3.15). A forged packet only makes us disown what nobody has.
 */

import { Allowance } from './allowance.ts'
import type { Context } from './context.ts'
import { espDeletion } from './informational.ts'
import type { Peers } from './peers.ts'
import type { Peer, Place } from './state.ts'

/** A client is told so many at once (a pair and the one before it), and so many a second from then on. */
const BURST = 2
const PER_SECOND = 0.2

export class Strays {
  private readonly told = new WeakMap<Peer, Allowance>()
  private readonly context: Context
  private readonly peers: Peers

  constructor(context: Context, peers: Peers) {
    this.context = context
    this.peers = peers
  }

  /** Whatever SENDDELETES says: it is an answer. */
  met(spi: number, place: Place): void {
    const { context, peers } = this
    context.count('stray-esp')
    // Ours after all: it came before its worker had the SA, or to another worker.
    if (peers.findByInboundSpi(spi)) return
    for (const peer of peers.at(place)) {
      const newest = [...peer.phase1s].at(-1)
      if (!newest || !this.allowance(peer).take(context.now)) continue
      peers.informBy(newest, espDeletion(spi))
      context.count('stray-esp-disowned')
    }
  }

  private allowance(peer: Peer): Allowance {
    let allowance = this.told.get(peer)
    if (!allowance) {
      allowance = new Allowance(BURST, PER_SECOND)
      this.told.set(peer, allowance)
    }
    return allowance
  }
}
