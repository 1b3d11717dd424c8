/** The log: a ring for SHOW LOG in the router's words, and one structured line an event on standard error. */

import { type LogConfig, type LogOutput, logDefaults, takes } from '../alliedware/log-config.ts'
import type { LogCount, LogStatus } from '../alliedware/show/log.ts'
import type { LogState } from '../alliedware/show/state.ts'

/** The router's severities: the higher, the worse. */
export const Severity = {
  Debug: 0,
  Trivial: 1,
  Detail: 2,
  Info: 3,
  Notice: 4,
  Important: 5,
  Urgent: 6,
  Critical: 7,
} as const

export interface LogEntry {
  readonly severity: number
  /** Four letters, as in the router's Mod column: `ISAK`, `IPSE`, `L2TP`, `PPP`, `USER`, `FIRE`, `SYS`. */
  readonly module: string
  readonly type?: string
  readonly subtype?: string
  /** The router's text. */
  readonly text: string
  /** What a program reads: written as key=value behind the text on standard error. */
  readonly fields?: Readonly<Record<string, string | number | undefined>>
}

const RING = 1000
/** So many more may lie in the ring until the oldest are cut off it together: one by one all would be moved each time. */
const OVERHANG = 256
const SEVERITIES = 8

export class Log {
  private readonly ring: LogState[] = []
  private readonly write: (line: string) => void
  private readonly wall: () => Date
  private readonly threshold: number
  private config: LogConfig = logDefaults
  /** Carries messages to where they are to be sent. */
  private forward: ((output: LogOutput, message: LogState) => void) | undefined
  private readonly taken = new Map<LogOutput['id'], number>()
  /** How many messages each module has written since the start, by severity. */
  private readonly counted = new Map<string, number[]>()

  private second = Number.NaN
  private secondText = ''
  private millis = Number.NaN
  private millisText = ''

  constructor(write: (line: string) => void, wall: () => Date = () => new Date(), threshold: number = Severity.Info) {
    this.write = write
    this.wall = wall
    this.threshold = threshold
  }

  /** Other outputs and filters, from the next message on. */
  configure(config: LogConfig): void {
    this.config = config
    this.trim()
  }

  sendBy(forward: (output: LogOutput, message: LogState) => void): void {
    this.forward = forward
  }

  add(entry: LogEntry): void {
    const message = {
      time: this.time(),
      severity: entry.severity,
      module: entry.module,
      type: entry.type ?? 'MSG',
      subtype: entry.subtype ?? '',
      text: entry.text,
    }
    if (this.config.enabled) this.distribute(message)
    if (entry.severity < this.threshold) return
    let counts = this.counted.get(entry.module)
    if (counts === undefined) this.counted.set(entry.module, (counts = new Array<number>(SEVERITIES).fill(0)))
    counts[entry.severity]! += 1
    this.write(structured(message.time, entry))
  }

  /** The wall clock in words, made once a millisecond, and all but the milliseconds once a second. */
  private time(): string {
    const now = this.wall().getTime()
    if (now === this.millis) return this.millisText
    this.millis = now
    const millis = now % 1000
    if (now - millis !== this.second) {
      this.second = now - millis
      this.secondText = new Date(this.second).toISOString().slice(0, -4)
    }
    this.millisText = `${this.secondText}${millis < 10 ? '00' : millis < 100 ? '0' : ''}${millis}Z`
    return this.millisText
  }

  /** Forgets what SHOW LOG shows. */
  clear(): void {
    this.ring.length = 0
  }

  /** How many messages an output took. */
  takenBy(output: LogOutput['id']): number {
    return this.taken.get(output) ?? 0
  }

  private distribute(message: LogState): void {
    for (const o of this.config.outputs) {
      if (!takes(o, message, this.threshold)) continue
      if (o.destination === 'memory') {
        this.ring.push(message)
        if (this.ring.length > this.room + OVERHANG) this.trim()
      } else if (o.destination === 'syslog') this.forward?.(o, message)
      else continue
      this.taken.set(o.id, this.takenBy(o.id) + 1)
    }
  }

  private trim(): void {
    if (this.ring.length > this.room) this.ring.splice(0, this.ring.length - this.room)
  }

  private get room(): number {
    return this.config.outputs.find(o => o.id === 'temporary')?.messages ?? RING
  }

  entries(): readonly LogState[] {
    this.trim()
    return this.ring
  }

  counts(): LogCount[] {
    return [...this.counted].map(([module, bySeverity]) => ({ module, bySeverity: [...bySeverity] }))
  }

  status(): LogStatus {
    const total = [...this.counted.values()].flat().reduce((a, b) => a + b, 0)
    return { leastSeverity: this.threshold, kept: this.entries().length, room: this.room, total }
  }
}

/** `time=... level=3 module=ISAK msg="..." peer=...`: values with anything but plain characters are quoted. */
function structured(time: string, entry: LogEntry): string {
  let line = `time=${time} level=${entry.severity} module=${entry.module} msg=${quote(entry.text)}`
  const { fields } = entry
  for (const key in fields) {
    const value = fields[key]
    if (value !== undefined) line += ` ${key}=${typeof value === 'number' ? value : quote(value)}`
  }
  return line
}

const PLAIN = 1
const QUOTED = 2
/** What each ASCII character asks of the text it stands in; where nothing else is said, escapes. */
const kinds = new Uint8Array(128).fill(QUOTED, 0x20, 0x7f)
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@+-') kinds[c.charCodeAt(0)] = PLAIN
for (const c of '"\\') kinds[c.charCodeAt(0)] = 0

function quote(text: string): string {
  let plain = text.length > 0
  for (let i = 0; i < text.length; i++) {
    const kind = kinds[text.charCodeAt(i)]
    if (!kind) return JSON.stringify(text)
    if (kind !== PLAIN) plain = false
  }
  return plain ? text : `"${text}"`
}
