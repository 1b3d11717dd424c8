/** What must hold whatever happens: looked at behind every event, and at the end. */

import { ReferenceEngine } from '../../src/esp/reference.ts'
import type { ToWorker } from '../../src/gateway/messages.ts'
import { equal, toHex } from '../../src/packet/bytes.ts'
import { formatIpv4, type Ipv4, readIpv4 } from '../../src/packet/ip.ts'
import type { MemoryGateway } from '../support/memory-gateway.ts'
import { isAttackers } from './attacker.ts'
import { fault } from './fault.ts'
import { numberOf } from './pings.ts'

interface Sent {
  readonly bytes: Uint8Array
  readonly from: string
  /** The user whose address it is sent to, or the LAN. */
  readonly to: string
  /** Whether it bears somebody else's source address. */
  readonly forged: boolean
  left: boolean
  arrived: boolean
}

export class Watch {
  /** Packets that came where they were to come. */
  delivered = 0
  private readonly sent = new Map<number, Sent>()
  private nextNumber = 1
  /** By SPI the key that the gateway seals with, and by key the last sequence number. */
  private readonly keys = new Map<number, string>()
  private readonly sequences = new Map<string, number>()

  /** Cookies and message ID of each Informational message that the gateway acted on. */
  private readonly informedBy = new Set<string>()

  number(): number {
    return this.nextNumber++
  }

  entered(number: number, o: Pick<Sent, 'bytes' | 'from' | 'to' | 'forged'>): void {
    this.sent.set(number, { ...o, left: false, arrived: false })
    this.sent.delete(number - 5000)
  }

  hasArrived(number: number): boolean {
    return this.sent.get(number)?.arrived ?? false
  }

  // ------------------------------------------------------------------------------------------------ packets of the users

  /** A packet came out of the TUN device. Answers whether it is for another client. */
  leftToLan(gateway: MemoryGateway, packet: Uint8Array): void {
    const { number, sent } = this.known(packet, 'out of the TUN device')
    if (sent.from === 'lan') fault(`ping ${number} of the LAN came back out of the TUN device`)
    if (sent.forged) fault(`ping ${number} of ${sent.from} left with somebody else's address ${source(packet)}`)
    const holder = userOf(gateway, readIpv4(packet, 12))
    if (holder !== sent.from) fault(`ping ${number} of ${sent.from} left from ${source(packet)}, which ${holder} holds`)
    if (sent.left) fault(`ping ${number} of ${sent.from} left twice`)
    sent.left = true
    if (sent.to === 'lan') this.arrived(sent)
  }

  arrivedAt(user: string, packet: Uint8Array): void {
    const { number, sent } = this.known(packet, `at ${user}`)
    if (sent.to !== user) fault(`ping ${number} to ${sent.to} came to ${user}`)
    if (sent.arrived) fault(`ping ${number} came to ${user} twice`)
    this.arrived(sent)
  }

  private arrived(sent: Sent): void {
    sent.arrived = true
    this.delivered++
  }

  private known(packet: Uint8Array, where: string): { number: number; sent: Sent } {
    const number = numberOf(packet)
    const sent = number === undefined ? undefined : this.sent.get(number)
    if (number === undefined || !sent) return fault(`a packet that nobody sent came ${where}: ${toHex(packet)}`)
    if (!equal(packet, sent.bytes)) fault(`ping ${number} came ${where} changed`)
    return { number, sent }
  }

  /** The gateway acted on an Informational message of IKE, which it must not do twice. */
  informed(message: Uint8Array): void {
    const id = toHex(message.subarray(0, 16)) + toHex(message.subarray(20, 24))
    if (this.informedBy.has(id)) fault(`the gateway acted twice on the Informational message ${id}`)
    this.informedBy.add(id)
  }

  // -------------------------------------------------------------------------------------------------- sequence numbers

  posted(m: ToWorker): void {
    if (m.kind === 'installOutbound') this.keys.set(m.sa.spi, toHex(m.sa.keys))
  }

  /** An ESP packet of the gateway's, on the wire. */
  sealedByGateway(packet: Uint8Array): void {
    const spi = readIpv4(packet)
    const key = this.keys.get(spi)
    if (key === undefined) return fault(`the gateway sealed with SPI ${spi.toString(16)}, which nobody installed`)
    this.advance(key, readIpv4(packet, 4), 'the gateway')
  }

  sealedByClient(user: string, dial: number, packet: Uint8Array): void {
    this.advance(`${user} ${dial} ${readIpv4(packet)}`, readIpv4(packet, 4), user)
  }

