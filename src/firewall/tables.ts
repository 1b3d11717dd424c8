/** Everything the filter of one worker looks at; one writer, the worker's own thread. */

import type { Millis } from '../machine.ts'
import { Batch } from '../packet/batch.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { Accounting } from './accounting.ts'
import { Attacks } from './attacks.ts'
import { Audiences } from './audiences.ts'
import { closedRuleset } from './compile.ts'
import { Draws, seededFill } from './draws.ts'
import { FirewallEvents } from './events.ts'
import { FlowTable, type FlowTableSize, type Tuple } from './flow.ts'
import { FlowEnds } from './flow-ends.ts'
import { FragmentTable, MOST_FRAGMENTS } from './fragments.ts'
import { FtpExpectations } from './ftp.ts'
import { Headers } from './headers.ts'
import { Likeness } from './likeness.ts'
import { type LimitReport, Limits } from './limits.ts'
import type { Passage } from './passage.ts'
import type { PolicyCount } from './report.ts'
import { type Ruleset, zoneOfUser } from './ruleset.ts'
import { type SessionRow, SessionTable } from './sessions.ts'
import { FirewallTrace } from './trace.ts'
import { Untracked } from './untracked.ts'

export class FirewallTables {
  readonly sessions = new SessionTable()
  readonly flows: FlowTable
  readonly fragments = new FragmentTable()
  readonly events = new FirewallEvents()
  readonly attacks: Attacks
  readonly ftp = new FtpExpectations()
  readonly limits: Limits
  readonly accounting = new Accounting()
  readonly trace = new FirewallTrace()
  /**
   * IP packets that filterOut made for the senders of what it dropped: write its `count` rows to the TUN device after
   * each call. The next call empties it.
   */
  readonly replies = new Batch()
  /** The packet at hand, and the one that an ICMP error quotes. */
  readonly headers = new Headers()
  readonly quoted = new Headers()
  /** Of a new translated flow: its first packet as it comes, and its answers as they come. */
  readonly tuple: Tuple = { source: 0, sourcePort: 0, destination: 0, destinationPort: 0 }
  readonly answer: Tuple = { source: 0, sourcePort: 0, destination: 0, destinationPort: 0 }
  /** The translation that was chosen last keeps the source port. */
  keepsPort = false
  /** The packet that was connected last left translated. */
  wasTranslated = false
  /** Of the packet at hand: the rule that decided, whether it opened something, whether it overlaps another fragment. */
  decidedBy = 0
  opened = false
  overlapped = false
  /** The packet at hand passed where nothing is tracked; and what passed so, until a session, the rules or a stream is another. */
  passedFreely = false
  readonly likeness = new Likeness()
  /** The packet at hand, on its way from a client and to one. */
  readonly inward: Passage = { session: 0, fromClient: true, sender: 0, from: 0, to: 0, subject: 0 }
  readonly outward: Passage = { session: 0, fromClient: false, sender: 0, from: 0, to: 0, subject: 0 }
  readonly draws: Draws
  /** 1 for each port that no translation takes. */
  readonly reserved = new Uint8Array(65536)
  /** By NAT pair with a pool: which session has each of its addresses, or 0. */
  pools: readonly Uint32Array[] = []
  /** First packets of flows that each rule decided, by its slot in the ruleset. */
  hits = new Float64Array(0)
  /** By policy: flows in, refused in, flows out, refused out. */
  counts = new Float64Array(0)
  readonly untracked = new Untracked()
  /** What filter.ts found in rows that it only looked at early. */
  fetched = 0
  /** Called by filterOut as soon as the batch's sessions are known, before it looks at the packets and what is kept of them. */
  bound: (batch: Batch, now: Millis) => void = () => {}
  private readonly ends = new FlowEnds(this)
  /** Whose these tables are: which ports of shared addresses are drawn here. */
  readonly worker: number
  private readonly audiences = new Audiences()
  private current = closedRuleset()

  /**
   * `seed`: 32 random bits, for the flow table's hash. `fill` writes random bytes, for translated ports; without it they
   * follow from the seed. Nothing passes before setRuleset.
   */
  constructor(seed: number, size?: FlowTableSize, fill = seededFill(seed), worker = 0) {
    this.worker = worker
    this.flows = new FlowTable(seed, size)
    this.draws = new Draws(fill)
    this.attacks = new Attacks(seed)
    this.limits = new Limits(seed)
  }

