/**
 * IKE messages in pieces, each a datagram of its own, where a path loses long ones ([MS-IKEE] sections 2.2.3.1 and 3.3;
 * Cisco's are the same): the codec, and the table in which the pieces wait for each other.
 */

import type { Millis } from '../machine.ts'
import { equal } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { Reader } from '../packet/reader.ts'
import { concat, Writer } from '../packet/writer.ts'
import { Exchange, Flag, HEADER_LENGTH, MAX_MESSAGE, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'
import { asIkeError, emitHeader, type Header, parseHeader } from './message.ts'

/** Windows cuts so that no IPv4 packet is longer than this, which every host must be able to take whole. */
const PACKET_LENGTH = 576
/** Generic payload header, fragment ID, number and flags. */
const FRAGMENT_HEADER = 8
const IP_AND_UDP = 28
const NON_ESP_MARKER = 4
/** The longest message that needs no cutting, whichever port it leaves from. */
export const WHOLE_LENGTH = PACKET_LENGTH - IP_AND_UDP - NON_ESP_MARKER
const PIECE_LENGTH = WHOLE_LENGTH - HEADER_LENGTH - FRAGMENT_HEADER
const LAST = 1

/** A certificate chain makes about ten. */
const MAX_NUMBER = 64
/** [MS-IKEE] section 3.3: Windows waits 70 s for the rest, and allows 90. */
const WAIT_MILLIS = 90_000
/** Messages under way at once in one ISAKMP SA. */
const MAX_SETS = 4
/** What may wait for one address, and for all; each piece counts for its bytes and what it costs to keep it. */
const MAX_ADDRESS_BYTES = 64 * 1024
const MAX_BYTES = 4 * 1024 * 1024
const PIECE_COST = 128

export interface Fragment {
  readonly id: number
  /** From 1. */
  readonly number: number
  readonly last: boolean
  readonly data: Uint8Array
}

/** Reads the one payload of a datagram whose header says that it is a piece. Throws IkeError. */
export function parseFragment(datagram: Uint8Array): Fragment {
  const r = new Reader(datagram.subarray(HEADER_LENGTH))
  try {
    // A payload behind it, or a reserved field in use, means nothing here.
    r.u16()
    const length = r.u16()
    const id = r.u16()
    const number = r.u8()
    const flags = r.u8()
    if (length !== datagram.length - HEADER_LENGTH) throw bad(`a length of ${length}`)
    if (number === 0 || number > MAX_NUMBER) throw bad(`number ${number}`)
    if (r.left === 0) throw bad('nothing in it')
    return { id, number, last: (flags & LAST) !== 0, data: r.copy(r.left) }
  } catch (e) {
    throw asIkeError(e)
  }
}

function bad(detail: string): IkeError {
  return new IkeError('bad-fragment', undefined, `a fragment with ${detail}`)
}

export function emitFragment(header: Header, f: Fragment): Uint8Array {
  const length = FRAGMENT_HEADER + f.data.length
  const head = emitHeader({ ...header, flags: header.flags & ~Flag.Encryption }, PayloadType.Fragment, length)
  const w = new Writer(HEADER_LENGTH + length).put(head).u8(PayloadType.None).u8(0).u16(length)
  return w
    .u16(f.id)
    .u8(f.number)
    .u8(f.last ? LAST : 0)
    .put(f.data)
    .bytes()
}

/**
 * Cuts a message, its header included, as Cisco, libreswan and strongSwan do it. The ID comes from the message itself,
 * so that the pieces of a repetition complete what is left of the first time.
 */
export function cut(message: Uint8Array): Uint8Array[] {
  const header = parseHeader(message)
  const id = (message[message.length - 2]! << 8) | message[message.length - 1]! || 1
  const pieces: Uint8Array[] = []
  for (let at = 0, number = 1; at < message.length; at += PIECE_LENGTH, number++) {
    const data = message.slice(at, at + PIECE_LENGTH)
    pieces.push(emitFragment(header, { id, number, last: at + PIECE_LENGTH >= message.length, data }))
  }
  return pieces
}

/** Pieces of one message. */
interface FragmentSet {
  readonly key: string
  readonly owner: string
  readonly address: Ipv4
  readonly expires: Millis
  readonly pieces: Map<number, Uint8Array>
  /** The number of the last piece, once that has come. */
  last: number | undefined
  /** Bytes of its pieces. */
  length: number
}

/** What waits for one address, oldest first. */
interface Waiting {
  readonly sets: Set<FragmentSet>
  cost: number
}

/** The pieces of messages under way: bounded for each ISAKMP SA, each address and all together; the oldest give way. */
export class Reassembler {
  /** Oldest first. */
  private readonly sets = new Map<string, FragmentSet>()
  private readonly byAddress = new Map<Ipv4, Waiting>()
  private cost = 0

  get size(): number {
    return this.sets.size
  }

  /** When the oldest set runs out. */
  get deadline(): Millis | undefined {
    return this.sets.values().next().value?.expires
  }

  /** Forgets what waited too long, and tells how many messages that were. */
  expire(now: Millis): number {
    let expired = 0
    for (const set of this.sets.values()) {
      if (set.expires > now) break
      this.remove(set)
      expired++
    }
    return expired
  }

  /**
   * Takes a piece that came with an ISAKMP SA's cookies (`owner`) from `address`, and gives the joined data when it was
   * the one that lacked. A piece that comes again takes the place of the one before, so that a forged one does no more
   * harm than a lost one. Throws IkeError.
   */
  add(owner: string, address: Ipv4, messageId: number, f: Fragment, now: Millis): Uint8Array | undefined {
    const key = `${owner}.${address}.${messageId}.${f.id}`
    const set = this.sets.get(key) ?? this.open(key, owner, address, now)
    this.put(set, f)
    if (set.length > MAX_MESSAGE) {
      this.remove(set)
      throw new IkeError('fragments-too-long')
    }
    if (set.last !== undefined && set.pieces.size === set.last) {
      this.remove(set)
      return concat(...Array.from({ length: set.last }, (_, i) => set.pieces.get(i + 1)!))
    }
    this.makeRoom(set)
    return undefined
  }

  private open(key: string, owner: string, address: Ipv4, now: Millis): FragmentSet {
    const set: FragmentSet = {
      key,
      owner,
      address,
      expires: now + WAIT_MILLIS,
      pieces: new Map(),
      last: undefined,
      length: 0,
    }
    const waiting = this.byAddress.get(address) ?? { sets: new Set(), cost: 0 }
    const own = [...waiting.sets].filter(s => s.owner === owner)
    if (own.length >= MAX_SETS) this.remove(own[0]!)
    this.byAddress.set(address, waiting)
    waiting.sets.add(set)
    this.sets.set(key, set)
    return set
  }

  private put(set: FragmentSet, f: Fragment): void {
    if (f.last) set.last = f.number
    else if (set.last !== undefined && f.number >= set.last) set.last = undefined
    this.drop(set, f.number)
    set.pieces.set(f.number, f.data)
    this.charge(set, f.data.length, PIECE_COST)
    // Behind the last there is nothing: that was another message's.
    if (set.last !== undefined) for (const n of [...set.pieces.keys()]) if (n > set.last) this.drop(set, n)
  }

  private drop(set: FragmentSet, number: number): void {
    const piece = set.pieces.get(number)
    if (!piece) return
    set.pieces.delete(number)
    this.charge(set, -piece.length, -PIECE_COST)
  }

  private charge(set: FragmentSet, bytes: number, overhead: number): void {
    set.length += bytes
    this.byAddress.get(set.address)!.cost += bytes + overhead
    this.cost += bytes + overhead
  }

  private makeRoom(kept: FragmentSet): void {
    const waiting = this.byAddress.get(kept.address)!
    for (const oldest of waiting.sets) {
      if (waiting.cost <= MAX_ADDRESS_BYTES) break
      if (oldest !== kept) this.remove(oldest)
    }
    for (const oldest of this.sets.values()) {
      if (this.cost <= MAX_BYTES) break
      if (oldest !== kept) this.remove(oldest)
    }
  }

  private remove(set: FragmentSet): void {
    if (!this.sets.delete(set.key)) return
    this.charge(set, -set.length, -set.pieces.size * PIECE_COST)
    const waiting = this.byAddress.get(set.address)!
    waiting.sets.delete(set)
    if (waiting.sets.size === 0) this.byAddress.delete(set.address)
  }
}

/**
 * The message that joined pieces are. With Cisco, libreswan and strongSwan they are all of it, header included; by the
 * letter of [MS-IKEE] the header is that of the pieces. That one has lost its first payload's type and its flags, which
 * follow from the exchange: `encrypted` tells whether this one's messages are by now. Throws IkeError.
 */
export function whole(joined: Uint8Array, header: Header, encrypted: boolean): Uint8Array {
  const cookies = concat(header.initiatorCookie, header.responderCookie)
  if (equal(joined.subarray(0, cookies.length), cookies)) {
    if (parseHeader(joined).nextPayload === PayloadType.Fragment) throw new IkeError('nested-fragment')
    return joined
  }
  const main = encrypted ? PayloadType.Identification : PayloadType.KeyExchange
  const first = header.exchange === Exchange.Main ? main : PayloadType.Hash
  const flags = encrypted ? header.flags | Flag.Encryption : header.flags
  return concat(emitHeader({ ...header, flags }, first, joined.length), joined)
}