  private advance(key: string, sequence: number, who: string): void {
    const last = this.sequences.get(key) ?? 0
    if (sequence <= last) fault(`${who} used sequence number ${sequence} under a key that was at ${last}`)
    this.sequences.set(key, sequence)
  }

  // --------------------------------------------------------------------------------------------------- the gateway's state

  /** Behind every event: cheap. */
  step(gateway: MemoryGateway): void {
    const { control } = gateway
    if (control.bugs > 0) fault('control has a bug')
    const holders = new Map<Ipv4, number>()
    let up = 0
    for (const s of control.sessions.all.values()) {
      if (!control.peers.all.has(s.ids.peer)) fault(`session ${s.ids.session} has no peer`)
      if (s.networkUp) up++
      if (s.admission?.kind !== 'accepted') continue
      const { address } = s.admission
      if (holders.has(address)) fault(`two sessions hold ${formatIpv4(address)}`)
      holders.set(address, s.worker)
    }
    // A route is there from the moment that a session has its address.
    for (const address of gateway.routes.keys())
      if (!holders.has(address)) fault(`a route to ${formatIpv4(address)}, which nobody holds`)
    if (gateway.steering.size !== up) fault(`${gateway.steering.size} steering rules for ${up} sessions that are up`)
    for (const [address, worker] of gateway.steering)
      if (holders.get(address) !== worker || !gateway.routes.has(address))
        fault(`${formatIpv4(address)} is steered astray`)
    let sas = 0
    for (const p of control.peers.all.values()) {
      sas += p.sas.size
      if (isAttackers(p.remote)) fault(`peer ${p.peer} followed the attacker`)
    }
    let opened = 0
    for (const { forwarder, engine } of gateway.workers) {
      if (engine instanceof ReferenceEngine) opened += engine['inbound'].size
      const rows = forwarder.firewall.sessions.count
      if (rows !== up) fault(`a worker has ${rows} sessions where ${up} are up`)
    }
    if (gateway.workers[0]!.engine instanceof ReferenceEngine && opened !== sas)
      fault(`the engines have ${opened} inbound SAs, control ${sas}`)
  }

  /** Everybody has left, and every lifetime has run out: nothing must be left of them. */
  floor(gateway: MemoryGateway): void {
    const { control } = gateway
    const ike = control.ike.snapshot()
    const left: Record<string, number> = {
      peers: control.peers.all.size,
      SPIs: control.peers['spis'].size,
      sessions: control.sessions.all.size,
      'ISAKMP SAs': ike.sas.length,
      exchanges: ike.exchanges.length,
      'phase 1s': control.ike['context'].phase1s.size,
      'peers of IKE': control.ike['peers'].byId.size,
      'places of peers': control.ike['peers']['byPlace'].size,
      'half-open exchanges': [...control.ike['mainModes'].halfOpen()].length,
      'timers of IKE': control.ike['context'].timers.size,
      tunnels: control.l2tp.snapshot().tunnels.length,
      'peers of L2TP': control.l2tp['peers'].size,
      routes: gateway.routes.size,
      'steering rules': gateway.steering.size,
      'addresses of the pool': control.residents.poolStates().reduce((sum, p) => sum + p.used.length, 0),
      // Two that never end: the look at the attempts, and the one at the sessions' traffic.
      deadlines: control['deadlines']['current'].size - 2,
      'open attempts': control.attempts.states().filter(a => a.outcome === 'trying' || a.outcome === 'connected')
        .length,
    }
    gateway.workers.forEach(({ forwarder, engine }, n) => {
      left[`rows of worker ${n} in L2TP`] = forwarder.l2tp.peer.filter(p => p !== 0).length
      left[`rows of worker ${n} in PPP`] = forwarder.ppp.flags.filter(f => f !== 0).length
      left[`rows of worker ${n} in the firewall`] = forwarder.firewall.sessions.count
      left[`flows of worker ${n}`] = forwarder.firewall.flows.size
      if (!(engine instanceof ReferenceEngine)) return
      left[`inbound SAs of worker ${n}`] = engine['inbound'].size
      left[`peers of worker ${n}`] = engine['peers'].size
    })
    const leftovers = Object.entries(left).filter(([, count]) => count !== 0)
    if (leftovers.length > 0) fault(`all have left, but there are ${leftovers.map(([w, n]) => `${n} ${w}`).join(', ')}`)
  }
}

/** Who holds an inner address. */
export function userOf(gateway: MemoryGateway, address: Ipv4): string | undefined {
  for (const s of gateway.control.sessions.all.values())
    if (s.admission?.kind === 'accepted' && s.admission.address === address) return s.admission.user
  return undefined
}

function source(packet: Uint8Array): string {
  return formatIpv4(readIpv4(packet, 12))
}
