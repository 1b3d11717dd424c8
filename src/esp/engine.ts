/**
 * The ESP engine: opens and seals whole batches. Two implementations, each the other's oracle: the native one
 * (native/esp.cc, reached through src/gateway/native.ts) and the TypeScript reference (reference.ts).
 *
 * `open` takes, in every packet with verdict Forward, the bytes from the ESP header (SPI) to the ICV, with `address`
 * and `port` saying where it came from. In this order (RFC 4303 section 3.4): find the SA by SPI, check the replay
 * window, verify the ICV in constant time, decrypt, check padding, advance the window. Success moves `offset` and
 * `length` to the payload and sets `peer`, `sa` and `protocol`; failure sets verdict Drop and a reason. A packet of one
 * byte is Drop(Keepalive); SPI 0 is Punt(Ike) with the bytes untouched. Until an SA with SHA-256 has opened its first
 * packet, an ICV of 96 bits will do as well as one of 128 (RFC 4868); which of them it was holds from then on.
 *
 * `seal` takes the payload with `peer` and `protocol` set and makes the ESP packet around it in place, with a fresh
 * random IV (AES-GCM: the sequence number, RFC 4106 section 3.1) and the next sequence number of the peer's current outbound SA, padded with 1, 2, 3, ... (RFC 4303 section
 * 2.4); it sets `address`, `port` and `local` from the peer's path. No SA: Drop(NoSa).
 */

import type { Batch } from '../packet/batch.ts'
import type { InboundSa, OutboundSa, PeerPath } from './sa.ts'

/** What the engine has to tell control; drained with takeEvents. */
export type EngineEvent =
  /** The first packet that this inbound SA authenticated: the peer has our keys (an implied third Quick Mode message). */
  | { readonly kind: 'first'; readonly peer: number; readonly spi: number }
  /** The peer cuts SHA-256 to 96 bits, as this inbound SA's first packet showed; seal does the same for it from now on. */
  | { readonly kind: 'shortIcv'; readonly peer: number; readonly spi: number }
  /** An authenticated packet, newer than any before, came from another outer address or port. */
  | {
      readonly kind: 'moved'
      readonly peer: number
      readonly local: number
      readonly remote: number
      readonly port: number
    }
  /** ESP came under an SPI that is no inbound SA's; port 0: native. Told of a few, since anyone can send it. */
  | {
      readonly kind: 'stray'
      readonly spi: number
      readonly local: number
      readonly remote: number
      readonly port: number
    }
  /** The SA passed its soft (once) or hard (once) byte limit or ran out of sequence numbers. */
  | { readonly kind: 'soft' | 'hard'; readonly peer: number; readonly spi: number; readonly inbound: boolean }

export interface SaUsage {
  readonly packets: number
  /** Payload bytes carried. */
  readonly bytes: number
  readonly badIcv: number
  readonly replayed: number
}

export interface Engine {
  /** Sets or replaces the way to a peer. */
  setPath(path: PeerPath): void
  /** Forgets a peer, its path and all its SAs. Unknown peers are no error. */
  removePeer(peer: number): void
  installInbound(sa: InboundSa): void
  /** Installs an outbound SA, which becomes the one that seal uses for its peer; earlier ones stay until removed. */
  installOutbound(sa: OutboundSa): void
  removeInbound(spi: number): void
  /**
   * By row, whose inbound SA has the packet's SPI; 0: nobody's. For who has to know before `open`, which proves it. Holds until
   * it is asked again.
   */
  peersOf(batch: Batch): Uint32Array
  /** Removes one outbound SA; if it was the current one, the newest left takes its place. */
  removeOutbound(peer: number, spi: number): void
  /** Opens every Forward packet of the batch. Answers how many events wait. */
  open(batch: Batch): number
  /** Seals every Forward packet of the batch. Answers how many events wait. */
  seal(batch: Batch): number
  /** Has the memory come that `seal` will look at, of packets that know their peers already. */
  expect?(batch: Batch): void
  /**
   * Has the memory come where a table has rows of the batch's peers or sessions: `rowSize` bytes for each number, from 0 on.
   * Nothing where the batch is of few: their rows are near.
   */
  fetchRows?(batch: Batch, of: 'peers' | 'sessions', table: Uint8Array, rowSize: number): void
  takeEvents(): EngineEvent[]
  inboundUsage(spi: number): SaUsage | undefined
  outboundUsage(peer: number, spi: number): SaUsage | undefined
}
