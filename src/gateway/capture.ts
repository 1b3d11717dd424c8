/** CAPTURE: one user's or peer's packets, outer and inner, into one pcapng, for so long and so many bytes; one at a time. */

import type { ChildSa, IkeEffect, IkeInput } from '../ike/effects.ts'
import type { IkeEndpoint } from '../ike/endpoint.ts'
import type { DeadlineInput, Millis } from '../machine.ts'
import { type Endpoint, emitIpv4, emitUdp, IpProtocol, type Ipv4 } from '../packet/ip.ts'
import { emitPcapngHeader, emitPcapngPacket } from '../packet/pcap.ts'
import { concat } from '../packet/writer.ts'
import { KeyTables } from './capture-keys.ts'
import type { Clock } from './deadlines.ts'
import type { MirroredPacket } from './mirror.ts'
import type { Peers } from './peers.ts'
import type { DataPath } from './ports.ts'
import type { Session } from './session.ts'
import { IKE_NAT_PORT } from './sockets.ts'

export interface CaptureTarget {
  readonly user?: string | undefined
  /** The peer's outer address, or its number. */
  readonly address?: Ipv4 | undefined
  readonly peer?: number | undefined
  readonly session?: number | undefined
}

/** Where a capture goes. */
export interface CaptureSink {
  /** False where it cannot take more now: then the packet is left out. */
  write(bytes: Uint8Array): boolean
  /** `keys` are the texts of Wireshark's two tables, where they are wanted. Answers what went wrong, where something did. */
  close(keys: { readonly ike: string; readonly esp: string } | undefined): string | undefined
}

export interface CaptureResult {
  readonly packets: number
  readonly bytes: number
  readonly leftOut: number
  readonly why: string
}

export interface CaptureOrder {
  readonly target: CaptureTarget
  readonly seconds: number
  readonly bytes: number
  readonly keys: boolean
  readonly sink: CaptureSink
  readonly ended: (result: CaptureResult) => void
}

/** What a capture looks into: control, as far as it is needed. */
export interface CaptureWorld {
  readonly world: { readonly clock: Clock; readonly wall: () => Date; readonly data: DataPath }
  readonly peers: Peers
  readonly sessions: { readonly all: ReadonlyMap<number, Session> }
  readonly ike: Pick<IkeEndpoint, 'exportKeys'>
}

const INTERFACES = ['outer', 'inner']
/** How often it is looked who the user's peer is. */
const LOOK_MILLIS = 500
const MARKER = new Uint8Array(4)
/** What a packet costs in the file beside its bytes. */
const OVERHEAD = 48

export class Captures {
  private readonly world: CaptureWorld
  private current: Capture | undefined

  constructor(world: CaptureWorld) {
    this.world = world
  }

  get on(): boolean {
    return this.current !== undefined
  }

  /** Answers how to end it; undefined where another is under way. */
  start(order: CaptureOrder): ((why: string) => void) | undefined {
    if (this.current) return undefined
    const capture = new Capture(this.world, order, () => {
      this.current = undefined
    })
    this.current = capture
    return why => capture.end(why)
  }

  /** Ends the one there is. */
  end(why: string): boolean {
    const was = this.current
    was?.end(why)
    return was !== undefined
  }

  /** An IKE datagram or SA that is about to be worked on. */
  before(input: IkeInput | DeadlineInput): void {
    if (this.current && input.kind === 'datagram') this.current.ike(false, input.local, input.remote, input.bytes)
  }

  after(effects: readonly IkeEffect[]): void {
    if (!this.current) return
    for (const e of effects) {
      if (e.kind === 'send') this.current.ike(true, e.local, e.remote, e.bytes)
      else if (e.kind === 'installInbound') this.current.sa(e.sa)
    }
  }

  mirrored(packets: readonly MirroredPacket[]): void {
    this.current?.mirrored(packets)
  }
}

class Capture {
  private readonly world: CaptureWorld
  private readonly order: CaptureOrder
  private readonly gone: () => void
  private readonly keys = new KeyTables()
  private readonly cookies = new Set<string>()
  private peers = new Set<number>()
  private spis = new Set<number>()
  private readonly until: Millis
  private cancel: () => void = () => undefined
  private packets = 0
  private bytes = 0
  private leftOut = 0
  private ended = false

  constructor(world: CaptureWorld, order: CaptureOrder, gone: () => void) {
    this.world = world
    this.order = order
    this.gone = gone
    this.until = world.world.clock.now() + order.seconds * 1000
    order.sink.write(emitPcapngHeader(INTERFACES))
    this.look()
  }

