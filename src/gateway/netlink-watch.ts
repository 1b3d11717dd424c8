/** A netlink socket that is listened to, and how its messages lie behind one another (RFC 3549 section 2.3.2). */

import { endianness } from 'node:os'
import type { Native, NativeWatcher } from './native.ts'

export const LITTLE = endianness() === 'LE'
const HEADER = 16
const RECEIVE = 65_536
/** Receives before others get their turn. */
const ROUNDS = 8

export class NetlinkWatch {
  private readonly native: Native
  private readonly fd: number
  private readonly watcher: NativeWatcher
  private readonly buffer = new Uint8Array(RECEIVE)

  /** `take` has what each receive gave; `lost`: the kernel could not keep some. The socket is the watch's own from now on. */
  constructor(native: Native, fd: number, take: (bytes: Uint8Array) => void, lost: () => void = () => undefined) {
    this.native = native
    this.fd = fd
    this.watcher = native.watch(fd, () => {
      for (let i = 0; i < ROUNDS; i++) {
        const length = native.netlinkReceive(fd, this.buffer)
        if (length === -1) break
        if (length < 0) lost()
        else take(this.buffer.subarray(0, length))
      }
    })
  }

  close(): void {
    this.native.unwatch(this.watcher)
    this.native.close(this.fd)
  }
}

/** Each message's type and what is behind its header, as far as they have the form that they should have. */
export function eachMessage(bytes: Uint8Array, take: (type: number, body: Uint8Array) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, LITTLE)
    if (length < HEADER || length > bytes.length - at) return
    take(view.getUint16(at + 4, LITTLE), bytes.subarray(at + HEADER, at + length))
    at += (length + 3) & ~3
  }
}
