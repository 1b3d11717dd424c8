/** L2TP in UDP in ESP transport mode from the client's side (RFC 3193): what goes into the engine and what comes out. */

import type { Engine } from '../../src/esp/engine.ts'
import { Batch, MAX_PACKET } from '../../src/packet/batch.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { IpProtocol, type Ipv4, transportChecksum } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import type { InitiatorPair } from './initiator.ts'

const L2TP_PORT = 1701
const UDP_HEADER = 8
/** Share of a byte limit after which it is time for new SAs. */
const SOFT_SHARE = 0.75

export interface ClientEspOptions {
  /** May serve many clients, each by its own row. */
  readonly engine: Engine
  readonly peer: number
  /** Room for one packet at a time, so it may be shared as well. */
  readonly batch?: Batch
  /** Our address as we know it: behind a NAT the private one, over which the UDP checksum is made. */
  readonly address: Ipv4
  readonly server: Ipv4
  /** Our UDP port of L2TP; absent: 1701, as Windows has it. */
  readonly clientPort?: number
  /** Old Androids: of SHA-256's 128 bits it sends 96. */
  readonly cutsSha256?: boolean
}

export class ClientEsp {
  /** What did not open, or was not L2TP with a right checksum. */
  dropped = 0
  /** The newest pair has carried nearly as much as it may. */
  nearsLimit = false
  private newest: InitiatorPair | undefined
  private readonly o: ClientEspOptions
  private readonly batch: Batch
  private readonly scratch = new Uint8Array(2048)
  private readonly clientPort: number
  private port = 0
  private cuts = false

  constructor(o: ClientEspOptions) {
    this.o = o
    this.clientPort = o.clientPort ?? L2TP_PORT
    this.batch = o.batch ?? new Batch()
  }

  /** Takes a pair into use: from now on packets are sealed with it, and its predecessors still open. */
  install(pair: InitiatorPair): void {
    const { engine, peer, address, server } = this.o
    this.port = pair.udpEncapsulated ? 4500 : 0
    this.cuts = this.o.cutsSha256 === true && pair.suite.integrity === 'sha256'
    engine.setPath({ peer, local: address, remote: server, port: this.port })
    this.newest = pair
    this.nearsLimit = false
    const hardBytes = (pair.lifetime.kilobytes ?? 0) * 1024
    const limits = { softBytes: Math.floor(hardBytes * SOFT_SHARE), hardBytes }
    const common = { peer, suite: pair.suite, limits }
    engine.installInbound({ ...common, spi: pair.inboundSpi, keys: secret(pair.inboundKeys), replayWindow: 64 })
    engine.installOutbound({ ...common, spi: pair.outboundSpi, keys: secret(pair.outboundKeys) })
  }

  remove(pair: InitiatorPair): void {
    this.o.engine.removeInbound(pair.inboundSpi)
    this.o.engine.removeOutbound(this.o.peer, pair.outboundSpi)
  }

  removeAll(): void {
    this.o.engine.removePeer(this.o.peer)
  }

  /** The ESP packet around an L2TP packet that is given in pieces, or undefined where there is no SA to seal it with. */
  seal(...pieces: readonly Uint8Array[]): Uint8Array | undefined {
    const { batch, scratch, o } = this
    let length = UDP_HEADER
    for (const piece of pieces) {
      scratch.set(piece, length)
      length += piece.length
    }
    write16(scratch, 0, this.clientPort)
    write16(scratch, 2, L2TP_PORT)
    write16(scratch, 4, length)
    write16(scratch, 6, 0)
    write16(scratch, 6, transportChecksum(scratch, 0, length, o.address, o.server, IpProtocol.Udp) || 0xffff)
    batch.clear()
    const row = batch.push(scratch.subarray(0, length))
    batch.peer[row] = o.peer
    batch.protocol[row] = IpProtocol.Udp
    if (o.engine.seal(batch) > 0) this.look()
    if (batch.verdict[row] !== Verdict.Forward) return undefined
    const packet = batch.packet(row)
    // The engine cuts by itself once the server has; whole packets are told by their length.
    return packet.slice(0, this.cuts && packet.length % 8 === 0 ? -4 : undefined)
  }

  /** The L2TP packet in an ESP packet; valid until the next call. Undefined where it is not one that Windows would take. */
  open(packet: Uint8Array): Uint8Array | undefined {
    const { batch, o } = this
    if (packet.length > MAX_PACKET) return this.drop()
    batch.clear()
    const row = batch.push(packet)
    batch.address[row] = o.server
    batch.local[row] = o.address
    batch.port[row] = this.port
    if (o.engine.open(batch) > 0) this.look()
    if (batch.verdict[row] !== Verdict.Forward || batch.peer[row] !== o.peer) return this.drop()
    const udp = batch.packet(row)
    if (batch.protocol[row] !== IpProtocol.Udp || udp.length < UDP_HEADER || read16(udp, 4) !== udp.length) {
      return this.drop()
    }
    if (read16(udp, 0) !== L2TP_PORT || read16(udp, 2) !== this.clientPort) return this.drop()
    // A checksum of zero is none; any other has to be right over the addresses as the client knows them.
    const wrong =
      read16(udp, 6) !== 0 && transportChecksum(udp, 0, udp.length, o.server, o.address, IpProtocol.Udp) !== 0
    return wrong ? this.drop() : udp.subarray(UDP_HEADER)
  }

  private look(): void {
    for (const e of this.o.engine.takeEvents()) {
      const current = 'spi' in e && (e.spi === this.newest?.inboundSpi || e.spi === this.newest?.outboundSpi)
      if (e.kind === 'soft' && current) this.nearsLimit = true
    }
  }

  private drop(): undefined {
    this.dropped++
    return undefined
  }
}

/** Copies: some engines wipe the keys that they were given. */
function secret(keys: { encryption: Uint8Array; integrity: Uint8Array }) {
  return { encryption: new Secret(keys.encryption.slice()), integrity: new Secret(keys.integrity.slice()) }
}

function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}