  /** Who it is now; until the time is over. */
  private look(): void {
    const { peers } = this.world
    const { clock } = this.world.world
    const { seconds } = this.order
    if (clock.now() >= this.until)
      return this.end(seconds === 1 ? 'the second is over' : `the ${seconds} seconds are over`)
    const before = this.spis.size + this.peers.size
    for (const p of this.whom()) {
      this.peers.add(p)
      for (const { sa } of peers.all.get(p)?.sas.values() ?? []) this.add(sa)
    }
    if (this.spis.size + this.peers.size !== before) this.tellWorkers(this.order.bytes)
    this.cancel = clock.after(Math.min(LOOK_MILLIS, this.until - clock.now()), () => this.look())
  }

  private whom(): number[] {
    const { address, peer, session, user } = this.order.target
    const { sessions, peers } = this.world
    if (peer !== undefined) return peers.all.has(peer) ? [peer] : []
    if (address !== undefined) return [...peers.all.values()].filter(p => p.remote.address === address).map(p => p.peer)
    return [...sessions.all.values()]
      .filter(s => {
        const name = s.admission?.kind === 'accepted' ? s.admission.user : ''
        return session === undefined ? name.toLowerCase() === user?.toLowerCase() : s.ids.session === session
      })
      .map(s => s.ids.peer)
  }

  /** A pair of SAs about to be installed: the peer's next, or the first of one from the wanted address. */
  sa(sa: ChildSa): void {
    if (!this.peers.has(sa.peer) && sa.remote.address !== this.order.target.address) return
    this.peers.add(sa.peer)
    this.add(sa)
    this.tellWorkers(this.order.bytes)
  }

  private add(sa: ChildSa): void {
    this.spis.add(sa.inboundSpi)
    if (this.order.keys) this.keys.esp(sa)
  }

  private tellWorkers(bytes: number): void {
    const { data } = this.world.world
    const order = bytes === 0 ? { peers: [], spis: [], bytes } : { peers: [...this.peers], spis: [...this.spis], bytes }
    for (let w = 0; w < data.workers; w++) data.post(w, { kind: 'mirror', order })
  }

  /** An IKE message of one of the peers, by where it is. */
  ike(out: boolean, local: Endpoint, remote: Endpoint, bytes: Uint8Array): void {
    const { all } = this.world.peers
    const wanted =
      remote.address === this.order.target.address ||
      [...this.peers].some(p => {
        const place = all.get(p)?.remote
        return place?.address === remote.address && place.port === remote.port
      })
    if (!wanted) return
    if (this.order.keys) {
      this.cookies.add(Buffer.from(bytes.subarray(0, 8)).toString('hex'))
      this.collect()
    }
    const payload = local.port === IKE_NAT_PORT ? concat(MARKER, bytes) : bytes
    this.write(true, out, this.world.world.clock.now(), udp(out, local, remote, payload))
  }

  mirrored(packets: readonly MirroredPacket[]): void {
    for (const p of packets) {
      if (this.ended) return
      const local = { address: p.local, port: IKE_NAT_PORT }
      const remote = { address: p.address, port: p.port }
      const bytes = !p.outer ? p.bytes : p.port === 0 ? esp(p) : udp(p.out, local, remote, p.bytes)
      this.write(p.outer, p.out, p.now, bytes)
    }
  }

  private write(outer: boolean, out: boolean, now: Millis, bytes: Uint8Array): void {
    if (this.ended) return
    const { clock, wall } = this.world.world
    const packet = emitPcapngPacket({
      at: wall().getTime() - (clock.now() - now),
      bytes,
      direction: out ? 'outbound' : 'inbound',
      interface: outer ? 0 : 1,
    })
    if (this.bytes + packet.length + OVERHEAD > this.order.bytes) return this.end('the file is full')
    if (!this.order.sink.write(packet)) {
      this.leftOut++
      return
    }
    this.packets++
    this.bytes += packet.length
  }

  /** Keys are gone when their SAs are: they are taken while there are any. */
  private collect(): void {
    for (const k of this.world.ike.exportKeys()) {
      if (this.cookies.has(k.initiatorCookie)) this.keys.ike(k.initiatorCookie, k.encryptionKey.reveal())
    }
  }

  end(why: string): void {
    if (this.ended) return
    if (this.order.keys) this.collect()
    this.ended = true
    this.cancel()
    this.tellWorkers(0)
    this.gone()
    const { packets, bytes, leftOut } = this
    const fault = this.order.sink.close(this.order.keys ? this.keys.texts() : undefined)
    this.order.ended({ packets, bytes, leftOut, why: fault === undefined ? why : `${why}; ${fault}` })
  }
}

function udp(out: boolean, local: Endpoint, remote: Endpoint, payload: Uint8Array): Uint8Array {
  const [from, to] = out ? [local, remote] : [remote, local]
  return emitIpv4({
    source: from.address,
    destination: to.address,
    protocol: IpProtocol.Udp,
    payload: emitUdp(from.port, to.port, payload),
  })
}

function esp(p: MirroredPacket): Uint8Array {
  const [source, destination] = p.out ? [p.local, p.address] : [p.address, p.local]
  return emitIpv4({ source, destination, protocol: IpProtocol.Esp, payload: p.bytes })
}
