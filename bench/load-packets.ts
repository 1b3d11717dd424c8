/** Packets of many clients by the batch: headers in front of them, sealed ahead of time, or from and to a TUN device. */

import { execFileSync } from 'node:child_process'
import type { Native } from '../src/gateway/native.ts'
import type { NativeEngine } from '../src/gateway/native-engine.ts'
import { NativeSegments } from '../src/gateway/native-segments.ts'
import { encapsulate as encapsulateL2tp } from '../src/l2tp/encapsulate.ts'
import { L2tpTable } from '../src/l2tp/table.ts'
import { BATCH_CAPACITY, Batch, NEAR_CAPACITY, READING_ROOM } from '../src/packet/batch.ts'
import { update16 } from '../src/packet/checksum.ts'
import { Cutter } from '../src/packet/cut.ts'
import { emitIpv4, emitUdp, formatIpv4, IpProtocol, type Ipv4, readIpv4 } from '../src/packet/ip.ts'
import { Merger } from '../src/packet/merge.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { encapsulate as encapsulatePpp } from '../src/ppp/encapsulate.ts'
import { PppTable } from '../src/ppp/table.ts'
import type { VpnClient } from '../test/support/vpn-client.ts'
import { SINK_PORT } from './load.ts'

/** The port that all UDP of the load comes from. */
export const SOURCE_PORT = 40_000
/** Batches that are read from the device before something else has its turn. */
const ROUNDS = 8
const MTU = 1400

/** Row `i` of the clients is session and peer `i + 1`. */
export class Packets {
  private readonly native: Native
  private readonly engine: NativeEngine
  private readonly socket: number
  /** Asks for new SAs where the engine says that it is time. */
  private readonly takeEvents: () => void
  private readonly l2tp = new L2tpTable()
  private readonly ppp = new PppTable()
  private readonly outbound = new Batch()
  /** Sealed already: the first `ready` of them, of which `next` goes on, at its row `row`. */
  private readonly prepared: Batch[] = []
  private ready = 0
  private next = 0
  private row = 0
  /** Hosts of their own know nothing of one another: their packets come in turn, and none of theirs together. */
  private apart = false

  constructor(native: Native, engine: NativeEngine, socket: number, takeEvents: () => void) {
    this.native = native
    this.engine = engine
    this.socket = socket
    this.takeEvents = takeEvents
  }

  /** A client is up. */
  install({ lac, address }: VpnClient, row: number): void {
    const call = [...lac.calls.values()].find(c => c.state === 'established')
    if (call === undefined) throw new Error(`${formatIpv4(address)} has no call`)
    this.l2tp.install({
      session: row + 1,
      peer: row + 1,
      localTunnelId: lac.localTunnelId,
      localSessionId: call.localSessionId,
      remoteTunnelId: lac.remoteTunnelId,
      remoteSessionId: call.remoteSessionId,
      remotePort: 1701,
      localPort: 1701,
      template: 0,
      hostName: '',
      sequencing: false,
    })
    this.ppp.set(row + 1, { up: true, compressAddress: false, compressProtocol: false })
  }

  /** One IP packet of the first client's. */
  sendFirst(packet: Uint8Array): void {
    const { outbound } = this
    outbound.clear()
    outbound.session[outbound.push(packet)] = 1
    this.seal(outbound)
    this.send(outbound)
  }

  /** Makes UDP packets of `size` bytes and sends them, from all clients in turn. */
  sender(clients: readonly VpnClient[], to: Ipv4, size: number): (count: number) => number {
    const fill = filler(clients, to, size)
    return count => {
      fill(this.outbound, count)
      this.seal(this.outbound)
      return this.send(this.outbound)
    }
  }

  /** Seals so many of them for `sendPrepared`, in place of what was prepared before. */
  prepare(clients: readonly VpnClient[], to: Ipv4, size: number, count: number): void {
    const fill = filler(clients, to, size)
    this.ready = Math.ceil(count / BATCH_CAPACITY)
    this.next = this.row = 0
    this.apart = clients.length > 1
    for (let i = 0; i < this.ready; i++) {
      const batch = this.prepared[i] ?? new Batch()
      this.prepared[i] = batch
      fill(batch, Math.min(BATCH_CAPACITY, count - i * BATCH_CAPACITY))
      this.seal(batch)
    }
  }

