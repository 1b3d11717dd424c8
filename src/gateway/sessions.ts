/** The L2TP and PPP side of control: one record a session, from ICRP to the last word, with its user and inner address. */

import { innerMtu } from '../esp/overhead.ts'
import type { ChildSa } from '../ike/effects.ts'
import { CallResult } from '../l2tp/constants.ts'
import type { L2tpEffect, L2tpInput, L2tpSessionIds } from '../l2tp/effects.ts'
import type { Dice } from '../machine.ts'
import { emitUdp, formatIpv4 } from '../packet/ip.ts'
import { PppProtocol } from '../ppp/constants.ts'
import type { OfficeFacts } from '../ppp/dhcp.ts'
import type { PppDownCause, PppEffect, PppInput, PppTemplate } from '../ppp/effects.ts'
import { emitFrame } from '../ppp/frame.ts'
import { PppLink } from '../ppp/link.ts'
import { type Admissions, type Authenticate, resultOf } from './admission.ts'
import type { Attempts } from './attempts.ts'
import type { Clock, Deadlines } from './deadlines.ts'
import type { Debug } from './debug.ts'
import { PppTap } from './debug-ppp.ts'
import { Driver } from './driver.ts'
import { type Log, Severity } from './log.ts'
import type { NatSteering } from './nat-steering.ts'
import type { DataPath, HostNetwork } from './ports.ts'
import { ofAdmission, ofLink, ofTunnel, type Refusal } from './refusals.ts'
import type { Residents } from './residents.ts'
import type { Session } from './session.ts'
import { SessionIndex } from './session-index.ts'
import { SessionRoutes } from './session-routes.ts'
import type { Stats } from './stats.ts'

export class Sessions {
  readonly all = new Map<number, Session>()
  readonly index = new SessionIndex()
  /** What the links that are gone have counted. */
  private readonly bygone = new Map<string, number>()
  private pppNumber = 0
  private readonly routes: SessionRoutes
  private readonly to: {
    readonly data: DataPath
    readonly network: HostNetwork
    readonly residents: Residents
    readonly admissions: Admissions
    readonly stats: Stats
    readonly log: Log
    readonly attempts: Attempts
    readonly debug: Debug
    readonly clock: Clock
    readonly steering: NatSteering
    readonly deadlines: Deadlines
    readonly wall: () => Date
    readonly dice: Dice
    readonly workerOf: (peer: number) => number
    /** The SA that seals for the peer now. */
    readonly currentSa: (peer: number) => ChildSa | undefined
    readonly template: (template: number, pathMru: number) => PppTemplate
    readonly l2tp: (input: L2tpInput) => void
    /** The client began anew over this SA; */
    readonly startedAnew: (peer: number, spi: number) => void
    /** one of the peer's sessions has its address. */
    readonly up: (peer: number) => void
    readonly closePeer: (peer: number, reason: string) => void
    readonly bug: (error: unknown, where: string) => void
  }

  constructor(to: Sessions['to']) {
    this.to = to
    this.routes = new SessionRoutes(to.network)
  }

  carryOut(effect: L2tpEffect): void {
    const { data, attempts, log } = this.to
    switch (effect.kind) {
      case 'send':
        attempts.answered(effect.peer, this.to.clock.now())
        return data.post(this.to.workerOf(effect.peer), {
          kind: 'inject',
          peer: effect.peer,
          bytes: emitUdp(effect.localPort, effect.remotePort, effect.bytes),
        })
      case 'tunnelUp':
        attempts.tunnelUp(effect.peer, this.to.clock.now())
        return log.add({
          severity: Severity.Info,
          module: 'L2TP',
          text: `Tunnel ${effect.localTunnelId} up, host ${effect.hostName}`,
          fields: { peer: effect.peer },
        })
      case 'sessionUp':
        return this.open(effect.ids)
      case 'sessionConnected':
        return this.connected(effect.session, effect.sequencing)
      case 'sessionDown':
        return this.all.get(effect.session)?.driver.handle({ kind: 'lost', reason: effect.reason })
      case 'tunnelDown':
        log.add({
          severity: Severity.Info,
          module: 'L2TP',
          text: `Tunnel ${effect.localTunnelId} down: ${effect.reason}`,
          fields: { peer: effect.peer },
        })
        if (effect.dead) this.to.closePeer(effect.peer, effect.reason)
        return
      case 'startedAnew':
        return this.to.startedAnew(effect.peer, effect.sa)
      case 'discarded':
        if (effect.refusal) attempts.refused(effect.peer, ofTunnel(effect.refusal, effect.reason))
        return log.add({
          severity: Severity.Detail,
          module: 'L2TP',
          text: `Discarded a message: ${effect.reason}`,
          fields: { peer: effect.peer },
        })
    }
  }

