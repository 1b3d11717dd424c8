/**
 * The stages of L2TP and PPP and the merging of segments, each alone, by the `benchmark` package: nanoseconds a packet in full
 * batches. What one of them puts in front of a packet the next takes away again, so a figure is there and back.
 */

import Benchmark from 'benchmark'
import { decapsulate as decapsulateL2tp } from '../src/l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../src/l2tp/encapsulate.ts'
import { L2tpTable } from '../src/l2tp/table.ts'
import { BATCH_CAPACITY, Batch } from '../src/packet/batch.ts'
import { ipv4, TcpFlag } from '../src/packet/ip.ts'
import { Merger } from '../src/packet/merge.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { decapsulate as decapsulatePpp } from '../src/ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../src/ppp/encapsulate.ts'
import { PppTable } from '../src/ppp/table.ts'
import { tcpPacket } from '../test/support/segments.ts'
import { note } from './rows.ts'

const SECONDS = 0.5
const PAYLOAD = 1360

/** A full batch of TCP segments: of one connection, each where the last ends, or each of another connection. */
function segments(connections: number): Batch {
  const batch = new Batch()
  for (let i = 0; i < BATCH_CAPACITY; i++) {
    const row = batch.push(
      tcpPacket({
        ...{ source: ipv4('10.9.0.1'), destination: ipv4('192.168.8.10'), destinationPort: 443 },
        sourcePort: 1024 + (i % connections),
        sequence: 1 + Math.floor(i / connections) * PAYLOAD,
        flags: TcpFlag.Ack,
        payload: new Uint8Array(PAYLOAD),
      }),
    )
    batch.session[row] = 1
    batch.peer[row] = 1
  }
  return batch
}

/** Nanoseconds a packet: the best sample, since others use the machine too. */
function tell(what: string, batch: Batch, run: () => void): void {
  const bench = new Benchmark(what, run, { maxTime: SECONDS, minSamples: 5 })
  bench.run()
  if (bench.error !== undefined) throw bench.error
  if (batch.verdict.subarray(0, batch.count).some(v => v !== Verdict.Forward))
    throw new Error(`${what}: a packet is lost`)
  const value = (Math.min(...bench.stats.sample) * 1e9) / batch.count
  process.stdout.write(`${what.padEnd(44)} ${value.toFixed(1).padStart(7)} ns/packet\n`)
  note({ what, value, unit: 'ns/packet' })
}

const l2tp = new L2tpTable()
const ppp = new PppTable()
const ids = { localTunnelId: 1, localSessionId: 2, remoteTunnelId: 1, remoteSessionId: 2 }
const ports = { remotePort: 1701, localPort: 1701 }
l2tp.install({ session: 1, peer: 1, ...ids, ...ports, template: 0, hostName: '', sequencing: false })
ppp.set(1, { up: true, compressAddress: false, compressProtocol: false })

const packets = segments(1)
tell('PPP, there and back', packets, () => {
  encapsulatePpp(packets, ppp)
  decapsulatePpp(packets, ppp)
})
tell('PPP in L2TP, there and back', packets, () => {
  encapsulatePpp(packets, ppp)
  encapsulateL2tp(packets, l2tp)
  decapsulateL2tp(packets, l2tp)
  decapsulatePpp(packets, ppp)
})
const merger = new Merger()
for (const connections of [1, 8, BATCH_CAPACITY]) {
  const batch = segments(connections)
  tell(`merging, ${connections} connection${connections === 1 ? '' : 's'} in a batch`, batch, () => merger.merge(batch))
}
