/** The ESP engine in TypeScript (RFC 4303, 3948): slow and plain, the native engine's oracle in tests. */

import type { Dice } from '../machine.ts'
import { type Batch, SLOT_SIZE } from '../packet/batch.ts'
import { Secret } from '../packet/bytes.ts'
import { readIpv4 as readWord, writeIpv4 as writeWord } from '../packet/ip.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { concat } from '../packet/writer.ts'
import type { Engine, EngineEvent, SaUsage } from './engine.ts'
import { ReplayWindow } from './replay.ts'
import { checkInbound, checkOutbound, checkPeer } from './rules.ts'
import type { InboundSa, OutboundSa, PeerPath, SaKeys, SaLimits, Suite } from './sa.ts'
import {
  cipherSizes,
  DRAFT_SHA256_ICV,
  ESP_HEADER_SIZE,
  ESP_TRAILER_SIZE,
  integritySizes,
  isGcm,
  LAST_SEQUENCE,
  paddingFor,
  SOFT_SEQUENCE,
} from './suites.ts'
import { type Protection, protection } from './transform.ts'

/** What both directions of an SA have. */
interface Row {
  readonly spi: number
  readonly peer: number
  readonly block: number
  readonly iv: number
  readonly sha256: boolean
  icv: number
  /** Its IVs are its sequence numbers (RFC 4106 section 3.1: never one twice under a key), not random bytes. */
  readonly counts: boolean
  readonly protection: Protection
  readonly limits: SaLimits
  readonly usage: { packets: number; bytes: number; badIcv: number; replayed: number }
  softReported: boolean
  hardReported: boolean
}
interface InboundRow extends Row {
  readonly window: ReplayWindow
  /** Whether the length of its ICV is beyond doubt. */
  settled: boolean
}
interface OutboundRow extends Row {
  /** The last sequence number that was used. */
  sequence: number
}
interface PeerRow {
  path: PeerPath | undefined
  /** The path, or where the peer was last reported to have moved: each move is told once. */
  seen: PeerPath | undefined
  /** It cuts SHA-256 to 96 bits. */
  shortIcv: boolean
  /** The newest, which seal uses, last. */
  readonly outbound: OutboundRow[]
}

export class ReferenceEngine implements Engine {
  private readonly dice: Dice
  private readonly peers = new Map<number, PeerRow>()
  private readonly inbound = new Map<number, InboundRow>()
  private readonly events: EngineEvent[] = []

  /** `dice` makes the IVs of CBC. */
  constructor(dice: Dice) {
    this.dice = dice
  }

