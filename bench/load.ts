/** What both sides of the load have in common: ports, the pace, and how a distribution is told. */

import { readFileSync } from 'node:fs'
import type { Engine } from '../src/esp/engine.ts'
import type { NativeEngine } from '../src/gateway/native-engine.ts'
import { type Batch, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { IpProtocol } from '../src/packet/ip.ts'

/** RFC 862 and RFC 863. */
export const ECHO_PORT = 7
export const SINK_PORT = 9
/** TCP ports of the LAN's side: one swallows, the other sends without end. */
export const SWALLOW_PORT = 5001
export const POUR_PORT = 5002
/** For connections to be made and windows to grow, before the time of a transfer begins. */
export const TCP_WARM_MILLIS = 1000

/** What the LAN's card waits with an interrupt for more, as many do that make 20,000 a second. */
export const CARD_MICROS = 50

/** Batches between two looks at the event loop. */
const BATCHES_A_TURN = 4

/**
 * Calls `send` with the number of packets to send, `rate` a second for so long; where the machine kept it from that, it
 * makes up for it for as long again at most. Answers how many `send` said were sent.
 */
export async function blast(seconds: number, rate: number, send: (count: number) => number): Promise<number> {
  const begin = performance.now()
  let offered = 0
  let sent = 0
  for (let now = begin; offered < rate * seconds && now < begin + 2000 * seconds; now = performance.now()) {
    const due = Math.min(((now - begin) / 1000) * rate, rate * seconds) - offered
    for (let i = 0, left = due; i < BATCHES_A_TURN && left >= 1; i++, left -= NEAR_CAPACITY) {
      const count = Math.min(NEAR_CAPACITY, Math.floor(left))
      offered += count
      sent += send(count)
    }
    await new Promise(resolve =>
      due > BATCHES_A_TURN * NEAR_CAPACITY ? setImmediate(resolve) : setTimeout(resolve, 1),
    )
  }
  return sent
}

export interface Quantiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

/** What a client's own ESP sees of everybody's engine: its packets were opened with the batch they came in. */
export function openedAlready(engine: NativeEngine, row: number): Engine {
  const open = (batch: Batch): number => {
    batch.peer.fill(row, 0, batch.count)
    batch.protocol.fill(IpProtocol.Udp, 0, batch.count)
    return 0
  }
  return Object.assign(Object.create(engine) as Engine, { open, takeEvents: () => [] })
}

/** UDP datagrams for this namespace, also those for which a socket had no room. */
export function datagramsReceived(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('Udp:'))
    .map(line => line.split(' '))
  const value = (name: string) => Number(values![names!.indexOf(name)])
  return value('InDatagrams') + value('InErrors')
}
