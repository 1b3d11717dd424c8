/**
 * What the data path leaves to the garbage collector: packets of both ways through one worker's whole Forwarder around the
 * native engine, with a policy that tracks and translates them, in batches of 64 and of one. Then what control says among them:
 * SAs are renewed, clients echo, sessions come and go. How much garbage each of it is, how often the collector is at work, and how
 * long that stops the thread. It fails where the heap grows with the packets, or where they leave garbage.
 *
 * `--packets=N` (ten million otherwise); `--port`: all that control and worker say goes by the port, as if the rings were full;
 * `--days=N`: for how long the host's clock has been counting, 1 otherwise. From 25 on its milliseconds are more than a small
 * integer holds, and each batch leaves a number behind.
 */

import { closeSync, openSync, readSync } from 'node:fs'
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Suite } from '../src/esp/sa.ts'
import { buildRuleset } from '../src/firewall/compile.ts'
import { FIREWALL_DEFAULTS, type FirewallPolicy } from '../src/firewall/policy.ts'
import { Forwarder, type Wires } from '../src/gateway/forwarder.ts'
import { RingReader } from '../src/gateway/message-ring.ts'
import type { FromWorker, ToWorker } from '../src/gateway/messages.ts'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { NativeSegments } from '../src/gateway/native-segments.ts'
import { raiseThisThread, Steps } from '../src/gateway/priority.ts'
import { PuntWriter } from '../src/gateway/punt-ring.ts'
import { type Posted, ringMemory } from '../src/gateway/shared-ring.ts'
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
import { awaitChange, ECHO, idsOf, MESSAGES, type Renewals, spiOf, Turns, What } from './renewals.ts'
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
/** What part of the packets there are while control speaks, and turns of it before that are looked at. */
const CHURNED = 0.2
const CHURN_WARM_UP = 300
/** And so many times more while pauses are looked at: more than a thousand of ten million packets. */
const LONGER = 4
/** Both ways, about. */
const PACKETS_OF_TURN = 900
/** How long a turn takes by the worker's clock at least. */
const TURN_MILLIS = 10
/** Turns from one look of the observer to the next. */
const TOLD = 20

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
  private readonly punts: PuntWriter
  private next = 0
  private batches = 0
  private renewed = 0
  /** What clients send before anything else. */
  private echoes = 0

  constructor(control: RingReader, punts: PuntWriter) {
    this.control = control
    this.punts = punts
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
      this.l2tp.install(idsOf(n, false))
      this.ppp.set(n, { up: true, compressAddress: false, compressProtocol: false })
      this.forwarder.obey({ kind: 'installSession', ids: idsOf(n, true) }, 1)
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

  /** Every client has new SAs, and no longer its old ones. */
  renewClients(): void {
    const times = this.renewed++
    for (let n = 1; n <= SESSIONS; n++) {
      this.installAtClient(spiOf(n, times + 1), n)
      this.client.removeInbound(spiOf(n, times))
      this.client.removeOutbound(n, spiOf(n, times))
    }
  }

  /** Every client sends an echo. */
  echo(clock: () => number): void {
    this.echoes = SESSIONS
    this.forwarder.fromPublic(false, clock)
    this.punts.flush()
  }

  /** Carries out what control has said. `each`: behind each of its messages. */
  obey(each: () => void): void {
    this.control.drain(m => {
      if (m.kind !== 'stop') this.forwarder.obey(m, millis)
      each()
      return true
    })
    this.forwarder.flush(millis)
    this.punts.flush()
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
    if (this.echoes > 0) return this.receiveEchoes(batch)
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
    return this.leaveClients(batch)
  }

  private receiveEchoes(batch: Batch): number {
    for (; this.echoes > 0; this.echoes--) {
      const i = batch.push(ECHO)
      batch.session[i] = this.echoes
      batch.protocol[i] = 17
    }
    return this.leaveClients(batch)
  }

  private leaveClients(batch: Batch): number {
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

  tell(message: FromWorker): void {
    this.punts.tell(message)
  }

  punt(batch: Batch, i: number): void {
    this.punts.punt(batch, i)
  }
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

/** The thread that says what control would, and hears the worker. */
class Control {
  readonly reader: RingReader
  readonly up: PuntWriter
  private readonly turns = new Int32Array(new SharedArrayBuffer(16))
  private readonly thread: Worker

  constructor(ring: SharedArrayBuffer) {
    const { port1, port2 } = new MessageChannel()
    const upRing = ringMemory(byPort ? 2 : undefined)
    this.reader = new RingReader(ring, () => receiveMessageOnPort(port1)?.message as Posted<ToWorker> | undefined)
    this.up = new PuntWriter(
      upRing,
      posted => port1.postMessage(posted),
      () => undefined,
    )
    const workerData: Renewals = {
      ring,
      upRing,
      port: port2,
      turns: this.turns.buffer as SharedArrayBuffer,
      suite: SUITE,
      keys: KEYS,
      sessions: SESSIONS,
      inner: INNER,
    }
    this.thread = new Worker(new URL('./renewals.js', import.meta.url), { workerData, transferList: [port2] })
    port1.unref()
  }

  get punts(): number {
    return Atomics.load(this.turns, Turns.Punts)
  }

  /** Has it say one turn's messages, which are there then. */
  next(what: What): void {
    const { turns } = this
    Atomics.store(turns, Turns.What, what)
    const turn = Atomics.add(turns, Turns.Asked, 1)
    Atomics.notify(turns, Turns.Asked)
    awaitChange(turns, Turns.Answered, turn)
  }

  end(): Promise<number> {
    return this.thread.terminate()
  }
}

const control = new Control(ringMemory(byPort ? 2 : undefined))
let millis = days * 86_400_000
const world = new World(control.reader, control.up)
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
  /** By the clock. */
  readonly millis: number
  /** Of these the thread could have run but had no processor. */
  readonly waited: number
  /** The thread's own processor time, with that of one message. */
  readonly own: number
}

/** The thread's time in the queue for a processor, in nanoseconds, as Linux counts it; 0 where it does not. */
class Queue {
  private readonly fd: number | undefined = Queue.open()
  private readonly text = Buffer.alloc(64)

  private static open(): number | undefined {
    try {
      return openSync('/proc/thread-self/schedstat', 'r')
    } catch {
      return undefined
    }
  }

  /** The second of three numbers. */
  waited(): number {
    const { fd, text } = this
    if (fd === undefined) return 0
    const length = readSync(fd, text, 0, text.length, 0)
    let [at, sum] = [text.indexOf(32) + 1, 0]
    for (; at < length && text[at] !== 32; at++) sum = 10 * sum + text[at]! - 48
    return sum
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd)
  }
}