  /** A PPP frame that the data path handed up. */
  frame(session: number, bytes: Uint8Array): void {
    const s = this.all.get(session)
    if (!s) return
    // PPP that came before the ICCN it belongs behind.
    if (!s.link.isStarted) s.driver.handle({ kind: 'start' })
    s.driver.handle({ kind: 'frame', bytes })
  }

  /** A client's DHCPINFORM, in its IP packet. */
  inform(session: number, packet: Uint8Array, office: OfficeFacts): void {
    const s = this.all.get(session)
    if (!s?.networkUp || s.admission?.kind !== 'accepted') return
    const ends = { server: this.to.network.localAddress, client: s.admission.address }
    const answer = this.to.residents.inform(packet, ends, office)
    if (answer) this.send(s, emitFrame(PppProtocol.Ipv4, answer))
  }

  /** Hangs up one session from our side. */
  close(session: number, reason: string): boolean {
    const s = this.all.get(session)
    s?.driver.handle({ kind: 'start' })
    s?.driver.handle({ kind: 'close', reason })
    return s !== undefined
  }

  private open(ids: L2tpSessionIds): void {
    const { stats, data } = this.to
    stats.clearSession(ids.session)
    const link = new PppLink({ template: this.to.template(ids.template, this.pathMru(ids)), dice: this.to.dice })
    const name = `ppp${this.pppNumber++}`
    const session: Session = {
      ids,
      worker: this.to.workerOf(ids.peer),
      name,
      link,
      driver: new Driver<PppInput, PppEffect>(new PppTap(link, this.to.debug, name, ids), {
        carryOut: effect => this.ppp(session, effect),
        bug: error => {
          this.to.bug(error, `PPP of session ${ids.session}`)
          this.finish(session, 'lost', 'an internal error')
        },
        clock: this.to.clock,
        deadlines: this.to.deadlines,
      }),
      started: this.to.wall(),
      admission: undefined,
      since: undefined,
      mtu: 0,
      networkUp: false,
      packetsSeen: 0,
      packetsCarried: 0,
      usedAt: this.to.clock.now(),
    }
    this.all.set(ids.session, session)
    this.index.add(session)
    this.to.attempts.called(ids.peer, ids.session, this.to.clock.now(), this.to.wall())
    data.post(session.worker, { kind: 'installSession', ids })
  }

  /** What ESP and L2TP leave of the path for the session's packets. */
  private pathMru({ peer, sequencing }: L2tpSessionIds): number {
    const sa = this.to.currentSa(peer)
    return sa ? innerMtu(sa.suite, sa.udpEncapsulated, this.to.network.publicMtu, sequencing) : 1280
  }

  /** Sequence numbers were asked for when the template was made already, or never. */
  private lay(s: Session, peerMru: number): void {
    if (s.admission?.kind !== 'accepted') return
    s.mtu = s.ids.sequencing ? Math.min(peerMru, this.pathMru(s.ids)) : peerMru
    this.routes.lay(s.ids.session, s.admission.address, s.mtu, s.admission.user)
  }

