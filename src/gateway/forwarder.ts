/**
 * The packet's way, by the batch: one worker's engine and tables, and what moves packets in and out as an argument. Read
 * top-down it is the data path.
 *
 *   in    receive -> open -> l2tp.decapsulate -> ppp.decapsulate -> filterIn -> merge -> writeTun
 *   out   readTun -> filterOut -> cut -> ppp.encapsulate -> l2tp.encapsulate -> seal -> send
 */

import type { Engine } from '../esp/engine.ts'
import { filterIn, filterOut } from '../firewall/filter.ts'
import { FirewallTables } from '../firewall/tables.ts'
import { decapsulate as decapsulateL2tp } from '../l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../l2tp/encapsulate.ts'
import { L2tpTable } from '../l2tp/table.ts'
import type { Millis } from '../machine.ts'
import { BATCH_CAPACITY, Batch, COALESCED_ROOM, MAX_PACKET, NEAR_CAPACITY, READING_ROOM } from '../packet/batch.ts'
import { Cutter, holdsSuper, packetsIn, packetsOf, type SegmentArithmetic } from '../packet/cut.ts'
import { readIpv4 as readWord } from '../packet/ip.ts'
import { Merger } from '../packet/merge.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { decapsulate as decapsulatePpp } from '../ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../ppp/encapsulate.ts'
import { PppTable } from '../ppp/table.ts'
import { Ahead } from './ahead.ts'
import { Alone } from './alone.ts'
import { answerQuestion, waitingNews } from './firewall-messages.ts'
import { Helping } from './helping.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { Mirror } from './mirror.ts'
import { PuntLimit } from './punt-limit.ts'
import { SaRoom } from './security-association.ts'
import { FairShare } from './share.ts'
import { type Stats, WorkerCounter } from './stats.ts'

/** What moves packets: the kernel in a worker thread, arrays in a simulation. */
export interface Wires {
  /** Where the TUN device gives and takes super-segments: who copies and sums them. */
  readonly segments?: SegmentArithmetic
  /** It takes none of UDP; absent: it does. */
  readonly segmentsTcpOnly?: boolean
  /** Whether datagrams come coalesced: then a full batch may have more behind it that no poller tells of. */
  readonly coalesces?: boolean
  /** Fills the empty batch from the UDP socket or the raw one by at most so many messages; answers how many packets came. */
  receive(batch: Batch, raw: boolean, most: number): number
  /** How full the socket's buffer is, in parts of FULL; see `Native.receiveFill`. */
  receiveFill?(raw: boolean): number
  /** At most so many packets; a super-segment is one. */
  readTun(batch: Batch, most: number): number
  /** Writes every Forward row; answers how many went, and marks the others Drop(SendFailed). */
  writeTun(batch: Batch): number
  /** The same, to each row's address and port. */
  send(batch: Batch): number
  /** To control. */
  tell(message: FromWorker): void
  /** Hands it packet `i`, behind all that it was told before. */
  punt(batch: Batch, i: number): void
}

/** Packets taken from one source before the others get their turn. */
const TURN = 8 * NEAR_CAPACITY

export class Forwarder {
  private readonly engine: Engine
  private readonly wires: Wires
  private readonly stats: Stats
  private readonly worker: number

  private readonly inbound: Batch
  /** Bare ESP never comes coalesced. */
  private readonly bare = new Batch()
  private readonly outbound: Batch
  /** What super-segments are cut into. */
  private readonly pieces = new Batch()
  private readonly injected = new Batch()
  private readonly cutter: Cutter | undefined
  private readonly merger: Merger | undefined

