/**
 * Control: the one writer. It owns the configuration and the machines, carries their effects to each other and to the
 * data path, and takes what the workers hand up. Nothing here opens a socket: see ports.ts for its view of the world.
 */

import type { Configuration } from '../alliedware/config.ts'
import { closedRuleset } from '../firewall/compile.ts'
import type { Ruleset } from '../firewall/ruleset.ts'
import type { Surroundings } from '../firewall/surroundings.ts'
import type { IkeEffect, IkeInput } from '../ike/effects.ts'
import { IkeEndpoint } from '../ike/endpoint.ts'
import type { L2tpEffect, L2tpInput } from '../l2tp/effects.ts'
import { L2tpEndpoint } from '../l2tp/endpoint.ts'
import type { Endpoint } from '../packet/ip.ts'
import { MAX_PEERS, MAX_SESSIONS, RowNumbers } from '../packet/table.ts'
import { PuntReason } from '../packet/verdict.ts'
import type { OfficeFacts } from '../ppp/dhcp.ts'
import { Activity } from './activity.ts'
import { Admissions } from './admission.ts'
import { Attempts } from './attempts.ts'
import { Captures } from './capture.ts'
import { CommandQueue } from './command-queue.ts'
import type { ControlWorld } from './control-world.ts'
import { Deadlines } from './deadlines.ts'
import { Debug } from './debug.ts'
import { IsakmpTap } from './debug-isakmp.ts'
import { L2tpTap } from './debug-ppp.ts'
import { Driver } from './driver.ts'
import { EngineEvents } from './engine-events.ts'
import { FirewallMonitor } from './firewall-monitor.ts'
import { endOutdated } from './live-changes.ts'
import { Severity } from './log.ts'
import type { FromWorker } from './messages.ts'
import { NatSteering } from './nat-steering.ts'
import { type Peer, Peers } from './peers.ts'
import { Residents } from './residents.ts'
import { goRound } from './rounds.ts'
import { RulesNow } from './rules-now.ts'
import { Sessions } from './sessions.ts'
import { IKE_NAT_PORT } from './sockets.ts'
import { ikeConfig, l2tpConfig, pppTemplate } from './translate.ts'
import { unusableAddresses } from './unusable-addresses.ts'

/** UDP header before an L2TP control message. */
const UDP_HEADER = 8
const EXPIRY_CHECK_MILLIS = 5000

const NO_FACTS: OfficeFacts = { dnsSuffix: undefined, routes: [] }

export class Control {
  readonly peers: Peers
  readonly sessions: Sessions
  readonly attempts = new Attempts()
  readonly residents = new Residents()
  readonly admissions: Admissions
  readonly ike: IkeEndpoint
  readonly l2tp: L2tpEndpoint
  readonly world: ControlWorld
  /** Errors that are nobody's protocol error. */
  bugs = 0
  readonly engineEvents: EngineEvents
  private current: Configuration
  /** Who debugs what. */
  readonly debug: Debug
  readonly captures: Captures
  readonly firewall = new FirewallMonitor(this)
  /** Changes of the configuration: each is made to what the one before left. */
  readonly changes = new CommandQueue()
  private readonly rules: RulesNow
  private readonly steering: NatSteering
  /** What the workers go by now: rules that are not in force at this time of day are not in it. */
  ruleset: Ruleset = closedRuleset()
  private readonly deadlines: Deadlines
  private readonly ikeDriver: Driver<IkeInput, IkeEffect>
  private readonly l2tpDriver: Driver<L2tpInput, L2tpEffect>