  private ppp(s: Session, effect: PppEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.send(s, effect.bytes)
      case 'authenticate':
        return this.authenticate(s, effect)
      case 'networkUp':
        return this.networkUp(s, effect)
      case 'networkDown':
        return this.networkDown(s)
      case 'down':
        return this.finish(s, effect.cause, effect.detail)
      case 'event':
        return this.to.log.add({
          severity: Severity.Info,
          module: 'PPP',
          text: `${s.name}: ${effect.text}`,
          fields: { session: s.ids.session, peer: s.ids.peer },
        })
    }
  }

  private send(s: Session, bytes: Uint8Array): void {
    this.to.data.post(s.worker, { kind: 'injectFrame', peer: s.ids.peer, session: s.ids.session, bytes })
  }

  private authenticate(s: Session, e: Authenticate): void {
    this.to.attempts.authenticating(s.ids.session, e.name)
    const admission = this.to.admissions.decide(s, e)
    if (admission.kind === 'accepted') {
      if (admission.displaced !== undefined) this.displace(admission.displaced, admission.user, s)
      this.index.loggedOut(s)
      s.admission = admission
      this.index.loggedIn(s)
      if (!e.again) this.lay(s, s.link.snapshot().peerMru)
    } else this.failed(s, ofAdmission(e.name, admission.reason))
    const result = resultOf(admission, this.to.residents, this.to.network.localAddress)
    s.driver.handle({ kind: 'authenticated', request: e.request, result })
  }

  /**
   * Another session held the address that this user owns, or the same client's last session did: the newest login has it.
   * With such a client's session goes the peer that it was.
   */
  private displace(session: number, user: string, by: Session): void {
    const old = this.all.get(session)
    if (!old) return
    const same = this.to.admissions.sameClient(old, by)
    this.finish(old, 'closed', `user ${user} connected anew`)
    const { peer } = old.ids
    if (same && !this.index.hasPeer(peer)) this.to.closePeer(peer, 'the client came back')
  }

  private networkUp(s: Session, e: Extract<PppEffect, { kind: 'networkUp' }>): void {
    const { data, steering } = this.to
    if (s.admission?.kind !== 'accepted') return
    this.lay(s, e.peerMru)
    s.since ??= this.to.wall()
    s.networkUp = true
    s.usedAt = this.to.clock.now()
    steering.up(s.ids.session, { address: e.address, user: e.user, worker: s.worker })
    const row = { session: s.ids.session, peer: s.ids.peer, address: e.address, user: e.user, mtu: s.mtu }
    const { compressAddress, compressProtocol } = e
    // Every worker knows whose the address is; only the session's own carries it.
    for (let w = 0; w < data.workers; w++) {
      const here = w === s.worker ? row : { ...row, peer: 0 }
      data.post(w, { kind: 'networkUp', row: here, compressAddress, compressProtocol })
    }
    this.to.attempts.connected(s.ids.session, e.user, formatIpv4(e.address), this.to.clock.now())
    this.to.up(s.ids.peer)
    this.to.log.add({
      severity: Severity.Info,
      module: 'PPP',
      type: 'VINT',
      subtype: 'UP',
      text: `${s.name}: interface is up, user ${e.user}, address ${formatIpv4(e.address)}`,
      fields: { session: s.ids.session, peer: s.ids.peer },
    })
  }

  /** LCP or IPCP is negotiated anew: nothing is forwarded until it is done. */
  private networkDown(s: Session): void {
    this.withdraw(s)
    s.networkUp = false
    const { data } = this.to
    for (let w = 0; w < data.workers; w++) data.post(w, { kind: 'networkDown', session: s.ids.session })
  }

  /** What all links have counted together, those that are gone among them. */
  pppCounters(): Record<string, number> {
    const sum = new Map(this.bygone)
    for (const s of this.all.values()) addCounts(sum, s)
    return Object.fromEntries(sum)
  }

  /** They count from zero again: what live links have counted is taken off it. */
  clearCounters(): void {
    this.bygone.clear()
    for (const s of this.all.values()) addCounts(this.bygone, s, -1)
  }

  /** Takes the session's route away. */
  private withdraw(s: Session): void {
    this.routes.remove(s.ids.session)
    if (s.networkUp) this.to.steering.down(s.ids.session)
  }

  /**
   * ICCN came. PPP starts now, for before the client has read our ICRP it has no call to take a frame for: what we said
   * earlier would be lost, and the second a restart timer takes with it.
   */
  private connected(session: number, sequencing: boolean): void {
    const s = this.all.get(session)
    if (s && sequencing) {
      s.ids = { ...s.ids, sequencing }
      this.to.data.post(s.worker, { kind: 'installSession', ids: s.ids })
    }
    s?.driver.handle({ kind: 'start' })
  }

  /** The link is over, for whatever cause: everything of the session goes, and L2TP hears of it. */
  private finish(s: Session, cause: PppDownCause, detail: string): void {
    if (!this.all.delete(s.ids.session)) return
    s.driver.end()
    this.index.remove(s)
    addCounts(this.bygone, s)
    const { attempts, log } = this.to
    this.failed(s, ofLink(cause, detail))
    attempts.ended(s.ids.session, detail)
    this.leave(s)
    const { data } = this.to
    for (let w = 0; w < data.workers; w++) data.post(w, { kind: 'removeSession', session: s.ids.session })
    log.add({
      severity: Severity.Info,
      module: 'PPP',
      type: 'VINT',
      subtype: 'DOWN',
      text: `${s.name}: interface is down: ${detail}`,
      fields: { session: s.ids.session, peer: s.ids.peer, cause },
    })
    this.to.l2tp({
      kind: 'closeSession',
      session: s.ids.session,
      resultCode: cause === 'echo-failed' ? CallResult.LostCarrier : CallResult.Administrative,
      reason: detail,
    })
  }

  private failed(s: Session, refusal: Refusal): void {
    this.to.attempts.failed(s.ids.session, refusal.text, refusal.remedy)
  }

  /** Gives the address back, and takes its route away. */
  private leave(s: Session): void {
    this.withdraw(s)
    s.admission = undefined
    this.to.residents.release(s.ids.session)
  }
}

function addCounts(sum: Map<string, number>, s: Session, times = 1): void {
  for (const [name, n] of Object.entries(s.link.snapshot().counters)) sum.set(name, (sum.get(name) ?? 0) + times * n)
}
