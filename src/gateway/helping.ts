/**
 * How many packets are taken at once, from the TUN device or a socket. All that waits is taken together, as far as a batch holds
 * it, where that wins something; all else is done in parts that stay in the processor's nearer caches.
 *
 * - DES is encrypted in lanes, one for each packet, which cost the same however many are in use.
 * - Where many clients' packets come in turn, few of a small batch are of one client: the more there are, the more of them go on
 *   together, as one for the host or one for the wire.
 */

import type { Cipher } from '../esp/sa.ts'
import { BATCH_CAPACITY, type Batch, NEAR_CAPACITY } from '../packet/batch.ts'
import { packetsIn } from '../packet/cut.ts'
import { MAX_PEERS } from '../packet/table.ts'
import { Verdict } from '../packet/verdict.ts'

/** A module's own constants V8 knows as it compiles; what is imported it looks up at each use. */
const FORWARD = Verdict.Forward
/** Fewer packets say nothing of those that come next. */
const FEW = 16
/** Packets of one client in a row, on an average: from so many on there are enough of it in a small batch. */
const ENOUGH = 8
/** Packets that DES encrypts side by side at most. */
const LANES = 256

export class Helping {
  /** By peer: 1 where what is sealed for it is encrypted by DES. */
  private readonly des = new Uint8Array(MAX_PEERS)
  private now = NEAR_CAPACITY

  /** Packets to take next. */
  get most(): number {
    return this.now
  }

  /** What `peer` has from now on. */
  set(peer: number, cipher: Cipher): void {
    this.des[peer] = cipher === 'des' || cipher === '3des' ? 1 : 0
  }

  /** Looks at what goes on of a batch; its peers are known. */
  feel(batch: Batch): void {
    let came = 0
    let all = 0
    let des = 0
    let turns = 0
    let before = -1
    const { des: encrypted } = this
    const { segment, verdict, peer, count } = batch
    let byDes = false
    for (let i = 0; i < count; i++) {
      const packets = segment[i] === 0 ? 1 : packetsIn(batch, i)
      came += packets
      if (verdict[i] !== FORWARD) continue
      if (peer[i] !== before) {
        before = peer[i]!
        byDes = encrypted[before] === 1
        turns++
      }
      all += packets
      if (byDes) des += packets
    }
    if (all < FEW) return
    if (turns * ENOUGH > came) this.now = BATCH_CAPACITY
    else this.now = des * 2 > all ? LANES : NEAR_CAPACITY
  }
}
