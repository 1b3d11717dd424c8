/**
 * ENABLE FIREWALL POLICY ACCOUNTING: what each connection that is over has carried, kept until it is taken. Noting one never
 * allocates; of what comes too fast only the number is known.
 */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { FairTokens } from './fair-tokens.ts'
import type { FlowTable } from './flow.ts'

export interface FinishedFlow {
  /** Its first packet and its last. */
  readonly startedAt: Millis
  readonly endedAt: Millis
  readonly policy: string
  /** `in`: somebody outside began it. */
  readonly direction: 'in' | 'out'
  readonly session: number
  /** Who the session was; '' for nobody. */
  readonly user: string
  readonly protocol: number
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  /** From the source and to it; bytes of IP packets. */
  readonly packetsForward: number
  readonly packetsReverse: number
  readonly bytesForward: number
  readonly bytesReverse: number
}

/** Flows between two takes. */
const CAPACITY = 1024
const RATE = { rate: 100, burst: CAPACITY, sessionRate: 20, sessionBurst: 200 }

export class Accounting {
  /** Flows that came too fast to be noted one by one, since the worker began. */
  unrecorded = 0
  private count = 0
  private readonly tokens = new FairTokens(RATE)
  private readonly startedAt = new Float64Array(CAPACITY)
  private readonly endedAt = new Float64Array(CAPACITY)
  private readonly policy = new Uint16Array(CAPACITY)
  private readonly fromOutside = new Uint8Array(CAPACITY)
  private readonly session = new Uint32Array(CAPACITY)
  private readonly user: string[] = new Array(CAPACITY).fill('')
  private readonly protocol = new Uint8Array(CAPACITY)
  private readonly source = new Int32Array(CAPACITY)
  private readonly sourcePort = new Uint16Array(CAPACITY)
  private readonly destination = new Int32Array(CAPACITY)
  private readonly destinationPort = new Uint16Array(CAPACITY)
  private readonly packets = new Uint32Array(2 * CAPACITY)
  private readonly bytes = new Float64Array(2 * CAPACITY)

  /** Notes the flow in a row that is about to be free. `policy` is the policy's index. */
  record(flows: FlowTable, row: number, policy: number, user: string): void {
    const session = flows.session[row]!
    if (this.count === CAPACITY || !this.tokens.spend(session, flows.latest)) {
      this.unrecorded++
      return
    }
    const i = this.count++
    this.startedAt[i] = flows.born[row]!
    this.endedAt[i] = flows.seen[row]!
    this.policy[i] = policy
    this.fromOutside[i] = flows.fromOutside[row]!
    this.session[i] = session
    this.user[i] = user
    this.protocol[i] = flows.protocol[row]!
    this.source[i] = flows.source[row]!
    this.sourcePort[i] = flows.sourcePort[row]!
    this.destination[i] = flows.destination[row]!
    this.destinationPort[i] = flows.destinationPort[row]!
    this.packets[2 * i] = flows.packetsForward[row]!
    this.packets[2 * i + 1] = flows.packetsReverse[row]!
    this.bytes[2 * i] = flows.bytesForward[row]!
    this.bytes[2 * i + 1] = flows.bytesReverse[row]!
  }

  /** How many wait to be taken. */
  get waiting(): number {
    return this.count
  }

  /** Takes what waits, the oldest first; `names` are the policies'. Allocates. */
  take(names: readonly string[]): FinishedFlow[] {
    const out: FinishedFlow[] = []
    for (let i = 0; i < this.count; i++) {
      out.push({
        startedAt: this.startedAt[i]!,
        endedAt: this.endedAt[i]!,
        policy: names[this.policy[i]!] ?? '',
        direction: this.fromOutside[i] === 1 ? 'in' : 'out',
        session: this.session[i]!,
        user: this.user[i]!,
        protocol: this.protocol[i]!,
        source: this.source[i]! >>> 0,
        sourcePort: this.sourcePort[i]!,
        destination: this.destination[i]! >>> 0,
        destinationPort: this.destinationPort[i]!,
        packetsForward: this.packets[2 * i]!,
        packetsReverse: this.packets[2 * i + 1]!,
        bytesForward: this.bytes[2 * i]!,
        bytesReverse: this.bytes[2 * i + 1]!,
      })
    }
    this.count = 0
    return out
  }
}
