/** ENABLE ISAKMP and IPSEC POLICY DEBUG, and CAPTURE: looks over the IKE endpoint's shoulder while somebody wants to. */

import { suiteName } from '../esp/suites.ts'
import { Flag } from '../ike/constants.ts'
import { describeHeader, describePayloads, describeWalk } from '../ike/describe.ts'
import type { ChildSa, IkeEffect, IkeEvent, IkeInput } from '../ike/effects.ts'
import type { IkeEndpoint } from '../ike/endpoint.ts'
import { IkeError } from '../ike/error.ts'
import { type Payload, parseHeader, parseMessage } from '../ike/message.ts'
import type { ClearMessage } from '../ike/protect.ts'
import type { DeadlineInput, Machine, Millis } from '../machine.ts'
import { toHex } from '../packet/bytes.ts'
import { type Endpoint, formatEndpoint } from '../packet/ip.ts'
import type { Captures } from './capture.ts'
import type { Debug } from './debug.ts'

/** What a responder goes through, by the names that SHOW ISAKMP EXCHANGE has. */
const MAIN = ['IDLE', 'SARECV', 'SASENT', 'KERECV', 'KESENT', 'AUTHRECV', 'AUTHSENT', 'UP']
const QUICK = ['STARTING', 'RECEIVING_MESSAGE', 'SENDING_HASH_SA_NONCE', 'WAIT_HASH', 'DONE']

/** Phase 1s whose states are kept for comparison. */
const MOST_SEEN = 1000

interface Seen {
  readonly type: 'MAIN' | 'QUICK'
  readonly state: string
}

export class IsakmpTap implements Machine<IkeInput, IkeEffect> {
  private readonly ike: IkeEndpoint
  private readonly debug: Debug
  private readonly captures: Captures
  /** The states last seen, by both cookies and exchange: of those alone that had to do with a message since it began. */
  private readonly seen = new Map<string, Map<number, Seen>>()
  /** What encrypted messages of the input in hand held. */
  private clear: ClearMessage[] = []
  private watching = false
  /** The peer and IPsec policy of each SA, by inbound SPI; kept while somebody listens. */
  private policies: Map<number, Pick<ChildSa, 'peer' | 'policy'>> | undefined

  constructor(ike: IkeEndpoint, debug: Debug, captures: Captures) {
    this.ike = ike
    this.debug = debug
    this.captures = captures
  }

  get deadline(): Millis | undefined {
    return this.ike.deadline
  }

  handle(input: IkeInput | DeadlineInput, now: Millis, effects: IkeEffect[]): void {
    const { captures } = this
    if (!captures.on) return this.debugged(input, now, effects)
    captures.before(input)
    const from = effects.length
    this.debugged(input, now, effects)
    captures.after(effects.slice(from))
  }

  private debugged(input: IkeInput | DeadlineInput, now: Millis, effects: IkeEffect[]): void {
    const { debug } = this
    const isakmp = debug.on('isakmp')
    if (isakmp !== this.watching) this.watch(isakmp)
    const ipsec = debug.on('ipsec')
    if (!ipsec) this.policies = undefined
    else this.policies ??= new Map(this.ike.snapshot().children.map(c => [c.inboundSpi, c]))
    if (!isakmp && !ipsec) return this.ike.handle(input, now, effects)
    if (isakmp) {
      this.remember(input)
      if (input.kind === 'datagram') this.message('from', input.local, input.remote, input.bytes)
    }
    this.clear = []
    const before = effects.length
    this.ike.handle(input, now, effects)
    const added = effects.slice(before)
    if (isakmp) {
      this.told(input, added)
      this.changes(input, added)
    }
    if (ipsec) this.ipsec(input, added)
  }

  private watch(on: boolean): void {
    this.watching = on
    this.seen.clear()
    this.ike.watch(on ? message => this.clear.push(message) : undefined)
  }