  open(batch: Batch): number {
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] !== Verdict.Forward) continue
      if (isIke(batch, i)) {
        batch.verdict[i] = Verdict.Punt
        batch.reason[i] = PuntReason.Ike
      } else drop(batch, i, this.openOne(batch, i))
    }
    return this.events.length
  }

  seal(batch: Batch): number {
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] === Verdict.Forward) drop(batch, i, this.sealOne(batch, i))
    }
    return this.events.length
  }

  setPath(path: PeerPath): void {
    const row = this.peerRow(path.peer)
    row.path = row.seen = { ...path }
  }

  removePeer(peer: number): void {
    this.peers.delete(peer)
    for (const [spi, row] of this.inbound) if (row.peer === peer) this.inbound.delete(spi)
  }

  installInbound(sa: InboundSa): void {
    checkInbound(sa)
    this.peerRow(sa.peer)
    const settled = sa.suite.integrity !== 'sha256'
    this.inbound.set(sa.spi, { ...makeRow(sa), window: new ReplayWindow(sa.replayWindow), settled })
  }

  installOutbound(sa: OutboundSa): void {
    checkOutbound(sa)
    this.removeOutbound(sa.peer, sa.spi)
    this.peerRow(sa.peer).outbound.push({ ...makeRow(sa), sequence: sa.sequence ?? 0 })
  }

  removeInbound(spi: number): void {
    this.inbound.delete(spi)
  }

  removeOutbound(peer: number, spi: number): void {
    const rows = this.peers.get(peer)?.outbound
    const at = rows?.findIndex(row => row.spi === spi) ?? -1
    if (at >= 0) rows!.splice(at, 1)
  }

  takeEvents(): EngineEvent[] {
    return this.events.splice(0)
  }

  peersOf(batch: Batch): Uint32Array {
    const holdsSpi = (p: Uint8Array, length: number) => length >= ESP_HEADER_SIZE && length === p.length
    const peerOf = (p: Uint8Array, length: number) => holdsSpi(p, length) && this.inbound.get(readWord(p, 0))?.peer
    return Uint32Array.from({ length: batch.count }, (_, i) => peerOf(batch.packet(i), batch.length[i]!) || 0)
  }

  inboundUsage(spi: number): SaUsage | undefined {
    const row = this.inbound.get(spi)
    return row && { ...row.usage }
  }

  outboundUsage(peer: number, spi: number): SaUsage | undefined {
    const row = this.peers.get(peer)?.outbound.find(r => r.spi === spi)
    return row && { ...row.usage }
  }

  private peerRow(peer: number): PeerRow {
    checkPeer(peer)
    let row = this.peers.get(peer)
    if (!row) this.peers.set(peer, (row = { path: undefined, seen: undefined, shortIcv: false, outbound: [] }))
    return row
  }

  /**
   * 1. tell keepalives from packets too short for an SPI
   * 2. find the SA by SPI; the lengths must fit its suite
   * 3. lifetime, replay window, ICV, each before the next
   * 4. decrypt, check the padding
   * 5. advance the window, count, tell what is new
   */
  private openOne(batch: Batch, i: number): DropReason {
    const at = batch.offset[i]!
    const length = batch.length[i]!
    if (at + length > batch.bytes.length) return DropReason.Truncated
    if (length === 1) return DropReason.Keepalive
    if (length < 4) return DropReason.Truncated
    const packet = batch.bytes.subarray(at, at + length)
    const spi = readWord(packet, 0)

    const sa = this.inbound.get(spi)
    if (!sa) return DropReason.UnknownSpi
    const start = ESP_HEADER_SIZE + sa.iv
    const icv = icvOf(sa, length)
    const end = length - icv
    if (end - start < sa.block) return DropReason.Truncated
    if ((end - start) % sa.block !== 0) return DropReason.BadPadding

    const sequence = readWord(packet, 4)
    if (spent(sa)) return DropReason.LifetimeExpired
    if (!sa.window.check(sequence)) {
      sa.usage.replayed++
      return DropReason.Replayed
    }
    const [header, iv] = [packet.subarray(0, ESP_HEADER_SIZE), packet.subarray(ESP_HEADER_SIZE, start)]
    const plain = sa.protection.open(header, iv, packet.subarray(start), icv)
    if (!plain) {
      sa.usage.badIcv++
      return DropReason.BadIcv
    }

    const padded = plain.length - ESP_TRAILER_SIZE
    const padLength = plain[padded]!
    if (padLength > padded) return DropReason.BadPadding
    for (let p = 1; p <= padLength; p++) {
      if (plain[padded - padLength + p - 1] !== p) return DropReason.BadPadding
    }
    packet.set(plain, start)

    const newer = sequence > sa.window.highest
    sa.window.advance(sequence)
    const carried = padded - padLength
    batch.offset[i] = at + start
    batch.length[i] = carried
    batch.peer[i] = sa.peer
    batch.sa[i] = spi
    batch.protocol[i] = plain[padded + 1]!
    if (sa.usage.packets === 0) this.events.push({ kind: 'first', peer: sa.peer, spi })
    if (!sa.settled) this.settle(sa, icv)
    if (newer) this.follow(sa.peer, batch.local[i]!, batch.address[i]!, batch.port[i]!)
    this.account(sa, carried, true)
    return DropReason.None
  }

  /**
   * 1. find the peer's current SA and way; it must have something left to give
   * 2. the packet that comes out must fit the payload's slot
   * 3. header, IV, padding, trailer; encrypt; ICV
   */
  private sealOne(batch: Batch, i: number): DropReason {
    const row = this.peers.get(batch.peer[i]!)
    const sa = row?.outbound.at(-1)
    if (!row?.path || !sa) return DropReason.NoSa
    if (spent(sa)) return DropReason.LifetimeExpired
    if (sa.sequence === LAST_SEQUENCE) {
      this.tellHard(sa, false)
      return DropReason.LifetimeExpired
    }

    const at = batch.offset[i]!
    const carried = batch.length[i]!
    const padLength = paddingFor(sa.block, carried)
    const start = at - sa.iv - ESP_HEADER_SIZE
    const padded = at + carried + padLength
    const end = padded + ESP_TRAILER_SIZE
    const slot = at - (at % SLOT_SIZE)
    if (start < slot || end + sa.icv > slot + SLOT_SIZE || end + sa.icv > batch.bytes.length) {
      return DropReason.TooBig
    }

    const { bytes } = batch
    const icv = sa.sha256 && row.shortIcv ? DRAFT_SHA256_ICV : sa.icv
    sa.sequence++
    writeWord(bytes, start, sa.spi)
    writeWord(bytes, start + 4, sa.sequence)
    const header = bytes.slice(start, start + ESP_HEADER_SIZE)
    const iv = sa.counts ? concat(new Uint8Array(4), header.subarray(4)) : this.dice(sa.iv)
    bytes.set(iv, start + ESP_HEADER_SIZE)
    for (let p = 1; p <= padLength; p++) bytes[at + carried + p - 1] = p
    bytes[padded] = padLength
    bytes[padded + 1] = batch.protocol[i]!
    bytes.set(sa.protection.seal(header, iv, bytes.subarray(at, end), icv), at)

    batch.offset[i] = start
    batch.length[i] = end + icv - start
    batch.address[i] = row.path.remote
    batch.port[i] = row.path.port
    batch.local[i] = row.path.local
    this.account(sa, carried, false)
    if (sa.sequence >= SOFT_SEQUENCE) this.tellSoft(sa, false)
    return DropReason.None
  }

  /** The first packet has proved how long the peer's ICVs are. */
  private settle(sa: InboundRow, icv: number): void {
    sa.settled = true
    const short = icv !== sa.icv
    const peer = this.peers.get(sa.peer)
    if (peer) peer.shortIcv = short
    if (!short) return
    sa.icv = icv
    this.events.push({ kind: 'shortIcv', peer: sa.peer, spi: sa.spi })
  }

  /** Reports that an authentic packet, newer than all before, came another way than the last one. */
  private follow(peer: number, local: number, remote: number, port: number): void {
    const row = this.peers.get(peer)
    const seen = row?.seen
    if (!seen || (seen.local === local && seen.remote === remote && seen.port === port)) return
    row.seen = { peer, local, remote, port }
    this.events.push({ kind: 'moved', peer, local, remote, port })
  }

  private account(sa: Row, bytes: number, inbound: boolean): void {
    sa.usage.packets++
    sa.usage.bytes += bytes
    const { softBytes, hardBytes } = sa.limits
    if (softBytes > 0 && sa.usage.bytes >= softBytes) this.tellSoft(sa, inbound)
    if (hardBytes > 0 && sa.usage.bytes >= hardBytes) this.tellHard(sa, inbound)
  }

  private tellSoft(sa: Row, inbound: boolean): void {
    if (sa.softReported) return
    sa.softReported = true
    this.events.push({ kind: 'soft', peer: sa.peer, spi: sa.spi, inbound })
  }

  private tellHard(sa: Row, inbound: boolean): void {
    if (sa.hardReported) return
    sa.hardReported = true
    this.events.push({ kind: 'hard', peer: sa.peer, spi: sa.spi, inbound })
  }
}

