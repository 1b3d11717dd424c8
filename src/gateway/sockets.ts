/** Control's own UDP sockets, 500 and 4500, and the datagrams that come in by them. */

import type { Endpoint } from '../packet/ip.ts'
import { concat } from '../packet/writer.ts'
import { type IkeDatagram, IkeQueue } from './ike-queue.ts'
import type { Native, NativeWatcher } from './native.ts'
import type { IkeSockets } from './ports.ts'

export const IKE_PORT = 500
export const IKE_NAT_PORT = 4500
/** Four zero bytes where ESP has its SPI (RFC 3948 section 2.2). */
const NON_ESP_MARKER = new Uint8Array(4)
const KEEPALIVE = Uint8Array.of(0xff)
/** SPI and sequence number. */
const ESP_HEADER = 8
/** Datagrams read at once: what waits here has its order, what waits in the kernel has not. */
const READ_AT_ONCE = 1024
/** What waits is dealt with for so long before other work gets its turn: some messages cost a Diffie-Hellman. */
const TURN_MILLIS = 10
/** So many newcomers are heard in each turn, however much those before them say. */
const NEWCOMERS_A_TURN = 2
/** The longest datagram taken: chains of certificates make IKE messages of several kilobytes, which come as IP fragments. */
export const MAX_DATAGRAM = 16_384 + NON_ESP_MARKER.length

export type DatagramHandler = (local: Endpoint, remote: Endpoint, bytes: Uint8Array) => void

export class ControlSockets implements IkeSockets {
  private readonly native: Native
  private readonly fd500: number
  private readonly fd4500: number
  /** As large as a message of several datagrams may be. */
  private readonly buffer = new Uint8Array(65_536)
  private readonly watchers: NativeWatcher[] = []
  private readonly queue = new IkeQueue()
  private handler: DatagramHandler = () => undefined
  private next: NodeJS.Immediate | undefined
  /** Takes ESP that came by port 4500, where it is of an SA of ours; whoever has workers puts something here. */
  esp: (...datagram: Parameters<DatagramHandler>) => boolean = () => false
  /** Datagrams that were neither IKE nor a keepalive, by why they were dropped. */
  readonly counters = { oversized: 0, noMarker: 0, keepalives: 0, sendFailed: 0, receiveFailed: 0, overrun: 0 }

  /** `fd4500` may be a worker's socket where steering is not to be had: then it is only written here, never read. */
  constructor(native: Native, fd500: number, fd4500: number) {
    this.native = native
    this.fd500 = fd500
    this.fd4500 = fd4500
  }

  listen(handler: DatagramHandler, read4500: boolean): void {
    this.handler = handler
    this.watchers.push(this.native.watch(this.fd500, () => this.drain(this.fd500, IKE_PORT)))
    if (read4500) this.watchers.push(this.native.watch(this.fd4500, () => this.drain(this.fd4500, IKE_NAT_PORT)))
  }

  send(local: Endpoint, remote: Endpoint, bytes: Uint8Array): void {
    const floated = local.port === IKE_NAT_PORT
    const datagram = floated ? concat(NON_ESP_MARKER, bytes) : bytes
    this.transmit(floated ? this.fd4500 : this.fd500, local, remote, datagram)
  }

  keepalive(local: Endpoint, remote: Endpoint): void {
    this.transmit(this.fd4500, local, remote, KEEPALIVE)
  }

  close(): void {
    for (const w of this.watchers) this.native.unwatch(w)
    this.watchers.length = 0
    clearImmediate(this.next)
    this.native.close(this.fd500)
    this.native.close(this.fd4500)
  }

  private transmit(fd: number, local: Endpoint, remote: Endpoint, bytes: Uint8Array): void {
    try {
      if (!this.native.sendTo(fd, local.address, remote.address, remote.port, bytes)) this.counters.sendFailed++
    } catch {
      // Unreachable, or refused by the host's own rules: the peer's retransmission is the cure.
      this.counters.sendFailed++
    }
  }

  private drain(fd: number, port: number): void {
    for (let i = 0; i < READ_AT_ONCE; i++) {
      const d = this.receive(fd)
      if (d === undefined) break
      const [local, remote] = [
        { address: d.local, port },
        { address: d.address, port: d.port },
      ]
      const step = d.segment === 0 ? d.length : d.segment
      let at = 0
      do {
        this.take(local, remote, this.buffer.subarray(at, Math.min(at + step, d.length)))
        at += step
      } while (at < d.length)
    }
    this.counters.overrun = this.queue.dropped
    if (this.next === undefined) this.turn()
  }

  /**
   * One datagram, which is IKE's but where the kernel coalesced it with one before it: then ESP of the same sender may stand
   * behind a message that is as long.
   */
  private take(local: Endpoint, remote: Endpoint, packet: Uint8Array): void {
    if (packet.length > MAX_DATAGRAM) this.counters.oversized++
    else if (local.port === IKE_PORT) this.queue.add({ local, remote, bytes: packet.slice() })
    else if (packet.length === 1 && packet[0] === 0xff) this.counters.keepalives++
    else if (startsWith(packet, NON_ESP_MARKER)) this.queue.add({ local, remote, bytes: packet.slice(4) })
    else if (packet.length < ESP_HEADER || !this.esp(local, remote, packet.slice())) this.counters.noMarker++
  }

  /** Deals with what waits, for a while; the rest when others have had theirs. */
  private turn(): void {
    this.next = undefined
    // Closed meanwhile, by what a message led to.
    if (this.watchers.length === 0) return
    const { queue } = this
    const end = performance.now() + TURN_MILLIS
    let newcomers = 0
    while (performance.now() < end) {
      const begun = queue.takeBegun()
      const datagram = begun ?? queue.takeFirst()
      if (datagram === undefined) return
      if (begun === undefined) newcomers++
      this.handle(datagram)
    }
    for (; newcomers < NEWCOMERS_A_TURN; newcomers++) {
      const datagram = queue.takeFirst()
      if (datagram === undefined) break
      this.handle(datagram)
    }
    if (!queue.empty) this.next = setImmediate(() => this.turn())
  }

  private handle({ local, remote, bytes }: IkeDatagram): void {
    this.handler(local, remote, bytes)
  }

  /** A socket that fails, fails again at its next turn: nothing thrown here may end the daemon. */
  private receive(fd: number) {
    try {
      return this.native.receiveOne(fd, this.buffer)
    } catch {
      this.counters.receiveFailed++
      return undefined
    }
  }
}

function startsWith(packet: Uint8Array, bytes: Uint8Array): boolean {
  return packet.length >= bytes.length && bytes.every((b, i) => packet[i] === b)
}
