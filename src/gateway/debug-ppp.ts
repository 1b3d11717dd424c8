/** ENABLE PPP DEBUG and ENABLE L2TP DEBUG: look over the shoulders of a link and of the tunnels while somebody listens. */

import { describeControl } from '../l2tp/describe.ts'
import type { L2tpEffect, L2tpInput, L2tpSessionIds } from '../l2tp/effects.ts'
import type { L2tpEndpoint } from '../l2tp/endpoint.ts'
import type { DeadlineInput, Machine, Millis } from '../machine.ts'
import { describeFrame } from '../ppp/describe.ts'
import type { PppEffect, PppInput } from '../ppp/effects.ts'
import type { PppLink } from '../ppp/link.ts'
import type { Debug } from './debug.ts'

export class PppTap implements Machine<PppInput, PppEffect> {
  private readonly link: PppLink
  private readonly debug: Debug
  private readonly name: string
  private readonly objects: readonly string[]

  /** `name` is the interface's. */
  constructor(link: PppLink, debug: Debug, name: string, ids: L2tpSessionIds) {
    this.link = link
    this.debug = debug
    this.name = name
    this.objects = [name, `template ${ids.template}`]
  }

  get deadline(): Millis | undefined {
    return this.link.deadline
  }

  handle(input: PppInput | DeadlineInput, now: Millis, effects: PppEffect[]): void {
    if (!this.debug.on('ppp')) return this.link.handle(input, now, effects)
    if (input.kind === 'frame') this.frame('in', input.bytes)
    const before = this.link.snapshot()
    const from = effects.length
    this.link.handle(input, now, effects)
    for (const e of effects.slice(from)) {
      if (e.kind === 'send') this.frame('out', e.bytes)
      else if (e.kind === 'down') this.say('lcp', [`down: ${e.cause}: ${e.detail}`])
    }
    const after = this.link.snapshot()
    if (before.lcp !== after.lcp) this.say('lcp', [`LCP ${before.lcp} -> ${after.lcp}`])
    if (before.ipcp !== after.ipcp) this.say('ncp', [`IPCP ${before.ipcp} -> ${after.ipcp}`])
    if (before.phase !== after.phase) this.say('lcp', [`phase ${before.phase} -> ${after.phase}`])
  }

  private frame(way: 'in' | 'out', bytes: Uint8Array): void {
    const { kind, lines } = describeFrame(bytes)
    const [first, ...rest] = lines
    // Of each message one line; with PKT its options, too.
    const heard = `${way} ${first}`
    if (this.debug.wants('ppp', 'pkt')) this.say('pkt', [heard, ...rest])
    if (this.debug.wants('ppp', kind)) this.say(kind, [heard])
  }

  private say(mode: 'lcp' | 'auth' | 'ncp' | 'pkt', lines: readonly string[]): void {
    this.debug.say('ppp', mode, [`${this.name}: ${lines[0]}`, ...lines.slice(1)], this.objects)
  }
}

/** Peers whose states are kept for comparison. */
const MOST_SEEN = 1000

export class L2tpTap implements Machine<L2tpInput, L2tpEffect> {
  private readonly l2tp: L2tpEndpoint
  private readonly debug: Debug
  /** The states last seen, by peer: of those alone that had to do with a message since it began. */
  private readonly seen = new Map<number, Map<string, string>>()

  constructor(l2tp: L2tpEndpoint, debug: Debug) {
    this.l2tp = l2tp
    this.debug = debug
  }

  get deadline(): Millis | undefined {
    return this.l2tp.deadline
  }

  handle(input: L2tpInput | DeadlineInput, now: Millis, effects: L2tpEffect[]): void {
    // That somebody lives is heard with every packet, and changes nothing.
    if (!this.debug.on('l2tp') || input.kind === 'heard') return this.l2tp.handle(input, now, effects)
    if (input.kind === 'message') this.message('in', input.peer, input.bytes)
    const wanted = this.debug.wants('l2tp', 'state')
    if (!wanted) this.seen.clear()
    else if ('peer' in input && !this.seen.has(input.peer)) this.seen.set(input.peer, this.states(input.peer))
    const from = effects.length
    this.l2tp.handle(input, now, effects)
    const peers = new Set('peer' in input ? [input.peer] : [])
    for (const e of effects.slice(from)) {
      if (e.kind === 'send') this.message('out', e.peer, e.bytes)
      else if (e.kind === 'discarded')
        this.debug.say('l2tp', 'packet', [`peer ${e.peer}: discarded a message: ${e.reason}`])
      if ('peer' in e) peers.add(e.peer)
    }
    if (wanted) for (const peer of peers) this.changes(peer)
  }

  private message(way: 'in' | 'out', peer: number, bytes: Uint8Array): void {
    if (!this.debug.wants('l2tp', 'packet')) return
    const [first, ...rest] = describeControl(bytes)
    this.debug.say('l2tp', 'packet', [`peer ${peer} ${way} ${first}`, ...rest])
  }

  /** A peer's tunnels and calls, in words, each with its state. */
  private states(peer: number): Map<string, string> {
    const states = new Map<string, string>()
    for (const t of this.l2tp.tunnels(peer)) {
      const tunnel = `peer ${t.peer} tunnel ${t.localTunnelId}`
      states.set(tunnel, t.state)
      for (const s of t.sessions) states.set(`${tunnel} call ${s.localSessionId}`, s.state)
    }
    return states
  }

  private changes(peer: number): void {
    const before = this.seen.get(peer)
    const after = this.states(peer)
    this.seen.delete(peer)
    if (after.size > 0) this.seen.set(peer, after)
    if (this.seen.size > MOST_SEEN) this.seen.delete(this.seen.keys().next().value!)
    // One that nobody has looked at before: what it was is not known.
    if (before === undefined) return
    for (const [what, state] of after) {
      const was = before.get(what) ?? 'idle'
      if (was !== state) this.debug.say('l2tp', 'state', [`${what}: ${was} -> ${state}`])
    }
    for (const [what, state] of before)
      if (!after.has(what)) this.debug.say('l2tp', 'state', [`${what}: ${state} -> gone`])
  }
}
