/**
 * How many packets are read from the TUN device at once. DES is encrypted in lanes, one for each packet, which cost the same
 * however many are in use: so while most of what comes is for SAs with DES, all that waits is taken together, as far as a batch
 * holds it. All else is done in parts that stay in the processor's nearer caches.
 */

import type { Cipher } from '../esp/sa.ts'
import { BATCH_CAPACITY, type Batch, NEAR_CAPACITY } from '../packet/batch.ts'
import { packetsIn } from '../packet/cut.ts'
import { MAX_PEERS } from '../packet/table.ts'

/** Fewer packets say nothing of those that come next. */
const FEW = 16

export class Helping {
  /** By peer: 1 where what is sealed for it is encrypted by DES. */
  private readonly des = new Uint8Array(MAX_PEERS)
  private now = NEAR_CAPACITY

  /** Packets to read next. */
  get most(): number {
    return this.now
  }

  /** What `peer` has from now on. */
  set(peer: number, cipher: Cipher): void {
    this.des[peer] = cipher === 'des' || cipher === '3des' ? 1 : 0
  }

  /** Looks at a batch whose peers are known. */
  feel(batch: Batch): void {
    let all = 0
    let des = 0
    for (let i = 0; i < batch.count; i++) {
      const packets = packetsIn(batch, i)
      all += packets
      if (this.des[batch.peer[i]!] === 1) des += packets
    }
    if (all >= FEW) this.now = des * 2 > all ? BATCH_CAPACITY : NEAR_CAPACITY
  }
}
