/** Copies of one peer's packets for a capture. While there is none it costs one look at `on` a batch. */

import type { Millis } from '../machine.ts'
import type { Batch } from '../packet/batch.ts'
import { readIpv4 } from '../packet/ip.ts'
import { Verdict } from '../packet/verdict.ts'

export interface MirroredPacket {
  /** ESP as it is on the wire, or else an IP packet of the client's. */
  readonly outer: boolean
  /** Towards the client. */
  readonly out: boolean
  readonly now: Millis
  /** The outer addresses and the far port; 0 for native ESP. Of inner packets nothing. */
  readonly local: number
  readonly address: number
  readonly port: number
  readonly bytes: Uint8Array
}

/** Whose packets are wanted, and how many bytes of them in all. */
export interface MirrorOrder {
  readonly peers: readonly number[]
  /** Inbound SPIs of these peers: before it is opened a packet has no other name. */
  readonly spis: readonly number[]
  readonly bytes: number
}

export class Mirror {
  on = false
  private peers: ReadonlySet<number> = new Set()
  private spis: ReadonlySet<number> = new Set()
  private left = 0
  private packets: MirroredPacket[] = []
  private readonly tell: (packets: readonly MirroredPacket[]) => void

  constructor(tell: (packets: readonly MirroredPacket[]) => void) {
    this.tell = tell
  }

  /** Nobody wanted is the end of it. A change of whom leaves the rest of the bytes as it is. */
  order({ peers, spis, bytes }: MirrorOrder): void {
    if (!this.on) this.left = bytes
    this.peers = new Set(peers)
    this.spis = new Set(spis)
    this.on = bytes > 0
  }

  /** What just came, still encrypted. */
  received(batch: Batch, now: Millis): void {
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i]! >= 4 && this.spis.has(readIpv4(batch.bytes, batch.offset[i]!)))
        this.copy(batch, i, true, false, now)
    }
  }

  /** Inner packets of either direction, where they are IP and nothing else. */
  inner(batch: Batch, out: boolean, now: Millis): void {
    for (let i = 0; i < batch.count; i++) if (this.wanted(batch, i)) this.copy(batch, i, false, out, now)
  }

  /** What is about to be sent, encrypted. */
  sealed(batch: Batch, now: Millis): void {
    for (let i = 0; i < batch.count; i++) if (this.wanted(batch, i)) this.copy(batch, i, true, true, now)
    this.flush()
  }

  flush(): void {
    if (this.packets.length === 0) return
    this.tell(this.packets)
    this.packets = []
  }

  private wanted(batch: Batch, i: number): boolean {
    return batch.verdict[i] === Verdict.Forward && this.peers.has(batch.peer[i]!)
  }

  private copy(batch: Batch, i: number, outer: boolean, out: boolean, now: Millis): void {
    const length = batch.length[i]!
    if (length > this.left) return
    this.left -= length
    const { local, address, port } = batch
    this.packets.push({
      outer,
      out,
      now,
      local: outer ? local[i]! : 0,
      address: outer ? address[i]! : 0,
      port: outer ? port[i]! : 0,
      bytes: batch.packet(i).slice(),
    })
  }
}
