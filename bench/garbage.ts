/**
 * What the data path leaves to the garbage collector: packets of both ways through one worker's whole Forwarder around the
 * native engine, with a policy that tracks and translates them, in batches of 64 and of one. Then the same while SAs are
 * renewed, which makes garbage: how long the collector then stops the thread. It fails where the heap grows with
 * the packets, or where they leave garbage.
 *
 * `--packets=N` (ten million otherwise); `--port`: all of control's messages go by the port, as if the ring were full;
 * `--days=N`: for how long the host's clock has been counting, 1 otherwise. From 25 on its milliseconds are more than a small
 * integer holds, and each batch leaves a number behind.
 */

import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Suite } from '../src/esp/sa.ts'
import { buildRuleset } from '../src/firewall/compile.ts'
import { FIREWALL_DEFAULTS, type FirewallPolicy } from '../src/firewall/policy.ts'
import { Forwarder, type Wires } from '../src/gateway/forwarder.ts'
import { type Posted, RingReader, ringMemory } from '../src/gateway/message-ring.ts'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { NativeSegments } from '../src/gateway/native-segments.ts'
import { raiseThisThread, Steps } from '../src/gateway/priority.ts'
import { Stats } from '../src/gateway/stats.ts'
import { decapsulate as decapsulateL2tp } from '../src/l2tp/decapsulate.ts'
import { encapsulate as encapsulateL2tp } from '../src/l2tp/encapsulate.ts'
import { L2tpTable } from '../src/l2tp/table.ts'
import { Batch } from '../src/packet/batch.ts'
import { Secret } from '../src/packet/bytes.ts'
import { emitIpv4, emitUdp, ipv4, TcpFlag } from '../src/packet/ip.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { decapsulate as decapsulatePpp } from '../src/ppp/decapsulate.ts'
import { encapsulate as encapsulatePpp } from '../src/ppp/encapsulate.ts'
import { PppTable } from '../src/ppp/table.ts'
import { tcpPacket } from '../test/support/segments.ts'
import { type Renewals, spiOf } from './renewals.ts'
import { note } from './rows.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const wanted = Number(option('packets') ?? 10_000_000)
const days = Number(option('days') ?? 1)
const byPort = process.argv.includes('--port')
/** The compiler's own leavings come first. */
const WARM_UP = 1_000_000
/** Turns between two looks at the heap: a look allocates, and lets the observer be told. */
const SAMPLE = 500
/** Bytes of garbage a packet that are the compiler's, who now and then looks at a function again. */
const TOLERATED = 0.1
/** Renewals in each turn while pauses are looked for: far more than there ever are, so that the collector is often at work. */
const RENEWALS = 256
/** What part of the packets that is. */
const CHURNED = 0.2
/** Both ways, about. */
const PACKETS_OF_TURN = 900
/** Turns from one look of the observer to the next. */
const TOLD = 20
/** How often a turn of them looks at the clock: behind what the client does, and behind each message. */
const LOOKS = 1 + 3 * RENEWALS

const SESSIONS = 50
/** Of each session, half of them TCP. */
const FLOWS = 20
const SERVER = ipv4('203.0.113.1')
const GLOBAL = ipv4('203.0.113.8')
const CLIENT = ipv4('100.64.0.1')
const INNER = ipv4('10.9.0.1')
const FAR = ipv4('198.51.100.1')
const MASK = ipv4('255.255.255.0')
const SUITE: Suite = { cipher: 'aes128', integrity: 'sha1' }
const KEY_SIZES = { encryption: 16, integrity: 20 }
const NO_LIMITS = { softBytes: 0, hardBytes: 0 }
const KEYS = KEY_SIZES.encryption + KEY_SIZES.integrity

const POLICY: FirewallPolicy = {
  ...FIREWALL_DEFAULTS,
  name: 'main',
  interfaces: [
    { name: 'dyn-all', type: 'private', method: 'dynamic' },
    { name: 'eth0', type: 'public', method: 'dynamic' },
  ],
  dynamics: [{ name: 'all', users: [], any: true, none: false }],
  rules: [],
  nats: [
    {
      kind: 'enhanced',
      interface: 'dyn-all',
      ip: undefined,
      globalInterface: 'eth0',
      globalIp: { first: GLOBAL, last: GLOBAL },
    },
  ],
}

function ids(n: number, near: boolean) {
  const [gateway, client] = [
    { tunnel: 1, session: 2 },
    { tunnel: 3, session: 4 },
  ]
  const [own, other] = near ? [gateway, client] : [client, gateway]
  return {
    session: n,
    peer: n,
    localTunnelId: own!.tunnel,
    localSessionId: own!.session,
    remoteTunnelId: other!.tunnel,
    remoteSessionId: other!.session,
    remotePort: 1701,
    localPort: 1701,
    template: 0,
    hostName: '',
    sequencing: false,
  }
}