  /** The payloads of what came, then what was sent. */
  private told(input: IkeInput | DeadlineInput, effects: readonly IkeEffect[]): void {
    for (const m of this.clear.filter(c => !c.out)) this.payloads(m.payloads, m.header.messageId === 0 ? 1 : 2)
    const out = this.clear.filter(c => c.out)
    for (const e of effects) {
      if (e.kind === 'send') {
        this.message('to', e.local, e.remote, e.bytes)
        const held = isEncrypted(e.bytes) ? out.shift() : undefined
        if (held) this.payloads(held.payloads, held.header.messageId === 0 ? 1 : 2)
      } else if (e.kind === 'event') this.event(e.event)
    }
    if (input.kind === 'deadline' && effects.some(e => e.kind === 'send'))
      this.debug.say('isakmp', 'trace', ['the last messages were said again, or asked for a sign of life'])
  }

  private message(way: 'from' | 'to', local: Endpoint, remote: Endpoint, bytes: Uint8Array): void {
    const { debug } = this
    const where = `${way} ${formatEndpoint(remote)} ${way === 'from' ? 'at' : 'out of'} port ${local.port}`
    if (debug.wants('isakmp', 'pktraw'))
      debug.say('isakmp', 'pktraw', [`${where}, ${bytes.length} bytes`, ...hex(bytes)])
    if (!debug.wants('isakmp', 'trace') && !debug.wants('isakmp', 'packet')) return
    try {
      const line = `${where}: ${describeHeader(parseHeader(bytes))}, ${bytes.length} bytes`
      debug.say('isakmp', debug.wants('isakmp', 'trace') ? 'trace' : 'packet', [line])
      if (!isEncrypted(bytes)) this.payloads(parseMessage(bytes).payloads, 1)
    } catch (e) {
      if (!(e instanceof IkeError)) throw e
      debug.say('isakmp', 'trace', [`${where}: ${bytes.length} bytes that cannot be read: ${e.reason}`])
    }
  }

  private payloads(payloads: readonly Payload[], phase: 1 | 2): void {
    const { debug } = this
    if (debug.wants('isakmp', 'trace')) debug.say('isakmp', 'trace', [`payloads ${describeWalk(payloads)}`])
    if (debug.wants('isakmp', 'packet')) debug.say('isakmp', 'packet', describePayloads(payloads, phase))
  }

  private event(e: IkeEvent): void {
    const { debug } = this
    if (e.kind === 'discarded') {
      debug.say('isakmp', 'trace', [`discarded a datagram from ${formatEndpoint(e.remote)}: ${e.reason}`])
    } else if (e.kind === 'failed') {
      // The router's own words for it.
      const text = e.cause === 'bad-identity' ? `Remote ID different to expected: ${e.detail}` : e.detail
      debug.say('isakmp', 'trace', [`Exch ${e.exchange}: Failed: ${text}`])
    }
  }

  /** What stood before the message in hand. */
  private remember(input: IkeInput | DeadlineInput): void {
    if (input.kind !== 'datagram' || !this.debug.wants('isakmp', 'state')) return
    const key = cookiesOf(input.bytes)
    if (!this.seen.has(key)) this.see(key, this.look(key))
  }

  private look(key: string): Map<number, Seen> {
    return new Map(
      this.ike.states(key).map(({ id, type, state }) => [id, { type: type === 'main' ? 'MAIN' : 'QUICK', state }]),
    )
  }

  /** Of very many exchanges those are forgotten that were seen first. */
  private see(key: string, states: Map<number, Seen>): void {
    this.seen.delete(key)
    if (states.size === 0) return
    this.seen.set(key, states)
    if (this.seen.size > MOST_SEEN) this.seen.delete(this.seen.keys().next().value!)
  }

  private changes(input: IkeInput | DeadlineInput, effects: readonly IkeEffect[]): void {
    if (!this.debug.wants('isakmp', 'state')) return this.seen.clear()
    const keys = new Set<string>()
    const isFirst = input.kind === 'datagram' && /^0+$/.test(cookiesOf(input.bytes).slice(16))
    if (input.kind === 'datagram') keys.add(cookiesOf(input.bytes))
    for (const e of effects) {
      if (e.kind === 'send') keys.add(cookiesOf(e.bytes))
      else if (e.kind === 'event' && 'exchange' in e.event) {
        const { exchange } = e.event
        for (const [key, states] of this.seen) if (states.has(exchange)) keys.add(key)
      }
    }
    for (const key of keys) {
      const before = this.seen.get(key)
      const after = this.look(key)
      // One that was there before anybody listened, and has said nothing since: nobody knows what it was.
      if (before !== undefined || isFirst) this.compare(before ?? new Map(), after)
      this.see(key, after)
    }
  }

