/** One responder in virtual time, and clients with a NAT in front of them or not. */

import type { IkeEffect, IkeEvent, IkeInput } from '../../src/ike/effects.ts'
import { IkeEndpoint } from '../../src/ike/endpoint.ts'
import type { IkeConfig, IsakmpPolicy, Phase2Policy } from '../../src/ike/policy.ts'
import type { DeadlineInput, Millis } from '../../src/machine.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { type Endpoint, type Ipv4, ipv4, sameEndpoint } from '../../src/packet/ip.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import { seededDice } from '../support/dice.ts'
import { Initiator, type InitiatorOptions, type InitiatorPair } from '../support/initiator.ts'
import { windowsXp } from '../support/windows.ts'

export const SERVER = ipv4('198.51.100.1')
export const NAT = ipv4('203.0.113.7')
export const PRIVATE = ipv4('192.168.1.10')

export const phase2Policy: Phase2Policy = {
  name: 'l2tp',
  suites: [
    { cipher: 'aes256', integrity: 'sha1' },
    { cipher: 'aes128', integrity: 'sha1' },
    { cipher: '3des', integrity: 'sha1' },
    { cipher: '3des', integrity: 'md5' },
  ],
  pfsGroup: undefined,
  lifetimeSeconds: undefined,
  lifetimeKilobytes: undefined,
  replayWindow: 64,
  localPort: 1701,
  protocol: 17,
  action: 'ipsec',
}

export const policy: IsakmpPolicy = {
  name: 'roadwarriors',
  peer: 'any',
  presharedKey: Secret.fromText('the key'),
  keyId: 1,
  ciphers: ['aes256', 'aes128', '3des'],
  hashes: ['sha256', 'sha1', 'md5'],
  groups: [14, 20, 19, 5, 2],
  localIdentity: { kind: 'address' },
  remoteIdentity: undefined,
  natTraversal: true,
  sendDeletes: true,
  sendNotify: true,
  lifetimeSeconds: 86400,
  messageTimeoutSeconds: 4,
  messageRetryLimit: 8,
  messageBackoff: 'incremental',
  phase2: [phase2Policy],
}

export const baseConfig: IkeConfig = {
  policies: [policy],
  publicAddress: undefined,
  forceEncapsulation: false,
  maxHalfOpen: 64,
  maxPeers: 100,
}

export type Kind<K extends IkeEffect['kind']> = Extract<IkeEffect, { kind: K }>

export class Gateway {
  readonly endpoint: IkeEndpoint
  now: Millis = 0
  /** Everything since the last `take`. */
  effects: IkeEffect[] = []
  private spis = 0x5eed0000

  constructor(change: Partial<IsakmpPolicy> = {}, config: Partial<IkeConfig> = {}) {
    this.endpoint = new IkeEndpoint({
      config: { ...baseConfig, policies: [{ ...policy, ...change }], ...config },
      dice: seededDice('gateway'),
      spi: () => ++this.spis,
      rows: new RowNumbers(1000),
    })
  }

  give(input: IkeInput | DeadlineInput): IkeEffect[] {
    const effects: IkeEffect[] = []
    this.endpoint.handle(input, this.now, effects)
    this.effects.push(...effects)
    return effects
  }

  datagram(remote: Endpoint, port: number, bytes: Uint8Array, server: Ipv4 = SERVER): IkeEffect[] {
    return this.give({ kind: 'datagram', local: { address: server, port }, remote, bytes })
  }

  /** Lets time pass, calling whenever the endpoint wants it. */
  pass(seconds: number): IkeEffect[] {
    const from = this.effects.length
    const until = this.now + seconds * 1000
    for (let at = this.endpoint.deadline; at !== undefined && at <= until; at = this.endpoint.deadline) {
      this.now = Math.max(this.now, at)
      this.give({ kind: 'deadline' })
    }
    this.now = until
    return this.effects.slice(from)
  }

  /** Everything since the last call. */
  take(): IkeEffect[] {
    const all = this.effects
    this.effects = []
    return all
  }

  count(name: string): number {
    return this.endpoint.snapshot().counters[name] ?? 0
  }
}

export function of<K extends IkeEffect['kind']>(effects: readonly IkeEffect[], kind: K): Kind<K>[] {
  return effects.filter((e): e is Kind<K> => e.kind === kind)
}

export function events<K extends IkeEvent['kind']>(
  effects: readonly IkeEffect[],
  kind: K,
): Extract<IkeEvent, { kind: K }>[] {
  return of(effects, 'event')
    .map(e => e.event)
    .filter((e): e is Extract<IkeEvent, { kind: K }> => e.kind === kind)
}

export const kinds = (effects: readonly IkeEffect[]) => effects.map(e => (e.kind === 'event' ? e.event.kind : e.kind))

/** A client, its NAT's mappings included. */
export class Client {
  readonly ike: Initiator
  readonly gateway: Gateway
  /** Outside port of 500 and 4500. */
  ports: Readonly<Record<500 | 4500, number>>
  outside: Ipv4
  pair: InitiatorPair | undefined

  constructor(
    gateway: Gateway,
    options: Partial<InitiatorOptions> & {
      seed?: string
      outside?: Ipv4
      ports?: Readonly<Record<500 | 4500, number>>
    } = {},
  ) {
    const { seed = 'client', outside = NAT, ports = { 500: 1027, 4500: 1028 }, ...rest } = options
    this.gateway = gateway
    this.outside = outside
    this.ports = ports
    this.ike = new Initiator({
      ...(rest.offers ? { ...windowsXp, computerName: undefined } : windowsXp),
      dice: seededDice(seed),
      presharedKey: 'the key',
      address: PRIVATE,
      server: SERVER,
      ...rest,
    })
  }

  get remote(): Endpoint {
    return { address: this.outside, port: this.ports[this.ike.port] }
  }

  /** Sends from where the client is now; answers the first message that comes back, if one does. */
  send(bytes: Uint8Array, remote: Endpoint = this.remote): Uint8Array | undefined {
    const effects = this.gateway.datagram(remote, this.ike.port, bytes)
    return of(effects, 'send').find(e => sameEndpoint(e.remote, remote))?.bytes
  }

  must(bytes: Uint8Array): Uint8Array {
    const answer = this.send(bytes)
    if (!answer) throw new Error('no answer')
    return answer
  }

  mainMode(): this {
    const two = this.must(this.ike.message1())
    const four = this.must(this.ike.message3(two))
    this.ike.finish(this.must(this.ike.message5(four)))
    return this
  }

  quickMode(): InitiatorPair {
    const two = this.must(this.ike.quick1().bytes)
    const { bytes, pair } = this.ike.quick3(two)
    this.send(bytes)
    this.pair = pair
    return pair
  }

  connect(): InitiatorPair {
    this.mainMode()
    return this.quickMode()
  }
}