  constructor(world: ControlWorld, configuration: Configuration) {
    this.world = world
    this.current = configuration
    const { clock, dice, log } = world
    this.deadlines = new Deadlines(clock)
    this.rules = new RulesNow(world)
    this.steering = new NatSteering(world.data)
    this.debug = new Debug(clock, world.wall)
    this.debug.changed = () => this.firewall.debugChanged()
    this.captures = new Captures(this)
    this.admissions = new Admissions({
      residents: this.residents,
      log,
      sessionsOf: (user, hostName) => this.sessions.index.of(user, hostName),
      clientOf: peer => this.peers.clientOf(peer),
    })

    this.peers = new Peers({
      sockets: world.sockets,
      data: world.data,
      stats: world.stats,
      log,
      attempts: this.attempts,
      now: () => clock.now(),
      wall: world.wall,
      peerGone: (peer, reason) => this.l2tpDriver.handle({ kind: 'peerGone', peer, reason }),
    })
    this.ike = new IkeEndpoint({
      config: this.ikeConfig(),
      dice,
      spi: peer => this.peers.chooseSpi(peer, dice),
      rows: new RowNumbers(MAX_PEERS),
    })
    this.l2tp = new L2tpEndpoint({ config: l2tpConfig(configuration), dice, rows: new RowNumbers(MAX_SESSIONS) })
    this.ikeDriver = new Driver<IkeInput, IkeEffect>(new IsakmpTap(this.ike, this.debug, this.captures), {
      carryOut: effect => this.peers.carryOut(effect),
      bug: (error, input) => this.bug(error, `IKE, input ${input.kind}`),
      clock,
      deadlines: this.deadlines,
    })
    this.engineEvents = new EngineEvents({ peers: this.peers, ike: input => this.ikeDriver.handle(input), log })
    this.l2tpDriver = new Driver<L2tpInput, L2tpEffect>(new L2tpTap(this.l2tp, this.debug), {
      carryOut: effect => this.sessions.carryOut(effect),
      bug: (error, input) => this.bug(error, `L2TP, input ${input.kind}`),
      clock,
      deadlines: this.deadlines,
    })
    this.sessions = new Sessions({
      data: world.data,
      network: world.network,
      residents: this.residents,
      admissions: this.admissions,
      stats: world.stats,
      log,
      attempts: this.attempts,
      debug: this.debug,
      clock,
      deadlines: this.deadlines,
      wall: world.wall,
      dice,
      steering: this.steering,
      workerOf: peer => this.peers.workerOf(peer),
      currentSa: peer => this.peers.current(peer),
      template: (template, pathMru) => pppTemplate(this.current, template, pathMru),
      l2tp: input => this.l2tpDriver.handle(input),
      startedAnew: (peer, spi) => this.peers.startedAnew(peer, spi),
      up: peer => this.up(peer),
      closePeer: (peer, reason) => this.ikeDriver.handle({ kind: 'closePeer', peer, reason }),
      bug: (error, where) => this.bug(error, where),
    })
    new Activity({
      sessions: () => this.sessions.all.values(),
      stats: world.stats,
      clock,
      deadlines: this.deadlines,
      l2tp: input => this.l2tpDriver.handle(input),
      settledSa: (peer, since) => this.peers.settledSa(peer, since),
      idleSeconds: template => this.current.pppTemplates.find(t => t.template === template)?.idleSeconds,
    })
    log.configure(configuration.log)
    this.configureResidents(configuration)
    this.watchAttempts()
  }

  get configuration(): Configuration {
    return this.current
  }

  /** Compiles the firewall's rules and sends them to every worker, which let nothing pass before. */
  publishRules(): void {
    const { world } = this
    const { ruleset, until } = this.rules.take(this.current.firewall, world.surroundings(this.current))
    this.deadlines.set(this.rules, until, () => {
      this.publishRules()
      world.rulesChanged?.()
    })
    this.ruleset = ruleset
    this.steering.rules(ruleset)
    this.firewall.hosts.listen(ruleset.accounting.includes(1))
    for (let w = 0; w < this.world.data.workers; w++) this.world.data.post(w, { kind: 'setRuleset', ruleset })
  }

  /** The rules that another configuration would put in force, between these networks. */
  rulesUnder(configuration: Configuration, around: Surroundings): Ruleset {
    return this.rules.look(configuration.firewall, around)
  }

  /** Takes another configuration into use: sessions that it does not concern go on. */
  configure(configuration: Configuration): void {
    this.current = configuration
    this.world.log.configure(configuration.log)
    this.ike.configure(this.ikeConfig())
    this.l2tp.configure(l2tpConfig(configuration))
    this.configureResidents(configuration)
    this.publishRules()
    endOutdated(this)
  }

  private configureResidents(configuration: Configuration): void {
    const { interfaces } = this.world.surroundings(configuration)
    this.residents.configure(configuration, unusableAddresses(interfaces))
  }

