/**
 * Cutting super-segments: what the kernel hands over as one large TCP segment or as many UDP datagrams in one becomes the
 * packets that go on the wire (RFC 9293 section 3.7, RFC 6864 on their identifications).
 */

import { BATCH_CAPACITY, type Batch } from './batch.ts'
import { IpProtocol, TcpFlag } from './ip.ts'
import { DropReason, Verdict } from './verdict.ts'

/** The copying and the sums, in native code or in `SegmentReference`. */
export interface SegmentArithmetic {
  /**
   * Fills `count` rows of `into` from `first` on: each gets the first `header` bytes of row `row` of `from` and then as much
   * as its length leaves room for of what lies there from byte `at` on, one behind the other.
   */
  copy(from: Batch, row: number, header: number, at: number, into: Batch, first: number, count: number): void
  /** Sets the IPv4 header checksum and that of the TCP segment or UDP datagram in `count` rows from `first` on. */
  sum(batch: Batch, first: number, count: number): void
}

/** Whether anything in the batch is to be cut. */
export function holdsSuper(batch: Batch): boolean {
  const { segment, count } = batch
  for (let i = 0; i < count; i++) if (segment[i] !== 0) return true
  return false
}

/** Bytes of IP and transport header in row `i`, which a super-segment begins with; 0 where it is no sound one. */
export function headersOf(batch: Batch, i: number): number {
  const { bytes } = batch
  const length = batch.length[i]!
  const ip = batch.offset[i]!
  if (length < 28 || bytes[ip]! >>> 4 !== 4) return 0
  const ipHeader = (bytes[ip]! & 15) * 4
  if (ipHeader < 20) return 0
  let header = ipHeader + 8
  if (bytes[ip + 9] === IpProtocol.Tcp) {
    if (length < ipHeader + 20) return 0
    const data = (bytes[ip + ipHeader + 12]! >>> 4) * 4
    header = data < 20 ? 0 : ipHeader + data
  } else if (bytes[ip + 9] !== IpProtocol.Udp) return 0
  return header < length ? header : 0
}

/** How many packets row `i` stands for. */
export function packetsIn(batch: Batch, i: number): number {
  const segment = batch.segment[i]!
  if (segment === 0) return 1
  const header = headersOf(batch, i)
  return header === 0 ? 1 : Math.ceil((batch.length[i]! - header) / segment)
}

/** How many packets the whole batch stands for. */
export function packetsOf(batch: Batch): number {
  const { segment, count } = batch
  let packets = count
  for (let i = 0; i < count; i++) if (segment[i] !== 0) packets += packetsIn(batch, i) - 1
  return packets
}

/**
 * Takes a batch that holds super-segments apart, into as many batches as that needs. The order stays: also ordinary packets
 * are copied over, since a flow may have both.
 */
export class Cutter {
  private readonly arithmetic: SegmentArithmetic
  private row = 0
  /** Packets of that row that were cut off before. */
  private done = 0

  constructor(arithmetic: SegmentArithmetic) {
    this.arithmetic = arithmetic
  }

  /** Begins with another batch. */
  begin(): void {
    this.row = 0
    this.done = 0
  }

  /** Fills `into` with the next packets of `from` that are to be forwarded; answers false where there is none left. */
  next(from: Batch, into: Batch): boolean {
    into.clear()
    while (this.row < from.count && into.count < BATCH_CAPACITY) {
      if (from.verdict[this.row] !== Verdict.Forward) this.row++
      else if (from.segment[this.row] === 0) this.move(from, into)
      else this.cut(from, into)
    }
    return into.count > 0
  }

  private move(from: Batch, into: Batch): void {
    const row = this.row++
    const i = into.addMany(1, from.length[row]!, from.peer[row]!, from.session[row]!)
    this.arithmetic.copy(from, row, 0, 0, into, i, 1)
  }

  /**
   * Steps:
   * 1. rows for as many packets as there are and as fit, all but the very last of the full size;
   * 2. the header and its part of the payload into each;
   * 3. each header's own length, identification, sequence number and flags;
   * 4. the checksums.
   */
  private cut(from: Batch, into: Batch): void {
    const { row, done } = this
    const header = headersOf(from, row)
    if (header === 0) {
      from.verdict[row] = Verdict.Drop
      from.reason[row] = DropReason.BadIp
      this.row++
      return
    }
    const segment = from.segment[row]!
    const payload = from.length[row]! - header
    const packets = Math.ceil(payload / segment)
    const count = Math.min(packets - done, BATCH_CAPACITY - into.count)
    const first = into.addMany(count, header + segment, from.peer[row]!, from.session[row]!)
    if (done + count === packets) into.length[into.count - 1] = header + payload - (packets - 1) * segment
    this.arithmetic.copy(from, row, header, header + done * segment, into, first, count)
    adjust(into, first, count, done, packets, segment)
    this.arithmetic.sum(into, first, count)
    this.done = done + count
    if (this.done === packets) {
      this.done = 0
      this.row++
    }
  }
}

/** Makes the copied headers in rows from `first` on those of the packets from `k` on of a super-segment that has `packets`. */
function adjust(batch: Batch, first: number, count: number, k: number, packets: number, segment: number): void {
  const { bytes, view, offset, length } = batch
  const end = first + count
  const ip = offset[first]!
  const isUdp = bytes[ip + 9] === IpProtocol.Udp
  const transport = (bytes[ip]! & 15) * 4
  let identification = view.getUint16(ip + 4) + k
  if (isUdp) {
    for (let i = first; i < end; i++) {
      const at = offset[i]!
      const size = length[i]!
      view.setInt16(at + 2, size)
      view.setInt16(at + 4, identification++)
      view.setInt16(at + transport + 4, size - transport)
    }
    return
  }
  // Sequence numbers come round.
  let sequence = (view.getInt32(ip + transport + 4) + k * segment) | 0
  for (let i = first; i < end; i++) {
    const at = offset[i]!
    view.setInt16(at + 2, length[i]!)
    view.setInt16(at + 4, identification++)
    view.setInt32(at + transport + 4, sequence)
    sequence = (sequence + segment) | 0
  }
  // What ends the super-segment ends its last packet alone; that the window was reduced is told once (RFC 3168 section 6.1.2).
  const flags = transport + 13
  const given = bytes[ip + flags]!
  if (given & (TcpFlag.Fin | TcpFlag.Psh | TcpFlag.Cwr)) {
    for (let i = 0; i < count; i++) {
      const gone = (k + i === packets - 1 ? 0 : TcpFlag.Fin | TcpFlag.Psh) | (k + i > 0 ? TcpFlag.Cwr : 0)
      bytes[offset[first + i]! + flags] = given & ~gone
    }
  }
}
