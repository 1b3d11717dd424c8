/** Sends log messages to syslog servers by UDP (RFC 5426): RFC 3164's format, or RFC 5424's. Bounded; it never throws. */

import { createSocket, type Socket } from 'node:dgram'
import type { LogOutput } from '../alliedware/log-config.ts'
import type { LogState } from '../alliedware/show/state.ts'
import { formatIpv4 } from '../packet/ip.ts'

/** syslog's severities by the router's: 7 CRITICAL ... 0 DEBUG. */
const SEVERITIES = [7, 7, 7, 6, 5, 4, 3, 2] as const
const DAEMON = 3
const LOCAL0 = 16
/** RFC 3164 section 4.1, RFC 5424 section 6.1: what every receiver takes. */
const LONGEST = { normal: 1024, extended: 2048 } as const
/** A flood of messages must not become one of datagrams. */
const MOST_EACH_SECOND = 200

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

export function syslogMessage(o: Pick<LogOutput, 'facility' | 'format'>, m: LogState, host: string): Buffer {
  const facility = o.facility === 'default' ? DAEMON : LOCAL0 + Number(o.facility.slice(-1))
  const priority = facility * 8 + (SEVERITIES[m.severity] ?? 7)
  const kind = [m.module, m.type, m.subtype].filter(word => word !== '').join('/')
  const name = plain(host).slice(0, 255) || '-'
  const head =
    o.format === 'extended'
      ? `<${priority}>1 ${m.time} ${name} floatgate - ${plain(kind).slice(0, 32) || '-'} - `
      : `<${priority}>${bsdTime(m.time)} ${name} floatgate: ${plain(kind)}: `
  return cut(Buffer.from(`${head}${m.text.replace(/\p{Cc}/gu, ' ')}`, 'utf8'), LONGEST[o.format])
}

/** Printable ASCII without blanks, as names in a header must be. */
function plain(word: string): string {
  return word.replace(/[^\x21-\x7e]/g, '')
}

function bsdTime(time: string): string {
  const at = new Date(time)
  const day = String(at.getUTCDate()).padStart(2)
  return `${MONTHS[at.getUTCMonth()]} ${day} ${at.toISOString().slice(11, 19)}`
}

/** No longer than `most` bytes, and not in the midst of a character. */
function cut(bytes: Buffer, most: number): Buffer {
  let end = Math.min(bytes.length, most)
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

export class SyslogSender {
  /** How many messages could not be sent, or were too many. */
  lost = 0
  private socket: Socket | undefined
  private readonly host: () => string
  private readonly now: () => number
  private second = 0
  private sent = 0

  constructor(host: () => string, now: () => number) {
    this.host = host
    this.now = now
  }

  send(o: LogOutput, m: LogState): void {
    if (o.server === undefined) return
    const second = Math.floor(this.now() / 1000)
    if (second !== this.second) {
      this.second = second
      this.sent = 0
    }
    if (++this.sent > MOST_EACH_SECOND) {
      this.lost++
      return
    }
    this.open().send(syslogMessage(o, m, this.host()), o.port, formatIpv4(o.server), error => {
      if (error) this.lost++
    })
  }

  close(): void {
    this.socket?.close()
    this.socket = undefined
  }

  private open(): Socket {
    if (this.socket) return this.socket
    const socket = createSocket('udp4')
    socket.on('error', () => this.lost++)
    socket.unref()
    this.socket = socket
    return socket
  }
}
