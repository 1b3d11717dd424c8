/** Control's own UDP sockets, 500 and 4500, and the datagrams that come in by them. */

import type { Endpoint } from '../packet/ip.ts'
import { concat } from '../packet/writer.ts'
import type { Native, NativeWatcher } from './native.ts'
import type { IkeSockets } from './ports.ts'

export const IKE_PORT = 500
export const IKE_NAT_PORT = 4500
/** Four zero bytes where ESP has its SPI (RFC 3948 section 2.2). */
const NON_ESP_MARKER = new Uint8Array(4)
const KEEPALIVE = Uint8Array.of(0xff)
/** Datagrams read before other work gets its turn, and milliseconds: some cost a Diffie-Hellman. */
const TURN = 256
const TURN_MILLIS = 10
/** The longest datagram taken: chains of certificates make IKE messages of several kilobytes, which come as IP fragments. */
export const MAX_DATAGRAM = 16_384 + NON_ESP_MARKER.length

export type DatagramHandler = (local: Endpoint, remote: Endpoint, bytes: Uint8Array) => void

export class ControlSockets implements IkeSockets {
  private readonly native: Native
  private readonly fd500: number
  private readonly fd4500: number
  private readonly buffer = new Uint8Array(MAX_DATAGRAM)
  private readonly watchers: NativeWatcher[] = []
  /** Datagrams that were neither IKE nor a keepalive, by why they were dropped. */
  readonly counters = { oversized: 0, noMarker: 0, keepalives: 0, sendFailed: 0, receiveFailed: 0 }

  /** `fd4500` may be a worker's socket where steering is not to be had: then it is only written here, never read. */
  constructor(native: Native, fd500: number, fd4500: number) {
    this.native = native
    this.fd500 = fd500
    this.fd4500 = fd4500
  }

  listen(handler: DatagramHandler, read4500: boolean): void {
    this.watchers.push(this.native.watch(this.fd500, () => this.drain(this.fd500, IKE_PORT, handler)))
    if (read4500) {
      this.watchers.push(this.native.watch(this.fd4500, () => this.drain(this.fd4500, IKE_NAT_PORT, handler)))
    }
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

  private drain(fd: number, port: number, handler: DatagramHandler): void {
    const end = performance.now() + TURN_MILLIS
    for (let i = 0; i < TURN && performance.now() < end; i++) {
      const d = this.receive(fd)
      if (d === undefined) return
      if (d.length > MAX_DATAGRAM) {
        this.counters.oversized++
        continue
      }
      const local = { address: d.local, port }
      const remote = { address: d.address, port: d.port }
      const packet = this.buffer.subarray(0, d.length)
      const bytes = port === IKE_PORT ? packet.slice() : this.behindMarker(packet)
      if (bytes) handler(local, remote, bytes)
    }
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

  private behindMarker(packet: Uint8Array): Uint8Array | undefined {
    if (packet.length === 1 && packet[0] === 0xff) {
      this.counters.keepalives++
      return undefined
    }
    if (packet.length < 4 || packet[0] !== 0 || packet[1] !== 0 || packet[2] !== 0 || packet[3] !== 0) {
      this.counters.noMarker++
      return undefined
    }
    return packet.slice(4)
  }
}
