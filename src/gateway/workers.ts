/** The worker threads as control sees them: where to post, how to wake, and what comes up. */

import { Worker } from 'node:worker_threads'
import { type Endpoint, type Ipv4, readIpv4 } from '../packet/ip.ts'
import { workerLimits } from './collector.ts'
import { RingWriter } from './message-ring.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'
import type { Native, TunSteering } from './native.ts'
import { Outbox } from './outbox.ts'
import type { DataPath } from './ports.ts'
import { PuntReader } from './punt-ring.ts'
import { type Posted, ringMemory } from './shared-ring.ts'

interface Thread {
  readonly worker: Worker
  readonly wakeFd: number
  readonly stopped: Promise<void>
  readonly outbox: Outbox
}

/** What a worker says is heard for so long before other work gets its turn. */
const TURN_MILLIS = 10

export class Workers implements DataPath {
  private readonly native: Native
  private readonly threads: Thread[] = []
  private readonly steering: TunSteering | undefined
  private stopping = false
  private die: (worker: number) => void = () => undefined
  /** Resolves with a worker's number when its thread ended without being told to: its peers are cut off. */
  readonly died = new Promise<number>(resolve => {
    this.die = resolve
  })

  /** `steering` are the maps of steerTun, undefined where one worker gets everything. */
  constructor(native: Native, steering: TunSteering | undefined) {
    this.native = native
    this.steering = steering
  }

  get workers(): number {
    return this.threads.length
  }

  start(
    start: Omit<WorkerStart, 'wakeFd' | 'ring' | 'upFd' | 'upRing'>,
    on: (worker: number, message: FromWorker) => void,
  ): void {
    const wakeFd = this.native.eventFd()
    const upFd = this.native.eventFd()
    const [ring, upRing] = [ringMemory(), ringMemory()]
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { ...start, wakeFd, ring, upFd, upRing } satisfies WorkerStart,
      name: `data-${start.worker}`,
      resourceLimits: workerLimits,
    })
    const reader = new PuntReader(upRing)
    const hear = (millis: number) => {
      const end = performance.now() + millis
      return reader.drain(m => {
        on(start.worker, m)
        return performance.now() < end
      })
    }
    const listen = () => {
      this.native.clearEvent(upFd)
      let all = false
      try {
        all = hear(TURN_MILLIS)
      } finally {
        // The rest, too, where one could not be heard.
        if (!all) this.native.signal(upFd)
      }
    }
    const watcher = this.native.watch(upFd, listen)
    const stopped = new Promise<void>(resolve => {
      worker.on('exit', () => {
        this.native.unwatch(watcher)
        hear(Number.POSITIVE_INFINITY)
        this.native.close(upFd)
        // Of one that died there may be keys in it.
        new Uint8Array(ring).fill(0)
        if (!this.stopping) this.die(start.worker)
        resolve()
      })
    })
    worker.on('message', (posted: Posted<FromWorker>) => {
      reader.posted(posted)
      this.native.signal(upFd)
    })
    worker.on('error', e => on(start.worker, { kind: 'bug', text: e.stack ?? e.message }))
    const writer = new RingWriter(ring, posted => worker.postMessage(posted, posted.messages.flatMap(transferable)))
    const outbox = new Outbox(messages => {
      writer.write(messages)
      this.native.signal(wakeFd)
    })
    this.threads.push({ worker, wakeFd, stopped, outbox })
  }

  post(worker: number, message: ToWorker): void {
    this.threads[worker]?.outbox.add(message)
  }

  /** ESP that came to control goes to the worker that its SPI names. */
  arrived(local: Endpoint, { address, port }: Endpoint, bytes: Uint8Array): true {
    this.post(readIpv4(bytes, 0) % this.workers, { kind: 'arrived', local: local.address, address, port, bytes })
    return true
  }

  steer(address: Ipv4, worker: number | undefined): void {
    if (this.steering === undefined) return
    const { addresses } = this.steering
    if (worker === undefined) this.native.steerTunDelete(addresses, address)
    else this.native.steerTunSet(addresses, address, worker)
  }

  share(address: Ipv4): void {
    if (this.steering !== undefined) this.native.steerTunShare(this.steering.addresses, address)
  }

  steerPort(address: Ipv4, protocol: number, port: number, worker: number | undefined): void {
    if (this.steering === undefined) return
    const { ports } = this.steering
    if (worker === undefined) this.native.steerTunDeletePort(ports, address, protocol, port)
    else this.native.steerTunSetPort(ports, address, protocol, port, worker)
  }

  /** Ends every thread after it has carried out what was posted before. */
  async stop(): Promise<void> {
    this.stopping = true
    for (let i = 0; i < this.threads.length; i++) this.post(i, { kind: 'stop' })
    await Promise.all(this.threads.map(t => t.stopped))
    for (const t of this.threads) this.native.close(t.wakeFd)
    this.threads.length = 0
  }
}

/** Keys move rather than being copied, so that no second copy lingers in control. */
function transferable(m: ToWorker): ArrayBuffer[] {
  if (m.kind !== 'installInbound' && m.kind !== 'installOutbound') return []
  return [m.sa.keys.buffer as ArrayBuffer]
}
