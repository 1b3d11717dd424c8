/**
 * A whole L2TP/IPsec client without I/O: IKE, ESP, L2TP and PPP as a Windows of a given generation speaks them. Datagrams
 * and IP packets in, datagrams and IP packets out, in the driver's time.
 *
 * It connects in the order IKE, L2TP, PPP, and leaves in the opposite one. Whatever fails ends it with the stage and the
 * reason, after it has taken down what was up.
 */

import { ReferenceEngine } from '../../src/esp/reference.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import type { DeadlineInput, Machine, Millis } from '../../src/machine.ts'
import { formatIpv4, type Ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { concat } from '../../src/packet/writer.ts'
import { ClientEsp } from './client-esp.ts'
import { IkeClient, type IkeClientEffect, type IkeClientInput } from './ike-client.ts'
import type { InitiatorPair } from './initiator.ts'
import { Lac, type LacEffect, type LacInput } from './lac.ts'
import { describeL2tp, describePpp } from './narrate.ts'
import { PppClient } from './ppp-client.ts'
import type { VpnProfile } from './profiles.ts'
import type { Stage, VpnClientEffect, VpnClientInput, VpnClientOptions } from './vpn-contract.ts'

const MARKER = new Uint8Array(4)
const KEEPALIVE = Uint8Array.of(0xff)
const PPP_IPV4 = Uint8Array.of(0xff, 0x03, 0x00, 0x21)
const EPHEMERAL_PORTS = 49152
/** How long the replaced pair still opens what was under way. */
const OVERLAP_MILLIS = 10_000
/** Share of the life of an SA, or of a phase 1, after which the next is made. */
const RENEWAL_SHARE = 0.9
/** After a renewal that came to nothing, and after the phase 1 that was to protect it went away. */
const RETRY_MILLIS = 30_000
const ANEW_MILLIS = 1_000
const PHASE1_SECONDS = 28_800
/** RFC 3706: so many questions, so far apart, before the server is dead. */
const MAX_QUESTIONS = 5
const QUESTION_MILLIS = 5_000
/** How long to wait for each answer when leaving, and for the gateway to hang up after a refusal. */
const FAREWELL_MILLIS = 1_000
const REFUSED_MILLIS = 3_000

type Phase = 'idle' | 'ike' | 'l2tp' | 'ppp' | 'up' | 'leavingPpp' | 'leavingL2tp' | 'down'

export class VpnClient implements Machine<VpnClientInput, VpnClientEffect> {
  phase: Phase = 'idle'
  /** The inner address, once there is one. */
  address: Ipv4 = 0
  /** Its phase 1; a later one takes its place. */
  ike: IkeClient
  readonly lac: Lac
  readonly ppp: PppClient
  readonly esp: ClientEsp
  private readonly o: VpnClientOptions
  private readonly computerName: string
  private readonly port: number | undefined
  /** The phase 1 in the making that is to take the place of `ike`, and whether a Quick Mode waits for it. */
  private successor: IkeClient | undefined
  private wantsPair = false
  private pair: InitiatorPair | undefined
  private replaced: { pair: InitiatorPair; at: Millis } | undefined
  private sessionId = 0
  /** L2TP and PPP header of every IPv4 packet, where it is always the same. */
  private prefix = new Uint8Array(0) as Uint8Array
  private ending: { failed: Stage | undefined; reason: string } = { failed: undefined, reason: '' }
  private patienceAt: Millis | undefined
  private keepaliveAt: Millis | undefined
  private helloAt: Millis | undefined
  private rekeyAt: Millis | undefined
  private pairEndsAt: Millis | undefined
  private renewAt: Millis | undefined
  private phase1EndsAt: Millis | undefined
  /** When the server was heard last, how often it was asked since, and when to look again. */
  private heardAt: Millis = 0
  private questions = 0
  private lookAt: Millis | undefined
  private farewellAt: Millis | undefined

  constructor(o: VpnClientOptions) {
    const { randomPort } = o.profile
    const port = randomPort === undefined ? undefined : EPHEMERAL_PORTS + (readIpv4(o.dice(4)) & 0x3fff)
    const computerName = o.computerName ?? 'XPCLIENT'
    this.o = o
    this.computerName = computerName
    this.port = port
    this.ike = this.newIke(o.profile)
    this.esp = new ClientEsp({
      engine: o.engine ?? new ReferenceEngine(o.dice),
      peer: o.peer ?? 0,
      address: o.address,
      server: o.server,
      ...(port === undefined ? {} : { clientPort: port }),
      ...(o.profile.cutsSha256 === undefined ? {} : { cutsSha256: o.profile.cutsSha256 }),
      ...(o.batch ? { batch: o.batch } : {}),
    })
    this.lac = new Lac({ profile: o.profile.lac, hostName: computerName, tunnelId: o.tunnelId ?? 1 })
    this.ppp = new PppClient({
      flavour: o.profile.ppp,
      name: o.user,
      password: o.password,
      computerName,
      magic: readIpv4(o.dice(4)),
      asksFor: o.asksFor ?? 0,
      ...(o.profile.identification === undefined ? {} : { identification: o.profile.identification }),
    })
  }

  get deadline(): Millis | undefined {
    let earliest: Millis | undefined
    const consider = (at: Millis | undefined) => {
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at
    }
    if (this.phase === 'idle' || this.phase === 'down') return undefined
    consider(this.ike.deadline)
    consider(this.successor?.deadline)
    consider(this.lac.deadline)
    consider(this.pppRuns ? this.ppp.deadline : undefined)
    consider(this.patienceAt)
    consider(this.keepaliveAt)
    consider(this.helloAt)
    consider(this.rekeyAt)
    consider(this.pairEndsAt)
    consider(this.renewAt)
    consider(this.phase1EndsAt)
    consider(this.lookAt)
    consider(this.farewellAt)
    consider(this.replaced?.at)
    return earliest
  }

  handle(input: VpnClientInput | DeadlineInput, now: Millis, effects: VpnClientEffect[]): void {
    if (this.phase === 'down') return
    switch (input.kind) {
      case 'start':
        if (this.phase !== 'idle') return
        this.phase = 'ike'
        this.patienceAt = now + (this.o.patienceMillis ?? 60_000)
        return this.toIke({ kind: 'start' }, now, effects)
      case 'datagram':
        return this.datagram(input.port, input.bytes, now, effects)
      case 'esp':
        return this.openEsp(input.bytes, now, effects)
      case 'ipPacket':
        if (this.phase === 'up') this.sendIp(input.bytes, effects)
        return
      case 'rekey':
        if (this.phase === 'up') this.renewPair(now, effects)
        return
      case 'abandonRekey':
        if (this.phase !== 'up') return
        this.toIke({ kind: 'abandon' }, now, effects)
        this.rekeyAt ??= now + RETRY_MILLIS
        return
      case 'renewPhase1':
        if (this.phase === 'up') this.renewPhase1(now, effects)
        return
      case 'endPhase1':
        if (this.phase === 'up' && this.ike.up) this.endPhase1(now, effects)
        return
      case 'disconnect':
        if (this.phase !== 'leavingPpp' && this.phase !== 'leavingL2tp') this.leave(undefined, 'hung up', now, effects)
        return
      case 'deadline':
        return this.expire(now, effects)
    }
  }

  // ------------------------------------------------------------------------------------------------------- coming in

  private datagram(port: 500 | 4500, bytes: Uint8Array, now: Millis, effects: VpnClientEffect[]): void {
    if (port === 500) return this.toIke({ kind: 'message', bytes }, now, effects)
    if (bytes.length < 4) return
    if (readIpv4(bytes) === 0) return this.toIke({ kind: 'message', bytes: bytes.subarray(4) }, now, effects)
    this.openEsp(bytes, now, effects)
  }

  private openEsp(packet: Uint8Array, now: Millis, effects: VpnClientEffect[]): void {
    if (this.o.profile.refusesServerBehindNat && this.ike.initiator.nat.server) return
    const l2tp = this.esp.open(packet)
    if (this.esp.nearsLimit) this.rekeyAt = now
    if (l2tp === undefined || l2tp.length < 6) return
    this.heard(now)
    if (l2tp[0]! & 0x80) {
      this.say('<-', () => describeL2tp(l2tp), effects)
      // The packet lies in a batch that our own answers go through.
      return this.toLac({ kind: 'message', bytes: l2tp.slice() }, now, effects)
    }
    const data = this.lac.readData(l2tp)
    if (data === undefined || data.localSessionId !== this.sessionId) return
    this.frame(data.frame, now, effects)
  }

  private frame(frame: Uint8Array, now: Millis, effects: VpnClientEffect[]): void {
    let at = frame[0] === 0xff && frame[1] === 0x03 ? 2 : 0
    const protocol = frame[at]! & 1 ? frame[at++]! : (frame[at++]! << 8) | frame[at++]!
    if (protocol === 0x0021) {
      if (this.phase === 'up') effects.push({ kind: 'ipPacket', bytes: frame.subarray(at) })
      return
    }
    if (!this.echoes(frame[at])) this.say('<-', () => describePpp(frame), effects)
    if (this.phase === 'leavingPpp') {
      // A Terminate-Ack, or the gateway's own Terminate-Request.
      if (protocol === 0xc021 && (frame[at] === 6 || frame[at] === 5)) this.leaveL2tp(now, effects)
      return
    }
    if (this.pppRuns) this.fromPpp(this.ppp.receive(frame, now), now, effects)
  }

  // ------------------------------------------------------------------------------------------------------------- IKE

  private newIke(profile: VpnProfile): IkeClient {
    const { o, port } = this
    return new IkeClient({
      profile,
      dice: o.dice,
      presharedKey: o.presharedKey,
      address: o.address,
      server: o.server,
      computerName: this.computerName,
      intervals: o.ikeIntervals ?? profile.intervals,
      ...(profile.randomPort === 'told' && port !== undefined ? { clientPort: port } : {}),
    })
  }

  /** To the phase 1 that there is, and what the server says to the one in the making as well: each knows its cookies. */
  private toIke(input: IkeClientInput | DeadlineInput, now: Millis, effects: VpnClientEffect[]): void {
    const both = input.kind === 'message' || input.kind === 'deadline'
    for (const ike of both ? [this.ike, this.successor] : [this.ike]) if (ike) this.give(ike, input, now, effects)
  }

  private give(ike: IkeClient, input: IkeClientInput | DeadlineInput, now: Millis, effects: VpnClientEffect[]): void {
    const told: IkeClientEffect[] = []
    ike.handle(input, now, told)
    for (const effect of told) this.fromIke(ike, effect, now, effects)
  }

  private fromIke(ike: IkeClient, effect: IkeClientEffect, now: Millis, effects: VpnClientEffect[]): void {
    switch (effect.kind) {
      case 'phase1Up':
        return this.phase1Up(ike, now, effects)
      case 'alive':
        return this.heard(now)
      case 'send':
        effects.push({
          kind: 'send',
          port: effect.port,
          bytes: effect.port === 4500 ? concat(MARKER, effect.bytes) : effect.bytes,
        })
        return
      case 'step':
        if (this.o.narrate) effects.push(effect)
        return
      case 'pairUp':
        return this.pairUp(effect.pair, now, effects)
      case 'pairDeleted':
        if (this.replaced?.pair.outboundSpi === effect.outboundSpi) this.retire(this.replaced.pair)
        else if (this.pair?.outboundSpi === effect.outboundSpi)
          this.pairLost(this.pair, 'the server deleted the security associations', effects)
        return
      case 'isakmpDeleted':
        // The ESP SAs outlive the phase 1 that made them.
        if (this.pair) this.phase1Over(now)
        else if (ike === this.ike) this.finish('IKE', 'the server ended phase 1', effects)
        return
      case 'failed':
        if (ike === this.successor) this.successorFailed(now)
        // While the old pair lives, a Quick Mode that came to nothing is tried again.
        else if (this.pair) this.rekeyAt = now + RETRY_MILLIS
        else this.finish(effect.phase === 1 ? 'IKE' : 'IPsec', effect.reason, effects)
        return
    }
  }

  /** New SAs, under a new phase 1 where the old one is no more. */
  private renewPair(now: Millis, effects: VpnClientEffect[]): void {
    if (!this.successor && this.ike.up) return this.toIke({ kind: 'quickMode' }, now, effects)
    this.wantsPair = true
    this.renewPhase1(now, effects)
  }

  private renewPhase1(now: Millis, effects: VpnClientEffect[]): void {
    if (this.successor) return
    // It did not start anew: INITIAL-CONTACT would be a lie. Windows' vendor ID says less: that it has no ISAKMP SA.
    const { profile } = this.o
    const lastVendorIds = profile.ike.lastVendorIds?.filter(v => !this.ike.up || v !== VendorId.InitialContact)
    const ike = { ...profile.ike, initialContact: false, ...(lastVendorIds ? { lastVendorIds } : {}) }
    this.successor = this.newIke({ ...profile, ike })
    this.give(this.successor, { kind: 'start', alone: true }, now, effects)
  }

  private successorFailed(now: Millis): void {
    this.successor = undefined
    if (this.wantsPair) this.rekeyAt = now + RETRY_MILLIS
    else this.renewAt = now + RETRY_MILLIS
    this.wantsPair = false
  }

  private phase1Up(ike: IkeClient, now: Millis, effects: VpnClientEffect[]): void {
    const life = 1000 * (this.o.profile.ike.lifetimeSeconds ?? PHASE1_SECONDS)
    this.phase1EndsAt = now + life
    this.renewAt = this.o.profile.renewsPhase1Early ? now + life * RENEWAL_SHARE : undefined
    if (ike !== this.successor) return
    const old = this.ike
    this.ike = ike
    this.successor = undefined
    this.give(old, { kind: 'delete', inboundSpis: [], isakmp: true }, now, effects)
    if (this.wantsPair || this.rekeyAt === undefined) this.toIke({ kind: 'quickMode' }, now, effects)
    this.wantsPair = false
  }

  private endPhase1(now: Millis, effects: VpnClientEffect[]): void {
    this.toIke({ kind: 'delete', inboundSpis: [], isakmp: true }, now, effects)
    this.phase1Over(now)
  }

  /** The phase 1 is no more; what was under way under it begins anew. */
  private phase1Over(now: Millis): void {
    this.phase1EndsAt = this.renewAt = undefined
    this.rekeyAt ??= now + ANEW_MILLIS
  }

  private heard(now: Millis): void {
    this.heardAt = now
    this.questions = 0
  }

  /** RFC 3706, of those who do it: is the server still there? */
  private look(now: Millis, effects: VpnClientEffect[]): void {
    const silence = this.o.profile.deadPeerMillis!
    this.lookAt = now + silence
    if (this.phase !== 'up' || !this.ike.up) return
    if (this.questions === 0 && now < this.heardAt + silence) {
      this.lookAt = this.heardAt + silence
      return
    }
    if (this.questions >= MAX_QUESTIONS) return this.finish('connected', 'the server answers no question', effects)
    this.questions++
    this.lookAt = now + QUESTION_MILLIS
    this.toIke({ kind: 'areYouThere' }, now, effects)
  }

  private pairUp(pair: InitiatorPair, now: Millis, effects: VpnClientEffect[]): void {
    if (this.replaced) this.retire(this.replaced.pair)
    if (this.pair) this.replaced = { pair: this.pair, at: now + OVERLAP_MILLIS }
    this.pair = pair
    this.esp.install(pair)
    const life = 1000 * (pair.lifetime.seconds ?? PHASE1_SECONDS)
    this.rekeyAt = now + (this.o.rekeyMillis ?? life * RENEWAL_SHARE)
    this.pairEndsAt = now + life
    const { keepaliveMillis, deadPeerMillis } = this.o.profile
    if (deadPeerMillis !== undefined) this.lookAt ??= now + deadPeerMillis
    if (pair.udpEncapsulated && keepaliveMillis !== undefined) this.keepaliveAt = now + keepaliveMillis
    if (this.phase !== 'ike') return
    this.phase = 'l2tp'
    this.toLac({ kind: 'connect' }, now, effects)
    this.toLac({ kind: 'call' }, now, effects)
  }

  private pairLost(pair: InitiatorPair, reason: string, effects: VpnClientEffect[]): void {
    this.esp.remove(pair)
    this.pair = undefined
    if (this.phase === 'leavingPpp' || this.phase === 'leavingL2tp') return this.close(effects)
    const stage = this.phase === 'up' ? 'connected' : 'L2TP'
    this.finish(stage, reason, effects)
  }

  private retire(pair: InitiatorPair): void {
    this.esp.remove(pair)
    this.replaced = undefined
  }

  // ------------------------------------------------------------------------------------------------------------ L2TP

  private toLac(input: LacInput | DeadlineInput, now: Millis, effects: VpnClientEffect[]): void {
    const told: LacEffect[] = []
    try {
      this.lac.handle(input, now, told)
    } catch (e) {
      return this.leave('L2TP', `a message of the server's is wrong: ${(e as Error).message}`, now, effects)
    }
    // PPP starts behind the ICCN that makes room for it, unless a CDN that waited for its turn ended the call at once.
    for (const effect of told) if (effect.kind !== 'callUp') this.fromLac(effect, now, effects)
    for (const effect of told)
      if (effect.kind === 'callUp' && this.lac.calls.has(effect.localSessionId)) this.fromLac(effect, now, effects)
    if (this.phase === 'leavingL2tp' && this.lac.channel.unacknowledged === 0) this.close(effects)
  }

  private fromLac(effect: LacEffect, now: Millis, effects: VpnClientEffect[]): void {
    switch (effect.kind) {
      case 'send':
        this.say('->', () => describeL2tp(effect.bytes), effects)
        return this.sendL2tp(effects, effect.bytes)
      case 'tunnelUp':
        this.armHello(now)
        return
      case 'callUp':
        this.sessionId = effect.localSessionId
        this.prefix = this.lac.profile.lengthBit ? this.prefix : this.lac.data(this.sessionId, PPP_IPV4)
        this.phase = 'ppp'
        return this.fromPpp(this.ppp.start(now), now, effects)
      case 'callDown':
      case 'tunnelDown':
        if (this.phase !== 'leavingPpp' && this.phase !== 'leavingL2tp') {
          this.leave(this.phase === 'up' ? 'connected' : 'L2TP', effect.reason, now, effects)
        }
        return
    }
  }

  private sendL2tp(effects: VpnClientEffect[], ...pieces: readonly Uint8Array[]): void {
    const bytes = this.esp.seal(...pieces)
    // Due at once.
    if (this.esp.nearsLimit) this.rekeyAt = 0
    if (bytes === undefined) return
    effects.push(this.pair?.udpEncapsulated ? { kind: 'send', port: 4500, bytes } : { kind: 'sendEsp', bytes })
  }

  // ------------------------------------------------------------------------------------------------------------- PPP

  private get pppRuns(): boolean {
    return this.phase === 'ppp' || this.phase === 'up'
  }

  private sendIp(packet: Uint8Array, effects: VpnClientEffect[]): void {
    if (this.prefix.length > 0) return this.sendL2tp(effects, this.prefix, packet)
    this.sendL2tp(effects, this.lac.data(this.sessionId, concat(PPP_IPV4, packet)))
  }

  private fromPpp(frames: readonly Uint8Array[], now: Millis, effects: VpnClientEffect[]): void {
    for (const frame of frames) {
      if (!this.echoes(frame[4])) this.say('->', () => describePpp(frame), effects)
      this.sendL2tp(effects, this.lac.data(this.sessionId, frame))
    }
    const { ppp } = this
    if (this.phase === 'ppp' && ppp.ipcpOpened) this.networkUp(effects)
    if (!ppp.authenticated && ppp.chapMessage !== '' && this.farewellAt === undefined) {
      this.farewellAt = now + REFUSED_MILLIS
    }
    if (ppp.ended !== undefined && this.pppRuns) this.pppEnded(ppp.ended, now, effects)
  }

  private pppEnded(reason: string, now: Millis, effects: VpnClientEffect[]): void {
    if (this.phase === 'up') return this.leave('connected', reason, now, effects)
    const refused = !this.ppp.authenticated && this.ppp.chapMessage !== ''
    if (refused) this.leave('authentication', this.ppp.chapMessage, now, effects)
    else this.leave('PPP', reason, now, effects)
  }

  private networkUp(effects: VpnClientEffect[]): void {
    const { address, serverAddress, dns, serverMru } = this.ppp
    this.phase = 'up'
    this.address = address
    this.patienceAt = undefined
    this.say('==', () => `connected as ${formatIpv4(address)}, the gateway is ${formatIpv4(serverAddress)}`, effects)
    effects.push({
      kind: 'networkUp',
      address,
      serverAddress,
      dns: dns.filter(d => d !== 0),
      mtu: Math.min(1400, serverMru),
    })
  }

  // --------------------------------------------------------------------------------------------------------- leaving

  /** Takes everything down in order: PPP's Terminate-Request, CDN, StopCCN, and the deletes of IKE. */
  private leave(failed: Stage | undefined, reason: string, now: Millis, effects: VpnClientEffect[]): void {
    const connected = this.pppRuns && this.ppp.ended === undefined
    this.ending = { failed, reason }
    this.patienceAt = this.helloAt = this.rekeyAt = this.renewAt = this.lookAt = undefined
    if (!this.pair) return this.close(effects)
    if (!connected || this.lac.calls.size === 0) return this.leaveL2tp(now, effects)
    const frames = this.ppp.hangUp(now)
    this.phase = 'leavingPpp'
    this.farewellAt = now + FAREWELL_MILLIS
    this.fromPpp(frames, now, effects)
  }

  private leaveL2tp(now: Millis, effects: VpnClientEffect[]): void {
    this.phase = 'leavingL2tp'
    this.farewellAt = now + FAREWELL_MILLIS
    const tunnelOver = () => this.lac.state === 'closed'
    if (tunnelOver()) return this.close(effects)
    const calls = this.lac.profile.hangsUp === false ? [] : [...this.lac.calls.keys()]
    for (const localSessionId of calls) {
      if (this.phase === 'leavingL2tp') this.toLac({ kind: 'hangUp', localSessionId }, now, effects)
    }
    if (this.phase === 'leavingL2tp' && !tunnelOver()) this.toLac({ kind: 'disconnect' }, now, effects)
  }

  /** L2TP is done: IKE tells that the SAs are over. */
  private close(effects: VpnClientEffect[]): void {
    const pairs = [this.replaced?.pair, this.pair].filter(p => p !== undefined)
    // What a Quick Mode under way would have made is over too.
    const inboundSpis = [...pairs.map(p => p.inboundSpi), ...this.ike.initiator.pendingSpis]
    this.phase = 'down'
    const form = this.o.deletes ?? 'each'
    if (this.successor?.up) this.give(this.successor, { kind: 'delete', inboundSpis: [], isakmp: true }, 0, effects)
    this.toIke({ kind: 'delete', inboundSpis, isakmp: true, form }, 0, effects)
    this.finish(this.ending.failed, this.ending.reason, effects)
  }

  private finish(failed: Stage | undefined, reason: string, effects: VpnClientEffect[]): void {
    this.phase = 'down'
    this.esp.removeAll()
    effects.push({ kind: 'down', failed, reason })
  }

  // ------------------------------------------------------------------------------------------------------------ time

  private expire(now: Millis, effects: VpnClientEffect[]): void {
    const due = (at: Millis | undefined) => at !== undefined && at <= now
    if (due(this.patienceAt)) {
      const stage = this.phase === 'ike' ? 'IKE' : this.phase === 'l2tp' ? 'L2TP' : 'PPP'
      this.patienceAt = undefined
      return this.leave(stage, 'it took too long', now, effects)
    }
    if (due(this.farewellAt)) {
      this.farewellAt = undefined
      if (this.phase === 'leavingL2tp') return this.close(effects)
      if (this.phase === 'leavingPpp') return this.leaveL2tp(now, effects)
      if (this.phase === 'ppp' && !this.ppp.authenticated)
        this.leave('authentication', this.ppp.chapMessage, now, effects)
    }
    if (due(this.ike.deadline) || due(this.successor?.deadline)) this.toIke({ kind: 'deadline' }, now, effects)
    if (due(this.lac.deadline)) this.toLac({ kind: 'deadline' }, now, effects)
    if (this.pppRuns && due(this.ppp.deadline)) this.fromPpp(this.ppp.expire(now), now, effects)
    if (due(this.keepaliveAt)) {
      this.keepaliveAt = now + this.o.profile.keepaliveMillis!
      effects.push({ kind: 'send', port: 4500, bytes: KEEPALIVE })
    }
    if (due(this.helloAt)) {
      this.armHello(now)
      this.toLac({ kind: 'hello' }, now, effects)
    }
    if (due(this.rekeyAt)) {
      this.rekeyAt = undefined
      this.esp.nearsLimit = false
      this.renewPair(now, effects)
    }
    if (due(this.renewAt)) {
      this.renewAt = undefined
      this.renewPhase1(now, effects)
    }
    if (due(this.phase1EndsAt)) this.endPhase1(now, effects)
    if (due(this.lookAt)) this.look(now, effects)
    if (this.pair && due(this.pairEndsAt)) {
      this.pairEndsAt = undefined
      return this.pairLost(this.pair, 'the security associations ran out', effects)
    }
    if (this.replaced && due(this.replaced.at)) {
      this.toIke({ kind: 'delete', inboundSpis: [this.replaced.pair.inboundSpi], isakmp: false }, now, effects)
      this.retire(this.replaced.pair)
    }
  }

  private armHello(now: Millis): void {
    const { helloMillis } = this.lac.profile
    this.helloAt = helloMillis === undefined ? undefined : now + helloMillis
  }

  private say(arrow: string, text: () => string | undefined, effects: VpnClientEffect[]): void {
    if (!this.o.narrate) return
    const words = text()
    if (words !== undefined) effects.push({ kind: 'step', text: `${arrow} ${words}` })
  }

  /** Echo-Request and Echo-Reply come every few seconds: no step of its own. */
  private echoes(code: number | undefined): boolean {
    return this.phase === 'up' && (code === 9 || code === 10)
  }
}