  /** Sends so many of what was prepared; answers how many went, fewer where there are no more. */
  sendPrepared(count: number): number {
    let sent = 0
    for (let left = count; left > 0 && this.next < this.ready; ) {
      const batch = this.prepared[this.next]!
      const end = Math.min(batch.count, this.row + left)
      left -= end - this.row
      sent += this.native.sendEsp(this.socket, -1, this.engine.attach(batch), end, this.apart)
      // What went is not sent again with the rest of its batch.
      batch.verdict.fill(Verdict.Drop, this.row, end)
      this.row = end === batch.count ? 0 : end
      if (this.row === 0) this.next++
    }
    return sent
  }

  /** Gives all clients together a TUN device with their addresses and a route to `to`; answers what writes to it. */
  openTun(clients: readonly VpnClient[], to: string): { readonly name: string; readonly write: (b: Batch) => void } {
    const { native, engine } = this
    const { name, fds, tso } = native.tunOpen('load%d', 1, true)
    if (!tso) throw new Error('the kernel has no TUN offloads: the clients would be the limit')
    const addresses = clients.map(client => `address add ${formatIpv4(client.address)}/32 dev ${name}`)
    const commands = [...addresses, `link set ${name} mtu ${MTU} up`, `route replace ${to}/32 dev ${name}`]
    execFileSync('ip', ['-batch', '-'], { input: commands.join('\n') })
    const rows = new Map(clients.map((client, row) => [client.address, row]))
    const reading = new Batch(READING_ROOM)
    const cutter = new Cutter(new NativeSegments(native, engine))
    const merger = new Merger()
    native.watch(fds[0]!, () => {
      for (let round = 0; round < ROUNDS; round++) {
        reading.count = native.readSuper(fds[0]!, engine.attach(reading), 0, NEAR_CAPACITY)
        if (reading.count === 0) return
        cutter.begin()
        while (cutter.next(reading, this.outbound)) {
          const { outbound } = this
          for (let i = 0; i < outbound.count; i++) {
            outbound.session[i] = 1 + (rows.get(readIpv4(outbound.bytes, outbound.offset[i]! + 12)) ?? 0)
          }
          this.seal(outbound)
          this.send(outbound)
        }
      }
    })
    const write = (batch: Batch) => {
      merger.merge(batch)
      native.writeSuper(fds[0]!, engine.attach(batch), batch.count)
    }
    return { name, write }
  }

  private seal(batch: Batch): void {
    encapsulatePpp(batch, this.ppp)
    encapsulateL2tp(batch, this.l2tp)
    if (this.engine.seal(batch) > 0) this.takeEvents()
  }

  private send(batch: Batch): number {
    return this.native.sendEsp(this.socket, -1, this.engine.attach(batch), batch.count)
  }
}

/**
 * Fills a batch with so many UDP packets of all clients in turn, with right checksums. As with any host that lets its packets be fragmented, no
 * two of a client's in a row have the same identification (RFC 6864 section 4.3): Windows counts up.
 */
function filler(clients: readonly VpnClient[], to: Ipv4, size: number): (batch: Batch, count: number) => void {
  const packets = clients.map(({ address: source }) => {
    const payload = emitUdp(SOURCE_PORT, SINK_PORT, new Uint8Array(size - 28), { source, destination: to })
    return emitIpv4({ source, destination: to, protocol: IpProtocol.Udp, payload })
  })
  const identifications = new Uint16Array(clients.length)
  let next = 0
  return (batch, count) => {
    batch.clear()
    for (let i = 0; i < count; i++) {
      const client = next++ % packets.length
      const row = batch.push(packets[client]!)
      batch.session[row] = client + 1
      identify(batch.bytes, batch.offset[row]!, identifications[client]!++)
    }
  }
}

/** Gives an IPv4 header with identification 0 another one, and its checksum what that changes. */
function identify(bytes: Uint8Array, ip: number, identification: number): void {
  const check = update16((bytes[ip + 10]! << 8) | bytes[ip + 11]!, 0, identification)
  bytes[ip + 4] = identification >>> 8
  bytes[ip + 5] = identification
  bytes[ip + 10] = check >>> 8
  bytes[ip + 11] = check
}
