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
import { RingReader } from './message-ring.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'
import { loadNative, type NativePoller } from './native.ts'
import { NativeEngine } from './native-engine.ts'
import { NativeSegments } from './native-segments.ts'
import { raiseThisThread, Steps } from './priority.ts'
import { PuntWriter } from './punt-ring.ts'
import type { Posted } from './shared-ring.ts'
import { Stats } from './stats.ts'

/** After a bug the loop rests this long, so that one that comes back at every turn leaves control and the log alive. */
const REST_MILLIS = 100
/** What a queue answers whose TUN device was deleted. */
const NO_DEVICE = 'EBADFD'
/** What the poller's answer says, by the order of its descriptors. */
const Ready = { Wake: 1, Udp: 2, Tun: 4, Raw: 8 } as const

class KernelWires implements Wires {
  readonly segments?: SegmentArithmetic
  readonly segmentsTcpOnly: boolean
  readonly coalesces: boolean
  private readonly native = loadNative()
  private readonly engine: NativeEngine
  private readonly start: WorkerStart
  private readonly control: PuntWriter

  constructor(start: WorkerStart, engine: NativeEngine, port: MessagePort) {
    this.start = start
    this.engine = engine
    this.control = new PuntWriter(
      start.upRing,
      posted => port.postMessage(posted, posted.messages.flatMap(transferable)),
      () => this.native.signal(start.upFd),
    )
    this.coalesces = start.coalesced
    this.segmentsTcpOnly = start.tunOffloads === 'tcp'
    if (start.tunOffloads !== 'none') this.segments = new NativeSegments(this.native, engine)
  }

  receive(batch: Batch, raw: boolean, most: number): number {
    const attached = this.engine.attach(batch)
    return raw
      ? this.native.receiveRaw(this.start.rawFd, attached, 0, most)
      : this.native.receiveUdp(this.start.udpFd, attached, 0, most)
  }

  receiveFill(raw: boolean): number {
    return this.native.receiveFill(raw ? this.start.rawFd : this.start.udpFd)
  }

  readTun(batch: Batch, most: number): number {
    const { tunFd } = this.start
    const attached = this.engine.attach(batch)
    return this.segments
      ? this.native.readSuper(tunFd, attached, 0, most)
      : this.native.readTun(tunFd, attached, 0, most)
  }

  writeTun(batch: Batch): number {
    const { tunFd } = this.start
    const attached = this.engine.attach(batch)
    return this.segments
      ? this.native.writeSuper(tunFd, attached, batch.count)
      : this.native.writeTun(tunFd, attached, batch.count)
  }

  send(batch: Batch): number {
    return this.native.sendEsp(this.start.udpFd, this.start.rawFd, this.engine.attach(batch), batch.count)
  }

  tell(message: FromWorker): void {
    this.control.tell(message)
  }

  punt(batch: Batch, i: number): void {
    this.control.punt(batch, i)
  }

  /** Control hears what was told since the last time. */
  flush(): void {
    this.control.flush()
  }
}

function transferable(m: FromWorker): ArrayBuffer[] {
  return m.kind === 'punt' ? [m.bytes.buffer as ArrayBuffer] : []
}

/**
 * The thread's loop, a turn of it as a function of its own: V8 compiles what is called again and again, and a loop that never
 * ends only as far as it must.
 */
class Loop {
  private readonly native = loadNative()
  private readonly wires: KernelWires
  private readonly forwarder: Forwarder
  private readonly poller: NativePoller
  private readonly wakeFd: number
  private readonly reader: RingReader
  private readonly resting = new Int32Array(new SharedArrayBuffer(4))
  /** Whether datagrams may wait that no poller tells of. */
  private more = false
  /** When the last wait ended, in milliseconds, and how many microseconds it took. */
  private readonly times = new Float64Array(new ArrayBuffer(16))
  /** When this turn began to carry out what control said. */
  private obeying = 0
  /** Nobody has asked yet for the time of this turn. */
  private fresh = true
  private readonly clock = (): Millis => this.now()
  private readonly obey = (m: ToWorker): boolean => this.carryOut(m)

  constructor(start: WorkerStart, port: MessagePort) {
    const { worker, seed, wakeFd, udpFd, tunFd, rawFd } = start
    const engine = new NativeEngine(this.native)
    this.wires = new KernelWires(start, engine, port)
    this.forwarder = new Forwarder({ worker, engine, wires: this.wires, stats: new Stats(start.stats), seed, fill })
    this.poller = this.native.poller(rawFd >= 0 ? [wakeFd, udpFd, tunFd, rawFd] : [wakeFd, udpFd, tunFd], this.times)
    this.wakeFd = wakeFd
    this.reader = new RingReader(start.ring, () => receiveMessageOnPort(port)?.message as Posted<ToWorker> | undefined)
  }

  /** Why it ends although control did not say so. */
  why: string | undefined

  /** Waits for something and deals with it; answers false when control said to stop, or there is nothing left to serve. */
  turn(): boolean {
    const { native, forwarder, wires, clock } = this
    const ready = native.wait(this.poller, this.more ? 0 : -1)
    this.fresh = true
    const micros = this.times[1]!
    let running = true
    try {
      if (ready & Ready.Wake) {
        native.clearEvent(this.wakeFd)
        this.obeying = clock()
        running = this.reader.drain(this.obey)
        forwarder.flush(this.obeying)
      }
      if (ready & Ready.Udp || this.more) {
        this.more = false
        this.more = forwarder.fromPublic(false, clock, micros) && wires.coalesces
      }
      if (ready & Ready.Raw) forwarder.fromPublic(true, clock, micros)
      if (ready & Ready.Tun) forwarder.fromTun(clock, micros)
      wires.flush()
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === NO_DEVICE) {
        this.why = 'The TUN device is gone: somebody deleted it, and only a gateway that starts anew makes another'
        return false
      }
      // What control said behind what failed is still to be done, and datagrams of a coalesced one may wait.
      native.signal(this.wakeFd)
      this.more = wires.coalesces
      this.tell({ kind: 'bug', text: e instanceof Error ? (e.stack ?? e.message) : String(e) })
      Atomics.wait(this.resting, 0, 0, REST_MILLIS)
    }
    return running
  }

  private carryOut(m: ToWorker): boolean {
    if (m.kind === 'stop') return false
    this.forwarder.obey(m, this.obeying)
    return true
  }

  tell(message: FromWorker): void {
    this.wires.tell(message)
    this.wires.flush()
  }

  /** The wait has told already when the turn began. */
  private now(): Millis {
    if (!this.fresh) return this.native.now()
    this.fresh = false
    return this.times[0]!
  }
}

function run(start: WorkerStart, port: MessagePort): void {
  raiseThisThread(Steps.worker)
  const loop = new Loop(start, port)
  while (loop.turn());
  loop.tell({ kind: 'stopped', ...(loop.why !== undefined && { why: loop.why }) })
}

function fill(bytes: Uint8Array): void {
  randomFillSync(bytes)
}

if (parentPort) run(workerData as WorkerStart, parentPort)
