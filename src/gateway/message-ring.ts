/**
 * What control tells a worker most often, through memory that both have: SAs with their keys, the end of them, and what to
 * inject. Messages of a port bring pieces of memory that the worker's collector has to give back, while packets wait; what
 * comes through the ring brings none. All else goes by the port, and what the ring has no room for; each of these says how
 * much of the ring comes before it.
 */

import type { Cipher, Integrity } from '../esp/sa.ts'
import { cipherSizes, integritySizes } from '../esp/suites.ts'
import type { SaMessage, ToWorker } from './messages.ts'

/** What goes by the port: it is these messages' turn when the ring has been read as far as `at`. */
export interface Posted {
  readonly at: number
  readonly messages: readonly ToWorker[]
}

/** Words of a ring, a power of two: some 4,000 SAs, or 2,000 echoes. */
const RING_WORDS = 65_536
/** In words from the start of the memory, each on a line of its own: how far each end has got, and how often control posted. */
const Place = { Written: 0, Read: 16, Posted: 32 } as const
const HEADER_WORDS = 48

/** A record's kind stands before the number of its words and that of its bytes, which come behind its numbers. */
const Kind = {
  Skip: 0,
  SetPath: 1,
  InstallInbound: 2,
  InstallOutbound: 3,
  RemoveSa: 4,
  RemovePeer: 5,
  Inject: 6,
  InjectFrame: 7,
} as const
const RECORD_HEADER = 3
const HIGH = 2 ** 32

const CIPHERS = Object.keys(cipherSizes) as readonly Cipher[]
const INTEGRITIES = Object.keys(integritySizes) as readonly Integrity[]
const SUITES = CIPHERS.map(cipher => INTEGRITIES.map(integrity => ({ cipher, integrity })))
const NONE = new Uint8Array(0)

/** `words`: a power of two. */
export function ringMemory(words = RING_WORDS): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (HEADER_WORDS + words))
}

/** Both ends' view of the memory. Places count words, modulo 2^32. */
class Ring {
  readonly places: Int32Array
  readonly words: Uint32Array
  readonly bytes: Uint8Array
  readonly mask: number

  constructor(memory: SharedArrayBuffer) {
    this.places = new Int32Array(memory, 0, HEADER_WORDS)
    this.words = new Uint32Array(memory, 4 * HEADER_WORDS)
    this.bytes = new Uint8Array(memory, 4 * HEADER_WORDS)
    this.mask = this.words.length - 1
  }
}

/** Control's end. */
export class RingWriter {
  private readonly ring: Ring
  private readonly post: (posted: Posted) => void
  private written = 0

  /** `post` hands over what goes by the port, at once. */
  constructor(memory: SharedArrayBuffer, post: (posted: Posted) => void) {
    this.ring = new Ring(memory)
    this.post = post
  }

  /** In this order. Keys that went into the ring are zeroed where they were. */
  write(messages: readonly ToWorker[]): void {
    let first = 0
    messages.forEach((m, i) => {
      const record = recordOf(m)
      if (record === undefined) return
      const words = RECORD_HEADER + record.numbers.length + Math.ceil(record.bytes.length / 4)
      if (!this.hasRoom(words)) return
      this.deliver(messages.slice(first, i))
      first = i + 1
      this.put(record, words)
      if (m.kind === 'installInbound' || m.kind === 'installOutbound') record.bytes.fill(0)
    })
    this.deliver(messages.slice(first))
  }

  private deliver(messages: readonly ToWorker[]): void {
    if (messages.length === 0) return
    this.post({ at: this.written, messages })
    Atomics.add(this.ring.places, Place.Posted, 1)
  }

  /** Records do not wrap: one that does not fit before the end begins at the start. */
  private gap(words: number): number {
    const { mask } = this.ring
    const left = mask + 1 - (this.written & mask)
    return words > left ? left : 0
  }

  private hasRoom(words: number): boolean {
    const { places, mask } = this.ring
    const used = (this.written - Atomics.load(places, Place.Read)) | 0
    return used + this.gap(words) + words <= mask + 1
  }

  private put({ kind, numbers, bytes }: Record, words: number): void {
    const { ring } = this
    const gap = this.gap(words)
    if (gap > 0) this.advance(Kind.Skip, gap)
    const at = this.written & ring.mask
    ring.words[at + 2] = bytes.length
    ring.words.set(numbers, at + RECORD_HEADER)
    ring.bytes.set(bytes, 4 * (at + RECORD_HEADER + numbers.length))
    this.advance(kind, words)
  }

  private advance(kind: number, words: number): void {
    const { ring } = this
    const at = this.written & ring.mask
    ring.words[at] = kind
    // Of one word there may be no second.
    if (kind !== Kind.Skip) ring.words[at + 1] = words
    this.written = (this.written + words) | 0
    Atomics.store(ring.places, Place.Written, this.written)
  }
}

interface Record {
  readonly kind: number
  readonly numbers: readonly number[]
  readonly bytes: Uint8Array
}

