/** One PPP link, server side: the phases of RFC 1661 section 3.2, from the first Configure-Request to the last Ack. */

import type { DeadlineInput, Dice, Machine, Millis } from '../machine.ts'
import { printable, toHex } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { formatIpv4 } from '../packet/ip.ts'
import { concat } from '../packet/writer.ts'
import { Allowance } from './allowance.ts'
import { State, stateNames } from './automaton.ts'
import type { ChapResponse } from './chap.ts'
import { ChapAuthenticator } from './chap.ts'
import {
  Code,
  DEFAULT_MRU,
  MAX_IDENTIFICATIONS,
  PppProtocol,
  REJECT_BURST,
  REJECT_REFILL_MILLIS,
  SETUP_MILLIS,
} from './constants.ts'
import { EchoWatch } from './echo.ts'
import type { AuthenticationResult, PppDownCause, PppEffect, PppInput, PppTemplate, RejectReason } from './effects.ts'
import { PppError } from './error.ts'
import type { ControlPacket } from './frame.ts'
import { emitFrame, emitPacket, parseFrame, parsePacket } from './frame.ts'
import { IpcpPolicy } from './ipcp.ts'
import { LcpPolicy } from './lcp.ts'
import type { Layer, Trouble, Turn } from './negotiation.ts'
import { Negotiation } from './negotiation.ts'
import { terminateReason } from './terminate-reason.ts'

export type PppPhase = 'dead' | 'establish' | 'authenticate' | 'network' | 'terminate'

export interface PppCounters {
  framesIn: number
  framesOut: number
  /** Frames that were no PPP, or packets with broken lengths. */
  malformed: number
  /** Well-formed packets that meant nothing in their phase. */
  ignored: number
  protocolRejects: number
  codeRejects: number
  echoRequestsIn: number
  echoRequestsOut: number
}

/** A link as SHOW prints it. */
export interface PppSnapshot {
  readonly phase: PppPhase
  /** RFC 1661's names: Initial, Req-Sent, Opened and so on. */
  readonly lcp: string
  readonly ipcp: string
  readonly user: string | undefined
  readonly address: Ipv4 | undefined
  readonly localAddress: Ipv4 | undefined
  /** The options that hold for what the peer takes, and for what we do. */
  readonly peerMru: number
  readonly peerMagic: number
  readonly compressAddress: boolean
  readonly compressProtocol: boolean
  readonly localMru: number
  readonly localMagic: number
  readonly authentication: PppTemplate['authentication']
  /** Identification texts of the peer: Windows gives its version and the computer's name. */
  readonly identifications: readonly string[]
  readonly missedEchoes: number
  readonly counters: Readonly<PppCounters>
}

type Accepted = Extract<AuthenticationResult, { kind: 'accepted' }>

const NOTHING = new Uint8Array(0)

const rejectReasons: Readonly<Record<RejectReason, string>> = {
  'unknown-user': 'the user is not known',
  'wrong-password': 'the password is wrong',
  'pool-empty': 'no address is left in the pool',
  'not-allowed': 'the user may not connect',
  unavailable: 'authentication is not available',
}

export class PppLink implements Machine<PppInput, PppEffect> {
  private readonly template: PppTemplate
  private readonly dice: Dice
  private readonly lcpPolicy: LcpPolicy
  private readonly lcp: Negotiation
  private ipcpPolicy: IpcpPolicy | undefined
  private ipcp: Negotiation | undefined
  private chap: ChapAuthenticator | undefined
  private readonly echo: EchoWatch
  private readonly rejects = new Allowance(REJECT_BURST, REJECT_REFILL_MILLIS)
  private phase: PppPhase = 'dead'
  private finished = false
  /** Why the link is being closed, from the moment that this is decided. */
  private ending: Trouble | undefined
  private setupDeadline: Millis | undefined
  private requests = 0
  /** The `authenticate` effect that waits for its answer. */
  private pendingRequest: number | undefined
  private accepted: Accepted | undefined
  private networkIsUp = false
  /** The peer has spoken IPCP since it was authenticated: it has heard our CHAP Success. */
  private heardIpcp = false
  private readonly identifications: string[] = []
  private readonly counters: PppCounters = {
    framesIn: 0,
    framesOut: 0,
    malformed: 0,
    ignored: 0,
    protocolRejects: 0,
    codeRejects: 0,
    echoRequestsIn: 0,
    echoRequestsOut: 0,
  }

  constructor(options: { template: PppTemplate; dice: Dice }) {
    this.template = options.template
    this.dice = options.dice
    this.lcpPolicy = new LcpPolicy(options.template, options.dice)
    this.lcp = new Negotiation(this.lcpPolicy, this.lcpLayer())
    this.echo = new EchoWatch(options.template.echoSeconds)
  }

