/** What the kernel tells of the packets that our nftables table logs: a socket, a group of our own, and a bounded share of control's time. */

import type { Native, NativeWatcher } from './native.ts'
import { emitBind, type LoggedPacket, parseAnswer, parsePackets } from './nflog.ts'

/** As much of a packet as its headers need at most: 60 bytes each of IPv4 and TCP. */
export const SNAP_LENGTH = 128
/** Groups are the namespace's: others may have some, gateways beside us among them. */
const FIRST_GROUP = 17_010
const MOST_GROUPS = 32
/** Packets in one message of the kernel's, and how long it waits for them. */
const THRESHOLD = 32
const PATIENCE_MILLIS = 50
const RECEIVE = 65_536
/** Receives before others get their turn. */
const ROUNDS = 8
/** Linux: somebody else hears this group. */
const EBUSY = 16

export class HostLog {
  readonly group: number
  /** How often the kernel could not keep what it had to tell. */
  overruns = 0
  private readonly native: Native
  private readonly fd: number
  private readonly buffer = new Uint8Array(RECEIVE)
  private watcher: NativeWatcher | undefined

  private constructor(native: Native, fd: number, group: number) {
    this.native = native
    this.fd = fd
    this.group = group
  }

  /** Throws an Error where this kernel tells nobody of packets. */
  static open(native: Native): HostLog {
    const fd = native.netfilterSocket(0)
    try {
      for (let i = 0; i < MOST_GROUPS; i++) {
        const error = bind(native, fd, FIRST_GROUP + i)
        if (error === 0) return new HostLog(native, fd, FIRST_GROUP + i)
        if (error !== EBUSY) throw new Error(`nfnetlink_log answers error ${error}`)
      }
      throw new Error('all groups of nfnetlink_log are taken')
    } catch (e) {
      native.close(fd)
      throw e
    }
  }

  /** Calls back with packets as they are told, until close. */
  listen(heard: (packets: readonly LoggedPacket[]) => void): void {
    this.watcher = this.native.watch(this.fd, () => {
      const packets: LoggedPacket[] = []
      for (let i = 0; i < ROUNDS; i++) {
        const length = this.native.netlinkReceive(this.fd, this.buffer)
        if (length === -1) break
        if (length < 0) this.overruns++
        else
          for (const p of parsePackets(this.buffer.subarray(0, length))) packets.push({ ...p, bytes: p.bytes.slice() })
      }
      if (packets.length > 0) heard(packets)
    })
  }

  close(): void {
    if (this.watcher !== undefined) this.native.unwatch(this.watcher)
    this.native.close(this.fd)
  }
}

/** Answers the kernel's error number, or 0. It answers while it is asked. */
function bind(native: Native, fd: number, group: number): number {
  const buffer = new Uint8Array(4096)
  for (const message of emitBind(group, SNAP_LENGTH, THRESHOLD, PATIENCE_MILLIS)) {
    native.netlinkSend(fd, message)
    const length = native.netlinkReceive(fd, buffer)
    const error = length < 0 ? undefined : parseAnswer(buffer.subarray(0, length))
    if (error === undefined) throw new Error('nfnetlink_log does not answer')
    if (error !== 0) return error
  }
  return 0
}