/** The packets of one session's flow, as its client sends them. */
function packetOf(session: number, flow: number): Uint8Array {
  const source = INNER + session
  const ends = { source, destination: FAR + flow, sourcePort: 1024 + flow, destinationPort: 443 }
  if (flow % 2 === 1) return tcpPacket({ ...ends, sequence: 1, flags: TcpFlag.Syn, payload: new Uint8Array(0) })
  const payload = emitUdp(ends.sourcePort, ends.destinationPort, new Uint8Array(64))
  return emitIpv4({ source, destination: ends.destination, protocol: 17, payload })
}

/** All clients and all that is behind the gateway, in one: whatever comes out for the world goes back as its answer. */
class World implements Wires {
  readonly segments: NativeSegments
  up = 0
  down = 0
  lost = 0
  private readonly native = loadNative()
  private readonly engine = new NativeEngine(this.native)
  private readonly client = new NativeEngine(this.native)
  private readonly forwarder: Forwarder
  private readonly l2tp = new L2tpTable()
  private readonly ppp = new PppTable()
  private readonly keys = {
    encryption: new Secret(new Uint8Array(KEY_SIZES.encryption)),
    integrity: new Secret(new Uint8Array(KEY_SIZES.integrity)),
  }
  private readonly answers = new Batch()
  private readonly packets: Uint8Array[] = []
  private readonly control: RingReader
  private next = 0
  private batches = 0
  private renewed = 0

  constructor(control: RingReader) {
    this.control = control
    this.segments = new NativeSegments(this.native, this.engine)
    this.forwarder = new Forwarder({ worker: 0, engine: this.engine, wires: this, stats: Stats.forWorkers(1), seed: 1 })
    const interfaces = [{ name: 'eth0', address: SERVER, mask: MASK }]
    const ruleset = buildRuleset({ enabled: true, policies: [POLICY] }, { interfaces })
    this.forwarder.obey({ kind: 'setRuleset', ruleset }, 1)
    for (let n = 1; n <= SESSIONS; n++) {
      for (const kind of ['installInbound', 'installOutbound'] as const) {
        const keys = new Uint8Array(KEYS).fill(spiOf(n, 0))
        const sa = { spi: spiOf(n, 0), peer: n, suite: SUITE, keys, replayWindow: 64, softBytes: 0, hardBytes: 0 }
        this.forwarder.obey({ kind, sa }, 1)
      }
      this.installAtClient(spiOf(n, 0), n)
      this.engine.setPath({ peer: n, local: SERVER, remote: CLIENT + n, port: 4500 })
      this.client.setPath({ peer: n, local: CLIENT + n, remote: SERVER, port: 4500 })
      this.l2tp.install(ids(n, false))
      this.ppp.set(n, { up: true, compressAddress: false, compressProtocol: false })
      this.forwarder.obey({ kind: 'installSession', ids: ids(n, true) }, 1)
      const row = { session: n, peer: n, address: INNER + n, user: `u${n}`, mtu: 1400 }
      this.forwarder.obey({ kind: 'networkUp', row, compressAddress: false, compressProtocol: false }, 1)
    }
    for (let flow = 0; flow < FLOWS; flow++) {
      for (let n = 1; n <= SESSIONS; n++) this.packets.push(packetOf(n, flow))
    }
  }

  get passed(): number {
    return this.up + this.down
  }

  /** One turn of the worker: what clients send, and what the world answers. */
  turn(clock: () => number): void {
    this.forwarder.fromPublic(false, clock)
  }

  /** Control has given some sessions new SAs, and taken the old ones away. `each`: behind each of its messages. */
  renew(each: () => void): void {
    for (let i = 0; i < RENEWALS; i++, this.renewed++) {
      const n = 1 + (this.renewed % SESSIONS)
      const times = Math.floor(this.renewed / SESSIONS)
      this.installAtClient(spiOf(n, times + 1), n)
      this.client.removeInbound(spiOf(n, times))
      this.client.removeOutbound(n, spiOf(n, times))
    }
    each()
    this.control.drain(m => {
      if (m.kind !== 'stop') this.forwarder.obey(m, 1)
      each()
      return true
    })
  }

  /** What the client's SAs make of garbage is little: its engine wipes the same keys again and again. */
  private installAtClient(spi: number, n: number): void {
    const { keys } = this
    const own = { spi, peer: n, suite: SUITE, keys, limits: NO_LIMITS, replayWindow: 64 }
    keys.encryption.reveal().fill(spi)
    keys.integrity.reveal().fill(spi)
    this.client.installInbound(own)
    keys.encryption.reveal().fill(spi)
    keys.integrity.reveal().fill(spi)
    this.client.installOutbound(own)
  }

