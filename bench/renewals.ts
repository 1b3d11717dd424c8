/**
 * Control's part of allocation.bench.ts, in a thread of its own as in the gateway: each time it is asked to it renews SAs, sends
 * echoes, or lets sessions come and go, and hears what the worker has to say.
 */

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { Suite } from '../src/esp/sa.ts'
import { RingWriter } from '../src/gateway/message-ring.ts'
import type { FromWorker, SaMessage, ToWorker } from '../src/gateway/messages.ts'
import { PuntReader } from '../src/gateway/punt-ring.ts'
import type { Posted } from '../src/gateway/shared-ring.ts'
import type { L2tpSessionIds } from '../src/l2tp/effects.ts'

export interface Renewals {
  readonly ring: SharedArrayBuffer
  readonly upRing: SharedArrayBuffer
  readonly port: MessagePort
  readonly turns: SharedArrayBuffer
  readonly suite: Suite
  /** Bytes of both keys. */
  readonly keys: number
  readonly sessions: number
  /** Of the first one's address. */
  readonly inner: number
}

/** Places in `turns`: how often it was asked, how often it has answered, for what, and how many punts it has heard. */
export const Turns = { Asked: 0, Answered: 1, What: 2, Punts: 3 } as const
/** In one turn: a new SA either way for every session, and the end of the old ones; an echo for each; as many sessions that come and go. */
export const What = { Renewals: 0, Echoes: 1, Sessions: 2 } as const
export type What = (typeof What)[keyof typeof What]
/** Messages of one session in each. */
export const MESSAGES = [3, 1, 3] as const

/** Waits until it is another number there: who is woken late, by what was said before, goes on waiting. */
export function awaitChange(places: Int32Array, at: number, from: number): void {
  while (Atomics.load(places, at) === from) Atomics.wait(places, at, from)
}

/** An LCP Echo-Request (RFC 1661 section 5.8) with address and control fields. */
export const ECHO = Uint8Array.of(0xff, 0x03, 0xc0, 0x21, 9, 1, 0, 8, 1, 2, 3, 4)

/** The SPI of a session's SAs, both directions', after so many renewals. */
export const spiOf = (session: number, times: number) => 0x1000 + session + (times << 16)

/** As the gateway (`near`) or the client numbers session `n`. */
export function idsOf(n: number, near: boolean): L2tpSessionIds {
  const [gateway, client] = [
    { tunnel: 1, session: 2 },
    { tunnel: 3, session: 4 },
  ]
  const [own, other] = near ? [gateway, client] : [client, gateway]
  return {
    session: n,
    peer: n,
    localTunnelId: own!.tunnel,
    localSessionId: own!.session,
    remoteTunnelId: other!.tunnel,
    remoteSessionId: other!.session,
    remotePort: 1701,
    localPort: 1701,
    template: 0,
    hostName: '',
    sequencing: false,
  }
}

function run({ ring, upRing, port, turns, suite, keys, sessions, inner }: Renewals): void {
  const places = new Int32Array(turns)
  const writer = new RingWriter(ring, posted =>
    port.postMessage(
      posted,
      posted.messages.flatMap(m => ('sa' in m && typeof m.sa === 'object' ? [m.sa.keys.buffer as ArrayBuffer] : [])),
    ),
  )
  const reader = new PuntReader(upRing)
  const hear = () => {
    for (;;) {
      const posted = receiveMessageOnPort(port)?.message as Posted<FromWorker> | undefined
      if (posted === undefined) break
      reader.posted(posted)
    }
    reader.drain(m => {
      if (m.kind === 'punt') Atomics.add(places, Turns.Punts, 1)
      return true
    })
  }
  const sa = (spi: number, peer: number): SaMessage => ({
    spi,
    peer,
    suite,
    keys: new Uint8Array(keys).fill(spi),
    replayWindow: 64,
    softBytes: 0,
    hardBytes: 0,
  })
  let times = 0
  const messagesOf = (what: number, n: number): ToWorker[] => {
    switch (what) {
      case What.Renewals: {
        const [old, spi] = [spiOf(n, times), spiOf(n, times + 1)]
        return [
          { kind: 'installInbound', sa: sa(spi, n) },
          { kind: 'installOutbound', sa: sa(spi, n) },
          { kind: 'removeSa', peer: n, inboundSpi: old, outboundSpi: old },
        ]
      }
      case What.Echoes:
        return [{ kind: 'injectFrame', peer: n, session: n, bytes: ECHO.slice() }]
      default: {
        const session = n + sessions
        const row = { session, peer: session, address: inner + session, user: `u${session}`, mtu: 1400 }
        return [
          { kind: 'installSession', ids: idsOf(session, true) },
          { kind: 'networkUp', row, compressAddress: false, compressProtocol: false },
          { kind: 'removeSession', session },
        ]
      }
    }
  }
  for (let turn = 0; ; turn++) {
    awaitChange(places, Turns.Asked, turn)
    hear()
    const what = Atomics.load(places, Turns.What)
    const messages: ToWorker[] = []
    for (let n = 1; n <= sessions; n++) messages.push(...messagesOf(what, n))
    if (what === What.Renewals) times++
    writer.write(messages)
    Atomics.store(places, Turns.Answered, turn + 1)
    Atomics.notify(places, Turns.Answered)
  }
}

// Whoever wants but the SPIs gives it no work.
if (workerData) run(workerData as Renewals)
