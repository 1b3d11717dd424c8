/** The way between a client's house and the Internet: it loses, delays, repeats, reorders, cuts and damages packets. */

import type { Millis } from '../../src/machine.ts'
import type { Rng } from '../fuzz/random.ts'
import type { Agenda } from './agenda.ts'
import type { Explored } from './explored.ts'

/** Shares in percent, times in milliseconds. */
export interface LinkQuality {
  readonly loss: number
  readonly delay: Millis
  /** At most this much is added to the delay of each packet, so that packets overtake each other. */
  readonly jitter: Millis
  readonly duplicate: number
  readonly truncate: number
  readonly corrupt: number
  /** Longer packets disappear, and nobody is told. */
  readonly mtu: number
}

export const PERFECT: LinkQuality = { loss: 0, delay: 5, jitter: 0, duplicate: 0, truncate: 0, corrupt: 0, mtu: 1500 }

export function anyQuality(rng: Rng): LinkQuality {
  const often = (percent: number, limit: number) => (rng.chance(percent) ? rng.below(limit) : 0)
  return {
    loss: often(70, 30),
    delay: 1 + rng.below(400),
    jitter: often(50, 300),
    duplicate: often(40, 20),
    truncate: often(20, 5),
    corrupt: often(20, 5),
    mtu: rng.chance(20) ? 900 + rng.below(600) : 1500,
  }
}

export class Link {
  quality: LinkQuality
  /** Nothing passes before this time. */
  darkUntil: Millis = 0
  private readonly agenda: Agenda
  private readonly rng: Rng
  private readonly explored: Explored

  constructor(quality: LinkQuality, to: { agenda: Agenda; rng: Rng; explored: Explored }) {
    this.quality = quality
    this.agenda = to.agenda
    this.rng = to.rng
    this.explored = to.explored
  }

  /** `lost` hears of a packet of which no copy is under way. */
  carry(bytes: Uint8Array, deliver: (bytes: Uint8Array) => void, lost?: () => void): void {
    const { rng, quality: q, agenda } = this
    const copies = rng.chance(q.duplicate) ? 2 : 1
    if (copies === 2) this.explored.duplicated++
    for (let n = 0; n < copies; n++) {
      if (agenda.now < this.darkUntil || rng.chance(q.loss) || bytes.length > q.mtu) {
        this.explored.lost++
        if (copies === 1) lost?.()
        continue
      }
      const arrived = this.damage(bytes)
      agenda.in(q.delay + (q.jitter > 0 ? rng.below(q.jitter) : 0), () => deliver(arrived))
    }
  }

  private damage(bytes: Uint8Array): Uint8Array {
    const { rng, quality: q } = this
    if (bytes.length > 0 && rng.chance(q.truncate)) {
      this.explored.damaged++
      return bytes.slice(0, rng.below(bytes.length))
    }
    const copy = bytes.slice()
    if (bytes.length > 0 && rng.chance(q.corrupt)) {
      this.explored.damaged++
      const at = rng.below(copy.length)
      copy[at] = copy[at]! ^ (1 << rng.below(8))
    }
    return copy
  }
}
