/**
 * UDP of clients by the many where the TUN device takes no super-segments of it (before Linux 6.2): what is written waits for a
 * thread of the kernel's, which finds it together and merges it. Only while much comes at a time, since what comes alone would
 * pay for a thread that is woken (docs/adr/0031).
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Native } from './native.ts'
import { Steps } from './priority.ts'

/** As ethtool calls them: UDP that is forwarded is merged, where the device merges at all. */
const MERGES_UDP = 'rx-udp-gro-forwarding'
const MERGES = 'rx-gro'

const LOOK_MILLIS = 500
/** Packets that a worker writes at a time, on an average: from so many on they are merged, */
const MANY = 8
/** and of fewer in all nothing is said. */
const ENOUGH = 32
/** After so many looks that found fewer they are not. */
const PATIENCE = 4

/** What is asked of the host. */
export interface MergingHost {
  read(path: string): string
  write(path: string, text: string): void
  /** The numbers of the threads whose name begins so. */
  threads(prefix: string): number[]
  setPriority(thread: number, niceness: number): void
}

type Merging = Pick<Native, 'setDeviceFeature' | 'yieldThread'>

export class TunMerging {
  private readonly native: Merging
  private readonly host: MergingHost
  private readonly device: string
  private readonly threads: readonly number[]
  private on = false
  private few = 0
  private packets = 0
  private writes = 0
  private timer: NodeJS.Timeout | undefined

  private constructor(native: Merging, device: string, threads: readonly number[], host: MergingHost) {
    this.native = native
    this.device = device
    this.threads = threads
    this.host = host
  }

  /**
   * For a device whose queues are polled. Undefined where any of it cannot be: without threads, or where they came behind
   * all else that the host does, packets would wait.
   */
  static of(
    native: Merging,
    tun: { readonly name: string; readonly index: number; readonly fds: readonly number[] },
    host: MergingHost = realHost,
  ): TunMerging | undefined {
    const prefix = `napi/${tun.name}-`
    try {
      // Of another namespace's device of that name nothing is wanted.
      if (Number(host.read(`/sys/class/net/${tun.name}/ifindex`)) !== tun.index) return undefined
      if (!native.setDeviceFeature(tun.name, MERGES_UDP, true)) return undefined
      const others = host.threads(prefix)
      host.write(threadedOf(tun.name), '1')
      const threads = host.threads(prefix).filter(t => !others.includes(t))
      if (threads.length !== tun.fds.length) return undefined
      const merging = new TunMerging(native, tun.name, threads, host)
      merging.turn(true)
      merging.turn(false)
      return merging
    } catch {
      return undefined
    }
  }

  /** Looks from now on at what `count` answers: the packets that the workers have written, and in how many turns. */
  watch(count: () => { readonly packets: number; readonly writes: number }): void {
    this.timer = setInterval(() => this.look(count()), LOOK_MILLIS).unref()
  }

  end(): void {
    clearInterval(this.timer)
  }

  look({ packets, writes }: { readonly packets: number; readonly writes: number }): void {
    const came = packets - this.packets
    const many = came >= ENOUGH && came >= MANY * (writes - this.writes)
    this.packets = packets
    this.writes = writes
    this.few = many ? 0 : this.few + 1
    if (many === this.on || (this.on && this.few < PATIENCE)) return
    try {
      this.turn(many)
    } catch {
      // A kernel that has made the threads anew, or a host that lets us no more: as if it could not be.
      this.end()
    }
  }

  private turn(on: boolean): void {
    if (!on) this.host.write(threadedOf(this.device), '0')
    else
      for (const thread of this.threads) {
        // Else each packet's coming would take the processor from the worker that writes, and be merged with none.
        this.native.yieldThread(thread)
        this.host.setPriority(thread, -Steps.worker)
      }
    this.native.setDeviceFeature(this.device, MERGES, on)
    if (on) this.host.write(threadedOf(this.device), '1')
    this.on = on
  }
}

function threadedOf(device: string): string {
  return `/sys/class/net/${device}/threaded`
}

const realHost: MergingHost = {
  read: path => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
  threads: prefix =>
    readdirSync('/proc')
      .filter(name => /^\d+$/.test(name) && nameOf(name).startsWith(prefix))
      .map(Number),
  setPriority,
}

function nameOf(process: string): string {
  try {
    return readFileSync(`/proc/${process}/comm`, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}
