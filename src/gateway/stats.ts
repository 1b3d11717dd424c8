/** Counters shared between the workers, which add once a batch, and control, which reads them without asking anyone. */

import type { Batch } from '../packet/batch.ts'
import { MAX_PEERS, MAX_SESSIONS } from '../packet/table.ts'
import { dropReasonNames, puntReasonNames, Verdict } from '../packet/verdict.ts'

/** A module's own constants V8 knows as it compiles; what is imported it looks up at each use. */
const FORWARD = Verdict.Forward

/** Counters of one worker that belong to nobody in particular. */
export const WorkerCounter = {
  receivedPackets: 0,
  receivedBytes: 1,
  sentPackets: 2,
  sentBytes: 3,
  toTunPackets: 4,
  fromTunPackets: 5,
  batches: 6,
  injected: 7,
  toTunTurns: 8,
} as const

const GENERAL = Object.keys(WorkerCounter).length
const DROPS = GENERAL
const PUNTS = DROPS + dropReasonNames.length
const WORKER_SIZE = PUNTS + puntReasonNames.length

/**
 * Tables of two columns by peer or session, one behind the other: packets and bytes that came, packets and bytes that went,
 * failures either way. What a packet adds to stands as close together as it can, so that many rows fit into the caches.
 */
const Table = { In: 0, Out: 1, Failed: 2 } as const
const TABLES = Object.keys(Table).length
const COLUMNS = 2
/** Bytes of a row of one of them. */
export const COUNTS_SIZE = 8 * COLUMNS

/** What is handed to a worker thread: shared memory and the worker's number. */
export interface StatsMemory {
  readonly workers: SharedArrayBuffer
  readonly peers: SharedArrayBuffer
  readonly sessions: SharedArrayBuffer
}

export class Stats {
  readonly memory: StatsMemory
  private readonly workers: Float64Array
  /** What the workers' counters had reached when they were last set to zero: none but a worker writes there. */
  private zero = new Float64Array(0)
  private readonly peers: Float64Array
  private readonly sessions: Float64Array

  constructor(memory: StatsMemory) {
    this.memory = memory
    this.workers = new Float64Array(memory.workers)
    this.peers = new Float64Array(memory.peers)
    this.sessions = new Float64Array(memory.sessions)
  }

  static forWorkers(count: number): Stats {
    return new Stats({
      workers: new SharedArrayBuffer(8 * WORKER_SIZE * count),
      peers: new SharedArrayBuffer(8 * TABLES * COLUMNS * MAX_PEERS),
      sessions: new SharedArrayBuffer(8 * TABLES * COLUMNS * MAX_SESSIONS),
    })
  }

  add(worker: number, counter: number, amount: number): void {
    this.workers[worker * WORKER_SIZE + counter]! += amount
  }

  /** A batch of received packets. */
  addReceived(worker: number, batch: Batch): void {
    let bytes = 0
    for (let i = 0; i < batch.count; i++) bytes += batch.length[i]!
    this.add(worker, WorkerCounter.receivedPackets, batch.count)
    this.add(worker, WorkerCounter.receivedBytes, bytes)
  }

  /** The same, when it is clear whose they are. Packets of one peer in a row are added at once, here and below. */
  addOpened(batch: Batch): void {
    const { peer, length, verdict, count } = batch
    let whose = 0
    let packets = 0
    let bytes = 0
    for (let i = 0; i < count; i++) {
      const sender = peer[i]!
      if (sender === 0) continue
      if (verdict[i] !== FORWARD) {
        this.addPeerFailure(sender, false)
        continue
      }
      if (sender !== whose) {
        if (packets > 0) this.addPeer(whose, packets, bytes, false)
        whose = sender
        packets = 0
        bytes = 0
      }
      packets++
      bytes += length[i]!
    }
    if (packets > 0) this.addPeer(whose, packets, bytes, false)
  }

  /** A batch of packets that were sent, or could not be. */
  addSent(worker: number, batch: Batch): void {
    const { peer, length, verdict, count } = batch
    let all = 0
    let whose = 0
    let packets = 0
    let bytes = 0
    for (let i = 0; i < count; i++) {
      const receiver = peer[i]!
      if (verdict[i] !== FORWARD) {
        if (receiver !== 0) this.addPeerFailure(receiver, true)
        continue
      }
      if (receiver !== whose) {
        if (packets > 0) this.addPeer(whose, packets, bytes, true)
        whose = receiver
        packets = 0
        bytes = 0
      }
      packets++
      bytes += length[i]!
      all += length[i]!
    }
    if (packets > 0) this.addPeer(whose, packets, bytes, true)
    this.add(worker, WorkerCounter.sentBytes, all)
  }

  /** What sessions sent or get of a batch. */
  addSessions(batch: Batch, out: boolean): void {
    const { session, length, verdict, count } = batch
    let whose = 0
    let packets = 0
    let bytes = 0
    for (let i = 0; i < count; i++) {
      if (verdict[i] !== FORWARD) continue
      if (session[i] !== whose) {
        if (packets > 0) this.addSession(whose, packets, bytes, out)
        whose = session[i]!
        packets = 0
        bytes = 0
      }
      packets++
      bytes += length[i]!
    }
    if (packets > 0) this.addSession(whose, packets, bytes, out)
  }

