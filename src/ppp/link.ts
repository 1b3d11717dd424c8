/** One PPP link, server side: the phases of RFC 1661 section 3.2, from the first Configure-Request to the last Ack. */

import type { DeadlineInput, Dice, Machine, Millis } from '../machine.ts'
import { Authentication } from './authentication.ts'
import { State, stateNames } from './automaton.ts'
import { Code, DEFAULT_MRU, PppProtocol, RETRY_MILLIS, SETUP_MILLIS } from './constants.ts'
import { Courtesies } from './courtesies.ts'
import { EchoWatch } from './echo.ts'
import type { PppEffect, PppInput, PppTemplate } from './effects.ts'
import { PppError } from './error.ts'
import type { ControlPacket } from './frame.ts'
import { emitPacketFrame, parseFrame, parsePacket } from './frame.ts'
import { LcpPolicy } from './lcp.ts'
import type { Layer, Trouble, Turn } from './negotiation.ts'
import { Negotiation } from './negotiation.ts'
import { type Accepted, NetworkPhase } from './network.ts'
import { newCounters, type PppCounters, type PppPhase, type PppSnapshot } from './snapshot.ts'
import { terminateReason } from './terminate-reason.ts'
import { echoSilence, lcpDivergence, lcpSilence, protocolRefused, setupTooLong } from './troubles.ts'

export class PppLink implements Machine<PppInput, PppEffect> {
  private readonly lcpPolicy: LcpPolicy
  private readonly lcp: Negotiation
  private readonly network: NetworkPhase
  private readonly courtesies: Courtesies
  private readonly authentication: Authentication
  private readonly echo: EchoWatch
  private phase: PppPhase = 'dead'
  private finished = false
  /** Why the link is being closed, from the moment that this is decided. */
  private ending: Trouble | undefined
  private setupDeadline: Millis | undefined
  private readonly counters: PppCounters = newCounters()
  private readonly largestPacket: number

  constructor(options: { template: PppTemplate; dice: Dice }) {
    this.largestPacket = options.template.mru
    this.lcpPolicy = new LcpPolicy(options.template, options.dice)
    this.lcp = new Negotiation(this.lcpPolicy, this.lcpLayer())
    this.authentication = new Authentication(options.template, options.dice, {
      send: (packet, turn) => this.send(PppProtocol.Chap, packet, turn),
      admitted: (accepted, turn) => this.admitted(accepted, turn),
      retrying: turn => this.retrying(turn),
      terminate: (trouble, turn) => this.terminate(trouble, turn),
    })
    this.network = new NetworkPhase({
      send: (packet, turn) => this.send(PppProtocol.Ipcp, packet, turn),
      up: (accepted, turn) => this.networkUp(accepted, turn),
      down: turn => this.networkDown(turn),
      terminate: (trouble, turn) => this.terminate(trouble, turn),
      rejectRoom: turn => this.courtesies.rejectRoom('codeRejects', turn),
    })
    const lcpLink = {
      send: (packet: ControlPacket, turn: Turn) => this.send(PppProtocol.Lcp, packet, turn),
      takeId: () => this.lcp.takeId(),
      opened: () => this.lcp.state === State.Opened,
      magic: () => this.lcpPolicy.magic,
      peerMru: () => this.peerMru(),
    }
    this.courtesies = new Courtesies(lcpLink, this.counters)
    this.echo = new EchoWatch(options.template.echoSeconds)
  }

  get isStarted(): boolean {
    return this.phase !== 'dead'
  }

  get deadline(): Millis | undefined {
    if (this.finished) return undefined
    const layers = earlier(earlier(this.lcp.deadline, this.authentication.deadline), this.network.deadline)
    return earlier(earlier(layers, this.echo.deadline), this.setupDeadline)
  }

  handle(input: PppInput | DeadlineInput, now: Millis, effects: PppEffect[]): void {
    if (this.finished) return
    const turn: Turn = { now, effects }
    switch (input.kind) {
      case 'start':
        return this.start(turn)
      case 'frame':
        return this.frame(input.bytes, turn)
      case 'active':
        return this.echo.alive()
      case 'authenticated':
        return this.authentication.answered(input.request, input.result, turn)
      case 'close':
        return this.terminate({ cause: 'closed', detail: input.reason }, turn)
      case 'lost':
        return this.down(this.whyItEnds ?? { cause: 'lost', detail: input.reason }, turn)
      case 'deadline':
        return this.expire(turn)
    }
  }