  /** An IKE datagram, without the non-ESP marker. */
  datagram(local: Endpoint, remote: Endpoint, bytes: Uint8Array): void {
    this.ikeDriver.handle({ kind: 'datagram', local, remote, bytes })
  }

  fromWorker(worker: number, m: FromWorker): void {
    switch (m.kind) {
      case 'punt':
        return this.punt(m)
      case 'engine':
        for (const event of m.events) this.engineEvents.take(event)
        return
      case 'mirrored':
        return this.captures.mirrored(m.packets)
      case 'firewall':
        return this.firewall.heard(worker, m.news)
      case 'bug':
        return this.bug(m.text, `worker ${worker}`)
      case 'stopped':
        if (m.why !== undefined) this.world.log.add({ severity: Severity.Critical, module: 'SYS', text: m.why })
        return
    }
  }

  closeSession(session: number, reason: string): boolean {
    return this.sessions.close(session, reason)
  }

  closeTunnel(peer: number, localTunnelId: number, reason: string): void {
    this.l2tpDriver.handle({ kind: 'closeTunnel', peer, localTunnelId, reason })
  }

  closePeer(peer: number, reason: string): boolean {
    const known = this.peers.all.has(peer)
    if (known) this.ikeDriver.handle({ kind: 'closePeer', peer, reason })
    return known
  }

  /** Says good-bye to everybody: StopCCN to every tunnel, DELETE for every SA. */
  shutdown(): void {
    for (const session of [...this.sessions.all.keys()]) this.closeSession(session, 'the gateway is shutting down')
    this.l2tpDriver.handle({ kind: 'shutdown' })
    this.ikeDriver.handle({ kind: 'shutdown' })
    this.firewall.hosts.listen(false)
    this.deadlines.clear()
  }

  /** A client that began anew and is up has no use for what it had before. */
  private up(peer: number): void {
    const spi = this.peers.takeAnew(peer)
    if (spi !== undefined) this.ikeDriver.handle({ kind: 'startedAnew', peer, spi })
  }

  private ikeConfig() {
    const { secrets, publicAddress, forceEncapsulation, credentials } = this.world
    return ikeConfig(
      this.current,
      id => secrets.sharedKey(id),
      publicAddress(),
      forceEncapsulation?.(),
      credentials?.(),
      this.world.surroundings(this.current).interfaces,
    )
  }

  private punt(m: Extract<FromWorker, { kind: 'punt' }>): void {
    switch (m.reason) {
      case PuntReason.Ike:
        return this.datagram(
          { address: m.local, port: IKE_NAT_PORT },
          { address: m.address, port: m.port },
          m.bytes.subarray(4),
        )
      case PuntReason.L2tpControl: {
        const peer = this.peers.all.get(m.peer)
        if (!peer) return
        return this.l2tpDriver.handle({
          kind: 'message',
          peer: m.peer,
          sa: m.sa,
          remote: peer.remote.address,
          remotePort: (m.bytes[0]! << 8) | m.bytes[1]!,
          localPort: (m.bytes[2]! << 8) | m.bytes[3]!,
          bytes: m.bytes.slice(UDP_HEADER),
        })
      }
      case PuntReason.PppControl:
        // A phone may leave every Hello unanswered: that it answers PPP's echo shows as well that it is there.
        this.l2tpDriver.handle({ kind: 'heard', session: m.session, sa: m.sa })
        return this.sessions.frame(m.session, m.bytes)
      case PuntReason.Dhcp:
        return this.sessions.inform(m.session, m.bytes, this.world.office?.() ?? NO_FACTS)
    }
  }

  private watchAttempts(): void {
    const { clock } = this.world
    this.deadlines.set(this.attempts, clock.now() + EXPIRY_CHECK_MILLIS, () => {
      this.attempts.expire(clock.now())
      const hear = (p: Peer) => {
        if (this.peers.hears(p)) this.ikeDriver.handle({ kind: 'heard', peer: p.peer })
      }
      goRound({ clock, deadlines: this.deadlines }, this.peers.all.values(), hear, () => this.watchAttempts())
    })
  }

  private bug(error: unknown, where: string): void {
    this.bugs++
    this.world.log.add({
      severity: Severity.Critical,
      module: 'SYS',
      text: `Bug in ${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    })
  }
}
