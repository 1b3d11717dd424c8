/**
 * What the filter stage costs a packet, by the number of rules and of flows: packets of flows that are there, each flow's
 * turn coming round, and first packets, which ask the rules. With and without address translation.
 */

import { buildRuleset } from '../src/firewall/compile.ts'
import { filterIn } from '../src/firewall/filter.ts'
import { FIREWALL_DEFAULTS, type FirewallPolicy, type FirewallRule, RULE_DEFAULTS } from '../src/firewall/policy.ts'
import { FirewallTables } from '../src/firewall/tables.ts'
import { Batch, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { emitIpv4, emitUdp, ipv4 } from '../src/packet/ip.ts'
import { note } from './rows.ts'

const SECONDS = 0.4
const SESSIONS = 64
const CLIENT = ipv4('10.9.0.1')
const GLOBAL = ipv4('203.0.113.8')
const FAR = ipv4('198.51.100.1')
/** Twice the default: 100,000 flows that are translated take two rows each. */
const SIZE = { flows: 524_288, perSession: 65_536 }

/** Rules none of which matches but the last: each about a port and an address of its own. */
function rules(count: number): FirewallRule[] {
  return Array.from({ length: count }, (_, i) => ({
    ...RULE_DEFAULTS,
    number: i + 1,
    action: i === count - 1 ? ('allow' as const) : ('deny' as const),
    interface: 'dyn-all',
    ...(i === count - 1
      ? {}
      : { protocol: 17, port: { first: 20_000 + i, last: 20_000 + i }, remoteIp: { first: FAR + i, last: FAR + i } }),
  }))
}

function tables(ruleCount: number, translated: boolean): FirewallTables {
  const policy: FirewallPolicy = {
    ...FIREWALL_DEFAULTS,
    name: 'main',
    interfaces: [
      { name: 'dyn-all', type: 'private', method: 'dynamic' },
      { name: 'eth0', type: 'public', method: 'dynamic' },
    ],
    dynamics: [{ name: 'all', users: [], any: true, none: false }],
    nats: translated
      ? [
          {
            kind: 'enhanced',
            interface: 'dyn-all',
            ip: undefined,
            globalInterface: 'eth0',
            globalIp: { first: GLOBAL, last: GLOBAL },
          },
        ]
      : [],
    rules: rules(ruleCount),
  }
  const t = new FirewallTables(1, SIZE)
  const mask = ipv4('255.255.255.0')
  const interfaces = [{ name: 'eth0', address: ipv4('203.0.113.1'), mask }]
  t.setRuleset(buildRuleset({ enabled: true, policies: [policy] }, { interfaces }))
  for (let s = 1; s <= SESSIONS; s++) t.install({ session: s, peer: s, address: CLIENT + s, user: `u${s}`, mtu: 1400 })
  return t
}

/** The far end of flow `n` of a session; spread over addresses and ports as traffic is. */
function write(bytes: Uint8Array, at: number, n: number): void {
  const far = FAR + (n % 251)
  bytes[at + 16] = far >>> 24
  bytes[at + 17] = far >>> 16
  bytes[at + 18] = far >>> 8
  bytes[at + 19] = far
  const port = 1024 + ((n >>> 6) % 60_000)
  bytes[at + 20] = port >>> 8
  bytes[at + 21] = port
}

/** One batch whose packets are pointed at other flows before each run. */
class Traffic {
  readonly batch = new Batch()
  private readonly flows: number
  private next = 0

  constructor(flows: number) {
    this.flows = flows
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      const source = CLIENT + 1 + (i % SESSIONS)
      const ends = { source, destination: FAR }
      const payload = emitUdp(1024, 443, new Uint8Array(1200))
      this.batch.session[this.batch.push(emitIpv4({ ...ends, protocol: 17, payload }))] = 1 + (i % SESSIONS)
    }
  }

  /** Points the packets at the next flows, their sources as they were before any translation. */
  turn(): void {
    const { batch } = this
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      const at = batch.offset[i]!
      const n = this.next++ % this.flows
      const session = 1 + (n % SESSIONS)
      const source = CLIENT + session
      batch.session[i] = session
      batch.verdict[i] = 0
      for (let k = 0; k < 4; k++) batch.bytes[at + 12 + k] = source >>> (24 - 8 * k)
      write(batch.bytes, at, n)
    }
  }
}

/** Nanoseconds a packet for `work`, less what turning the traffic costs. */
function cost(traffic: Traffic, work: () => void): number {
  const time = (deed: () => void) => {
    let best = Number.POSITIVE_INFINITY
    const until = performance.now() + SECONDS * 500
    while (performance.now() < until) {
      const begin = performance.now()
      for (let i = 0; i < 50; i++) deed()
      best = Math.min(best, performance.now() - begin)
    }
    return (best * 1e6) / 50 / NEAR_CAPACITY
  }
  const turning = time(() => traffic.turn())
  return (
    time(() => {
      traffic.turn()
      work()
    }) - turning
  )
}

function perSecond(nanoseconds: number): string {
  return `${(1000 / nanoseconds).toFixed(2).padStart(7)} M`
}

/** Packets of flows that are there. */
function established(ruleCount: number, flowCount: number, translated: boolean): number {
  const t = tables(ruleCount, translated)
  const traffic = new Traffic(flowCount)
  for (let i = 0; i < flowCount; i += NEAR_CAPACITY) {
    traffic.turn()
    filterIn(traffic.batch, t, 1)
  }
  const rows = t.flows.size
  if (rows < flowCount * 0.98 * (translated ? 2 : 1)) throw new Error(`${rows} rows hold ${flowCount} flows`)
  const result = cost(traffic, () => filterIn(traffic.batch, t, 2))
  if (traffic.batch.verdict[0] !== 0) throw new Error(`a packet was dropped: ${traffic.batch.reason[0]}`)
  return result
}

/** First packets, each of a flow of its own that is over when its turn comes again. */
function first(ruleCount: number, translated: boolean): number {
  const t = tables(ruleCount, translated)
  const traffic = new Traffic(64 * 1024)
  let now = 1
  return cost(traffic, () => {
    now += 1
    // Every flow is over after five minutes; a millisecond a batch would keep them, so time runs ahead.
    if (now % 512 === 0) now += 400_000
    filterIn(traffic.batch, t, now)
  })
}

// The first run is the compiler's.
established(10, 1, false)
established(10, 1, true)
process.stdout.write('packets of flows that are there, a second (nanoseconds each)\n')
for (const translated of [false, true]) {
  for (const ruleCount of [10, 100, 1000]) {
    const cells = [1, 10_000, 100_000].map(flows => {
      const ns = established(ruleCount, flows, translated)
      note({ what: `${translated ? 'NAT, ' : ''}${ruleCount} rules, ${flows} flows`, value: ns, unit: 'ns/packet' })
      return `${flows} flows ${perSecond(ns)} (${ns.toFixed(0)} ns)`
    })
    process.stdout.write(`${translated ? 'NAT' : '   '} ${String(ruleCount).padStart(4)} rules: ${cells.join('   ')}\n`)
  }
}
process.stdout.write('first packets, which ask the rules\n')
for (const translated of [false, true]) {
  for (const ruleCount of [0, 10, 100, 1000]) {
    const ns = first(Math.max(1, ruleCount), translated)
    note({ what: `${translated ? 'NAT, ' : ''}${ruleCount} rules, first packets`, value: ns, unit: 'ns/packet' })
    process.stdout.write(
      `${translated ? 'NAT' : '   '} ${String(ruleCount).padStart(4)} rules: ${perSecond(ns)} (${ns.toFixed(0)} ns)\n`,
    )
  }
}
