/**
 * The project's own load client, a program for a network namespace: VpnClient dials in, and from then on its packets go by the
 * batch, as fast as the gateway's own: native engine, offloads, no look into them.
 *
 * `--blast BYTES` sends UDP datagrams of that size through the tunnel without a pause, for SECONDS after `go` on stdin.
 */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { NativeSegments } from '../src/gateway/native-segments.ts'
import { decapsulate as decapsulateL2tp } from '../src/l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../src/l2tp/encapsulate.ts'
import { L2tpTable } from '../src/l2tp/table.ts'
import { Batch, COALESCED_ROOM, NEAR_CAPACITY, READING_ROOM } from '../src/packet/batch.ts'
import { Cutter } from '../src/packet/cut.ts'
import { emitIpv4, emitUdp, formatIpv4, type Ipv4, ipv4 } from '../src/packet/ip.ts'
import { Merger } from '../src/packet/merge.ts'
import { PuntReason, Verdict } from '../src/packet/verdict.ts'
import { decapsulate as decapsulatePpp } from '../src/ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../src/ppp/encapsulate.ts'
import { PppTable } from '../src/ppp/table.ts'
import { profiles } from '../test/support/profiles.ts'
import { VpnClient } from '../test/support/vpn-client.ts'
import type { VpnClientEffect, VpnClientInput } from '../test/support/vpn-contract.ts'

const ROUNDS = 8
const PEER = 1
const SESSION = 1
/** Discard (RFC 863). */
const SINK_PORT = 9

/** Remembers the L2TP identifiers of the data messages that go through it. */
class NotingEngine extends NativeEngine {
  readonly sent = { tunnel: 0, session: 0 }
  readonly received = { tunnel: 0, session: 0 }

  override open(batch: Batch): number {
    const events = super.open(batch)
    note(batch, this.received)
    return events
  }

  override seal(batch: Batch): number {
    note(batch, this.sent)
    return super.seal(batch)
  }
}

function note(batch: Batch, ids: { tunnel: number; session: number }): void {
  if (ids.session !== 0 || batch.count === 0 || batch.verdict[0] !== Verdict.Forward) return
  const l2tp = batch.packet(0).subarray(8)
  if (l2tp.length < 8 || l2tp[0]! & 0x80) return
  const at = l2tp[0]! & 0x40 ? 4 : 2
  ids.tunnel = (l2tp[at]! << 8) | l2tp[at + 1]!
  ids.session = (l2tp[at + 2]! << 8) | l2tp[at + 3]!
}

class LoadClient {
  private readonly native = loadNative()
  private readonly engine = new NotingEngine(this.native)
  private readonly server: Ipv4
  private readonly address: Ipv4
  private readonly client: VpnClient
  private readonly udp: Readonly<Record<500 | 4500, number>>
  private readonly inbound = new Batch(COALESCED_ROOM)
  private readonly reading = new Batch(READING_ROOM)
  private readonly pieces = new Batch()
  private readonly cutter = new Cutter(new NativeSegments(this.native, this.engine))
  private readonly merger = new Merger()
  private readonly l2tp = new L2tpTable()
  private readonly ppp = new PppTable()
  private tun = -1
  private inner: Ipv4 = 0
  private timer: NodeJS.Timeout | undefined

  constructor(o: { server: Ipv4; psk: string; user: string; password: string; profile: 'xp' | 'win10' }) {
    this.server = o.server
    const [route] = JSON.parse(execFileSync('ip', ['-j', 'route', 'get', formatIpv4(o.server)], { encoding: 'utf8' }))
    this.address = ipv4((route as { prefsrc: string }).prefsrc)
    this.udp = { 500: this.native.udpSocket(0, 500, false), 4500: this.native.udpSocket(0, 4500, false) }
    this.native.coalesceUdp(this.udp[4500])
    this.client = new VpnClient({
      profile: profiles[o.profile],
      presharedKey: o.psk,
      user: o.user,
      password: o.password,
      address: this.address,
      server: o.server,
      dice: length => new Uint8Array(randomBytes(length)),
      engine: this.engine,
      peer: PEER,
      patienceMillis: 20_000,
    })
    this.native.watch(this.udp[500], () => this.receive(500))
    this.native.watch(this.udp[4500], () => this.receive(4500))
  }

  handle(input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const effects: VpnClientEffect[] = []
    this.client.handle(input, performance.now(), effects)
    for (const effect of effects) this.carryOut(effect)
    clearTimeout(this.timer)
    const { deadline } = this.client
    if (deadline === undefined) return
    this.timer = setTimeout(() => this.handle({ kind: 'deadline' }), Math.max(0, deadline - performance.now()) + 1)
  }

  private carryOut(effect: VpnClientEffect): void {
    if (effect.kind === 'send') {
      this.native.sendTo(this.udp[effect.port], this.address, this.server, effect.port, effect.bytes)
    } else if (effect.kind === 'networkUp') this.networkUp(effect)
    else if (effect.kind === 'down') {
      process.stdout.write(`down: ${effect.failed ?? ''} ${effect.reason}\n`)
      process.exit(1)
    }
  }

