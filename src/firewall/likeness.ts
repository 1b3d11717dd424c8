/**
 * Packets like one before that passed and left nothing behind which another like it would change: they pass, too,
 * and most of a batch need no more than this look at their headers. What is remembered holds until a session or the rules
 * change, or any packet opens something, which may put something else out of mind.
 */

import type { Batch } from '../packet/batch.ts'
import { IpProtocol } from '../packet/ip.ts'
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

/** Streams that are remembered at a time, each in a place that a hash chooses; the later of two in one place stays. */
const PLACES_LOG2 = 11
const PLACES = 1 << PLACES_LOG2
/** An odd number whose multiples spread over all bits. */
const SPREAD = 0x9e3779b1
const MOST_ROUNDS = 0x7fffffff

// What is remembered of a stream stands side by side, in so many words:
const STREAM = 8
/** The round in which it was: it is remembered in that one only. */
const ROUND = 0
const SESSION = 1
const PROTOCOL = 2
const SOURCE = 3
const DESTINATION = 4
const PORTS = 5

export class Likeness {
  private readonly streams = new Int32Array(PLACES * STREAM)
  private round = 1

  /** Nothing is known any more. */
  forget(): void {
    if (this.round === MOST_ROUNDS) {
      this.streams.fill(0)
      this.round = 0
    }
    this.round++
  }

  /** The packet at hand, which came from `session` (0: it goes to one), passed and left nothing behind; where others can be like it they are known by it. */
  remember(batch: Batch, session: number, h: Headers): void {
    if (h.protocol !== TCP && h.protocol !== UDP) return
    if (h.transport - h.start !== IP_HEADER || h.moreFragments || h.fragmentOffset !== 0) return
    const { streams } = this
    const ports = batch.view.getInt32(h.transport)
    const place = placeOf(h.source, h.destination, ports)
    streams[place + ROUND] = this.round
    streams[place + SESSION] = session
    streams[place + PROTOCOL] = h.protocol
    streams[place + SOURCE] = h.source
    streams[place + DESTINATION] = h.destination
    streams[place + PORTS] = ports
  }

  /**
   * Whether row `i` is a sound packet like one that is remembered: of its session, with its addresses and ports, whole,
   * without options, and no SYN. Its padding is cut off then.
   */
  covers(batch: Batch, i: number): boolean {
    const { view } = batch
    const { streams } = this
    const length = batch.length[i]!
    const at = batch.offset[i]!
    if (length < LEAST) return false
    const source = view.getInt32(at + 12)
    const destination = view.getInt32(at + 16)
    const ports = view.getInt32(at + IP_HEADER)
    const place = placeOf(source, destination, ports)
    if (streams[place + ROUND] !== this.round || streams[place + SESSION] !== batch.session[i]) return false
    if (streams[place + SOURCE] !== source || streams[place + DESTINATION] !== destination) return false
    const protocol = view.getUint8(at + 9)
    if (streams[place + PORTS] !== ports || streams[place + PROTOCOL] !== protocol) return false
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
}

function placeOf(source: number, destination: number, ports: number): number {
  return (Math.imul(source ^ Math.imul(destination, SPREAD) ^ ports, SPREAD) >>> (32 - PLACES_LOG2)) * STREAM
}