  /** The rows; control writes them by messages, nobody else. */
  readonly l2tp = new L2tpTable()
  readonly ppp = new PppTable()
  readonly firewall: FirewallTables
  private readonly punts = new PuntLimit()
  private readonly mirror = new Mirror(packets => this.wires.tell({ kind: 'mirrored', packets }))
  private readonly ahead: Ahead
  private injectingFrames = false
  private readonly sas = new SaRoom()
  /** Who gets how much: peers of what is received, sessions of what is read. */
  private readonly received = new FairShare(batch => this.engine.peersOf(batch), NEAR_CAPACITY / 2)
  private readonly receivedBare = new FairShare(batch => this.engine.peersOf(batch), NEAR_CAPACITY / 2)
  private readonly helping = { in: new Helping(), out: new Helping() }
  private readonly alone = { udp: new Alone(), raw: new Alone(), tun: new Alone() }
  private readonly read = new FairShare(batch => batch.session)

  /** `seed`: 32 random bits for the flow table's hash. `fill` writes random bytes, for translated ports. */
  constructor(o: {
    worker: number
    engine: Engine
    wires: Wires
    stats: Stats
    seed: number
    fill?: (bytes: Uint8Array) => void
  }) {
    this.worker = o.worker
    this.engine = o.engine
    this.wires = o.wires
    this.stats = o.stats
    this.firewall = new FirewallTables(o.seed, {}, o.fill, o.worker)
    const { segments, coalesces } = o.wires
    this.ahead = new Ahead(o.engine, o.stats, this.firewall, this.l2tp)
    this.firewall.bound = (batch, now) => {
      this.ahead.bound(batch)
      this.read.limit(batch, this.helping.out.most, now)
    }
    this.inbound = coalesces ? new Batch(COALESCED_ROOM) : new Batch()
    this.outbound = segments ? new Batch(READING_ROOM) : new Batch()
    this.cutter = segments && new Cutter(segments)
    this.merger = segments && new Merger(!o.wires.segmentsTcpOnly)
  }

  /**
   * Packets from clients: off the wire, opened, unwrapped, filtered, into the TUN device. Answers whether more may have been
   * received that no poller tells of. `micros`: how long it was waited for.
   */
  fromPublic(raw: boolean, clock: () => Millis, micros = 0): boolean {
    const batch = raw ? this.bare : this.inbound
    const share = raw ? this.receivedBare : this.received
    const alone = raw ? this.alone.raw : this.alone.udp
    const likely = alone.isLikely(micros)
    for (let left = TURN; left > 0; ) {
      const now = clock()
      const most = this.helping.in.most
      batch.count = this.wires.receive(batch, raw, likely ? 1 : most)
      if (batch.count === 0) return false
      left -= most
      alone.feel(batch.count)
      share.limit(batch, most, now)
      this.takeIn(batch, now)
      this.helping.in.feel(batch)
      share.feelFill(share.isTense || batch.count >= NEAR_CAPACITY / 2 ? (this.wires.receiveFill?.(raw) ?? 0) : 0)
      if (batch.count < (likely ? NEAR_CAPACITY : most)) return false
    }
    return true
  }

  private takeIn(batch: Batch, now: Millis): void {
    this.stats.addReceived(this.worker, batch)
    if (this.mirror.on) this.mirror.received(batch, now)
    if (this.engine.open(batch) > 0) this.engineEvents(now)
    this.ahead.opened(batch)
    this.stats.addOpened(batch)
    decapsulateL2tp(batch, this.l2tp)
    this.ahead.unwrapped(batch)
    decapsulatePpp(batch, this.ppp)
    if (this.mirror.on) this.mirror.inner(batch, false, now)
    filterIn(batch, this.firewall, now)
    this.stats.addSessions(batch, false)
    this.merger?.merge(batch)
    const written = this.wires.writeTun(batch)
    this.stats.add(this.worker, WorkerCounter.toTunPackets, written)
    this.stats.add(this.worker, WorkerCounter.toTunTurns, 1)
    if (written < batch.count) this.leave(batch, now)
    this.firewallEvents()
    if (this.mirror.on) this.mirror.flush()
  }

