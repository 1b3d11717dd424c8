/**
 * The batch: up to 512 packets as parallel columns over one plain ArrayBuffer. `native/batch.h` computes the same
 * pointers once, at attach. Stages move `offset` and `length`; the bytes stay where they were received.
 */

/** Packets a batch holds. */
export const BATCH_CAPACITY = 512
/** How many are taken at a time where more would win nothing: they stay in the processor's nearer caches. */
export const NEAR_CAPACITY = 64
/**
 * Bytes of a packet's slot, headroom included. No power of two, or the same part of each slot would contend for the same few
 * lines of the processor's caches.
 */
export const SLOT_SIZE = 2112
/** Free bytes before a packet that was just received or read: PPP 4, L2TP 8, UDP 8, ESP 8, IV 16, and some to spare. */
export const HEADROOM = 64
/** Bytes that sealing may append: padding 16 + trailer 2, ICV 32. */
export const TAILROOM = 64
/** The largest packet a slot can receive. */
export const MAX_PACKET = SLOT_SIZE - HEADROOM - TAILROOM
const SLOTS_SIZE = BATCH_CAPACITY * SLOT_SIZE
/** Memory for a batch that is read from a TUN device with offloads: the slots, and behind them as much for super-segments. */
export const READING_ROOM = 2 * SLOTS_SIZE
/**
 * Memory for a batch whose datagrams come coalesced: a place for each message of up to 64 kB, so far apart that small ones
 * do not contend for the same lines of the processor's caches. Memory that no packet ever reached is none.
 */
export const COALESCED_STRIDE = 65536 + SLOT_SIZE
export const COALESCED_ROOM = BATCH_CAPACITY * COALESCED_STRIDE

/**
 * Byte offsets of the columns in the buffer, in order; `native.layout()` must answer the same. Those of words stand a line of
 * the cache further apart than they are long, for the same reason as slots do.
 */
export const batchLayout = {
  offset: 0,
  length: 2112,
  peer: 4224,
  session: 6336,
  sa: 8448,
  address: 10560,
  port: 12672,
  local: 14784,
  segment: 16896,
  next: 19008,
  protocol: 20096,
  verdict: 20672,
  reason: 21248,
  bytes: 24576,
  size: 24576 + SLOTS_SIZE,
  capacity: BATCH_CAPACITY,
  slotSize: SLOT_SIZE,
  headroom: HEADROOM,
} as const

export class Batch {
  readonly buffer: ArrayBuffer
  /** The packets themselves: every `offset` counts from its start. */
  readonly bytes: Uint8Array
  /** The same for words in network byte order: one access each. */
  readonly view: DataView
  /** Where each packet starts now, in `bytes`. */
  readonly offset: Uint32Array
  readonly length: Uint32Array
  /** Row of the peer: set by open (in) or filter (out). */
  readonly peer: Uint32Array
  /** Row of the session: set by l2tp.decapsulate (in) or filter (out). */
  readonly session: Uint32Array
  /** The inbound SA's SPI: set by open. */
  readonly sa: Uint32Array
  /** Outer far address: where a packet came from (receive) or goes to (seal). */
  readonly address: Uint32Array
  /** Outer far UDP port; 0 means native ESP, IP protocol 50. */
  readonly port: Uint32Array
  /** Outer near address. */
  readonly local: Uint32Array
  /** ESP next header: as open found it, as seal shall write it. */
  readonly protocol: Uint8Array
  readonly verdict: Uint8Array
  /** DropReason or PuntReason, by the verdict. */
  readonly reason: Uint8Array
  /** The row whose packet goes on where this one ends, and may be written to the TUN device together with it; 0: none. */
  readonly next: Uint16Array
  /** Payload bytes that each packet gets which a super-segment is to be cut into; 0: this is an ordinary packet. */
  readonly segment: Uint32Array
  /** How many packets are in it. */
  count = 0
  /** What native code knows it by, once it was shown to it. */
  attached: unknown = undefined

  /** `room`: bytes for packets, at least all the slots. */
  constructor(room: number = SLOTS_SIZE) {
    const l = batchLayout
    const buffer = new ArrayBuffer(l.bytes + room)
    const u32 = (at: number) => new Uint32Array(buffer, at, BATCH_CAPACITY)
    const u8 = (at: number) => new Uint8Array(buffer, at, BATCH_CAPACITY)
    this.buffer = buffer
    this.bytes = new Uint8Array(buffer, l.bytes)
    this.view = new DataView(buffer, l.bytes)
    this.offset = u32(l.offset)
    this.length = u32(l.length)
    this.peer = u32(l.peer)
    this.session = u32(l.session)
    this.sa = u32(l.sa)
    this.address = u32(l.address)
    this.port = u32(l.port)
    this.local = u32(l.local)
    this.protocol = u8(l.protocol)
    this.verdict = u8(l.verdict)
    this.reason = u8(l.reason)
    this.next = new Uint16Array(buffer, l.next, BATCH_CAPACITY)
    this.segment = u32(l.segment)
  }

  /** Empties the batch. Columns of a row are set when the row is made. */
  clear(): void {
    this.count = 0
  }

  /** Adds a packet behind the headroom of the next slot, to be forwarded; the caller sees to it that there is room. */
  push(packet: Uint8Array): number {
    const i = this.add(packet.length)
    this.bytes.set(packet, this.offset[i]!)
    return i
  }

  /** The same, whose `length` bytes the caller is to write. */
  add(length: number): number {
    return this.addMany(1, length, 0, 0)
  }

  /** So many of them of one session, all of that length; answers the first one's row. */
  addMany(count: number, length: number, peer: number, session: number): number {
    const first = this.count
    const end = first + count
    const { offset, sa, address, port, local, protocol, verdict, reason, next, segment } = this
    const { length: lengths, peer: peers, session: sessions } = this
    for (let i = first; i < end; i++) {
      offset[i] = i * SLOT_SIZE + HEADROOM
      lengths[i] = length
      peers[i] = peer
      sessions[i] = session
      sa[i] = 0
      address[i] = 0
      port[i] = 0
      local[i] = 0
      protocol[i] = 0
      verdict[i] = 0
      reason[i] = 0
      next[i] = 0
      segment[i] = 0
    }
    this.count = end
    return first
  }

  /** The bytes of packet `i`, for who keeps them. */
  copy(i: number): Uint8Array {
    const at = this.offset[i]!
    return this.bytes.slice(at, at + this.length[i]!)
  }

  /** A view of packet `i` as it stands now. */
  packet(i: number): Uint8Array {
    const at = this.offset[i]!
    return this.bytes.subarray(at, at + this.length[i]!)
  }
}
