/** What the firewall let in and refused lately, for SHOW FIREWALL EVENT: a ring that a flood cannot make costly. */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { Headers } from './headers.ts'

export interface FirewallEvent {
  readonly at: Millis
  readonly action: 'allow' | 'deny'
  /** `in`: the packet came from the session's client; `out`: it was on its way there. */
  readonly direction: 'in' | 'out'
  readonly session: number
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  /** Number of the rule that decided, or 0 for the policy's base rule. */
  readonly rule: number
}

/** Rows between two takes. */
const CAPACITY = 128
/** Events a second in the long run. */
const RATE = 50

export class FirewallEvents {
  /** Events that were not kept, since the worker began. */
  suppressed = 0
  private count = 0
  private tokens = CAPACITY
  private filledAt: Millis | undefined = undefined
  private readonly at = new Float64Array(CAPACITY)
  private readonly allowed = new Uint8Array(CAPACITY)
  private readonly inward = new Uint8Array(CAPACITY)
  private readonly session = new Uint32Array(CAPACITY)
  private readonly protocol = new Uint8Array(CAPACITY)
  private readonly source = new Uint32Array(CAPACITY)
  private readonly sourcePort = new Uint16Array(CAPACITY)
  private readonly destination = new Uint32Array(CAPACITY)
  private readonly destinationPort = new Uint16Array(CAPACITY)
  private readonly rule = new Uint32Array(CAPACITY)

  /** Notes one decision, or counts it where too many come. */
  record(h: Headers, session: number, fromClient: boolean, allow: boolean, rule: number, now: Millis): void {
    const elapsed = now - (this.filledAt ?? now)
    this.filledAt = now
    this.tokens = Math.min(CAPACITY, this.tokens + (elapsed * RATE) / 1000)
    if (this.count === CAPACITY || this.tokens < 1) {
      this.suppressed++
      return
    }
    this.tokens--
    const i = this.count++
    this.at[i] = now
    this.allowed[i] = allow ? 1 : 0
    this.inward[i] = fromClient ? 1 : 0
    this.session[i] = session
    this.protocol[i] = h.protocol
    this.source[i] = h.source
    this.sourcePort[i] = h.sourcePort & 0xffff
    this.destination[i] = h.destination
    this.destinationPort[i] = h.destinationPort & 0xffff
    this.rule[i] = rule
  }

  /** How many events wait. */
  get waiting(): number {
    return this.count
  }

  /** Takes what waits, the oldest first. Allocates: for control's pace, not the packets'. */
  take(): FirewallEvent[] {
    const out: FirewallEvent[] = []
    for (let i = 0; i < this.count; i++) {
      out.push({
        at: this.at[i]!,
        action: this.allowed[i] ? 'allow' : 'deny',
        direction: this.inward[i] ? 'in' : 'out',
        session: this.session[i]!,
        protocol: this.protocol[i]!,
        source: this.source[i]!,
        sourcePort: this.sourcePort[i]!,
        destination: this.destination[i]!,
        destinationPort: this.destinationPort[i]!,
        rule: this.rule[i]!,
      })
    }
    this.count = 0
    return out
  }
}
