/** Each module's counters by group, out of what the machines and the data path have counted. */

import type { CounterState } from '../alliedware/show/state.ts'
import type { Control } from './control.ts'
import type { TrafficCounts } from './stats.ts'

type Counters = Readonly<Record<string, number>>

/** Which of IKE's counters belong to which group of SHOW ISAKMP COUNTER; what is in none is GENERAL's. */
const ISAKMP_GROUPS: readonly (readonly [group: string, names: readonly string[]])[] = [
  ['aggressive', ['aggressive-mode']],
  ['heartbeat', []],
  [
    'info',
    [
      'informational',
      'unprotected-informational',
      'dpd',
      'dpd-asked',
      'dpd-answered',
      'dpd-mismatch',
      'dpd-surplus',
      'delete-unknown',
    ],
  ],
  [
    'main',
    [
      'phase1-started',
      'phase1-completed',
      'half-open-evicted',
      'key-exchange-postponed',
      'repeated-request',
      'repeated-elsewhere',
      'repeated-refused',
      'retransmitted',
    ],
  ],
  ['network', ['received', 'sent', 'keepalive', 'peer-moved', 'fragment', 'reassembled', 'fragments-expired']],
  ['quick', ['phase2-started', 'phase2-completed', 'third-message-implied', 'repeated-message-id']],
  ['transaction', []],
]

/** SHOW ISAKMP COUNTER: groups by their names in lower case. */
export function isakmpCounters(c: Control): CounterState {
  const snapshot = c.ike.snapshot()
  const counted = snapshot.counters
  const taken = new Set(ISAKMP_GROUPS.flatMap(([, names]) => names))
  const of = (names: readonly string[]) => Object.fromEntries(names.map(name => [name, counted[name] ?? 0]))
  const general = of(['ikev2', 'authip', 'events-suppressed', 'late-message'])
  for (const [name, n] of Object.entries(counted)) if (!taken.has(name)) general[name] = n
  const complete = snapshot.children.filter(child => child.complete).length
  const groups: Record<string, Counters> = {
    general,
    ...Object.fromEntries(ISAKMP_GROUPS.map(([group, names]) => [group, of(names)])),
    ipsec: {
      pairs: complete,
      pairsIncomplete: snapshot.children.length - complete,
      shortIcv: c.engineEvents.shortIcvs,
    },
    sad: { isakmpSas: snapshot.sas.length, peers: c.peers.all.size },
    spd: {
      isakmpPolicies: c.configuration.isakmp.policies.length,
      ipsecPolicies: c.configuration.ipsec.policies.length,
    },
    xdb: { exchanges: snapshot.exchanges.length },
  }
  return Object.fromEntries(Object.entries(groups).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Why the data path dropped packets of ESP: IPsec's share of the drop counters. */
const IPSEC_DROPS = [
  'dropUnknownSpi',
  'dropBadIcv',
  'dropReplayed',
  'dropBadPadding',
  'dropLifetimeExpired',
  'dropNotL2tp',
  'dropNoSa',
]

/** SHOW IPSEC COUNTER. */
export function ipsecCounters(c: Control): CounterState {
  const totals = c.world.stats.totals()
  const t = allTraffic(c)
  return {
    'Outbound Packet Processing': {
      outProcessStart: t.packetsOut + t.failedOut,
      outProcessDone: t.packetsOut,
      outProcessFail: t.failedOut,
      outBytes: t.bytesOut,
    },
    'Inbound Packet Processing': {
      inProcessStart: t.packetsIn + t.failedIn,
      inProcessDone: t.packetsIn,
      inProcessFail: t.failedIn,
      inBytes: t.bytesIn,
    },
    Drop: pick(totals, IPSEC_DROPS),
  }
}

/** SHOW ENCO COUNTER: what was encrypted and decrypted, and the Diffie-Hellman exchanges. */
export function encoCounters(c: Control): CounterState {
  const t = allTraffic(c)
  const ike = c.ike.snapshot().counters
  return {
    Encoding: { espSealed: t.packetsOut, espSealFailed: t.failedOut, espSealedBytes: t.bytesOut },
    Decoding: { espOpened: t.packetsIn, espOpenFailed: t.failedIn, espOpenedBytes: t.bytesIn },
    'Phase 1': {
      authenticated: ike['phase1-completed'] ?? 0,
      keyExchangePostponed: ike['key-exchange-postponed'] ?? 0,
    },
  }
}

/** SHOW IP COUNTER: what the TUN device and the sockets have carried. */
export function ipCounters(c: Control): CounterState {
  const totals = c.world.stats.totals()
  return {
    Tunnelled: pick(totals, ['receivedPackets', 'receivedBytes', 'sentPackets', 'sentBytes', 'injected']),
    Inner: pick(totals, ['toTunPackets', 'fromTunPackets']),
    Drop: pick(totals, ['dropBadIp', 'dropSpoofed', 'dropPolicy', 'dropNoRoute', 'dropTooBig']),
  }
}

function allTraffic(c: Control): TrafficCounts {
  const sum = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0, failedIn: 0, failedOut: 0 }
  for (const t of c.peers.allTraffic()) {
    sum.packetsIn += t.packetsIn
    sum.bytesIn += t.bytesIn
    sum.packetsOut += t.packetsOut
    sum.bytesOut += t.bytesOut
    sum.failedIn += t.failedIn
    sum.failedOut += t.failedOut
  }
  return sum
}

function pick(from: Counters, names: readonly string[]): Counters {
  return Object.fromEntries(names.map(name => [name, from[name] ?? 0]))
}
