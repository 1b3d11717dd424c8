/**
 * Finding packets that may reach the host as one: what a receiver's generic receive offload does on a network card. TCP
 * segments of one connection that follow one another without a gap, and UDP datagrams of one flow and one size.
 */

import { BATCH_CAPACITY, type Batch } from './batch.ts'
import { IpProtocol, TcpFlag } from './ip.ts'
import { Verdict } from './verdict.ts'

/** Places for flows that are open at a time, which a hash chooses; of two in one place the later ends the earlier one's train. */
const PLACES_LOG2 = 11
const PLACES = 1 << PLACES_LOG2
/** An odd number whose multiples spread over all bits. */
const SPREAD = 0x9e3779b1
const MOST_ROUNDS = 0x7fffffff
const MAX_TOTAL = 0xffff
/** The bits of a TCP segment that may be merged: data under an acknowledgement, and PSH, which ends it. */
const PLAIN = TcpFlag.Ack
const DONT_FRAGMENT = 0x40

/**
 * What `merge` remembers from packet to packet: for each open train its flow, its head, its last row, and what the next packet
 * must be.
 */
export class Merger {
  private readonly udp: boolean
  /** The round in which the place's train was opened: it is open in that one only. */
  private readonly opened = new Int32Array(PLACES)
  private readonly source = new Int32Array(PLACES)
  private readonly destination = new Int32Array(PLACES)
  private readonly ports = new Int32Array(PLACES)
  private readonly head = new Uint16Array(PLACES)
  private readonly last = new Uint16Array(PLACES)
  /** Where the sequence number of the next one must be. */
  private readonly sequence = new Int32Array(PLACES)
  private readonly total = new Int32Array(PLACES)
  private readonly cars = new Int32Array(PLACES)
  private round = 0

  /** `udp`: whether datagrams are merged, too. */
  constructor(udp = true) {
    this.udp = udp
  }

  /**
   * Chains rows by `next`: a chain is one super-segment. The order within a flow stays, since a packet that cannot join ends
   * its flow's train. Checksums are looked at by who writes, who breaks the chain where one is wrong.
   */
  merge(batch: Batch): void {
    if (batch.count === 1) {
      batch.next[0] = 0
      return
    }
    this.closeAll()
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
      this.closeAll()
      return
    }
    const tcp = bytes[ip + 9] === IpProtocol.Tcp
    if (!tcp && !(this.udp && bytes[ip + 9] === IpProtocol.Udp)) return
    const transport = ip + (bytes[ip]! & 15) * 4
    if (length < transport - ip + (tcp ? 20 : 8)) return
    const plain = transport === ip + 20 && length === ((bytes[ip + 2]! << 8) | bytes[ip + 3]!)
    const header = 20 + (tcp ? (bytes[transport + 12]! >>> 4) * 4 : 8)
    const data = plain ? length - header : 0
    const mergeable =
      data > 0 &&
      (tcp
        ? header >= 40 && (bytes[transport + 13]! & ~(TcpFlag.Psh | TcpFlag.Fin)) === PLAIN
        : (bytes[transport + 4]! << 8) + bytes[transport + 5]! === length - 20 &&
          (bytes[transport + 6]! | bytes[transport + 7]!) !== 0)
    const source = read32(bytes, ip + 12)
    const destination = read32(bytes, ip + 16)
    const ports = read32(bytes, transport)
    const place = Math.imul(source ^ Math.imul(destination, SPREAD) ^ ports, SPREAD) >>> (32 - PLACES_LOG2)
    if (this.opened[place] === this.round) {
      const same =
        this.source[place] === source &&
        this.destination[place] === destination &&
        this.ports[place] === ports &&
        bytes[batch.offset[this.head[place]!]! + 9] === bytes[ip + 9]
      if (same && mergeable && this.joins(batch, i, place, header, data, tcp)) return
      this.opened[place] = 0
    }
    if (!mergeable || (tcp && bytes[transport + 13] !== PLAIN)) return
    this.opened[place] = this.round
    this.source[place] = source
    this.destination[place] = destination
    this.ports[place] = ports
    this.head[place] = i
    this.last[place] = i
    this.total[place] = length
    this.cars[place] = 1
    this.sequence[place] = tcp ? (read32(bytes, ip + 24) + data) | 0 : 0
  }

  /** Ends all trains. */
  private closeAll(): void {
    if (this.round === MOST_ROUNDS) {
      this.opened.fill(0)
      this.round = 0
    }
    this.round++
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
      // Acknowledgement, data offset, window and urgent pointer, and the options with their timestamps.
      if (read32(bytes, a + 28) !== read32(bytes, b + 28) || bytes[a + 32] !== bytes[b + 32]) return false
      if (bytes[a + 34] !== bytes[b + 34] || bytes[a + 35] !== bytes[b + 35]) return false
      if (bytes[a + 38] !== bytes[b + 38] || bytes[a + 39] !== bytes[b + 39]) return false
      for (let k = 40; k < header; k += 4) if (read32(bytes, a + k) !== read32(bytes, b + k)) return false
      ends ||= bytes[b + 33] !== PLAIN
      this.sequence[t] = (this.sequence[t]! + data) | 0
    }
    batch.next[this.last[t]!] = i
    this.last[t] = i
    this.total[t]! += data
    this.cars[t]!++
    if (ends || this.cars[t] === BATCH_CAPACITY) this.opened[t] = 0
    return true
  }
}

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
