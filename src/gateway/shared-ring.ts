/**
 * A way for messages from one thread to another through memory that both have. Messages of a port bring pieces of memory that
 * collectors have to give back, while packets wait; what comes through a ring brings none. Rare messages go by a port all
 * the same, and what the ring has no room for; each of these says how much of the ring comes before it.
 */

/** What goes by the port: it is these messages' turn when the ring has been read as far as `at`. */
export interface Posted<M> {
  readonly at: number
  readonly messages: readonly M[]
}

/** Words of a ring, a power of two: some 4,000 SAs, or 2,000 echoes. */
const RING_WORDS = 65_536
/** In words from the start of the memory, each on a line of its own: how far each end has got, and how often the first one posted. */
const Place = { Written: 0, Read: 16, Posted: 32 } as const
const HEADER_WORDS = 48

/** A record's kind, which is its sender's business but for this one, stands before the number of its words and that of its bytes. */
const SKIP = 0
const RECORD_HEADER = 3

/** `words`: a power of two. */
export function ringMemory(words = RING_WORDS): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (HEADER_WORDS + words))
}

/** Both ends' view of the memory. Places count words, modulo 2^32. */
export class Ring {
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

/** The end of who speaks. */
export class SharedWriter<M> {
  readonly ring: Ring
  private readonly post: (posted: Posted<M>) => void
  /** What goes by the port and has not yet. */
  private waiting: M[] = []
  private written = 0
  /** Of the record that was begun. */
  private kind = SKIP
  private size = 0

  /** `post` hands over what goes by the port, at once. */
  constructor(memory: SharedArrayBuffer, post: (posted: Posted<M>) => void) {
    this.ring = new Ring(memory)
    this.post = post
  }

  /** By the port, behind whatever was said before: with the next `flush`, or before the next record. */
  say(message: M): void {
    this.waiting.push(message)
  }

  /** Posts what waits. */
  flush(): void {
    const { waiting } = this
    if (waiting.length === 0) return
    this.waiting = []
    this.post({ at: this.written, messages: waiting })
    Atomics.add(this.ring.places, Place.Posted, 1)
  }

  /**
   * Makes room for a record of so many numbers and bytes, which the caller writes from the answered place in `ring.words` on,
   * bytes behind numbers; `end` sends it. -1 where there is no room. `kind`: not 0.
   */
  begin(kind: number, numbers: number, bytes: number): number {
    const words = RECORD_HEADER + numbers + ((bytes + 3) >>> 2)
    if (!this.hasRoom(words)) return -1
    this.flush()
    const { ring } = this
    const gap = this.gap(words)
    if (gap > 0) {
      ring.words[this.written & ring.mask] = SKIP
      this.advance(gap)
    }
    const at = this.written & ring.mask
    ring.words[at + 1] = words
    ring.words[at + 2] = bytes
    this.kind = kind
    this.size = words
    return at + RECORD_HEADER
  }

  /** The record that was begun is whole. */
  end(): void {
    const { ring } = this
    ring.words[this.written & ring.mask] = this.kind
    this.advance(this.size)
  }

  private advance(words: number): void {
    this.written = (this.written + words) | 0
    Atomics.store(this.ring.places, Place.Written, this.written)
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
}

/** What a record says: its kind, where its numbers begin in `ring.words`, and how many bytes stand behind them. */
export type Decode<M> = (kind: number, at: number, bytes: number) => M

/** The end of who hears. */
export class SharedReader<M> {
  readonly ring: Ring
  private readonly receive: () => Posted<M> | undefined
  private read = 0
  private received = 0
  /** What came by the port and is not done yet. */
  private posted: Posted<M> | undefined
  private next = 0

  /** `receive`: what waits longest at the port, which is not asked where nothing was posted. */
  constructor(memory: SharedArrayBuffer, receive: () => Posted<M> | undefined) {
    this.ring = new Ring(memory)
    this.receive = receive
  }

  /**
   * Gives everything that was said to `obey`, in order, until that answers false; answers whether it never did. Where `obey` throws,
   * the next call goes on behind that message. What stands behind something posted that has not arrived waits for it.
   */
  drain(decode: Decode<M>, obey: (m: M) => boolean): boolean {
    const { places } = this.ring
    // In this order: what was posted before the last record that is seen here is then seen as well.
    const written = Atomics.load(places, Place.Written)
    const posts = Atomics.load(places, Place.Posted)
    for (;;) {
      if (this.posted === undefined) {
        if (this.received === posts) break
        this.posted = this.receive()
        if (this.posted === undefined) return true
        this.received = (this.received + 1) | 0
        this.next = 0
      }
      const { at, messages } = this.posted
      if (!this.readTo(at, decode, obey)) return false
      while (this.next < messages.length) if (!obey(messages[this.next++]!)) return false
      this.posted = undefined
    }
    return this.readTo(written, decode, obey)
  }

  private readTo(end: number, decode: Decode<M>, obey: (m: M) => boolean): boolean {
    const { places, words, mask } = this.ring
    while (((end - this.read) | 0) > 0) {
      const at = this.read & mask
      const kind = words[at]!
      // Of one word there may be no second.
      const length = kind === SKIP ? mask + 1 - at : words[at + 1]!
      try {
        if (kind !== SKIP && !obey(decode(kind, at + RECORD_HEADER, words[at + 2]!))) return false
      } finally {
        this.read = (this.read + length) | 0
        Atomics.store(places, Place.Read, this.read)
      }
    }
    return true
  }
}
