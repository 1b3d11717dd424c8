/**
 * The data loop: one worker thread, its sockets, its TUN queue, its tables. Read top-down it is the packet's way.
 *
 *   in    receive -> open -> l2tp.decapsulate -> ppp.decapsulate -> filterIn -> writeTun
 *   out   readTun -> filterOut -> ppp.encapsulate -> l2tp.encapsulate -> seal -> send
 *
 * The thread never yields to an event loop: it blocks in the poller and drains control's messages when woken.
 */

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { InboundSa, OutboundSa } from '../esp/sa.ts'
import { filterIn, filterOut } from '../firewall/filter.ts'
import { FirewallTables } from '../firewall/tables.ts'
import { decapsulate as decapsulateL2tp } from '../l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../l2tp/encapsulate.ts'
import { L2tpTable } from '../l2tp/table.ts'
import type { Millis } from '../machine.ts'
import { BATCH_CAPACITY, Batch, MAX_PACKET } from '../packet/batch.ts'
import { Secret } from '../packet/bytes.ts'
import { DropReason, PuntReason, Verdict } from '../packet/verdict.ts'
import { decapsulate as decapsulatePpp } from '../ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../ppp/encapsulate.ts'
import { PppTable } from '../ppp/table.ts'
import type { FromWorker, SaMessage, ToWorker, WorkerStart } from './messages.ts'
import { loadNative, type NativeBatch } from './native.ts'
import { NativeEngine } from './native-engine.ts'
import { PuntLimit } from './punt-limit.ts'
import { Stats, WorkerCounter } from './stats.ts'

/** Batches taken from one source before the others get their turn. */
const ROUNDS = 8
/** After a bug the loop rests this long, so that one that comes back at every turn leaves control and the log alive. */
const REST_MILLIS = 100

class DataWorker {
  private readonly native = loadNative()
  private readonly engine = new NativeEngine(this.native)
  private readonly stats: Stats
  private readonly start: WorkerStart
  private readonly port: MessagePort

  private readonly inbound = new Batch()
  private readonly outbound = new Batch()
  private readonly inject = new Batch()
  private readonly nativeInbound: NativeBatch
  private readonly nativeOutbound: NativeBatch
  private readonly nativeInject: NativeBatch
  private readonly nativeReplies: NativeBatch

  private readonly l2tp = new L2tpTable()
  private readonly ppp = new PppTable()
  private readonly firewall: FirewallTables
  private readonly punts = new PuntLimit()
  private injectingFrames = false
  private running = true
  private readonly resting = new Int32Array(new SharedArrayBuffer(4))

  constructor(start: WorkerStart, port: MessagePort) {
    this.start = start
    this.port = port
    this.stats = new Stats(start.stats)
    this.firewall = new FirewallTables(start.seed)
    this.nativeReplies = this.native.attach(this.firewall.replies.buffer)
    this.nativeInbound = this.native.attach(this.inbound.buffer)
    this.nativeOutbound = this.native.attach(this.outbound.buffer)
    this.nativeInject = this.native.attach(this.inject.buffer)
  }

  run(): void {
    const { wakeFd, udpFd, tunFd, rawFd } = this.start
    const fds = rawFd >= 0 ? [wakeFd, udpFd, tunFd, rawFd] : [wakeFd, udpFd, tunFd]
    const poller = this.native.poller(fds)
    while (this.running) {
      const ready = this.native.wait(poller, -1)
      try {
        if (ready & 1) this.control()
        if (ready & 2) this.fromPublic(udpFd, false)
        if (ready & 8) this.fromPublic(rawFd, true)
        if (ready & 4) this.fromTun()
      } catch (e) {
        this.tell({ kind: 'bug', text: e instanceof Error ? (e.stack ?? e.message) : String(e) })
        Atomics.wait(this.resting, 0, 0, REST_MILLIS)
      }
    }
    this.tell({ kind: 'stopped' })
  }

