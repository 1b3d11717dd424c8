/**
 * What control knows of the workers' firewalls: the events that they tell, kept for SHOW, logged and told to managers; and
 * questions to all of them at once.
 */

import { headerText, logged, placeText, protocolName, reasonText } from '../firewall/event-log.ts'
import type { FirewallEvent } from '../firewall/events.ts'
import type { FirewallReport, FlowFilter } from '../firewall/report.ts'
import type { Control } from './control.ts'
import { sayMissed, sayTraced, traceOrders } from './debug-firewall.ts'
import { FirewallAccounts } from './firewall-accounts.ts'
import type { FirewallNews, FirewallQuestion } from './firewall-messages.ts'
import { Severity } from './log.ts'

/** An event as it is kept: the same again only counts. */
export interface KeptEvent extends FirewallEvent {
  /** When it was there last, ISO 8601. */
  readonly time: string
  readonly user: string
}

type Action = FirewallEvent['action']

/** Events kept of each action. */
const KEPT = 200
/** How long a worker may take to answer. */
const PATIENCE_MILLIS = 2000

interface Question {
  readonly got: (news: FirewallNews) => void
  readonly cancel: () => void
}

export class FirewallMonitor {
  /** Tells managers on their terminals; whoever has terminals puts something here. */
  announce: (text: string) => void = () => undefined
  readonly accounts = new FirewallAccounts()
  /** Who tells of hosts' connections while it is wanted; whoever has a kernel puts something here. */
  hosts: { listen(wanted: boolean): void } = { listen: () => undefined }
  private readonly control: Pick<Control, 'world' | 'configuration' | 'sessions' | 'debug'>
  /** By what makes two events the same, the latest last. */
  private readonly kept: Readonly<Record<Action, Map<string, KeptEvent>>> = {
    allow: new Map(),
    deny: new Map(),
    notify: new Map(),
  }
  private readonly questions = new Map<number, Question>()
  private asked = 0
  private traceWanted = '[]'

  constructor(control: FirewallMonitor['control']) {
    this.control = control
  }

  heard(worker: number, news: FirewallNews): void {
    if (news.what === 'events') for (const e of news.events) this.event(e)
    else if (news.what === 'traced') this.traced(news)
    else if (news.what === 'finished') this.accounts.take(worker, news, this.control.world)
    else this.questions.get(news.id)?.got(news)
  }

  /** Events of one action, the oldest first. */
  events(action: Action): KeptEvent[] {
    return [...this.kept[action].values()]
  }

  /** Somebody began to debug, or ceased: the workers tell what is wanted now. */
  debugChanged(): void {
    const orders = traceOrders(this.control.debug)
    if (JSON.stringify(orders) === this.traceWanted) return
    this.traceWanted = JSON.stringify(orders)
    const { workers } = this.control.world.data
    for (let w = 0; w < workers; w++) void this.ask(w, id => ({ id, what: 'trace', orders }))
  }

  private traced({ packets, missed }: Extract<FirewallNews, { what: 'traced' }>): void {
    const { debug, configuration } = this.control
    for (const p of packets) sayTraced(debug, p, this.userOf(p.session))
    if (missed === 0) return
    sayMissed(
      debug,
      missed,
      configuration.firewall.policies.map(p => p.name),
    )
  }

  private userOf(session: number): string {
    const admission = this.control.sessions.all.get(session)?.admission
    return admission?.kind === 'accepted' ? admission.user : ''
  }

  /** Waits until the workers have told of all connections that are over. */
  async settle(): Promise<void> {
    const { workers } = this.control.world.data
    await Promise.all(Array.from({ length: workers }, (_, w) => this.ask(w, id => ({ id, what: 'settle' }))))
  }

