/** What the tests of the addon share: addresses, waiting, and descriptors that close themselves. */

import { fileURLToPath } from 'node:url'
import { loadNative, type Native, type NativeBatch } from '../../src/gateway/native.ts'
import { Batch } from '../../src/packet/batch.ts'

export const native: Native = loadNative()

/** Where the addon lies, for threads and processes that load it themselves. */
export const addonPath = fileURLToPath(new URL('../../native/build/Release/floatgate.node', import.meta.url))

export const LOOPBACK = 0x7f000001

export function ipv4(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** A batch and its attachment. */
export function attached(): { batch: Batch; handle: NativeBatch } {
  const batch = new Batch()
  return { batch, handle: native.attach(batch.buffer) }
}

/** Collects descriptors; `closeAll` closes them in the order they were taken. */
export class Descriptors {
  readonly #open: number[] = []

  keep(fd: number): number {
    this.#open.push(fd)
    return fd
  }

  closeAll(): void {
    for (const fd of this.#open.splice(0)) native.close(fd)
  }
}

/** A port that nobody else should have: the addon has no getsockname, so tests choose. */
export function freePort(): number {
  // Below the ephemeral range of Linux (32768 and up), and somewhere else in each test process.
  nextPort = nextPort >= 31_900 ? 20_000 + (process.pid % 10_000) : nextPort + 1
  return nextPort
}
let nextPort = 20_000 + (process.pid % 10_000)

/** Waits until `fd` is readable; throws after two seconds. */
export function waitReadable(fd: number): void {
  const poller = native.poller([fd])
  if (native.wait(poller, 2000) !== 1) throw new Error('nothing became readable within two seconds')
}

/** Receives until `wanted` rows are there, or throws after two seconds. */
export function receiveAll(batch: Batch, wanted: number, fd: number, receive: (from: number) => number): void {
  while (batch.count < wanted) {
    waitReadable(fd)
    batch.count = receive(batch.count)
  }
}

/** Runs `act` and answers the Error that it throws. */
export function thrownBy(act: () => unknown): NodeJS.ErrnoException {
  try {
    act()
  } catch (e) {
    return e as NodeJS.ErrnoException
  }
  throw new Error('nothing was thrown')
}