  get ruleset(): Ruleset {
    return this.current
  }

  /**
   * Installs a session. Every worker may install every session, with `peer` 0 where another worker carries it: then
   * traffic between two clients is judged by both clients' zones, wherever they are.
   */
  install(row: SessionRow): void {
    this.likeness.forget()
    this.remove(row.session)
    this.sessions.install(row, zoneOfUser(this.current, row.user))
    this.enroll(row.session)
  }

  /** Removes a session and its flows. */
  remove(session: number): void {
    if (!this.sessions.address[session]) return
    this.likeness.forget()
    // While it is still known whose they are.
    this.flows.forget(session)
    this.sessions.remove(session)
    this.attacks.forget(session)
    this.ftp.forget(session)
    this.audiences.remove(session)
    for (const holders of this.pools) {
      for (let i = 0; i < holders.length; i++) if (holders[i] === session) holders[i] = 0
    }
  }

  /** Puts another ruleset in force, between two packets. Flows that passed go on; only new ones meet the new rules. */
  setRuleset(ruleset: Ruleset): void {
    const before = this.ruleHits()
    const counted = this.policyCounts()
    const refused = this.limits.report(this.policyNames)
    this.current = ruleset
    this.likeness.forget()
    this.trace.use(ruleset)
    this.fragments.allow(ruleset.firewall.maxFragments ?? MOST_FRAGMENTS)
    this.counts = Float64Array.from(
      ruleset.firewall.policies.flatMap(p => countsOf(counted.find(c => c.policy === p.name))),
    )
    this.sessions.rezone(user => zoneOfUser(ruleset, user))
    this.watchEnds(ruleset, refused)
    this.hits = Float64Array.from(ruleset.slots, s => before.find(b => sameRule(b, s))?.hits ?? 0)
    this.audiences.reset(ruleset)
    for (let s = 1; s < MAX_SESSIONS; s++) if (this.sessions.address[s] !== 0) this.enroll(s)
    this.pools = ruleset.nat.pairs.map(p => new Uint32Array(p.pool ? p.globalCount : 0))
    this.reserved.fill(0)
    for (const port of ruleset.nat.reserved) this.reserved[port] = 1
  }

  /** What is up counts under limit rules that come into force. */
  private watchEnds(ruleset: Ruleset, refused: readonly LimitReport[]): void {
    this.limits.use(ruleset.limits, this.flows.rows)
    this.limits.keepRefusals(refused, this.policyNames)
    this.flows.observer = this.limits.active || ruleset.accounting.includes(1) ? this.ends : undefined
    if (this.limits.active) this.ends.recount()
  }

  /** Whether control is to be told of something. */
  get hasNews(): boolean {
    return this.events.waiting > 0 || this.accounting.waiting > 0 || this.trace.waiting > 0
  }

  /** By their indices in the ruleset. */
  get policyNames(): string[] {
    return this.current.firewall.policies.map(p => p.name)
  }

  /** How often each rule has decided about a new flow since it is there. */
  ruleHits(): { readonly policy: string; readonly rule: number; readonly hits: number }[] {
    return this.current.slots.map((s, i) => ({ ...s, hits: this.hits[i]! }))
  }

  policyCounts(): PolicyCount[] {
    const { counts } = this
    return this.current.firewall.policies.map((p, i) => ({
      policy: p.name,
      inAllowed: counts[i * 4] ?? 0,
      inDenied: counts[i * 4 + 1] ?? 0,
      outAllowed: counts[i * 4 + 2] ?? 0,
      outDenied: counts[i * 4 + 3] ?? 0,
    }))
  }

  /** By audience of the ruleset, then by session. */
  get members(): readonly Uint8Array[] {
    return this.audiences.members
  }

  /** A session of an audience, the latest if several are; 0 where there is none. For forwards to a user. */
  sessionOf(audience: number): number {
    return this.audiences.sessionOf(audience)
  }

  private enroll(session: number): void {
    this.audiences.enroll(this.current, session, this.sessions.user(session) ?? '')
  }
}

function countsOf(c: PolicyCount | undefined): number[] {
  return c ? [c.inAllowed, c.inDenied, c.outAllowed, c.outDenied] : [0, 0, 0, 0]
}

function sameRule(a: { policy: string; rule: number }, b: { policy: string; rule: number }): boolean {
  return a.policy === b.policy && a.rule === b.rule
}