  /** Packets for clients: out of the TUN device, filtered, cut, wrapped, sealed, onto the wire. `micros` as above. */
  fromTun(clock: () => Millis, micros = 0): void {
    const { outbound: batch } = this
    const alone = this.alone.tun.isLikely(micros)
    let left = TURN
    for (let most = 0; left > 0; left -= most) {
      const now = clock()
      most = alone ? 1 : this.helping.out.most
      batch.count = this.wires.readTun(batch, most)
      if (batch.count === 0) break
      const packets = packetsOf(batch)
      this.alone.tun.feel(packets)
      this.stats.add(this.worker, WorkerCounter.fromTunPackets, packets)
      filterOut(batch, this.firewall, now)
      this.helping.out.feel(batch)
      if (this.cutter && holdsSuper(batch)) this.cutAndDeliver(batch, this.cutter, now)
      else this.deliver(batch, now)
      this.reply()
      this.firewallEvents()
      if (alone || batch.count < most) break
    }
    this.read.feel(left <= 0)
  }

  private cutAndDeliver(batch: Batch, cutter: Cutter, now: Millis): void {
    cutter.begin()
    while (cutter.next(batch, this.pieces)) this.deliver(this.pieces, now)
    this.leave(batch, now)
  }

  private deliver(batch: Batch, now: Millis): void {
    this.engine.expect?.(batch)
    this.ahead.filtered(batch)
    if (this.mirror.on) this.mirror.inner(batch, true, now)
    this.stats.addSessions(batch, true)
    encapsulatePpp(batch, this.ppp)
    encapsulateL2tp(batch, this.l2tp)
    this.sealAndSend(batch, now)
  }

  private sealAndSend(batch: Batch, now: Millis): void {
    if (this.engine.seal(batch) > 0) this.engineEvents(now)
    if (this.mirror.on) this.mirror.sealed(batch, now)
    const sent = this.wires.send(batch)
    this.stats.add(this.worker, WorkerCounter.sentPackets, sent)
    this.stats.add(this.worker, WorkerCounter.batches, 1)
    this.stats.addSent(this.worker, batch)
    if (sent < batch.count) this.leave(batch, now)
  }

  /** Counts what was dropped and hands to control what is its business. */
  private leave(batch: Batch, now: Millis): void {
    const { worker } = this
    for (let i = 0; i < batch.count; i++) {
      const verdict = batch.verdict[i]!
      if (verdict === Verdict.Forward) continue
      if (verdict === Verdict.Drop) {
        this.stats.addDrop(worker, batch.reason[i]!, packetsIn(batch, i))
        if (batch.reason[i] === DropReason.UnknownSpi && this.punts.allowsStray(now)) this.stray(batch, i)
      } else if (batch.reason[i] === PuntReason.Ike && batch.port[i] === 0) {
        // The zero SPI is IKE's mark in UDP; as IP protocol 50 it is only an SPI that nobody has (RFC 4303 section 2.1).
        this.stats.addDrop(worker, DropReason.UnknownSpi)
      } else if (this.punts.allows(batch.peer[i]!, now)) {
        this.stats.addPunt(worker, batch.reason[i]!)
        this.wires.punt(batch, i)
      } else {
        this.stats.addDrop(worker, DropReason.PuntLimit)
      }
    }
  }

  private stray(batch: Batch, i: number): void {
    const spi = readWord(batch.bytes, batch.offset[i]!)
    const place = { local: batch.local[i]!, remote: batch.address[i]!, port: batch.port[i]! }
    this.wires.tell({ kind: 'engine', events: [{ kind: 'stray', spi, ...place }] })
  }

  /** Writes the ICMP errors that filterOut made back into the TUN device. */
  private reply(): void {
    if (this.firewall.replies.count > 0) this.wires.writeTun(this.firewall.replies)
  }

  /** A peer that has the key can claim to move with every packet: that too is a punt, and has its share. */
  private engineEvents(now: Millis): void {
    const events = this.engine.takeEvents().filter(e => e.kind !== 'moved' || this.punts.allows(e.peer, now))
    if (events.length > 0) this.wires.tell({ kind: 'engine', events })
  }

