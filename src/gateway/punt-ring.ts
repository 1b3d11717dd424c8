/**
 * What a worker hands up most often, through memory that control has as well (shared-ring.ts): packets that are control's
 * business, out of the batch itself. All else goes by the port.
 */

import type { Batch } from '../packet/batch.ts'
import type { FromWorker, Punt } from './messages.ts'
import { type Posted, SharedReader, SharedWriter } from './shared-ring.ts'

const PUNT = 1
/** A punt's numbers. */
const Column = { Reason: 0, Peer: 1, Session: 2, Sa: 3, Local: 4, Address: 5, Port: 6 } as const
const COLUMNS = Object.keys(Column).length

/** Packet `i` of the batch as a message, for who keeps it. */
export function puntOf(batch: Batch, i: number): Punt {
  return {
    kind: 'punt',
    reason: batch.reason[i]!,
    peer: batch.peer[i]!,
    session: batch.session[i]!,
    sa: batch.sa[i]!,
    local: batch.local[i]!,
    address: batch.address[i]!,
    port: batch.port[i]!,
    bytes: batch.copy(i),
  }
}

/** The worker's end. */
export class PuntWriter {
  private readonly shared: SharedWriter<FromWorker>
  private readonly wake: () => void
  /** Whether control has not been woken for all of it. */
  private news = false

  /** `post` hands over what goes by the port, at once; `wake` has control look. */
  constructor(memory: SharedArrayBuffer, post: (posted: Posted<FromWorker>) => void, wake: () => void) {
    this.shared = new SharedWriter(memory, post)
    this.wake = wake
  }

  tell(message: FromWorker): void {
    this.shared.say(message)
    this.news = true
  }

  /** Packet `i` of the batch: without garbage while there is room. */
  punt(batch: Batch, i: number): void {
    const length = batch.length[i]!
    const at = this.shared.begin(PUNT, COLUMNS, length)
    if (at < 0) return this.tell(puntOf(batch, i))
    const { words, bytes } = this.shared.ring
    words[at + Column.Reason] = batch.reason[i]!
    words[at + Column.Peer] = batch.peer[i]!
    words[at + Column.Session] = batch.session[i]!
    words[at + Column.Sa] = batch.sa[i]!
    words[at + Column.Local] = batch.local[i]!
    words[at + Column.Address] = batch.address[i]!
    words[at + Column.Port] = batch.port[i]!
    const [from, to] = [batch.offset[i]!, 4 * (at + COLUMNS)]
    for (let k = 0; k < length; k++) bytes[to + k] = batch.bytes[from + k]!
    this.shared.end()
    this.news = true
  }

  /** Sees to it that control hears of everything until now. */
  flush(): void {
    if (!this.news) return
    this.news = false
    this.shared.flush()
    this.wake()
  }
}

/** Control's end, which answers messages that whoever hears them may keep. */
export class PuntReader {
  private readonly shared: SharedReader<FromWorker>
  private readonly arrived: Posted<FromWorker>[] = []

  constructor(memory: SharedArrayBuffer) {
    this.shared = new SharedReader(memory, () => this.arrived.shift())
  }

  /** What came by the port; it is heard with the next `drain`. */
  posted(posted: Posted<FromWorker>): void {
    this.arrived.push(posted)
  }

  /** As the other direction's (message-ring.ts): all that was said, in order, until `hear` answers false. */
  drain(hear: (m: FromWorker) => boolean): boolean {
    return this.shared.drain((kind, at, length) => this.message(kind, at, length), hear)
  }

  private message(kind: number, at: number, length: number): FromWorker {
    if (kind !== PUNT) throw new RangeError(`record of kind ${kind}`)
    const { words, bytes } = this.shared.ring
    const from = 4 * (at + COLUMNS)
    return {
      kind: 'punt',
      reason: words[at + Column.Reason]!,
      peer: words[at + Column.Peer]!,
      session: words[at + Column.Session]!,
      sa: words[at + Column.Sa]!,
      local: words[at + Column.Local]!,
      address: words[at + Column.Address]!,
      port: words[at + Column.Port]!,
      bytes: bytes.slice(from, from + length),
    }
  }
}
