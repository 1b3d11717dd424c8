/**
 * A data worker: the thread that a Forwarder runs in, with the kernel at both ends. It never yields to an event loop: it
 * blocks in the poller, and drains control's messages when woken.
 */

import { randomFillSync } from 'node:crypto'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { Millis } from '../machine.ts'
import type { Batch } from '../packet/batch.ts'
import type { SegmentArithmetic } from '../packet/cut.ts'
import { Forwarder, type Wires } from './forwarder.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'
import { loadNative } from './native.ts'
import { NativeEngine } from './native-engine.ts'
import { NativeSegments } from './native-segments.ts'
import { raiseThisThread, Steps } from './priority.ts'
import { Stats } from './stats.ts'

/** After a bug the loop rests this long, so that one that comes back at every turn leaves control and the log alive. */
const REST_MILLIS = 100
/** What the poller's answer says, by the order of its descriptors. */
const Ready = { Wake: 1, Udp: 2, Tun: 4, Raw: 8 } as const

class KernelWires implements Wires {
  readonly segments?: SegmentArithmetic
  readonly coalesces: boolean
  private readonly native = loadNative()
  private readonly engine: NativeEngine
  private readonly start: WorkerStart
  private readonly port: MessagePort
  private readonly told: FromWorker[] = []

  constructor(start: WorkerStart, engine: NativeEngine, port: MessagePort) {
    this.start = start
    this.engine = engine
    this.port = port
    this.coalesces = start.coalesced
    if (start.tunOffloads) this.segments = new NativeSegments(this.native, engine)
  }

  receive(batch: Batch, raw: boolean): number {
    const attached = this.engine.attach(batch)
    return raw
      ? this.native.receiveRaw(this.start.rawFd, attached, 0)
      : this.native.receiveUdp(this.start.udpFd, attached, 0)
  }

  filling(raw: boolean): boolean {
    return this.native.isFilling(raw ? this.start.rawFd : this.start.udpFd)
  }

  readTun(batch: Batch, most: number): number {
    const { tunFd, tunOffloads } = this.start
    const attached = this.engine.attach(batch)
    return tunOffloads ? this.native.readSuper(tunFd, attached, 0, most) : this.native.readTun(tunFd, attached, 0, most)
  }

  writeTun(batch: Batch): number {
    const { tunFd, tunOffloads } = this.start
    const attached = this.engine.attach(batch)
    return tunOffloads
      ? this.native.writeSuper(tunFd, attached, batch.count)
      : this.native.writeTun(tunFd, attached, batch.count)
  }

  send(batch: Batch): number {
    return this.native.sendEsp(this.start.udpFd, this.start.rawFd, this.engine.attach(batch), batch.count)
  }

  tell(message: FromWorker): void {
    this.told.push(message)
  }

  /** Hands up what was told since the last time. */
  flush(): void {
    const { told } = this
    if (told.length === 0) return
    const bytes = told.flatMap(m => (m.kind === 'punt' ? [m.bytes.buffer as ArrayBuffer] : []))
    this.port.postMessage(told, bytes)
    told.length = 0
  }
}

function run(start: WorkerStart, port: MessagePort): void {
  raiseThisThread(Steps.worker)
  const native = loadNative()
  const engine = new NativeEngine(native)
  const wires = new KernelWires(start, engine, port)
  const { worker, seed, wakeFd, udpFd, tunFd, rawFd } = start
  const forwarder = new Forwarder({ worker, engine, wires, stats: new Stats(start.stats), seed, fill })
  const poller = native.poller(rawFd >= 0 ? [wakeFd, udpFd, tunFd, rawFd] : [wakeFd, udpFd, tunFd])
  const resting = new Int32Array(new SharedArrayBuffer(4))
  let more = false
  for (let running = true; running; ) {
    const ready = native.wait(poller, more ? 0 : -1)
    try {
      if (ready & Ready.Wake) {
        native.clearEvent(wakeFd)
        running = drain(forwarder, port)
      }
      if (ready & Ready.Udp || more) {
        more = false
        more = forwarder.fromPublic(false, clock) && wires.coalesces
      }
      if (ready & Ready.Raw) forwarder.fromPublic(true, clock)
      if (ready & Ready.Tun) forwarder.fromTun(clock)
      wires.flush()
    } catch (e) {
      wires.tell({ kind: 'bug', text: e instanceof Error ? (e.stack ?? e.message) : String(e) })
      wires.flush()
      Atomics.wait(resting, 0, 0, REST_MILLIS)
    }
  }
  wires.tell({ kind: 'stopped' })
  wires.flush()
}

/** Carries out everything control has sent, in order; answers false when it said to stop. */
function drain(forwarder: Forwarder, port: MessagePort): boolean {
  const now = clock()
  for (let r = receiveMessageOnPort(port); r !== undefined; r = receiveMessageOnPort(port)) {
    for (const message of r.message as readonly ToWorker[]) {
      if (message.kind === 'stop') {
        forwarder.flush(now)
        return false
      }
      forwarder.obey(message, now)
    }
  }
  forwarder.flush(now)
  return true
}

function fill(bytes: Uint8Array): void {
  randomFillSync(bytes)
}

function clock(): Millis {
  return loadNative().now()
}

if (parentPort) run(workerData as WorkerStart, parentPort)