  private firewallEvents(): void {
    if (!this.firewall.hasNews) return
    for (const news of waitingNews(this.firewall)) this.wires.tell({ kind: 'firewall', news })
  }

  /** Carries out one message of control; what it injects waits for `flush`, or for the next message that is no injection. */
  obey(m: Exclude<ToWorker, { kind: 'stop' }>, now: Millis): void {
    if (m.kind === 'inject') return this.inject(m.peer, 0, m.bytes, now)
    if (m.kind === 'injectFrame') return this.inject(m.peer, m.session, m.bytes, now)
    this.flush(now)
    switch (m.kind) {
      case 'arrived':
        return this.arrived(m, now)
      case 'setPath':
        return this.engine.setPath(m)
      case 'installInbound':
        return this.engine.installInbound(this.sas.of(m.sa))
      case 'installOutbound':
        this.helping.out.set(m.sa.peer, m.sa.suite.cipher)
        return this.engine.installOutbound(this.sas.of(m.sa))
      case 'removeSa':
        this.engine.removeInbound(m.inboundSpi)
        return this.engine.removeOutbound(m.peer, m.outboundSpi)
      case 'removePeer':
        return this.engine.removePeer(m.peer)
      case 'installSession':
        return this.l2tp.install(m.ids)
      case 'networkUp':
        this.firewall.install(m.row)
        if (m.row.peer === 0) return
        return this.ppp.set(m.row.session, {
          up: true,
          compressAddress: m.compressAddress,
          compressProtocol: m.compressProtocol,
        })
      case 'networkDown':
        this.ppp.clear(m.session)
        return this.forget(m.session, now)
      case 'removeSession':
        this.l2tp.remove(m.session)
        this.ppp.clear(m.session)
        return this.forget(m.session, now)
      case 'mirror':
        return this.mirror.order(m.order)
      case 'setRuleset':
        // What waits speaks of the rules that were.
        this.firewallEvents()
        return this.firewall.setRuleset(m.ruleset)
      case 'askFirewall':
        if (m.question.what === 'settle') this.firewall.flows.sweepAll(now)
        this.firewallEvents()
        return this.wires.tell({ kind: 'firewall', news: answerQuestion(this.firewall, m.question, now) })
    }
  }

  private arrived(m: Extract<ToWorker, { kind: 'arrived' }>, now: Millis): void {
    if (m.bytes.length > MAX_PACKET) return
    // No message meets it in use.
    const batch = this.bare
    batch.clear()
    const i = batch.push(m.bytes)
    batch.local[i] = m.local
    batch.address[i] = m.address
    batch.port[i] = m.port
    this.takeIn(batch, now)
  }

  /** What a session had open is over. */
  private forget(session: number, now: Millis): void {
    this.firewall.flows.latest = now
    this.firewall.remove(session)
    this.firewallEvents()
  }

  /** Frames (with a session) want L2TP around them, ready UDP datagrams (session 0) do not: one batch holds one kind. */
  private inject(peer: number, session: number, bytes: Uint8Array, now: Millis): void {
    if (bytes.length > MAX_PACKET) return
    const frames = session !== 0
    if (this.injected.count === BATCH_CAPACITY || frames !== this.injectingFrames) this.flush(now)
    this.injectingFrames = frames
    const i = this.injected.push(bytes)
    this.injected.peer[i] = peer
    this.injected.session[i] = session
    this.injected.protocol[i] = 17
  }

  /** Sends what was injected. */
  flush(now: Millis): void {
    const batch = this.injected
    if (batch.count === 0) return
    if (this.injectingFrames) encapsulateL2tp(batch, this.l2tp)
    this.sealAndSend(batch, now)
    this.stats.add(this.worker, WorkerCounter.injected, batch.count)
    batch.clear()
  }
}
