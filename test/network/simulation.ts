/**
 * A gateway, its clients and the Internet between them, in virtual time and out of one seed. Three acts: rough times, in
 * which anything happens; calm, in which everybody who wants to be connected has to be; and the end, after which nothing
 * may be left.
 */

import type { Engine } from '../../src/esp/engine.ts'
import type { Millis } from '../../src/machine.ts'
import { equal } from '../../src/packet/bytes.ts'
import { type Endpoint, type Ipv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { Rng } from '../fuzz/random.ts'
import { configurationOf } from '../support/memory-gateway.ts'
import { Agenda } from './agenda.ts'
import { Attacker, isAttackers } from './attacker.ts'
import { Books } from './books.ts'
import { Explored } from './explored.ts'
import { fault } from './fault.ts'
import { GatewayHost } from './gateway-host.ts'
import { House } from './house.ts'
import { anyQuality, Link, PERFECT } from './link.ts'
import { Nat } from './nat.ts'
import { numberedPing } from './pings.ts'
import { mayLiveBehind, type Plan, planOf } from './plan.ts'
import { userOf, Watch } from './watch.ts'

const SERVER = ipv4('203.0.113.1')
/** Where it really is, when a NAT hides it. */
const SERVER_BEHIND_NAT = ipv4('10.99.0.1')
const LAN_HOST = ipv4('192.168.8.10')
/** Beyond the public device: there the firewall keeps flows. */
const INTERNET_HOST = ipv4('192.0.3.7')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
/**
 * The longest that a client's own timers may take to find that its gateway is gone and to be back: a Hello within a minute
 * and its repetitions, one more attempt that goes wrong, and one that does not.
 */
const RECOVERY_MILLIS = 6 * MINUTE
/** Phase 1 lives for eight hours, and with it the peer of a client that vanished. */
const ALL_LIFETIMES = 9 * HOUR
/** The shortest that a configuration makes a phase 1 live. */
const SHORTEST_PHASE1 = 10 * MINUTE
/** The longest that those who are told of an end may take to act on it: a link's delay, and a second for each answer missed. */
const PARTING_MILLIS = 5000

/** How long a new phase 1 and a new pair take, and the pair that it replaces stays. */
const RENEWAL_MILLIS = 15_000

export interface SimulationOptions {
  readonly trace?: (line: string) => void
  /** Changes what the seed stands for. */
  readonly plan?: (drawn: Plan) => Plan
  /** The gateway's ESP engine; absent: the reference. */
  readonly engine?: () => Engine
}

export class Simulation {
  readonly explored = new Explored()
  readonly agenda = new Agenda()
  readonly watch = new Watch()
  readonly houses: House[]
  readonly nats: Nat[]
  readonly host: GatewayHost
  readonly plan: Plan
  private readonly rng: Rng
  private readonly attacker: Attacker
  private readonly books = new Books()
  private readonly trace: (text: string) => void
  private readonly began: Millis
  private rough = true
  /** The last lines of the gateway's log, for when something is wrong. */
  private readonly lastLines: string[] = []
  private readonly wire: (() => void)[] = []
  private delivering = false
  /** Somebody may have had no phase 1 left to say good-bye under. */
  private endedPhase1 = false

  constructor(seed: number, options: SimulationOptions = {}) {
    this.rng = new Rng(seed)
    this.began = this.agenda.now
    this.trace = text => options.trace?.(`${((this.agenda.now - this.began) / 1000).toFixed(3).padStart(10)} ${text}`)
    const drawn = planOf(this.rng)
    this.plan = options.plan?.(drawn) ?? drawn
    const { plan, rng, agenda } = this
    this.trace(`the plan: ${JSON.stringify({ ...plan, script: undefined, houses: plan.houses.map(describe) })}`)
    this.nats = plan.nats.map((n, i) => new Nat({ ...n, outer: ipv4('203.0.113.101') + i * 10, agenda, rng }))
    this.houses = plan.houses.map((h, index) => {
      const link = new Link(h.quality, { agenda, rng, explored: this.explored })
      const o = { ...h, index, seed: `${seed}`, server: SERVER, link, agenda, rng, explored: this.explored }
      const nat = h.nat === undefined ? undefined : this.nats[h.nat]!
      return new House(
        {
          ...o,
          password: h.welcome ? h.password : 'guessed',
          send: (house, port, bytes) => this.fromHouse(house, port, bytes),
          received: (house, packet) => this.watch.arrivedAt(house.name, packet),
          trace: this.trace,
        },
        nat,
      )
    })
    this.host = new GatewayHost({
      seed: `${seed}`,
      configuration: configurationOf(plan.script),
      workers: plan.workers,
      agenda,
      local: plan.serverBehindNat ? SERVER_BEHIND_NAT : SERVER,
      publicAddress: plan.serverBehindNat ? SERVER : undefined,
      forceEncapsulation: plan.forceEncapsulation,
      engine: options.engine,
      later: deed => this.later(deed),
      log: line => this.note(line),
      informed: message => this.watch.informed(message),
      toClient: (remote, from, bytes) => this.fromGateway(remote, from, bytes),
      toLan: packet => this.fromTun(packet),
      posted: (_, message) => {
        if (message.kind === 'installOutbound') this.explored.rekeys++
        this.watch.posted(message)
      },
    })
    this.attacker = new Attacker({ rng, host: this.host, explored: this.explored })
  }

  /** Plays the three acts. Throws with what did not hold. */
  run(): Explored {
    try {
      this.roughTimes()
      this.calm()
      if (this.plan.marathon) this.marathon()
      if (this.plan.partings) this.partings()
      this.end()
    } catch (e) {
      const at = ((this.agenda.now - this.began) / 1000).toFixed(3)
      const log = this.lastLines.map(l => `\n    ${l}`).join('')
      const drops = Object.entries(this.host.gateway?.stats.totals() ?? {}).filter(
        ([name, n]) => /drop/i.test(name) && n,
      )
      const text = `after ${at} s: ${(e as Error).message}\n  dropped: ${drops.map(d => d.join(' ')).join(', ')}`
      throw new Error(`${text}\n  the gateway's last words:${log}`, { cause: e })
    }
    this.explored.virtualMillis = this.agenda.now - this.began
    this.explored.delivered = this.watch.delivered
    this.explored.rekeys -= this.explored.connects
    return this.explored
  }

  // ------------------------------------------------------------------------------------------------------- the three acts

  private roughTimes(): void {
    const { rng, agenda, plan } = this
    for (const house of this.houses) agenda.in(rng.below(30_000), () => house.want())
    const end = agenda.now + plan.roughMillis
    while (agenda.now < end) {
      this.advance(1 + rng.below(2 * plan.gapMillis))
      for (let n = rng.below(4); n > 0; n--) this.traffic()
      this.settle()
      if (plan.quiet) {
        if (rng.chance(10)) {
          this.act(() => rng.pick(this.houses).handle({ kind: 'rekey' }))
          // A client that replaces a pair twice at once says nothing of the first, which then lives on.
          this.advance(15_000)
        }
      } else this.act(() => this.happening())
      this.lookAround()
    }
  }

  private calm(): void {
    const { agenda, rng } = this
    this.trace('--- calm')
    this.rough = false
    for (const house of this.houses) {
      house.o.link.quality = PERFECT
      house.o.link.darkUntil = 0
    }
    for (const nat of this.nats) nat.darkUntil = 0
    // Whatever sleeps or is off comes back within a quarter of an hour, save those who sleep for hours.
    while (!this.host.serves || this.houses.some(h => h.asleep || h.off)) this.advance(MINUTE)
    for (const house of this.houses) if (!house.wanted) this.act(() => house.want())
    if (this.plan.quiet) this.advance(MINUTE)
    else this.recovery(2 * MINUTE + RECOVERY_MILLIS)
    this.everybodyIsIn()
    const { connects } = this.explored
    this.renewals()
    const end = agenda.now + this.plan.calmMillis
    while (agenda.now < end) this.everybodyPings(1001 + rng.below(this.plan.calmMillis > 10 * MINUTE ? MINUTE : 10_000))
    this.everybodyIsIn()
    if (this.explored.connects !== connects) fault('in calm, somebody had to connect again')
  }

  /** Users go on with their work, by which alone some clients find that they are connected no more. */
  private recovery(duration: Millis): void {
    const end = this.agenda.now + duration
    while (this.agenda.now < end) {
      this.advance(Math.min(MINUTE, end - this.agenda.now))
      for (const house of this.houses) if (house.connected) this.ping(house)
    }
  }

  /** Some let their phase 1 go or replace it, and then all their SAs: nobody is to notice. */
  private renewals(): void {
    for (const house of this.houses) {
      if (!this.rng.chance(40)) continue
      this.act(() => this.renew(house, 70))
    }
    this.everybodyPings(RENEWAL_MILLIS)
    for (const house of this.houses) if (this.rng.chance(60)) this.act(() => house.handle({ kind: 'rekey' }))
    this.everybodyPings(RENEWAL_MILLIS)
  }

  /** It ends its phase 1 without another, that often in a hundred, or makes the next one at once. */
  private renew(house: House, chance: number): void {
    const kind = this.rng.chance(chance) ? 'endPhase1' : 'renewPhase1'
    if (kind === 'endPhase1') this.endedPhase1 = true
    house.handle({ kind })
  }

  /** Everybody sends one ping each way, which has to arrive within that time. */
  private everybodyPings(duration: Millis): void {
    const pings = this.houses.filter(h => h.o.welcome).map(h => [h.name, this.ping(h), this.pingFromLan(h)] as const)
    this.settle()
    this.advance(duration)
    for (const [name, there, back] of pings) {
      if (!this.arrived(there)) fault(`in calm, ping ${there} from ${name} was lost`)
      if (!this.arrived(back)) fault(`in calm, ping ${back} to ${name} was lost`)
    }
    this.lookAround()
  }

  private arrived(number: number | undefined): boolean {
    return number !== undefined && this.watch.hasArrived(number)
  }

  /** All day long, and past the end of phase 1: nobody notices. */
  private marathon(): void {
    this.trace('--- marathon')
    const { connects } = this.explored
    const end = this.agenda.now + 8 * HOUR + this.rng.below(8 * HOUR)
    while (this.agenda.now < end) this.everybodyPings(1 + this.rng.below(HOUR))
    this.everybodyIsIn()
    if (this.explored.connects !== connects) fault('in the course of a day, somebody had to connect again')
  }

  /** Whoever is told that it is over acts on it at once, not when his own timers run out. */
  private partings(): void {
    this.trace('--- partings')
    const { rng, host } = this
    const inside = this.houses.filter(h => h.connected)
    if (inside.length === 0) return
    const sessionOf = (house: House) =>
      [...host.gateway!.control.sessions.all.values()].find(
        s => s.admission?.kind === 'accepted' && s.admission.user === house.name,
      )
    const rings = (house: House, deed: () => void, by: string) => {
      const { dials } = house
      this.act(() => host.run(deed))
      this.advance(PARTING_MILLIS)
      if (house.dials === dials && house.connected) fault(`${by} hung up, and ${house.name} does not know`)
    }
    const first = rng.pick(inside)
    const { control } = host.gateway!
    const { ids } = sessionOf(first)!
    this.explored.hungUpByUs++
    rings(first, () => control.closeSession(ids.session, 'reset by the operator'), 'the operator')
    this.advance(2 * MINUTE)
    this.everybodyIsIn()

    const second = rng.pick(inside)
    this.explored.hangUps++
    this.act(() => second.hangUp(MINUTE))
    this.advance(PARTING_MILLIS)
    if (sessionOf(second)) fault(`${second.name} hung up, and the gateway does not know`)
    this.advance(2 * MINUTE)
    this.everybodyIsIn()

    this.explored.gatewayRestarts++
    const before = inside.map(h => h.dials)
    this.act(() => host.shutDown())
    this.agenda.in(PARTING_MILLIS, () => host.start())
    this.advance(PARTING_MILLIS - 1)
    for (const [i, house] of inside.entries())
      if (house.connected && house.dials === before[i]) fault(`the gateway shut down, and ${house.name} does not know`)
    this.advance(3 * MINUTE)
    this.everybodyIsIn()
  }

  private end(): void {
    this.trace('--- the end')
    for (const house of this.houses)
      this.act(() => (this.plan.quiet || this.rng.chance(50) ? house.hangUp(undefined) : house.crash(undefined)))
    for (const house of this.houses) house.wanted = false
    // In quiet times nobody is left to wait for, unless a DELETE had no phase 1 left to protect it.
    const brief = this.plan.quiet && !this.endedPhase1 && this.agenda.now - this.began < SHORTEST_PHASE1
    this.advance(brief ? 3 * MINUTE : ALL_LIFETIMES)
    this.lookAround()
    this.watch.floor(this.host.gateway!)
    for (const [place, got] of this.attacker.got) {
      const sent = this.attacker.sent.get(place) ?? 0
      if (got > sent) fault(`the attacker at ${place} sent ${sent} bytes and got ${got}`)
    }
  }

  private everybodyIsIn(): void {
    for (const house of this.houses) {
      if (house.o.welcome && !house.connected) fault(`${house.name} is not connected, though nothing hinders it`)
      if (!house.o.welcome && house.connected) fault(`${house.name} is connected without the password`)
    }
    const { sessions } = this.host.gateway!.control
    const up = [...sessions.all.values()].filter(s => s.networkUp).length
    const welcome = this.houses.filter(h => h.o.welcome).length
    if (up !== welcome) fault(`${welcome} clients are connected, but ${up} sessions are up`)
  }

  /** What is dear to look at. */
  private lookAround(): void {
    const { gateway } = this.host
    if (!gateway) this.books.forget()
    else if (!this.host.leaving) this.books.look(gateway)
  }

  // ------------------------------------------------------------------------------------------------------------- happenings

  private happening(): void {
    const { rng, explored, host } = this
    const house = rng.pick(this.houses)
    const nat = rng.pick(this.nats)
    const say = (text: string) => this.trace(`* ${text}`)
    switch (rng.below(28)) {
      case 0:
        explored.natEvents++
        say('a NAT forgets every mapping')
        return nat.forget()
      case 1:
        explored.natEvents++
        say('a NAT boots')
        nat.forget()
        nat.darkUntil = this.agenda.now + 1000 + rng.below(90_000)
        return
      case 2:
        explored.natEvents++
        say('a NAT gets another address')
        nat.forget()
        nat.outer = ((nat.outer & 0xffffff00) >>> 0) + 101 + this.nats.indexOf(nat) * 10 + rng.below(10)
        return
      case 3:
        explored.natEvents++
        say(`${house.name}'s mappings are forgotten`)
        return house.nat?.forget(house)
      case 4:
        return this.moveHouse(house)
      case 5:
      case 6:
        say(`${house.name}'s link changes`)
        house.o.link.quality = anyQuality(rng)
        return
      case 7:
        house.o.link.darkUntil = this.agenda.now + rng.below(rng.chance(20) ? 10 * MINUTE : MINUTE)
        say(`${house.name}'s link is dark`)
        return
      case 8:
      case 9:
        explored.clientCrashes++
        say(`${house.name} crashes`)
        return house.crash(rng.below(rng.chance(20) ? 10 * MINUTE : MINUTE))
      case 10:
        explored.sleeps++
        say(`${house.name} sleeps`)
        return house.sleep(rng.chance(20) ? rng.below(5 * HOUR) : rng.below(10 * MINUTE))
      case 11:
      case 12:
        explored.hangUps++
        say(`${house.name} hangs up`)
        return house.hangUp(rng.below(2 * MINUTE))
      case 13:
        explored.gatewayRestarts++
        say('the gateway is killed')
        host.kill()
        this.books.forget()
        this.agenda.in(rng.below(MINUTE), () => host.start())
        return
      case 14:
        explored.gatewayRestarts++
        say('the gateway shuts down')
        host.shutDown()
        this.agenda.in(1000 + rng.below(MINUTE), () => host.start())
        return
      case 15:
        explored.gatewayFreezes++
        say('the gateway stands still')
        return host.freeze(rng.below(rng.chance(20) ? 20 * MINUTE : 40_000))
      case 16:
        explored.clockJumps++
        say('the wall clock jumps')
        host.wallOffset += (rng.below(2001) - 1000) * HOUR
        return
      case 17:
        say(`${house.name} rekeys`)
        return house.handle({ kind: 'rekey' })
      case 18:
        return host.run(() => {
          const id = this.anyOf(host.gateway?.control.sessions.all.keys())
          if (id === undefined) return
          explored.hungUpByUs++
          say(`the operator closes session ${id}`)
          host.gateway!.control.closeSession(id, 'reset by the operator')
        })
      case 19:
        return host.run(() => {
          const id = this.anyOf(host.gateway?.control.peers.all.keys())
          if (id === undefined) return
          explored.hungUpByUs++
          say(`the operator closes peer ${id}`)
          host.gateway!.control.closePeer(id, 'reset by the operator')
        })
      case 20:
        say('the configuration is read again')
        return host.run(() => host.gateway?.control.configure(configurationOf(this.plan.script)))
      case 21:
      case 22:
        return this.attacker.attack()
      case 24: {
        const { delay, jitter } = house.o.link.quality
        const within = 1 + rng.below(2 * (delay + jitter) + 1)
        const crashes = rng.chance(30)
        say(`${house.name} rekeys, and ${crashes ? 'crashes' : 'thinks better of it'} at once`)
        house.handle({ kind: 'rekey' })
        this.agenda.in(within, () =>
          crashes ? house.crash(rng.below(MINUTE)) : house.handle({ kind: 'abandonRekey' }),
        )
        return
      }
      case 25:
        explored.clientCrashes++
        say(`${house.name} crashes, and comes back from elsewhere`)
        house.crash(1000)
        return this.moveHouse(house)
      case 26:
        return this.attacker.attack()
      case 23:
        say(`${house.name} ends or renews its phase 1`)
        return this.renew(house, 50)
      default:
        return
    }
  }

  private moveHouse(house: House): void {
    const other = this.nats.find(n => n !== house.nat)
    if (!house.nat || !other || !mayLiveBehind(house.o.profile, other.timeout)) return
    this.explored.moves++
    this.trace(`* ${house.name} moves to another NAT`)
    house.nat.forget(house)
    house.nat = other
  }

  // ----------------------------------------------------------------------------------------------------------- user traffic

  private traffic(): void {
    const { rng, explored } = this
    const house = rng.pick(this.houses)
    if (rng.chance(10)) {
      const victim = rng.pick(this.houses)
      if (!house.connected || victim === house) return
      const forgedSource = rng.chance(50) ? LAN_HOST : (victim.client?.address ?? 0)
      if (forgedSource === house.client!.address) return
      explored.forged++
      this.send(house, forgedSource, LAN_HOST, 'lan', true)
    } else if (rng.chance(40)) this.pingFromLan(house)
    else this.ping(house)
  }

  /** A ping from the client to the LAN or to another client; its number, where it is connected. */
  private ping(house: House): number | undefined {
    if (!house.connected) return undefined
    const other = this.rough && this.rng.chance(30) ? this.rng.pick(this.houses) : undefined
    const address = other === house ? undefined : other?.client?.address
    const holder = address && this.host.gateway ? userOf(this.host.gateway, address) : undefined
    if (address && holder) return this.send(house, house.client!.address, address, holder, false)
    return this.send(house, house.client!.address, this.rng.pick([LAN_HOST, INTERNET_HOST]), 'lan', false)
  }

  private send(house: House, source: Ipv4, destination: Ipv4, to: string, forged: boolean): number {
    const number = this.watch.number()
    const packet = numberedPing(number, source, destination, this.rng.below(this.rough ? 1300 : 800))
    // It may be the packet of a client whose address is another's by now, and which does not know it yet.
    const stale = this.host.gateway !== undefined && userOf(this.host.gateway, source) !== house.name
    this.watch.entered(number, { bytes: packet, from: house.name, to, forged: forged || stale })
    this.explored.pings++
    this.later(() => house.handle({ kind: 'ipPacket', bytes: packet }))
    return number
  }

  /** A ping from the LAN to whoever holds the client's address. */
  private pingFromLan(house: House): number | undefined {
    const { gateway } = this.host
    const session = [...(gateway?.control.sessions.all.values() ?? [])].find(
      s => s.networkUp && s.admission?.kind === 'accepted' && s.admission.user === house.name,
    )
    if (session?.admission?.kind !== 'accepted') return undefined
    const number = this.watch.number()
    const packet = numberedPing(number, LAN_HOST, session.admission.address, this.rng.below(this.rough ? 1300 : 800))
    this.watch.entered(number, { bytes: packet, from: 'lan', to: house.name, forged: false })
    this.explored.pings++
    this.host.fromLan(packet)
    return number
  }

  // ------------------------------------------------------------------------------------------------------------ the Internet

  private fromHouse(house: House, port: 0 | 500 | 4500, bytes: Uint8Array): void {
    const isEsp = port === 0 || (port === 4500 && bytes.length > 8 && readIpv4(bytes) !== 0)
    if (isEsp) this.watch.sealedByClient(house.name, house.dials, bytes)
    const arrive = (arrived: Uint8Array) => {
      const { nat } = house
      // Native ESP does not get through a NAT, be it the client's or ours.
      if (port === 0 && (nat || this.plan.serverBehindNat)) return
      const remote = nat ? nat.out(house, port, port) : { address: house.o.address, port }
      if (!remote) return
      this.attacker.overhear(port, remote, arrived)
      if (isEsp && this.host.serves && equal(arrived, bytes)) this.attacker.passed(bytes)
      this.host.receive(port, remote, arrived)
    }
    if (this.rough && !this.plan.quiet && !isEsp && this.attacker.takes(port, bytes)) {
      this.agenda.in(1 + this.rng.below(5000), () => this.attacker.playTaken())
      return
    }
    house.o.link.carry(bytes, arrive, () => this.attacker.withhold(port, bytes, isEsp))
  }

  private fromGateway(remote: Endpoint, from: 0 | 500 | 4500, bytes: Uint8Array): void {
    const isEsp = from === 0 || (from === 4500 && bytes.length > 8 && readIpv4(bytes) !== 0)
    if (isEsp) this.watch.sealedByGateway(bytes)
    if (isAttackers(remote)) {
      if (isEsp) fault('the gateway sent ESP to the attacker')
      this.attacker.received(remote, bytes)
    }
    const found = this.behind(remote, from)
    found?.house.o.link.carry(bytes, arrived => this.later(() => found.house.receive(found.port, arrived)))
  }

  private behind(remote: Endpoint, from: 0 | 500 | 4500): { house: House; port: 0 | 500 | 4500 } | undefined {
    const open = this.houses.find(h => !h.nat && h.o.address === remote.address)
    if (open) {
      const port = from === 0 ? 0 : remote.port
      return port === 0 || port === 500 || port === 4500 ? { house: open, port } : undefined
    }
    if (from === 0) return undefined
    const mapping = this.nats.find(n => n.outer === remote.address)?.in(remote.port, from)
    return mapping && { house: mapping.house as House, port: mapping.port as 500 | 4500 }
  }

  /** The host's routing: to another client it is back into the device, anything else is the LAN's. */
  private fromTun(packet: Uint8Array): void {
    const gateway = this.host.gateway!
    // An ICMP error to a LAN host, about a packet of its own that is too long.
    if (packet[9] === 1 && packet[20] === 3) return
    this.watch.leftToLan(gateway, packet)
    if (gateway.routes.has(readIpv4(packet, 16))) this.host.fromLan(packet)
  }

  // ------------------------------------------------------------------------------------------------------------------- time

  private advance(duration: Millis): void {
    this.agenda.until(this.agenda.now + duration, () => this.settle())
  }

  private act(deed: () => void): void {
    this.later(deed)
    this.settle()
  }

  private settle(): void {
    if (this.host.gateway) this.watch.step(this.host.gateway)
  }

  /** One behind the other, so that nothing is re-entrant. */
  private later(deed: () => void): void {
    this.wire.push(deed)
    if (this.delivering) return
    this.delivering = true
    try {
      for (let next = this.wire.shift(); next; next = this.wire.shift()) next()
    } finally {
      this.delivering = false
    }
  }

  private note(line: string): void {
    this.lastLines.push(line)
    if (this.lastLines.length > 12) this.lastLines.shift()
    this.trace(`    ${line}`)
  }

  private anyOf<T>(items: Iterable<T> | undefined): T | undefined {
    const all = [...(items ?? [])]
    return all.length === 0 ? undefined : this.rng.pick(all)
  }
}

function describe(h: Plan['houses'][number]) {
  const { profile, user, welcome, nat, sameTunnelId, quality } = h
  return { user, profile: profile.name, welcome, nat, sameTunnelId, quality: quality === PERFECT ? 'perfect' : quality }
}
