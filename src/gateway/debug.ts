/**
 * ENABLE ... DEBUG: who listens to what, and the lines that each gets: never more than it can read. It costs nothing while
 * nobody listens. Nothing that is said here may be a key, a password or a hash of one.
 */

import type { Millis } from '../machine.ts'
import type { Clock } from './deadlines.ts'

export const DEBUG_MODES = {
  isakmp: ['state', 'trace', 'packet', 'pktraw'],
  ipsec: ['trace', 'packet'],
  l2tp: ['state', 'packet'],
  ppp: ['lcp', 'auth', 'ncp', 'pkt'],
  firewall: ['process', 'packet', 'limitrule'],
} as const
export type DebugModule = keyof typeof DEBUG_MODES
export type DebugMode<M extends DebugModule> = (typeof DEBUG_MODES)[M][number]

/** Where lines go; false where nobody is there any more. */
export type DebugWrite = (text: string) => boolean

export interface DebugRequest {
  readonly module: DebugModule
  readonly modes: readonly string[]
  /** Only what concerns this: an IPsec policy, `template 1`, `ppp0`; undefined for everything. */
  readonly object?: string | undefined
  /** Who asked, as SHOW DEBUG ACTIVE tells it. */
  readonly who: string
  readonly write?: DebugWrite | undefined
  /** Ends by itself after so long, */
  readonly millis?: Millis | undefined
  /** or after so many messages. */
  readonly messages?: number | undefined
}

/** One request in force, as SHOW DEBUG ACTIVE lists it. */
export interface DebugActive {
  readonly module: DebugModule
  readonly modes: readonly string[]
  readonly object: string
  readonly who: string
}

interface Entry {
  readonly request: DebugRequest
  readonly until: Millis
  messages: number
  /** Lines that it may still get, as of `since`. */
  allowance: number
  since: Millis
  leftOut: number
  cancelNotice: (() => void) | undefined
}

/** Lines at once, and a second from then on, for each that listens. */
const BURST = 400
const PER_SECOND = 100
const NOTICE_MILLIS = 1000
/** Kept for SHOW DEBUG. */
const RING = 500
/** Requests in force at a time: the oldest ends for another. */
const MOST = 32

export class Debug {
  /** Somebody began to listen, or ceased. */
  changed: () => void = () => undefined
  private entries: Entry[] = []
  private readonly ring: string[] = []
  private readonly clock: Clock
  private readonly wall: () => Date

  constructor(clock: Clock, wall: () => Date) {
    this.clock = clock
    this.wall = wall
  }

  /** Whether anybody listens to this module at all: the only question that is asked while nobody does. */
  on(module: DebugModule): boolean {
    return this.entries.length > 0 && this.entries.some(e => e.request.module === module)
  }

  wants<M extends DebugModule>(module: M, mode: DebugMode<M>): boolean {
    return this.entries.some(e => e.request.module === module && e.request.modes.includes(mode))
  }

  /** Answers how to end it. */
  enable(request: DebugRequest): () => void {
    const now = this.clock.now()
    const entry: Entry = {
      request,
      until: now + (request.millis ?? Number.POSITIVE_INFINITY),
      messages: request.messages ?? Number.POSITIVE_INFINITY,
      allowance: BURST,
      since: now,
      leftOut: 0,
      cancelNotice: undefined,
    }
    this.entries.push(entry)
    if (this.entries.length > MOST) this.end(this.entries[0]!)
    this.changed()
    return () => this.end(entry)
  }

  /** Takes these modes away from everybody; answers whether anybody had them. */
  disable(module: DebugModule, modes: readonly string[], object?: string): boolean {
    const hit = this.entries.filter(
      ({ request: r }) =>
        r.module === module && r.modes.some(m => modes.includes(m)) && (object === undefined || r.object === object),
    )
    for (const e of hit) {
      const left = e.request.modes.filter(m => !modes.includes(m))
      this.end(e)
      if (left.length > 0) this.entries.push({ ...e, request: { ...e.request, modes: left }, cancelNotice: undefined })
    }
    this.changed()
    return hit.length > 0
  }

  /**
   * Says one message of one line or more. `objects` are what it concerns: who asked for one of them hears it, and who
   * asked for no particular one.
   */
  say<M extends DebugModule>(module: M, mode: DebugMode<M>, lines: readonly string[], objects: readonly string[] = []) {
    const now = this.clock.now()
    const heard = new Set<DebugWrite>()
    let kept = false
    for (const e of [...this.entries]) {
      const { request: r } = e
      if (r.module !== module || !r.modes.includes(mode)) continue
      if (r.object !== undefined && !objects.some(o => o.toLowerCase() === r.object?.toLowerCase())) continue
      if (now >= e.until) {
        this.end(e)
        continue
      }
      // Who asked twice hears it once.
      if (r.write !== undefined && heard.has(r.write)) continue
      if (!this.allow(e, lines.length, now)) continue
      const text = this.stamped(module, lines)
      if (!kept) this.keep(text)
      kept = true
      if (r.write !== undefined) {
        heard.add(r.write)
        if (!r.write(text)) this.end(e)
      }
      if (--e.messages <= 0) this.end(e)
    }
  }

  active(): DebugActive[] {
    const now = this.clock.now()
    for (const e of [...this.entries]) if (now >= e.until) this.end(e)
    return this.entries.map(({ request: { module, modes, object, who } }) => ({
      module,
      modes: [...modes],
      object: object ?? '',
      who,
    }))
  }

  /** The latest lines that were said to anybody. */
  recent(): readonly string[] {
    return this.ring
  }

  private allow(e: Entry, lines: number, now: Millis): boolean {
    e.allowance = Math.min(BURST, e.allowance + ((now - e.since) * PER_SECOND) / 1000)
    e.since = now
    if (e.allowance < lines) {
      e.leftOut += lines
      e.cancelNotice ??= this.clock.after(NOTICE_MILLIS, () => this.notice(e))
      return false
    }
    e.allowance -= lines
    return true
  }

  private notice(e: Entry): void {
    e.cancelNotice = undefined
    const text = `${e.leftOut} lines left out`
    e.leftOut = 0
    this.keep(text)
    if (this.entries.includes(e) && e.request.write?.(text) === false) this.end(e)
  }

  private end(e: Entry): void {
    e.cancelNotice?.()
    this.entries = this.entries.filter(other => other !== e)
    this.changed()
  }

  private stamped(module: DebugModule, lines: readonly string[]): string {
    const time = this.wall().toISOString().slice(11, 19)
    return lines.map((line, i) => (i === 0 ? `${module.toUpperCase()} ${time}: ` : '  ') + line).join('\n')
  }

  private keep(text: string): void {
    this.ring.push(...text.split('\n'))
    if (this.ring.length > RING) this.ring.splice(0, this.ring.length - RING)
  }
}
