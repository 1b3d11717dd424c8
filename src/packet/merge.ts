/**
 * Finding packets that may reach the host as one: what a receiver's generic receive offload does on a network card. TCP
 * segments of one connection that follow one another without a gap, and UDP datagrams of one flow and one size.
 */

import { BATCH_CAPACITY, type Batch } from './batch.ts'
import { IpProtocol, TcpFlag } from './ip.ts'
import { Verdict } from './verdict.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const FORWARD = Verdict.Forward
const TCP = IpProtocol.Tcp
const UDP = IpProtocol.Udp
const MOST_CARS = BATCH_CAPACITY
/** Places for flows that are open at a time, which a hash chooses; of two in one place the later ends the earlier one's train. */
const PLACES_LOG2 = 11
const PLACES = 1 << PLACES_LOG2
/** An odd number whose multiples spread over all bits. */
const SPREAD = 0x9e3779b1
const MOST_ROUNDS = 0x7fffffff
const MAX_TOTAL = 0xffff
/** The bits of a TCP segment that may be merged: data under an acknowledgement, and those that end it. */
const PLAIN = TcpFlag.Ack
const ENDING = TcpFlag.Psh | TcpFlag.Fin
/** In the second word of an IP header: more fragments, or not the first one; and don't. */
const FRAGMENT = 0x3fff
const DONT_FRAGMENT = 0x4000
/** What must be as in the head of words of the headers: type of service; flags of fragments; time to live and protocol; data offset and window. */
const SERVICE = 0x00ff0000
const FRAGMENT_FLAGS = 0xff00
const LIFE_AND_PROTOCOL = 0xffff0000 | 0
const OFFSET_AND_WINDOW = 0xff00ffff | 0

// What is remembered of a train stands side by side, in so many words:
const TRAIN = 16
/** The round in which it was opened: it is open in that one only. */
const OPENED = 0
const SOURCE = 1
const DESTINATION = 2
const PORTS = 3
const HEAD = 4
const LAST = 5
/** Where the sequence number of the next one must be. */
const SEQUENCE = 6
const TOTAL = 7
const CARS = 8

/**
 * What `merge` remembers from packet to packet: for each open train its flow, its head, its last row, and what the next packet
 * must be.
 */
export class Merger {
  private readonly udp: boolean
  private readonly trains = new Int32Array(PLACES * TRAIN)
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
    const { next, verdict, count } = batch
    if (count === 1) {
      next[0] = 0
      return
    }
    this.closeAll()
    for (let i = 0; i < count; i++) {
      next[i] = 0
      if (verdict[i] === FORWARD) this.take(batch, i)
    }
  }

  /**
   * Steps:
   * 1. anything but TCP or UDP, where that is merged, in a whole packet without IP options joins nothing; a fragment may belong to any flow;
   * 2. the flow's open train, if there is one: either the packet goes on where it ends, or it ends;
   * 3. what may have a successor opens a train.
   */
  private take(batch: Batch, i: number): void {
    const { view } = batch
    const { trains } = this
    const ip = batch.offset[i]!
    const length = batch.length[i]!
    if (length < 28) return
    const first = view.getInt32(ip)
    if ((view.getInt32(ip + 4) & FRAGMENT) !== 0) {
      this.closeAll()
      return
    }
    const protocol = view.getUint8(ip + 9)
    const tcp = protocol === TCP
    if (!tcp && !(this.udp && protocol === UDP)) return
    const ipHeader = (first >>> 22) & 0x3c
    const transport = ip + ipHeader
    if (length < ipHeader + (tcp ? 20 : 8)) return
    const word = view.getInt32(transport + (tcp ? 12 : 4))
    const flags = (word >>> 16) & 0xff
    const plain = ipHeader === 20 && length === (first & 0xffff)
    const header = 20 + (tcp ? (word >>> 28) * 4 : 8)
    const data = plain ? length - header : 0
    const mergeable =
      data > 0 &&
      // Of a datagram the word is its length and its checksum.
      (tcp ? header >= 40 && (flags & ~ENDING) === PLAIN : word >>> 16 === length - 20 && (word & 0xffff) !== 0)
    const source = view.getInt32(ip + 12)
    const destination = view.getInt32(ip + 16)
    const ports = view.getInt32(transport)
    const place = Math.imul(source ^ Math.imul(destination, SPREAD) ^ ports, SPREAD) >>> (32 - PLACES_LOG2)
    const t = place * TRAIN
    if (trains[t + OPENED] === this.round) {
      const same =
        trains[t + SOURCE] === source && trains[t + DESTINATION] === destination && trains[t + PORTS] === ports
      if (same && mergeable && this.joins(batch, i, t, header, data, tcp)) return
      trains[t + OPENED] = 0
    }
    if (!mergeable || (tcp && flags !== PLAIN)) return
    trains[t + OPENED] = this.round
    trains[t + SOURCE] = source
    trains[t + DESTINATION] = destination
    trains[t + PORTS] = ports
    trains[t + HEAD] = i
    trains[t + LAST] = i
    trains[t + SEQUENCE] = tcp ? (view.getInt32(ip + 24) + data) | 0 : 0
    trains[t + TOTAL] = length
    trains[t + CARS] = 1
  }

  /** Ends all trains. */
  private closeAll(): void {
    if (this.round === MOST_ROUNDS) {
      this.trains.fill(0)
      this.round = 0
    }
    this.round++
  }

  /** Puts the packet behind its train where it goes on there and everything else is as in the head; answers whether. */
  private joins(batch: Batch, i: number, t: number, header: number, data: number, tcp: boolean): boolean {
    const { view, offset } = batch
    const { trains } = this
    const head = trains[t + HEAD]!
    const a = offset[head]!
    const b = offset[i]!
    const size = batch.length[head]! - header
    const total = trains[t + TOTAL]! + data
    if (data > size || total > MAX_TOTAL) return false
    if (((view.getInt32(a) ^ view.getInt32(b)) & SERVICE) !== 0) return false
    if (((view.getInt32(a + 8) ^ view.getInt32(b + 8)) & LIFE_AND_PROTOCOL) !== 0) return false
    const second = view.getInt32(a + 4)
    const other = view.getInt32(b + 4)
    if (((second ^ other) & FRAGMENT_FLAGS) !== 0) return false
    const cars = trains[t + CARS]!
    // What may be fragmented needs its identification, which cutting counts up; the others' means nothing (RFC 6864).
    if ((second & DONT_FRAGMENT) === 0 && other >>> 16 !== (((second >>> 16) + cars) & 0xffff)) return false
    let ends = data < size
    if (tcp) {
      if (view.getInt32(b + 24) !== trains[t + SEQUENCE]) return false
      // Acknowledgement, data offset, window and urgent pointer, and the options with their timestamps.
      if (view.getInt32(a + 28) !== view.getInt32(b + 28)) return false
      const word = view.getInt32(b + 32)
      if (((view.getInt32(a + 32) ^ word) & OFFSET_AND_WINDOW) !== 0) return false
      if (view.getUint16(a + 38) !== view.getUint16(b + 38)) return false
      for (let k = 40; k < header; k += 4) if (view.getInt32(a + k) !== view.getInt32(b + k)) return false
      ends ||= ((word >>> 16) & 0xff) !== PLAIN
      trains[t + SEQUENCE] = (trains[t + SEQUENCE]! + data) | 0
    }
    batch.next[trains[t + LAST]!] = i
    trains[t + LAST] = i
    trains[t + TOTAL] = total
    trains[t + CARS] = cars + 1
    if (ends || cars + 1 === MOST_CARS) trains[t + OPENED] = 0
    return true
  }
}
