/** The ESP engine of the native addon behind the Engine interface. */

import type { Engine, EngineEvent, SaUsage } from '../esp/engine.ts'
import { checkInbound, checkOutbound, checkPeer } from '../esp/rules.ts'
import type { InboundSa, OutboundSa, PeerPath } from '../esp/sa.ts'
import { BATCH_CAPACITY, type Batch, NEAR_CAPACITY } from '../packet/batch.ts'
import type { CryptoName, Native, NativeBatch, NativeEngine as NativeHandle } from './native.ts'

/** From so many packets on it pays to ask for memory ahead. */
const EXPECTED = 8

/**
 * One thread's engine. Unlike the reference it consumes keys: the bytes behind the Secrets of an SA are copied and
 * zeroed, so one SA can be installed once. Wrong arguments throw RangeError and leave the engine as it was.
 */
export class NativeEngine implements Engine {
  private readonly native: Native
  private readonly handle: NativeHandle
  private readonly peers = new Uint32Array(BATCH_CAPACITY)

  /** `crypto` leaves only one to do the work; without it the best one for each batch does. */
  constructor(native: Native, crypto?: CryptoName) {
    this.native = native
    this.handle = crypto === undefined ? native.engine() : native.engine(crypto)
  }

  open(batch: Batch): number {
    return this.native.open(this.handle, this.attach(batch), batch.count)
  }

  seal(batch: Batch): number {
    return this.native.seal(this.handle, this.attach(batch), batch.count)
  }

  expect(batch: Batch): void {
    if (batch.count >= EXPECTED) this.native.expect(this.handle, this.attach(batch), batch.count)
  }

  fetchRows(batch: Batch, of: 'peers' | 'sessions', table: Uint8Array, rowSize: number): void {
    const rows = of === 'sessions' ? batch.session : batch.peer
    // A client's second packet has its rows near.
    if (batch.count > NEAR_CAPACITY || (batch.count >= EXPECTED && rows[0] !== rows[batch.count - 1]))
      this.native.fetchRows(this.attach(batch), batch.count, of === 'sessions', table, rowSize)
  }

  /** The batch as native functions take it. */
  attach(batch: Batch): NativeBatch {
    batch.attached ??= this.native.attach(batch.buffer)
    return batch.attached as NativeBatch
  }

  setPath(path: PeerPath): void {
    checkPeer(path.peer)
    this.native.setPath(this.handle, path.peer, path.local, path.remote, path.port)
  }

  removePeer(peer: number): void {
    this.native.removePeer(this.handle, peer)
  }

  installInbound(sa: InboundSa): void {
    checkInbound(sa)
    const { suite, keys, limits } = sa
    this.native.installInbound(
      this.handle,
      sa.spi,
      sa.peer,
      suite.cipher,
      keys.encryption.reveal(),
      suite.integrity,
      keys.integrity.reveal(),
      sa.replayWindow,
      limits.softBytes,
      limits.hardBytes,
    )
  }

  installOutbound(sa: OutboundSa): void {
    checkOutbound(sa)
    const { suite, keys, limits } = sa
    this.native.installOutbound(
      this.handle,
      sa.spi,
      sa.peer,
      suite.cipher,
      keys.encryption.reveal(),
      suite.integrity,
      keys.integrity.reveal(),
      limits.softBytes,
      limits.hardBytes,
      sa.sequence ?? 0,
    )
  }

  removeInbound(spi: number): void {
    this.native.removeInbound(this.handle, spi)
  }

  peersOf(batch: Batch): Uint32Array {
    this.native.peersOf(this.handle, this.attach(batch), batch.count, this.peers)
    return this.peers
  }

  removeOutbound(peer: number, spi: number): void {
    this.native.removeOutbound(this.handle, peer, spi)
  }

  takeEvents(): EngineEvent[] {
    return this.native.takeEvents(this.handle)
  }

  inboundUsage(spi: number): SaUsage | undefined {
    return this.native.inboundUsage(this.handle, spi)
  }

  outboundUsage(peer: number, spi: number): SaUsage | undefined {
    return this.native.outboundUsage(this.handle, peer, spi)
  }
}
