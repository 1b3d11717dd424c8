/**
 * Packets like one before that passed and left nothing behind which another like it would change: they pass, too,
 * and most of a batch need no more than this look at their headers. What is remembered holds until a session or the rules
 * change, or any packet opens something, which may put something else out of mind.
 *
 * Of each session one stream either way stands in a place of its own, the one that was remembered last: where thousands of
 * sessions are in turn these places are all that is looked at, and lie as close together as they can. What had it before
 * moves to a place that a hash chooses.
 */

import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { TcpFlag } from './constants.ts'
import type { Headers } from './headers.ts'

// A module's own constants V8 knows as it compiles; what is imported it looks up at each use.
const TCP = IpProtocol.Tcp
const UDP = IpProtocol.Udp
/** The first word of a TCP header's flags. */
const SYN = TcpFlag.Syn << 16
/** IPv4, and a header without options. */
const PLAIN = 0x45
const IP_HEADER = 20
/** With the header of UDP, and with that of TCP. */
const LEAST = IP_HEADER + 8
const LEAST_TCP = IP_HEADER + 20
/** More fragments, or not the first one. */
const FRAGMENT = 0x3fff

/** Whose a stream is: a session's, and of the packets that go this way; the two added up are its owner. */
export const Owner = { Inward: 0, Outward: MAX_SESSIONS } as const
const OWNERS = 2 * MAX_SESSIONS

/** Streams that are remembered besides, each in a place that a hash chooses; the later of two in one place stays. */
const PLACES_LOG2 = 11
const PLACES = 1 << PLACES_LOG2
/** An odd number whose multiples spread over all bits. */
const SPREAD = 0x9e3779b1
/** The first round, and the last one: two apart from one to the next. */
const FIRST_ROUND = 2
const LAST_ROUND = 0x3ffffffe

// What is remembered of a stream stands side by side, in so many words:
const STREAM = 4
/** The round in which it was, and whether it is TCP's: it is remembered in that round only. */
const ROUND = 0
const SOURCE = 1
const DESTINATION = 2
const PORTS = 3
/** The same in bytes. */
export const STREAM_SIZE = STREAM * 4

export class Likeness {
  /** The owners' own, then those besides. */
  private readonly streams = new Int32Array((OWNERS + PLACES) * STREAM)
  /** Whose those besides are. */
  private readonly owners = new Uint16Array(PLACES)
  private round = FIRST_ROUND

  /** Nothing is known any more. */
  forget(): void {
    if (this.round === LAST_ROUND) {
      this.streams.fill(0)
      this.round = 0
    }
    this.round += 2
  }

  /** The owners' own places that way, by session: so many bytes of each. For who has their memory come. */
  own(way: number): Uint8Array {
    return new Uint8Array(this.streams.buffer, way * STREAM_SIZE, MAX_SESSIONS * STREAM_SIZE)
  }

  /** Looks at an owner's own place; whether something is remembered there. */
  knows(owner: number): boolean {
    return (this.streams[owner * STREAM]! & ~1) === this.round
  }

  /** The packet at hand passed and left nothing behind; where others can be like it they are known by it. */
  remember(batch: Batch, owner: number, h: Headers): void {
    if (h.protocol !== TCP && h.protocol !== UDP) return
    if (h.transport - h.start !== IP_HEADER || h.moreFragments || h.fragmentOffset !== 0) return
    const { streams } = this
    const own = owner * STREAM
    if (this.knows(owner)) this.move(owner)
    streams[own + ROUND] = h.protocol === TCP ? this.round | 1 : this.round
    streams[own + SOURCE] = h.source
    streams[own + DESTINATION] = h.destination
    streams[own + PORTS] = batch.view.getInt32(h.transport)
  }

  /** From its own place to one besides. */
  private move(owner: number): void {
    const { streams } = this
    const own = owner * STREAM
    const place = placeOf(streams[own + SOURCE]!, streams[own + DESTINATION]!, streams[own + PORTS]!)
    this.owners[place] = owner
    streams.copyWithin((OWNERS + place) * STREAM, own, own + STREAM)
  }

  /**
   * Whether row `i` is a sound packet like one that is remembered: of that owner, with its addresses and ports, whole,
   * without options, and no SYN. Its padding is cut off then.
   */
  covers(batch: Batch, i: number, owner: number): boolean {
    const { view } = batch
    const { streams } = this
    const length = batch.length[i]!
    const at = batch.offset[i]!
    if (length < LEAST) return false
    const source = view.getInt32(at + 12)
    const destination = view.getInt32(at + 16)
    const ports = view.getInt32(at + IP_HEADER)
    let place = owner * STREAM
    if (
      streams[place + PORTS] !== ports ||
      streams[place + SOURCE] !== source ||
      streams[place + DESTINATION] !== destination
    ) {
      place = this.besides(owner, source, destination, ports)
      if (place < 0) return false
    }
    const protocol = view.getUint8(at + 9)
    const round = streams[place + ROUND]! - this.round
    if (round === 0 ? protocol !== UDP : round !== 1 || protocol !== TCP) return false
    const first = view.getInt32(at)
    const total = first & 0xffff
    if (first >>> 24 !== PLAIN || total < LEAST || total > length) return false
    if ((view.getInt32(at + 4) & FRAGMENT) !== 0) return false
    if (protocol === TCP) {
      if (total < LEAST_TCP) return false
      const word = view.getInt32(at + 32)
      const header = (word >>> 28) * 4
      if (header < 20 || IP_HEADER + header > total || (word & SYN) !== 0) return false
    }
    batch.length[i] = total
    return true
  }

  /** Where else such a stream of that owner stands, in whatever round; negative: nowhere. */
  private besides(owner: number, source: number, destination: number, ports: number): number {
    const { streams } = this
    const at = placeOf(source, destination, ports)
    if (this.owners[at] !== owner) return -1
    const place = (OWNERS + at) * STREAM
    if (streams[place + SOURCE] !== source || streams[place + DESTINATION] !== destination) return -1
    return streams[place + PORTS] === ports ? place : -1
  }
}

function placeOf(source: number, destination: number, ports: number): number {
  return Math.imul(source ^ Math.imul(destination, SPREAD) ^ ports, SPREAD) >>> (32 - PLACES_LOG2)
}