  /** Packets from clients: off the wire, opened, unwrapped, filtered, into the TUN device. */
  private fromPublic(fd: number, raw: boolean): void {
    const { native, inbound: batch, nativeInbound } = this
    for (let round = 0; round < ROUNDS; round++) {
      const now = clock()
      batch.count = raw ? native.receiveRaw(fd, nativeInbound, 0) : native.receiveUdp(fd, nativeInbound, 0)
      if (batch.count === 0) return
      this.countReceived(batch)
      if (this.engine.open(batch) > 0) this.engineEvents(now)
      this.countOpened(batch)
      decapsulateL2tp(batch, this.l2tp)
      decapsulatePpp(batch, this.ppp)
      filterIn(batch, this.firewall, now)
      this.countSession(batch, false)
      this.stats.add(
        this.start.worker,
        WorkerCounter.toTunPackets,
        native.writeTun(this.start.tunFd, nativeInbound, batch.count),
      )
      this.leave(batch, now)
      if (batch.count < BATCH_CAPACITY) return
    }
  }

  /** Packets for clients: out of the TUN device, filtered, wrapped, sealed, onto the wire. */
  private fromTun(): void {
    const { native, outbound: batch, nativeOutbound } = this
    for (let round = 0; round < ROUNDS; round++) {
      const now = clock()
      batch.count = native.readTun(this.start.tunFd, nativeOutbound, 0)
      if (batch.count === 0) return
      this.stats.add(this.start.worker, WorkerCounter.fromTunPackets, batch.count)
      filterOut(batch, this.firewall, now)
      this.countSession(batch, true)
      encapsulatePpp(batch, this.ppp)
      encapsulateL2tp(batch, this.l2tp)
      this.sealAndSend(batch, nativeOutbound)
      this.leave(batch, now)
      this.reply()
      if (batch.count < BATCH_CAPACITY) return
    }
  }

  private sealAndSend(batch: Batch, attached: NativeBatch): void {
    const { native, start } = this
    if (this.engine.seal(batch) > 0) this.engineEvents(clock())
    const sent = native.sendEsp(start.udpFd, start.rawFd, attached, batch.count)
    this.stats.add(start.worker, WorkerCounter.sentPackets, sent)
    this.stats.add(start.worker, WorkerCounter.batches, 1)
    let bytes = 0
    for (let i = 0; i < batch.count; i++) {
      const peer = batch.peer[i]!
      if (batch.verdict[i] === Verdict.Forward) {
        bytes += batch.length[i]!
        this.stats.addPeer(peer, 1, batch.length[i]!, true)
      } else if (peer !== 0) this.stats.addPeerFailure(peer, true)
    }
    this.stats.add(start.worker, WorkerCounter.sentBytes, bytes)
  }

  /** Counts what was dropped and hands to control what is its business. */
  private leave(batch: Batch, now: Millis): void {
    const worker = this.start.worker
    for (let i = 0; i < batch.count; i++) {
      const verdict = batch.verdict[i]!
      if (verdict === Verdict.Forward) continue
      if (verdict === Verdict.Drop) {
        this.stats.addDrop(worker, batch.reason[i]!)
      } else if (batch.reason[i] === PuntReason.Ike && batch.port[i] === 0) {
        // The zero SPI is IKE's mark in UDP; as IP protocol 50 it is only an SPI that nobody has (RFC 4303 section 2.1).
        this.stats.addDrop(worker, DropReason.UnknownSpi)
      } else if (this.punts.allows(batch.peer[i]!, now)) {
        this.stats.addPunt(worker, batch.reason[i]!)
        this.punt(batch, i)
      } else {
        this.stats.addDrop(worker, DropReason.PuntLimit)
      }
    }
  }

  private punt(batch: Batch, i: number): void {
    const bytes = batch.packet(i).slice()
    this.port.postMessage(
      {
        kind: 'punt',
        reason: batch.reason[i]!,
        peer: batch.peer[i]!,
        session: batch.session[i]!,
        sa: batch.sa[i]!,
        local: batch.local[i]!,
        address: batch.address[i]!,
        port: batch.port[i]!,
        bytes,
      } satisfies FromWorker,
      [bytes.buffer],
    )
  }

