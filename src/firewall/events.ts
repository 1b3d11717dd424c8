/**
 * What the firewall let in and refused lately, and the attacks it saw, for SHOW FIREWALL EVENT: a ring that a flood cannot
 * make costly, with a share for each session, so that one that is noisy hides nobody else's events.
 */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { ATTACKS, type Attack } from './attack-kinds.ts'
import { FairTokens } from './fair-tokens.ts'
import type { Headers } from './headers.ts'
import type { Passage } from './passage.ts'
import { nameOfPolicy, type Ruleset } from './ruleset.ts'

export const EventAction = { Deny: 0, Allow: 1, Notify: 2 } as const
const actions = ['deny', 'allow', 'notify'] as const

export interface FirewallEvent {
  readonly at: Millis
  readonly action: (typeof actions)[number]
  /** `in`: the packet entered by a public interface, or by none of the policy. */
  readonly direction: 'in' | 'out'
  /** The session whose packet it was, or that it was meant for; 0 for none. */
  readonly session: number
  /** Name of the policy between the two sides, or ''. */
  readonly policy: string
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  /** Number of the rule that decided, or 0 for the policy's base rule. */
  readonly rule: number
  /** Why it was dropped (DropReason), or 0. */
  readonly reason: number
  /** Of a notice: which attack, and whether this packet is the one that made it one. */
  readonly attack: Attack | undefined
  readonly started: boolean
  /** How many packets in a row were the same but for their time. */
  readonly repeats: number
  /** The packet's first bytes. */
  readonly header: Uint8Array
}

/** Rows between two takes. */
const CAPACITY = 128
/** Of these a notice may still have what events may not. */
const FOR_NOTICES = 32
/** Events a second in the long run, of all and of one session; and how many a session may have at once. */
const RATE = { rate: 50, burst: CAPACITY, sessionRate: 2, sessionBurst: 16 }
/** How much of a packet is kept. */
export const EVENT_HEADER = 40

export class FirewallEvents {
  /** Events that were not kept, since the worker began. */
  suppressed = 0
  private count = 0
  private readonly tokens = new FairTokens(RATE)
  /** The row of each session's last event. */
  private readonly last = new Uint8Array(MAX_SESSIONS)
  private readonly at = new Float64Array(CAPACITY)
  private readonly action = new Uint8Array(CAPACITY)
  private readonly session = new Uint32Array(CAPACITY)
  private readonly from = new Uint16Array(CAPACITY)
  private readonly to = new Uint16Array(CAPACITY)
  private readonly protocol = new Uint8Array(CAPACITY)
  private readonly source = new Int32Array(CAPACITY)
  private readonly sourcePort = new Uint16Array(CAPACITY)
  private readonly destination = new Int32Array(CAPACITY)
  private readonly destinationPort = new Uint16Array(CAPACITY)
  private readonly rule = new Uint32Array(CAPACITY)
  private readonly reason = new Uint8Array(CAPACITY)
  private readonly repeats = new Uint32Array(CAPACITY)
  private readonly header = new Uint8Array(CAPACITY * EVENT_HEADER)
  private readonly headerLength = new Uint8Array(CAPACITY)
  private readonly attack = new Uint8Array(CAPACITY)
  private readonly started = new Uint8Array(CAPACITY)

  /** Notes one decision, or counts it where too many come. `reason` is a DropReason. */
  record(h: Headers, p: Passage, allow: boolean, rule: number, reason: number, now: Millis): void {
    const action = allow ? EventAction.Allow : EventAction.Deny
    if (this.repeated(h, p, action, rule, reason)) return
    if (this.count >= CAPACITY - FOR_NOTICES || !this.tokens.spend(p.session, now)) {
      this.suppressed++
      return
    }
    this.append(h, p, action, rule, reason, now)
  }

  /** Notes that a packet belongs to an attack. How often that is said is the attack's business (attacks.ts). */
  notify(h: Headers, p: Passage, kind: number, started: boolean, reason: number, now: Millis): void {
    if (this.count === CAPACITY) {
      this.suppressed++
      return
    }
    const i = this.append(h, p, EventAction.Notify, 0, reason, now)
    this.attack[i] = kind
    this.started[i] = started ? 1 : 0
  }

  /** How many events wait. */
  get waiting(): number {
    return this.count
  }

  /** Takes what waits, the oldest first. Allocates: for control's pace, not the packets'. */
  take(ruleset: Ruleset): FirewallEvent[] {
    const out: FirewallEvent[] = []
    for (let i = 0; i < this.count; i++) {
      const action = actions[this.action[i]!]!
      out.push({
        at: this.at[i]!,
        action,
        direction: ruleset.outside[this.from[i]!] === 1 ? 'in' : 'out',
        session: this.session[i]!,
        policy: nameOfPolicy(ruleset, this.from[i]!, this.to[i]!),
        protocol: this.protocol[i]!,
        source: this.source[i]! >>> 0,
        sourcePort: this.sourcePort[i]!,
        destination: this.destination[i]! >>> 0,
        destinationPort: this.destinationPort[i]!,
        rule: this.rule[i]!,
        reason: this.reason[i]!,
        attack: action === 'notify' ? ATTACKS[this.attack[i]!] : undefined,
        started: action === 'notify' && this.started[i] === 1,
        repeats: this.repeats[i]!,
        header: this.header.slice(i * EVENT_HEADER, i * EVENT_HEADER + this.headerLength[i]!),
      })
    }
    this.count = 0
    return out
  }

  /** Counts a packet that is as its session's last event was. */
  private repeated(h: Headers, p: Passage, action: number, rule: number, reason: number): boolean {
    const i = this.last[p.session]!
    if (
      i >= this.count ||
      this.session[i] !== p.session ||
      this.action[i] !== action ||
      this.reason[i] !== reason ||
      this.rule[i] !== rule ||
      this.protocol[i] !== h.protocol ||
      this.source[i] !== h.source ||
      this.destination[i] !== h.destination ||
      this.sourcePort[i] !== (h.sourcePort & 0xffff) ||
      this.destinationPort[i] !== (h.destinationPort & 0xffff)
    ) {
      return false
    }
    this.repeats[i]!++
    return true
  }

  private append(h: Headers, p: Passage, action: number, rule: number, reason: number, now: Millis): number {
    const i = this.count++
    this.last[p.session] = i
    this.at[i] = now
    this.action[i] = action
    this.session[i] = p.session
    this.from[i] = p.from
    this.to[i] = p.to
    this.protocol[i] = h.protocol
    this.source[i] = h.source
    this.sourcePort[i] = h.sourcePort & 0xffff
    this.destination[i] = h.destination
    this.destinationPort[i] = h.destinationPort & 0xffff
    this.rule[i] = rule
    this.reason[i] = reason
    this.repeats[i] = 1
    const length = Math.min(EVENT_HEADER, h.totalLength)
    const at = i * EVENT_HEADER
    for (let b = 0; b < length; b++) this.header[at + b] = h.bytes[h.start + b]!
    this.headerLength[i] = length
    return i
  }
}