  private compare(before: ReadonlyMap<number, Seen>, after: ReadonlyMap<number, Seen>): void {
    for (const [id, { type, state }] of after) {
      const path = type === 'MAIN' ? MAIN : QUICK
      const was = before.get(id)?.state ?? path[0]!
      const steps = path.slice(path.indexOf(was), path.indexOf(state) + 1)
      for (let i = 1; i < steps.length; i++)
        this.debug.say('isakmp', 'state', [`Exch ${id}: ${type} ${steps[i - 1]} -> ${steps[i]}`])
    }
    for (const [id, { type, state }] of before) {
      if (!after.has(id) && state !== 'DONE')
        this.debug.say('isakmp', 'state', [`Exch ${id}: ${type} ${state} -> deleted`])
    }
  }

  /** Of an IPsec policy: TRACE is what becomes of its SAs, PACKET what their first packets and their limits tell. */
  private ipsec(input: IkeInput | DeadlineInput, effects: readonly IkeEffect[]): void {
    const told = ofDataPath(input)
    if (told !== undefined) {
      const of = [...(this.policies ?? [])].filter(([at, sa]) => told.peer === sa.peer || told.spi === at)
      const policies = of.map(([, sa]) => sa.policy)
      this.debug.say('ipsec', 'packet', [told.text], policies)
    }
    for (const e of effects) {
      const say = (text: string, policy: string) => this.debug.say('ipsec', 'trace', [text], [policy])
      if (e.kind === 'installInbound') {
        this.policies?.set(e.sa.inboundSpi, e.sa)
        say(`inbound SA made: ${saText(e.sa)}`, e.sa.policy)
      } else if (e.kind === 'installOutbound') say(`outbound SA in use: ${saText(e.sa)}`, e.sa.policy)
      else if (e.kind === 'removeSa') {
        const text = `in ${spi(e.inboundSpi)} out ${spi(e.outboundSpi)}, peer ${e.peer}: ${e.reason}`
        say(`SA removed: ${text}`, this.policies?.get(e.inboundSpi)?.policy ?? '')
        this.policies?.delete(e.inboundSpi)
      }
    }
  }
}

/** What the data path told the endpoint about an SA or a peer. */
function ofDataPath(input: IkeInput | DeadlineInput): { text: string; peer?: number; spi?: number } | undefined {
  switch (input.kind) {
    case 'saUsed':
      return { text: `first packet on inbound SA ${spi(input.spi)}`, spi: input.spi }
    case 'peerMoved':
      return { text: `peer ${input.peer} moved to ${formatEndpoint(input.remote)}`, peer: input.peer }
    case 'saExhausted': {
      const way = input.inbound ? 'inbound' : 'outbound'
      return { text: `${way} SA ${spi(input.spi)} of peer ${input.peer} has carried all it may`, peer: input.peer }
    }
    default:
      return undefined
  }
}

function saText(sa: ChildSa): string {
  const life = `${sa.lifetimeSeconds ?? '-'} s / ${sa.lifetimeKilobytes ?? '-'} kB`
  const suite = suiteName(sa.suite)
  const way = sa.udpEncapsulated ? 'in UDP' : 'native'
  return `policy ${sa.policy}, peer ${sa.peer} ${formatEndpoint(sa.remote)}, in ${spi(sa.inboundSpi)} out ${spi(sa.outboundSpi)}, ${suite}, ${way}, life ${life}`
}

function spi(n: number): string {
  return `0x${n.toString(16).padStart(8, '0')}`
}

/** Both cookies of a message, in hexadecimal. */
function cookiesOf(bytes: Uint8Array): string {
  return toHex(bytes.subarray(0, 16))
}

function isEncrypted(bytes: Uint8Array): boolean {
  return ((bytes[19] ?? 0) & Flag.Encryption) !== 0
}

function hex(bytes: Uint8Array): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 32) lines.push(toHex(bytes.subarray(at, at + 32)))
  return lines
}