/** A message as the ring has it, or nothing where it goes by the port. */
function recordOf(m: ToWorker): Record | undefined {
  switch (m.kind) {
    case 'setPath':
      return { kind: Kind.SetPath, numbers: [m.peer, m.local, m.remote, m.port], bytes: NONE }
    case 'installInbound':
      return { kind: Kind.InstallInbound, numbers: numbersOf(m.sa), bytes: m.sa.keys }
    case 'installOutbound':
      return { kind: Kind.InstallOutbound, numbers: numbersOf(m.sa), bytes: m.sa.keys }
    case 'removeSa':
      return { kind: Kind.RemoveSa, numbers: [m.peer, m.inboundSpi, m.outboundSpi], bytes: NONE }
    case 'removePeer':
      return { kind: Kind.RemovePeer, numbers: [m.peer], bytes: NONE }
    case 'inject':
      return { kind: Kind.Inject, numbers: [m.peer], bytes: m.bytes }
    case 'injectFrame':
      return { kind: Kind.InjectFrame, numbers: [m.peer, m.session], bytes: m.bytes }
    default:
      return undefined
  }
}

function numbersOf({ spi, peer, suite, replayWindow, softBytes, hardBytes }: SaMessage): number[] {
  const [cipher, integrity] = [CIPHERS.indexOf(suite.cipher), INTEGRITIES.indexOf(suite.integrity)]
  const limits = [softBytes, hardBytes].flatMap(n => [n % HIGH, Math.floor(n / HIGH)])
  return [spi, peer, cipher, integrity, replayWindow, ...limits]
}
const SA_NUMBERS = 9

/** The worker's end. */
export class RingReader {
  private readonly ring: Ring
  private readonly receive: () => Posted | undefined
  private read = 0
  private received = 0
  /** What came by the port and is not done yet. */
  private posted: Posted | undefined
  private next = 0
  /** Where keys lie until they are installed, and views of it by their length. */
  private readonly keyRoom = new ArrayBuffer(128)
  private readonly keyViews: Uint8Array[] = []

  /** `receive`: what waits longest at the port, which need not be asked where nothing was posted. */
  constructor(memory: SharedArrayBuffer, receive: () => Posted | undefined) {
    this.ring = new Ring(memory)
    this.receive = receive
  }

  /**
   * Gives everything that control has said to `obey`, in order, until that answers false; answers whether it never did. Of a
   * message only numbers and texts outlive the call. Where `obey` throws, the next call goes on behind that message.
   */
  drain(obey: (m: ToWorker) => boolean): boolean {
    const { places } = this.ring
    // In this order: what was posted before the last record that is seen here is then seen as well.
    const written = Atomics.load(places, Place.Written)
    const posts = Atomics.load(places, Place.Posted)
    for (;;) {
      if (this.posted === undefined) {
        if (this.received === posts) break
        this.posted = this.receive()
        this.received = (this.received + 1) | 0
        this.next = 0
      }
      const { at, messages } = this.posted!
      if (!this.readTo(at, obey)) return false
      while (this.next < messages.length) if (!obey(messages[this.next++]!)) return false
      this.posted = undefined
    }
    return this.readTo(written, obey)
  }

  private readTo(end: number, obey: (m: ToWorker) => boolean): boolean {
    const { places, words, mask } = this.ring
    while (((end - this.read) | 0) > 0) {
      const at = this.read & mask
      const kind = words[at]!
      const length = kind === Kind.Skip ? mask + 1 - at : words[at + 1]!
      try {
        if (kind !== Kind.Skip && !obey(this.message(kind, at + RECORD_HEADER, words[at + 2]!))) return false
      } finally {
        this.read = (this.read + length) | 0
        Atomics.store(places, Place.Read, this.read)
      }
    }
    return true
  }

  private message(kind: number, at: number, length: number): ToWorker {
    const { words } = this.ring
    const n = (i: number) => words[at + i]!
    switch (kind) {
      case Kind.SetPath:
        return { kind: 'setPath', peer: n(0), local: n(1), remote: n(2), port: n(3) }
      case Kind.InstallInbound:
        return { kind: 'installInbound', sa: this.sa(at, length) }
      case Kind.InstallOutbound:
        return { kind: 'installOutbound', sa: this.sa(at, length) }
      case Kind.RemoveSa:
        return { kind: 'removeSa', peer: n(0), inboundSpi: n(1), outboundSpi: n(2) }
      case Kind.RemovePeer:
        return { kind: 'removePeer', peer: n(0) }
      case Kind.Inject:
        return { kind: 'inject', peer: n(0), bytes: this.bytes(at + 1, length) }
      case Kind.InjectFrame:
        return { kind: 'injectFrame', peer: n(0), session: n(1), bytes: this.bytes(at + 2, length) }
      default:
        throw new RangeError(`record of kind ${kind}`)
    }
  }

  private bytes(at: number, length: number): Uint8Array {
    return this.ring.bytes.subarray(4 * at, 4 * at + length)
  }

  /** No key stays in the ring. */
  private sa(at: number, length: number): SaMessage {
    const { words, bytes } = this.ring
    this.keyViews[length] ??= new Uint8Array(this.keyRoom, 0, length)
    const keys = this.keyViews[length]!
    const from = 4 * (at + SA_NUMBERS)
    for (let i = 0; i < length; i++) {
      keys[i] = bytes[from + i]!
      bytes[from + i] = 0
    }
    return {
      spi: words[at]!,
      peer: words[at + 1]!,
      suite: SUITES[words[at + 2]!]![words[at + 3]!]!,
      keys,
      replayWindow: words[at + 4]!,
      softBytes: words[at + 5]! + HIGH * words[at + 6]!,
      hardBytes: words[at + 7]! + HIGH * words[at + 8]!,
    }
  }
}