  snapshot(): PppSnapshot {
    const { peer } = this.lcpPolicy
    return {
      phase: this.phase,
      lcp: stateNames[this.lcp.state]!,
      ipcp: stateNames[this.network.state]!,
      user: this.network.accepted?.user,
      address: this.network.accepted?.address,
      localAddress: this.network.accepted?.localAddress,
      peerMru: this.peerMru(),
      peerMagic: peer.magic,
      compressAddress: peer.acfc,
      compressProtocol: peer.pfc,
      localMru: this.lcpPolicy.mru ?? DEFAULT_MRU,
      localMagic: this.lcpPolicy.magic,
      authentication: this.lcpPolicy.authentication,
      identifications: [...this.courtesies.identifications],
      missedEchoes: this.echo.missed,
      counters: { ...this.counters },
    }
  }

  // --- Establish ---------------------------------------------------------------------------------------------------

  private start(turn: Turn): void {
    if (this.phase !== 'dead') return
    this.phase = 'establish'
    this.setupDeadline = turn.now + SETUP_MILLIS
    this.lcp.signal('Open', turn)
    this.lcp.signal('Up', turn)
  }

  private lcpLayer(): Layer {
    return {
      send: (packet, turn) => this.send(PppProtocol.Lcp, packet, turn),
      up: turn => this.lcpUp(turn),
      down: turn => this.lcpDown(turn),
      finished: turn => this.down(this.ending ?? lcpSilence(this.counters.framesIn), turn),
      hopeless: (trouble, turn) => this.terminate(trouble ?? lcpDivergence, turn),
      rejectRoom: turn => this.courtesies.rejectRoom('codeRejects', turn),
    }
  }

  private lcpUp(turn: Turn): void {
    this.phase = 'authenticate'
    this.echo.start(turn.now)
    this.authentication.start(this.lcpPolicy.authentication, turn)
  }

  /** LCP fell back (a renegotiation, or its end): everything above it starts over. */
  private lcpDown(turn: Turn): void {
    this.echo.stop()
    this.authentication.stop()
    this.network.lowerDown(turn)
    if (this.phase !== 'terminate') this.phase = 'establish'
    this.setupDeadline ??= turn.now + SETUP_MILLIS
  }

  // --- Authenticate ------------------------------------------------------------------------------------------------

  private admitted(accepted: Accepted, turn: Turn): void {
    this.phase = 'network'
    this.network.open(accepted, turn)
  }

  private retrying(turn: Turn): void {
    this.setupDeadline = turn.now + RETRY_MILLIS
  }

  // --- Network -----------------------------------------------------------------------------------------------------

  private networkUp(accepted: Accepted, turn: Turn): void {
    this.setupDeadline = undefined
    turn.effects.push({
      kind: 'networkUp',
      address: accepted.address,
      localAddress: accepted.localAddress,
      user: accepted.user,
      peerMru: this.peerMru(),
      compressAddress: this.lcpPolicy.peer.acfc,
      compressProtocol: this.lcpPolicy.peer.pfc,
    })
  }

  private networkDown(turn: Turn): void {
    turn.effects.push({ kind: 'networkDown' })
    this.setupDeadline ??= turn.now + SETUP_MILLIS
  }

  private peerMru(): number {
    return Math.min(this.lcpPolicy.peer.mru, this.largestPacket)
  }

  // --- Frames ------------------------------------------------------------------------------------------------------

  private frame(bytes: Uint8Array, turn: Turn): void {
    this.counters.framesIn++
    try {
      const { protocol, payload } = parseFrame(bytes)
      this.echo.alive()
      this.dispatch(protocol, payload, turn)
    } catch (error) {
      if (!(error instanceof PppError)) throw error
      this.counters.malformed++
    }
  }

  private dispatch(protocol: number, payload: Uint8Array, turn: Turn): void {
    if (protocol === PppProtocol.Lcp) return this.lcpFrame(parsePacket(payload), turn)
    // RFC 1661 section 3.4: before LCP is opened, and once the link is closing, only LCP is heard.
    if (this.phase !== 'authenticate' && this.phase !== 'network') {
      this.counters.ignored++
      return
    }
    if (protocol === PppProtocol.Ipcp) return this.ipcpPacket(parsePacket(payload), turn)
    if (protocol === PppProtocol.Chap && this.authentication.speaks) return this.chapPacket(parsePacket(payload), turn)
    // Data that overtook IPCP: nothing to refuse, and nobody to take it yet.
    if (protocol === PppProtocol.Ipv4) this.counters.ignored++
    else this.courtesies.rejectProtocol(protocol, payload, turn)
  }

