/**
 * IKE datagrams that wait for control: who has begun comes before who begins. When thousands dial at once, a gateway that
 * answered everybody in turn would answer each too late; so it lets in as many as it can carry to the end.
 */

import type { Endpoint } from '../packet/ip.ts'

export interface IkeDatagram {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly bytes: Uint8Array
}

/** What may wait of each kind, in bytes. */
const MOST_BYTES = 16 << 20
/** What a datagram takes beside its bytes. */
const OVERHEAD = 200
const RESPONDER_COOKIE = { start: 8, end: 16 } as const

export class IkeQueue {
  /** Datagrams for which there was no room. */
  dropped = 0
  private readonly begun: IkeDatagram[] = []
  private head = 0
  private begunBytes = 0
  /** By who begins: one that repeats itself meanwhile waits but once. */
  private readonly first = new Map<string, IkeDatagram>()
  private firstBytes = 0

  add(datagram: IkeDatagram): void {
    const { bytes } = datagram
    const size = bytes.length + OVERHEAD
    if (!isFirst(bytes)) {
      if (this.begunBytes + size > MOST_BYTES) this.dropped++
      else {
        this.begun.push(datagram)
        this.begunBytes += size
      }
      return
    }
    const key = keyOf(datagram)
    const before = this.first.get(key)
    const more = size - (before === undefined ? 0 : before.bytes.length + OVERHEAD)
    if (this.firstBytes + more > MOST_BYTES) this.dropped++
    else {
      this.first.set(key, datagram)
      this.firstBytes += more
    }
  }

  /** The next of those who have begun. */
  takeBegun(): IkeDatagram | undefined {
    const next = this.begun[this.head]
    if (next === undefined) return undefined
    this.begunBytes -= next.bytes.length + OVERHEAD
    if (++this.head === this.begun.length) {
      this.begun.length = this.head = 0
    } else if (this.head === 4096) {
      this.begun.splice(0, this.head)
      this.head = 0
    }
    return next
  }

  /** The next of those who begin. */
  takeFirst(): IkeDatagram | undefined {
    for (const [key, next] of this.first) {
      this.first.delete(key)
      this.firstBytes -= next.bytes.length + OVERHEAD
      return next
    }
    return undefined
  }

  get empty(): boolean {
    return this.begun.length === 0 && this.first.size === 0
  }
}

/** Whether our cookie is not in it yet. */
function isFirst(bytes: Uint8Array): boolean {
  if (bytes.length < RESPONDER_COOKIE.end) return false
  for (let i = RESPONDER_COOKIE.start; i < RESPONDER_COOKIE.end; i++) if (bytes[i] !== 0) return false
  return true
}

function keyOf({ remote, bytes }: IkeDatagram): string {
  const cookie = String.fromCharCode(...bytes.subarray(0, RESPONDER_COOKIE.start))
  return `${remote.address}:${remote.port} ${cookie}`
}