  /** The connections are open now: from here on their segments carry data. */
  opened(): void {
    for (const p of this.packets) if (p[9] === 6) p[33] = TcpFlag.Ack
  }

  receive(batch: Batch, _: boolean, most: number): number {
    batch.clear()
    // Full batches, of which a call of fromPublic takes several, or one packet, behind which there is nothing.
    this.batches = (this.batches + 1) % 9
    const size = this.batches < 8 ? most : 1
    if (this.batches === 7) return 0
    for (let k = 0; k < size; k++) {
      const at = this.next++ % this.packets.length
      const i = batch.push(this.packets[at]!)
      batch.session[i] = 1 + (at % SESSIONS)
    }
    encapsulatePpp(batch, this.ppp)
    encapsulateL2tp(batch, this.l2tp)
    this.client.seal(batch)
    for (let i = 0; i < batch.count; i++) {
      batch.address[i] = CLIENT + batch.peer[i]!
      batch.local[i] = SERVER
    }
    return batch.count
  }

  /** Answers each packet at once, from its far end. */
  writeTun(batch: Batch): number {
    const { answers } = this
    answers.clear()
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] !== Verdict.Forward) {
        this.lost++
        continue
      }
      const row = answers.add(batch.length[i]!)
      this.segments.copy(batch, i, 0, 0, answers, row, 1)
      const to = answers.offset[row]!
      swap(answers.bytes, to + 12, to + 16, 4)
      swap(answers.bytes, to + 20, to + 22, 2)
    }
    this.up += answers.count
    if (answers.count > 0) this.forwarder.fromTun(clock)
    return answers.count
  }

  readTun(batch: Batch): number {
    const { answers } = this
    batch.clear()
    for (let i = 0; i < answers.count; i++) {
      this.segments.copy(answers, i, 0, 0, batch, batch.add(answers.length[i]!), 1)
    }
    answers.clear()
    return batch.count
  }

  /** To the client, who opens and reads it. */
  send(batch: Batch): number {
    const { count } = batch
    for (let i = 0; i < count; i++) {
      if (batch.verdict[i] !== Verdict.Forward) this.lost++
      batch.address[i] = SERVER
      batch.local[i] = CLIENT + batch.peer[i]!
      batch.port[i] = 4500
    }
    this.client.open(batch)
    decapsulateL2tp(batch, this.l2tp)
    decapsulatePpp(batch, this.ppp)
    for (let i = 0; i < count; i++) if (batch.verdict[i] === Verdict.Forward) this.down++
    return count
  }

  tell(): void {}
}

function swap(bytes: Uint8Array, a: number, b: number, length: number): void {
  for (let k = 0; k < length; k++) {
    const byte = bytes[a + k]!
    bytes[a + k] = bytes[b + k]!
    bytes[b + k] = byte
  }
}

const collections: PerformanceEntry[] = []
const observer = new PerformanceObserver(list => collections.push(...list.getEntries()))
observer.observe({ entryTypes: ['gc'] })

const collect = (globalThis as { gc?: () => void }).gc
if (collect === undefined) throw new Error('node --expose-gc is needed')

// As a worker does where it may: what else runs on the machine makes pauses longer.
raiseThisThread(Steps.worker)
const native = loadNative()

/** The thread that sends what control would. */
class Control {
  readonly reader: RingReader
  private readonly turns = new Int32Array(new SharedArrayBuffer(8))
  private readonly thread: Worker

  constructor(ring: SharedArrayBuffer) {
    const { port1, port2 } = new MessageChannel()
    this.reader = new RingReader(ring, () => receiveMessageOnPort(port1)?.message as Posted | undefined)
    const turns = this.turns.buffer as SharedArrayBuffer
    const workerData: Renewals = {
      ring,
      port: port2,
      turns,
      suite: SUITE,
      keys: KEYS,
      sessions: SESSIONS,
      count: RENEWALS,
    }
    this.thread = new Worker(new URL('./renewals.js', import.meta.url), { workerData, transferList: [port2] })
    port1.unref()
  }

  /** Has it send one turn's renewals, which are there then. */
  next(): void {
    const { turns } = this
    const turn = Atomics.add(turns, 0, 1)
    Atomics.notify(turns, 0)
    Atomics.wait(turns, 1, turn)
  }

  end(): Promise<number> {
    return this.thread.terminate()
  }
}