/**
 * So many turns with messages of a kind behind each: bytes of garbage and collections, but for those of the turns' own packets. With
 * `looking` how long each collection stopped the thread, which makes garbage itself.
 */
async function churn(what: What, turns: number, looking: boolean) {
  // Before and after each message, when that was and what the thread had used by then: a collection is between two looks. The
  // collections come in their order.
  const most = turns * (2 + MESSAGES[what] * SESSIONS)
  const [began, used, waited] = [new Float64Array(most), new Float64Array(most), new Float64Array(most)]
  const queue = new Queue()
  const inPackets = new Set<number>()
  let looks = 0
  const look = () => {
    if (!looking) return
    // The clock first: it may itself be what the collector is called for, which then belongs between this look and the last.
    began[looks] = performance.now()
    used[looks] = native.threadTime()
    waited[looks++] = queue.waited()
  }
  await new Promise(resolve => setTimeout(resolve, 50))
  collections.length = 0
  // Of the turns without a collection.
  let [garbage, whole] = [0, 0]
  for (let turn = 1; turn <= turns; turn++) {
    const before = looking ? 0 : process.memoryUsage().heapUsed
    inPackets.add(looks - 1)
    // Echoes of a turn are fewer than a peer may punt in a second.
    millis += TURN_MILLIS
    world.turn(clock)
    control.next(what)
    if (what === What.Renewals) world.renewClients()
    look()
    world.obey(look)
    if (what === What.Echoes) world.echo(clock)
    look()
    const left = looking ? -1 : process.memoryUsage().heapUsed - before
    if (left >= 0) {
      garbage += left
      whole++
    }
    if (turn % TOLD === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await new Promise(resolve => setTimeout(resolve, 50))
  queue.close()
  let i = -1
  const pauses = collections.flatMap(({ startTime, duration }): Pause[] => {
    while (i + 1 < looks && began[i + 1]! <= startTime) i++
    // One in the forwarding of packets, or in what the client does, is not told apart from it.
    if (i < 0 || i === looks - 1 || inPackets.has(i)) return []
    const waiting = Math.min(duration, (waited[i + 1]! - waited[i]!) / 1e6)
    return [{ millis: duration, waited: waiting, own: used[i + 1]! - used[i]! }]
  })
  return { said: turns * SESSIONS, garbage: garbage / whole / SESSIONS, times: collections.length, pauses }
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

const turns = Math.ceil((wanted / PACKETS_OF_TURN) * CHURNED)
function quantiles(what: string, all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
  note({ what: `pause of the collector in the data path, p99.9, ${what}`, value: at(0.999), unit: 'ms' })
  const named = [0.5, 0.99, 0.999].map(q => `p${q * 100} ${at(q).toFixed(2)}`)
  return `  ${named.join(', ')} ms ${what}, longest ${at(1).toFixed(2)}`
}
/** What a message leaves, once the compiler is done with what carries it out. */
async function garbageOf(name: string, what: What): Promise<void> {
  await churn(what, CHURN_WARM_UP, false)
  const heard = control.punts
  const { said, garbage, times } = await churn(what, turns, false)
  if (what === What.Echoes && control.punts - heard < 0.9 * said) fail('echoes were lost')
  console.log(`${said} ${name}: ${garbage.toFixed(1)} bytes of garbage each, ${times} collections`)
  note({ what: `garbage of one of the ${name}`, value: garbage, unit: 'bytes' })
}
await garbageOf('renewals of SAs', What.Renewals)
await garbageOf('echoes both ways', What.Echoes)
await garbageOf('sessions that come and go', What.Sessions)
await churn(What.Sessions, CHURN_WARM_UP, true)
const { said, pauses } = await churn(What.Sessions, LONGER * turns, true)
console.log(`${said} sessions that come and go, looked at: ${pauses.length} collections. Their pauses:`)
console.log(
  quantiles(
    'of processor time',
    pauses.map(p => p.own),
  ),
)
console.log(
  quantiles(
    'by the clock, what else runs on the machine included',
    pauses.map(p => p.millis),
  ),
)
console.log(
  quantiles(
    'by the clock, but for the wait for a processor',
    pauses.map(p => p.millis - p.waited),
  ),
)
note({ what: 'collections while sessions come and go', value: pauses.length, unit: '' })
if (pauses.length === 0) fail('no collection was seen')
await control.end()