  private networkUp(effect: Extract<VpnClientEffect, { kind: 'networkUp' }>): void {
    const tun = this.native.tunOpen('vpn%d', 1, true)
    if (!tun.tso) throw new Error('the kernel has no TUN offloads: this client would be the bottleneck')
    this.tun = tun.fds[0]!
    this.inner = effect.address
    const ip = (...words: string[]) => execFileSync('ip', words)
    ip('address', 'add', formatIpv4(effect.address), 'peer', formatIpv4(effect.serverAddress), 'dev', tun.name)
    ip('link', 'set', tun.name, 'mtu', String(effect.mtu), 'up')
    ip('route', 'add', '192.168.8.0/24', 'dev', tun.name)
    const { sent, received } = this.engine
    this.l2tp.install({
      session: SESSION,
      peer: PEER,
      localTunnelId: received.tunnel,
      localSessionId: received.session,
      remoteTunnelId: sent.tunnel,
      remoteSessionId: sent.session,
      remotePort: 1701,
      localPort: 1701,
      template: 0,
      hostName: '',
      sequencing: false,
    })
    this.ppp.set(SESSION, { up: true, compressAddress: false, compressProtocol: false })
    this.native.watch(this.tun, () => this.readTun())
    process.stdout.write(`connected ${formatIpv4(effect.address)}\n`)
  }

  private receive(port: 500 | 4500): void {
    const { native, inbound: batch } = this
    for (let round = 0; round < ROUNDS; round++) {
      batch.count = native.receiveUdp(this.udp[port], this.engine.attach(batch), 0)
      if (batch.count === 0) return
      if (this.tun < 0)
        for (let i = 0; i < batch.count; i++) this.handle({ kind: 'datagram', port, bytes: batch.packet(i).slice() })
      else this.deliver(batch)
      if (batch.count < NEAR_CAPACITY) return
    }
    // What lies in the batch's memory no poller tells of.
    setImmediate(() => this.receive(port))
  }

  private deliver(batch: Batch): void {
    if (this.engine.open(batch) > 0) this.engineEvents()
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] === Verdict.Punt && batch.reason[i] === PuntReason.Ike) {
        this.handle({ kind: 'datagram', port: 4500, bytes: batch.packet(i).slice() })
      }
    }
    decapsulateL2tp(batch, this.l2tp)
    decapsulatePpp(batch, this.ppp)
    this.merger.merge(batch)
    this.native.writeSuper(this.tun, this.engine.attach(batch), batch.count)
  }

  private readTun(): void {
    const { reading } = this
    for (let round = 0; round < ROUNDS; round++) {
      reading.count = this.native.readSuper(this.tun, this.engine.attach(reading), 0, NEAR_CAPACITY)
      if (reading.count === 0) return
      this.cutter.begin()
      while (this.cutter.next(reading, this.pieces)) this.send(this.pieces)
    }
  }

  private send(batch: Batch): void {
    batch.session.fill(SESSION)
    encapsulatePpp(batch, this.ppp)
    encapsulateL2tp(batch, this.l2tp)
    if (this.engine.seal(batch) > 0) this.engineEvents()
    this.native.sendEsp(this.udp[4500], -1, this.engine.attach(batch), batch.count)
  }

  /** An SA may carry 250 MB with Windows: at these rates for a second or two. */
  private engineEvents(): void {
    const soft = this.engine.takeEvents().some(e => e.kind === 'soft')
    if (soft && this.tun >= 0) this.handle({ kind: 'rekey' })
  }

  /** Sends datagrams of `size` bytes, IP header included, for so long; answers how many. */
  blast(size: number, to: Ipv4, seconds: number): void {
    const payload = emitUdp(40_000, SINK_PORT, new Uint8Array(size - 28))
    const packet = emitIpv4({ source: this.inner, destination: to, protocol: 17, payload })
    const end = performance.now() + seconds * 1000
    let sent = 0
    const turn = () => {
      for (let round = 0; round < 4; round++) {
        this.pieces.clear()
        while (this.pieces.count < NEAR_CAPACITY) this.pieces.push(packet)
        this.send(this.pieces)
        sent += NEAR_CAPACITY
      }
      if (performance.now() < end) setImmediate(turn)
      else process.stdout.write(`blasted ${sent}\n`)
    }
    turn()
  }
}

const { values } = parseArgs({
  options: {
    server: { type: 'string' },
    psk: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    profile: { type: 'string' },
  },
})
const { server, psk, user, password, profile } = values
if (server === undefined || psk === undefined || user === undefined || password === undefined) {
  throw new Error('--server, --psk, --user and --password are needed')
}
const client = new LoadClient({ server: ipv4(server), psk, user, password, profile: profile === 'xp' ? 'xp' : 'win10' })
client.handle({ kind: 'start' })
// A line on stdin: blast BYTES ADDRESS SECONDS
process.stdin.on('data', (chunk: Buffer) => {
  const [word, size, to, seconds] = chunk.toString().trim().split(' ')
  if (word === 'blast') client.blast(Number(size), ipv4(to!), Number(seconds))
})