  /** Each worker's report, by its number; a worker that does not answer in time is not among them. */
  async reports(filter: FlowFilter, limit: number): Promise<{ worker: number; report: FirewallReport }[]> {
    const { workers } = this.control.world.data
    const all = await Promise.all(
      Array.from({ length: workers }, async (_, worker) => {
        const news = await this.ask(worker, id => ({ id, what: 'report', limit, filter }))
        return news?.what === 'report' ? [{ worker, report: news.report }] : []
      }),
    )
    return all.flat()
  }

  /** Ends one flow of a worker; false where it has none of this number. */
  async end(worker: number, flow: number): Promise<boolean> {
    if (worker >= this.control.world.data.workers) return false
    const news = await this.ask(worker, id => ({ id, what: 'end', flow }))
    return news?.what === 'ended' && news.found
  }

  private ask(worker: number, question: (id: number) => FirewallQuestion): Promise<FirewallNews | undefined> {
    const id = ++this.asked
    const { clock, data } = this.control.world
    return new Promise(resolve => {
      const got = (news: FirewallNews | undefined) => {
        this.questions.get(id)?.cancel()
        this.questions.delete(id)
        resolve(news)
      }
      this.questions.set(id, { got, cancel: clock.after(PATIENCE_MILLIS, () => got(undefined)) })
      data.post(worker, { kind: 'askFirewall', question: question(id) })
    })
  }

  private event(e: FirewallEvent): void {
    const { world } = this.control
    const user = this.userOf(e.session)
    const time = new Date(world.wall().getTime() - Math.max(0, world.clock.now() - e.at)).toISOString()
    this.keep({ ...e, time, user })
    this.log(e, user)
  }

  private keep(e: KeptEvent): void {
    const kept = this.kept[e.action]
    const ends = [e.source, e.sourcePort, e.destination, e.destinationPort]
    const key = [e.session, e.direction, e.protocol, ...ends, e.reason, e.rule, e.attack, e.policy].join(' ')
    const before = kept.get(key)
    kept.delete(key)
    if (kept.size >= KEPT) makeRoom(kept)
    kept.set(key, before ? { ...e, repeats: before.repeats + e.repeats } : e)
  }

  private log(e: FirewallEvent, user: string): void {
    const { world, configuration } = this.control
    const of = user === '' ? '' : ` (user ${user})`
    const ends = `${placeText(e.source, e.sourcePort, e.protocol)} to ${placeText(e.destination, e.destinationPort, e.protocol)}`
    const protocol = protocolName(e.protocol)
    const fields = { session: e.session, user: user || undefined, policy: e.policy }
    if (e.attack !== undefined) {
      if (!e.started) return
      const text = `${reasonText(e)} ${e.direction}, ${protocol} ${ends}${of}, policy ${e.policy}`
      const kind = { type: 'ATTK', subtype: e.attack.toUpperCase() }
      world.log.add({ severity: Severity.Important, module: 'FIRE', ...kind, text, fields })
      if (configuration.firewall.notifyManagers !== false) this.announce(`Firewall: ${text}`)
      return
    }
    const how = logged(configuration.firewall.policies.find(p => p.name === e.policy)?.log ?? [], e)
    if (how === 'no') return
    const again = e.repeats > 1 ? `, ${e.repeats} times` : ''
    const dump = how === 'dump' ? `: ${headerText(e.header)}` : ''
    world.log.add({
      severity: Severity.Info,
      module: 'FIRE',
      type: e.direction === 'in' ? 'IN' : 'OUT',
      subtype: e.action.toUpperCase(),
      text: `${reasonText(e)}, ${protocol} ${ends}${of}${again}${dump}`,
      fields,
    })
  }
}

/** The oldest event goes of the session that has the most: a noisy one hides nobody else's. */
function makeRoom(kept: Map<string, KeptEvent>): void {
  const counts = new Map<number, number>()
  for (const e of kept.values()) counts.set(e.session, (counts.get(e.session) ?? 0) + 1)
  const most = Math.max(...counts.values())
  for (const [key, e] of kept) {
    if (counts.get(e.session) !== most) continue
    kept.delete(key)
    return
  }
}
