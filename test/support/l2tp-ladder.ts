/** An LNS and its clients in virtual time, whose messages read as a ladder diagram. */

import { AvpType, MessageType } from '../../src/l2tp/constants.ts'
import { L2TP_DEFAULTS, type L2tpConfig, type L2tpEffect, type L2tpInput } from '../../src/l2tp/effects.ts'
import { L2tpEndpoint } from '../../src/l2tp/endpoint.ts'
import { parseControl } from '../../src/l2tp/header.ts'
import { describeResult, parseMessage, u16Of } from '../../src/l2tp/message.ts'
import { messageRules } from '../../src/l2tp/rules.ts'
import type { DeadlineInput, Dice } from '../../src/machine.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import type { Lac, LacEffect, LacInput } from './lac.ts'

export const config: L2tpConfig = {
  ...L2TP_DEFAULTS,
  enabled: true,
  ranges: [{ first: ipv4('0.0.0.0'), last: ipv4('255.255.255.255'), template: 1 }],
}

/** Dice that count: IDs come out as 1, 2, 3... */
export function countingDice(): Dice {
  let n = 0
  return length => {
    const bytes = new Uint8Array(length)
    bytes[length - 1] = n
    bytes[length - 2] = n >>> 8
    n++
    return bytes
  }
}

/** A message in one line: name, header IDs, sequence numbers, and what its AVPs assign or end. */
export function line(bytes: Uint8Array): string {
  const p = parseControl(bytes)
  const head = `${p.tunnelId}/${p.sessionId} ns ${p.ns} nr ${p.nr}`
  if (p.body.length === 0) return `ZLB ${head}`
  const m = parseMessage(p.body)
  if (!m) return `? ${head}`
  const tunnel = u16Of(m, AvpType.AssignedTunnelId)
  const session = u16Of(m, AvpType.AssignedSessionId)
  const result = m.type === MessageType.Cdn || m.type === MessageType.StopCcn ? `, ${describeResult(m)}` : ''
  const ids = `${tunnel === undefined ? '' : `, tunnel ${tunnel}`}${session === undefined ? '' : `, session ${session}`}`
  return `${messageRules[m.type].name} ${head}${ids}${result}`
}

/** An effect in one line. */
export function effectLine(e: L2tpEffect): string {
  switch (e.kind) {
    case 'send':
      return `send ${line(e.bytes)}`
    case 'sessionUp':
      return `sessionUp ${e.ids.session}`
    case 'sessionConnected':
      return `sessionConnected ${e.session}${e.sequencing ? ' sequenced' : ''}`
    case 'sessionDown':
      return `sessionDown ${e.session}: ${e.reason}`
    case 'tunnelUp':
      return `tunnelUp ${e.localTunnelId} ${e.hostName}`
    case 'tunnelDown':
      return `tunnelDown ${e.localTunnelId}${e.dead ? ' dead' : ''}: ${e.reason}`
    case 'startedAnew':
      return `startedAnew on ${e.sa.toString(16)}`
    case 'discarded':
      return `discarded: ${e.reason}`
  }
}

export interface Client {
  readonly lac: Lac
  readonly peer: number
  sa: number
  readonly remotePort: number
  /** What the client reports of itself. */
  readonly events: Exclude<LacEffect, { kind: 'send' }>[]
}

export class Ladder {
  readonly endpoint: L2tpEndpoint
  now = 0
  /** `client -> message` and `client <- message`, in the order of sending, and `* effect` for what the LNS decides. */
  readonly lines: string[] = []
  /** Return true to lose a message. */
  lose: (line: string) => boolean = () => false
  private readonly clients = new Map<number, Client>()

  constructor(overrides: Partial<L2tpConfig> = {}, rows = new RowNumbers(64)) {
    this.endpoint = new L2tpEndpoint({ config: { ...config, ...overrides }, dice: countingDice(), rows })
  }

  client(lac: Lac, peer = 1, sa = 0x1000, remotePort = 1701): Client {
    const client = { lac, peer, sa, remotePort, events: [] }
    this.clients.set(peer, client)
    return client
  }

  /** The client does something; everything that follows from it at this moment happens. */
  act(client: Client, input: LacInput | DeadlineInput): void {
    const effects: LacEffect[] = []
    client.lac.handle(input, this.now, effects)
    for (const e of effects) {
      if (e.kind !== 'send') client.events.push(e)
      else if (this.pass(`${client.peer} -> ${line(e.bytes)}`)) {
        const { peer, sa, remotePort } = client
        const remote = ipv4('203.0.113.7')
        this.handle({ kind: 'message', peer, sa, remote, remotePort, localPort: 1701, bytes: e.bytes })
      }
    }
  }

  /** The LNS takes an input; what it sends arrives. */
  handle(input: L2tpInput | DeadlineInput): L2tpEffect[] {
    const effects: L2tpEffect[] = []
    this.endpoint.handle(input, this.now, effects)
    for (const e of effects) {
      if (e.kind !== 'send') this.lines.push(`* ${effectLine(e)}`)
      else if (this.pass(`${e.peer} <- ${line(e.bytes)}`)) {
        const client = this.clients.get(e.peer)
        if (client) this.act(client, { kind: 'message', bytes: e.bytes })
      }
    }
    return effects
  }

  /** Time goes by: every deadline of both sides on the way is kept. */
  advance(milliseconds: number): void {
    const end = this.now + milliseconds
    for (;;) {
      const parties = [...this.clients.values()].map(c => c.lac.deadline)
      const next = Math.min(...[this.endpoint.deadline, ...parties].map(d => d ?? Number.POSITIVE_INFINITY))
      if (next > end) break
      this.now = Math.max(this.now, next)
      if ((this.endpoint.deadline ?? Number.POSITIVE_INFINITY) <= this.now) this.handle({ kind: 'deadline' })
      for (const c of this.clients.values()) {
        if ((c.lac.deadline ?? Number.POSITIVE_INFINITY) <= this.now) this.act(c, { kind: 'deadline' })
      }
    }
    this.now = end
  }

  /** The lines since the last call. */
  take(): string[] {
    return this.lines.splice(0)
  }

  private pass(text: string): boolean {
    if (this.lose(text)) {
      this.lines.push(`${text} (lost)`)
      return false
    }
    this.lines.push(text)
    return true
  }
}
