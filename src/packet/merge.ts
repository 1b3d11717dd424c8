/**
 * Finding packets that may reach the host as one: what a receiver's generic receive offload does on a network card. TCP
 * segments of one connection that follow one another without a gap, and UDP datagrams of one flow and one size.
 */

import { BATCH_CAPACITY, type Batch } from './batch.ts'
import { IpProtocol, TcpFlag } from './ip.ts'
import { Verdict } from './verdict.ts'

/** Flows that can be open at a time; a batch has rarely more. */
const OPEN = 8
const MAX_TOTAL = 0xffff
/** The bits of a TCP segment that may be merged: data under an acknowledgement, and PSH, which ends it. */
const PLAIN = TcpFlag.Ack
const DONT_FRAGMENT = 0x40

/**
 * What `merge` remembers from packet to packet: for each open train its head, its last row, and what the next packet must be.
 */
export class Merger {
  private readonly udp: boolean
  private readonly head = new Uint8Array(OPEN)
  private readonly last = new Uint8Array(OPEN)
  /** Where the sequence number of the next one must be. */
  private readonly sequence = new Int32Array(OPEN)
  private readonly total = new Int32Array(OPEN)
  private readonly cars = new Int32Array(OPEN)
  private count = 0

  /** `udp`: whether datagrams are merged, too. */
  constructor(udp = true) {
    this.udp = udp
  }

  /**
   * Chains rows by `next`: a chain is one super-segment. The order within a flow stays, since a packet that cannot join ends
   * its flow's train. Checksums are looked at by who writes, who breaks the chain where one is wrong.
   */
  merge(batch: Batch): void {
    this.count = 0
    for (let i = 0; i < batch.count; i++) {
      batch.next[i] = 0
      if (batch.verdict[i] === Verdict.Forward) this.take(batch, i)
    }
  }

  /**
   * Steps:
   * 1. anything but TCP or UDP, where that is merged, in a whole packet without IP options joins nothing; a fragment may belong to any flow;
   * 2. the flow's open train, if there is one: either the packet goes on where it ends, or it ends;
   * 3. what may have a successor opens a train.
   */
  private take(batch: Batch, i: number): void {
    const { bytes } = batch
    const ip = batch.offset[i]!
    const length = batch.length[i]!
    if (length < 28) return
    // More fragments, or not the first one.
    if (((bytes[ip + 6]! & 0x3f) | bytes[ip + 7]!) !== 0) {
      this.count = 0
      return
    }
    const tcp = bytes[ip + 9] === IpProtocol.Tcp
    if (!tcp && !(this.udp && bytes[ip + 9] === IpProtocol.Udp)) return
    const transport = ip + (bytes[ip]! & 15) * 4
    if (length < transport - ip + (tcp ? 20 : 8)) return
    const open = this.find(bytes, batch, ip, transport)
    const plain = transport === ip + 20 && length === ((bytes[ip + 2]! << 8) | bytes[ip + 3]!)
    const header = 20 + (tcp ? (bytes[transport + 12]! >>> 4) * 4 : 8)
    const data = plain ? length - header : 0
    const mergeable =
      data > 0 &&
      (tcp
        ? header >= 40 && (bytes[transport + 13]! & ~(TcpFlag.Psh | TcpFlag.Fin)) === PLAIN
        : (bytes[transport + 4]! << 8) + bytes[transport + 5]! === length - 20 &&
          (bytes[transport + 6]! | bytes[transport + 7]!) !== 0)
    if (open >= 0) {
      if (mergeable && this.joins(batch, i, open, header, data, tcp)) return
      this.close(open)
    }
    const ends = tcp && bytes[transport + 13] !== PLAIN
    if (mergeable && !ends) this.open(batch, i, data, tcp)
  }

  /** The train whose flow the packet is of, or -1. */
  private find(bytes: Uint8Array, batch: Batch, ip: number, transport: number): number {
    for (let t = 0; t < this.count; t++) {
      const other = batch.offset[this.head[t]!]!
      // Addresses and ports, and the protocol.
      if (bytes[other + 9] === bytes[ip + 9] && same(bytes, other + 12, ip + 12, 8)) {
        if (same(bytes, other + 20, transport, 4)) return t
      }
    }
    return -1
  }

  private open(batch: Batch, i: number, data: number, tcp: boolean): void {
    // The oldest makes room.
    if (this.count === OPEN) this.close(0)
    const t = this.count++
    this.head[t] = i
    this.last[t] = i
    this.total[t] = batch.length[i]!
    this.cars[t] = 1
    this.sequence[t] = tcp ? (read32(batch.bytes, batch.offset[i]! + 24) + data) | 0 : 0
  }

  /** Ends a train; those that were opened later keep their order. */
  private close(t: number): void {
    this.count--
    for (let k = t; k < this.count; k++) {
      this.head[k] = this.head[k + 1]!
      this.last[k] = this.last[k + 1]!
      this.total[k] = this.total[k + 1]!
      this.cars[k] = this.cars[k + 1]!
      this.sequence[k] = this.sequence[k + 1]!
    }
  }

  /** Puts the packet behind its train where it goes on there and everything else is as in the head; answers whether. */
  private joins(batch: Batch, i: number, t: number, header: number, data: number, tcp: boolean): boolean {
    const { bytes } = batch
    const head = this.head[t]!
    const a = batch.offset[head]!
    const b = batch.offset[i]!
    const size = batch.length[head]! - header
    if (data > size || this.total[t]! + data > MAX_TOTAL) return false
    // Version and type of service, DF, time to live.
    if (bytes[a + 1] !== bytes[b + 1] || bytes[a + 6] !== bytes[b + 6] || bytes[a + 8] !== bytes[b + 8]) return false
    // What may be fragmented needs its identification, which cutting counts up; the others' means nothing (RFC 6864).
    const expected = (((bytes[a + 4]! << 8) | bytes[a + 5]!) + this.cars[t]!) & 0xffff
    if ((bytes[a + 6]! & DONT_FRAGMENT) === 0 && ((bytes[b + 4]! << 8) | bytes[b + 5]!) !== expected) return false
    let ends = data < size
    if (tcp) {
      if (read32(bytes, b + 24) !== this.sequence[t]) return false
      // Acknowledgement, data offset, window, and the options with their timestamps.
      if (!same(bytes, a + 28, b + 28, 5) || !same(bytes, a + 34, b + 34, 2)) return false
      if (!same(bytes, a + 38, b + 38, header - 38)) return false
      ends ||= bytes[b + 33] !== PLAIN
      this.sequence[t] = (this.sequence[t]! + data) | 0
    }
    batch.next[this.last[t]!] = i
    this.last[t] = i
    this.total[t]! += data
    this.cars[t]!++
    if (ends || this.cars[t] === BATCH_CAPACITY) this.close(t)
    return true
  }
}

function same(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (bytes[a + k] !== bytes[b + k]) return false
  return true
}

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