function makeRow(sa: {
  readonly spi: number
  readonly peer: number
  readonly suite: Suite
  readonly keys: InboundSa['keys']
  readonly limits: SaLimits
}): Row {
  const { cipher, integrity } = sa.suite
  return {
    spi: sa.spi,
    peer: sa.peer,
    block: cipherSizes[cipher].block,
    iv: cipherSizes[cipher].iv,
    sha256: integrity === 'sha256',
    icv: integritySizes[integrity].icv,
    counts: isGcm(cipher),
    protection: protection(sa.suite, copyOf(sa.keys)),
    limits: { ...sa.limits },
    usage: { packets: 0, bytes: 0, badIcv: 0, replayed: 0 },
    softReported: false,
    hardReported: false,
  }
}

/** Whoever installs an SA may use its keys' memory for the next. */
function copyOf({ encryption, integrity }: SaKeys): SaKeys {
  return { encryption: new Secret(encryption.reveal().slice()), integrity: new Secret(integrity.reveal().slice()) }
}

/** The ICV's length; of the two that an unsettled SA may have, a packet's length fits at most one. */
function icvOf(sa: InboundRow, length: number): number {
  const rest = length - ESP_HEADER_SIZE - sa.iv - DRAFT_SHA256_ICV
  return !sa.settled && rest >= 0 && rest % sa.block === 0 ? DRAFT_SHA256_ICV : sa.icv
}

/** Whether the SA has carried all the bytes that it may. */
function spent(sa: Row): boolean {
  return sa.limits.hardBytes > 0 && sa.usage.bytes >= sa.limits.hardBytes
}

/** Whether a datagram begins with the non-ESP marker (RFC 3948 section 2.2). */
function isIke(batch: Batch, i: number): boolean {
  const packet = batch.packet(i)
  return packet.length >= 4 && packet.length === batch.length[i] && readWord(packet, 0) === 0
}

function drop(batch: Batch, i: number, reason: DropReason): void {
  if (reason === DropReason.None) return
  batch.verdict[i] = Verdict.Drop
  batch.reason[i] = reason
}