  private chapPacket(packet: ControlPacket, turn: Turn): void {
    if (!this.authentication.receive(packet, turn)) this.counters.ignored++
  }

  private ipcpPacket(packet: ControlPacket, turn: Turn): void {
    if (this.phase === 'network') this.network.receive(packet, turn)
    else this.counters.ignored++
  }

  private lcpFrame(packet: ControlPacket, turn: Turn): void {
    if (this.courtesies.receive(packet, turn)) return
    switch (packet.code) {
      case Code.ProtocolReject:
        return this.protocolRejected(packet, turn)
      case Code.TerminateRequest:
        return this.peerTerminates(packet, turn)
      default:
        return this.lcp.receive(packet, turn)
    }
  }

  /**
   * RFC 1661 would wait here for one restart period, to answer a repeated request. Below us L2TP ends the call with a
   * reliable message of its own, so the link is done as soon as its Terminate-Ack is out.
   */
  private peerTerminates(packet: ControlPacket, turn: Turn): void {
    const said = terminateReason(packet.data) || 'the client ended the link'
    const detail = this.network.isUp ? said : `${said} (in phase ${this.phase})`
    const why = this.whyItEnds
    this.lcp.receive(packet, turn)
    this.down(why ?? { cause: 'peer-terminated', detail }, turn)
  }

  private protocolRejected(packet: ControlPacket, turn: Turn): void {
    if (this.lcp.state !== State.Opened || packet.data.length < 2) {
      this.counters.ignored++
      return
    }
    const trouble = protocolRefused((packet.data[0]! << 8) | packet.data[1]!)
    if (trouble) this.terminate(trouble, turn)
  }

  private send(protocol: number, packet: ControlPacket, turn: Turn): void {
    this.counters.framesOut++
    turn.effects.push({ kind: 'send', bytes: emitPacketFrame(protocol, packet) })
  }

  // --- Time --------------------------------------------------------------------------------------------------------

  private expire(turn: Turn): void {
    const due = (t: Millis | undefined) => !this.finished && t !== undefined && t <= turn.now
    if (due(this.setupDeadline)) {
      this.setupDeadline = undefined
      this.terminate(setupTooLong(this.phase), turn)
    }
    if (due(this.lcp.deadline)) this.lcp.expire(turn)
    if (due(this.authentication.deadline)) this.authentication.expire(turn)
    if (due(this.network.deadline)) this.expireIpcp(turn)
    if (due(this.echo.deadline)) this.expireEcho(turn)
  }

  /** A client that has not said a word of IPCP since may have missed our Success. */
  private expireIpcp(turn: Turn): void {
    if (!this.network.heard) this.authentication.repeat(turn)
    this.network.expire(turn)
  }

  private expireEcho(turn: Turn): void {
    const action = this.echo.expire(turn.now)
    if (action === 'ask') this.courtesies.sendEcho(turn)
    if (action === 'dead') this.down(echoSilence(this.echo.missed), turn)
  }

  // --- Terminate ---------------------------------------------------------------------------------------------------

  /** Hangs up with a Terminate-Request; the first reason stands. */
  private terminate(trouble: Trouble, turn: Turn): void {
    if (this.ending || this.finished) return
    this.ending = trouble
    this.phase = 'terminate'
    // What it says stays with us: the peer need not learn whether a user name exists.
    this.lcp.signal('Close', turn)
    this.setupDeadline = undefined
    this.network.rest()
    // LCP never began, or has nothing to close any more.
    if (this.lcp.deadline === undefined) this.down(trouble, turn)
  }

  /** What we hung up for, or refused the peer for before it left; undefined where its leaving is its own affair. */
  private get whyItEnds(): Trouble | undefined {
    return this.ending ?? this.authentication.refused
  }

  private down(trouble: Trouble, turn: Turn): void {
    if (this.finished) return
    this.finished = true
    this.phase = 'dead'
    turn.effects.push({ kind: 'down', ...trouble })
  }
}

function earlier(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
