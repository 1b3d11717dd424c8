/**
 * What control tells a worker most often, through memory that both have (shared-ring.ts): SAs with their keys, the end of them, and
 * what to inject. All else goes by the port.
 */

import type { Cipher, Integrity } from '../esp/sa.ts'
import { cipherSizes, integritySizes } from '../esp/suites.ts'
import type { SaMessage, ToWorker } from './messages.ts'
import { type Posted, SharedReader, SharedWriter } from './shared-ring.ts'

const Kind = {
  SetPath: 1,
  InstallInbound: 2,
  InstallOutbound: 3,
  RemoveSa: 4,
  RemovePeer: 5,
  Inject: 6,
  InjectFrame: 7,
} as const
const HIGH = 2 ** 32

const CIPHERS = Object.keys(cipherSizes) as readonly Cipher[]
const INTEGRITIES = Object.keys(integritySizes) as readonly Integrity[]
const SUITES = CIPHERS.map(cipher => INTEGRITIES.map(integrity => ({ cipher, integrity })))
const NONE = new Uint8Array(0)

/** Control's end. */
export class RingWriter {
  private readonly shared: SharedWriter<ToWorker>

  /** `post` hands over what goes by the port, at once. */
  constructor(memory: SharedArrayBuffer, post: (posted: Posted<ToWorker>) => void) {
    this.shared = new SharedWriter(memory, post)
  }

  /** In this order. Keys that went into the ring are zeroed where they were. */
  write(messages: readonly ToWorker[]): void {
    for (const m of messages) {
      const record = recordOf(m)
      if (record === undefined || !this.put(record)) this.shared.say(m)
      else if (m.kind === 'installInbound' || m.kind === 'installOutbound') record.bytes.fill(0)
    }
    this.shared.flush()
  }

  private put({ kind, numbers, bytes }: Record): boolean {
    const { ring } = this.shared
    const at = this.shared.begin(kind, numbers.length, bytes.length)
    if (at < 0) return false
    ring.words.set(numbers, at)
    ring.bytes.set(bytes, 4 * (at + numbers.length))
    this.shared.end()
    return true
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

/** The longest message of which the worker keeps a view; who makes longer ones makes a view for each. */
const ROOM = 2048

/** The worker's end, which leaves no garbage: what a message carries lies in one place, and so does the message. */
export class RingReader {
  private readonly shared: SharedReader<ToWorker>
  /** Where the bytes of the message in hand lie, and views of it by their length. */
  private readonly room = new ArrayBuffer(ROOM)
  private readonly views: Uint8Array[] = []
  private readonly path: Own<'setPath'> = { kind: 'setPath', peer: 0, local: 0, remote: 0, port: 0 }
  private readonly sa: Mutable<SaMessage> = {
    spi: 0,
    peer: 0,
    suite: SUITES[0]![0]!,
    keys: NONE,
    replayWindow: 0,
    softBytes: 0,
    hardBytes: 0,
  }
  private readonly inbound: Own<'installInbound'> = { kind: 'installInbound', sa: this.sa }
  private readonly outbound: Own<'installOutbound'> = { kind: 'installOutbound', sa: this.sa }
  private readonly removal: Own<'removeSa'> = { kind: 'removeSa', peer: 0, inboundSpi: 0, outboundSpi: 0 }
  private readonly end: Own<'removePeer'> = { kind: 'removePeer', peer: 0 }
  private readonly injected: Own<'inject'> = { kind: 'inject', peer: 0, bytes: NONE }
  private readonly frame: Own<'injectFrame'> = { kind: 'injectFrame', peer: 0, session: 0, bytes: NONE }
  private readonly decode = (kind: number, at: number, bytes: number): ToWorker => this.message(kind, at, bytes)

  /** `receive`: what waits longest at the port, which need not be asked where nothing was posted. */
  constructor(memory: SharedArrayBuffer, receive: () => Posted<ToWorker> | undefined) {
    this.shared = new SharedReader(memory, receive)
  }

  /**
   * Gives everything that control has said to `obey`, in order, until that answers false; answers whether it never did. Of a
   * message only numbers and texts outlive the call: the next of its kind takes its place. Where `obey` throws, the next call goes on behind that message.
   */
  drain(obey: (m: ToWorker) => boolean): boolean {
    return this.shared.drain(this.decode, obey)
  }

  private message(kind: number, at: number, length: number): ToWorker {
    const { words } = this.shared.ring
    switch (kind) {
      case Kind.SetPath: {
        const m = this.path
        m.peer = words[at]!
        m.local = words[at + 1]!
        m.remote = words[at + 2]!
        m.port = words[at + 3]!
        return m
      }
      case Kind.InstallInbound:
        this.readSa(at, length)
        return this.inbound
      case Kind.InstallOutbound:
        this.readSa(at, length)
        return this.outbound
      case Kind.RemoveSa: {
        const m = this.removal
        m.peer = words[at]!
        m.inboundSpi = words[at + 1]!
        m.outboundSpi = words[at + 2]!
        return m
      }
      case Kind.RemovePeer:
        this.end.peer = words[at]!
        return this.end
      case Kind.Inject:
        this.injected.peer = words[at]!
        this.injected.bytes = this.bytes(at + 1, length)
        return this.injected
      case Kind.InjectFrame:
        this.frame.peer = words[at]!
        this.frame.session = words[at + 1]!
        this.frame.bytes = this.bytes(at + 2, length)
        return this.frame
      default:
        throw new RangeError(`record of kind ${kind}`)
    }
  }

  /** The bytes from a place in the ring on, where they lie until the next message. */
  private bytes(at: number, length: number): Uint8Array {
    const { bytes } = this.shared.ring
    const from = 4 * at
    if (length > ROOM) return bytes.subarray(from, from + length)
    this.views[length] ??= new Uint8Array(this.room, 0, length)
    const own = this.views[length]!
    for (let i = 0; i < length; i++) own[i] = bytes[from + i]!
    return own
  }

  /** No key stays in the ring. */
  private readSa(at: number, length: number): void {
    const { words, bytes } = this.shared.ring
    const { sa } = this
    sa.spi = words[at]!
    sa.peer = words[at + 1]!
    sa.suite = SUITES[words[at + 2]!]![words[at + 3]!]!
    sa.replayWindow = words[at + 4]!
    sa.softBytes = words[at + 5]! + HIGH * words[at + 6]!
    sa.hardBytes = words[at + 7]! + HIGH * words[at + 8]!
    sa.keys = this.bytes(at + SA_NUMBERS, length)
    const from = 4 * (at + SA_NUMBERS)
    bytes.fill(0, from, from + length)
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
/** A message of a kind that is made once and filled anew. */
type Own<K extends ToWorker['kind']> = Mutable<Extract<ToWorker, { kind: K }>>
