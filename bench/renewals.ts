/**
 * Control's part of allocation.bench.ts, in a thread of its own as in the gateway: each time it is asked to it gives some
 * sessions new SAs, and takes the old ones away.
 */

import { type MessagePort, workerData } from 'node:worker_threads'
import type { Suite } from '../src/esp/sa.ts'
import { RingWriter } from '../src/gateway/message-ring.ts'
import type { SaMessage, ToWorker } from '../src/gateway/messages.ts'

export interface Renewals {
  readonly ring: SharedArrayBuffer
  readonly port: MessagePort
  /** How often it was asked, and how often it has answered. */
  readonly turns: SharedArrayBuffer
  readonly suite: Suite
  /** Bytes of both keys. */
  readonly keys: number
  readonly sessions: number
  /** Of one turn. */
  readonly count: number
}

/** The SPI of a session's SAs, both directions', after so many renewals. */
export const spiOf = (session: number, times: number) => 0x1000 + session + (times << 16)

function run({ ring, port, turns, suite, keys, sessions, count }: Renewals): void {
  const places = new Int32Array(turns)
  const writer = new RingWriter(ring, posted =>
    port.postMessage(
      posted,
      posted.messages.flatMap(m => ('sa' in m && typeof m.sa === 'object' ? [m.sa.keys.buffer as ArrayBuffer] : [])),
    ),
  )
  const sa = (spi: number, peer: number): SaMessage => ({
    spi,
    peer,
    suite,
    keys: new Uint8Array(keys).fill(spi),
    replayWindow: 64,
    softBytes: 0,
    hardBytes: 0,
  })
  let done = 0
  for (let turn = 0; ; turn++) {
    Atomics.wait(places, 0, turn)
    const messages: ToWorker[] = []
    for (let i = 0; i < count; i++, done++) {
      const peer = 1 + (done % sessions)
      const times = Math.floor(done / sessions)
      const [old, spi] = [spiOf(peer, times), spiOf(peer, times + 1)]
      messages.push({ kind: 'installInbound', sa: sa(spi, peer) }, { kind: 'installOutbound', sa: sa(spi, peer) })
      messages.push({ kind: 'removeSa', peer, inboundSpi: old, outboundSpi: old })
    }
    writer.write(messages)
    Atomics.store(places, 1, turn + 1)
    Atomics.notify(places, 1)
  }
}

// Whoever wants but the SPIs gives it no work.
if (workerData) run(workerData as Renewals)
