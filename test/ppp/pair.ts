/** A link and a client facing each other in virtual time, with a path that may delay and lose frames. */

import { authenticateChap } from '../../src/aaa/authenticator.ts'
import { Users } from '../../src/aaa/users.ts'
import type { Dice } from '../../src/machine.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import type { PppEffect, PppInput, PppTemplate } from '../../src/ppp/effects.ts'
import { PppLink } from '../../src/ppp/link.ts'
import type { PppClientOptions } from '../support/ppp-client.ts'
import { PppClient } from '../support/ppp-client.ts'

export const template: PppTemplate = {
  template: 1,
  authentication: 'chap',
  echoSeconds: 30,
  mru: 1400,
  hostName: 'gateway',
}

export const users = new Users([
  { name: 'dialin1', password: Secret.fromText('friend1'), address: ipv4('192.168.8.11') },
  { name: 'dialin2', password: Secret.fromText('friend2'), address: undefined },
])

/** Dice that count: every draw differs, every run is the same. */
export function countingDice(start = 1): Dice {
  let n = start
  return length => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = n++ * 37
    return bytes
  }
}

export interface PairOptions {
  readonly client?: Partial<PppClientOptions>
  readonly template?: Partial<PppTemplate>
  readonly dns?: readonly [string?, string?]
  readonly wins?: readonly [string?, string?]
  /** Milliseconds on the way, of the frame with this running number. */
  readonly delay?: number | ((index: number) => number)
  /** Whether that frame arrives twice. */
  readonly doubles?: (index: number) => boolean
  /** Whether the frame with this running number is lost, either way. */
  readonly loses?: (index: number, toClient: boolean) => boolean
  readonly authenticate?: boolean
  /** What AAA says instead of its true proof. */
  readonly proof?: string
}

interface Flight {
  readonly at: number
  readonly toClient: boolean
  readonly bytes: Uint8Array
}

export class Pair {
  now = 0
  readonly link: PppLink
  readonly client: PppClient
  /** Every effect but `send`, in order. */
  readonly effects: PppEffect[] = []
  /** Every frame on the path, in order, lost ones included: `>` from the client, `<` from the gateway. */
  readonly ladder: string[] = []
  readonly options: PairOptions
  private flights: Flight[] = []
  private sent = 0

  constructor(options: PairOptions = {}) {
    this.options = options
    this.link = new PppLink({ template: { ...template, ...options.template }, dice: countingDice() })
    this.client = new PppClient({ flavour: 'xp', name: 'dialin2', password: 'friend2', ...options.client })
  }

  start(): this {
    this.input({ kind: 'start' })
    this.fromClient(this.client.start(this.now))
    return this
  }

  /** Lets `millis` go by, with everything that happens meanwhile. */
  run(millis: number): this {
    const until = this.now + millis
    for (;;) {
      const times = [this.flights[0]?.at, this.link.deadline, this.client.deadline].filter(t => t !== undefined)
      const next = Math.min(...times)
      if (!(next <= until)) break
      this.now = Math.max(this.now, next)
      const flight = this.flights[0]
      if (flight && flight.at <= this.now) {
        this.flights.shift()
        if (flight.toClient) this.fromClient(this.client.receive(flight.bytes, this.now))
        else this.input({ kind: 'frame', bytes: flight.bytes })
      } else if (this.link.deadline !== undefined && this.link.deadline <= this.now) {
        this.input({ kind: 'deadline' })
        if (this.link.deadline !== undefined && this.link.deadline <= this.now)
          throw new Error('deadline stays in the past')
      } else {
        this.fromClient(this.client.expire(this.now))
      }
    }
    this.now = until
    return this
  }

  input(input: PppInput | { kind: 'deadline' }): PppEffect[] {
    const effects: PppEffect[] = []
    this.link.handle(input, this.now, effects)
    for (const e of effects) {
      if (e.kind === 'send') this.fly(e.bytes, true)
      else this.effects.push(e)
      if (e.kind === 'authenticate' && this.options.authenticate !== false) this.answer(e)
    }
    return effects
  }

  fromClient(frames: readonly Uint8Array[]): void {
    for (const f of frames) this.fly(f, false)
  }

  /** The effects of one kind. */
  all<K extends PppEffect['kind']>(kind: K): Extract<PppEffect, { kind: K }>[] {
    return this.effects.filter((e): e is Extract<PppEffect, { kind: K }> => e.kind === kind)
  }

  private answer(e: Extract<PppEffect, { kind: 'authenticate' }>): void {
    const decision = e.method === 'none' ? undefined : authenticateChap(users, { ...e, method: e.method })
    if (decision?.kind === 'rejected') {
      const result = { kind: 'rejected', reason: decision.reason, message: 'Authentication failed' } as const
      this.input({ kind: 'authenticated', request: e.request, result })
      return
    }
    const [dns1, dns2] = this.options.dns ?? ['192.168.8.1']
    const [wins1, wins2] = this.options.wins ?? []
    const quad = (text: string | undefined) => (text === undefined ? undefined : ipv4(text))
    this.input({
      kind: 'authenticated',
      request: e.request,
      result: {
        kind: 'accepted',
        user: decision?.user.name ?? '',
        address: decision?.user.address ?? ipv4('192.168.8.50'),
        localAddress: ipv4('192.168.8.254'),
        dns: [quad(dns1), quad(dns2)],
        wins: [quad(wins1), quad(wins2)],
        message: 'Welcome',
        proof: this.options.proof ?? decision?.proof,
      },
    })
  }

  private fly(bytes: Uint8Array, toClient: boolean): void {
    const index = this.sent++
    const { loses, doubles, delay = 20 } = this.options
    const lost = loses?.(index, toClient) ?? false
    this.ladder.push(`${lost ? 'x' : ''}${toClient ? '<' : '>'} ${describe(bytes)}`)
    if (lost) return
    const at = this.now + (typeof delay === 'number' ? delay : delay(index))
    this.flights.push({ at, toClient, bytes })
    if (doubles?.(index)) this.flights.push({ at: at + 5, toClient, bytes })
    this.flights.sort((a, b) => a.at - b.at)
  }
}

const protocols: Readonly<Record<number, string>> = {
  49185: 'LCP',
  49699: 'CHAP',
  32801: 'IPCP',
  33021: 'CCP',
  32855: 'IPV6CP',
}
const codes = [
  '',
  'Req',
  'Ack',
  'Nak',
  'Rej',
  'TermReq',
  'TermAck',
  'CodeRej',
  'ProtRej',
  'EchoReq',
  'EchoRep',
  'Disc',
  'Ident',
]
const chapCodes = ['', 'Challenge', 'Response', 'Success', 'Failure']

/** `LCP Req 0: 01 05 07` names protocol, code, identifier and the types of the options. */
export function describe(frame: Uint8Array): string {
  const protocol = (frame[2]! << 8) | frame[3]!
  const name = protocols[protocol] ?? protocol.toString(16)
  const code = (protocol === 0xc223 ? chapCodes : codes)[frame[4]!] ?? frame[4]
  if (protocol === 0xc223 || frame[4]! > 4) return `${name} ${code}`
  const types: string[] = []
  for (let at = 8; at + 1 < frame.length && frame[at + 1]! > 0; at += frame[at + 1]!) types.push(`${frame[at]}`)
  return `${name} ${code} ${types.join(',')}`
}
