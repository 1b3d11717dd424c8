/**
 * What a packet costs with 1, 100 and 10,000 sessions, through the workers' own Forwarder around the native engine; and
 * what set-ups cost and the sessions that come of them hold. `--clients=N` connect, 1,000 otherwise; 0: none.
 *
 * A packet's session is another one than those of the packets around it, and of 10,000 sessions it is met once in 10,240
 * packets: the worst that can be, where whatever the session has, keys above all, comes from the far end of the caches or from
 * memory. Then the same with bursts, as traffic comes: eight packets of each session in a row. What the kernel costs is not in
 * it, but for a copy of the packet; with it the ratios would be nearer to 1.
 */

import { buildRuleset } from '../src/firewall/compile.ts'
import { Forwarder, type Wires } from '../src/gateway/forwarder.ts'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { Stats } from '../src/gateway/stats.ts'
import { Batch } from '../src/packet/batch.ts'
import { Secret } from '../src/packet/bytes.ts'
import { emitIpv4, emitUdp, ipv4 } from '../src/packet/ip.ts'
import { Verdict } from '../src/packet/verdict.ts'
import { concat } from '../src/packet/writer.ts'
import { configurationOf, SERVICES } from '../test/support/memory-gateway.ts'
import { windowsXp } from '../test/support/profiles.ts'
import { RecordedSetups } from './recorded-setups.ts'
import { note } from './rows.ts'

const clients = Number(process.argv.find(a => a.startsWith('--clients='))?.slice('--clients='.length) ?? 1000)
const LAN_HOST = ipv4('192.168.8.10')
const GATEWAY = ipv4('203.0.113.1')
const FIRST_INNER = ipv4('10.9.0.1')
const FIRST_OUTER = ipv4('100.64.0.1')
const FIRST_SPI = 0x10000
const PAYLOAD = 512
const ROUNDS = 15
/** So many packets are sent in a round, whoever sends them. */
const PACKETS = 10_240
/** Packets of one session that come one behind the other. */
const BURSTS = [1, 8]
const SUITE = { cipher: 'aes256', integrity: 'sha1' } as const
const native = loadNative()

/** Packets that wait, given by the batch; what comes out is counted. */
class Belt implements Wires {
  packets: readonly Uint8Array[] = []
  senders: Uint32Array = new Uint32Array(0)
  at = 0
  out = 0

  receive(batch: Batch, _: boolean, most: number): number {
    const n = this.fill(batch, most)
    for (let i = 0; i < n; i++) {
      batch.address[i] = this.senders[this.at - n + i]!
      batch.port[i] = 4500
      batch.local[i] = GATEWAY
    }
    return n
  }

  readTun(batch: Batch, most: number): number {
    return this.fill(batch, most)
  }

  writeTun(batch: Batch): number {
    return this.forwarded(batch)
  }

  send(batch: Batch): number {
    return this.forwarded(batch)
  }

  tell(): void {}

  punt(): void {}

  private fill(batch: Batch, most: number): number {
    batch.clear()
    const end = Math.min(this.packets.length, this.at + most)
    for (; this.at < end; this.at++) batch.push(this.packets[this.at]!)
    return batch.count
  }

  private forwarded(batch: Batch): number {
    let n = 0
    for (let i = 0; i < batch.count; i++) if (batch.verdict[i] === Verdict.Forward) n++
    this.out += n
    return n
  }
}

function keys(peer: number) {
  return { encryption: new Uint8Array(32).fill(peer), integrity: new Uint8Array(20).fill(peer + 1) }
}