  get deadline(): Millis | undefined {
    if (this.finished) return undefined
    const all = [this.lcp.deadline, this.ipcp?.deadline, this.chap?.deadline, this.echo.deadline, this.setupDeadline]
    const set = all.filter(t => t !== undefined)
    return set.length > 0 ? Math.min(...set) : undefined
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
        return this.authenticated(input.request, input.result, turn)
      case 'close':
        return this.terminate({ cause: 'closed', detail: input.reason }, turn)
      case 'lost':
        return this.down({ cause: 'lost', detail: input.reason }, turn)
      case 'deadline':
        return this.expire(turn)
    }
  }

  snapshot(): PppSnapshot {
    const { peer } = this.lcpPolicy
    return {
      phase: this.phase,
      lcp: stateNames[this.lcp.state]!,
      ipcp: stateNames[this.ipcp?.state ?? State.Initial]!,
      user: this.accepted?.user,
      address: this.accepted?.address,
      localAddress: this.accepted?.localAddress,
      peerMru: this.peerMru(),
      peerMagic: peer.magic,
      compressAddress: peer.acfc,
      compressProtocol: peer.pfc,
      localMru: this.lcpPolicy.mru ?? DEFAULT_MRU,
      localMagic: this.lcpPolicy.magic,
      authentication: this.template.authentication,
      identifications: [...this.identifications],
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
      finished: turn => this.down(this.ending ?? { cause: 'lcp-failed', detail: this.lcpSilence() }, turn),
      hopeless: (trouble, turn) =>
        this.terminate(
          trouble ?? { cause: 'lcp-failed', detail: 'LCP does not converge: requests and refusals go on' },
          turn,
        ),
      rejectRoom: turn => this.rejectRoom('codeRejects', turn),
    }
  }

  private lcpSilence(): string {
    if (this.counters.framesIn === 0) return 'the client does not answer PPP at all'
    return 'the client did not answer our LCP Configure-Requests'
  }

  private lcpUp(turn: Turn): void {
    this.phase = 'authenticate'
    this.echo.start(turn.now)
    if (this.template.authentication === 'none') {
      this.askAaa('none', { identifier: 0, name: '', challenge: NOTHING, value: NOTHING }, turn)
      return
    }
    this.chap = new ChapAuthenticator(this.template.hostName, this.dice)
    this.sendChallenge(turn)
  }

  /** LCP fell back (a renegotiation, or its end): everything above it starts over. */
  private lcpDown(turn: Turn): void {
    this.echo.stop()
    this.chap = undefined
    this.pendingRequest = undefined
    this.ipcp?.signal('Down', turn)
    if (this.phase !== 'terminate') this.phase = 'establish'
    this.setupDeadline ??= turn.now + SETUP_MILLIS
  }

  // --- Authenticate ------------------------------------------------------------------------------------------------

  private sendChallenge(turn: Turn): void {
    const challenge = this.chap?.challenge(turn.now)
    if (challenge) return this.send(PppProtocol.Chap, challenge, turn)
    this.terminate({ cause: 'authentication-failed', detail: 'the client does not answer our CHAP challenges' }, turn)
  }

  private chapFrame(packet: ControlPacket, turn: Turn): void {
    const outcome = this.chap?.receive(packet) ?? { kind: 'ignore' }
    switch (outcome.kind) {
      case 'verify':
        return this.askAaa('chap-md5', outcome.response, turn)
      case 'send':
        return this.send(PppProtocol.Chap, outcome.packet, turn)
      case 'ignore':
        this.counters.ignored++
    }
  }

  private askAaa(method: 'chap-md5' | 'none', r: ChapResponse, turn: Turn): void {
    const { name, identifier, challenge, value: response } = r
    this.pendingRequest = ++this.requests
    turn.effects.push({
      kind: 'authenticate',
      request: this.pendingRequest,
      name,
      method,
      identifier,
      challenge,
      response,
    })
  }

  private authenticated(request: number, result: AuthenticationResult, turn: Turn): void {
    if (request !== this.pendingRequest || this.phase !== 'authenticate') return
    this.pendingRequest = undefined
    const accepted = result.kind === 'accepted'
    for (const reply of this.chap?.decide(accepted, result.message) ?? []) this.send(PppProtocol.Chap, reply, turn)
    if (!accepted) return this.terminate({ cause: 'authentication-failed', detail: rejectReasons[result.reason] }, turn)
    this.openNetwork(result, turn)
  }

  // --- Network -----------------------------------------------------------------------------------------------------

  private openNetwork(accepted: Accepted, turn: Turn): void {
    this.accepted = accepted
    this.phase = 'network'
    this.heardIpcp = false
    if (this.ipcp === undefined || this.ipcpPolicy === undefined) {
      this.ipcpPolicy = new IpcpPolicy(accepted)
      this.ipcp = new Negotiation(this.ipcpPolicy, this.ipcpLayer())
      this.ipcp.signal('Open', turn)
    }
    this.ipcpPolicy.assignment = accepted
    this.ipcp.signal('Up', turn)
  }

  private ipcpLayer(): Layer {
    return {
      send: (packet, turn) => this.send(PppProtocol.Ipcp, packet, turn),
      up: turn => this.networkUp(turn),
      down: turn => this.networkDown(turn),
      finished: turn =>
        this.terminate({ cause: 'ipcp-failed', detail: 'the client did not answer our IPCP Configure-Requests' }, turn),
      hopeless: (trouble, turn) =>
        this.terminate(trouble ?? { cause: 'ipcp-failed', detail: this.ipcpDivergence() }, turn),
      rejectRoom: turn => this.rejectRoom('codeRejects', turn),
    }
  }

  private ipcpDivergence(): string {
    const address = this.accepted && formatIpv4(this.accepted.address)
    return `IPCP does not converge: the client does not take the address ${address}`
  }

  private networkUp(turn: Turn): void {
    const accepted = this.accepted!
    this.networkIsUp = true
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
    if (!this.networkIsUp) return
    this.networkIsUp = false
    turn.effects.push({ kind: 'networkDown' })
    this.setupDeadline ??= turn.now + SETUP_MILLIS
  }

  private peerMru(): number {
    return Math.min(this.lcpPolicy.peer.mru, this.template.mru)
  }

  private ipcpFrame(packet: ControlPacket, turn: Turn): void {
    if (this.phase !== 'network' || this.ipcp === undefined) {
      this.counters.ignored++
      return
    }
    this.heardIpcp = true
    const wasUp = this.networkIsUp
    this.ipcp.receive(packet, turn)
    if (packet.code !== Code.TerminateRequest) return
    const said = terminateReason(packet.data)
    const detail = said ? `the client closed IPCP: ${said}` : 'the client closed IPCP'
    this.terminate({ cause: wasUp ? 'peer-terminated' : 'ipcp-failed', detail }, turn)
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
    if (protocol === PppProtocol.Ipcp) return this.ipcpFrame(parsePacket(payload), turn)
    if (protocol === PppProtocol.Chap && this.chap) return this.chapPacket(payload, turn)
    if (protocol === PppProtocol.Ipv4) {
      // Data that overtook IPCP: nothing to refuse, and nobody to take it yet.
      this.counters.ignored++
      return
    }
    this.rejectProtocol(protocol, payload, turn)
  }

  private chapPacket(payload: Uint8Array, turn: Turn): void {
    const packet = parsePacket(payload)
    try {
      this.chapFrame(packet, turn)
    } catch (error) {
      if (!(error instanceof PppError)) throw error
      this.terminate(
        { cause: 'authentication-failed', detail: `${error.message}; only CHAP (MD5) was agreed on` },
        turn,
      )
    }
  }

  private lcpFrame(packet: ControlPacket, turn: Turn): void {
    switch (packet.code) {
      case Code.ProtocolReject:
        return this.protocolRejected(packet, turn)
      case Code.EchoRequest:
        return this.echoRequested(packet, turn)
      case Code.EchoReply:
      case Code.DiscardRequest:
        return
      case Code.Identification:
        return this.identified(packet, turn)
      case Code.TimeRemaining:
        return this.timeRemaining(packet, turn)
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
    const detail = this.networkIsUp ? said : `${said} (in phase ${this.phase})`
    this.lcp.receive(packet, turn)
    this.down(this.ending ?? { cause: 'peer-terminated', detail }, turn)
  }

  private protocolRejected(packet: ControlPacket, turn: Turn): void {
    if (this.lcp.state !== State.Opened || packet.data.length < 2) {
      this.counters.ignored++
      return
    }
    const protocol = (packet.data[0]! << 8) | packet.data[1]!
    if (protocol === PppProtocol.Ipcp || protocol === PppProtocol.Chap || protocol === PppProtocol.Lcp) {
      const name = protocol === PppProtocol.Ipcp ? 'IPCP' : protocol === PppProtocol.Chap ? 'CHAP' : 'LCP'
      this.terminate({ cause: 'peer-refused', detail: `the client rejects ${name} altogether` }, turn)
    }
  }

  private rejectProtocol(protocol: number, payload: Uint8Array, turn: Turn): void {
    const room = this.rejectRoom('protocolRejects', turn)
    if (room === undefined) return
    const data = concat(Uint8Array.of(protocol >>> 8, protocol), payload).subarray(0, room)
    this.send(PppProtocol.Lcp, { code: Code.ProtocolReject, id: this.lcp.takeId(), data }, turn)
  }

  /** A reject's copy is cut to the peer's MRU (RFC 1661 sections 5.6 and 5.7); beyond the allowance none is sent. */
  private rejectRoom(counter: 'codeRejects' | 'protocolRejects', turn: Turn): number | undefined {
    if (!this.rejects.take(turn.now)) return undefined
    this.counters[counter]++
    return this.peerMru() - 4
  }

  private echoRequested(packet: ControlPacket, turn: Turn): void {
    this.counters.echoRequestsIn++
    if (this.lcp.state !== State.Opened || packet.data.length < 4) return
    const data = concat(this.magicBytes(), packet.data.subarray(4)).subarray(0, this.peerMru() - 4)
    this.send(PppProtocol.Lcp, { code: Code.EchoReply, id: packet.id, data }, turn)
  }

  private sendEcho(turn: Turn): void {
    this.counters.echoRequestsOut++
    this.send(PppProtocol.Lcp, { code: Code.EchoRequest, id: this.lcp.takeId(), data: this.magicBytes() }, turn)
  }

  private magicBytes(): Uint8Array {
    const m = this.lcpPolicy.magic
    return Uint8Array.of(m >>> 24, m >>> 16, m >>> 8, m)
  }

  private identified(packet: ControlPacket, turn: Turn): void {
    const text = identificationText(packet.data.subarray(4))
    if (text === '' || this.identifications.includes(text) || this.identifications.length >= MAX_IDENTIFICATIONS) return
    this.identifications.push(text)
    turn.effects.push({ kind: 'event', text: `the client says it is ${text}` })
  }

  private timeRemaining(packet: ControlPacket, turn: Turn): void {
    if (packet.data.length < 8 || !this.rejects.take(turn.now)) return
    const d = packet.data
    const seconds = ((d[4]! << 24) | (d[5]! << 16) | (d[6]! << 8) | d[7]!) >>> 0
    turn.effects.push({
      kind: 'event',
      text: `the client says ${seconds} seconds remain ${printable(d.subarray(8), 64)}`.trim(),
    })
  }

  private send(protocol: number, packet: ControlPacket, turn: Turn): void {
    this.counters.framesOut++
    turn.effects.push({ kind: 'send', bytes: emitFrame(protocol, emitPacket(packet)) })
  }

  // --- Time --------------------------------------------------------------------------------------------------------

  private expire(turn: Turn): void {
    const due = (t: Millis | undefined) => !this.finished && t !== undefined && t <= turn.now
    if (due(this.setupDeadline)) this.setupTooLong(turn)
    if (due(this.lcp.deadline)) this.lcp.expire(turn)
    if (due(this.chap?.deadline)) this.sendChallenge(turn)
    if (due(this.ipcp?.deadline)) this.expireIpcp(turn)
    if (due(this.echo.deadline)) this.expireEcho(turn)
  }

  /** Success is never acknowledged: a client that has not said a word of IPCP since may have missed it. */
  private expireIpcp(turn: Turn): void {
    const success = this.heardIpcp ? undefined : this.chap?.repeat()
    if (success) this.send(PppProtocol.Chap, success, turn)
    this.ipcp?.expire(turn)
  }

  private expireEcho(turn: Turn): void {
    const action = this.echo.expire(turn.now)
    if (action === 'ask') this.sendEcho(turn)
    if (action === 'dead') {
      const detail = `no answer to ${this.echo.missed} LCP Echo-Requests`
      this.down({ cause: 'echo-failed', detail }, turn)
    }
  }

  private setupTooLong(turn: Turn): void {
    this.setupDeadline = undefined
    const causes: Record<PppPhase, PppDownCause> = {
      dead: 'lcp-failed',
      establish: 'lcp-failed',
      authenticate: 'authentication-failed',
      network: 'ipcp-failed',
      terminate: 'closed',
    }
    const detail = `not set up within ${SETUP_MILLIS / 1000} seconds (in phase ${this.phase})`
    this.terminate({ cause: causes[this.phase], detail }, turn)
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
    if (this.ipcp) this.ipcp.deadline = undefined
    // LCP never began, or has nothing to close any more.
    if (this.lcp.deadline === undefined) this.down(trouble, turn)
  }

  private down(trouble: Trouble, turn: Turn): void {
    if (this.finished) return
    this.finished = true
    this.phase = 'dead'
    turn.effects.push({ kind: 'down', ...trouble })
  }
}

/** Text, or hexadecimal for the correlation GUID that Windows since Vista adds. */
function identificationText(bytes: Uint8Array): string {
  const isText = bytes.every(b => b === 0 || (b >= 0x20 && b < 0x7f))
  return isText ? printable(bytes, 64) : toHex(bytes.subarray(0, 32))
}