  addDrop(worker: number, reason: number, packets = 1): void {
    this.workers[worker * WORKER_SIZE + DROPS + reason]! += packets
  }

  addPunt(worker: number, reason: number): void {
    this.workers[worker * WORKER_SIZE + PUNTS + reason]! += 1
  }

  addPeer(peer: number, packets: number, bytes: number, out: boolean): void {
    const at = ((out ? Table.Out : Table.In) * MAX_PEERS + peer) * COLUMNS
    this.peers[at]! += packets
    this.peers[at + 1]! += bytes
  }

  addPeerFailure(peer: number, out: boolean): void {
    this.peers[(Table.Failed * MAX_PEERS + peer) * COLUMNS + (out ? 1 : 0)]! += 1
  }

  addSession(session: number, packets: number, bytes: number, out: boolean): void {
    const at = ((out ? Table.Out : Table.In) * MAX_SESSIONS + session) * COLUMNS
    this.sessions[at]! += packets
    this.sessions[at + 1]! += bytes
  }

  /** Where the packets and bytes are counted that come or go, by row. For who has their memory come. */
  counts(of: 'peers' | 'sessions', out: boolean): Uint8Array {
    const tables = this.memory[of]
    const size = tables.byteLength / TABLES
    return new Uint8Array(tables, (out ? Table.Out : Table.In) * size, size)
  }

  peer(peer: number): TrafficCounts {
    return traffic(this.peers, peer)
  }

  session(session: number): TrafficCounts {
    return traffic(this.sessions, session)
  }

  /** Zeroes a row that is about to be used by another peer. */
  clearPeer(peer: number): void {
    clear(this.peers, peer)
  }

  clearSession(session: number): void {
    clear(this.sessions, session)
  }

  /** `totals` count from zero again. */
  clearTotals(): void {
    this.zero = this.workers.slice()
  }

  /** What all workers have written to the TUN device since they began, and in how many turns. */
  get written(): { packets: number; writes: number } {
    let [packets, writes] = [0, 0]
    for (let at = 0; at < this.workers.length; at += WORKER_SIZE) {
      packets += this.workers[at + WorkerCounter.toTunPackets]!
      writes += this.workers[at + WorkerCounter.toTunTurns]!
    }
    return { packets, writes }
  }

  /** All workers' counters added up, by name. */
  totals(): Record<string, number> {
    const out: Record<string, number> = {}
    const workers = this.workers.length / WORKER_SIZE
    const sum = (column: number) => {
      let total = 0
      for (let w = 0; w < workers; w++) {
        const at = w * WORKER_SIZE + column
        total += this.workers[at]! - (this.zero[at] ?? 0)
      }
      return total
    }
    for (const [name, column] of Object.entries(WorkerCounter)) out[name] = sum(column)
    dropReasonNames.forEach((name, i) => {
      if (i > 0) out[`drop${name}`] = sum(DROPS + i)
    })
    puntReasonNames.forEach((name, i) => {
      if (i > 0) out[`punt${name}`] = sum(PUNTS + i)
    })
    return out
  }
}

export interface TrafficCounts {
  readonly packetsIn: number
  readonly bytesIn: number
  readonly packetsOut: number
  readonly bytesOut: number
  readonly failedIn: number
  readonly failedOut: number
}

export const NO_TRAFFIC: TrafficCounts = {
  packetsIn: 0,
  bytesIn: 0,
  packetsOut: 0,
  bytesOut: 0,
  failedIn: 0,
  failedOut: 0,
}

export function addTraffic(a: TrafficCounts, b: TrafficCounts, times = 1): TrafficCounts {
  return {
    packetsIn: a.packetsIn + times * b.packetsIn,
    bytesIn: a.bytesIn + times * b.bytesIn,
    packetsOut: a.packetsOut + times * b.packetsOut,
    bytesOut: a.bytesOut + times * b.bytesOut,
    failedIn: a.failedIn + times * b.failedIn,
    failedOut: a.failedOut + times * b.failedOut,
  }
}

function traffic(tables: Float64Array, row: number): TrafficCounts {
  const at = (table: number) => placeOf(tables, table, row)
  return {
    packetsIn: tables[at(Table.In)]!,
    bytesIn: tables[at(Table.In) + 1]!,
    packetsOut: tables[at(Table.Out)]!,
    bytesOut: tables[at(Table.Out) + 1]!,
    failedIn: tables[at(Table.Failed)]!,
    failedOut: tables[at(Table.Failed) + 1]!,
  }
}

function clear(tables: Float64Array, row: number): void {
  for (let table = 0; table < TABLES; table++) {
    const at = placeOf(tables, table, row)
    tables.fill(0, at, at + COLUMNS)
  }
}

function placeOf(tables: Float64Array, table: number, row: number): number {
  return (table * tables.length) / TABLES + row * COLUMNS
}