function gatewayWith(sessions: number): { forwarder: Forwarder; belt: Belt } {
  const belt = new Belt()
  const forwarder = new Forwarder({
    worker: 0,
    engine: new NativeEngine(native),
    wires: belt,
    stats: Stats.forWorkers(1),
    seed: 7,
  })
  const configuration = configurationOf(`set system name=Gate\ncreate ppp template=1 authentication=chap\n${SERVICES}`)
  const ruleset = buildRuleset(configuration.firewall, {
    interfaces: [
      { name: 'vlan1', device: 'lan0', address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') },
      { name: 'eth0', device: 'pub0', address: GATEWAY, mask: ipv4('255.255.255.0') },
    ],
    routes: [],
    own: [ipv4('192.168.8.1')],
  })
  forwarder.obey({ kind: 'setRuleset', ruleset }, 0)
  for (let n = 1; n <= sessions; n++) {
    const sa = { peer: n, suite: SUITE, replayWindow: 0, softBytes: 0, hardBytes: 0 }
    const spi = FIRST_SPI + n
    forwarder.obey({ kind: 'setPath', peer: n, local: GATEWAY, remote: FIRST_OUTER + n, port: 4500 }, 0)
    const fresh = () => ({ ...sa, spi, keys: concat(keys(n).encryption, keys(n).integrity) })
    forwarder.obey({ kind: 'installInbound', sa: fresh() }, 0)
    forwarder.obey({ kind: 'installOutbound', sa: fresh() }, 0)
    const ids = { session: n, peer: n, localTunnelId: 1, remoteTunnelId: 1, localSessionId: 1, remoteSessionId: 1 }
    const call = { remotePort: 1701, localPort: 1701, template: 1, hostName: `pc${n}`, sequencing: false }
    forwarder.obey({ kind: 'installSession', ids: { ...ids, ...call } }, 0)
    const row = { session: n, peer: n, address: FIRST_INNER + n, user: `user${n}`, mtu: 1400 }
    forwarder.obey({ kind: 'networkUp', row, compressAddress: false, compressProtocol: false }, 0)
  }
  return { forwarder, belt }
}

function inner(session: number, up: boolean): Uint8Array {
  const [source, destination] = up ? [FIRST_INNER + session, LAN_HOST] : [LAN_HOST, FIRST_INNER + session]
  const udp = emitUdp(up ? 1024 : 53, up ? 53 : 1024, new Uint8Array(PAYLOAD))
  return emitIpv4({ source: source!, destination: destination!, protocol: 17, payload: udp })
}

/** What each client sends, sealed: an L2TP data message with PPP in it. */
function sealed(senders: readonly number[]): Uint8Array[] {
  const engine = new NativeEngine(native)
  for (const n of new Set(senders)) {
    const k = keys(n)
    engine.setPath({ peer: n, local: FIRST_OUTER + n, remote: GATEWAY, port: 4500 })
    const secrets = { encryption: new Secret(k.encryption), integrity: new Secret(k.integrity) }
    const limits = { softBytes: 0, hardBytes: 0 }
    engine.installOutbound({ spi: FIRST_SPI + n, peer: n, suite: SUITE, keys: secrets, limits })
  }
  const batch = new Batch()
  return senders.map(n => {
    const l2tp = concat(Uint8Array.of(0, 2, 0, 1, 0, 1, 0xff, 0x03, 0, 0x21), inner(n, true))
    batch.clear()
    batch.peer[batch.push(emitUdp(1701, 1701, l2tp))] = n
    batch.protocol[0] = 17
    engine.seal(batch)
    return batch.packet(0).slice()
  })
}

/** The same packets in one piece of memory, so that reading them costs every crowd the same, whatever was made before it. */
function sideBySide(packets: readonly Uint8Array[]): Uint8Array[] {
  const all = concat(...packets)
  let end = 0
  return packets.map(({ length }) => {
    end += length
    return all.subarray(end - length, end)
  })
}

/** A gateway of so many sessions, and both ways through it. */
class Crowd {
  readonly sessions: number
  readonly burst: number
  private readonly forwarder: Forwarder
  private readonly belt: Belt
  private readonly up: readonly Uint8Array[]
  private readonly down: readonly Uint8Array[]
  private readonly senders: Uint32Array
  /** By turn of the forwarder, the least milliseconds of all rounds: what else the machine does falls into few of them. */
  private readonly least = { up: [] as number[], down: [] as number[] }

  constructor(sessions: number, burst: number) {
    this.sessions = sessions
    this.burst = burst
    const { forwarder, belt } = gatewayWith(sessions)
    this.forwarder = forwarder
    this.belt = belt
    // Neighbours in time are none in memory.
    const who = Array.from({ length: PACKETS }, (_, i) => ((Math.floor(i / burst) * 7919) % sessions) + 1)
    this.senders = Uint32Array.from(who, n => FIRST_OUTER + n)
    this.up = sideBySide(sealed(who))
    this.down = sideBySide(who.map(n => inner(n, false)))
  }

  round(): void {
    this.run(this.up, true)
    this.run(this.down, false)
  }

  /** Microseconds a packet. */
  cost(way: 'up' | 'down'): number {
    return (1000 * this.least[way].reduce((sum, each) => sum + each, 0)) / PACKETS
  }

  private run(packets: readonly Uint8Array[], up: boolean): void {
    const { belt, forwarder } = this
    const least = up ? this.least.up : this.least.down
    Object.assign(belt, { packets, senders: this.senders, at: 0, out: 0 })
    for (let turn = 0; belt.at < packets.length; turn++) {
      const before = performance.now()
      if (up) forwarder.fromPublic(false, () => 1000)
      else forwarder.fromTun(() => 1000)
      least[turn] = Math.min(least[turn] ?? Number.POSITIVE_INFINITY, performance.now() - before)
    }
    if (belt.out !== packets.length) throw new Error(`${belt.out} of ${packets.length} packets came through`)
  }
}

function lookups(): void {
  const crowds = BURSTS.flatMap(burst => [1, 100, 10_000].map(n => new Crowd(n, burst)))
  for (let round = 0; round < ROUNDS; round++) for (const c of crowds) c.round()
  console.log(`time a packet of ${PAYLOAD} bytes, ${SUITE.cipher}-${SUITE.integrity}, through one worker`)
  for (const c of crowds) {
    const one = crowds.find(o => o.sessions === 1 && o.burst === c.burst)!
    const shown = (way: 'up' | 'down') => {
      const times = c.cost(way) / one.cost(way)
      const what = `${c.sessions} sessions, ${c.burst} packet${c.burst === 1 ? '' : 's'} in a row, ${way}`
      note({ what, value: c.cost(way), unit: 'us/packet', ratio: 1 / times, against: 'one session' })
      return `${way} ${c.cost(way).toFixed(2).padStart(6)} us (${times.toFixed(2)})`
    }
    console.log(`  ${String(c.sessions).padStart(6)} sessions, ${c.burst} in a row: ${shown('up')}, ${shown('down')}`)
  }
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`

/** How many at once, how much for each, and what it takes to hold them. */
function setUps(): void {
  const group2 = (windowsXp.ike.offers ?? []).filter(o => o.group === 2)
  const profile = { ...windowsXp, ike: { ...windowsXp.ike, offers: group2 } }
  for (const n of [...new Set([Math.min(100, clients), clients])]) {
    const setups = new RecordedSetups(profile, n)
    let seconds = Number.POSITIVE_INFINITY
    for (let round = 0; round < 3; round++) seconds = Math.min(seconds, setups.play()[0]!)
    globalThis.gc?.()
    const after = process.memoryUsage()
    if (setups.gateway?.control.sessions.all.size !== n) throw new Error('the gateway is gone')
    setups.gateway = undefined
    globalThis.gc?.()
    const held = after.heapUsed - process.memoryUsage().heapUsed
    console.log(
      `${n} set-ups of Windows XP, group 2: ${((1000 * seconds) / n).toFixed(2)} ms each; ` +
        `held afterwards ${(held / n / 1024).toFixed(1)} KiB of heap a session; process ${megabytes(after.rss)}, clients included`,
    )
  }
}

lookups()
if (clients > 0) setUps()
