/**
 * What one packet tells of an attack. Looked at are packets that were refused, those that open something, and pings: not the
 * many of a connection that is up, which cost nothing here.
 */

import type { Millis } from '../machine.ts'
import { IpProtocol } from '../packet/ip.ts'
import { DropReason } from '../packet/verdict.ts'
import { ATTACKS, AttackKind } from './attack-kinds.ts'
import { Trigger } from './attack-rules.ts'
import type { Attacks, Tally } from './attacks.ts'
import { IcmpType, TcpFlag } from './constants.ts'
import type { FirewallEvents } from './events.ts'
import type { Headers } from './headers.ts'
import type { Passage } from './passage.ts'
import { isBroadcast, type Ruleset } from './ruleset.ts'

const NOTHING = -1
const MAX_IP_PAYLOAD = 65535
/** Below are services' ports: from there to a port above goes an answer that came too late, not somebody's search. */
const FIRST_FREE_PORT = 1024

/** What it takes to watch: a worker's tables, or those of the host's own devices. */
export interface Watching {
  readonly ruleset: Ruleset
  readonly attacks: Attacks
  readonly events: FirewallEvents
}

/**
 * Counts the packet where it may belong to an attack, and says so where it makes one. `policy` is the one it is under, or -1;
 * `reason` what became of it, `opened` whether it opened something, `overlapped` whether it overlaps another fragment.
 */
export function watch(
  tables: Watching,
  h: Headers,
  p: Passage,
  policy: number,
  reason: DropReason,
  opened: boolean,
  overlapped: boolean,
  now: Millis,
): void {
  const { ruleset, attacks } = tables
  if (!ruleset.enabled || policy < 0) return
  const tally = p.fromClient ? attacks.byClient : attacks.toClient
  const sign = reason === DropReason.None ? NOTHING : signOf(tables, h, reason, overlapped)
  if (sign !== NOTHING) count(tables, tally, p.session, sign, policy, h, p, reason, now)
  if (h.fragmentOffset !== 0 || reason === DropReason.BadIp || reason === DropReason.Spoofed) return

  const { protocol } = h
  if (protocol === IpProtocol.Icmp) {
    if (!h.isIcmpQuery) return
    count(tables, tally, p.session, AttackKind.Flood, policy, h, p, reason, now)
    if (reason !== DropReason.None || opened) countHost(tables, policy, h, p, reason, now)
  } else if (protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp) {
    if (protocol === IpProtocol.Tcp ? !isProbe(h) : isLateAnswer(h)) return
    if (protocol === IpProtocol.Udp) count(tables, tally, p.session, AttackKind.Udp, policy, h, p, reason, now)
    else if (h.opensTcp) count(tables, tally, p.session, AttackKind.Syn, policy, h, p, reason, now)
    countPort(tables, policy, h, p, reason, now)
    countHost(tables, policy, h, p, reason, now)
  }
}

/** What was opened between the two is answered: it was no flood. `byClient`: the session's client had asked. */
export function answered(tables: Watching, protocol: number, session: number, byClient: boolean): void {
  const tally = byClient ? tables.attacks.byClient : tables.attacks.toClient
  if (protocol === IpProtocol.Tcp) tally.takeBack(session, AttackKind.Syn)
  else if (protocol === IpProtocol.Udp) tally.takeBack(session, AttackKind.Udp)
}

/** The attack that a single refused packet is a sign of, or NOTHING. */
function signOf(tables: Watching, h: Headers, reason: DropReason, overlapped: boolean): number {
  if (reason === DropReason.BadIp) {
    if (h.fragmentOffset + h.transportLength > MAX_IP_PAYLOAD)
      return h.protocol === IpProtocol.Icmp ? AttackKind.PingOfDeath : AttackKind.Fragment
    const cut = h.moreFragments || h.fragmentOffset !== 0
    return cut ? (h.protocol === IpProtocol.Tcp ? AttackKind.TcpTiny : AttackKind.Fragment) : AttackKind.Other
  }
  if (h.source === h.destination && h.source !== 0) return AttackKind.Land
  if (h.protocol === IpProtocol.Icmp && isBroadcast(tables.ruleset, h.source)) return AttackKind.SmurfAmplifier
  if (reason === DropReason.Spoofed) return AttackKind.Spoof
  if (reason !== DropReason.Policy) return NOTHING
  if (overlapped) return AttackKind.Fragment
  if (h.isSourceRouted) return AttackKind.Other
  const smurf = h.protocol === IpProtocol.Icmp && h.icmpType === IcmpType.Echo
  return smurf && isBroadcast(tables.ruleset, h.destination) ? AttackKind.Smurf : NOTHING
}

/** A segment that asks what is there: a SYN, or flags that no connection has. Late ones of a connection bear ACK or RST. */
function isProbe(h: Headers): boolean {
  return (h.tcpFlags & (TcpFlag.Ack | TcpFlag.Rst)) === 0
}

function isLateAnswer(h: Headers): boolean {
  return h.sourcePort < FIRST_FREE_PORT && h.destinationPort >= FIRST_FREE_PORT
}

function triggerOf(ruleset: Ruleset, policy: number, kind: number, what: number): number {
  return ruleset.triggers[(policy * ATTACKS.length + kind) * Trigger.Fields + what]!
}

function count(
  tables: Watching,
  tally: Tally,
  row: number,
  kind: number,
  policy: number,
  h: Headers,
  p: Passage,
  reason: DropReason,
  now: Millis,
): void {
  const n = tally.count(row, kind, triggerOf(tables.ruleset, policy, kind, Trigger.Time), now)
  judge(tables, tally, row, kind, n, policy, h, p, reason, now)
}

function countPort(tables: Watching, policy: number, h: Headers, p: Passage, reason: DropReason, now: Millis) {
  const { attacks, ruleset } = tables
  const kind = AttackKind.PortScan
  const tally = p.fromClient ? attacks.byClient : attacks.toClient
  const marks = p.fromClient ? attacks.portsByClient : attacks.portsOfClient
  const port = h.destinationPort | (h.protocol << 16)
  const time = triggerOf(ruleset, policy, kind, Trigger.Time)
  const n = tally.countValue(marks, p.session, kind, port, time, now)
  judge(tables, tally, p.session, kind, n, policy, h, p, reason, now)
}

function countHost(tables: Watching, policy: number, h: Headers, p: Passage, reason: DropReason, now: Millis) {
  const { attacks, ruleset } = tables
  const kind = AttackKind.HostScan
  const time = triggerOf(ruleset, policy, kind, Trigger.Time)
  const tally = p.fromClient ? attacks.byClient : attacks.byOutsider
  const marks = p.fromClient ? attacks.hostsByClient : attacks.hostsByOutsider
  const row = p.fromClient ? p.session : attacks.outsider(h.source, now)
  const n = tally.countValue(marks, row, kind, h.destination, time, now)
  judge(tables, tally, row, kind, n, policy, h, p, reason, now)
}

/** From the trigger on it is an attack: said at once, and with some more packets in detail; then no more in this window. */
function judge(
  tables: Watching,
  tally: Tally,
  row: number,
  kind: number,
  n: number,
  policy: number,
  h: Headers,
  p: Passage,
  reason: DropReason,
  now: Millis,
): void {
  const { ruleset } = tables
  const what = ruleset.outside[p.from] === 1 ? Trigger.In : Trigger.Out
  if (n < triggerOf(ruleset, policy, kind, what) || n === 0) return
  const before = tally.tell(row, kind)
  if (before > triggerOf(ruleset, policy, kind, Trigger.Detail)) return
  tables.events.notify(h, p, kind, before === 0, reason, now)
}