const control = new Control(ringMemory(byPort ? 2 : undefined))
const world = new World(control.reader)
let millis = days * 86_400_000
// As a worker does: the clock is asked once a batch.
const clock = () => {
  millis += native.now() > 0 ? 1 : 0
  return millis
}

/** So many packets both ways. Answers bytes of garbage, and how often the collector was at work. */
async function run(packets: number) {
  await new Promise(resolve => setTimeout(resolve, 50))
  collections.length = 0
  const end = world.passed + packets
  let garbage = 0
  let last = process.memoryUsage().heapUsed
  for (let turn = 1; world.passed < end; turn++) {
    world.turn(clock)
    if (turn % SAMPLE !== 0) continue
    garbage += Math.max(0, process.memoryUsage().heapUsed - last)
    // The observer is told between turns alone.
    await new Promise(resolve => setImmediate(resolve))
    last = process.memoryUsage().heapUsed
  }
  await new Promise(resolve => setTimeout(resolve, 50))
  return { garbage, times: collections.length }
}

interface Pause {
  readonly millis: number
  /** The thread's own processor time, with that of one message: what else runs on the machine is not in it. */
  readonly own: number
}

/** So many turns with many renewals behind each, and how long the collector stopped the thread. */
async function churn(turns: number): Promise<{ readonly renewals: number; readonly pauses: readonly Pause[] }> {
  // Before and after each message, when that was and what the thread had used by then: a collection is between two looks.
  const began = new Float64Array(turns * LOOKS)
  const used = new Float64Array(turns * LOOKS)
  let looks = 0
  const look = () => {
    used[looks] = native.threadTime()
    began[looks++] = performance.now()
  }
  collections.length = 0
  for (let turn = 0; turn < turns; turn++) {
    world.turn(clock)
    control.next()
    world.renew(look)
    if (turn % TOLD === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await new Promise(resolve => setTimeout(resolve, 50))
  const pauses = collections.flatMap(({ startTime, duration }) => {
    const i = began.findLastIndex(at => at <= startTime)
    // One in the forwarding of packets, or in what the client does, is not told apart from it.
    return i < 0 || i === looks - 1 || (i + 1) % LOOKS === 0 ? [] : [{ millis: duration, own: used[i + 1]! - used[i]! }]
  })
  return { renewals: turns * RENEWALS, pauses }
}

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} kB`
function fail(why: string): void {
  console.log(why)
  process.exitCode = 1
}

await run(WARM_UP / 10)
world.opened()
await run(WARM_UP)
collect()
const before = process.memoryUsage()
const [start, lost, began] = [world.passed, world.lost, performance.now()]
const { garbage, times } = await run(wanted)
const seconds = (performance.now() - began) / 1000
const packets = world.passed - start
collect()
const after = process.memoryUsage()
console.log(
  `${packets} packets both ways in ${seconds.toFixed(1)} s, ${world.lost - lost} lost; ${SESSIONS * FLOWS} translated flows`,
)
console.log(`heap after collection: ${kilobytes(before.heapUsed)} before, ${kilobytes(after.heapUsed)} after`)
console.log(`outside the heap: ${kilobytes(before.external)} before, ${kilobytes(after.external)} after`)
console.log(`garbage: ${kilobytes(garbage)}, ${(garbage / packets).toFixed(4)} bytes a packet; collections: ${times}`)
note({ what: 'garbage of the data path', value: garbage / packets, unit: 'bytes/packet' })
note({ what: 'heap grown by all packets', value: (after.heapUsed - before.heapUsed) / 1024, unit: 'kB' })
if (world.lost > lost) fail('packets were lost')
if (garbage > packets * TOLERATED) fail('the data path leaves garbage behind its packets')
if (after.heapUsed - before.heapUsed > packets * TOLERATED) fail('the heap grows with the packets')

const { renewals, pauses } = await churn(Math.ceil((wanted / PACKETS_OF_TURN) * CHURNED))
function quantiles(what: string, all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
  note({ what: `pause of the collector in the data path, p99.9, ${what}`, value: at(0.999), unit: 'ms' })
  const named = [0.5, 0.99, 0.999].map(q => `p${q * 100} ${at(q).toFixed(2)}`)
  return `${named.join(', ')} ms ${what}`
}
console.log(`${renewals} renewals of SAs among packets: ${pauses.length} collections. Their pauses:`)
console.log(
  `  ${quantiles(
    'of processor time',
    pauses.map(p => p.own),
  )}`,
)
console.log(
  `  ${quantiles(
    'by the clock, what else runs on the machine included',
    pauses.map(p => p.millis),
  )}`,
)
note({ what: 'collections while SAs are renewed', value: pauses.length, unit: '' })
if (pauses.length === 0) fail('no collection was seen')
await control.end()