  /** Writes the ICMP errors that filterOut made back into the TUN device. */
  private reply(): void {
    const { replies } = this.firewall
    if (replies.count > 0) this.native.writeTun(this.start.tunFd, this.nativeReplies, replies.count)
  }

  private countReceived(batch: Batch): void {
    let bytes = 0
    for (let i = 0; i < batch.count; i++) bytes += batch.length[i]!
    this.stats.add(this.start.worker, WorkerCounter.receivedPackets, batch.count)
    this.stats.add(this.start.worker, WorkerCounter.receivedBytes, bytes)
  }

  private countOpened(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      const peer = batch.peer[i]!
      if (peer === 0) continue
      if (batch.verdict[i] === Verdict.Forward) this.stats.addPeer(peer, 1, batch.length[i]!, false)
      else this.stats.addPeerFailure(peer, false)
    }
  }

  private countSession(batch: Batch, out: boolean): void {
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] === Verdict.Forward) this.stats.addSession(batch.session[i]!, 1, batch.length[i]!, out)
    }
  }

  /** A peer that has the key can claim to move with every packet: that too is a punt, and has its share. */
  private engineEvents(now: Millis): void {
    const events = this.engine.takeEvents().filter(e => e.kind !== 'moved' || this.punts.allows(e.peer, now))
    if (events.length > 0) this.tell({ kind: 'engine', events })
  }

  private tell(message: FromWorker): void {
    this.port.postMessage(message)
  }

  /** Carries out everything control has sent, in order; what it injects leaves before anything later is carried out. */
  private control(): void {
    this.native.clearEvent(this.start.wakeFd)
    for (;;) {
      const received = receiveMessageOnPort(this.port)
      if (!received) break
      this.obey(received.message as ToWorker)
    }
    this.flushInjected()
  }

  private obey(m: ToWorker): void {
    if (m.kind === 'inject') return this.addInjected(m.peer, 0, m.bytes)
    if (m.kind === 'injectFrame') return this.addInjected(m.peer, m.session, m.bytes)
    this.flushInjected()
    switch (m.kind) {
      case 'setPath':
        return this.engine.setPath(m)
      case 'installInbound':
        return this.engine.installInbound({ ...securityAssociation(m.sa), replayWindow: m.sa.replayWindow })
      case 'installOutbound':
        return this.engine.installOutbound(securityAssociation(m.sa))
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
        return this.firewall.remove(m.session)
      case 'removeSession':
        this.l2tp.remove(m.session)
        this.ppp.clear(m.session)
        return this.firewall.remove(m.session)
      case 'setRuleset':
        return this.firewall.setRuleset(m.ruleset)
      case 'stop':
        this.running = false
    }
  }

  /** Frames (with a session) want L2TP around them, ready UDP datagrams (session 0) do not: one batch holds one kind. */
  private addInjected(peer: number, session: number, bytes: Uint8Array): void {
    if (bytes.length > MAX_PACKET) return
    const frames = session !== 0
    if (this.inject.count === BATCH_CAPACITY || frames !== this.injectingFrames) this.flushInjected()
    this.injectingFrames = frames
    const i = this.inject.push(bytes)
    this.inject.peer[i] = peer
    this.inject.session[i] = session
    this.inject.protocol[i] = 17
  }

  private flushInjected(): void {
    const batch = this.inject
    if (batch.count === 0) return
    if (this.injectingFrames) encapsulateL2tp(batch, this.l2tp)
    this.sealAndSend(batch, this.nativeInject)
    this.stats.add(this.start.worker, WorkerCounter.injected, batch.count)
    this.leave(batch, clock())
    batch.clear()
  }
}

function securityAssociation(m: SaMessage): Omit<InboundSa, 'replayWindow'> & OutboundSa {
  return {
    spi: m.spi,
    peer: m.peer,
    suite: m.suite,
    keys: { encryption: new Secret(m.encryptionKey), integrity: new Secret(m.integrityKey) },
    limits: { softBytes: m.softBytes, hardBytes: m.hardBytes },
  }
}

function clock(): Millis {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

if (parentPort) new DataWorker(workerData as WorkerStart, parentPort).run()
